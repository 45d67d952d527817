"""Sparse documents against the dense vectors that they stand for."""

import pytest
import torch

from hyperir.core.docs import Sparse
from hyperir.core.terms import compact, term_of


@pytest.fixture
def vectors():
    torch.manual_seed(0)
    out = torch.randint(0, 4, (9, 6)) * torch.randint(0, 2, (9, 6))
    out[4] = 0
    return out.float()


def test_it_stands_for_its_vectors(vectors):
    docs = Sparse.of_dense(vectors)
    assert docs.shape == (9,)
    assert torch.equal(docs.dense(6).vectors, vectors)
    assert torch.equal(docs.sums(), vectors.sum(1))


@pytest.mark.parametrize("rows", [[3], [0, 8, 4, 4], [-1, -9], [[1, 4], [8, -2], [0, 0]], []])
def test_rows_come_in_the_shape_asked_for(vectors, rows):
    rows = torch.tensor(rows, dtype=torch.int64)
    found = Sparse.of_dense(vectors)[rows]
    assert found.shape == rows.shape
    assert torch.equal(found.dense(6).vectors, vectors[rows])


@pytest.mark.parametrize(
    "part", [slice(2, 6), slice(None), slice(7, 3), slice(-3, None), slice(0, 9, 2), slice(50, 60)]
)
def test_a_slice_is_that_slice(vectors, part):
    found = Sparse.of_dense(vectors)[part]
    rows = list(range(9))[part]
    assert found.shape == (len(rows),)
    assert torch.equal(found.dense(6).vectors, vectors[rows])


def test_a_slice_is_a_view(vectors):
    docs = Sparse.of_dense(vectors)
    docs[2:5].weights.mul_(2)
    assert torch.equal(docs.dense(6).vectors[2:5], 2 * vectors[2:5])


def test_parts_make_a_whole(vectors):
    docs = Sparse.of_dense(vectors)
    whole = Sparse.cat([docs[:3], docs[3:3], docs[3:]])
    assert torch.equal(whole.dense(6).vectors, vectors)
    assert Sparse.cat([]).shape == (0,)


def test_the_numbers_of_words_are_the_same_everywhere():
    # They stand in files.
    assert term_of("cat") == 1843079001574132759
    assert term_of("café") == 3151342568496262129
    assert term_of("") == 8238016292129134938


def test_compact_numbers_ascend_with_the_terms():
    words, places = compact(torch.tensor([7, 2**62, 7, 3, 2**62]))
    assert words.tolist() == [3, 7, 2**62]
    assert places.tolist() == [1, 2, 1, 0, 2]
    assert [part.tolist() for part in compact(torch.empty(0, dtype=torch.int64))] == [[], []]
