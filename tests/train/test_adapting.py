"""Fitting the relevance function of an index to its collection: what is kept, what is not, and the way back."""

import json
import shutil

import pytest
import torch
from adapting_world import FAST, make_adapting_world
from teacher_models import write_cross_encoder
from tiny_models import make_model
from worlds import interrupt_at

import hyperir
from hyperir.core.errors import CapabilityError, CollectionError, ConfigError, CorruptError, InputError
from hyperir.encode.hybrid import with_words
from hyperir.index.repair import repair
from hyperir.index.store import Store
from hyperir.relevance.qnets import QNETS
from hyperir.search.fitted import undo
from hyperir.train.adapting import teaching
from hyperir.train.adapting.asked import Asked
from hyperir.train.adapting.measuring import Reader
from hyperir.train.adapting.settings import Settings, form_of
from hyperir.train.adapting.splitting import is_held, split
from hyperir.train.adapting.training import recipes, settled, start_of
from hyperir.train.recipe import OptimizerRecipe
from hyperir.train.retriever import Retriever
from hyperir.train.trainer import groups

TEXTS = ["fox fox fox fox dog", "engine engine engine engine a"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_adapting_world(tmp_path_factory.mktemp("adapting"))


@pytest.fixture
def world(made, tmp_path):
    shutil.copytree(made / "my.index", tmp_path / "my.index")
    return tmp_path


@pytest.fixture(scope="module")
def kept(made, tmp_path_factory):
    """An adapted index, what came of it, and the scores before."""
    folder = tmp_path_factory.mktemp("kept") / "my.index"
    shutil.copytree(made / "my.index", folder)
    before = scores(folder)
    found = hyperir.adapt(folder, judged(made, relevance="dot", steps=60))
    return folder, found, before


def judged(made, **changes):
    files = {"queries": str(made / "queries.jsonl"), "qrels": str(made / "qrels.tsv")}
    return FAST | files | changes


def scores(index, **options):
    opened = hyperir.Index.open(index, **options)
    return [[(hit.id, hit.score) for hit in hits] for hits in opened.search(TEXTS, 120, strategy="exact")]


def test_a_function_that_is_better_is_kept_and_searches_use_it(kept):
    folder, found, before = kept
    assert found.kept, str(found)
    row = found.held_out_queries
    assert row.after["nDCG@10"] > row.before["nDCG@10"]
    assert row.p < 0.05
    assert row.wins > row.losses
    assert found.held_out_documents.queries >= 10
    after = scores(folder)
    assert after != before
    assert len(after[0]) == 120
    store = Store.open(folder)
    assert store.info()["fitted"][0]["told"] == store.history()[-1].change
    assert f"-> {row.after['nDCG@10']:.3f} on {row.queries} held-out queries" in store.history()[-1].change
    assert store.verify(show_progress=False).ok
    with store.fitted_folder() as model:
        report = json.loads((model / "training" / "adapt.json").read_text())
        assert report["held_out_queries"]["p"] == row.p
        assert (model / "training" / "recipe.yaml").is_file()
    assert not folder.with_name("my.index.adapting").exists(), "the work folder goes in the end"
    assert "held-out documents" in str(found)


def test_an_older_commit_and_another_model_have_the_function_before(kept, made):
    folder, _, before = kept
    assert scores(folder, commit=Store.open(folder).number - 1) == before
    assert scores(folder, model=str(made / "model")) == before


def test_undo_gives_back_the_same_scores_bit_by_bit(kept, tmp_path):
    folder, _, before = kept
    shutil.copytree(folder, tmp_path / "my.index")
    index = hyperir.Index.open(tmp_path / "my.index")
    adapted = index.search(TEXTS, 5)
    assert "adapted" in undo(index.store)
    assert [hit.id for hit in index.search(TEXTS, 5)[0]] == [hit.id for hit in adapted[0]], "until it is refreshed"
    index.refresh()
    assert [[(hit.id, hit.score) for hit in hits] for hits in index.search(TEXTS, 120, strategy="exact")] == before
    with pytest.raises(InputError, match=r"nothing to undo"):
        undo(Store.open(tmp_path / "my.index"))


def test_it_travels_with_the_index_through_changes_and_compaction(kept, tmp_path):
    folder, _, _ = kept
    after = scores(folder)
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert scores(tmp_path / "elsewhere") == after
    index = hyperir.Index.open(tmp_path / "elsewhere")
    index.add([{"id": "new", "text": "fox engine"}], show_progress=False)
    index.delete(["new"])
    index.compact()
    assert scores(tmp_path / "elsewhere") == after
    assert index.verify(show_progress=False).ok


def test_a_flipped_byte_is_found_named_and_repaired(kept, tmp_path):
    folder, _, before = kept
    shutil.copytree(folder, tmp_path / "my.index")
    weights = next((tmp_path / "my.index" / "models").rglob("model.safetensors"))
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 16
    weights.write_bytes(data)
    assert [problem.file.rsplit("/", 1)[1] for problem in Store.open(tmp_path / "my.index").verify(False).problems] == [
        "model.safetensors"
    ]
    with pytest.raises(CorruptError, match=r"model\.safetensors in .* of the relevance function fitted to it"):
        scores(tmp_path / "my.index")
    plan = repair(tmp_path / "my.index", apply=True, show_progress=False)
    assert "dropped: a fitted relevance function (adapted" in str(plan)
    assert scores(tmp_path / "my.index") == before
    assert Store.open(tmp_path / "my.index").verify(False).ok


def test_nothing_is_kept_where_nothing_is_gained(world, made):
    before = Store.open(world / "my.index").number
    found = hyperir.adapt(world / "my.index", judged(made, relevance="dot", rates=(0.0,), steps=3))
    assert not found.kept
    assert found.held_out_queries.p == 1
    assert found.held_out_queries.before == found.held_out_queries.after
    assert found.reason.startswith("Not kept: held-out queries do not show")
    assert Store.open(world / "my.index").number == before


def test_a_worse_function_for_later_documents_is_refused():
    from hyperir.train.adapting.report import Row, refusal

    better = Row(100, {"nDCG@10": 0.4}, {"nDCG@10": 0.5}, 0.001, 60, 20)
    worse = Row(100, {"nDCG@10": 0.4}, {"nDCG@10": 0.3}, 0.01, 20, 60)
    assert refusal(better, better, "nDCG@10", 0.05) == ""
    assert "training never saw" in refusal(better, worse, "nDCG@10", 0.05)
    assert "do not show" in refusal(worse, better, "nDCG@10", 0.05)


def test_it_goes_on_after_a_stop_with_the_same_result(world, made, monkeypatch):
    wanted = judged(made, relevance="dot", steps=12, teacher=("fused",))
    whole = hyperir.adapt(world / "my.index", wanted, keep=False, work=world / "whole")
    with monkeypatch.context() as patch:
        interrupt_at(5, patch)
        with pytest.raises(KeyboardInterrupt) as stop:
            hyperir.adapt(world / "my.index", wanted, keep=False, work=world / "stopped")
    assert any("the same command goes on there" in note for note in stop.value.__notes__)
    asked = (world / "stopped" / "taught.jsonl").stat().st_mtime_ns
    again = hyperir.adapt(world / "my.index", wanted, keep=False, work=world / "stopped")
    assert (world / "stopped" / "taught.jsonl").read_bytes() == (world / "whole" / "taught.jsonl").read_bytes()
    assert (again.held_out_queries, again.held_out_documents) == (whole.held_out_queries, whole.held_out_documents)
    assert again.seconds > 0
    assert asked > 0


def test_another_form_in_the_same_folder_does_not_ask_the_teacher_again(world, made, monkeypatch):
    place = world / "work"
    wanted = judged(made, steps=2, teacher=("bm25",), candidates=4)
    hyperir.adapt(world / "my.index", wanted | {"relevance": "dot"}, keep=False, work=place)
    asked = (place / "taught.jsonl").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(teaching, "_Worker", None)  # nobody to ask
        found = hyperir.adapt(world / "my.index", wanted | {"relevance": "hyper"}, keep=False, work=place)
    assert found.relevance["linear"] == "written", "it is another adaptation"
    hyperir.adapt(world / "my.index", wanted | {"candidates": 6}, keep=False, work=place)
    assert (place / "taught.jsonl").read_bytes() != asked, "of other candidates it is"


def test_held_documents_are_in_no_training(world, made):
    settings = judged(made, steps=2, teacher=("vectors",))
    found = hyperir.adapt(world / "my.index", settings, keep=False, work=world / "work")
    lines = [json.loads(line) for line in (world / "work" / "learn.jsonl").read_text().splitlines()]
    items = {id_ for line in lines for id_ in [*line["items"], *line["positives"]]}
    checked = Settings.parse(settings)
    assert items
    assert not any(is_held(id_, checked) for id_ in items)
    assert sum(bool(is_held(f"d{i}", checked)) for i in range(120)) > 10
    assert found.tested == "judged"


def test_queries_are_made_of_documents_and_a_log_is_answered_by_the_teacher(world, made):
    write_cross_encoder(world / "teacher")
    alone = hyperir.adapt(
        world / "my.index", FAST | {"made": 400, "steps": 2, "teacher": ("fused",)}, keep=False, work=world / "a"
    )
    assert (alone.tested, set(alone.learned)) == ("made", {"made"})
    log = {"queries": str(made / "queries.jsonl"), "steps": 2, "teacher": (str(world / "teacher"),), "candidates": 4}
    logged = hyperir.adapt(world / "my.index", FAST | log, keep=False, work=world / "b")
    assert (logged.tested, set(logged.learned)) == ("log", {"log"})


def test_it_goes_on_from_the_function_in_use(kept, made, tmp_path):
    folder, found, _ = kept
    shutil.copytree(folder, tmp_path / "my.index")
    again = hyperir.adapt(tmp_path / "my.index", judged(made, relevance="dot", steps=2, rates=(0.0,)))
    assert again.held_out_queries.before == pytest.approx(found.held_out_queries.after)


def test_a_query_of_many_documents_keeps_those_that_are_held_for_the_test():
    settings = Settings(batch=2)
    ids = [f"d{i}" for i in range(400)]
    by_part = {part: [id_ for id_ in ids if is_held(id_, settings) == part] for part in ("", "test", "validation")}
    asked = [
        Asked(f"q{i}", f"text {i}", {seen: 1, new: 2, other: 1}, "judged")
        for i, (seen, new, other) in enumerate(zip(by_part[""], by_part["test"] * 9, by_part["validation"] * 9))  # noqa: B905
    ]
    found = split(asked, settings)
    assert all(set(each.grades) <= set(by_part[""]) for each in found.learned)
    new = found.parts["test new"]
    assert new.queries.keys() == found.parts["test"].queries.keys()
    query = next(iter(new.queries))
    assert set(new.qrels[query]) <= set(by_part["test"])
    assert len(new.ignored[query]) == 2
    assert not {each.id for each in found.learned} & new.queries.keys()


def test_what_cannot_be_adapted_is_said(world, made, tmp_path):
    few = hyperir.Index.create(tmp_path / "few.index", str(made / "model"))
    few.add([{"id": "1", "text": "fox"}], show_progress=False)
    with pytest.raises(InputError, match=r"too few documents to fit(.|\n)*50 at least\n.*1"):
        hyperir.adapt(tmp_path / "few.index")
    few.add([{"id": f"e{i}", "text": ""} for i in range(60)], show_progress=False)
    few.delete(["1"])
    with pytest.raises(InputError, match="vectors without texts"):
        hyperir.adapt(tmp_path / "few.index")
    own = hyperir.Index.create(tmp_path / "own.index", width=2)
    own.add([{"id": "1", "text": "fox"}], vectors=torch.ones(1, 2), show_progress=False)
    with pytest.raises(InputError, match="no model that reads queries"):
        hyperir.adapt(tmp_path / "own.index")
    hyperir.Index.create(tmp_path / "multi.index", width=2, kind="multi")
    with pytest.raises(CapabilityError, match="one vector a document"):
        hyperir.adapt(tmp_path / "multi.index")
    with pytest.raises(CollectionError, match=r"missing\.jsonl"):
        hyperir.adapt(world / "my.index", {"queries": str(tmp_path / "missing.jsonl")})
    (tmp_path / "strange.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tnobody\t1\n")
    with pytest.raises(CollectionError, match="of no query and document"):
        hyperir.adapt(world / "my.index", judged(made, qrels=str(tmp_path / "strange.tsv")))
    with pytest.raises(InputError, match=r"too few judged queries(.|\n)*to learn from; "):
        hyperir.adapt(world / "my.index", judged(made, asked=20), work=tmp_path / "w")
    with pytest.raises(InputError, match="no adaptation that could go on"):
        hyperir.adapt(world / "my.index", judged(made), work=made)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"qrels": "a"}, "judgements of which queries"),
        ({"collection": "a", "queries": "b"}, "one or the other"),
        ({"teacher": ("none", "bm25")}, "teach alone"),
        ({"relevance": "dot", "form": "mlp"}, "no q-net"),
        ({"shares": (1.5,)}, "more than 0"),
        ({"held_documents": (0.6, 0.5)}, "something to learn from"),
        ({"sted": 1}, "unknown key 'sted'"),
    ],
)
def test_settings_that_do_not_fit_together(settings, said):
    with pytest.raises(ConfigError, match=said):
        Settings.parse(settings)


