#!/bin/sh
# The default model and its control, two seeds each, and their table: about two hours on two cores.
#   benchmarks/model/train.sh FOLDER_OF_COLLECTIONS FOLDER_FOR_WORK
set -eu
here=$(dirname "$0")
collections=$1 work=$2
python "$here/pool.py" "$collections" -o "$work/pooled"
python "$here/words.py" "$work/pooled" -o "$work/start"
python "$here/words.py" "$work/pooled" --cells 3 -o "$work/cells"
hyperir index "$work/pooled" -o "$work/pooled.index" -M "$work/start"
python "$here/widths.py" "$work/pooled" "$work/start" "$work/pooled.index"
hyperir mine "$work/pooled" --index "$work/pooled.index" -o "$work/mined.jsonl" --depth 34 --keep 30
for seed in 0 1; do
    for kind in dot hyper; do
        relevance=$([ $kind = dot ] && echo model.relevance=dot || true)
        hyperir train "$here/../../recipes/hyperir-minilm.yaml" output="$work/$kind-$seed" seed=$seed $relevance \
            model.start="$work/start" regime.index="$work/pooled.index" \
            data.source="$work/pooled" data.negatives="$work/mined.jsonl" validation.source="$work/pooled"
    done
done
python "$here/shares.py" "$work/pooled" "$work/start" "$work/pooled.index" "$work/dot-0"
for seed in 0 1; do
    python "$here/ship.py" "$work/hyper-$seed" "$work/cells" -o "$work/tuned-$seed"
done
python "$here/table.py" "$collections" "$work/vectors" -o "$work/table.md" "MiniLM with words=$work/start" \
    "inner product, trained=$work/dot-0,$work/dot-1" "network over signs, trained=$work/hyper-0,$work/hyper-1" \
    "MiniLM with words in cells=$work/cells" "hyperir-minilm=$work/tuned-0,$work/tuned-1"
python "$here/ship.py" "$work/hyper-0" "$work/cells" "$work/table.json" -o "$work/hyperir-minilm"
