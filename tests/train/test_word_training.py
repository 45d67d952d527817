"""Training a function over words in cells: in every regime, in pieces, and better than its start."""

import pytest
from test_joint import log_of
from tiny_models import make_model
from worlds import recipe_of

import hyperir
from hyperir.encode.hybrid import with_words
from hyperir.train import train

RELEVANCE = {"type": "hyper_words", "weigh": "context", "hidden": 2, "linear": "written"}


@pytest.fixture(scope="module")
def counted(world, tmp_path_factory):
    """A model with words in cells, and the world's documents in an index of it."""
    folder = tmp_path_factory.mktemp("counted")
    rows = list(hyperir.open_collection(world / "data").documents())
    with_words(make_model("dot"), rows, width=48, least=0.2).save_pretrained(folder / "model")
    hyperir.Index.create(folder / "my.index", str(folder / "model")).add(rows, show_progress=False)
    return folder


def counting(world, counted, output, regime, steps, **batch):
    indexed = {"index": str(counted / "my.index"), "queries": regime} if regime != "joint" else {}
    return recipe_of(
        world,
        output,
        model={"start": str(counted / "model"), "relevance": RELEVANCE, "dropout": 0.0},
        regime=indexed,
        batch={"queries": 8, "items": 3, **batch},
        run={"steps": steps, "log": 1},
    )


@pytest.mark.parametrize("regime", ["joint", "all", "head"])
def test_in_pieces_it_learns_the_same(world, counted, tmp_path, regime):
    train(counting(world, counted, tmp_path / "whole", regime, 4))
    train(counting(world, counted, tmp_path / "pieces", regime, 4, chunk=60))
    whole, pieces = (
        [line["loss"] for line in log_of(tmp_path / name) if "loss" in line] for name in ("whole", "pieces")
    )
    assert len(whole) == 4
    assert pieces[0] == pytest.approx(whole[0], rel=1e-5)
    assert pieces == pytest.approx(whole, rel=1e-3)  # rounding, which Adam divides by small gradients


def test_what_was_learned_is_saved(world, counted, tmp_path):
    train(counting(world, counted, tmp_path / "out", "head", 6))
    model = hyperir.load(tmp_path / "out")
    assert model.trained
    assert model.relevance.weigh[2].weight.any()
    assert model.relevance.output.weight.any()
