"""Networks that write networks: one reads token states and writes the parameters of another. No retrieval in here."""

from hyperir.core.registry import Table
from hyperir.hypernet.target import Head, Slot, call, slots_of

__all__ = ["HEADS", "Head", "Hypernetwork", "Slot", "call", "slots_of"]

HEADS: Table[Head] = Table(
    "heads",
    {
        "attention": "hyperir.hypernet.heads.attention:AttentionHead",
        "pooled": "hyperir.hypernet.heads.pooled:PooledHead",
    },
)

from hyperir.hypernet.hypernetwork import Hypernetwork  # noqa: E402 - it reads the table above
