"""BM25 and TF-IDF over an index folder: changes equal a fresh one, and the answers are those of the baseline."""

import json
import os
import random
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import hyperir
from hyperir import BM25
from hyperir.cli import app
from hyperir.core.errors import CapabilityError, ConfigError, CorruptError, FingerprintError, InputError
from hyperir.core.terms import TERMS
from hyperir.corpus import open_collection
from hyperir.corpus.queries import read_queries
from hyperir.encode.lexical import LexicalModel
from hyperir.evaluate.benching import bench
from hyperir.index.repair import repair
from hyperir.search.explain import explain

TEXTS = ["Sorting lists in place", "A sorted copy of any iterable", "os.path_join joins paths", "sorts sort sorted", ""]
ROWS = [{"id": str(i), "text": text, "year": 2000 + i} for i, text in enumerate(TEXTS)]
QUERIES = ["sort lists", "join", "sorted sorted copy", "nothing known", "the"]


@pytest.fixture
def made(tmp_path):
    """Make an index in a folder of its own."""

    def make(model, rows=ROWS):
        index = hyperir.Index.create(tmp_path / f"{len(list(tmp_path.iterdir()))}.index", model)
        index.add(rows, show_progress=False)
        return index

    return make


def answers(index, queries=QUERIES, k=10, **options):
    return [{hit.id: hit.score for hit in hits} for hits in index.search(queries, k, **options)]


