"""Whether an index is whole: every byte of it, and that its parts agree. Reports damage; never raises for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hyperir.core.errors import InputError, StoreError
from hyperir.core.progress import Progress
from hyperir.index import commit as commits
from hyperir.index import durable
from hyperir.index.clean import leftovers
from hyperir.index.commit import Commit, FileRecord
from hyperir.index.packed import Packed
from hyperir.index.table import FOLDER, RowTable

__all__ = ["Problem", "Report", "verify"]

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
        path: the index folder.
        problems: nothing where the index is whole.
        leftovers: files of an add that never became part of the index; harmless, the next add removes them.
        files: how many were read.
        bytes: how many were read.
        documents: in the newest commit, or None where it cannot be read.
    """

    path: Path
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
            return f"{self.path}: whole; {self.documents:,} documents, {self.files:,} files, {self.bytes:,} bytes read"
        return "\n".join(
            [f"{self.path}: {len(self.problems)} damaged", *(f"  {p.file}: {p.what}" for p in self.problems)]
        )


def verify(path: str | Path, show_progress: bool = True) -> Report:
    """Read the whole index again and compare it with what was committed.

    Works where the index cannot be opened any more.

    Raises:
        InputError: there is no index at `path`.
    """
    root = Path(path).absolute()
    numbers = commits.numbers(root)
    if not numbers:
        raise InputError(f"there is no index at {root}")
    problems: list[Problem] = []
    files: dict[str, FileRecord] = {}
    newest: Commit | None = None
    for number in numbers:
        name = commits.name_of(number)
        try:
            newest = commits.load(root, number)
        except StoreError as error:
            newest = None
            problems.append(Problem(name, f"{error.what}: {error.got}"))
            continue
        if newest.parent is not None and newest.parent not in numbers and newest.parent > numbers[0]:
            problems.append(Problem(commits.name_of(newest.parent), "missing"))
        for file, record in newest.files.items():
            if files.setdefault(file, record) != record:
                problems.append(Problem(file, f"{name} commits another size or hash of it than an earlier commit"))
    problems += _hash_all(root, files, show_progress)
    damaged = {problem.file for problem in problems}
    if newest is not None and not damaged & newest.files.keys():  # the parsers see only files that are as written
        problems += _agree(root, newest)
    return Report(
        path=root,
        problems=tuple(problems),
        leftovers=tuple(leftovers(root, newest)) if newest is not None else (),
        files=len(files) + len(numbers),
        bytes=sum(record.size for record in files.values()),
        documents=newest.documents if newest is not None else None,
    )


def _hash_all(root: Path, files: dict[str, FileRecord], show_progress: bool) -> Iterator[Problem]:
    total = sum(-(-record.size // durable.BLOCK) for record in files.values())
    with Progress("Verifying", total=total, unit="MiB", show=show_progress) as bar:
        for name, record in files.items():
            try:
                size = (root / name).stat().st_size
                digest = durable.sha256_of(root / name, lambda _: bar.advance())
            except OSError as error:
                yield Problem(name, f"cannot be read: {error.strerror}")
                continue
            if size != record.size:
                yield Problem(name, f"{size:,} bytes, committed with {record.size:,}")
            elif digest != record.sha256:
                yield Problem(name, "other bytes than committed (SHA-256 differs)")


def _agree(root: Path, commit: Commit) -> Iterator[Problem]:
    packed = [Packed(root, g.file, g.documents, commit.width, commit.dtype) for g in commit.generations]
    whole = True
    for part in packed:
        try:
            yield from (Problem(part.name, what) for what in _wrong_vectors(part))
        except StoreError as error:
            whole = False
            yield Problem(part.name, error.got)
    if whole:
        keys = torch.cat([torch.empty(0, dtype=torch.int64), *(part.keys for part in packed)])
        yield from (Problem(FOLDER, what) for what in _wrong_rows(RowTable(root, commit.lance_version), keys, commit))


def _wrong_vectors(part: Packed) -> Iterator[str]:
    for start in range(0, part.documents, BLOCK):
        finite = part.vectors[start : start + BLOCK].isfinite().all(dim=1)
        if not finite.all():
            yield f"the vector of its row {start + int(finite.int().argmin())} is not finite"
            return


def _wrong_rows(rows: RowTable, keys: Any, commit: Commit) -> Iterator[str]:
    if len(keys) > 1 and not bool((keys[1:] > keys[:-1]).all()):
        yield "keys are not increasing"
    if len(keys) and int(keys[-1]) >= commit.next_key:
        yield f"key {int(keys[-1])} was given, but the next one is committed as {commit.next_key}"
    try:
        if (count := rows.count()) != commit.documents:
            yield f"{count:,} rows, committed with {commit.documents:,}"
            return
        place = 0
        for batch in rows.scan(["key"]):
            found = torch.from_numpy(batch.column(0).to_numpy(zero_copy_only=False).copy())
            if not torch.equal(found, keys[place : place + len(found)]):
                yield f"keys differ from those of the packed vectors, from row {place} on"
                return
            place += len(found)
    except StoreError as error:
        yield error.got
