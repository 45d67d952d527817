"""Bar 4: a disk that is full at one point after the other."""

import os
import random
import resource
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

from hyperir.core.errors import HyperIRError, StoreError
from hyperir.index.commit import INDICES
from hyperir.index.store import Store
from hyperir.index.verify import verify
from reliability.children import Child
from reliability.model import Change, applied, held, perform, settle
from reliability.result import Result
from reliability.settings import restored

DISK = 64 << 20
PAGE = 4096
MANY = tuple(f"d{i}" for i in range(1000, 1400))
CHANGES = [
    Change("append", MANY, 7),
    Change("replace", tuple(f"d{i}" for i in range(300)), 8),
    Change("delete", tuple(f"d{i}" for i in range(0, 300, 3))),
    Change("index"),
    Change("compact", keep=100),
]
REASONS = ("No space left", "File too large", "no room to compact", "cut short while")


def prepared(folder: Path) -> tuple[Path, dict[str, int]]:
    """An index that a change can fail on."""
    root, model = folder / "prepared.index", None
    changes = [Change("create"), Change("append", tuple(f"d{i}" for i in range(300)), 1)]
    changes += [Change("append", (f"d{400 + i}",), 2 + i) for i in range(2)] + [Change("delete", ("d400",))]
    for change in changes:
        perform(root, change)
        model = applied(model, change)
    return root, model


def attempt(root, change, largest, tell):
    """Make the change, and tell how it went. `largest`: bytes of a file at most, or None."""
    settle()
    if largest is not None:  # Python has the signal ignored, so that the write fails instead
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    try:
        perform(root, change)
    except StoreError as error:
        tell(str(error))
    except Exception as error:
        tell(error)
    else:
        tell(None)


def judged(result: Result, where: str, root: Path, change: Change, before: dict[str, int], largest=None) -> None:
    """Attempt the change; count it if it failed, and look at the index then."""
    child = Child(attempt, root, change, largest)
    said = list(child.hear())
    if child.signal or not said:
        result.check(False, f"{where}: the process died of signal {child.signal}")
        return
    if said[0] is None:  # it just had room enough
        try:
            found, wanted = held(store := Store.open(root)), applied(before, change)
            passing = int(store.allowed("id >= ''").sum())  # by the index of the column, if there is one
        except HyperIRError as wrong:
            result.failures.append(f"{where}: it said that it was done, and then: {wrong}")
            return
        if found != wanted or passing != len(wanted):
            result.failures.append(
                f"{where}: it said that it was done, and {passing} pass, and the index holds {found}"
            )
        return
    result.count += 1
    error = said[0]
    result.check(
        isinstance(error, str) and str(root) in error and any(reason in error for reason in REASONS),
        f"{where}: no error that names the index and the reason: {error!r}",
    )
    try:
        report = verify(root, show_progress=False)
        result.check(report.ok, f"{where}: {report}")
        result.check(held(Store.open(root)) == before, f"{where}: the index holds something else than before")
    except (HyperIRError, ValueError) as wrong:
        result.failures.append(f"{where}: {type(wrong).__name__}: {wrong}")


def small_files(count: int, folder: Path, seed: int = 0) -> list[Result]:
    """Let files grow to some size only, `count` sizes: works without any right to mount."""
    result = Result(4, "changes cut short by a limit on the size of files")
    source, before = prepared(folder)
    chance = random.Random(seed)
    indexed = _size_of_an_index(source, folder / "indexed.index")
    for number in range(count):
        change = CHANGES[number % len(CHANGES)]
        # Any size, and as often one that cuts a file of rows short in its last part, which Lance says nothing about,
        # or the index of a column.
        largest = int(2 ** chance.uniform(5, 11)) if number // len(CHANGES) % 2 else chance.randrange(1000, 2000)
        if change.kind == "index" and number // len(CHANGES) % 2 == 0:
            largest = indexed - chance.randrange(1, 100)
        root = Path(shutil.copytree(source, folder / "copy.index"))
        judged(result, f"{change.kind}, files of {largest} bytes at most", root, change, before, largest)
        _goes_on(result, root, change)
        shutil.rmtree(root)
    return [result]


def _size_of_an_index(source: Path, copy: Path) -> int:
    """Bytes of the largest file of a column's index."""
    shutil.copytree(source, copy)
    perform(copy, Change("index"))
    return max(path.stat().st_size for path in (copy / INDICES).rglob("*.lance"))


def full_disk(count: int, folder: Path, seed: int = 0) -> list[Result]:
    """Fill a small file system up to `count` points from nothing free to what the change needs."""
    result = Result(4, "changes cut short by a full disk (tmpfs)")
    source, before = prepared(folder)
    disk = folder / "disk"
    disk.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        result.note = "a file system cannot be mounted here"
        return [result]
    try:
        points = [(change, free) for change in CHANGES for free in range(0, _need(source, disk, change), PAGE)]
        for change, free in (points[len(points) * number // count] for number in range(count)):
            root = Path(shutil.copytree(source, disk / "copy.index"))
            with _only(disk, free):
                judged(result, f"{change.kind}, {free} bytes free", root, change, before)
            _goes_on(result, root, change)
            shutil.rmtree(root)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    return [result]


def _need(source, disk, change) -> int:
    """Bytes that the change takes in the end; it may take more on the way."""
    root = Path(shutil.copytree(source, disk / "copy.index"))
    before = shutil.disk_usage(disk).free
    with restored():
        settle()
        perform(root, change)
    need = before - shutil.disk_usage(disk).free
    shutil.rmtree(root)
    return max(need, PAGE)


@contextmanager
def _only(disk, free):
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - free)
    try:
        yield
    finally:
        ballast.unlink()


def _goes_on(result, root, change):
    """With room again the index takes a change, and has no leftovers."""
    try:
        perform(root, Change("append", ("d5000",), 5))
        report = verify(root, show_progress=False)
        result.check(
            report.ok and not report.leftovers, f"{change.kind}, with room again: {report}, {report.leftovers}"
        )
    except HyperIRError as wrong:
        result.failures.append(f"{change.kind}, with room again: {wrong}")
