"""Narrower documents: what is left of an index's vectors in D numbers, and the index of those that learned best."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from hyperir.core.errors import InputError
from hyperir.core.progress import Progress
from hyperir.encode import load_network
from hyperir.encode.model import Model
from hyperir.index.store import Store
from hyperir.relevance import RELEVANCE
from hyperir.search.index import Index
from hyperir.train.adapting.settings import Settings
from hyperir.train.learner import build_model
from hyperir.train.recipe import Recipe

__all__ = ["checked_output", "cut_alone", "model_of", "write_index"]

BLOCK = 50_000  # documents narrowed and written at once


def checked_output(store: Store, settings: Settings, output: str | Path | None) -> Path | None:
    """Where the new index goes, if a width is asked for, and can be had.

    Raises:
        InputError: says what does not fit.
    """
    if settings.width is None:
        if output is not None:
            raise InputError(
                f"{output} is for documents of another width",
                fix="say which: --width D; or leave -o out",
            )
        return None
    if output is None:
        raise InputError(
            f"narrower documents do not fit into {store.path}, whose vectors stay as they are",
            expected="a new index for them",
            fix="-o NEW.index",
        )
    if "://" in str(output):
        raise InputError("narrower documents are written to a folder", expected="a path", got=str(output))
    folder = Path(output).expanduser().absolute()
    for path in (folder, model_of(folder)):
        if path.exists() and (path == folder or not _partial(folder).exists()):
            raise InputError(f"{path} is there already", fix="name another -o NEW.index, or remove it")
    if settings.width >= store.width:
        raise InputError(
            f"{store.path} has vectors of {store.width} numbers, which are to become narrower",
            expected=f"1 to {store.width - 1}",
            got=f"width = {settings.width}",
        )
    return folder


def model_of(output: Path) -> Path:
    """Where the model of a new index goes: beside it, for it encodes whatever is added later."""
    return output.with_name(f"{output.name}.model")


def _partial(output: Path) -> Path:
    """A folder that is there while a new index is written: a model without its index is of a call that did not end."""
    return output.with_name(f".{output.name}.writing")


def cut_alone(recipe: Recipe) -> Model:
    """What narrowing alone gives: the index's principal components under the inner product."""
    dot = recipe.model.model_copy(update={"relevance": RELEVANCE.parse("dot")})
    return build_model(recipe.model_copy(update={"model": dot}))


def write_index(store: Store, folder: Path, output: Path) -> None:
    """A new index of the same documents, with a model folder beside it. No text is encoded.

    Args:
        store: the wide one.
        folder: the model that narrows.
        output: neither this nor its model may be there, but for the model of a call that was interrupted. The index
            comes whole or not at all.
    """
    made = _partial(output) / output.name
    shutil.rmtree(made, ignore_errors=True)
    made.parent.mkdir(exist_ok=True)
    shutil.rmtree(model_of(output), ignore_errors=True)
    shutil.copytree(folder, model_of(output))
    model = load_network(str(model_of(output)))
    index, projection = Index.create(made, model, dtype=store.dtype), model.document.projection
    assert projection is not None, "it narrows"
    alive = list(range(store.commit.stored)) if store.alive is None else store.alive.nonzero()[:, 0].tolist()
    with Progress("Writing", len(alive), "documents") as bar, torch.no_grad():
        for start in range(0, len(alive), BLOCK):
            some = alive[start : start + BLOCK]
            narrow = projection(store.docs[torch.tensor(some)].vectors.float())
            index.add(store.rows(some), vectors=narrow, show_progress=False)
            bar.advance(len(some))
    made.rename(output)
    made.parent.rmdir()
