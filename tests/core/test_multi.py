"""Documents of several vectors: gathers, slices and shapes."""

import pytest
import torch

from hyperir.core.docs import Multi


@pytest.fixture
def docs():
    return Multi.of_list([torch.full((length, 3), float(i)) for i, length in enumerate([2, 1, 4, 3])])


def numbers(docs):
    return [sorted(set(docs.vectors[a:b, 0].tolist())) for a, b in zip(docs.indptr, docs.indptr[1:], strict=False)]


def test_a_slice_is_a_view_from_zero(docs):
    part = docs[1:3]
    assert part.indptr.tolist() == [0, 1, 5]
    assert numbers(part) == [[1.0], [2.0]]
    assert part.vectors.data_ptr() == docs.vectors[2:].data_ptr()
    assert (docs[3:1].shape, docs[9:].shape, docs[:0].vectors.shape) == ((0,), (0,), (0, 3))


def test_rows_of_any_shape_are_gathered(docs):
    rows = torch.tensor([[3, 0, -1], [2, 2, 1]])
    part = docs[rows]
    assert part.shape == rows.shape
    assert numbers(part) == [[3.0], [0.0], [3.0], [2.0], [2.0], [1.0]]
    assert part.lengths.tolist() == [3, 2, 3, 4, 4, 1]
    assert numbers(docs[::-2]) == [[3.0], [1.0]]


@pytest.mark.parametrize("row", [4, -5])
def test_a_row_beyond_the_documents_is_refused(docs, row):
    with pytest.raises(IndexError, match=f"row {row} of 4 documents"):
        docs[torch.tensor([row])]


def test_padding_is_left_out():
    mask = torch.tensor([[True, True, False], [True, False, True]])
    part = Multi.of_padded(torch.arange(18.0).reshape(2, 3, 3), mask)
    assert part.indptr.tolist() == [0, 2, 4]
    assert part.vectors[:, 0].tolist() == [0.0, 3.0, 9.0, 15.0]


def test_batches_are_put_behind_each_other(docs):
    assert numbers(Multi.cat([docs[2:], docs[:1]])) == [[2.0], [3.0], [0.0]]
    assert len(docs) == 4
    assert docs.width == 3
