"""Training both sides: what learns, what an interruption costs, and what gradient caching and processes change."""

import json
import socket

import pytest
import torch
from worlds import HYPER, interrupt_at, recipe_of

import hyperir
from hyperir.core.errors import InputError
from hyperir.encode.texts import document_text
from hyperir.train import train
from hyperir.train.batch import Collate
from hyperir.train.cache import Cache
from hyperir.train.caching import backward
from hyperir.train.data import SETS
from hyperir.train.examples import gather
from hyperir.train.losses import LOSSES
from hyperir.train.retriever import Retriever, scores
from hyperir.train.sources import TokenSource

SCALED = [{"type": "scaled", "of": "cross_entropy", "temperature": 0.05}]


def log_of(folder):
    return [json.loads(line) for line in (folder / "training" / "log.jsonl").read_text().splitlines()]


def joint(world, output, **changes):
    parts = {
        "regime": {},
        "losses": SCALED,
        "optimizer": {"encoder_rate": 1e-3, "head_rate": 1e-3},
        "validation": {"source": str(world / "data"), "split": "train", "every": 20},
        "run": {"steps": 20, "log": 1},
    }
    return recipe_of(world, output, **(parts | changes))


def test_both_sides_learn(world, tmp_path):
    run, optimizer = {"steps": 40, "log": 40}, {"encoder_rate": 2e-3, "head_rate": 3e-3}
    validation = {"source": str(world / "data"), "split": "train", "every": 40}
    recipe = joint(world, tmp_path / "out", run=run, optimizer=optimizer, validation=validation)
    result = train(recipe)
    before = next(line["eval_RR@10"] for line in log_of(tmp_path / "out") if "eval_RR@10" in line)
    assert result.measures["RR@10"] > before + 0.01


@pytest.mark.parametrize("separate", [False, True])
def test_layers_stay_and_sides_part_where_asked(world, tmp_path, separate):
    model = {"start": str(world / "model"), "separate": separate}
    train(joint(world, tmp_path / "out", model=model, regime={"freeze": 1}, run={"steps": 2}, validation=None))
    trained, start = hyperir.load(tmp_path / "out"), hyperir.load(world / "model")
    assert trained.fingerprint != start.fingerprint
    assert trained.shared is not separate
    assert trained.query.config == start.query.config
    for side in ("document", "query"):
        now, then = (getattr(m, side).backbone.transformer.encoder.layer for m in (trained, start))
        assert torch.equal(now[0].attention.self.query.weight, then[0].attention.self.query.weight), "frozen"
        assert not torch.equal(now[1].attention.self.query.weight, then[1].attention.self.query.weight)


def test_low_rank_changes_are_merged(world, tmp_path):
    run = {"steps": 5, "log": 1}
    train(joint(world, tmp_path / "out", regime={"lora": {"rank": 4}}, optimizer={"encoder_rate": 2e-2}, run=run))
    trained, start = hyperir.load(tmp_path / "out"), hyperir.load(world / "model")
    layers = [m.query.backbone.transformer.encoder.layer[0].attention.self for m in (trained, start)]
    assert not torch.equal(layers[0].query.weight, layers[1].query.weight)
    assert torch.equal(layers[0].key.weight, layers[1].key.weight), "peft changes queries and values"


@pytest.mark.parametrize("index", [False, True], ids=["joint", "frozen"])
def test_narrower_vectors_are_learned_with_the_rest(world, tmp_path, index):
    regime = {"index": str(world / "my.index")} if index else {}
    model = {"start": str(world / "model"), "project": 16}
    result = train(joint(world, tmp_path / "out", model=model, regime=regime))
    trained = hyperir.load(tmp_path / "out")
    assert trained.width == trained.encode_document(["fox"]).width == 16
    assert trained.fingerprint != hyperir.load(world / "model").fingerprint
    fresh = hyperir.Index.create(tmp_path / "narrow.index", trained)
    fresh.add(hyperir.open_collection(world / "data").documents(), show_progress=False)
    run = fresh.run(hyperir.open_collection(world / "data").queries("train"), 100)
    from hyperir.evaluate import evaluate

    qrels = hyperir.open_collection(world / "data").qrels("train")
    assert evaluate(qrels, run, ["RR@10"]).mean("RR@10") == pytest.approx(result.measures["RR@10"], abs=1e-3)


@pytest.mark.parametrize("regime", ["head", "joint", "lora"])
def test_an_interrupted_training_goes_on_where_it_was(world, tmp_path, monkeypatch, regime):
    def recipe(output):
        model = {"start": str(world / "model"), "relevance": HYPER, "dropout": 0.1}
        changes = {
            "model": model,
            "run": {"steps": 12, "log": 1},
            "batch": {"queries": 16, "items": 4, "accumulate": 2},
        }
        changes["validation"] = {"source": str(world / "data"), "every": 5}
        if regime == "head":
            return recipe_of(world, output, **changes)
        lora = {"lora": {"rank": 4, "dropout": 0.1}} if regime == "lora" else {}
        return joint(world, output, **changes, regime=lora)

    train(recipe(tmp_path / "whole"))
    with monkeypatch.context() as patch:
        interrupt_at(7, patch)
        with pytest.raises(KeyboardInterrupt) as caught:
            train(recipe(tmp_path / "parts"))
    assert "Saved after step 8" in caught.value.__notes__[0]
    assert not (tmp_path / "parts" / "config.json").exists()
    train(recipe(tmp_path / "parts"))
    whole, parts = (
        [(line["step"], line["loss"]) for line in log_of(tmp_path / name) if "loss" in line]
        for name in ("whole", "parts")
    )
    assert [step for step, _ in parts] == list(range(1, 13))
    for (_, expected), (_, got) in zip(whole, parts, strict=True):
        assert got == pytest.approx(expected, abs=1e-5)
    a, b = (hyperir.load(tmp_path / name) for name in ("whole", "parts"))
    for expected, got in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)