def test_a_form_starts_as_zero_beside_the_inner_product():
    assert Settings.parse({"form": "mlp"}).form.scaled
    assert Settings.parse({"form": {"type": "mlp", "hidden": [8]}}).form.hidden == (8,)
    assert not Settings.parse({"form": {"type": "mlp", "scaled": False}}).form.scaled


@pytest.mark.parametrize("name", list(QNETS))
def test_every_form_starts_as_the_inner_product(name):
    form = {"type": "hyper", "linear": "written", "qnet": form_of(name).model_dump()}
    model, dot = make_model(form), make_model("dot")
    docs = dot.encode_document(TEXTS, show_progress_bar=False)
    torch.testing.assert_close(model.encode_query(TEXTS)(docs), dot.encode_query(TEXTS)(docs))


def test_queries_are_read_once_where_the_encoder_stays(monkeypatch):
    one, other = (
        make_model("dot"),
        make_model({"type": "hyper", "linear": "written", "qnet": form_of("mlp").model_dump()}),
    )
    docs = one.encode_document(TEXTS, show_progress_bar=False)
    wanted = one.encode_query(TEXTS)(docs)
    reader, calls, forward = Reader(same=True), [], type(one.query).forward
    with monkeypatch.context() as patch:
        patch.setattr(type(one.query), "forward", lambda self, batch: calls.append(batch) or forward(self, batch))
        for model in (one, other, one):
            torch.testing.assert_close(reader(model, TEXTS)(docs), wanted)
        assert len(calls) == 1
        for model in (one, one):
            torch.testing.assert_close(Reader(same=False)(model, TEXTS)(docs), wanted)
        assert len(calls) == 3