def assert_same(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert list(ours) == sorted(ours, key=lambda id_: -ours[id_])
        assert set(ours) == set(theirs)  # what is equal but for rounding may stand in another order
        assert all(ours[id_] == pytest.approx(theirs[id_], rel=1e-5) for id_ in ours)


@pytest.mark.parametrize("method", ["lucene", "robertson", "atire"])
def test_answers_are_those_of_the_baseline(made, method):
    index = made(LexicalModel({"type": "bm25", "variant": method}))
    expected = [{h.id: h.score for h in hits} for hits in BM25(ROWS, method=method).search(QUERIES)]
    assert_same(answers(index), expected)
    assert (index.strategy.type, index.store.kind, index.store.width) == ("inverted", "sparse", TERMS)
    assert_same(answers(index, strategy="exact"), expected)
    index.build("inverted", show_progress=False)
    assert_same(answers(hyperir.Index.open(index.store.path)), expected)
    assert index.search(["the"]) == [[]]
    kept = [{"3": expected[0]["3"]} if "3" in expected[0] else {}]
    assert_same(answers(index, ["sort lists"], where="year >= 2003"), kept)


@pytest.mark.parametrize("relevance", ["bm25", "tfidf:smart=ltc.ltc", "bm25:variant=bm25l", "tfidf:similarity=l2"])
@pytest.mark.parametrize("bits", [None, 8, 32])
def test_after_any_changes_scores_are_those_of_a_fresh_index(made, relevance, bits):
    draw = random.Random(0)
    words = [f"word{i}" for i in range(12)]
    index, alive = made(relevance, []), {}
    for step in range(30):
        if len(alive) > 3 and draw.random() < 0.4:
            gone = draw.sample(sorted(alive), draw.randint(1, min(3, len(alive))))
            assert index.delete(gone) == len(gone)
            for id_ in gone:
                del alive[id_]
        else:
            text = " ".join(draw.choices(words, k=draw.randint(0, 9)))
            alive[f"d{step}"] = text
            index.add([{"id": f"d{step}", "text": text}], show_progress=False)
        if step == 12 and bits:
            index.build({"type": "inverted", "bits": bits}, show_progress=False)
        if step == 20:
            old = next(iter(alive))
            index.update([{"id": old, "text": "word1 word2"}], show_progress=False)
            del alive[old]
            alive[old] = "word1 word2"
        if step in (9, 14, 22, 29):
            fresh = made(relevance, [{"id": i, "text": t} for i, t in alive.items()])
            queries = [" ".join(draw.choices(words, k=3)) for _ in range(4)]
            assert_same(answers(index, queries), answers(fresh, queries))
            assert_same(answers(index, queries, strategy="exact"), answers(fresh, queries))
    index.compact()
    assert_same(answers(index, queries), answers(fresh, queries))
    assert index.verify(show_progress=False).ok


def test_counts_are_read_off_the_lists_where_there_are_some(made, monkeypatch):
    from hyperir.relevance.lexical.statistics import Statistics

    index = made("bm25")
    index.build("inverted", show_progress=False)
    index.add([{"id": "new", "text": "sorting hats", "year": 1}], show_progress=False)
    counted = []
    count = Statistics.of
    monkeypatch.setattr(Statistics, "of", lambda docs: counted.append(docs.shape[0]) or count(docs))
    assert answers(index, ["hats"])[0].keys() == {"new"}
    assert counted == [1]


def test_damaged_lists_are_named_and_given_up_by_a_repair(made):
    index = made("bm25")
    index.build("inverted", show_progress=False)
    (structure,) = index.store.commit.structures
    place = index.store.path / structure.file
    raw = bytearray(place.read_bytes())
    raw[-1] ^= 1
    place.write_bytes(raw)
    again = hyperir.Index.open(index.store.path)
    with pytest.raises(CorruptError, match=structure.file):
        again.search(QUERIES)
    repair(index.store.path, apply=True, show_progress=False)
    assert_same(answers(hyperir.Index.open(index.store.path)), answers(made("bm25")))


def test_older_commits_score_by_their_own_statistics(made):
    index = made("bm25")
    before, number = answers(index), index.number
    index.add([{"id": "more", "text": "sort sort lists", "year": 1}], show_progress=False)
    assert answers(index) != before
    assert_same(answers(hyperir.Index.open(index.store.path, commit=number)), before)


def test_settings_are_part_of_the_name_and_another_function_may_ask(made):
    model = LexicalModel({"type": "bm25", "variant": "bm25+", "k1": 0.9}, {"stop_words": ["os", "a"]})
    index = made(model)
    assert hyperir.load(model.name).config == model.config
    again = hyperir.Index.open(index.store.path)
    assert again.model.config == model.config
    assert_same(answers(again), answers(index))
    other = hyperir.Index.open(index.store.path, LexicalModel("tfidf", {"stop_words": ["os", "a"]}))
    assert [len(hits) for hits in answers(other)] == [len(hits) for hits in answers(index)]
    with pytest.raises(FingerprintError):
        hyperir.Index.open(index.store.path, "bm25")
    assert LexicalModel("tfidf").name == "tfidf"
    assert hyperir.load("bm25:b=0.4,analysis.stemmer=none").config.analysis.stemmer == "none"
    with pytest.raises(ConfigError, match="k2"):
        hyperir.load("bm25:k2=1")


def test_a_saved_folder_is_a_model_like_others(made, tmp_path):
    LexicalModel({"type": "bm25", "b": 0.1}).save_pretrained(tmp_path / "words")
    index = made(str(tmp_path / "words"))
    assert index.model.config.relevance.b == 0.1
    assert hyperir.Index.open(index.store.path).model.name == "bm25:b=0.1"


def test_an_explanation_is_what_each_word_adds(made):
    index = made("bm25")
    (hit, *_) = index.search(["sort lists"])[0]
    why = explain(index.model, "sort lists", hit.text)
    assert why.score == pytest.approx(hit.score)
    assert sum(why.words.values()) == pytest.approx(hit.score)
    assert set(why.words) == {"sort", "lists"}


def test_an_empty_index_answers_with_nothing(made):
    assert made("bm25", []).search(QUERIES) == [[]] * len(QUERIES)
    index = made("tfidf")
    index.delete([row["id"] for row in ROWS])
    assert index.search(QUERIES) == [[]] * len(QUERIES)


def test_strategies_that_serve_are_compared_and_others_refused(made):
    index = made("bm25")
    found = bench(index, QUERIES[:3], ks=(2,), show_progress=False)
    assert {setting.config["type"] for setting in found.settings} == {"exact", "inverted"}
    assert all(setting.mean("recall@2") == 1.0 for setting in found.settings)
    with pytest.raises(CapabilityError, match="'ivf'"):
        index.search(QUERIES, strategy="ivf")
    with pytest.raises(InputError, match="budget = 1"):
        index.search(["sort"], budget=1)
    assert answers(index, ["sort"], budget="5s") == answers(index, ["sort"])


def test_the_command_line_does_all_of_it(tmp_path):
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    run, folder = CliRunner(), str(tmp_path / "my.index")

    def call(*words):
        done = run.invoke(app, [str(word) for word in words])
        assert done.exit_code == 0, done.output
        return done.stdout

    call("index", corpus, "-o", folder, "-M", "bm25:k1=0.9")
    call("build", folder, "inverted", "--set", "bits=8")
    (first, *_) = json.loads(call("search", folder, "sort lists", "--json", "--explain"))
    assert first["id"] == "0"
    assert "lists" in first["why"]
    call("delete", folder, "0")
    assert json.loads(call("search", folder, "sort lists", "--json"))[0]["id"] == "3"
    assert "weights of terms" in call("info", folder)
    call("compact", folder)
    call("verify", folder)
    call("export", folder, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert {each["weight"] for each in table["vector"].to_pylist()[2]} == {3.0}
    assert [row["id"] for row in open_collection(tmp_path / "out.parquet").documents()] == ["1", "2", "3", "4"]


@pytest.mark.skipif(not os.environ.get("HYPERIR_DATA"), reason="HYPERIR_DATA names no folder of real collections")
@pytest.mark.parametrize("variant", ["robertson", "lucene", "atire", "bm25l", "bm25+"])
def test_over_a_real_collection_scores_are_those_of_bm25s(made, variant):
    folder = Path(os.environ["HYPERIR_DATA"], "cranfield")
    rows = list(open_collection(folder).documents())
    queries = [text for _, text in islice(read_queries(folder / "queries.jsonl.gz").items(), 40)]
    theirs = BM25(rows, method=variant).search(queries, 10)
    index = made(LexicalModel({"type": "bm25", "variant": variant}), rows[:700])
    index.build("inverted", show_progress=False)
    index.add(rows[700:], show_progress=False)
    for mine, other in zip(index.search(queries, 10), theirs, strict=True):
        assert [hit.score for hit in mine] == pytest.approx([hit.score for hit in other], abs=1e-4)
