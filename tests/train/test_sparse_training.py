"""Training SPLADE: it beats its own start, its weights become few, and what stays stays."""

import json

import pytest
import torch
from test_joint import log_of
from tiny_models import make_masked, write_tokenizer
from worlds import recipe_of

import hyperir
from hyperir.train import train

FLOPS = [
    {"type": "flops", "sides": "query", "weight": 0.002, "warmup_steps": 40},
    {"type": "flops", "sides": "document", "weight": 0.002, "warmup_steps": 40},
]


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("masked")
    make_masked(width=32, layers=1, scale=0.1).save_pretrained(folder)
    write_tokenizer(folder)
    return folder


def sparse(world, masked, output, queries, **changes):
    parts = {
        "model": {"start": str(masked), "splade": {"queries": queries}},
        "regime": {},
        "batch": {"queries": 32, "items": 4},
        "optimizer": {"encoder_rate": 0.01, "head_rate": 0.03},
        "regularisers": FLOPS,
        "validation": {"source": str(world / "data"), "split": "train", "every": 60},
        "run": {"steps": 60, "log": 6},
    }
    return recipe_of(world, output, **(parts | changes))


def test_it_beats_its_start_with_fewer_terms(world, masked, tmp_path):
    result = train(sparse(world, masked, tmp_path / "out", "encoded"))
    log = log_of(tmp_path / "out")
    before = next(line["eval_RR@10"] for line in log if "eval_RR@10" in line)
    assert result.measures["RR@10"] > before + 0.3
    kept = [(line["terms_query"], line["terms_document"]) for line in log if "terms_query" in line]
    assert len(kept) == 10
    assert all(last < first for first, last in zip(kept[0], kept[-1], strict=True))
    model = hyperir.load(tmp_path / "out")
    docs = model.encode_document([row["text"] for row in hyperir.open_collection(world / "data").documents()])
    assert model.kind == "sparse"
    assert len(docs.terms) / docs.shape[0] == pytest.approx(kept[-1][1], rel=0.5)


def test_queries_are_weighted_tokens_and_documents_learn_in_pieces(world, masked, tmp_path):
    batch = {"queries": 32, "items": 4, "chunk": 256}
    result = train(sparse(world, masked, tmp_path / "out", "weighted", batch=batch))
    before = next(line["eval_RR@10"] for line in log_of(tmp_path / "out") if "eval_RR@10" in line)
    assert result.measures["RR@10"] > before + 0.3
    weights = hyperir.load(tmp_path / "out").query.terms.weights
    assert (weights[5:] != 1).any()
    assert torch.equal(weights[:5], torch.ones(5)), "special tokens are in no query"


def test_bags_of_tokens_learn_nothing_and_pieces_bear_it(world, masked, tmp_path):
    batch = {"queries": 16, "items": 4, "chunk": 64}
    recipe = sparse(world, masked, tmp_path / "out", "bag", batch=batch, run={"steps": 2}, validation=None)
    train(recipe)
    f = hyperir.load(tmp_path / "out").encode_query(["the fox fox"])
    assert f.queries.weights.tolist() == [1.0, 1.0]


def test_margins_of_a_teacher_are_followed(world, masked, tmp_path):
    ids = [row["id"] for row in hyperir.open_collection(world / "data").documents()]
    texts = {row["id"]: row["text"] for row in hyperir.open_collection(world / "data").documents()}
    queries = hyperir.open_collection(world / "data").queries("train")
    lines = []
    for place, query in enumerate(queries.values()):
        items = [ids[(place + step) % len(ids)] for step in range(4)]
        shared = [float(len(set(query.split()) & set(texts[item].split()))) for item in items]
        found = [
            {"id": item, "content": texts[item], "score": score} for item, score in zip(items, shared, strict=True)
        ]
        lines.append(json.dumps({"query": {"content": query}, "items": found}) + "\n")
    (tmp_path / "data.jsonl").write_text("".join(lines))
    data = {"type": "hypencoder", "source": str(tmp_path / "data.jsonl"), "positive": "best"}
    recipe = sparse(world, masked, tmp_path / "out", "bag", data=data, losses=["margin_mse"], validation=None)
    train(recipe)
    losses = [line["loss"] for line in log_of(tmp_path / "out") if "loss" in line]
    assert losses[-1] < 0.7 * losses[0]