NETWORK = {"type": "hyper", "linear": True, "qnet": {"type": "shared", "hidden": [4]}}


@pytest.mark.parametrize(
    ("before", "given", "relevance", "learn"),
    [
        ("dot", {}, "dot", "all"),
        ("dot", {"learn": "head"}, "dot", "head"),
        ("dot", {"relevance": "hyper"}, "hyper", "head"),
        ("dot", {"form": "shared"}, "hyper", "head"),
        ("dot", {"form": "shared", "learn": "all"}, "hyper", "all"),
        (NETWORK, {}, None, "head"),
        (NETWORK, {"relevance": "dot"}, "dot", "head"),
        (NETWORK, {"learn": "all"}, None, "all"),
    ],
)
def test_an_inner_product_is_tuned_and_another_function_goes_on(before, given, relevance, learn):
    found = settled(make_model(before), Settings.parse(given))
    assert (found.relevance, found.learn) == (relevance, learn)


def test_by_default_the_query_encoder_of_an_inner_product_is_tuned_and_goes_on(world, made):
    before = scores(world / "my.index")
    found = hyperir.adapt(world / "my.index", judged(made, learn=None, rates=(1e-3,)))
    assert (found.learn, found.relevance["type"]) == ("all", "dot")
    assert found.kept, str(found)
    assert "the query encoder learned from" in str(found)
    assert scores(world / "my.index") != before
    with Store.open(world / "my.index").fitted_folder() as folder:
        old, new = (dict(hyperir.load(str(each)).query.named_parameters()) for each in (made / "model", folder))
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert any("layer.0" in name for name in changed)
    again = hyperir.adapt(world / "my.index", judged(made, learn=None, rates=(0.0,), steps=2), keep=False)
    assert (again.learn, again.relevance["type"]) == ("all", "dot")
    assert again.held_out_queries.before == pytest.approx(found.held_out_queries.after)


