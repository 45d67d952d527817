"""Bars 10 and 11: what must be refused, and the strangest ids that must not be."""

import itertools
import random
from pathlib import Path

import numpy as np
import torch

from hyperir.core.errors import DuplicateIdError, HyperIRError, InputError, VectorError
from hyperir.index.store import Store
from hyperir.index.strategies.exact import Exact, ExactConfig
from hyperir.index.verify import verify
from hyperir.relevance.dot import InnerProduct
from reliability.result import Result

WIDTH, ROWS = 4, 5


def _with(place, value):
    vectors = torch.ones(ROWS, WIDTH)
    vectors[place, place % WIDTH] = value
    return vectors


def bad_vectors():
    """(what, vectors, a word that the error must say)."""
    for place in range(ROWS):
        yield "NaN", _with(place, float("nan")), f"'n{place}'"
        yield "infinity", _with(place, float("inf")), f"'n{place}'"
        yield "minus infinity", _with(place, -float("inf")), f"'n{place}'"
        yield "infinity in float64", _with(place, float("inf")).double().numpy(), f"'n{place}'"
        yield (
            "too large for the type",
            np.where(np.arange(ROWS)[:, None] == place, 1e300, np.ones(WIDTH)),
            f"'n{place}'",
        )
    for width in (0, 1, WIDTH - 1, WIDTH + 1, 100):
        yield f"width {width}", torch.ones(ROWS, width), f"(n, {WIDTH})"
    for shape in ((ROWS * WIDTH,), (ROWS, WIDTH, 1), (1, ROWS, WIDTH), ()):
        yield f"shape {shape}", torch.ones(shape), f"(n, {WIDTH})"
    for dtype in (torch.int8, torch.int64, torch.bool, torch.complex64):
        yield f"type {dtype}", torch.ones(ROWS, WIDTH).to(dtype), str(dtype)
    for dtype in ("int32", "bool", "complex128", "object", "U1"):
        yield f"type {dtype}", np.ones((ROWS, WIDTH)).astype(dtype), str(np.dtype(dtype))
    for value in ([[1.0] * WIDTH] * ROWS, None, "vectors", 3, memoryview(b"")):
        yield f"a {type(value).__name__}", value, type(value).__name__
    for number in (0, ROWS - 1, ROWS + 1):
        yield f"{number} vectors", torch.ones(number, WIDTH), f"{ROWS} and {number}"


def bad_rows():
    """(what, a row, a word that the error must say)."""
    yield "no id", {"text": "x"}, '"id"'
    yield "no text", {"id": "x"}, '"text"'
    yield "an empty id", {"id": "", "text": "x"}, "empty"
    yield "half a surrogate in an id", {"id": "a\ud800", "text": "x"}, "character 1"
    yield "half a surrogate in a text", {"id": "a", "text": "\udfff"}, "character 0"
    yield "half a surrogate in a title", {"id": "a", "title": "\ud800", "text": ""}, "character 0"
    for value in (1, None, 1.5, b"x", ["x"], {"x": 1}, True):
        yield f"the id {value!r}", {"id": value, "text": "x"}, type(value).__name__
        yield f"the text {value!r}", {"id": "x", "text": value}, type(value).__name__
    for value in (1, b"x", ["x"]):
        yield f"the title {value!r}", {"id": "x", "title": value, "text": "x"}, type(value).__name__
    for value in (None, 3, "row", ("id", "x")):
        yield f"the row {value!r}", value, "row"
    yield "unknown metadata", {"id": "x", "text": "x", "strange": 1}, "strange"
    yield "metadata of another type", {"id": "x", "text": "x", "year": "old"}, "year"
    yield "an id of this add", {"id": "n0", "text": "x"}, "n0"


def cases():
    """(what, rows, vectors, kind of error, word)."""
    rows = [{"id": f"n{i}", "text": "new", "year": i} for i in range(ROWS)]
    for what, vectors, word in bad_vectors():
        yield what, rows, vectors, InputError if "vectors" in what else VectorError, word
    for (what, row, word), place in itertools.product(bad_rows(), range(1, ROWS)):
        yield what, [*rows[:place], row, *rows[place + 1 :]], torch.ones(ROWS, WIDTH), InputError, word
    yield "an id of the index", [{"id": "d1", "text": "x"}], torch.ones(1, WIDTH), DuplicateIdError, "d1"


