"""Whether an index is whole: every byte of it, and that its parts agree. Reports damage; never raises for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hyperir.core.amounts import count_text
from hyperir.core.errors import InputError, StoreError, UnreachableError
from hyperir.core.progress import Progress
from hyperir.index import commit as commits
from hyperir.index import durable, tombstones
from hyperir.index.clean import leftovers
from hyperir.index.commit import Commit, FileRecord
from hyperir.index.kinds import KINDS
from hyperir.index.packed import Packed, packed_files
from hyperir.index.place import Place, place_at
from hyperir.index.structures import problem_of
from hyperir.index.table import FOLDER, RowTable

__all__ = ["Problem", "Report", "disagreements", "hash_all", "read_commits", "verify", "wrong_structures"]

BLOCK = 8192


@dataclass(frozen=True)
class Problem:
    """One damaged file, relative to the index folder, and what is wrong with it."""

    file: str
    what: str


@dataclass(frozen=True)
class Report:
    """What `verify` found.

    Args:
        path: where the index is.
        problems: nothing where the index is whole.
        leftovers: files of an add that never became part of the index; harmless, the next add removes them.
        files: how many were read.
        bytes: how many were read.
        documents: alive in the newest commit, or None where it cannot be read.
    """

    path: Path | str
    problems: tuple[Problem, ...]
    leftovers: tuple[str, ...]
    files: int
    bytes: int
    documents: int | None

    @property
    def ok(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        if self.ok:
            held = count_text(self.documents or 0, "document")
            return f"{self.path}: whole; {held}, {count_text(self.files, 'file')}, {self.bytes:,} bytes read"
        return "\n".join(
            [f"{self.path}: {len(self.problems)} damaged", *(f"  {p.file}: {p.what}" for p in self.problems)]
        )


def verify(path: str | Path, show_progress: bool = True) -> Report:
    """Read the whole index again and compare it with what was committed.

    Works where the index cannot be opened any more.

    Raises:
        InputError: there is no index at `path`.
        UnreachableError: an object store does not answer.
    """
    place = place_at(path)
    numbers = commits.numbers(place)
    if not numbers:
        raise InputError(f"there is no index at {place}")
    known, problems = read_commits(place)
    newest = known.get(numbers[-1])
    files: dict[str, FileRecord] = {}
    for number, commit in known.items():
        for file, record in commit.files.items():
            if files.setdefault(file, record) != record:
                what = f"{commits.name_of(number)} commits another size or hash of it than an earlier commit"
                problems.append(Problem(file, what))
    problems += hash_all(place, files, show_progress)
    damaged = {problem.file for problem in problems}
    if newest is not None and not damaged & newest.files.keys():  # the parsers see only files that are as written
        problems += [*disagreements(place, newest), *wrong_structures(place, newest)]
    return Report(
        path=place.path,
        problems=tuple(problems),
        leftovers=tuple(leftovers(place, newest)) if newest is not None else (),
        files=len(files) + len(numbers),
        bytes=sum(record.size for record in files.values()),
        documents=newest.documents if newest is not None else None,
    )


def read_commits(place: Place) -> tuple[dict[int, Commit], list[Problem]]:
    """Every commit that can be read, by its number, oldest first; and what is wrong with the others."""
    numbers = commits.numbers(place)
    known: dict[int, Commit] = {}
    problems: list[Problem] = []
    for number in numbers:
        try:
            known[number] = commits.load(place, number)
        except UnreachableError:
            raise
        except StoreError as error:
            problems.append(Problem(commits.name_of(number), f"{error.what}: {error.got}"))
            continue
        parent = known[number].parent
        if parent is not None and parent not in numbers and parent > numbers[0]:
            problems.append(Problem(commits.name_of(parent), "missing"))
    return known, problems


def hash_all(place: Place, files: Mapping[str, FileRecord], show_progress: bool) -> Iterator[Problem]:
    """Compare every file with its committed size and hash."""
    total = sum(-(-record.size // durable.BLOCK) for record in files.values())
    sizes = place.sizes(files)
    with Progress("Verifying", total=total, unit="MiB", show=show_progress) as bar:
        for name, record in files.items():
            try:
                digest = place.sha256(name, lambda _: bar.advance())
            except OSError as error:
                yield Problem(name, f"cannot be read: {error.strerror or error}")
                continue
            if (size := sizes.get(name, 0)) != record.size:
                yield Problem(name, f"{size:,} bytes, committed with {record.size:,}")
            elif digest != record.sha256:
                yield Problem(name, "other bytes than committed (SHA-256 differs)")


def disagreements(place: Place, commit: Commit) -> Iterator[Problem]:
    """Whether the parts of a commit agree with each other; its files are as committed."""
    packed = packed_files(place, commit)
    whole = True
    for part in packed:
        try:
            yield from (Problem(part.name, what) for what in _wrong_vectors(part))
        except UnreachableError:
            raise
        except StoreError as error:
            whole = False
            yield Problem(part.name, error.got)
    if whole:
        keys = torch.cat([torch.empty(0, dtype=torch.int64), *(part.keys for part in packed)])
        yield from (Problem(FOLDER, what) for what in _wrong_rows(RowTable(place, commit.lance_version), keys, commit))
        yield from _wrong_tombstones(place, commit, keys)


def wrong_structures(place: Place, commit: Commit, damaged: Iterable[str] = ()) -> Iterator[Problem]:
    """Structures that hold what nobody can have built, those apart whose files are `damaged`."""
    known = set(damaged)
    for structure in commit.structures:
        if not known & set(structure.files) and (what := problem_of(place, commit, structure)) is not None:
            yield Problem(structure.file, what)


def _wrong_vectors(part: Packed) -> Iterator[str]:
    indptr = None if part.count is None else part.indptr
    for start in range(0, part.rows, BLOCK):
        block = tuple(tensor[start : start + BLOCK] for tensor in part.tensors)
        if (wrong := KINDS[part.kind].unsound(block, part.width)).any():
            place = start + int(wrong.int().argmax())
            row = place if indptr is None else int(torch.searchsorted(indptr, place, right=True)) - 1
            yield KINDS[part.kind].flaw.format(row=row)
            return


def _wrong_tombstones(place: Place, commit: Commit, keys: Tensor) -> Iterator[Problem]:
    for name in commit.tombstones:
        try:
            dead = tombstones.read(place, commit)  # as many as rows are stored and not documents
        except UnreachableError:
            raise
        except StoreError as error:
            yield Problem(name, error.got)
            return
        if (dead[1:] <= dead[:-1]).any():
            yield Problem(name, "keys are not increasing")
        if not np.isin(dead, keys.numpy()).all():
            yield Problem(name, "a deleted key belongs to no row stored")


def _wrong_rows(rows: RowTable, keys: Tensor, commit: Commit) -> Iterator[str]:
    if len(keys) > 1 and not bool((keys[1:] > keys[:-1]).all()):
        yield "keys are not increasing"
    if len(keys) and int(keys[-1]) >= commit.next_key:
        yield f"key {int(keys[-1])} was given, but the next one is committed as {commit.next_key}"
    try:
        if (count := rows.count()) != commit.stored:
            yield f"{count:,} rows, committed with {commit.stored:,}"
            return
        place = 0
        for batch in rows.scan(["key"]):
            found = torch.from_numpy(batch.column(0).to_numpy(zero_copy_only=False).copy())
            if not torch.equal(found, keys[place : place + len(found)]):
                yield f"keys differ from those of the packed vectors, from row {place} on"
                return
            place += len(found)
    except UnreachableError:
        raise
    except StoreError as error:
        yield error.got
