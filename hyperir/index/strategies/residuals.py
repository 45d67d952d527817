"""Residual compression of vectors: the nearest centroid, and in 1, 2 or 4 bits a dimension what is left over.

Santhanam et al., "ColBERTv2", NAACL 2022. A vector v with the nearest centroid c is kept as the number of c and the
bucket of every number of v - c. All dimensions share the buckets: as many quantiles of what is left over in a sample,
so that each is equally full. A bucket stands for the quantile in its middle. Vectors come back with their length 1
where they had it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Codec", "nearest", "packed_width"]

BLOCK = 1 << 20  # distances, or numbers, held at once: 4 MB
UNIT = 1e-3  # how far from 1 the length of a vector may be that is taken to be 1


def packed_width(width: int, bits: int) -> int:
    """Bytes of one vector's buckets."""
    return -(-width * bits // 8)


@dataclass(frozen=True)
class Codec:
    """Compresses vectors and takes them back.

    Args:
        centroids: (C, D) fp32.
        cutoffs: (2^bits - 1,) ascending: where one bucket ends and the next begins.
        values: (2^bits,) what each bucket stands for.
        unit: vectors come back with length 1.
    """

    centroids: Tensor
    cutoffs: Tensor
    values: Tensor
    unit: bool

    @property
    def bits(self) -> int:
        return len(self.values).bit_length() - 1

    @classmethod
    def of_sample(cls, centroids: Tensor, sample: Tensor, bits: int) -> Codec:
        """The buckets that a sample (n, D) of the vectors asks for; n > 0."""
        left = (sample - centroids[nearest(sample, centroids)]).flatten().sort().values
        count = 2**bits
        places = torch.arange(1, 2 * count, dtype=torch.float64) / (2 * count) * (len(left) - 1)
        quantiles = left[places.round().long()]
        unit = bool((sample.norm(dim=1) - 1).abs().max() < UNIT)
        return cls(centroids, quantiles[1::2].contiguous(), quantiles[0::2].contiguous(), unit)

    def compress(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """(n, D) fp32 -> (n,) int32 numbers of centroids, and (n, bytes) uint8 buckets, the first in the low bits."""
        codes = nearest(vectors, self.centroids)
        buckets = torch.bucketize(vectors - self.centroids[codes], self.cutoffs, right=True)
        each = 8 // self.bits
        buckets = F.pad(buckets, (0, -buckets.shape[1] % each)).reshape(
            len(vectors), -(-buckets.shape[1] // each), each
        )
        shifts = torch.arange(0, 8, self.bits)
        return codes.int(), (buckets << shifts).sum(2).to(torch.uint8)

    def decompress(self, codes: Tensor, packed: Tensor) -> Tensor:
        """The reverse, as near as the buckets are: (n, D) fp32."""
        # Every byte stands for 8 / bits values: looked up, not computed.
        found = self._table()[packed.long()].flatten(1)[:, : self.centroids.shape[1]]
        vectors = found + self.centroids[codes.long()]
        return F.normalize(vectors, dim=1) if self.unit else vectors

    def _table(self) -> Tensor:
        """(256, 8 / bits): the values that each byte stands for."""
        shifts = torch.arange(0, 8, self.bits)
        return self.values[(torch.arange(256)[:, None] >> shifts) & (2**self.bits - 1)]


def nearest(vectors: Tensor, centroids: Tensor) -> Tensor:
    """(n,) int64: the centroid nearest to each vector."""
    half = centroids.square().sum(1) / 2
    parts = torch.split(vectors, max(BLOCK // max(len(centroids), 1), 1))
    found = [torch.addmm(-half, part, centroids.T).argmax(1) for part in parts]
    return torch.cat(found) if found else torch.empty(0, dtype=torch.int64)
