"""The whole way of the default model, `benchmarks/model/train.sh`, over made-up collections and a tiny transformer.

The script runs with a `python` and a `hyperir` that only write down how they were called; the calls are then followed
here, one after the other, with few steps. So whatever the script and the recipe say is what is tested.
"""

import gzip
import importlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from tiny_models import make_bert, write_json, write_tokenizer
from worlds import WORDS

import hyperir
from hyperir.cli import main

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "model" / "train.sh"
SHORT = {
    "run.steps": 4,
    "run.save": 2,
    "run.log": 1,
    "batch.queries": 8,
    "batch.items": 5,
    "validation.every": 2,
    "validation.queries": 20,
}
SHIM = """#!{python} -IS
import json, os, sys
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps(sys.argv) + "\\n")
"""


def calls_of(script, folder, *arguments):
    """[program, argument, ...] of everything that a shell script calls, without doing any of it."""
    for name in ("python", "hyperir"):
        shim = folder / name
        shim.write_text(SHIM.format(python=sys.executable))
        shim.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "CALLS": str(folder / "calls.jsonl")}
    subprocess.run(["sh", str(script), *map(str, arguments)], check=True, env=env, timeout=60)
    return [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]


def write_collection(folder, drawn, splits, documents=80):
    """Questions of three words of their document, which has a title of its own and two sentences."""

    def sentence():
        return " ".join(drawn.choices(WORDS, k=drawn.randint(6, 12))).capitalize() + "."

    rows = [{"_id": f"d{i}", "title": f"title {i}", "text": f"{sentence()} {sentence()}"} for i in range(documents)]
    (folder / "qrels").mkdir(parents=True)
    queries = []
    for split, count in splits.items():
        lines = ["query-id\tcorpus-id\tscore"]
        for i in range(count):
            row = rows[i % documents]
            words = row["text"].lower().replace(".", "").split()
            queries.append({"_id": f"{split}{i}", "text": " ".join(drawn.sample(words, 3))})
            lines.append(f"{split}{i}\t{row['_id']}\t1")
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    for name, values in (("corpus", rows), ("queries", queries)):
        with gzip.open(folder / f"{name}.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(value) + "\n" for value in values)


def write_minilm(folder):
    """A transformer that answers to what the scripts ask of MiniLM: 384 numbers, of length 1, as its folder says."""
    make_bert(width=384).save_pretrained(folder)
    write_tokenizer(folder)
    places = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(places.items())
    ]
    write_json(folder / "modules.json", modules)
    write_json(folder / "1_Pooling" / "config.json", {"embedding_dimension": 384, "pooling_mode": "mean"})


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The collections, and a small one in place of Python's documentation; a transformer as wide as MiniLM."""
    drawn, folder = random.Random(0), tmp_path / "collections"
    write_collection(folder / "squad", drawn, {"train": 160, "dev": 20})
    for name in ("tldr-pages", "scitldr"):
        write_collection(folder / name, drawn, {"train": 80, "dev": 20, "test": 20})
    write_collection(tmp_path / "pydoc", drawn, {"test": 1})
    opened = hyperir.open_collection

    def small(source, *arguments, **options):
        return opened(str(tmp_path / "pydoc") if str(source) == "pydoc" else source, *arguments, **options)

    monkeypatch.setattr(hyperir, "open_collection", small)
    write_minilm(tmp_path / "minilm")
    return folder


def follow(call, start, monkeypatch):
    """One call of the script; `start` in place of all-MiniLM-L6-v2."""
    program, *arguments = call
    if Path(program).name == "hyperir":
        if arguments[0] == "train":
            arguments += [f"{key}={value}" for key, value in SHORT.items()]
        with pytest.raises(SystemExit) as done:
            main(arguments)
        assert done.value.code == 0, call
        return
    script, *arguments = arguments
    if Path(script).name == "table.py":
        arguments += ["--only", "squad", "tldr", "scitldr"]
    module = importlib.import_module(Path(script).stem)
    assert Path(module.__file__).samefile(script)
    if hasattr(module, "START"):
        monkeypatch.setattr(module, "START", str(start))
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    module.main()


@pytest.mark.slow
def test_the_script_makes_a_model_that_ships(made, tmp_path, monkeypatch):
    (tmp_path / "shims").mkdir()
    work = tmp_path / "work"
    calls = calls_of(SCRIPT, tmp_path / "shims", made, work)
    assert {"index", "mine", "train"} <= {call[1] for call in calls}
    scripts = {Path(call[1]).stem for call in calls if Path(call[0]).name == "python"}
    assert {"pool", "table", "ship"} <= scripts
    before = dict(sys.modules)
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    try:
        for call in calls:
            follow(call, tmp_path / "minilm", monkeypatch)
    finally:
        for name in sys.modules.keys() - before.keys():
            if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(SCRIPT.parent)):
                del sys.modules[name]
    for call in calls:
        if call[1] == "train":
            output = next(part.partition("=")[2] for part in call if part.startswith("output="))
            log = [json.loads(line) for line in (Path(output) / "training" / "log.jsonl").read_text().splitlines()]
            assert [line["step"] for line in log if "loss" in line] == [1, 2, 3, 4]
            assert [line["step"] for line in log if "eval_nDCG@10" in line] == [0, 2, 4]
    ship = [call for call in calls if Path(call[1]).name == "ship.py"][-1]
    shipped, trained = hyperir.load(ship[ship.index("-o") + 1]), hyperir.load(ship[2])
    assert shipped.trained
    assert shipped.query.reads_cells
    assert shipped.relevance_config.weigh
    difference = [
        (own - theirs).abs().max()
        for own, theirs in zip(shipped.query.backbone.parameters(), trained.query.backbone.parameters(), strict=True)
    ]
    assert max(difference) < 1e-3, "of half precision"
    queries, documents = ["fox dog", "engine ranks"], ["The quick fox.", "A search engine ranks documents."]
    measured = hyperir.load(work / "words-0")
    expected = measured.encode_query(queries)(measured.encode_document(documents))
    found = shipped.encode_query(queries)(shipped.encode_document(documents))
    torch.testing.assert_close(found, expected, rtol=5e-3, atol=5e-3 * float(expected.abs().max()))
    card = (Path(ship[ship.index("-o") + 1]) / "README.md").read_text()
    record = yaml.safe_load(card.split("---")[1])
    assert record
    assert str(tmp_path) not in card
    table = json.loads((work / "table.json").read_text())
    assert set(table["means"]) == {"squad", "tldr", "scitldr"}
