"""What completes and feeds the inner-product engines, tested over one that is made up."""

import pytest
import torch

from hyperir.core.docs import Dense
from hyperir.core.errors import InputError
from hyperir.index.engines.feed import Vectors
from hyperir.index.engines.whole import Whole

N, D, M, K = 5000, 24, 40, 10


@pytest.fixture(scope="module")
def docs():
    return Dense(torch.randn(N, D, generator=torch.Generator().manual_seed(0)))


@pytest.fixture(scope="module")
def vectors():
    return torch.randn(M, D, generator=torch.Generator().manual_seed(1)) * 7


def truth(docs, vectors, k, allowed=None):
    scores = vectors.double() @ docs.vectors.double().T
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return scores.topk(k, dim=1).indices


class Ranked:
    """An engine that knows the truth, tells at most `most` rows of it, and remembers what it was asked."""

    def __init__(self, docs, most=N, shift=0):
        self.docs, self.most, self.shift, self.asked = docs, most, shift, []

    def __call__(self, vectors, k, allowed):
        assert allowed is None
        assert vectors.abs().max() <= 1
        self.asked.append((len(vectors), k))
        return truth(self.docs, vectors, min(k, self.most)) + self.shift


def test_an_engine_without_filters_is_asked_for_more(docs, vectors):
    allowed = torch.arange(N) % 4 == 0
    allowed &= docs.vectors @ vectors[0] < 1.5 * vectors[0].norm()  # the first query must be asked for more
    engine = Ranked(docs)
    rows = Whole(Vectors(docs), scan=0, ask=engine).search(vectors, K, allowed)
    assert torch.equal(rows, truth(docs, vectors, K, allowed))
    assert engine.asked[0] == (M, -(-15 * N // int(allowed.sum())))
    assert engine.asked[1][1] == 2 * engine.asked[0][1]
    assert engine.asked[1][0] < M, "only queries that are short are asked again"
    assert engine.asked[-1][1] <= 50 * K


@pytest.mark.parametrize("most", [0, 4, 40])
def test_queries_that_stay_short_are_scanned(docs, vectors, most):
    allowed = torch.arange(N) % 3 == 0
    for mask in (None, allowed):
        engine = Ranked(docs, most)
        rows = Whole(Vectors(docs), scan=0, ask=engine).search(vectors, K, mask)
        assert torch.equal(rows, truth(docs, vectors, K, mask))
        assert len(engine.asked) == 1, "an engine that gave all it has is not asked again"


def test_few_documents_are_scanned_without_asking(docs, vectors):
    engine = Ranked(docs)
    whole = Whole(Vectors(docs), scan=100, ask=engine)
    allowed = torch.arange(N) < 100
    assert torch.equal(whole.search(vectors, K, allowed), truth(docs, vectors, K, allowed))
    assert not engine.asked
    whole.search(vectors, K, torch.arange(N) < 101)
    assert not engine.asked, "50 k rows would hardly hold k of 101 in 5,000"
    whole.search(vectors, K)
    assert engine.asked == [(M, K)]


def test_rows_that_do_not_exist_are_an_error(docs, vectors):
    with pytest.raises(InputError, match=r"row \d{4}(.|\n)*below 5000"):
        Whole(Vectors(docs), scan=0, ask=Ranked(docs, shift=N)).search(vectors, K)


def test_a_stamp_changes_with_the_documents(docs):
    other = docs.vectors.clone()
    other[N - 1] += 1
    others = [Dense(other), docs[torch.arange(N - 1)], Dense(docs.vectors[:, :-1]), docs[torch.arange(N).flip(0)]]
    assert Vectors(docs).stamp() == Vectors(Dense(docs.vectors.clone())).stamp()
    assert len({Vectors(docs).stamp(), *(Vectors(other).stamp() for other in others)}) == 5
    assert Vectors(docs[torch.arange(0)]).stamp().startswith("hyperir 0 24 ")
