"""An index in a folder of this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hyperir.core.errors import InputError
from hyperir.index import durable
from hyperir.index.lock import exclusive
from hyperir.index.place import Content, Hold, TableAddress

__all__ = ["TEMPORARY", "LocalFolder"]

TEMPORARY = ".tmp"  # of a file that is not published yet


@dataclass(frozen=True)
class FileLock:
    """A lock of the system's: it cannot be lost, and nobody can take it from a process that lives."""

    taken_over: bool = False

    def fenced(self) -> None:
        """Nothing to remember."""

    def check(self) -> None:
        """Nothing to check."""


@dataclass(frozen=True)
class LocalFolder:
    """A place in the file system; see `Place`.

    Args:
        root: the index folder, an absolute path.
    """

    root: Path

    def __str__(self) -> str:
        return str(self.root)

    def names(self, folder: str = "") -> list[str]:
        try:
            return [path.name for path in (self.root / folder).iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def files(self, folder: str = "") -> dict[str, int]:
        found: dict[str, int] = {}
        waiting = [folder]
        while waiting:
            inside = waiting.pop()
            try:
                with os.scandir(self.root / inside) as entries:
                    for entry in entries:
                        name = f"{inside}/{entry.name}" if inside else entry.name
                        if entry.is_dir():
                            waiting.append(name)
                        elif entry.is_file():
                            found[name] = entry.stat().st_size
            except (FileNotFoundError, NotADirectoryError):  # never there, or removed meanwhile
                continue
        return found

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def sha256(self, name: str, advance: Callable[[int], None] | None = None) -> str:
        return durable.sha256_of(self.root / name, advance)

    def local(self, name: str, content: Content) -> Path:
        return self.root / name

    def prepare(self, folders: Iterable[str] = ()) -> None:
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f"{self.root} is a file", expected="a folder for the index")
        self.root.mkdir(parents=True, exist_ok=True)
        for name in folders:
            (self.root / name).mkdir(parents=True, exist_ok=True)
        durable.sync_all(self.root, [])
        durable.sync_folder(self.root.parent)

    def begin(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise FileExistsError(path)
        return path

    def settle(self, names: Iterable[str]) -> dict[str, Content]:
        names = list(names)
        durable.sync_all(self.root, names)
        return {name: Content((self.root / name).stat().st_size, self.sha256(name)) for name in names}

    def discard(self) -> None:
        """Nothing to do: what was begun lies in the folder, where the next cleaning finds it."""

    def publish(self, name: str, data: bytes) -> None:
        path = self.root / name
        temporary = path.with_suffix(TEMPORARY)
        durable.write_new(temporary, data)
        durable.publish(temporary, path)

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            (self.root / name).unlink(missing_ok=True)

    def prune(self, folder: str) -> None:
        for top, _, _ in os.walk(self.root / folder, topdown=False):
            path = Path(top)
            if path != self.root / folder and not any(path.iterdir()):
                path.rmdir()

    def clear(self) -> None:
        shutil.rmtree(self.root)

    def table(self, name: str) -> TableAddress:
        return TableAddress(str(self.root / name), None)

    @contextmanager
    def lock(self, wait: float = 0.0) -> Iterator[Hold]:
        with exclusive(self.root, wait):
            yield FileLock()
