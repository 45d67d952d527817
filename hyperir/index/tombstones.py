"""Tombstones: the keys of rows that are stored but deleted, in one safetensors file that replaces the one before."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import numpy as np

from hyperir.core.errors import CorruptError
from hyperir.index.commit import Commit
from hyperir.index.place import Place

__all__ = ["Keys", "among", "read", "write"]

FILE = "tombs.safetensors"
Keys = np.ndarray[Any, np.dtype[np.int64]]


def write(place: Place, keys: Keys) -> str:
    """Write a new file of keys, (M,) ascending.

    Returns:
        its path, relative to the index folder.
    """
    from safetensors.numpy import save

    name = f"tombs/{uuid.uuid4().hex}/{FILE}"
    place.begin(name).write_bytes(save({"keys": np.ascontiguousarray(keys, np.int64)}))
    return name


def read(place: Place, commit: Commit) -> Keys:
    """The dead keys of a commit, (M,) ascending; none where nothing is dead.

    Raises:
        CorruptError: the file is not as committed.
    """
    from safetensors.numpy import load

    if not commit.tombstones:
        return np.empty(0, np.int64)
    name = commit.tombstones[0]
    try:
        data = place.local(name, commit.files[name].content).read_bytes()
        if hashlib.sha256(data).hexdigest() != commit.files[name].sha256:  # before any parser sees it
            raise _damaged(place, name, "other bytes than committed")
        keys = load(data)["keys"]
    except OSError as error:
        raise _damaged(place, name, str(error)) from error
    except (KeyError, ValueError) as error:  # written so, and not by us
        raise _damaged(place, name, f"no list of keys: {error}") from error
    if keys.ndim != 1 or keys.dtype != np.int64 or len(keys) != commit.stored - commit.documents:
        raise _damaged(place, name, f"{keys.dtype} of shape {keys.shape}")
    return keys


def among(keys: Keys, dead: Keys) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """True where a key is one of the `dead`, which ascend."""
    if not len(dead):
        return np.zeros(len(keys), np.bool_)
    found: np.ndarray[Any, np.dtype[np.bool_]] = dead[np.minimum(np.searchsorted(dead, keys), len(dead) - 1)] == keys
    return found


def _damaged(place: Place, name: str, got: str) -> CorruptError:
    return CorruptError(
        f"{name} in {place} is damaged or missing",
        expected="the keys of deleted rows, as committed",
        got=got,
        fix=f'"hyperir verify {place}" lists everything that is damaged',
    )
