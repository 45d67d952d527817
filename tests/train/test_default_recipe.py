"""The recipe of the default model, followed over a made-up world in seconds."""

import json
from pathlib import Path

import torch

import hyperir
from hyperir.train import train
from hyperir.train.reading import read_recipe

SHIPPED = Path(__file__).parents[2] / "recipes" / "hyperir-minilm.yaml"


def test_it_can_be_followed_and_averages_with_the_start(world, tmp_path):
    index = hyperir.Index.open(world / "my.index")
    ids = [row["id"] for row in index.store.rows(list(range(len(index))))]
    header = {"hyperir": "mine", "collection": "data", "split": "train"}
    lines = [header, *({"query_id": f"q{i}", "negatives": ids[:20]} for i in range(120))]
    (tmp_path / "mined.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    outcomes = {}
    for share in (1.0, 0.25):
        changes = {
            "output": tmp_path / f"{share}",
            "data.source": world / "data",
            "data.negatives": tmp_path / "mined.jsonl",
            "validation.source": world / "data",
            "validation.every": 5,
            "regime.index": world / "my.index",
            "model.start": world / "model",
            "batch.queries": 8,
            "batch.items": 5,
            "run.steps": 5,
            "run.precision": "float32",
            "run.average": share,
        }
        train(read_recipe(SHIPPED, [f"{key}={value}" for key, value in changes.items()]))
        outcomes[share] = hyperir.load(tmp_path / f"{share}")
    start = hyperir.load(world / "model")
    assert outcomes[0.25].fingerprint == start.fingerprint
    assert outcomes[0.25].relevance_config.linear
    before, whole, part = (
        dict(model.query.backbone.transformer.named_parameters()) for model in (start, *outcomes.values())
    )
    moved = [name for name in before if not torch.equal(before[name], whole[name])]
    assert moved
    assert not any("embeddings" in name for name in moved), "frozen"
    for name in moved:
        torch.testing.assert_close(part[name], 0.75 * before[name] + 0.25 * whole[name], rtol=1e-4, atol=1e-6)


def test_bfloat16_products_need_no_gpu(world, tmp_path):
    recipe = read_recipe(
        SHIPPED,
        [
            f"output={tmp_path / 'out'}",
            f"data.source={world / 'data'}",
            "data.negatives=null",
            "negatives=null",
            "validation=null",
            f"regime.index={world / 'my.index'}",
            f"model.start={world / 'model'}",
            "batch.queries=8",
            "run.steps=2",
        ],
    )
    assert recipe.run.precision == "bfloat16"
    assert train(recipe).steps == 2
