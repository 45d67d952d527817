"""What encoding a collection will take, told before the work."""

from __future__ import annotations

import itertools
import sys
import time
from dataclasses import dataclass
from typing import Any

from hyperir.core.amounts import bytes_text, count_text, seconds_text
from hyperir.core.progress import track
from hyperir.core.types import Encoder, Row
from hyperir.corpus.collection import Collection

__all__ = ["Survey", "say_needs", "stored_bytes", "survey"]

CHARACTERS = 4.5  # of a token, as English texts have
WORK = 200e6  # bytes that encoding itself takes, beyond what the process holds already


@dataclass(frozen=True)
class Survey:
    """How much there is to encode.

    Args:
        documents: how many.
        characters: of their titles and texts.
    """

    documents: int
    characters: int


def survey(collection: Collection, *, show_progress: bool = True) -> Survey:
    """Read a collection once: its errors are found before any work, and a bar has its total."""
    documents = characters = 0
    for row in track(collection.documents(), "Reading", collection.count, "documents", show=show_progress):
        documents += 1
        characters += _length(row)
    return Survey(documents, characters)


def say_needs(
    encoder: Encoder[Any],
    collection: Collection,
    found: Survey,
    batch_size: int,
    *,
    disk: float = 0,
    memory: float = 0,
) -> None:
    """Print time, disk and memory on stderr; the time from encoding a sample of this very collection.

    Args:
        encoder: what will encode.
        collection: what will be encoded.
        found: its survey.
        batch_size: documents computed at once.
        disk: bytes that will be written; 0 where nothing is.
        memory: bytes that will be held besides the process as it is and the encoding itself.
    """
    import resource

    sample = list(itertools.islice(collection.documents(), 2 * batch_size))
    start = time.perf_counter()
    if sample:
        encoder.encode_document(sample, batch_size=batch_size, show_progress_bar=False)
    seconds = (time.perf_counter() - start) * found.characters / max(sum(map(_length, sample)), 1)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + WORK + memory
    print(
        f"{count_text(found.documents, 'document')}, {found.characters / 1e6:,.1f} million characters, "
        f"by {encoder.name}: about {seconds_text(seconds)}, "
        + (f"{bytes_text(disk)} of disk, {bytes_text(held)} of memory" if disk else f"{bytes_text(held)} of memory"),
        file=sys.stderr,
    )


def stored_bytes(found: Survey, width: int, dtype: str, kind: str = "dense") -> float:
    """What an index takes on the disk: vectors are stored twice, with the rows, and packed for searching.

    Of documents with a vector of every token, a token of `CHARACTERS` is assumed; of weights of terms, as many terms.
    """
    if kind == "sparse":
        return 2 * found.characters / CHARACTERS * (8 + (4 if dtype == "float32" else 2)) + 1.1 * found.characters
    vectors = found.documents if kind == "dense" else found.characters / CHARACTERS + 3 * found.documents
    return 2 * vectors * width * (4 if dtype == "float32" else 2) + 1.1 * found.characters


def _length(row: Row) -> int:
    return len(row["text"]) + len(row.get("title") or "")
