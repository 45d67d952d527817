"""Building a search structure of the documents of a commit: of those alive, and named by their keys."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.errors import InputError
from hyperir.core.types import Relevance
from hyperir.index import tombstones
from hyperir.index.commit import Commit, Structure
from hyperir.index.covered import Covered
from hyperir.index.engines import ENGINES, Kept, Tabled
from hyperir.index.place import Place
from hyperir.index.stored import stored_docs
from hyperir.index.strategies import STRATEGIES, Buildable, check_serves
from hyperir.index.structures import KEYS, Made, type_of

__all__ = ["can_rebuild", "make", "takes_functions"]


def make(place: Place, commit: Commit, config: Config, functions: Relevance[Any] | None = None) -> Made:
    """Build what a strategy searches; nothing is written.

    Args:
        place: where the index is.
        commit: whose documents.
        config: of the strategy.
        functions: of training queries, for a strategy that is built from them.

    Raises:
        InputError: the strategy builds nothing, the commit has no documents, or functions are missing or not needed.
    """
    kind = type_of(config)
    member = STRATEGIES[kind]
    if not issubclass(member, Buildable):
        buildable = [name for name in STRATEGIES if issubclass(STRATEGIES[name], Buildable)]
        raise InputError(f"the strategy {kind!r} builds nothing", expected="one of " + ", ".join(buildable))
    if functions is not None and not takes_functions(config):
        raise InputError(f"{kind} is built without queries", fix="leave them out")
    if not commit.documents:
        raise InputError("an index without documents has nothing to build of", fix="add documents first")
    check_serves(config, commit.kind)
    docs = stored_docs(place, commit)
    alive = ~tombstones.among(docs.keys.numpy(), tombstones.read(place, commit))
    covered = Covered(docs, docs.keys[torch.from_numpy(alive)])
    given: tuple[Any, ...] = (functions,) if takes_functions(config) else ()
    built = member.build(config, covered, *given)
    if not built:
        raise InputError(f"the strategy {kind!r} builds nothing with these settings", got=config.model_dump_json())
    tensors: dict[str, Tensor] = {**built, KEYS: covered.keys}
    engine = _engine(config)
    index = None
    if engine is not None and issubclass(kept := ENGINES[type_of(engine)], Tabled):
        index = kept.table_index(engine, commit.documents, commit.width)
    return Made(config=config, tensors=tensors, next_key=commit.next_key, table_index=index)


def _engine(config: Config) -> Config | None:
    """The configuration of the engine that a strategy stands on, where it stands on one."""
    engine = config.model_dump().get("engine")
    return None if engine is None else ENGINES.parse(engine)


def takes_functions(config: Config) -> bool:
    """Whether a strategy is built from the relevance functions of training queries."""
    member = STRATEGIES[type_of(config)]
    return issubclass(member, Buildable) and "functions" in inspect.signature(member.build).parameters


def can_rebuild(structure: Structure) -> bool:
    """Whether a structure can be made again of the index alone.

    Not from training queries, which the index does not keep; and not above an engine that lives elsewhere, whose table
    or collection nobody fills again unasked.
    """
    config = STRATEGIES.parse(structure.config)
    if takes_functions(config):
        return False
    engine = _engine(config)
    return engine is None or type_of(engine) == "blocks" or issubclass(ENGINES[type_of(engine)], (Kept, Tabled))
