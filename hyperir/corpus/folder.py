"""Files of a collection's folder, found by name with or without `.gz`."""

from __future__ import annotations

from pathlib import Path

__all__ = ["either", "splits_below"]


def either(folder: Path, name: str) -> Path | None:
    """The file `name` or `name.gz` in a folder; None where it has neither."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def splits_below(folder: Path, start: str = "") -> dict[str, Path]:
    """`{split: file}` for the files START<split>.tsv and START<split>.tsv.gz in a folder; plain ones win."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob(f"{start}*.tsv")) + sorted(folder.glob(f"{start}*.tsv.gz")):
        split = path.name.removesuffix(".gz").removesuffix(".tsv").removeprefix(start)
        if split and not split.startswith("."):
            found.setdefault(split, path)
    return found
