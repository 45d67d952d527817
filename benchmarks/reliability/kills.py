"""Bars 1 and 7: a child process that changes an index all the time is killed, and the index is looked at."""

import random
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

from hyperir.core.errors import HyperIRError
from hyperir.index import commit as commits
from hyperir.index.place import place_at
from hyperir.index.store import Store
from hyperir.index.verify import verify
from reliability.children import Child
from reliability.model import applied, draw, held, perform, put, settle
from reliability.result import Result

LIFE = 20  # kills of one index
LONGEST = 0.3  # seconds before a kill
SLOW = 0.004  # seconds at most that a slowed child sleeps before it touches a file


def work(root, model, seed, slow, tell):
    """Change the index for ever, telling of every commit before and after."""
    settle()
    chance = random.Random(seed)
    if slow:
        sys.addaudithook(lambda event, args: _dawdle(event, args, str(root), chance))
    stamp = seed * 1000
    tell(("ready", None))
    try:
        while True:
            stamp += 1
            change = draw(chance, model, stamp)
            tell(("begin", change))
            if change.kind == "append" and chance.random() < 0.3:
                with Store.open(root).writer() as writer:  # a build: many batches, committed twice
                    put(writer, change)
                    writer.checkpoint()
                    tell(("done", None))
                    model, stamp = applied(model, change), stamp + 1
                    ids = [f"d{stamp * 100 + i}" for i in range(4)]
                    change = type(change)("append", tuple(ids), stamp)
                    tell(("begin", change))
                    put(writer, change)
            else:
                perform(root, change)
            tell(("done", None))
            model = applied(model, change)
    except Exception as error:
        tell(("error", f"{type(error).__name__}: {error}"))


def _dawdle(event, args, root, chance):
    """Make the moments between the steps of a commit as long as the steps, so that kills fall there as well."""
    if event == "open" or event.startswith("os."):
        if args and str(args[0]).startswith(root):
            time.sleep(SLOW * chance.random())


def kills(count: int, folder: Path, seed: int = 0) -> list[Result]:
    """Kill a child `count` times; after every second one, clean up and look for files that no commit names."""
    lost = Result(1, "kill -9 at random moments: commits lost, opens broken")
    left = Result(7, "kill -9 and a clean-up: bytes left over")
    chance, hit, litter = random.Random(seed), Counter(), 0
    root, model = folder / "killed.index", None
    for number in range(count):
        if number % LIFE == 0:
            shutil.rmtree(root, ignore_errors=True)
            model = None
        before = model
        acknowledged, pending, error = _killed(root, model, chance, number)
        hit[pending.kind if pending else "between"] += 1
        lost.count += 1
        where = f"kill {number} during {pending}"
        lost.check(not error, f"{where}: the child failed: {error}")
        if number % 2:
            litter += _litter(root) > 0
            left.count += 1
        try:
            model = _looked_at(root, acknowledged, pending, number % 2 == 1)
        except (HyperIRError, ValueError) as wrong:
            lost.failures.append(f"{where}, after {before}: {type(wrong).__name__}: {wrong}")
            shutil.rmtree(root, ignore_errors=True)
            model = None
            continue
        if number % 2:
            left.check(_litter(root) == 0, f"{where}: {_litter(root)} bytes that no commit names")
    shutil.rmtree(root, ignore_errors=True)
    lost.note = "killed during " + ", ".join(f"{kind} {times}" for kind, times in hit.most_common())
    left.note = f"{litter} of the kills had left something"
    return [lost, left]


def _killed(root, model, chance, number):
    """Run a child and kill it.

    Returns:
        what the index certainly holds, the change under way if any, and what went wrong in the child.
    """
    child = Child(work, root, model, number + 1, number % 4 > 1)
    heard = child.hear()
    pending, error = None, ""
    next(heard)
    time.sleep(chance.uniform(0, LONGEST if model is not None else 0.1))
    child.kill()
    for said, value in heard:
        if said == "begin":
            pending = value
        if said == "done":
            model, pending = applied(model, pending), None
        if said == "error":
            error = value
    return model, pending, error


def _looked_at(root, acknowledged, pending, clean):
    """Open, verify and read the index.

    Returns:
        what it holds: what was acknowledged, or that with the pending change.
    """
    if not commits.numbers(place_at(root)):
        if acknowledged is not None:
            raise ValueError("the index is gone")
        return None
    if clean and (root / "commits").is_dir():
        with Store.open(root).writer():
            pass
    report = verify(root, show_progress=False)
    if not report.ok:
        raise ValueError(str(report))
    found = held(Store.open(root))
    possible = [acknowledged] if acknowledged is not None else []
    if pending is not None:
        possible.append(applied(acknowledged, pending))
    if not any(list(found.items()) == list(model.items()) for model in possible):
        raise ValueError(f"holds {found}, acknowledged was {acknowledged}")
    return found


def _litter(root) -> int:
    """Bytes of files that no commit names."""
    place = place_at(root)
    numbers = commits.numbers(place)
    if not numbers:
        return 0
    named = set().union(*(commits.load(place, number).files for number in numbers))
    named |= {commits.name_of(number) for number in numbers} | {"LOCK"}
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return sum(max(path.stat().st_size, 1) for name, path in files.items() if name not in named)
