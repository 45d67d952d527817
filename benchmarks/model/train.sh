#!/bin/sh
# The default model and its control, two seeds each, and their table: about two hours on two cores.
#   benchmarks/model/train.sh FOLDER_OF_COLLECTIONS FOLDER_FOR_WORK
set -eu
here=$(dirname "$0")
collections=$1 work=$2
python "$here/pool.py" "$collections" -o "$work/pooled"
hyperir index "$work/pooled" -o "$work/pooled.index" -M all-MiniLM-L6-v2
hyperir mine "$work/pooled" --index "$work/pooled.index" -o "$work/mined.jsonl" --depth 34 --keep 30
for seed in 0 1; do
    for kind in dot hyper; do
        relevance=$([ $kind = dot ] && echo model.relevance=dot || true)
        hyperir train "$here/../../recipes/hyperir-minilm.yaml" output="$work/$kind-$seed" seed=$seed $relevance \
            data.source="$work/pooled" data.negatives="$work/mined.jsonl" validation.source="$work/pooled" \
            regime.index="$work/pooled.index"
    done
done
python "$here/table.py" "$collections" "$work/vectors" -o "$work/table.md" \
    "inner product, trained=$work/dot-0,$work/dot-1" "hyperir-minilm=$work/hyper-0,$work/hyper-1"
python "$here/ship.py" "$work/hyper-0" "$work/table.json" -o "$work/hyperir-minilm"
