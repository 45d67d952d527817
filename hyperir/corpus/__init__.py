"""Collections in: one reader a file, one line each in the table. `open_collection` finds the right one.

A member is a class made from its configuration that offers what :class:`hyperir.corpus.collection.Reader` says.
"""

from hyperir.core.registry import Table
from hyperir.corpus.collection import Collection, Reader

__all__ = ["READERS", "Collection", "Reader", "open_collection"]

# In this order they are asked whether a source is theirs.
READERS: Table[Reader] = Table(
    "corpus",
    {
        "pydoc": "hyperir.corpus.pydoc:Pydoc",
        "irds": "hyperir.corpus.irds:Irds",
        "beir": "hyperir.corpus.beir:Beir",
        "jsonl": "hyperir.corpus.jsonl:Jsonl",
        "parquet": "hyperir.corpus.parquet:Parquet",
        "msmarco": "hyperir.corpus.msmarco:MsMarco",
        "csv": "hyperir.corpus.csv:Csv",
        "texts": "hyperir.corpus.texts:Texts",
    },
)

from hyperir.corpus.opening import open_collection  # noqa: E402 - it reads the table above
