"""Residual compression against its definition, number by number."""

import pytest
import torch

from hyperir.index.strategies.residuals import Codec, nearest, packed_width

C, N = 5, 200


@pytest.fixture(params=[8, 7])
def vectors(request):
    torch.manual_seed(0)
    return torch.nn.functional.normalize(torch.randn(N, request.param), dim=1)


@pytest.fixture
def centroids(vectors):
    return torch.nn.functional.normalize(torch.randn(C, vectors.shape[1]), dim=1)


def slow(codec, vector):
    """Code, buckets and what comes back, of one vector, by loops."""
    distances = [float((vector - c).square().sum()) for c in codec.centroids]
    code = distances.index(min(distances))
    buckets = [sum(float(x) >= float(cut) for cut in codec.cutoffs) for x in vector - codec.centroids[code]]
    packed = [0] * packed_width(len(vector), codec.bits)
    for i, bucket in enumerate(buckets):
        packed[i * codec.bits // 8] |= bucket << (i * codec.bits % 8)
    back = torch.tensor([float(codec.centroids[code][i] + codec.values[b]) for i, b in enumerate(buckets)])
    return code, packed, back / back.norm()


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_it_equals_the_definition(vectors, centroids, bits):
    codec = Codec.of_sample(centroids, vectors, bits)
    codes, packed = codec.compress(vectors)
    back = codec.decompress(codes, packed)
    assert (packed.dtype, packed.shape[1]) == (torch.uint8, packed_width(vectors.shape[1], bits))
    for i in range(N):
        code, bytes_, expected = slow(codec, vectors[i])
        assert codes[i] == code
        assert packed[i].tolist() == bytes_
        torch.testing.assert_close(back[i], expected, rtol=1e-5, atol=1e-6)


def test_buckets_are_equally_full_and_more_of_them_are_nearer(vectors, centroids):
    errors = []
    for bits in (1, 2, 4):
        codec = Codec.of_sample(centroids, vectors, bits)
        left = vectors - centroids[nearest(vectors, centroids)]
        counts = torch.bincount(torch.bucketize(left.flatten(), codec.cutoffs, right=True), minlength=2**bits)
        assert counts.max() - counts.min() <= 0.05 * left.numel() / 2**bits + 2
        errors.append(float((codec.decompress(*codec.compress(vectors)) - vectors).square().mean()))
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_lengths_other_than_one_are_kept(vectors, centroids):
    codec = Codec.of_sample(3 * centroids, 3 * vectors, 4)
    assert not codec.unit
    found = codec.decompress(*codec.compress(3 * vectors))
    assert (found - 3 * vectors).abs().mean() < 0.1
    assert codec.decompress(*codec.compress(vectors[:0])).shape == (0, vectors.shape[1])
