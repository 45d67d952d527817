"""Every learned model beats its own untrained state by a stated margin, on queries that it did not learn from.

SPLADE and SNRM start from models of another kind: test_sparse_training.py, test_weak_supervision.py. The Hypencoder
without a linear part needs more steps for this than a test has; it learns by heart in test_frozen.py.
"""

import json

import pytest
from worlds import recipe_of

from hyperir.train import train

MARGIN = 0.1  # of RR@10
SCALED = {"type": "mlp", "hidden": [16, 16], "scaled": True}
# Name -> relevance function, steps, rate of the transformer, temperature, width, margin. Over tokens the q-net gains
# .09 or more, as the threads add up.
MODELS = {
    "bi-encoder": ("dot", 240, 2e-3, 0.05, None, MARGIN),
    "hypencoder": ({"type": "hyper", "linear": True, "qnet": SCALED}, 160, 1e-3, 0.2, 32, MARGIN),
    "colbert": ("maxsim", 160, 1e-3, 0.2, 32, MARGIN),
    "hypencoder over tokens": ({"type": "hyper_multi", "linear": True, "qnet": SCALED}, 160, 1e-3, 0.2, 32, 0.05),
}


@pytest.mark.parametrize("name", MODELS)
def test_it_beats_its_untrained_self(world, foreign, tmp_path, name):
    relevance, steps, rate, temperature, width, margin = MODELS[name]
    recipe = recipe_of(
        world,
        tmp_path / "out",
        data={"type": "collection", "source": str(foreign), "split": "train"},
        model={"start": str(world / "model"), "relevance": relevance, "project": width, "query_length": 8},
        regime={},
        batch={"queries": 32 if width is None else 16, "items": 4},
        losses=[{"type": "scaled", "of": "cross_entropy", "temperature": temperature}],
        optimizer={"encoder_rate": rate, "head_rate": 3e-3},
        validation={"source": str(foreign), "split": "dev", "every": steps},
        run={"steps": steps, "log": steps},
    )
    result = train(recipe)
    log = [json.loads(line) for line in (tmp_path / "out" / "training" / "log.jsonl").read_text().splitlines()]
    before = next(line["eval_RR@10"] for line in log if "eval_RR@10" in line)
    assert result.measures["RR@10"] > before + margin
