"""The recipe of the default model, followed over a made-up world in seconds."""

import json
from pathlib import Path

import pytest
import torch

import hyperir
from hyperir.encode.hybrid import with_words
from hyperir.train import train
from hyperir.train.reading import read_recipe

SHIPPED = Path(__file__).parents[2] / "recipes" / "hyperir-minilm.yaml"


@pytest.fixture(scope="module")
def worded(world, tmp_path_factory):
    """The world's model with words in cells, and the index by it."""
    folder = tmp_path_factory.mktemp("worded")
    rows = list(hyperir.open_collection(world / "data").documents())
    with_words(hyperir.load(world / "model"), rows, width=48, least=0).save_pretrained(folder / "model")
    hyperir.Index.create(folder / "my.index", str(folder / "model")).add(rows, show_progress=False)
    return folder


def test_it_can_be_followed_and_averages_with_the_start(world, worded, tmp_path):
    index = hyperir.Index.open(worded / "my.index")
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
            "regime.index": worded / "my.index",
            "model.start": worded / "model",
            "batch.queries": 8,
            "batch.items": 5,
            "run.steps": 5,
            "run.average": share,
        }
        train(read_recipe(SHIPPED, [f"{key}={value}" for key, value in changes.items()]))
        outcomes[share] = hyperir.load(tmp_path / f"{share}")
    start = hyperir.load(worded / "model")
    assert outcomes[0.25].fingerprint == start.fingerprint
    assert outcomes[0.25].relevance_config.weigh
    before, whole, part = (
        dict(model.query.backbone.transformer.named_parameters()) for model in (start, *outcomes.values())
    )
    heads = [dict(outcomes[share].relevance.named_parameters()) for share in (1.0, 0.25)]
    assert heads[0]["weigh.2.weight"].any(), "what began as nothing"
    for name, weights in heads[0].items():  # kept whole, by `average_head`
        torch.testing.assert_close(heads[1][name], weights, rtol=0, atol=0)
    moved = [name for name in before if not torch.equal(before[name], whole[name])]
    assert moved
    assert not any("embeddings" in name for name in moved), "frozen"
    for name in moved:
        torch.testing.assert_close(part[name], 0.75 * before[name] + 0.25 * whole[name], rtol=1e-4, atol=1e-6)


def test_bfloat16_products_need_no_gpu(world, worded, tmp_path):
    recipe = read_recipe(
        SHIPPED,
        [
            f"output={tmp_path / 'out'}",
            f"data.source={world / 'data'}",
            "data.negatives=null",
            "negatives=null",
            "validation=null",
            f"regime.index={worded / 'my.index'}",
            f"model.start={worded / 'model'}",
            "batch.queries=8",
            "run.steps=2",
            "run.precision=bfloat16",
        ],
    )
    assert train(recipe).steps == 2
