"""The command line as a user meets it: what it prints, where, and with which exit code."""

import json
import os

import pytest
from running import DOCUMENTS, here, hyperir, lines
from tiny_models import HYPER, make_model

from hyperir.cli.app import strategy_of
from hyperir.core.errors import InputError

VERBS = [
    *("demo", "index", "search", "eval"),
    *("update", "delete", "export", "build", "compact"),
    *("info", "verify", "repair", "doctor", "bench"),
]


def children_seconds():
    """Of processors, spent by processes that ended: unlike the clock on the wall, no other program slows it."""
    times = os.times()
    return times.children_user + times.children_system


def test_help_names_every_verb_and_answers_at_once():
    best = 9.0
    for _ in range(5):
        start = children_seconds()
        done = hyperir("--help")
        best = min(best, children_seconds() - start)
    assert done.returncode == 0
    for verb in VERBS:
        assert verb in done.stdout
    assert best < 0.3, f"{best:.2f} s"


def test_search_prints_answers(world):
    done = hyperir("search", world / "my.index", "quick fox", "-k", 2)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4
    found = json.loads(hyperir("search", world / "my.index", "quick fox", "-k", 9, "--json", "--explain").stdout)
    assert sorted(hit["id"] for hit in found) == ["1", "2", "3", "4"]
    assert [hit["rank"] for hit in found] == [1, 2, 3, 4]
    assert all("words: " in hit["why"] for hit in found)


def test_where_searches_a_part(world):
    found = json.loads(hyperir("search", world / "my.index", "fox", "--where", "id in ('1', '3')", "--json").stdout)
    assert sorted(hit["id"] for hit in found) == ["1", "3"]
    done = hyperir("search", world / "my.index", "fox", "--where", "id = '9'")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no document passes --where" in done.stderr


def test_a_query_file_becomes_a_run_that_eval_measures(world, tmp_path):
    queries = lines(tmp_path / "queries.jsonl", [{"_id": "a", "text": "fox"}, {"_id": "b", "text": "dog"}])
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\na\t1\t1\nb\t2\t1\n")
    done = hyperir("search", world / "my.index", "--queries", queries, "--run", tmp_path / "out.trec", "-k", 3)
    assert done.returncode == 0, done.stderr
    run = [line.split() for line in (tmp_path / "out.trec").read_text().splitlines()]
    assert len(run) == 6
    assert [row[3] for row in run] == ["1", "2", "3"] * 2
    done = hyperir(
        "eval", "--run", tmp_path / "out.trec", "--qrels", tmp_path / "qrels.tsv", "-m", "R@3", "RR@10", "--json"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["queries"] == 2
    assert 0 <= found["R@3"] <= 1
    assert "RR@10" in found


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """The documents as a test collection, in BEIR's layout, and one without judgements beside it."""
    folder = tmp_path_factory.mktemp("judged")
    lines(folder / "corpus.jsonl", [{"_id": d["id"], "text": d["text"], "title": d.get("title")} for d in DOCUMENTS])
    lines(folder / "queries.jsonl", [{"_id": "a", "text": "quick fox"}, {"_id": "b", "text": "dog"}])
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\na\t1\t1\nb\t2\t1\n")
    return folder


def test_eval_of_an_index_against_a_collection(world, judged):
    done = hyperir("eval", "--index", world / "my.index", "--collection", judged)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2] == "R@100\t1.0000"


def test_eval_of_a_model_measures_as_its_index_and_its_run_do(world, judged, tmp_path):
    measures = ["--collection", judged, "--json", "--by-query", "-k", 2]
    bare = hyperir("eval", "--model", world / "model", *measures)
    assert bare.returncode == 0, bare.stderr
    assert "4 documents" in bare.stderr, "the needs are told before the work"
    assert "of disk" not in bare.stderr
    assert bare.stdout == hyperir("eval", "--index", world / "my.index", *measures).stdout
    queries = ["--queries", judged / "queries.jsonl", "--run", tmp_path / "out.trec", "-k", 2]
    assert hyperir("search", world / "my.index", *queries).returncode == 0
    assert bare.stdout == hyperir("eval", "--run", tmp_path / "out.trec", *measures).stdout


