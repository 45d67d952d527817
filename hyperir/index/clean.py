"""Remove what a writer left behind that never became part of a commit. Only the holder of LOCK may."""

from __future__ import annotations

from hyperir.core.errors import StoreError
from hyperir.index import commit as commits
from hyperir.index.commit import INDICES, MANIFESTS, TRANSACTIONS, Commit
from hyperir.index.place import TEMPORARY, Place
from hyperir.index.table import FOLDER, manifest_version, transaction_version

__all__ = ["clean", "has_newer", "leftovers"]

PARTS = (f"{FOLDER}/", "ann/", "tombs/", "models/")


def clean(place: Place, commit: Commit) -> bool:
    """Remove all leftovers; the newest commit's version is then Lance's latest, so that it can append again.

    Returns:
        whether all of them are gone.
    """
    whole = place.remove(leftovers(place, commit))
    for folder in ("ann", "tombs", "models", INDICES):
        place.prune(folder)
    return whole


def has_newer(place: Place, commit: Commit) -> bool:
    """Whether Lance has a version newer than a commit's, which would keep the next one from being written."""
    return any(_is_newer(manifest_version(name), commit) for name in place.names(MANIFESTS))


def leftovers(place: Place, commit: Commit) -> list[str]:
    """Files that no commit names.

    Args:
        place: where the index is.
        commit: the newest.
    """
    files = place.files()
    found = [name for name in files if _is_left(name, commit)]
    certain = set(found)
    unknown = [n for n in files if n.startswith(PARTS) and n not in commit.files and n not in certain]
    if unknown:  # after a crash, or of an older commit: the older ones are read only where there are such files
        known: set[str] = set()
        for number in commits.numbers(place)[:-1]:
            try:
                known.update(commits.load(place, number).files)
            except StoreError:  # nobody knows what that commit needs, so everything stays
                return found
        found += [name for name in unknown if name not in known]
    return found


def _is_left(name: str, commit: Commit) -> bool:
    folder, _, file = name.rpartition("/")
    if folder == commits.FOLDER:
        return file.endswith(TEMPORARY)
    if name.startswith(MANIFESTS):
        return _is_newer(manifest_version(file), commit)
    return name.startswith(TRANSACTIONS) and _is_newer(transaction_version(file), commit, 1)


def _is_newer(version: int | None, commit: Commit, add: int = 0) -> bool:
    return version is None or version + add > commit.lance_version
