"""An experiment fills its table, keeps what is finished, and says what failed."""

import json
import re

import pytest
import yaml
from tiny_models import HYPER, make_model

from hyperir.core.errors import CollectionError, ConfigError, InputError
from hyperir.evaluate.experiment import read_plan, run_experiment
from hyperir.search import shared

WORDS = ["apple", "banana", "cherry", "damson", "elder", "fig", "grape", "hazel"]


def collection(folder, ids=WORDS):
    folder.mkdir()
    rows = [{"_id": w, "text": f"{w} tart", "title": ""} for w in ids]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "queries.jsonl").write_text("".join(json.dumps({"_id": f"q {w}"[2:], "text": w}) + "\n" for w in ids))
    (folder / "qrels").mkdir()
    lines = [f"{w}\t{w}\t2\n{w}\t{ids[0]}\t1\n" if w != ids[0] else f"{w}\t{w}\t2\n" for w in ids]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))


@pytest.fixture
def place(tmp_path):
    collection(tmp_path / "fruit")
    collection(tmp_path / "nuts", ["almond", "beech", "cashew"])
    make_model(HYPER).save_pretrained(tmp_path / "model")
    plan = {
        "title": "Fruit & nuts",
        "measures": ["RR@10", "R@100"],
        "k": 3,
        "systems": {
            "words": {"model": "bm25"},
            "q-net": {"model": "model"},
            "cells": {"model": "model", "strategy": {"type": "ivf", "cells": 2, "probes": 1}},
        },
        "collections": {"fruit": {"source": "fruit", "threshold": 2}, "nuts": {"source": "nuts"}},
    }
    return write(tmp_path, plan), plan


def write(folder, plan):
    (folder / "paper.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
    return folder / "paper.yaml"


def run(file):
    return run_experiment(read_plan(file), file.with_suffix(".results"), beside=file.parent, show_progress=False)


def test_the_table_is_filled_and_kept(place, monkeypatch):
    file, plan = place
    found = run(file)
    assert found.failures == {}
    assert found.cells["words", "fruit"].scores.means() == {"RR(rel=2)@10": 1, "R(rel=2)@100": 1}
    assert found.cells["words", "nuts"].scores.mean("R@100") < 1, "without a threshold grade 1 counts as well"
    assert found.cells["q-net", "nuts"].cost.scored == 3
    assert 0 < found.cells["cells", "nuts"].cost.scored <= 3 + 2
    assert [pair.b for pair in found.compared["nuts"].pairs] == ["words"] * 4

    monkeypatch.setattr(shared, "Bare", None)  # nothing is searched again
    again = run(file)
    for key, cell in found.cells.items():
        assert again.cells[key].cost == cell.cost
        assert again.cells[key].scores.means() == cell.scores.means()
    plan["measures"] = ["nDCG@10"]
    assert run(write(file.parent, plan)).cells["words", "nuts"].scores.measures == ("nDCG@10",), "measured anew"


def test_what_changed_or_was_damaged_is_worked_out_again(place, monkeypatch):
    file, plan = place
    del plan["systems"]["cells"], plan["collections"]["nuts"]
    first = run(write(file.parent, plan))
    searched = []
    bare = shared.Bare

    def noted(model, *rest, **more):
        searched.append(model if isinstance(model, str) else model.name)
        return bare(model, *rest, **more)

    monkeypatch.setattr(shared, "Bare", noted)
    kept = file.with_suffix(".results") / f"{first.cells['words', 'fruit'].kept}.trec.gz"
    kept.write_bytes(kept.read_bytes()[:-9])
    assert run(file).cells["words", "fruit"].scores == first.cells["words", "fruit"].scores
    assert searched == ["bm25"]
    with (file.parent / "fruit" / "corpus.jsonl").open("a") as corpus:
        corpus.write(json.dumps({"_id": "new", "text": "new"}) + "\n")
    run(file)
    assert set(searched[1:]) == {"bm25", str(file.parent / "model")}
    plan["k"] = 2
    run(write(file.parent, plan))
    assert len(searched) == 5


def test_words_are_systems_by_their_names(place):
    file, plan = place
    plan["systems"] = {"words": {"model": "bm25"}, "rare words": {"model": "tfidf"}}
    found = run(write(file.parent, plan))
    assert found.failures == {}
    assert found.cells["rare words", "fruit"].scores.mean("RR(rel=2)@10") == 1


def test_a_failed_cell_leaves_the_others(place, capsys):
    file, plan = place
    plan["systems"] |= {"typo": {"model": "no-such-model"}}
    found = run(write(file.parent, plan))
    assert set(found.failures) == {("typo", "fruit"), ("typo", "nuts")}
    assert "no-such-model" in found.failures["typo", "nuts"]
    assert len(found.cells) == 6
    assert "typo on fruit: failed" in capsys.readouterr().err
    assert re.search(r"^typo +- +-", str(found), re.MULTILINE)
    assert "typo & -- & --" in found.latex()
    assert "typo<small>" in found.html()


def test_reports(place):
    found = run(place[0])
    text, latex, page = str(found), found.latex(), found.html()
    assert "RR(rel=2)@10" in text
    assert "ms/query" in text
    assert latex.count(r"\begin{table}") == 2
    assert r"Fruit \& nuts: RR@10. Relevant: fruit from grade 2." in latex
    assert r"words & \textbf{1.000} &" in latex
    assert "<h2>nuts</h2>" in page
    assert '<h3 class="part">Means</h3>' in page, "below its collection"
    assert "Intervals" in page
    assert "Intervals" not in text + latex, "which show none"
    assert "<h1>Fruit &amp; nuts</h1>" in page
    plain = json.loads(json.dumps(found.as_dict()))
    assert {"index_bytes", "query_ms", "scored"} < set(plain["cells"][0]["cost"])


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"sytems": {}}, ConfigError, "did you mean 'systems'"),
        ({"systems": {"a": {"modle": "bm25"}}}, ConfigError, "modle"),
        ({"systems": {}}, ConfigError, "systems"),
        ({"measures": ["nDCX@10"]}, InputError, "did you mean 'nDCG'"),
        ({"baseline": "wrods"}, InputError, "did you mean 'words'"),
        ({"systems": {"a": {"model": "bm25", "strategy": "ivf"}}}, InputError, "system 'a'"),
        ({"systems": {"a": {"model": "tfidf", "strategy": "ivf"}}}, InputError, "weights of terms"),
        ({"collections": {"a": {"source": "fruit", "threshold": 0}}}, ConfigError, "threshold"),
        ({"collections": {"a": {"source": "fruits"}}}, CollectionError, "fruits"),
        ({"collections": {"a": {"source": "fruit", "split": "tset"}}}, CollectionError, "did you mean 'test'"),
    ],
)
def test_mistakes_are_told_before_any_work(place, change, error, told):
    file, plan = place
    with pytest.raises(error) as caught:
        run(write(file.parent, plan | change))
    assert told in str(caught.value)
    assert not file.with_suffix(".results").exists()


