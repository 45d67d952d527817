"""An index in a folder of this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from hyperir.core.errors import InputError
from hyperir.index import durable
from hyperir.index.lock import exclusive
from hyperir.index.place import TEMPORARY, Content, Hold, TableAddress, UnconfirmedError

__all__ = ["LocalFolder"]


@dataclass(frozen=True)
class LocalFolder:
    """A place in the file system; see `Place`.

    Args:
        root: the index folder, an absolute path.
    """

    root: Path

    def __str__(self) -> str:
        return str(self.root)

    @property
    def path(self) -> Path:
        return self.root

    def names(self, folder: str = "") -> list[str]:
        try:
            with os.scandir(self.root / folder) as entries:
                return [entry.name for entry in entries]
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

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        found = {}
        for name in names:
            with suppress(OSError):
                found[name] = (self.root / name).stat().st_size
        return found

    def read(self, name: str, start: int = 0) -> bytes:
        with (self.root / name).open("rb") as file:
            file.seek(start)
            return file.read()

    def sha256(self, name: str, advance: Callable[[int], None] | None = None) -> str:
        return durable.sha256_of(self.root / name, advance)

    def stamp(self, name: str) -> tuple[int, ...]:
        found = (self.root / name).stat()
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def local(self, name: str, content: Content | None) -> Path:
        return self.root / name

    def prepare(self, folders: Iterable[str] = ()) -> None:
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f"{self.root} is a file", expected="a folder for the index")
        made = [folder for folder in self.root.parents if not folder.exists()]
        self.root.mkdir(parents=True, exist_ok=True)
        for name in folders:
            (self.root / name).mkdir(parents=True, exist_ok=True)
        durable.sync_all(self.root, [])
        for folder in (self.root, *made):
            durable.sync_folder(folder.parent)

    def begin(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise FileExistsError(path)
        return path

    def settle(self, names: Iterable[str]) -> dict[str, Content]:
        return dict(durable.at_once(lambda name: (name, self._content(name)), names))

    def _content(self, name: str) -> Content:
        return Content((self.root / name).stat().st_size, self.sha256(name))

    def replace(self, begun: str, name: str) -> None:
        (self.root / begun).replace(self.root / name)

    def publish(self, name: str, data: bytes, new: Iterable[str] = (), ended: Iterable[str] = ()) -> None:
        path = self.root / name
        temporary = path.with_suffix(TEMPORARY)
        temporary.write_bytes(data)
        durable.sync_all(self.root, [temporary.relative_to(self.root).as_posix(), *new])
        durable.publish(temporary, path)
        ended = list(ended)
        try:
            # Before older names go: a disk may keep later changes of a folder and lose this one.
            durable.sync_folder(path.parent)
            for old in ended:
                (self.root / old).unlink(missing_ok=True)
            if ended:
                durable.sync_folder(path.parent)
        except OSError as error:
            raise UnconfirmedError(error.errno, str(error)) from error

    def remove(self, names: Iterable[str]) -> bool:
        whole = True
        for name in names:
            path = self.root / name
            try:
                path.unlink(missing_ok=True)
            except OSError:  # Windows keeps a file that a reader has open
                whole = False
                continue
            if name.count("/") > 1:  # the folders of the index itself stay
                with suppress(OSError):  # it holds something else
                    path.parent.rmdir()
        return whole

    def prune(self, folder: str) -> None:
        for top, _, _ in os.walk(self.root / folder, topdown=False):
            path = Path(top)
            if path != self.root / folder:
                with suppress(OSError):  # it holds something
                    path.rmdir()

    def free(self) -> int:
        return shutil.disk_usage(self.root).free

    def check(self) -> None:
        """Nothing to check: the system takes a lock from nobody who lives."""

    def clear(self) -> None:
        shutil.rmtree(self.root)

    def table(self, name: str) -> TableAddress:
        return TableAddress(str(self.root / name), None)

    def lock(self, wait: float = 0.0) -> AbstractContextManager[Hold]:
        return exclusive(self.root, wait)
