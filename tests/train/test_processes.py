"""torchrun: two processes over gloo, whose queries meet the items of both, learn as one process with both batches."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from worlds import HYPER, recipe_of, write

import hyperir
from hyperir.train import train

SCALED = {"type": "scaled", "of": "cross_entropy", "temperature": 0.05}


def recipe(world, output, queries, **batch):
    return recipe_of(
        world,
        output,
        model={"start": str(world / "model"), "relevance": HYPER, "dropout": 0.0},
        regime={},
        losses=[SCALED],
        batch={"queries": queries, "items": 2, **batch},
        optimizer={"encoder_rate": 1e-3, "head_rate": 1e-3},
        validation={"source": str(world / "data"), "every": 3},
        run={"log": 1},
        stages=[{"run": {"steps": 3}}, {"run": {"steps": 3}, "batch": {"order": {"type": "topics", "topics": 3}}}],
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("chunk", [None, 60], ids=["plain", "cached"])
def test_two_processes_train_as_one(world, tmp_path, chunk):
    two = recipe(world, tmp_path / "two", 8, across_devices=True, chunk=chunk)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    file = write(two, tmp_path / "two.yaml")
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",  # gloo, wherever the test runs
    }
    done = subprocess.run(
        [*command, "-m", "hyperir", "train", str(file)], env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr[-3000:]
    train(recipe(world, tmp_path / "one", 16, chunk=chunk))
    logs = []
    for name in ("one", "two"):
        lines = (tmp_path / name / "training" / "log.jsonl").read_text().splitlines()
        logs.append([(line["step"], line["loss"]) for line in map(json.loads, lines) if "loss" in line])
    assert [step for step, _ in logs[1]] == [1, 2, 3, 4, 5, 6]
    assert [loss for _, loss in logs[1]] == pytest.approx([loss for _, loss in logs[0]], rel=2e-3)
    one, both = (dict(hyperir.load(tmp_path / name).named_parameters()) for name in ("one", "two"))
    for name, value in one.items():
        torch.testing.assert_close(both[name], value, rtol=0, atol=5e-3, msg=lambda m, name=name: f"{name}: {m}")