def test_files_that_are_no_experiment(tmp_path):
    with pytest.raises(ConfigError, match=r"paper.yaml cannot be read"):
        read_plan(tmp_path / "paper.yaml")
    (tmp_path / "paper.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match="not YAML"):
        read_plan(tmp_path / "paper.yaml")
    (tmp_path / "paper.yaml").write_text("just words")
    with pytest.raises(ConfigError, match="no experiment"):
        read_plan(tmp_path / "paper.yaml")


def test_systems_with_one_documents_side_share_its_vectors(place, monkeypatch):
    file, plan = place
    make_model("dot").save_pretrained(file.parent / "other")  # the same transformer
    make_model("dot", seed=1).save_pretrained(file.parent / "another")
    names = ["another", "model", "other"]
    plan["systems"] = {name: {"model": name} for name in names} | {"half": {"model": "other", "dtype": "bfloat16"}}
    encoded = []
    bare = shared.Bare
    monkeypatch.setattr(
        shared, "Bare", lambda model, *rest, **more: encoded.append(model) or bare(model, *rest, **more)
    )
    found = run(write(file.parent, plan))
    assert found.failures == {}
    assert len(found.cells) == 8
    assert len(encoded) == 3 * 2, "another, model and other together, and other in bfloat16; on two collections"
    monkeypatch.setattr(shared, "Bare", bare)
    alone = run_experiment(
        read_plan(write(file.parent, plan | {"systems": {"other": {"model": "other"}}})),
        file.parent / "alone",
        beside=file.parent,
        show_progress=False,
    )
    assert alone.cells["other", "fruit"].scores.means() == found.cells["other", "fruit"].scores.means()


def test_words_by_configuration_and_no_folder_of_their_name(place):
    file, plan = place
    (file.parent / "bm25").mkdir()
    plan["systems"] = {"words": {"model": "bm25"}, "plus": {"model": "bm25:variant=bm25+"}}
    found = run(write(file.parent, plan))
    assert found.failures == {}
    assert found.cells["plus", "fruit"].kept != found.cells["words", "fruit"].kept
