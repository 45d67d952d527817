"""The strategies that searches of an index use, made once and kept while they fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.types import Strategy
from hyperir.index.commit import Structure
from hyperir.index.covered import Grown
from hyperir.index.matching import match
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES, check_serves
from hyperir.index.structures import KEYS
from hyperir.search.planning import Planner

__all__ = ["Searchers"]


class Searchers:
    """Makes strategies over an index: of a structure on disk where there is one, else built in memory."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, str], Strategy[Any]] = {}
        self._loaded: dict[str, dict[str, Tensor]] = {}  # by file, which never changes
        self._planner: tuple[int, Planner] | None = None  # of one commit

    def get(self, store: Store, strategy: Mapping[str, Any] | Config | str) -> Strategy[Any]:
        """A strategy over a commit. What it built in memory stays while that commit is searched.

        Raises:
            CorruptError: the structure on disk is damaged; names it.
        """
        config = STRATEGIES.parse(strategy)
        check_serves(config, store.kind)
        key = (store.number, f"{config.model_dump_json()} {sorted(config.model_fields_set)}")
        if key not in self._made:
            self._made = {old: made for old, made in self._made.items() if old[0] == store.number}
            self._made[key] = self._make(store, config)
        return self._made[key]

    def tensors(self, store: Store, structure: Structure) -> dict[str, Tensor]:
        """What a structure of a commit consists of, read once.

        Raises:
            CorruptError: it is damaged; names it.
        """
        known = {file for each in store.commit.structures for file in each.files}
        self._loaded = {file: tensors for file, tensors in self._loaded.items() if file in known}
        if structure.file not in self._loaded:
            self._loaded[structure.file] = store.load_structure(structure)
        return self._loaded[structure.file]

    def planner(self, store: Store) -> Planner:
        """What chooses strategies over a commit and keeps budgets; one for all searches of that commit."""
        if self._planner is None or self._planner[0] != store.number:
            kept = {structure.type for structure in store.commit.structures}
            self._planner = store.number, Planner(store.docs, lambda strategy: self.get(store, strategy), kept)
        return self._planner[1]

    def _make(self, store: Store, config: Config) -> Strategy[Any]:
        found = match(store.commit.structures, config)
        if found is None:
            return STRATEGIES.build(config, docs=store.docs)
        if not store.commit.stored:  # all that it covers is gone
            return STRATEGIES.build("exact", docs=store.docs)
        structure, config = found
        tensors = self.tensors(store, structure)
        covered = store.covered(tensors[KEYS])
        return Grown(STRATEGIES.build(config, docs=covered, built=tensors), covered, store.docs)
