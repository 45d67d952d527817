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
    {"hidden": 2, "linear": "written", "read": "mean"},
)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("law", RELEVANCE_LAWS, ids=lambda law: law.__name__)
def test_every_form_obeys_the_laws(form, law):
    torch.manual_seed(0)
    law({"type": "hyper_words", **form})


@pytest.mark.parametrize("read", ["min", "mean"])
def test_the_scores_are_those_of_the_definition(read):
    torch.manual_seed(1)
    module = make_relevance({"type": "hyper_words", "hidden": 3, "read": read})
    states, docs = make_states(), make_docs()
    cells, tokens = states.cells, states.tokens
    with torch.no_grad():
        found = module(states)(docs)
        expected = torch.zeros(Q, N)
        for q in range(Q):
            mean = tokens[q][states.mask[q]].mean(0)
            for n, d in enumerate(docs.vectors):
                score, inside = states.pooled[q] @ d, module.threshold(mean)
                for t in range(tokens.shape[1]):
                    own = [float(d[c]) for c in cells.places[q, t]]
                    count = min(own) if read == "min" else sum(own) / len(own)
                    score = score + cells.weights[q, t] * (1 + module.weigh(tokens[q, t])[0]) * count
                    if cells.units[q, t] > 0:
                        inside = inside + module.gate(tokens[q, t]) * min(1.0, 1.5 * float(cells.units[q, t]) * count)
                expected[q, n] = score + module.output(mean) @ inside.clamp(min=0)
    assert_close(found, expected)


def test_the_start_is_words_and_an_inner_product():
    torch.manual_seed(2)
    states, docs = make_states(), make_docs()
    plain = RELEVANCE.build({"type": "hyper_words", "weigh": False}, width=D, state_width=H)(states)(docs)
    learning = RELEVANCE.build({"type": "hyper_words", "hidden": 4, "linear": "written"}, width=D, state_width=H)
    assert_close(learning(states)(docs), plain)


@pytest.mark.parametrize("form", FORMS[1:3], ids=str)
def test_its_bound_is_never_below_it(form):
    torch.manual_seed(4)
    f, docs = make_relevance({"type": "hyper_words", **form})(make_states()), Dense(make_docs().vectors.abs())
    f = replace(f, token_weights=f.token_weights * torch.tensor([1.0, -1.0]).repeat(10)[: f.places.shape[1]])
    assert (f.token_weights < 0).any(), "tokens that are not wanted"
    assert (f.bound @ docs.vectors.T >= f(docs) - 1e-5).all()


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
    module = RELEVANCE.build({"type": "hyper_words", "weigh": False, "hidden": 1}, width=2, state_width=1)
    with torch.no_grad():
        for layer, weight, bias in ((module.gate, 0, 1), (module.threshold, 0, -1), (module.output, 0, -3)):
            layer.weight.fill_(weight)
            layer.bias.fill_(bias)
    cells = Cells(torch.tensor([[[0], [1]]]), torch.ones(1, 2), torch.ones(1, 2))
    states = States(torch.zeros(1, 2, 1), torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, 2), cells=cells)
    scores = module(states)(Dense(docs))[0]
    assert sorted(scores.topk(2).indices.tolist()) == [1, 2]
    assert scores[1] > scores[0]
    assert scores[1] > scores[3]


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
