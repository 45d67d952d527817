"""ColBERT learns by the recipes of the other models: cross-entropy over the batch, and a teacher's scores."""

from dataclasses import replace

import pytest
import torch
from worlds import recipe_of

import hyperir
from hyperir.core.errors import InputError
from hyperir.train import train
from hyperir.train.batch import Collate
from hyperir.train.cache import Cache
from hyperir.train.data import SETS
from hyperir.train.examples import gather
from hyperir.train.learner import build_model
from hyperir.train.losses import LOSSES
from hyperir.train.retriever import Retriever, scores
from hyperir.train.run import documents_source, queries_source


def recipe(world, output, **changes):
    parts = {
        "model": {"start": str(world / "model"), "relevance": "maxsim", "project": 32, "query_length": 8},
        "regime": {},
        "losses": [{"type": "scaled", "of": "cross_entropy", "temperature": 0.2}],
        "optimizer": {"encoder_rate": 1e-3, "head_rate": 3e-3},
        "validation": None,
        "run": {"steps": 160, "log": 80},
    }
    return recipe_of(world, output, **(parts | changes))


def test_colbert_comes_back_from_its_folder(world, foreign, tmp_path):
    data = {"type": "collection", "source": str(foreign), "split": "train"}
    train(recipe(world, tmp_path / "out", data=data, run={"steps": 1}))
    model = hyperir.load(tmp_path / "out")
    assert (model.kind, model.width, model.trained) == ("multi", 32, True)
    assert model.query.projection is model.document.projection


@pytest.mark.parametrize("scored", ["all", "first", "own"])
def test_a_batch_is_scored_like_each_pair_by_itself(world, tmp_path, scored):
    retriever, batch = made(recipe(world, tmp_path / "out"))
    with torch.no_grad():
        f, docs = retriever.model.relevance(retriever.states(batch.queries)), retriever.multi(batch.documents)
        found = scores(f, docs, batch, scored)
        single = f(docs)
    for q, other, k in (found > -torch.inf).nonzero().tolist():
        torch.testing.assert_close(found[q, other, k], single[q, batch.items[other, k]])
    assert (found > -torch.inf).any()


def test_a_teacher_draws_the_scores_towards_its_own(world, tmp_path):
    """KL to a teacher that ranks by another random projection falls, by its gradient alone."""
    retriever, batch = made(recipe(world, tmp_path / "out"))
    documents = len(batch.numbers)
    others = (batch.items + torch.tensor([1, 2, 3])) % documents  # negatives, which the collection does not name
    batch = replace(batch, items=torch.cat([batch.items, others], 1), targets=torch.full((16, 4), torch.nan))
    loss = LOSSES.build("kl")
    optimizer = torch.optim.Adam(retriever.parameters(), 1e-3)
    with torch.no_grad():
        f, docs = retriever.model.relevance(retriever.states(batch.queries)), retriever.multi(batch.documents)
        turned = docs.vectors @ torch.randn(32, 32) / 32**0.5
        taught = 4 * f.gathered(f.each.queries @ turned.T, docs.indptr).gather(1, batch.items)
    values = []
    for _ in range(12):
        found = scores(
            retriever.model.relevance(retriever.states(batch.queries)), retriever.multi(batch.documents), batch, "own"
        )
        value = loss(found, taught)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.7 * values[0]


@pytest.mark.parametrize(
    "changes", [{"batch": {"queries": 4, "chunk": 8}}, {"regularisers": [{"type": "l1", "weight": 1.0}]}]
)
def test_what_reads_one_vector_a_document_is_refused_by_name(world, tmp_path, changes):
    with pytest.raises(InputError, match=r"batch\.chunk|regularisers"):
        train(recipe(world, tmp_path / "out", **changes))


def made(wanted):
    """A retriever and its first batch."""
    torch.manual_seed(0)
    training_set = SETS.build(wanted.data)
    model = build_model(wanted)
    examples = gather(training_set, ())
    cache = Cache()
    collate = Collate(
        examples,
        queries_source(wanted, model, examples.queries, cache),
        documents_source(wanted, model, None, training_set, examples, cache),
        4,
        0,
    )
    return Retriever(model, [("kl", 1.0, LOSSES.build("kl"))]).eval(), collate([(0, i) for i in range(16)])
