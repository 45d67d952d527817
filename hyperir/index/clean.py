"""Remove what a writer left behind that never became part of a commit. Only the holder of LOCK may."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from hyperir.core.errors import StoreError
from hyperir.index import commit as commits
from hyperir.index.commit import INDICES, MANIFESTS, TRANSACTIONS, Commit
from hyperir.index.retention import remove
from hyperir.index.table import FOLDER, manifest_version, transaction_version

__all__ = ["clean", "has_newer", "leftovers"]


def clean(root: Path, commit: Commit) -> bool:
    """Remove all leftovers; the newest commit's version is then Lance's latest, so that it can append again.

    Returns:
        whether all of them are gone.
    """
    whole = remove(root, leftovers(root, commit))
    for folder in _folders(root):
        if not any(path.is_file() for path in folder.rglob("*")):
            shutil.rmtree(folder)
    return whole


def has_newer(root: Path, commit: Commit) -> bool:
    """Whether Lance has a version newer than a commit's, which would keep the next one from being written."""
    return any(_is_newer(manifest_version(name), commit) for name in _names(root / MANIFESTS))


def leftovers(root: Path, commit: Commit) -> list[str]:
    """Files that no commit names, relative to the index folder.

    Args:
        root: the index folder.
        commit: the newest.
    """
    found = [f"{commits.FOLDER}/{p.name}" for p in (root / commits.FOLDER).glob(f"*{commits.TEMPORARY}")]
    found += [MANIFESTS + name for name in _names(root / MANIFESTS) if _is_newer(manifest_version(name), commit)]
    found += [TRANSACTIONS + n for n in _names(root / TRANSACTIONS) if _is_newer(transaction_version(n), commit, 1)]
    unknown = [name for name in _data(root) if name not in commit.files and name not in found]
    if unknown:  # after a crash, or of an older commit: the older ones are read only where there are such files
        known: set[str] = set()
        for number in commits.numbers(root)[:-1]:
            try:
                known.update(commits.load(root, number).files)
            except StoreError:  # nobody knows what that commit needs, so everything stays
                return found
        found += [name for name in unknown if name not in known]
    return found


def _is_newer(version: int | None, commit: Commit, add: int = 0) -> bool:
    return version is None or version + add > commit.lance_version


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def _folders(root: Path) -> list[Path]:
    parts = [root / name for name in ("ann", "tombs", INDICES)]
    return [path for part in parts if part.is_dir() for path in part.iterdir() if path.is_dir()]


def _data(root: Path) -> Iterator[str]:
    for part in (FOLDER, "ann", "tombs"):
        for path in (root / part).rglob("*"):
            if path.is_file():
                yield path.relative_to(root).as_posix()
