"""How long old commits stay, and the end of files that no commit names any more.

A file's name is used once. So a file that one commit names and the next one does not is named by no later commit, and
the oldest commit that goes takes exactly those files with it: no other commit has to be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from hyperir.core.errors import StoreError
from hyperir.index import commit as commits
from hyperir.index.commit import MANIFESTS, TRANSACTIONS, Commit

__all__ = ["RETAIN", "publish", "remove"]

RETAIN = 100  # commits that stay as snapshots


def publish(root: Path, commit: Commit, new: Iterable[str], keep: int | None = None) -> None:
    """Publish a commit, give up all but the newest `keep` (`RETAIN`), and remove what only those named."""
    keep = RETAIN if keep is None else keep
    numbers = commits.numbers(root)
    kept = [*numbers, commit.number][-keep:]
    given_up = numbers[: max(len(numbers) + 1 - keep, 0)]
    ended = _ended(root, given_up, commit, kept)
    commits.publish(root, commit, new, given_up)
    remove(root, ended)


def _ended(root: Path, given_up: list[int], new: Commit, kept: list[int]) -> list[str]:
    """Files that commits to be given up name, and the oldest kept one does not."""
    if not given_up:
        return []
    try:
        successor = new if kept[0] == new.number else commits.load(root, kept[0])
        files = {name for number in given_up for name in commits.load(root, number).files}
    except StoreError:  # damaged: nobody knows what they name; `compact` and `repair` look at all that there is
        return []
    return sorted(files - successor.files.keys() - new.files.keys())


def remove(root: Path, names: Iterable[str]) -> bool:
    """Remove files and the folders that they leave empty.

    Returns:
        false where a file is still there: Windows keeps one that a reader has open. It stays a leftover.
    """
    whole = True
    for name in names:
        path = root / name
        try:
            path.unlink(missing_ok=True)
        except OSError:
            whole = False
            continue
        if not name.startswith((MANIFESTS, TRANSACTIONS, f"{commits.FOLDER}/")):
            with suppress(OSError):  # it holds something else
                path.parent.rmdir()
    return whole