@pytest.mark.parametrize("name", ["bm25", "tfidf"])
def test_eval_of_words(judged, name):
    done = here("eval", "--model", name, "--collection", judged, "-m", "RR@10")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "RR@10\t1.0000"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "neither"),
        (["--collection", "COLLECTION"], "--model NAME"),
        (["--model", "bm25"], "--collection SOURCE"),
        (["--model", "bm25", "--qrels", "x.tsv"], "--collection SOURCE"),
        (["--model", "bm25", "--index", "my.index", "--collection", "COLLECTION"], "--index --model"),
        (["--run", "x.trec", "--collection", "COLLECTION", "--qrels", "x.tsv"], "--run --collection --qrels"),
        (["--model", "bm25", "--collection", "CORPUS"], "judgements were asked for"),
        (["--model", "bm25", "--collection", "COLLECTION", "--split", "tset"], "did you mean 'test'?"),
        (["--model", "hyperir-minilmm", "--collection", "COLLECTION"], "did you mean 'hyperir-minilm'?"),
        (["--model", "no-such-model", "--collection", "COLLECTION", "-m", "nDCX@10"], "did you mean 'nDCG'?"),
        (["--model", "bm25", "--collection", "COLLECTION", "-k", "0"], "'-k'"),
    ],
)
def test_bad_evals(world, judged, options, told):
    places = {"COLLECTION": judged, "CORPUS": world / "corpus.jsonl"}
    done = hyperir("eval", *(places.get(option, option) for option in options))
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (2, "", False), done.stderr
    assert told in done.stderr


def snapshot(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "LOCK"}


