"""Where ids stand in a column of ids, found by Arrow without a Python step per row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from hyperir.core.errors import InputError
from hyperir.index.schema import is_unicode, plain

__all__ = ["check_ids", "find"]

GROUP = 1 << 17  # rows looked through at once
Places = np.ndarray[Any, np.dtype[np.int64]]


def check_ids(ids: Iterable[str]) -> list[str]:
    """The ids as a list without repetitions, in their order.

    Raises:
        InputError: a bare string, or an id that is no text.
    """
    if isinstance(ids, (str, bytes)):
        raise InputError("one id where many are taken", expected=f"a list: [{plain(ids)}]", got="a string")
    unique = list(dict.fromkeys(ids))
    for id_ in unique:
        if not isinstance(id_, str):
            raise InputError(
                "an id is no string", expected="a string", got=f"{type(id_).__name__} {plain(id_)}", fix="str(id)"
            )
        if not id_.isascii() and not is_unicode(id_):
            raise InputError(f"the id {plain(id_)} is not valid Unicode", expected="text that UTF-8 can hold")
    return unique


def find(column: Iterable[Any], ids: Sequence[str]) -> tuple[Places, Places]:
    """Every place of a column that holds one of some ids.

    Args:
        column: Arrow arrays of strings, one after the other.
        ids: what to look for, without repetitions.

    Returns:
        places in the column, ascending, and for each of them which of `ids` stands there.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array(ids, pa.string())
    places, which, first = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    for part in _grouped(column, max(GROUP, 4 * len(ids))):
        # The test of membership is faster than the place in the list, and nearly all rows fail it.
        found = pc.indices_nonzero(pc.is_in(part, value_set=wanted))
        if len(found):
            places.append(found.to_numpy().astype(np.int64) + first)
            which.append(pc.index_in(part.take(found), value_set=wanted).to_numpy().astype(np.int64))
        first += len(part)
    return np.concatenate(places), np.concatenate(which)


def _grouped(column: Iterable[Any], size: int) -> Iterator[Any]:
    """The column in chunked arrays of `size` rows or more: Arrow hashes what it looks for once for each of them."""
    import pyarrow as pa

    group: list[Any] = []
    for part in column:
        group.append(part)
        if sum(map(len, group)) >= size:
            yield pa.chunked_array(group, pa.string())
            group = []
    if group:
        yield pa.chunked_array(group, pa.string())
