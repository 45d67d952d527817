"""Few generations, however many adds: what is small is written together, live rows only, in their order."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hyperir.index import table
from hyperir.index.commit import Generation
from hyperir.index.draft import Draft
from hyperir.index.kinds import KINDS
from hyperir.index.packed import FILE, Packed, PackedWriter, packed_files
from hyperir.index.table import RowTable
from hyperir.index.tombstones import Keys, among

__all__ = ["copy_live", "full", "merge_from", "replace", "sizes_of", "smaller"]

FANOUT = 16  # generations of one tier that become one of the next


def tier(rows: int) -> int:
    """The logarithm of a size to the base `FANOUT`, rounded down."""
    found = 0
    while rows >= FANOUT:
        rows //= FANOUT
        found += 1
    return found


def full(sizes: Sequence[int]) -> int:
    """Where the generations begin that are to become one, after the last of them was added.

    `FANOUT` of one tier do, with smaller ones between them, where no larger one follows. One merge may fill the next
    tier, so that one covers both.

    Args:
        sizes: rows of every generation, the newest last.

    Returns:
        the first of them; all after it go along. `len(sizes)` where there is nothing to do.
    """
    sizes, start = list(sizes), len(sizes)
    while (first := _first_of_full_tier([tier(size) for size in sizes])) is not None:
        start = first
        sizes[first:] = [sum(sizes[first:])]
    return start


def _first_of_full_tier(tiers: Sequence[int]) -> int | None:
    for wanted in range(max(tiers, default=0) + 1):
        places = []
        for place in range(len(tiers) - 1, -1, -1):
            if tiers[place] > wanted:
                break
            if tiers[place] == wanted:
                places.append(place)
        if len(places) >= FANOUT:
            return places[-1]
    return None


def smaller(sizes: Sequence[int], added: int) -> int:
    """Where the generations begin that become one before a larger one of `added` rows hides them for good.

    Together with `full` at most `2 * FANOUT` stay of a tier, and a row is written again only when its generation
    climbs a tier or stops being one of many small ones.

    Returns:
        the first of them, or `len(sizes)` where there are not two.
    """
    start = len(sizes)
    while start and tier(sizes[start - 1]) < tier(added):
        start -= 1
    return start if len(sizes) - start > 1 else len(sizes)


def sizes_of(draft: Draft) -> list[int]:
    """Rows of every generation."""
    return [generation.documents for generation in draft.generations]


def merge_from(draft: Draft, start: int) -> None:
    """Write the generations from `start` on as one."""
    import lance

    merged = draft.generations[start:]
    if not merged:
        return
    rows = RowTable(draft.place, draft.version, draft.base.files)
    old = rows.fragments(sum(sizes_of(draft)[:start]), draft.stored)
    fragments, generation = copy_live(draft, rows, old, merged)
    change = lance.LanceOperation.Update(
        removed_fragment_ids=[fragment.fragment_id for fragment in old], new_fragments=fragments
    )
    draft.version = table.publish(rows, change)
    replace(draft, start, generation)


def replace(draft: Draft, start: int, generation: Sequence[Generation]) -> None:
    """Put what `copy_live` wrote in place of the generations from `start` on, and forget the dead among them."""
    gone = draft.generations[start:]
    for part in _mapped(draft, gone):
        draft.dead = draft.dead[~among(draft.dead, part.keys.numpy())]
    known = {part.file for part in draft.base.generations}
    draft.scratch += [part.file for part in gone if part.file not in known]
    draft.generations = (*draft.generations[:start], *generation)


def copy_live(
    draft: Draft, rows: RowTable, fragments: Sequence[Any], generations: Sequence[Generation]
) -> tuple[list[Any], list[Generation]]:
    """Write the live rows of some generations again, as one generation and new fragments; streamed.

    Args:
        draft: names the dead.
        rows: the table.
        fragments: of these rows.
        generations: the same rows' packed vectors.

    Returns:
        the new fragments, not yet published, and the new generation: a list of one, or of none where all are dead.
    """
    import pyarrow as pa

    base, kind = draft.base, KINDS[draft.base.kind]
    name = f"ann/{uuid.uuid4().hex}/{FILE}"
    batches = rows.stream(fragments, batch=kind.batch)  # here, so that damage is found before anything is written
    packed = PackedWriter(draft.place.begin(name), base.width, base.dtype, base.kind)

    def live() -> Iterator[Any]:
        for batch in batches:
            kept = batch
            dead = among(batch.column("key").to_numpy(), draft.dead)
            if dead.any():
                kept = batch.filter(pa.array(~dead))
            if len(kept):
                packed.write(kind.of_arrow(kept.column("vector"), base.width))
                yield kept

    try:
        reader = pa.RecordBatchReader.from_batches(rows.dataset.schema, live())
        written = table.append_fragments(rows, reader)
        packed.finish(keys for part in _mapped(draft, generations) for keys in _live_keys(part, draft.dead))
    finally:
        packed.close()
    if not packed.documents:
        draft.place.remove([name])
        return written, []
    return written, [Generation(file=name, documents=packed.documents, vectors=packed.count)]


def _mapped(draft: Draft, generations: Sequence[Generation]) -> list[Packed]:
    return packed_files(draft.place, draft.base, generations)


def _live_keys(part: Packed, dead: Keys) -> Iterator[Keys]:
    for keys in np.array_split(part.keys.numpy(), -(-part.documents // (1 << 17))):
        yield keys[~among(keys, dead)]
