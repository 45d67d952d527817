"""Search structures on disk: the tensors that a strategy built, and the keys of the documents that they are about.

One immutable safetensors file each. Its hash is compared before any parser sees it, and what it holds is checked before
any search does: a strategy, and the native loader of an engine, only ever gets what was written.
"""

from __future__ import annotations

import json
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.errors import CorruptError, HyperIRError
from hyperir.index import commit as commits
from hyperir.index import durable, table
from hyperir.index.commit import Commit, Structure
from hyperir.index.draft import Draft
from hyperir.index.place import Place
from hyperir.index.strategies import STRATEGIES, Buildable
from hyperir.index.table import TableIndex

__all__ = ["FILE", "KEYS", "Made", "age", "due", "keep", "load", "problem_of", "type_of", "without"]

FILE = "structure.safetensors"
KEYS = "keys"  # the name of the tensor of keys; strategies use others
SHARE = 0.05  # of the documents covered: when more came or went since, the structure is due to be built again
LEAST = 1000  # documents that may come or go whatever their share: to score them takes no time worth saving
TYPES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float64: "F64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


@dataclass(frozen=True)
class Made:
    """A structure that is built and not yet on disk.

    Args:
        config: of the strategy.
        tensors: what it built, and the keys of the documents, (S,) ascending, under `KEYS`.
        next_key: greater than all of them.
        table_index: an index of the rows table that has to be made beside it.
    """

    config: Config
    tensors: dict[str, Tensor]
    next_key: int
    table_index: TableIndex | None = None

    @property
    def type(self) -> str:
        """The strategy."""
        return type_of(self.config)


def type_of(config: Config) -> str:
    """The name of the member that a configuration is of."""
    return str(config.model_dump(include={"type"})["type"])


def age(commit: Commit, structure: Structure) -> tuple[int, int]:
    """How many documents were added since a structure was built, and how many were removed."""
    added = commit.next_key - structure.next_key
    return added, max(structure.documents + added - commit.documents, 0)


def due(commit: Commit, structure: Structure) -> bool:
    """Whether so much changed that the structure should be built again."""
    return max(age(commit, structure)) > max(SHARE * structure.documents, LEAST)


def keep(draft: Draft, made: Made, instead: Structure | None = None) -> None:
    """Write a structure and make it part of a draft: as its newest, or in the place of another."""
    name = f"ann/{uuid.uuid4().hex}/{FILE}"
    _write(draft.place.begin(name), made.tensors)
    files: list[str] = []
    if made.table_index is not None:
        draft.version, files = table.make_vector_index(draft.place, draft.version, made.table_index)
    structure = Structure(
        type=made.type,
        config={"type": made.type, **made.config.model_dump(mode="json", exclude_unset=True)},
        file=name,
        table_files=tuple(files),
        documents=len(made.tensors[KEYS]),
        next_key=made.next_key,
        created=commits.now(),
    )
    # A table has one index of its vectors, so that a structure with a new one ends those with an older one.
    others = [old for old in draft.structures if old == instead or not (files and old.table_files)]
    order = [structure if old == instead else old for old in others]
    draft.structures = tuple(order if structure in order else [*order, structure])


def without(draft: Draft, gone: tuple[Structure, ...]) -> None:
    """Take structures out of a draft."""
    if any(structure.table_files for structure in gone):
        draft.version = table.drop_vector_index(draft.place, draft.version)
    draft.structures = tuple(structure for structure in draft.structures if structure not in gone)


def _write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a safetensors file; unlike its own writer's, every failure of the disk is an OSError."""
    # The widest numbers first, so that all of them are aligned.
    arrays = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    }
    header: dict[str, Any] = {"__metadata__": {"format": "pt", "hyperir": "structure 1"}}
    end = 0
    for name, array in arrays.items():
        begin, end = end, end + array.numel() * array.element_size()
        header[name] = {"dtype": TYPES[array.dtype], "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    with path.open("xb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            # By hand, since a single number counts as contiguous whatever its stride, and then has no view as bytes.
            flat = array.contiguous().as_strided((array.numel(),), (1,))
            file.write(flat.view(torch.uint8).numpy().data)


def load(place: Place, commit: Commit, structure: Structure) -> dict[str, Tensor]:
    """The tensors of a structure, keys included, mapped into memory; checked.

    Raises:
        CorruptError: a file is not as committed, or holds what the strategy cannot have built; names it and the fix.
    """
    for name in structure.table_files:
        try:
            digest = place.sha256(name)
        except OSError as error:
            raise _damaged(place, structure, name, str(error)) from error
        if digest != commit.files[name].sha256:
            raise _damaged(place, structure, name, "other bytes than committed")
    name, record = structure.file, commit.files[structure.file]
    try:
        path = place.local(name, record.content)
        if path.stat().st_size != record.size or durable.sha256_of(path) != record.sha256:
            raise _damaged(place, structure, name, "other bytes than committed")
        tensors = _parsed(path)
        _check(tensors, commit, structure)
    except OSError as error:
        raise _damaged(place, structure, name, str(error)) from error
    except ValueError as error:  # written so, and not by us
        raise _damaged(place, structure, name, str(error)) from error
    return tensors


def _parsed(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except SafetensorError as error:
        raise ValueError(f"no tensors: {error}") from error


def _check(tensors: dict[str, Tensor], commit: Commit, structure: Structure) -> None:
    """Raise ValueError unless the tensors are what such a structure holds."""
    keys = tensors.get(KEYS)
    if keys is None or keys.dtype != torch.int64 or keys.shape != (structure.documents,):
        raise ValueError("no list of the keys that it covers")
    if (keys[1:] <= keys[:-1]).any() or int(keys[0]) < 0 or int(keys[-1]) >= structure.next_key:
        raise ValueError("its keys are not increasing below the next key")
    member = STRATEGIES[structure.type]
    if not issubclass(member, Buildable):
        raise ValueError(f"the strategy {structure.type} builds nothing")
    try:
        member.check(tensors, structure.documents, commit.width)
    except KeyError as error:
        raise ValueError(f"there is no tensor {error}") from error


def _damaged(place: Place, structure: Structure, name: str, got: str) -> CorruptError:
    kind = structure.type
    return CorruptError(
        f"{name} in {place}, of the search structure {kind}, is damaged or missing",
        expected="the file as it was committed",
        got=got,
        fix=f'"hyperir build {place} {kind}" makes it again with its default settings, "hyperir repair {place}" tells '
        'how to drop it; strategy="exact" does without',
    )


def problem_of(place: Place, commit: Commit, structure: Structure) -> str | None:
    """What is wrong with a structure whose files are as committed, if anything is."""
    try:
        load(place, commit, structure)
    except HyperIRError as error:
        return f"{error.what}: {error.got}" if not isinstance(error, CorruptError) else error.got
    return None
