"""`hyper_words`: its definition in loops, its laws in every form, and what it can rank that no inner product can."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from hyperir.core.docs import Cells, Dense, States
from hyperir.core.errors import InputError
from hyperir.relevance import RELEVANCE
from hyperir.testing.functions import RELEVANCE_LAWS
from hyperir.testing.made import D, H, N, Q, assert_close, make_docs, make_relevance, make_states

FORMS = (
    {"hidden": 3},
    {"read": "mean"},
    {"weigh": False, "linear": "written"},
    {"weigh": "context", "hidden": 2, "linear": "written", "read": "mean"},
    {"weigh": "context"},
)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("law", RELEVANCE_LAWS, ids=lambda law: law.__name__)
def test_every_form_obeys_the_laws(form, law):
    torch.manual_seed(0)
    law({"type": "hyper_words", **form})


@pytest.mark.parametrize("weigh", [True, "context"])
@pytest.mark.parametrize("read", ["min", "mean"])
def test_the_scores_are_those_of_the_definition(read, weigh):
    torch.manual_seed(1)
    module = make_relevance({"type": "hyper_words", "hidden": 3, "read": read, "weigh": weigh})
    states, docs = make_states(), make_docs()
    cells = states.cells
    with torch.no_grad():
        found = module(states)(docs)
        expected = torch.zeros(Q, N)
        for q in range(Q):
            real = states.mask[q]
            tokens = states.tokens[q][real]
            if weigh == "context":
                tokens = module.context(tokens[None], torch.ones(1, len(tokens), dtype=torch.bool))[0]
            features = module.weigh[:2](tokens)
            weights = cells.weights[q][real] * (1 + module.weigh[2](features)[:, 0])
            meant = module.gate(features)[:, 0].sigmoid()
            word = float(cells.weights[q].sum()) / max(1, int((cells.units[q] > 0).sum()))
            for n, d in enumerate(docs.vectors):
                score, there = states.pooled[q] @ d, 0.0
                for t in range(len(tokens)):
                    own = [float(d[c]) for c in cells.places[q, t]]
                    count = min(own) if read == "min" else sum(own) / len(own)
                    score = score + weights[t] * count
                    if cells.units[q, t] > 0:
                        there = there + meant[t] * min(1.0, 1.5 * float(cells.units[q, t]) * count)
                for k, output in enumerate(module.output(features.mean(0)), 1):
                    score = score + output * word * max(0.0, there - k)
                expected[q, n] = score
    assert_close(found, expected)


def test_the_start_is_words_and_an_inner_product():
    torch.manual_seed(2)
    states, docs = make_states(), make_docs()
    plain = RELEVANCE.build({"type": "hyper_words", "weigh": False}, width=D, state_width=H)(states)(docs)
    for weigh in (True, "context"):
        form = {"type": "hyper_words", "weigh": weigh, "hidden": 4, "linear": "written"}
        assert_close(RELEVANCE.build(form, width=D, state_width=H)(states)(docs), plain)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_its_bound_is_never_below_it(form):
    torch.manual_seed(4)
    f, docs = make_relevance({"type": "hyper_words", **form})(make_states()), Dense(make_docs().vectors.abs())
    f = replace(f, token_weights=f.token_weights * torch.tensor([1.0, -1.0]).repeat(10)[: f.places.shape[1]])
    assert (f.token_weights < 0).any(), "tokens that are not wanted"
    if f.layer is not None:
        output = torch.tensor([1.0, -2.0, 3.0])[: f.layer.output.shape[1]].expand_as(f.layer.output)
        f = replace(f, layer=replace(f.layer, output=output))
    for docs_ in (docs, Dense(3 * docs.vectors), Dense(docs.vectors / 10)):
        assert (f.bound @ docs_.vectors.T >= f(docs_) - 1e-5).all()


def test_only_the_transformer_s_own_numbers_of_the_query_s_vector_are_written():
    torch.manual_seed(3)
    wide, states = 2 * H, make_states()
    pooled = torch.randn(Q, wide)
    module = RELEVANCE.build({"type": "hyper_words", "linear": "written"}, width=wide, state_width=H)
    for weights in module.parameters():
        torch.nn.init.normal_(weights)
    f = module(States(states.tokens, states.mask, pooled, cells=states.cells))
    assert_close(f.base[:, H:], pooled[:, H:])
    assert (f.base[:, :H] - pooled[:, :H]).abs().min() > 0


def test_one_of_two_words_and_not_both_needs_the_hidden_layer():
    """Four documents, with neither, one, the other, and both: the second and third first. No vector can do that."""
    docs = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    wanted = np.array([[-1, 0], [0, -1]])  # <q, d> > <q, (0, 0)> for the two, and > <q, (1, 1)>: q1, q2 > 0 > q1, q2
    margins = np.vstack([wanted, [[0, 1], [1, 0]]])
    assert linprog([0, 0], A_ub=margins, b_ub=[-1, -1, -1, -1], bounds=[(None, None)] * 2).status == 2, "infeasible"
    module = RELEVANCE.build({"type": "hyper_words", "hidden": 1}, width=2, state_width=1)
    with torch.no_grad():
        module.output.bias.fill_(-2.5)
        module.gate.bias.fill_(9.0)
    cells = Cells(torch.tensor([[[0], [1]]]), torch.ones(1, 2), torch.ones(1, 2))
    states = States(torch.zeros(1, 2, 1), torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, 2), cells=cells)
    scores = module(states)(Dense(docs))[0]
    assert sorted(scores.topk(2).indices.tolist()) == [1, 2]
    assert scores[1] > scores[0]
    assert scores[1] > scores[3]


WORDS, THERE = 240, 0.3  # words of the conditions, of which half are learned, each in so many of the documents
MARKS = 2  # "without" and "one of"


def conditions(embedding, known, count, draw):
    """States of "a without b" and "one of a b", which differ in their mark alone, and what they ask of words."""
    words = torch.tensor(draw.choice(known, (count, 2)))
    words[:, 1] = torch.where(
        words[:, 0] == words[:, 1], (words[:, 1] + 1 - known[0]) % len(known) + known[0], words[:, 1]
    )
    mark = torch.tensor(draw.integers(0, MARKS, count))
    ids = torch.stack([words[:, 0], WORDS + mark, words[:, 1]], 1)
    counted = (ids < WORDS).float()
    cells = Cells(ids.clamp(max=WORDS - 1)[..., None], counted / 2, counted)
    mask = torch.ones(ids.shape, dtype=torch.bool)

    def wanted(docs):
        a, b = (docs.T[words[:, side]] > 0 for side in (0, 1))  # (Q, N)
        return torch.where(mark[:, None] == 0, a & ~b, a ^ b)

    return States(embedding[ids], mask, torch.zeros(count, WORDS), cells=cells), wanted


@pytest.mark.parametrize(("hidden", "least", "most"), [(1, 0.95, 1), (0, 0, 0.85)])
def test_in_context_and_with_a_count_conditions_on_words_never_seen_are_learned(hidden, least, most):
    """120 words teach what "without" and "one of" ask of 120 others; weights alone cannot say it."""
    torch.manual_seed(0)
    draw, states = np.random.default_rng(0), 24
    embedding = torch.randn(WORDS + MARKS, states)
    form = {"type": "hyper_words", "weigh": "context", "hidden": hidden}
    module = RELEVANCE.build(form, width=WORDS, state_width=states)
    optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
    docs = (torch.rand(400, WORDS, generator=torch.Generator().manual_seed(1)) < THERE).float()
    for _ in range(400):
        asked, wanted = conditions(embedding, np.arange(WORDS // 2), 64, draw)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            8 * module(asked)(Dense(docs)) - 2, wanted(docs).float()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    asked, wanted = conditions(embedding, np.arange(WORDS // 2, WORDS), 64, draw)
    with torch.no_grad():
        best = module(asked)(Dense(docs)).topk(10, dim=1).indices
    assert least <= float(wanted(docs).gather(1, best).float().mean()) <= most


def test_a_hidden_layer_without_what_writes_it_is_refused():
    with pytest.raises(InputError, match="weigh: context"):
        RELEVANCE.build({"type": "hyper_words", "weigh": False, "hidden": 1}, width=D, state_width=H)


def test_context_tells_what_stands_before_a_word():
    """The same states in another order: alone they say the same, in context they do not; padding says nothing."""
    torch.manual_seed(5)
    states = make_states()
    tokens, mask = states.tokens, states.mask
    turned = tokens.flip(1)
    for weigh, equal in ((True, True), ("context", False)):
        module = make_relevance({"type": "hyper_words", "weigh": weigh})
        read = (
            (lambda x, m=module: m.weigh(x))
            if weigh is True
            else (lambda x, m=module: m.weigh(m.context(x, torch.ones(x.shape[:2], dtype=torch.bool))))
        )
        with torch.no_grad():
            assert torch.allclose(read(tokens), read(turned).flip(1), atol=1e-4) is equal
    with torch.no_grad():
        padded = module.context(torch.cat([tokens, torch.randn_like(tokens)], 1), torch.cat([mask, mask & False], 1))
        assert_close(padded[:, : tokens.shape[1]][mask], module.context(tokens, mask)[mask])


def test_an_encoder_without_cells_is_refused_by_name():
    states = make_states()
    with pytest.raises(InputError, match="with_words"):
        RELEVANCE.build("hyper_words", width=D, state_width=H)(States(states.tokens, states.mask, states.pooled))


def test_a_query_without_counted_words_is_an_inner_product():
    states, docs = make_states(), make_docs()
    module = RELEVANCE.build({"type": "hyper_words", "weigh": False}, width=D, state_width=H)
    nothing = Cells(states.cells.places, torch.zeros_like(states.cells.weights), torch.zeros_like(states.cells.units))
    empty = States(states.tokens, states.mask, states.pooled, cells=nothing)
    assert_close(module(empty)(docs), states.pooled @ docs.vectors.T)
