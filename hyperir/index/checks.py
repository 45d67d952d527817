"""What rows and vectors must be before anything of them is written."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hyperir.core.errors import DuplicateIdError, InputError, VectorError
from hyperir.core.types import Row
from hyperir.index.commit import Dtype
from hyperir.index.schema import OWN, plain

__all__ = ["check_rows", "converted", "refuse_infinite"]

BLOCK = 8192  # rows checked at once, so that large batches need no second large array


def check_rows(rows: Sequence[Row], first: int, places: dict[str, int] | None = None) -> None:
    """Check ids, titles and texts.

    Args:
        rows: the documents.
        first: the place of `rows[0]` in this add, for errors.
        places: of the ids of this add that came before, to which those of `rows` are added; None forgets them.

    Raises:
        InputError: an id, title or text is missing or no text; names the row.
        DuplicateIdError: two rows have the same id.
    """
    places = {} if places is None else places
    for place, row in enumerate(rows, start=first):
        if not isinstance(row, dict):
            raise InputError(f"row {place} of this add is no row", expected='{"id": ..., "text": ...}', got=plain(row))
        _check_id(row, place)
        _check_text(row, "text", place)
        if row.get("title") is not None:
            _check_text(row, "title", place)
        other = places.setdefault(row["id"], place)
        if other != place:
            raise DuplicateIdError(
                f"the id {plain(row['id'])} stands twice in this add: rows {other} and {place}",
                expected="one row for an id",
                fix="drop one of them, or give it another id",
            )


def _check_id(row: Row, place: int) -> None:
    if "id" not in row:
        raise _missing(row, "id", f"row {place} of this add")
    value = row["id"]
    if not isinstance(value, str):
        raise InputError(
            f"the id of row {place} of this add is no string",
            expected="a string",
            got=f"{type(value).__name__} {plain(value)}",
            fix="" if value is None else "str(id)",
        )
    if not value:
        raise InputError(f"the id of row {place} of this add is empty", expected="one character or more")
    _check_unicode(value, f"the id of row {place} of this add")


def _check_text(row: Row, key: str, place: int) -> None:
    value = row.get(key)
    if isinstance(value, str) and value.isascii():
        return
    where = f"row {place} of this add, id {plain(row['id'])}"
    if key not in row:
        raise _missing(row, key, where)
    if not isinstance(value, str):
        raise InputError(
            f"the {key} of {where}, is no string",
            expected="a string; an empty one is kept",
            got=f"{type(value).__name__} {plain(value)}",
        )
    _check_unicode(value, f"the {key} of {where},")


def _check_unicode(value: str, what: str) -> None:
    try:
        value.isascii() or value.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{what} is not valid Unicode",
            expected="text that UTF-8 can hold",
            got=f"half of a surrogate pair at character {error.start}",
            fix='read the source with errors="replace"',
        ) from None


def _missing(row: Row, key: str, where: str) -> InputError:
    close = difflib.get_close_matches(key, [k for k in row if isinstance(k, str) and k not in OWN], n=1, cutoff=0.5)
    return InputError(
        f'{where} has no "{key}"',
        expected=f'a key "{key}"',
        got="keys " + ", ".join(map(repr, row)) if row else "an empty row",
        fix=f'rename the key {close[0]!r} to "{key}"' if close else "",
    )


def converted(vectors: Any, width: int, dtype: Dtype) -> np.ndarray[Any, Any]:
    """(n, D) vectors in the type of the index, the same memory where nothing had to be changed; numbers are not read.

    Raises:
        VectorError: another shape, or no floating point.
    """
    if not isinstance(vectors, (Tensor, np.ndarray)):
        raise VectorError("vectors are a tensor or an array", expected=f"(n, {width})", got=type(vectors).__name__)
    floating = vectors.is_floating_point() if isinstance(vectors, Tensor) else vectors.dtype.kind == "f"
    if not floating:
        raise VectorError("vectors are floating-point numbers", expected="float32 or float16", got=str(vectors.dtype))
    if vectors.ndim != 2 or vectors.shape[1] != width:
        raise VectorError(
            "the vectors have another shape than the index",
            expected=f"(n, {width})",
            got=str(tuple(vectors.shape)),
            fix="use the model that the index was made with" if vectors.ndim == 2 else "",
        )
    if isinstance(vectors, Tensor):
        vectors = vectors.detach().to("cpu", getattr(torch, dtype)).numpy()
    with np.errstate(over="ignore"):  # numbers too large for the index's type become infinite, and are named below
        stored: np.ndarray[Any, Any] = vectors.astype(dtype, copy=False)
    return stored


def refuse_infinite(
    stored: np.ndarray[Any, Any], what: str, dtype: Dtype, row_of: Callable[[int], int], rows: Sequence[Row]
) -> None:
    """Raise VectorError for the first of P that is not finite.

    Args:
        stored: (P, D) numbers.
        what: one of the P is called.
        dtype: of the index.
        row_of: the row that one of the P belongs to.
        rows: the documents; the error names one.
    """
    for start in range(0, len(stored), BLOCK):
        finite = np.isfinite(stored[start : start + BLOCK]).all(axis=1)
        if not finite.all():
            place = start + int(finite.argmin())
            row = row_of(place)
            raise VectorError(
                f"the {what} of id {plain(rows[row]['id'])} is not finite in {dtype}",
                expected="finite numbers",
                got=f"{stored[place][~np.isfinite(stored[place])][0]} at row {row} of this batch",
            )
