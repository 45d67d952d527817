"""The whole road of a ColBERT: its folder becomes an index, which is searched, filtered, changed and exported."""

import json

import pyarrow.parquet as pq
import pytest
from tiny_models import make_backbone, make_model
from typer.testing import CliRunner

import hyperir
from hyperir.cli import app
from hyperir.core.errors import CapabilityError, FingerprintError
from hyperir.encode.colbert import colbert
from hyperir.evaluate.benching import bench
from hyperir.search.bare import Bare

ROWS = [
    {"id": "a", "text": "the quick brown fox", "year": 2001},
    {"id": "b", "text": "jumps over the lazy dog", "year": 2002},
    {"id": "c", "text": "search engine ranks documents for queries", "year": 2003},
    {"id": "d", "text": "fox", "year": 2004},
]
QUERIES = ["quick fox", "the engine"]


@pytest.fixture
def model(tmp_path):
    made = colbert(make_backbone(), width=16, query_length=8)
    made.save_pretrained(tmp_path / "colbert")
    return hyperir.load(tmp_path / "colbert")


@pytest.fixture
def index(tmp_path, model):
    made = hyperir.Index.create(tmp_path / "my.index", model)
    made.add(ROWS[:3], show_progress=False)
    made.add(ROWS[3:], show_progress=False)
    return made


def ranking(model, rows):
    """id -> score of every row, best first, for each query."""
    scores = model.encode_query(QUERIES)(model.encode_document(rows))
    return [
        sorted(((row["id"], s) for row, s in zip(rows, one, strict=True)), key=lambda p: -p[1])
        for one in scores.tolist()
    ]


def same(hits, expected):
    for found, wanted in zip(hits, expected, strict=True):
        assert [hit.id for hit in found] == [id_ for id_, _ in wanted]
        assert [hit.score for hit in found] == pytest.approx([score for _, score in wanted], abs=1e-4)


def test_an_index_answers_as_its_model_ranks(index, model):
    same(index.search(QUERIES, k=9), ranking(model, ROWS))
    assert index.strategy.type == "exact"
    assert index.scored == 4
    same(index.search(QUERIES, k=9, where="year >= 2003"), ranking(model, ROWS[2:]))
    again = hyperir.Index.open(index.store.path)
    same(again.search(QUERIES, k=2), [one[:2] for one in ranking(model, ROWS)])
    assert again.verify(show_progress=False).ok


def test_documents_come_and_go(index, model):
    index.delete(["b"])
    index.update([{"id": "a", "text": "lazy dog", "year": 1}], show_progress=False)
    kept = [{"id": "a", "text": "lazy dog"}, ROWS[2], ROWS[3]]
    same(index.search(QUERIES, k=9), ranking(model, kept))
    index.compact()
    same(index.search(QUERIES, k=9), ranking(model, kept))
    assert index.add(ROWS, resume=True, show_progress=False) == 1


def test_another_kind_of_model_is_refused(index):
    with pytest.raises(FingerprintError):
        hyperir.Index.open(index.store.path, make_model("dot"))
    own = hyperir.Index.create(index.store.path.parent / "own.index", width=128, kind="multi")
    with pytest.raises(FingerprintError, match="several vectors"):
        hyperir.Index.open(own.store.path, make_model("dot"))
    with pytest.raises(CapabilityError, match="'graph'"):
        index.search(QUERIES, strategy="graph")


def test_parquet_has_a_list_of_vectors(index, tmp_path):
    assert index.export(tmp_path / "out.parquet", show_progress=False) == 4
    vectors = pq.read_table(tmp_path / "out.parquet")["vector"].to_pylist()
    assert [len(one) for one in vectors] == index.store.docs[:].lengths.tolist()
    assert all(len(vector) == 16 for one in vectors for vector in one)


def test_the_command_line_indexes_and_searches(model, tmp_path):
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(f'{{"id": "{row["id"]}", "text": "{row["text"]}"}}\n' for row in ROWS))
    run = CliRunner()
    made = run.invoke(app, ["index", str(corpus), "-o", str(tmp_path / "cli.index"), "-M", model.name])
    assert made.exit_code == 0, made.output
    built = run.invoke(app, ["build", str(tmp_path / "cli.index"), "plaid", "--set", "bits=1"])
    assert built.exit_code == 0, built.output
    for strategy in ("auto", "plaid:cells=2"):
        found = run.invoke(
            app, ["search", str(tmp_path / "cli.index"), QUERIES[0], "-k", "1", "--strategy", strategy, "--json"]
        )
        assert found.exit_code == 0, found.output
        assert json.loads(found.output)[0]["id"] == ranking(model, ROWS)[0][0][0]


def test_a_bench_compares_the_strategies_that_serve(index):
    found = bench(index, QUERIES, ks=(2,), show_progress=False)
    assert {setting.config["type"] for setting in found.settings} == {"exact", "plaid"}
    assert all(setting.mean("recall@2") == 1.0 for setting in found.settings)
    assert "ivf" in str(bench(index, QUERIES, strategies=["ivf"], ks=(2,), show_progress=False).refused)


def test_a_bare_model_is_evaluated_in_memory(model, tmp_path):
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(f'{{"id": "{row["id"]}", "text": "{row["text"]}"}}\n' for row in ROWS))
    bare = Bare(model, hyperir.open_collection(corpus), show_progress=False)
    run, cost = bare.run({"q": QUERIES[0]}, 3)
    assert list(run["q"]) == [id_ for id_, _ in ranking(model, ROWS)[0][:3]]
    assert cost.documents == 4
    with pytest.raises(CapabilityError, match="'ivf'"):
        bare.run({"q": QUERIES[0]}, 3, strategy="ivf")
