"""Models fitted to an index, kept in it: copied, checked and found again. What is in them is not this room's matter."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hyperir.core.errors import CorruptError, InputError
from hyperir.index import commit as commits
from hyperir.index import durable
from hyperir.index.commit import Commit, Fitted
from hyperir.index.place import Place

__all__ = ["FOLDER", "copy", "nothing_to_undo", "opened"]

FOLDER = "models"


def copy(place: Place, source: Path, told: str) -> Fitted:
    """Copy a model folder into an index; it is part of it once a commit names it. Raises OSError."""
    folder = f"{FOLDER}/{uuid.uuid4().hex}"
    names = sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
    files = tuple(f"{folder}/{name}" for name in names)
    for name, file in zip(names, files, strict=True):
        shutil.copyfile(source / name, place.begin(file))
    return Fitted(folder=folder, files=files, told=told, created=commits.now())


@contextmanager
def opened(place: Place, commit: Commit, fitted: Fitted) -> Iterator[Path]:
    """The model folder, every byte compared with the commit before anybody reads it.

    Raises:
        CorruptError: a file is not as committed.
    """
    found = {}
    for file in fitted.files:
        record = commit.files[file]
        try:
            path = place.local(file, record.content)
            if path.stat().st_size != record.size or durable.sha256_of(path) != record.sha256:
                raise _damaged(place, file, "other bytes than committed")
        except OSError as error:
            raise _damaged(place, file, str(error)) from error
        found[file.removeprefix(fitted.folder + "/")] = path
    first, where = next(iter(found.items()))
    folder = where.parents[first.count("/")]
    if all(path == folder / name for name, path in found.items()):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="hyperir-") as made:  # of an object store each file lies by itself
        for name, path in found.items():
            (Path(made) / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, Path(made) / name)
        yield Path(made)


def nothing_to_undo(place: Place) -> InputError:
    """The error for an index that has no fitted function."""
    return InputError(
        f"{place} has nothing to undo",
        expected="a relevance function that was fitted to it",
        got="that of the model that made its vectors",
        fix=f'"hyperir adapt {place}" fits one; "hyperir info {place} --history" lists all changes',
    )


def _damaged(place: Place, name: str, got: str) -> CorruptError:
    return CorruptError(
        f"{name} in {place}, of the relevance function fitted to it, is damaged or missing",
        expected="the file as it was committed",
        got=got,
        fix=f'"hyperir adapt {place} --undo" goes back to the one before, "hyperir repair {place}" drops it; '
        "`-M NAME` searches with another model",
    )
