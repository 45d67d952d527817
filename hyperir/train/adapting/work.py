"""The folder that an adaptation works in, so that a stop loses little: the same command goes on there."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hyperir.core.errors import InputError

__all__ = ["Work", "beside", "forget_others"]

MARK = "adaptation.json"


def beside(index: Path | str) -> Path:
    """Where an adaptation works if nobody says: beside a folder, or here for an index on an object store."""
    if isinstance(index, Path):
        return index.with_name(f"{index.name}.adapting")
    return Path.cwd() / f"{index.rstrip('/').rsplit('/', 1)[-1]}.adapting"


class Work:
    """A folder of one adaptation. What another one left there is removed, but for what says itself what it is of.

    Args:
        folder: made if it is missing.
        header: plain values that say what is done; with other values it is another adaptation.
        stays: names in the folder that another adaptation leaves to this one.

    Raises:
        InputError: the folder holds something else.
    """

    def __init__(self, folder: Path, header: Mapping[str, Any], stays: Sequence[str] = ()) -> None:
        self.folder = folder
        self._mark = folder / MARK
        self._header = json.loads(json.dumps(header))
        self.seconds = 0.0
        if folder.exists() and not self._mark.is_file() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(
                f"{folder} holds something already, and no adaptation that could go on",
                expected="a folder that does not exist or is empty",
                fix="--work ANOTHER",
            )
        if self._mark.is_file():
            said = json.loads(self._mark.read_text(encoding="utf-8"))
            if said["of"] == self._header:
                self.seconds = said["seconds"]
                return
            for path in folder.iterdir():
                if path.name not in stays:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        self._write()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Add up the seconds of all calls, and say after a stop that there is something to go on from."""
        start, before = time.monotonic(), self.seconds
        try:
            yield
        except BaseException as error:
            self.seconds = before + time.monotonic() - start
            self._write()
            error.add_note(f"What was done is in {self.folder}; the same command goes on there.")
            raise
        self.seconds = before + time.monotonic() - start
        self._write()

    def remove(self) -> None:
        """All is done."""
        shutil.rmtree(self.folder)

    def _write(self) -> None:
        beside = self._mark.with_suffix(".new")
        beside.write_text(json.dumps({"of": self._header, "seconds": self.seconds}), encoding="utf-8")
        beside.replace(self._mark)


def forget_others(file: Path, header: Mapping[str, Any]) -> None:
    """Remove a file of JSON lines that begins with another header: it is of other work."""
    if file.is_file():
        with file.open("rb") as lines:
            first = lines.readline()
        if first != json.dumps(json.loads(json.dumps(header)), ensure_ascii=False).encode() + b"\n":
            file.unlink()
