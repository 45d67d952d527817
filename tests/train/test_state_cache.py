"""What a training keeps between runs, and what a killed one leaves there."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from tiny_models import make_model
from worlds import HYPER, recipe_of, write

from hyperir.encode.hybrid import with_words
from hyperir.encode.text_encoder import TextEncoder
from hyperir.train import train
from hyperir.train.cache import Cache
from hyperir.train.sources import compute_states

KILLED = """
import os, signal, sys
from hyperir.core.progress import Progress
from hyperir.train.reading import read_recipe
from hyperir.train.run import train

advance = Progress.advance

def killed(self, count=1):
    if self.what == "Encoding":
        os.kill(os.getpid(), signal.SIGKILL)
    advance(self, count)

Progress.advance = killed
train(read_recipe(sys.argv[1]))
"""


def unfinished(folder):
    return sorted(folder.glob("unfinished-*"))


def test_a_killed_training_leaves_nothing_for_long(world, tmp_path):
    cache = tmp_path / "cache"
    recipe = recipe_of(
        world,
        tmp_path / "out",
        model={"start": str(world / "model"), "relevance": HYPER},
        run={"steps": 2, "cache": str(cache)},
        validation=None,
    )
    file = write(recipe, tmp_path / "r.yaml")
    package = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": package, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", KILLED, str(file)], env=environment, capture_output=True, timeout=200)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert len(unfinished(cache)) == 1, "query states, cut short"
    train(recipe)
    assert not unfinished(cache)


def test_what_a_living_process_writes_stays(tmp_path):
    writing = Cache(tmp_path)
    room = writing.room((4, 2), "float32")
    room[:] = 3
    (file,) = unfinished(tmp_path)
    assert Cache(tmp_path).read("k", ("a",)) is None
    assert unfinished(tmp_path) == [file], "its lock is held"
    kept = writing.write("k", {"a": room, "b": np.arange(3)})
    assert not unfinished(tmp_path)
    assert kept["a"].tolist() == [[3, 3]] * 4
    assert Cache(tmp_path).read("k", ("a", "b"))["b"].tolist() == [0, 1, 2]
    (tmp_path / "unfinished-x.npy").write_bytes(b"left by a kill")
    (tmp_path / "mine.npy").write_bytes(b"not ours to remove")
    Cache(tmp_path)
    assert not unfinished(tmp_path)
    assert (tmp_path / "mine.npy").exists()


def test_texts_are_tokenised_once(world, tmp_path, monkeypatch):
    """A second training over the same texts reads their tokens; another length of them is tokenised anew."""
    blocks = []
    tokenize = TextEncoder.tokenize
    monkeypatch.setattr(
        TextEncoder, "tokenize", lambda self, texts, *rest: blocks.append(len(texts)) or tokenize(self, texts, *rest)
    )

    def trained(name, steps, **model):
        recipe = recipe_of(
            world,
            tmp_path / name,
            model={"start": str(world / "model"), **model},
            regime={},
            run={"steps": steps, "cache": str(tmp_path / "cache")},
            validation=None,
        )
        train(recipe)
        return sum(blocks)

    assert trained("first", 12) == 120 + 60, "each query and each document once, though 12 steps ask for 192 queries"
    assert trained("second", 2) == 180, "and not again"
    assert trained("third", 2, document_length=8) == 180 + 60


def test_cells_of_kept_states_are_those_of_the_encoder():
    texts = ["quick fox", "the lazy dog sleeps", "fox"]
    encoder = with_words(make_model("dot"), ["the quick fox", "a lazy dog", "search engines"], width=24).query
    kept = compute_states(encoder, texts, Cache(), "float32")(np.array([2, 0, 1]))
    expected = encoder.states([texts[2], texts[0], texts[1]])
    for name in ("weights", "units"):
        torch.testing.assert_close(getattr(kept.cells, name), getattr(expected.cells, name))
    counted = expected.cells.weights > 0
    assert (kept.cells.places[counted] == expected.cells.places[counted]).all()


def test_states_of_another_projection_are_others(tmp_path):
    """Narrow vectors are kept with the states, and two trainings need not start from the same projection."""
    side = make_model(document={"project": 4}, query={"project": 4}).query
    cache = Cache(tmp_path)
    before = {what: cache.key(side, ["fox"], str, what) for what in ("tokens", "states")}
    torch.nn.init.ones_(side.projection.weight)
    after = {what: cache.key(side, ["fox"], str, what) for what in ("tokens", "states")}
    assert before["tokens"] == after["tokens"]
    assert before["states"] != after["states"]
