"""How long old commits stay, and the end of files that no commit names any more.

A file's name is used once. So a file that one commit names and the next one does not is named by no later commit, and
the oldest commit that goes takes exactly those files with it: no other commit has to be read.
"""

from __future__ import annotations

from collections.abc import Iterable

from hyperir.core.errors import StoreError
from hyperir.index import commit as commits
from hyperir.index.commit import Commit
from hyperir.index.place import Place

__all__ = ["RETAIN", "publish"]

RETAIN = 100  # commits that stay as snapshots


def publish(place: Place, commit: Commit, new: Iterable[str], keep: int | None = None) -> None:
    """Publish a commit, give up all but the newest `keep` (`RETAIN`), and remove what only those named."""
    keep = RETAIN if keep is None else keep
    numbers = commits.numbers(place)
    kept = [*numbers, commit.number][-keep:]
    given_up = numbers[: max(len(numbers) + 1 - keep, 0)]
    ended = _ended(place, given_up, commit, kept)
    commits.publish(place, commit, new, given_up)
    place.remove(ended)


def _ended(place: Place, given_up: list[int], new: Commit, kept: list[int]) -> list[str]:
    """Files that commits to be given up name, and the oldest kept one does not."""
    if not given_up:
        return []
    try:
        successor = new if kept[0] == new.number else commits.load(place, kept[0])
        files = {name for number in given_up for name in commits.load(place, number).files}
    except StoreError:  # damaged: nobody knows what they name; `compact` and `repair` look at all that there is
        return []
    return sorted(files - successor.files.keys() - new.files.keys())