def test_the_linear_part_beside_a_network_has_a_rate_of_its_own():
    model = make_model({"type": "hyper", "linear": "written", "qnet": form_of("shared").model_dump()})
    recipe = OptimizerRecipe(encoder_rate=1.0, head_rate=2.0, linear_rate=3.0)
    parameters = {id(p): name for name, p in Retriever(model, []).named_parameters()}
    found = {parameters[id(p)]: group["lr"] for group in groups(Retriever(model, []), recipe) for p in group["params"]}
    assert {rate for name, rate in found.items() if ".linear_head." in name} == {3.0}
    assert {rate for name, rate in found.items() if ".hypernetwork." in name} == {2.0}
    assert max(Settings().tried(network=True, length=1.0)) < max(Settings().tried(network=False, length=1.0))
    assert max(Settings().tried(network=False, length=4.0)) == max(Settings().tried(network=False, length=1.0)) / 4


def test_a_network_learns_no_faster_than_the_query_encoder_beside_it(made, tmp_path):
    store = Store.open(made / "my.index")
    tried = recipes(store, store.encoder.name, 0.05, Settings(relevance="hyper", learn="all", rates=(1e-4,)), tmp_path)
    optimizer = tried[1e-4].optimizer
    assert optimizer.encoder_rate == optimizer.head_rate == 1e-4


