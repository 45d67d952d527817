"""What stands where an index is to be opened or made, said in errors that help."""

from __future__ import annotations

from pathlib import Path

from hyperir.core.errors import InputError
from hyperir.index import commit as commits
from hyperir.index.lock import NAME as LOCK
from hyperir.index.place import Place, place_at
from hyperir.index.table import FOLDER

__all__ = ["PARTS", "check_place", "not_found", "not_retained"]

PARTS = {FOLDER: "rows", "ann": "vectors", "tombs": "tombstones", "models": "models", commits.FOLDER: "commits"}
NEARBY = 500  # entries of a folder looked at for a suggestion


def check_place(place: Place) -> None:
    """Refuse a place that holds something other than a creation that was cut short."""
    if commits.numbers(place):
        raise InputError(
            f"there is already an index at {place}",
            fix=f"open it with Store.open({str(place)!r}) to add documents, or choose another folder",
        )
    ours = {LOCK, *PARTS}
    strangers = sorted(name for name in place.names() if name not in ours)
    if strangers:
        raise InputError(
            f"{place} is not empty and no index",
            expected="a new or empty folder",
            got=", ".join(strangers[:5]) + (", ..." if len(strangers) > 5 else ""),
            fix="choose another folder",
        )


def not_retained(place: Place, commit: int, found: list[int]) -> InputError:
    """The error for a commit that is not there, with those that are."""
    runs: list[list[int]] = []
    for number in found:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    retained = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
    return InputError(f"{place} has no commit {commit}", expected=f"one that is retained: {retained}", got=str(commit))


def not_found(place: Place) -> InputError:
    """The error for a place without an index, with indexes nearby."""
    if commits.FOLDER in place.names():
        return InputError(f"the index at {place} has no commit: its creation was cut short", fix="create it again")
    root = place.path
    near = (
        []
        if isinstance(root, str)
        else [f for folder in dict.fromkeys((root, root.parent)) for f in _indexes_in(folder)]
    )
    return InputError(
        f"there is no index at {place}",
        got="" if isinstance(root, str) or root.exists() else "no such folder",
        fix="did you mean " + " or ".join(str(f) for f in near[:3]) + "?"
        if near
        else "make one with `hyperir index CORPUS -o FOLDER`, or Index.create in Python",
    )


def _indexes_in(folder: Path) -> list[Path]:
    try:
        entries = [entry for _, entry in zip(range(NEARBY), folder.iterdir(), strict=False)]
    except OSError:
        return []
    return sorted(entry for entry in entries if commits.numbers(place_at(entry)))
