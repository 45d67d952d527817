"""The model whose relevance function an index is searched by, where nobody names another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hyperir.core.errors import InputError
from hyperir.core.types import Encoder
from hyperir.encode import load
from hyperir.index.store import Store
from hyperir.search.fingerprint import check_fingerprint

__all__ = ["keep", "model_of", "own_model", "undo"]


def model_of(store: Store) -> Encoder[Any]:
    """The model that was fitted to the index, else the one that made its vectors.

    Raises:
        InputError: its vectors came from elsewhere.
        CorruptError: a file of the fitted one is damaged; names it.
        FingerprintError: it makes other vectors than the index holds.
    """
    if store.fitted is None:
        return own_model(store)
    with store.fitted_folder() as folder:
        model = load(str(folder))
    check_fingerprint(store, model)
    return model


def own_model(store: Store) -> Encoder[Any]:
    """The model that made the vectors of an index. Raises as `model_of` does."""
    if store.encoder is None:
        raise InputError(
            f"{store.path} holds vectors of your own, and no model that reads text",
            fix="bring vectors and functions, `add(rows, vectors=...)`, `search(f)`, or open it with `model=`",
        )
    model = load(store.encoder.name)
    check_fingerprint(store, model)
    return model


def keep(store: Store, folder: str | Path, told: str, *, wait: float = 0.0) -> Store:
    """Keep a model's relevance function with an index: whoever searches the index uses it from now on.

    Args:
        store: of the index.
        folder: of a model with the same documents' side, such as one trained over this index; all of it is copied.
        told: what it is, in words, for `history` and `info`.
        wait: seconds, where another process writes.

    Returns:
        the index as it then is.

    Raises:
        FingerprintError: the model's document vectors differ from those of the index.
    """
    check_fingerprint(store, load(str(folder)))
    with store.writer(wait) as writer:
        writer.keep_fitted(Path(folder), told)
    return store.refresh()


def undo(store: Store, *, wait: float = 0.0) -> str:
    """Give up the function that was kept last; searches use the one before it.

    Returns:
        what it was, in words.

    Raises:
        InputError: there is none.
    """
    with store.writer(wait) as writer:
        return writer.undo_fitted().told
