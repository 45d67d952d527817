#!/bin/sh
# The default model and its two controls, two seeds each, and their table: about two hours on two cores.
#   benchmarks/model/train.sh FOLDER_OF_COLLECTIONS FOLDER_FOR_WORK
set -eu
here=$(dirname "$0")
collections=$1 work=$2
python "$here/pool.py" "$collections" -o "$work/pooled"
python "$here/words.py" "$work/pooled" -o "$work/start"
python "$here/words.py" "$work/pooled" --cells 3 -o "$work/cells"
hyperir index "$work/pooled" -o "$work/pooled.index" -M "$work/start"
python "$here/beside.py" "$work/pooled" "$work/pooled.index" "$work/cells" -o "$work/cells.index"
python "$here/widths.py" "$work/pooled" "$work/start" "$work/pooled.index"
hyperir mine "$work/pooled" --index "$work/pooled.index" -o "$work/mined.jsonl" --depth 34 --keep 30
train() {
    hyperir train "$here/../../recipes/hyperir-minilm.yaml" data.source="$work/pooled" validation.source="$work/pooled" \
        data.negatives="$work/mined.jsonl" "$@"
}
for seed in 0 1; do
    train output="$work/words-$seed" seed=$seed model.start="$work/cells" regime.index="$work/cells.index"
    train output="$work/mean-$seed" seed=$seed model.start="$work/cells" regime.index="$work/cells.index" \
        model.relevance.read=mean
    train output="$work/dot-$seed" seed=$seed model.start="$work/start" regime.index="$work/pooled.index" \
        model.relevance=dot
done
python "$here/shares.py" "$work/pooled" "$work/cells" "$work/cells.index" "$work/words-0"
python "$here/shares.py" "$work/pooled" "$work/start" "$work/pooled.index" "$work/dot-0"
python "$here/table.py" "$collections" "$work/vectors" -o "$work/table.md" "MiniLM with signs=$work/start" \
    "signs, trained=$work/dot-0,$work/dot-1" "MiniLM with cells=$work/cells" \
    "cells averaged, trained=$work/mean-0,$work/mean-1" "hyperir-minilm=$work/words-0,$work/words-1"
python "$here/ship.py" "$work/words-0" "$work/cells" "$work/table.json" -o "$work/hyperir-minilm"
