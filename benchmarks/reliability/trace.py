"""Bar 3 by the system's own word: a trace of the system calls of a process that changes an index.

Every file that a commit names, and the file of the commit itself, must be synced after its last write, and every folder
from there up to the index after its last change of a name, before the link that makes the commit appear; `commits/`
must be synced after the link and before the change returns. Needs strace.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from hyperir.index import retention
from reliability.model import Change, perform, settle
from reliability.result import Result

WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "fallocate", "copy_file_range", "sendfile")
NAMES = ("link", "linkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat")
OTHER = ("openat", "open", "creat", "fsync", "fdatasync", "io_uring_setup", "mmap", "sync_file_range")
CALLS = (*WRITES, *NAMES, *OTHER)

LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)")
DESCRIPTOR = re.compile(r"^\d+<([^>]*)>")
PATHS = re.compile(r'(?:AT_FDCWD<([^>]*)>, |\d+<([^>]*)>, )?"([^"]*)"')


@dataclass
class Call:
    """One system call: where in the trace it began and ended, and the paths that it names."""

    name: str
    begin: int
    end: int
    arguments: str

    @property
    def descriptor(self) -> str:
        """The path of the file that it works on."""
        found = DESCRIPTOR.match(self.arguments)
        return found[1] if found else ""

    @property
    def paths(self) -> list[str]:
        return [str(Path(cwd or folder or "/", name)) for cwd, folder, name in PATHS.findall(self.arguments)]


def main(root: str, commits: int) -> None:
    """Change an index, saying "done N" after each commit. All commits stay, to be compared with the trace."""
    settle()
    retention.RETAIN = commits
    for number in range(1, commits + 1):
        perform(Path(root), change(number))
        os.write(1, f"done {number}\n".encode())  # in one call, whatever Python's buffering is set to


def change(number: int) -> Change:
    if number == 1:
        return Change("create")
    ids = tuple(f"d{number * 10 + i}" for i in range(2))
    again = (f"d{(number - 1) * 10}",)
    turns = [Change("append", ids, number), Change("replace", again, number), Change("append", ids, number)]
    turns += [Change("delete", again), Change("index"), Change("append", ids, number), Change("compact", keep=100_000)]
    return turns[(number - 2) % len(turns)]


def trace(count: int, folder: Path, seed: int = 0) -> list[Result]:
    """Trace `count` commits and check them."""
    result = Result(3, "commits whose every file and folder was synced before they appeared (strace)")
    if shutil.which("strace") is None:
        result.note = "strace is not installed"
        return [result]
    root, log = folder / "traced.index", folder / "trace"
    code = f"import sys; sys.path[:0] = {sys.path!r}; from reliability.trace import main; main({str(root)!r}, {count})"
    options = ["strace", "-f", "-y", "-qq", "-s", "64", "-e", f"trace={','.join(CALLS)}", "-e", "signal=none"]
    done = subprocess.run([*options, "-o", str(log), sys.executable, "-c", code], capture_output=True, text=True)
    result.check(done.returncode == 0, f"the traced process failed: {done.stderr[-2000:]}")
    with log.open(errors="replace") as lines:
        _check(list(calls(lines)), root, result)
    result.check(result.count == count, f"{result.count} of {count} commits were seen")
    return [result]


def calls(lines):
    """The calls of a trace, in the order in which they ended; failed ones are left out."""
    begun: dict[tuple[str, str], tuple[int, str]] = {}
    for at, line in enumerate(lines):
        found = LINE.match(line)
        if not found:
            continue
        process, name, rest = found.groups()
        if rest.rstrip().endswith("<unfinished ...>"):
            begun[process, name] = (at, rest.replace("<unfinished ...>", ""))
            continue
        begin, before = begun.pop((process, name), (at, ""))
        arguments, _, value = (before + rest).rpartition(" = ")
        if not value.startswith("-1"):
            yield Call(name, begin, at, arguments)


def _check(found: list[Call], root: Path, result: Result) -> None:
    written: dict[str, int] = {}  # the end of the last write to a file
    named: dict[str, int] = {}  # the end of the call that gave a file or folder its name
    synced: dict[str, int] = {}  # the beginning of the last sync
    linked: dict[int, int] = {}  # commits that appeared and were not yet reported as done
    inside = str(root)
    for call in found:
        if call.name in ("fsync", "fdatasync"):
            synced[call.descriptor] = call.begin
        elif call.name in WRITES:
            written[call.descriptor] = call.end
            if (said := re.search(r'"done (\d+)', call.arguments)) and (
                at := linked.pop(int(said[1]), None)
            ) is not None:
                result.check(synced.get(f"{inside}/commits", -1) > at, f"commit {said[1]}: commits/ was not synced")
        elif call.name in ("io_uring_setup", "sync_file_range"):
            result.check(False, f"{call.name} cannot be followed by this trace")
        elif call.name == "mmap":
            shared = "MAP_SHARED" in call.arguments and "PROT_WRITE" in call.arguments and inside in call.arguments
            result.check(not shared, f"written through shared memory, which this trace cannot see: {call.arguments}")
        elif call.name.startswith(("link", "rename", "mkdir")) or "O_CREAT" in call.arguments:
            new = call.paths[-1]
            if call.name.startswith("link") and new.startswith(f"{inside}/commits/"):
                result.count += 1
                linked[int(Path(new).stem)] = call.end
                _check_commit(root, call, written, named, synced, result)
            named[new] = call.end
    result.check(not linked, f"commits {sorted(linked)} appeared and were never reported as done")


def _check_commit(root, link, written, named, synced, result):
    """What a commit needs that is new in this trace: its bytes are synced, and its name in the folder above."""
    number = int(Path(link.paths[-1]).stem)
    needed = {Path(link.paths[0])}
    for name in json.loads((root / "commits" / f"{number:012}.json").read_bytes())["files"]:
        needed.update(root / part for part in (name, *Path(name).parents))
    for path in sorted(needed):
        for what, last, where in (("bytes", written, path), ("name", named, path.parent)):
            if str(path) in last:
                right = last[str(path)] < synced.get(str(where), -1)
                result.check(right, f"commit {number}: the {what} of {path.relative_to(root)} not synced")
