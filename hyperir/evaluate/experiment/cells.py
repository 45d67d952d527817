"""Cells of an experiment on disk: a system's run over a collection and its cost, kept under a fingerprint.

A cell is two files, `FINGERPRINT.trec.gz` and `FINGERPRINT.json`. The second is written last and names the first's
SHA-256, so that a cell that a kill cut short, or that somebody changed, is none and is worked out again.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from hyperir import __version__
from hyperir.core.errors import InputError
from hyperir.corpus.trec import read_run, write_run
from hyperir.evaluate.experiment.plan import CollectionPlan, SystemPlan
from hyperir.evaluate.measures import Run
from hyperir.search.bare import Cost

__all__ = ["Cell", "Cells", "fingerprint"]


@dataclass(frozen=True)
class Cell:
    """A system on a collection."""

    run: Run
    cost: Cost


class Cells:
    """The folder of an experiment's cells.

    Args:
        folder: made when the first cell is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Cell | None:
        """A finished cell; None where there is none, or where its files are not those that were written."""
        try:
            facts = json.loads((self.folder / f"{key}.json").read_text("utf-8"))
            path = self.folder / f"{key}.trec.gz"
            if facts["run_sha256"] != sha256(path.read_bytes()).hexdigest():
                return None
            return Cell(read_run(path), Cost(**facts["cost"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, key: str, cell: Cell, told: dict[str, Any]) -> None:
        """Write a cell.

        Args:
            key: its fingerprint.
            cell: what is kept.
            told: for people who open the file: which system and collection it is.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"the folder {self.folder} cannot be made", got=str(error.strerror or error)) from error
        path = self.folder / f"{key}.trec.gz"
        write_run(path, cell.run, tag="hyperir")
        facts = {**told, "cost": asdict(cell.cost), "run_sha256": sha256(path.read_bytes()).hexdigest()}
        new = self.folder / f"{key}.json.new"
        new.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "utf-8")
        new.replace(self.folder / f"{key}.json")


def fingerprint(system: SystemPlan, collection: CollectionPlan, source: str, k: int) -> str:
    """Of all that decides a cell: both configurations, k, this version, and the state of local files.

    The state is names, sizes and times of change. Measures are no part of it: a kept run can be measured anew.
    """
    parts = {
        "system": system.model_dump(),
        "source": collection.source,
        "split": collection.split,
        "k": k,
        "version": __version__,
        "files": [_state(source), _state(system.model)],
    }
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


def _state(place: str) -> list[tuple[str, int, int]]:
    """Name, bytes and time of change of a file, or of every file in a folder; nothing where it is not on this disk.

    Of a BEIR folder only its own files count: reports and results may well be written beside them.
    """
    path = Path(place).expanduser()
    files = [path] if path.is_file() else []
    if path.is_dir():
        files = [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
        parts = {file: file.relative_to(path).parts[0] for file in files}
        if any(part.startswith("corpus.jsonl") for part in parts.values()):
            files = [
                file for file, part in parts.items() if part.startswith(("corpus.", "queries.")) or part == "qrels"
            ]
    facts = []
    for file in sorted(files):
        found = file.stat()
        facts.append((str(file.relative_to(path)), found.st_size, found.st_mtime_ns))
    return facts