def test_a_network_beside_the_query_encoder_sweeps_rates_of_its_own(made, tmp_path):
    store = Store.open(made / "my.index")
    settings = Settings(relevance="hyper", learn="all", rates=(1e-4, 3e-4), encoder_rate=2e-5)
    tried = recipes(store, store.encoder.name, 0.05, settings, tmp_path)
    assert {(one.optimizer.encoder_rate, one.optimizer.head_rate) for one in tried.values()} == {
        (2e-5, 1e-4),
        (2e-5, 3e-4),
    }


def test_a_q_net_goes_on_and_its_query_vector_learns_too(made, tmp_path):
    before = make_model({"type": "hyper", "linear": True, "qnet": form_of("mlp").model_dump()}, query_seed=3)
    before.save_pretrained(tmp_path / "model")
    before = hyperir.load(tmp_path / "model")
    place = start_of(before, settled(before, Settings()), tmp_path / "work")
    start = hyperir.load(place)
    assert start.relevance_config.linear == "written"
    docs = before.encode_document(TEXTS, show_progress_bar=False)
    torch.testing.assert_close(start.encode_query(TEXTS)(docs), before.encode_query(TEXTS)(docs))
    assert start_of(start, settled(start, Settings()), tmp_path / "again") == start.name
    assert start_of(before, Settings.parse({"learn": "all"}), tmp_path / "again") == before.name
    index = hyperir.Index.create(tmp_path / "my.index", str(tmp_path / "model"))
    opened = hyperir.Index.open(made / "my.index")
    index.add(opened.store.rows(list(range(len(opened)))), show_progress=False)
    found = hyperir.adapt(tmp_path / "my.index", judged(made, steps=2), keep=False)
    assert (found.relevance["linear"], found.relevance["qnet"]["type"]) == ("written", "mlp")


@pytest.fixture(scope="module")
def counted(made, tmp_path_factory):
    """An index whose documents count their words in cells."""
    folder = tmp_path_factory.mktemp("counted")
    opened = hyperir.Index.open(made / "my.index")
    rows = list(opened.store.rows(list(range(len(opened)))))
    with_words(make_model("dot", query_seed=3), rows, width=48, least=0.2).save_pretrained(folder / "model")
    hyperir.Index.create(folder / "my.index", str(folder / "model")).add(rows, show_progress=False)
    return folder


@pytest.mark.parametrize("learn", [None, "head"])
@pytest.mark.parametrize(("relevance", "weigh"), [("dot", False), (None, True)])
def test_a_function_over_words_in_cells_goes_on_from_itself(counted, made, tmp_path, relevance, weigh, learn):
    before = hyperir.load(counted / "model")
    settings = settled(before, Settings(relevance=relevance, learn=learn))
    assert settings.learn == (learn or "all"), "by default the query encoder is tuned"
    start = hyperir.load(start_of(before, settings, tmp_path))
    linear = "written" if learn == "head" else True
    assert (start.relevance_config.weigh, start.relevance_config.linear) == (weigh, linear)
    docs = before.encode_document(TEXTS, show_progress_bar=False)
    torch.testing.assert_close(start.encode_query(TEXTS)(docs), before.encode_query(TEXTS)(docs))
    assert start_of(start, settings, tmp_path / "again") == start.name
    with pytest.raises(InputError, match="no other form reads"):
        start_of(before, Settings.parse({"form": "shared"}), tmp_path)


@pytest.mark.parametrize("learn", [None, "head"])
def test_words_in_cells_are_adapted_and_kept_with_their_index(counted, made, tmp_path, learn):
    index = shutil.copytree(counted / "my.index", tmp_path / "my.index")
    found = hyperir.adapt(index, judged(made, learn=learn))
    assert (found.learn, found.relevance["type"]) == (learn or "all", "hyper_words")
    assert found.kept, str(found)
    before = hyperir.load(str(counted / "model")).query
    with Store.open(index).fitted_folder() as model:
        learned = hyperir.load(model)
    assert learned.relevance.weigh[2].weight.any(), "tokens' weights learned"
    pairs = zip(before.backbone.parameters(), learned.query.backbone.parameters(), strict=True)
    assert all(torch.equal(*pair) for pair in pairs) == (learn == "head")