@pytest.mark.parametrize(
    ("content", "options", "told"),
    [
        (None, [], ["no-such.jsonl"]),
        ('{"id": "9", "text": "fox"}\n{"id": "8", "te', [], ["corpus.jsonl", "2"]),
        ('{"id": "9", "txt": "fox"}\n', [], ["'txt'", "--text-column"]),
        ('{"idd": "9", "text": "fox"}\n', [], ["'idd'", "--id-column"]),
        ('{"id": "9", "text": "fox"}\n{"id": "9", "text": "dog"}\n', [], ["'9'", "twice"]),
        ('{"id": "1", "text": "fox"}\n', [], ["'1'"]),
        ('{"id": "9", "text": "fox"}\n', ["--model", "org/nothing-here"], ["org/nothing-here", "network is off"]),
        ('{"id": "9", "text": "fox"}\n', ["--dtype", "int8"], ["int8", "float16"]),
        ('{"id": "9", "text": "fox"}\n', ["--bath-size", "3"], ["--bath-size", "--batch-size"]),
    ],
    ids=["missing", "json", "text", "id", "twice", "known", "offline", "dtype", "option"],
)
def test_bad_input_is_named_exits_with_2_and_changes_nothing(world, tmp_path, content, options, told):
    path = tmp_path / ("no-such.jsonl" if content is None else "corpus.jsonl")
    if content is not None:
        path.write_text(content)
    before = snapshot(world / "my.index")
    model = [] if "--model" in options else ["--model", world / "model"]
    done = hyperir("index", path, "-o", world / "my.index", *model, *options)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for words in told:
        assert words in done.stderr, done.stderr
    assert snapshot(world / "my.index") == before
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["question", "-k", "0"], "k = 0"),
        (["question", "--strategy", "exakt"], "did you mean 'exact'?"),
        (["question", "--where", "titel = 'fox'"], "did you mean 'title'?"),
        (["question", "--where", "title ="], "    title =\n           ^"),
        ([], "--queries"),
        (["question", "--queries", "x.jsonl"], "both"),
        (["--queries", "no-such-queries.jsonl"], "no-such-queries.jsonl"),
    ],
)
def test_bad_searches(world, arguments, told):
    done = hyperir("search", world / "my.index", *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert told in done.stderr


def test_an_index_made_by_another_model(world, tmp_path):
    make_model(HYPER, seed=5).save_pretrained(tmp_path / "other")
    done = hyperir("search", world / "my.index", "fox", "--model", tmp_path / "other")
    assert done.returncode == 2
    assert "was made by another model" in done.stderr


def test_a_missing_index_and_an_unknown_measure(world, tmp_path):
    assert hyperir("info", tmp_path / "none.index").returncode == 2
    (tmp_path / "r.trec").write_text("a Q0 1 1 2.0 tag\n")
    (tmp_path / "q.txt").write_text("a 0 1 1\n")
    done = hyperir("eval", "--run", tmp_path / "r.trec", "--qrels", tmp_path / "q.txt", "-m", "nDCX@10")
    assert done.returncode == 2
    assert "did you mean 'nDCG'?" in done.stderr


def test_an_empty_collection_makes_an_index_that_answers_with_nothing(world, tmp_path):
    (tmp_path / "corpus.jsonl").write_text("")
    done = hyperir("index", tmp_path / "corpus.jsonl", "-o", tmp_path / "empty.index", "--model", world / "model")
    assert done.returncode == 0, done.stderr
    done = hyperir("search", tmp_path / "empty.index", "fox", "--json")
    assert json.loads(done.stdout) == []


def test_a_failed_first_add_leaves_no_index_behind(world, tmp_path):
    lines(tmp_path / "corpus.jsonl", [{"id": "9", "text": "fox"}, {"id": "9", "text": "dog"}])
    done = hyperir("index", tmp_path / "corpus.jsonl", "-o", tmp_path / "new.index", "--model", world / "model")
    assert done.returncode == 2, done.stderr
    assert not (tmp_path / "new.index").exists()


def test_budgets_settings_and_recall_on_the_command_line(world, tmp_path):
    done = hyperir("search", world / "my.index", "fox", "--budget", 3, "--strategy", "exact")
    assert (done.returncode, done.stdout) == (2, "")
    assert "budget = 3" in done.stderr
    queries = lines(tmp_path / "queries.jsonl", [{"_id": "a", "text": "fox"}, {"_id": "b", "text": "dog"}])
    done = hyperir("search", world / "my.index", "--queries", queries, "--check", 5, "-k", 2, "--budget", "9")
    assert done.returncode == 0, done.stderr
    assert "recall@2 of exact: 1.000, 95 % interval 0.158 to 1.000, from 2 queries" in done.stderr


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("graph", "graph"),
        ("graph:ef=10,guitar=true", {"type": "graph", "ef": 10, "guitar": True}),
        ("firstorder:engine=faiss,locality=0.5", {"type": "firstorder", "engine": "faiss", "locality": 0.5}),
        ('{"type": "ivf"}', {"type": "ivf"}),
    ],
)
def test_strategies_as_they_are_typed(typed, read):
    assert strategy_of(typed) == read


@pytest.mark.parametrize(
    ("typed", "told"), [("ivf:probes", "key=value\n.*probes"), ("ivf:", None), ("{", "no JSON"), ("[1]:2", "key=value")]
)
def test_strategies_that_cannot_be_read(typed, told):
    if told is None:
        assert strategy_of(typed) == "ivf"
        return
    with pytest.raises(InputError, match=told):
        strategy_of(typed)


def test_bench_writes_a_table_and_a_folder(world, judged, tmp_path):
    queries = ["--queries", judged / "queries.jsonl", "--qrels", judged / "qrels" / "test.tsv"]
    some = ["--strategy", "ivf:probes=1", "--strategy", "graph", "--split", 0.9, "--threads", 1]
    done = hyperir("bench", world / "my.index", *queries, *some, "-k", 1, 3, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "recall@1" in done.stdout
    assert "recall@3" in done.stdout
    found = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert [setting["name"] for setting in found["settings"]] == ["exact", "ivf probes=1", "graph"]
    assert (found["measures"], found["machine"]["threads"]) == (["nDCG@10", "RR@10", "R@3"], 1)
    assert (tmp_path / "out" / "bench.html").exists()
