"""Search structures of an index, built and given up by `Index.build` and `Index.drop`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hyperir.core.config import Config
from hyperir.core.docs import Dense
from hyperir.core.errors import InputError
from hyperir.core.progress import silent
from hyperir.core.types import Relevance
from hyperir.index.building import make
from hyperir.index.columns import check_columns
from hyperir.index.commit import Structure
from hyperir.index.matching import match, same_build
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES

__all__ = ["build", "drop"]


def build(
    store: Store,
    strategy: Mapping[str, Any] | Config | str | None,
    columns: Iterable[str],
    functions: Relevance[Dense] | None,
    wait: float,
    show_progress: bool,
) -> None:
    """Build a structure, indices of columns, or both, in one commit; see `Index.build`."""
    config = None if strategy is None else STRATEGIES.parse(strategy)
    columns = columns if isinstance(columns, str) else list(columns)  # a bare string is refused below
    if config is None and not columns:
        raise InputError("what is built?", expected="a strategy, or columns", got="neither")
    if config is None and functions is not None:
        raise InputError("queries are for a strategy that is built from them", expected="bipartite", got="no strategy")
    with store.writer(wait) as writer, silent(not show_progress):
        if columns:
            check_columns(columns, writer.base.metadata)  # before the long work
            writer.index_columns(columns)
        if config is not None:
            made = make(store.place, writer.base, config, functions)
            writer.keep_structure(made)
            writer.drop_structures(old for old in writer.base.structures if same_build(old, config))


def drop(store: Store, strategy: Mapping[str, Any] | Config | str, wait: float) -> int:
    """Give up structures; see `Index.drop`."""
    config = STRATEGIES.parse(strategy)
    with store.writer(wait) as writer:
        gone = [structure for structure in writer.base.structures if _serves(structure, config)]
        writer.drop_structures(gone)
    return len(gone)


def _serves(structure: Structure, config: Config) -> bool:
    return match([structure], config) is not None
