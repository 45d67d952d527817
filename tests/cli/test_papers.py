"""Evaluation for papers by the command line: compare, fuse, experiment, and eval's threshold and variations."""

import json

import pytest
from running import here, hyperir, lines

QRELS = "query-id\tcorpus-id\tscore\n" + "".join(f"q{i}\tgood\t2\nq{i}\tfair\t1\n" for i in range(8))
ORDERS = {"best": ["good", "fair", "bad"], "middle": ["fair", "good", "bad"], "worst": ["bad", "fair", "other"]}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("papers")
    for name, docs in ORDERS.items():
        rows = [f"q{i} Q0 {doc} {rank} {9 - rank} {name}\n" for i in range(8) for rank, doc in enumerate(docs, 1)]
        (folder / f"{name}.trec").write_text("".join(rows))
    (folder / "qrels.tsv").write_text(QRELS)
    lines(folder / "queries.jsonl", [{"_id": f"q{i}", "text": f"<question {i}> good"} for i in range(8)])
    lines(folder / "corpus.jsonl", [{"_id": doc, "text": doc, "title": ""} for doc in ("good", "fair", "bad")])
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text(QRELS)
    return folder


def test_compare_prints_tests_marks_and_thresholds(place):
    runs = [place / f"{name}.trec" for name in ORDERS]
    done = hyperir("compare", *runs, "--qrels", place / "qrels.tsv", "-m", "nDCG@10", "RR@10", "--threshold", 2)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "RR(rel=2)@10: relevant from grade 2" in done.stdout
    row = next(line.split() for line in done.stdout.splitlines() if line.startswith("a best"))
    assert row[2] == "1.0000bc"
    assert "hardest by nDCG@10" in done.stdout


def test_compare_to_json_latex_and_html(place):
    common = [place / "best.trec", f"other={place / 'worst.trec'}", "--collection", place, "-m", "RR@10"]
    told = json.loads(here("compare", *common, "--json", "--baseline", "other").stdout)
    (pair,) = told["pairs"]
    assert (pair["a"], pair["b"], pair["wins"], pair["permutation_p"]) == ("best", "other", 8, 2 / 256)
    assert "by_query" not in told
    assert told["systems"][1]["unjudged"] == pytest.approx(2 / 3)
    done = here(
        "compare", *common, "--latex", "--baseline", "other", "--html", place / "report.html", "--title", "One & two"
    )
    assert done.returncode == 0, done.stderr
    assert r"best & \textbf{1.000}$^{\dagger}$ \\" in done.stdout
    assert r"One \& two." in done.stdout
    page = (place / "report.html").read_text()
    assert "<h1>One &amp; two</h1>" in page
    assert "&lt;question 3&gt;" in page


def test_fuse_writes_a_run(place):
    out = place / "fused.trec.gz"
    done = here(
        "fuse", place / "best.trec", place / "worst.trec", "-o", out, "--method", "weighted", "--weights", "0.9 0.1"
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "8 queries" in done.stderr
    from hyperir.corpus.trec import read_run

    assert list(read_run(out)["q0"]) == ["good", "fair", "bad", "other"]
    measured = json.loads(here("eval", "--run", out, "--qrels", place / "qrels.tsv", "--json").stdout)
    assert measured["RR@10"] == 1


def test_eval_says_the_threshold(place):
    done = here("eval", "--run", place / "middle.trec", "--qrels", place / "qrels.tsv", "-m", "RR@10", "--threshold", 2)
    assert done.stdout == "RR(rel=2)@10\t0.5000\n"
    assert "relevant from grade 2" in done.stderr
    done = here("eval", "--run", place / "middle.trec", "--qrels", place / "qrels.tsv", "-m", "RR@10", "--json")
    assert "RR@10: relevant from grade 1" in json.loads(done.stdout)["relevant"]


def test_eval_with_variations(place):
    done = here("eval", "--model", "tfidf", "--collection", place, "-m", "RR@10", "--variations", "--seed", 1)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines() if line][1:8] == [
        "queries", "as", "swap", "drop", "double", "neighbour", "order",
    ]  # fmt: skip
    told = json.loads(here("eval", "--model", "bm25", "--collection", place, "--variations", "--json").stdout)
    assert set(told["variations"]["changed"]) == {"swap", "drop", "double", "neighbour", "order"}


def test_an_experiment_from_a_file(place):
    file = place / "paper.yaml"
    file.write_text("systems: {words: {model: bm25}, lost: {model: no-such-model}}\ncollections: {made: {source: .}}\n")
    done = hyperir("experiment", file, "--html", place / "experiment.html")
    assert done.returncode == 1
    assert "1 of 2 cells failed" in done.stderr
    assert "ms/query" in done.stdout
    assert "<h2>made</h2>" in (place / "experiment.html").read_text()
    again = here("experiment", file, "--json")
    assert "made: kept from before: words" in again.stderr
    assert [cell["system"] for cell in json.loads(again.stdout)["cells"]] == ["words"]
    assert here("experiment", file, "--latex").stdout.count(r"\begin{table}") == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["compare", "best.trec", "worst.trec"], "neither"),
        (["compare", "best.trec", "worst.trec", "--qrels", "qrels.tsv", "--collection", "pydoc"], "--queries FILE"),
        (["compare", "best.trec", "--qrels", "qrels.tsv"], "two systems"),
        (["compare", "best.trec", "wrost.trec", "--qrels", "qrels.tsv"], "did you mean 'worst.trec'"),
        (["compare", "best.trec", "best.trec", "--qrels", "qrels.tsv"], "two runs are named 'best'"),
        (["compare", "best.trec", "worst.trec", "--qrels", "qrels.tsv", "--latex", "--json"], "both"),
        (["compare", "best.trec", "worst.trec", "--qrels", "qrels.tsv", "--baseline", "wrst"], "did you mean 'worst'"),
        (["fuse", "best.trec", "RR@10", "-o", "x.trec"], "no run RR@10"),
        (["fuse", "best.trec", "-o", "x.trec", "--weights", "a"], "weights are numbers"),
        (["fuse", "best.trec", "-o", "x.trec", "--method", "rff"], "did you mean 'rrf'"),
        (["experiment", "papre.yaml"], "cannot be read"),
        (["eval", "--run", "best.trec", "--qrels", "qrels.tsv", "--variations"], "cannot be searched"),
        (["eval", "--run", "best.trec", "--qrels", "qrels.tsv", "--threshold", "0"], "--threshold"),
    ],
)
def test_mistakes(place, monkeypatch, arguments, told):
    monkeypatch.chdir(place)
    done = here(*arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert told in done.stderr
    assert not (place / "x.trec").exists()