def refusals(count: int, folder: Path, seed: int = 0) -> list[Result]:
    """Offer what must be refused, to adds and replacements: up to `count` of all cases, spread over them."""
    result = Result(10, "inputs that must be refused: taken, refused without a name, or a byte written")
    root = folder / "refusing.index"
    store = Store.create(root, width=WIDTH)
    with store.writer() as writer:
        writer.append([{"id": f"d{i}", "text": "old", "year": i} for i in range(3)], torch.ones(3, WIDTH))
    before = _bytes(root)
    every = [
        (act, *case)
        for case in cases()
        for act in ("append", "replace")
        if act == "append" or case[3] is not DuplicateIdError
    ]
    for act, what, rows, vectors, kind, word in every[:: max(1, len(every) // count)]:
        result.count += 1
        try:
            with store.writer() as writer:
                if act == "append":
                    writer.append(rows, vectors)
                else:
                    writer.replace(rows, vectors, insert_missing=True)
            result.failures.append(f"{act}: {what}: taken")
            return [result]
        except HyperIRError as error:
            result.check(isinstance(error, kind), f"{act}: {what}: {type(error).__name__}")
            result.check(word in str(error), f"{act}: {what}: the error does not say {word}: {error}")
        except Exception as error:
            result.failures.append(f"{act}: {what}: {type(error).__name__}: {error}")
        result.check(_bytes(root) == before, f"{act}: {what}: the folder changed")
    return [result, _empty(folder)]


def _empty(folder) -> Result:
    result = Result(10, "searches of an empty index that find something or fail")
    store = Store.create(folder / "empty.index", width=WIDTH)
    for queries, k in ((1, 1), (3, 10), (0, 5)):
        hits = Exact(ExactConfig(), docs=store.docs).search(InnerProduct(torch.ones(queries, WIDTH)), k)
        result.count += 1
        right = hits.rows.shape == (queries, k) and bool((hits.rows == -1).all())
        result.check(right, f"{queries} queries, k = {k}: {hits.rows.tolist()}")
    return result


def _bytes(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and path.name != "LOCK"}


ALPHABETS = [
    "abc",
    "äöüß",
    "日本語",
    "😀🏳️\u200d🌈👩",
    "\u0301\u0308e",
    "ابجد\u200f",
    "\0",
    "\n\r\t\v",
    "'\"`\\;--",
    "/..\\:",
    " \u00a0\u3000",
    "\ufeff\ufffe\uffff",
    "\U0010ffff\U000f0000",
    "%s{}$(x)",
    "\x1b\x7f\x80\x9f",
]
LENGTHS = [1, 1, 2, 3, 8, 64, 300]
KNOWN = [
    "../../etc/passwd",
    "..",
    ".",
    "CON",
    "id",
    "NULL",
    "None",
    "0",
    "-1",
    "1e5",
    "' OR 1=1 --",
    "<script>",
    "null",
]


def strange_ids(count: int, chance: random.Random) -> list[str]:
    """Different ids. Every hundredth has 70,000 characters; many differ from another in their last character only."""
    found = dict.fromkeys(KNOWN[: count // 4])
    while len(found) < count:
        letters = list("".join(chance.sample(ALPHABETS, chance.choice([1, 1, 2]))))
        length = 70_000 if len(found) % 100 == 99 else chance.choice(LENGTHS)
        made = "".join(chance.choices(letters, k=length))
        found[made] = None
        if len(found) < count:
            found[made + chance.choice(["\0", " ", "\u0301", "a"])] = None
    return list(found)


def ids(count: int, folder: Path, seed: int = 0) -> list[Result]:
    """Add, find, read, replace, delete, compact and add again documents with `count` strange ids."""
    result = Result(11, "strange ids that do not come back as they were")
    chance = random.Random(seed)
    names = strange_ids(count, chance)
    root = folder / "ids.index"
    store = Store.create(root, width=1)
    with store.writer() as writer:
        for start in range(0, count, 150):
            part = names[start : start + 150]
            writer.append([{"id": i, "text": i, "title": i, "other": i} for i in part], torch.zeros(len(part), 1))
    store = store.refresh()
    result.count = len(set(names))

    def check(store, wanted, what):
        found = store.rows(store.positions(wanted))
        wrong = sum(row["id"] != id_ for row, id_ in zip(found, wanted, strict=True))
        result.check(not wrong, f"{what}: {wrong} ids")

    check(store, names, "added")
    found = store.rows(range(count))
    wrong = [row for row, i in zip(found, names, strict=True) if row != {"id": i, "text": i, "title": i, "other": i}]
    result.check(not wrong, f"read: {len(wrong)} documents")
    dead, changed = set(names[::3]), names[1::3]
    with store.writer() as writer:
        result.check(writer.delete(names[::3]) == len(dead), "deleted fewer")
        rows = [{"id": i, "text": "new"} for i in changed]
        result.check(writer.replace(rows, torch.ones(len(changed), 1)) == len(changed), "replaced fewer")
    for later in (store.refresh(), store.compact(keep=2)):
        places = later.positions(names)
        result.check([p < 0 for p in places] == [i in dead for i in names], "the deleted ones are not those asked for")
        check(later, changed, "replaced")
    with store.writer() as writer:
        writer.append([{"id": i, "text": i} for i in dead], torch.zeros(len(dead), 1))
    store = store.refresh()
    check(store, names, "added again")
    result.check((report := verify(root, show_progress=False)).ok, str(report))
    result.check(sorted(path.name for path in folder.iterdir()) == ["ids.index"], "something stands outside the index")
    result.note = (
        f"{sum(len(i) >= 70_000 for i in names)} of 70,000 characters, {sum(chr(0) in i for i in names)} with NUL"
    )
    return [result]
