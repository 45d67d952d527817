"""Matryoshka truncation: models whose vectors are cut to their first numbers, and names as "all-MiniLM-L6-v2[:64]"."""

from __future__ import annotations

import re

from hyperir.core.errors import InputError
from hyperir.encode.model import Model
from hyperir.encode.text_encoder import TextEncoder

__all__ = ["split_name", "truncated"]

CUT = re.compile(r"(?P<name>.+)\[:(?P<width>[0-9]+)\]")


def split_name(name: str) -> tuple[str, int | None]:
    """A model's name without its cut, and the width; None where it says none."""
    found = CUT.fullmatch(name)
    return (name, None) if found is None else (found["name"], int(found["width"]))


def truncated(model: Model, width: int) -> Model:
    """The same model with vectors cut to `width`, which then get length 1 where the model's do; words are cut off.

    Args:
        model: of one vector a text, with a relevance function that learned nothing of them. It shares its transformers.
        width: D, of queries and documents.

    Raises:
        InputError: vectors are not as wide, or something was learned for their whole width.
    """
    words = model.document.config.words
    widest = model.width - (0 if words is None else words.width)
    if width < 1 or width > widest:
        raise InputError("vectors are cut to fewer numbers than they have", expected=f"1 to {widest}", got=str(width))
    learned = any(True for _ in model.relevance.parameters()) or model.document.projection is not None
    if model.kind != "dense" or learned:
        raise InputError(
            f"the vectors of {model.name!r} cannot be cut",
            expected="a model of one vector a text, compared by dot, cosine or l2",
            got=f"kind {model.kind!r}, relevance {model.relevance_config.model_dump()['type']!r}"
            + (", a projection" if model.document.projection is not None else ""),
        )
    document, query = (
        TextEncoder(side.backbone, side.config.model_copy(update={"truncate": width, "words": None}))
        for side in (model.document, model.query)
    )
    base, _ = split_name(model.name)
    # Beside words in cells stands an inner product; the network that read them has nothing to read any more.
    relevance = "dot" if model.query.reads_cells else model.relevance_config
    return Model(document, query, relevance, seed=model.seed, name=f"{base}[:{width}]").eval()
