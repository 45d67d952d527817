"""Bar 5: flipped bits, truncations, and files mutated at random and then loaded."""

import random
import shutil
from collections import Counter
from pathlib import Path

import torch

from hyperir.core.errors import HyperIRError, StoreError
from hyperir.index import commit as commits
from hyperir.index.place import place_at
from hyperir.index.store import Store
from hyperir.index.strategies.exact import Exact, ExactConfig
from hyperir.index.verify import verify
from hyperir.relevance.dot import InnerProduct
from reliability.children import Child
from reliability.model import Change, perform
from reliability.result import Result


def prepared(folder: Path) -> Path:
    """An index with several generations, tombstones and an index of a column."""
    root = folder / "whole.index"
    changes = [Change("create"), Change("append", tuple(f"d{i}" for i in range(100)), 1)]
    changes += [Change("append", ("d200", "d201", "d202"), 2), Change("index"), Change("delete", ("d5", "d201"))]
    for change in changes:
        perform(root, change)
    return root


def files_of(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file() and path.name != "LOCK")


def flips(count: int, folder: Path, seed: int = 0) -> list[Result]:
    """Flip one bit of one file, `count` times."""
    result = Result(5, "flipped bits: not caught")
    root, chance, opening = prepared(folder), random.Random(seed), 0
    files = files_of(root)
    for number in range(count):
        path = files[number % len(files)]
        whole = path.read_bytes()
        damaged = bytearray(whole)
        at = chance.randrange(len(whole))
        damaged[at] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        result.count += 1
        opening += _refused(root)
        found = {problem.file for problem in verify(root, show_progress=False).problems}
        name = path.relative_to(root).as_posix()
        result.check(found == {name}, f"byte {at} of {name}: verify found {found}")
        path.write_bytes(whole)
    result.note = f"every one of {len(files)} files; {opening} refused when opening already"
    return [result]


def _refused(root: Path) -> bool:
    try:
        Store.open(root)
    except StoreError:
        return True
    return False


def truncations(count: int, folder: Path, seed: int = 0) -> list[Result]:
    """Cut files short; open and read them in a child."""
    return _damaged(Result(5, "truncated files: process crashes, or not caught"), count, folder, seed, "cut")


def mutations(count: int, folder: Path, seed: int = 0) -> list[Result]:
    """Mutate files of search structures, tombstones, commits and Lance's manifests; open and read them in a child."""
    result = Result(5, "mutated structure files: process crashes, or errors of no name")
    return _damaged(result, count, folder, seed, "mutate")


def mutated_rows(count: int, folder: Path, seed: int = 0) -> list[Result]:
    """Mutate the data files of the rows; open and read them in a child."""
    result = Result(5, "mutated files of rows: process crashes, or errors of no name")
    return _damaged(result, count, folder, seed, "mutate rows")


def _damaged(result, count, folder, seed, way):
    root = prepared(folder)
    seen = Counter()
    done = 0
    while done < count:
        child, last = Child(work, root, way, range(done, count), seed), None
        for number, name, outcome in child.hear():
            done, last = number + 1, name
            if outcome is None:
                continue
            result.count += 1
            seen[outcome] += 1
            result.check(outcome in ("refused", "opened"), f"{way} {number} of {name}: {outcome}")
        if child.signal or child.process.exitcode:
            result.count += 1
            what = "nothing damaged yet" if last is None else f"{way} {done - 1} of {last}"
            result.failures.append(f"{what}: the process ended with {child.process.exitcode}")
            if last is None:  # the next one would end there as well
                break
            shutil.rmtree(root)
            root = prepared(folder)
    result.note = ", ".join(f"{outcome} {times:,}" for outcome, times in seen.most_common())
    return [result]


def work(root, way, numbers, seed, tell):
    """Damage a file, read the index, mend the file, and so on; tell before and after each of them."""
    files = files_of(root)
    newest = {*Store.open(root).commit.files, commits.name_of(commits.numbers(place_at(root))[-1])}
    if way != "cut":
        files = [path for path in files if (path.parent.name == "data") == (way == "mutate rows")]
    for number in numbers:
        chance = random.Random(seed * 1_000_000 + number)
        path = chance.choice(files)
        whole = path.read_bytes()
        damaged = whole[: chance.randrange(len(whole))] if way == "cut" else mutated(whole, chance)
        name = path.relative_to(root).as_posix()
        tell((number, name, None))
        path.write_bytes(damaged)
        outcome = outcome_of(root)
        if way == "cut" and not _refused(root):
            found = [problem.file for problem in verify(root, show_progress=False).problems]
            outcome = f"opened, and verify found {found}" if name in newest or found != [name] else "refused"
        path.write_bytes(whole)
        tell((number, name, outcome))


def mutated(whole: bytes, chance: random.Random) -> bytes:
    """Other bytes, mostly as many of them: a change of length is caught at once."""
    data = bytearray(whole)
    at = chance.randrange(len(data))
    length = min(chance.choice([1, 2, 8, 64, 512]), len(data) - at)
    kind = chance.choice(["random", "random", "zero", "ones", "copy", "number", "head", "cut", "grow"])
    if kind == "head":  # the first bytes say how long and of what type the rest is
        at, length = chance.randrange(min(16, len(data))), 1
    if kind in ("random", "head"):
        data[at : at + length] = chance.randbytes(length)
    if kind in ("zero", "ones"):
        data[at : at + length] = (b"\0" if kind == "zero" else b"\xff") * length
    if kind == "copy":
        other = chance.randrange(len(data) - length + 1)
        data[at : at + length] = data[other : other + length]
    if kind == "number":
        number = chance.choice([0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1]).to_bytes(8, "little")
        at = chance.randrange(max(1, len(data) - 7))
        data[at : at + 8] = number[: len(data) - at]
    if kind == "cut":
        del data[at:]
    if kind == "grow":
        data += chance.randbytes(length)
    return bytes(data)


def outcome_of(root) -> str:
    """Open, search, read and filter."""
    try:
        store = Store.open(root)
        queries = InnerProduct(torch.ones(1, store.width))
        Exact(ExactConfig(), docs=store.docs).search(queries, 5)
        places = store.positions(["d0", "d50", "d202"])
        store.rows([place for place in places if place >= 0])
        for where in ("id >= 'd2'", "stamp = 2", "contains(text, 'as of 1')"):  # by an index of a column, and without
            store.allowed(where)
    except HyperIRError:
        return "refused"
    except BaseException as error:  # a panic of Lance's is no Exception
        return f"{type(error).__name__}: {str(error)[:200]}"
    return "opened"
