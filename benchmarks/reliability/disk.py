"""A disk that loses power, simulated.

While `Recorder` is active, every fsync of this process is noted together with what it made durable: a file's bytes, or
a folder's names. Before each of them, and before every link, unlink, rename, mkdir, rmdir and truncation, the live
folder is photographed. From a photograph, `after_power_loss` makes what may be on the disk afterwards. A name whose
folder was not synced since may be there or not, each for itself, but that names removed from one folder vanish in the
order of their removal; a file's bytes are those of its last fsync if it
is as it was then, and else: those of its last fsync, the live ones, the live ones in part, zeros, or nothing. That is
harsher than journalling file systems are. Lance writes through Rust and syncs nothing (`trace.py` shows it), so what of
its files is durable is what we synced from Python.
"""

import os
import random
import stat
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

POLICIES = (  # of what was not synced
    "nothing survives",
    "names survive",  # and no bytes
    "removals survive",  # and nothing else
    "anything may",
    "anything may",
)
CALLS = ("link", "unlink", "rename", "replace", "mkdir", "rmdir", "ftruncate")


@dataclass(frozen=True)
class Tree:
    """A folder at one moment, or what of it is durable.

    Args:
        names: of every folder, by its inode: name -> inode.
        files: bytes of every file, by inode.
    """

    names: dict[int, dict[str, int]] = field(default_factory=dict)
    files: dict[int, bytes] = field(default_factory=dict)

    def copy(self):
        return Tree(dict(self.names), dict(self.files))


@dataclass(frozen=True)
class Moment:
    """What there was when the power went.

    Args:
        call: the one about to be made.
        live: as the running system sees it.
        durable: as last synced.
        mark: whatever `Recorder.mark` was.
        removed: when a name was removed from a folder, by the folder's inode and the name.
    """

    call: str
    live: Tree
    durable: Tree
    mark: object
    removed: dict[tuple[int, str], int]


class Recorder:
    """Notes what is synced below a folder, and photographs it at every step.

    Args:
        base: the folder; as it is now, it counts as synced.
    """

    def __init__(self, base: Path):
        self.base, self.mark = base, None
        self.moments: list[Moment] = []
        self._open: dict[int, int] = {}  # inode -> descriptor: while it is open, the inode's number is not given again
        self._durable = self._photograph().copy()
        self._removed: dict[tuple[int, str], int] = {}
        self._lock = threading.Lock()  # files are synced several at once

    def _photograph(self) -> Tree:
        tree, folders = Tree(), [self.base]
        tree.names[self.base.stat().st_ino] = {}
        while folders:
            folder = folders.pop()
            names = tree.names[folder.stat().st_ino]
            for entry in os.scandir(folder):
                inode = entry.inode()
                names[entry.name] = inode
                if inode not in self._open:
                    self._open[inode] = os.open(entry.path, os.O_RDONLY)
                if entry.is_dir():
                    tree.names[inode] = {}
                    folders.append(Path(entry.path))
                else:
                    tree.files[inode] = Path(entry.path).read_bytes()
        return tree

    def _before(self, call: str):
        live = self._photograph()
        if self.moments:
            for folder, names in self.moments[-1].live.names.items():
                for name in names.keys() - live.names.get(folder, {}).keys():
                    self._removed[folder, name] = len(self.moments)
        self.moments.append(Moment(call, live, self._durable.copy(), self.mark, dict(self._removed)))

    def _synced(self, descriptor: int):
        now, found = self._photograph(), os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            if found.st_ino in now.names:  # else it is above the base
                self._durable.names[found.st_ino] = dict(now.names[found.st_ino])
        elif found.st_ino in now.files:
            self._durable.files[found.st_ino] = now.files[found.st_ino]

    @contextmanager
    def recording(self):
        """Note what this process does."""
        real = {name: getattr(os, name) for name in (*CALLS, "fsync")}

        def wrapped(name):
            def call(*args, **options):
                with self._lock:
                    self._before(f"{name} {args[0]}")
                    if name == "fsync":  # noted, and not done: nothing here survives on a real disk
                        return self._synced(*args)
                    return real[name](*args, **options)

            return call

        for name in real:
            setattr(os, name, wrapped(name))
        try:
            yield
        finally:
            for name, call in real.items():
                setattr(os, name, call)
            self._before("the end")
            for descriptor in self._open.values():
                os.close(descriptor)


def after_power_loss(moment: Moment, base: Path, inode: int, chance: random.Random) -> str:
    """Write what may be on the disk.

    Args:
        moment: when the power went.
        base: where to write it; a folder that does not exist.
        inode: of the recorded base.
        chance: decides what survives, also by which of the `POLICIES`.

    Returns:
        how it decided.
    """
    policy = chance.choice(POLICIES)
    _write_folder(moment, base, inode, chance, policy)
    return f"{policy}, at: {moment.call}"


def _write_folder(moment, path, inode, chance, policy):
    path.mkdir()
    durable, live = moment.durable.names.get(inode, {}), moment.live.names.get(inode, {})
    gone = sorted(durable.keys() - live.keys(), key=lambda name: moment.removed.get((inode, name), 0))
    gone = set(gone[: chance.randint(0, len(gone))])
    for name in sorted(durable.keys() | live.keys()):
        before, after = durable.get(name), live.get(name)
        chosen = {
            "nothing survives": before,
            "names survive": after,
            "removals survive": before if after is not None else None,
            "anything may": chance.choice([before, after]) if after is not None else None if name in gone else before,
        }[policy]
        if chosen is None:
            continue
        if chosen in moment.live.names or chosen in moment.durable.names:
            _write_folder(moment, path / name, chosen, chance, policy)
        else:
            (path / name).write_bytes(_bytes(moment, chosen, chance, policy))


def _bytes(moment, inode, chance, policy):
    durable, live = moment.durable.files.get(inode, b""), moment.live.files.get(inode, b"")
    if inode not in moment.live.files or durable == live or policy.startswith(("nothing", "removals")):
        return durable
    if policy == "names survive":
        return bytes(len(live))
    cut = chance.randrange(len(live) + 1)
    return chance.choice([durable, live, live[:cut], live[:cut] + bytes(len(live) - cut), bytes(len(live)), b""])