def test_a_folder_is_not_taken_over(world, tmp_path):
    train(joint(world, tmp_path / "out", run={"steps": 2}, validation=None))
    with pytest.raises(InputError, match="is finished"):
        train(joint(world, tmp_path / "out", run={"steps": 2}, validation=None))
    with pytest.raises(InputError, match="another recipe") as caught:
        train(joint(world, tmp_path / "out", run={"steps": 3}, validation=None))
    assert caught.value.got == "other values of run.steps"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all there is")
    with pytest.raises(InputError, match="holds something already"):
        train(joint(world, tmp_path / "mine", validation=None))


def retriever_and_batch(world, scored, relevance=HYPER, queries=12, most=None, dropout=True):
    model = hyperir.load(world / "model")
    from hyperir.encode.model import Model

    model = Model(model.document, model.query, relevance)
    if not dropout:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    losses = [("cross_entropy", 1.0, LOSSES.build("cross_entropy")), ("scaled", 0.5, LOSSES.build(SCALED[0]))]
    training_set = SETS.build({"type": "collection", "source": str(world / "data")})
    examples = gather(training_set)
    texts = [training_set.text(id_) for id_ in examples.ids]
    collate = Collate(
        examples,
        TokenSource.of(model.query, examples.queries, str, Cache(), "queries", most),
        TokenSource.of(model.document, texts, document_text, Cache(), "documents", most),
        4,
        0,
    )
    retriever = Retriever(model, losses, scored).train()
    return retriever, collate([(0, i) for i in range(queries)])


def gradients(module):
    found = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    module.zero_grad()
    return {name: grad.clone() for name, grad in found.items()}


@pytest.mark.parametrize(("scored", "relevance"), [("all", HYPER), ("first", HYPER), ("own", "dot")])
def test_gradient_caching_changes_no_gradient(world, scored, relevance):
    import contextlib

    retriever, batch = retriever_and_batch(world, scored, relevance, most=40)
    assert len(batch.documents) > 2
    torch.manual_seed(3)  # dropout is the same in all passes
    states = retriever.states(batch.queries)
    f = retriever.model.relevance(states)
    total, parts = retriever.loss(scores(f, retriever.vectors(batch.documents), batch, scored), batch.targets)
    total.backward()
    expected = gradients(retriever)
    torch.manual_seed(3)
    again, parts_again = backward(retriever, batch, 5, contextlib.nullcontext)
    got = gradients(retriever)
    torch.testing.assert_close(again, total.detach())
    torch.testing.assert_close(parts_again, parts)
    assert got.keys() == expected.keys()
    assert len(got) > 10
    for name, gradient in expected.items():
        torch.testing.assert_close(got[name], gradient, rtol=1e-3, atol=1e-4, msg=lambda m, name=name: f"{name}: {m}")


def two_processes(rank, port, folder, scored, cached):
    """One of two processes with half of a batch each; the first writes the mean of the gradients."""
    import contextlib
    from pathlib import Path

    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    retriever, _ = retriever_and_batch(Path(folder), scored, dropout=False)
    retriever.across = True
    half = slice(0, 6) if rank == 0 else slice(6, 12)
    _, own = retriever_and_batch_half(retriever, Path(folder), half)
    if cached:
        total, _ = backward(retriever, own, 4, contextlib.nullcontext)
    else:
        total, _ = retriever(own)
        total.backward()
    found = gradients(retriever)
    for gradient in found.values():
        torch.distributed.all_reduce(gradient)
        gradient /= 2
    if rank == 0:
        torch.save({"total": total.detach(), "gradients": found}, Path(folder) / "two.pt")
    torch.distributed.destroy_process_group()


def retriever_and_batch_half(retriever, world, half):
    training_set = SETS.build({"type": "collection", "source": str(world / "data")})
    examples = gather(training_set)
    texts = [training_set.text(id_) for id_ in examples.ids]
    model = retriever.model
    collate = Collate(
        examples,
        TokenSource.of(model.query, examples.queries, str, Cache(), "queries"),
        TokenSource.of(model.document, texts, document_text, Cache(), "documents"),
        4,
        0,
    )
    return retriever, collate([(0, i) for i in range(half.start, half.stop)])


@pytest.mark.parametrize(("scored", "cached"), [("all", False), ("first", True)])
def test_two_processes_learn_as_one_with_both_batches(world, scored, cached):
    retriever, batch = retriever_and_batch(world, scored, dropout=False)
    total, _ = retriever(batch)
    total.backward()
    expected = gradients(retriever)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torch.multiprocessing.spawn(two_processes, (port, str(world), scored, cached), nprocs=2)
    got = torch.load(world / "two.pt", weights_only=True)
    torch.testing.assert_close(got["total"], total.detach())
    for name, gradient in expected.items():
        torch.testing.assert_close(got["gradients"][name], gradient, rtol=1e-3, atol=1e-4)
