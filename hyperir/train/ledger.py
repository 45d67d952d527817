"""A file of JSON lines that long work writes piece by piece, and goes on with after a stop."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from hyperir.core.errors import InputError, StoreError

__all__ = ["Ledger"]


class Ledger:
    """A header that says what the lines are of, and one line for each piece of work, in order.

    `with Ledger(path, header) as ledger:` opens a file or makes one; `ledger.done` lines are there already. A last line
    that a kill cut short is removed.

    Args:
        path: the file.
        header: plain values; a file with another header is refused, because its lines are of other work.

    Raises:
        InputError: the file has another header, or is something else; it stays as it is.
        StoreError: the disk refuses.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self._path = path
        self._header = json.loads(json.dumps(header))
        self.done = 0
        try:
            there = path.exists() and path.stat().st_size > 0
            self._file: BinaryIO = path.open("r+b" if there else "wb")
        except OSError as error:
            raise InputError(f"{path} cannot be written", got=str(error.strerror or error)) from error
        try:
            if there:
                self._go_on()
            else:
                self.append([self._header])
                self.done = 0
        except BaseException:
            self._file.close()
            raise

    def append(self, values: Iterable[Mapping[str, Any]]) -> None:
        """Write lines. Raises StoreError where the disk refuses."""
        lines = [json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in values]
        try:
            self._file.write(b"".join(lines))
            self._file.flush()
        except OSError as error:
            raise StoreError(
                f"{self._path} cannot be written",
                got=str(error.strerror or error),
                fix="make room; the same command goes on where it was",
            ) from error
        self.done += len(lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def _go_on(self) -> None:
        end, lines, first = 0, 0, b""
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            first = first or line
            end += len(line)
            lines += 1
        self._compare(first)
        self._file.truncate(end)
        self._file.seek(end)
        self.done = lines - 1

    def _compare(self, first: bytes) -> None:
        try:
            header = json.loads(first)
        except ValueError:
            header = None
        if not isinstance(header, dict) or "hyperir" not in header:
            raise InputError(
                f"{self._path} is there already, and is no file that this command began", fix="name another -o FILE"
            )
        names = sorted(name for name in {*header, *self._header} if header.get(name) != self._header.get(name))
        if names:
            raise InputError(
                f"{self._path} was begun with other settings, so that its lines would not fit together",
                expected=", ".join(f"{name} {self._header.get(name)!r}" for name in names),
                got=", ".join(f"{name} {header.get(name)!r}" for name in names),
                fix="name another -o FILE, or remove this one",
            )
