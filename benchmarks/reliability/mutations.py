"""Whether the bars can fail: each line that protects a promise is removed from a copy of the package, and a bar is run.

    python benchmarks/reliability/mutations.py [NAME ...]

Exit code 1 where a bar holds without the line.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
LIMIT = 400  # seconds for one bar
PLACE = re.compile(r"\S*/hyperir-(bar|mutation)-\w+/")


@dataclass(frozen=True)
class Mutation:
    """One change of one file.

    Args:
        file: relative to the repository.
        old: what stands in it, once.
        new: what is put there.
        bars: that must fail then.
        full: those of them that are run as often as promised, for in short they may miss it.
    """

    file: str
    old: str
    new: str
    bars: tuple[str, ...]
    full: tuple[str, ...] = ()

    def of(self, text: str) -> str:
        """The changed text."""
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file} has {text.count(self.old)} times: {self.old}")
        return text.replace(self.old, self.new)


INDEX = "hyperir/index/"
MUTATIONS = {
    "what a dead writer left stays": Mutation(
        INDEX + "writer.py", "if held.dirty or has_newer(place, newest):", "if False:", ("kills",)
    ),
    "files go before the commit that gives them up": Mutation(
        INDEX + "retention.py",
        "    commits.publish(place, commit, new, given_up)\n    place.remove(ended)\n",
        "    place.remove(ended)\n    commits.publish(place, commit, new, given_up)\n",
        ("kills", "power"),
        full=("kills",),
    ),
    "the lock does not say that its holder died": Mutation(
        INDEX + "lock.py", "dirty=os.fstat(descriptor).st_size > 0", "dirty=False", ("kills",)
    ),
    "files are not synced": Mutation(
        INDEX + "durable.py", "[(sync_file, root / name) for name in names]", "[]", ("power", "trace")
    ),
    "folders are not synced": Mutation(
        INDEX + "durable.py", "waiting += [(sync_folder, folder) for folder in folders]", "pass", ("power", "trace")
    ),
    "only the folder of a file is synced, not those above": Mutation(
        INDEX + "durable.py",
        "folders = {root, *(root / parent for name in names for parent in Path(name).parents)}",
        "folders = {root, *((root / name).parent for name in names)}",
        ("power", "trace"),
    ),
    "the commit's own file is not synced": Mutation(
        INDEX + "folder.py",
        "[temporary.relative_to(self.root).as_posix(), *new]",
        "[*new]",
        ("power", "trace"),
    ),
    "the commit's name is not synced": Mutation(
        INDEX + "folder.py",
        "            durable.sync_folder(path.parent)\n            for old in ended:\n",
        "            for old in ended:\n",
        ("power", "trace"),
    ),
    "older commits go before the new one is synced": Mutation(
        INDEX + "folder.py",
        "            durable.sync_folder(path.parent)\n            for old in ended:\n",
        "            ended or durable.sync_folder(path.parent)\n            for old in ended:\n",
        ("power",),
        full=("power",),
    ),
    "files go before the end of their commits is synced": Mutation(
        INDEX + "folder.py",
        "            if ended:\n                durable.sync_folder(path.parent)\n",
        "",
        ("power",),
        full=("power",),
    ),
    "folders made by creation are not synced": Mutation(
        INDEX + "folder.py", "for folder in (self.root, *made):", "for folder in (self.root,):", ("power",)
    ),
    "what Lance cut short is not noticed": Mutation(
        INDEX + "table.py", "    _check_whole(place, files_of(written))\n", "", ("small_files",)
    ),
    "what Lance cut short of a column's index is not noticed": Mutation(
        INDEX + "table.py",
        "    _check_whole(place, [name for name in files_of_version(place, version) if name.startswith(INDICES)])\n",
        "",
        ("small_files",),
    ),
    "failures of the disk are not named": Mutation(
        INDEX + "writer.py", "FAILURES = (OSError, RuntimeError)", "FAILURES = ()", ("full_disk", "small_files")
    ),
    "a failed change leaves its files": Mutation(
        INDEX + "writer.py", "        except BaseException:\n", "        except ZeroDivisionError:\n", ("full_disk",)
    ),
    "verify compares no hashes": Mutation(
        INDEX + "verify.py", "elif digest != record.sha256:", "elif False:", ("flips",)
    ),
    "a commit's hash of itself is not compared": Mutation(
        INDEX + "commit.py",
        'if not isinstance(record, dict) or raw != _sealed({k: v for k, v in record.items() if k != "sha256"}):',
        "if not isinstance(record, dict):",
        ("flips",),
    ),
    "sizes are not compared when opening": Mutation(
        INDEX + "commit.py",
        "        if size != record.size:\n            raise",
        "        if False:\n            raise",
        ("truncations",),
    ),
    "tombstones are parsed before they are hashed": Mutation(
        INDEX + "tombstones.py",
        "if hashlib.sha256(data).hexdigest() != commit.files[name].sha256:",
        "if False:",
        ("mutations",),
    ),
    "rows are read before they are hashed": Mutation(
        INDEX + "before.py",
        "if found != (part or record).sha256:",
        "if False:",
        ("mutated_rows",),
        full=("mutated_rows",),
    ),
    "the lock locks nobody out": Mutation(
        INDEX + "lock.py", "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass", ("together",)
    ),
    "readers read the latest rows": Mutation(
        INDEX + "table.py",
        "where.uri, version=self.version, storage_options",
        "where.uri, storage_options",
        ("together",),
    ),
    "a replaced row stays": Mutation(
        INDEX + "writer.py",
        "        self._insert(rows, stored, ids)\n        self._bury(taken.values())\n",
        "        self._insert(rows, stored, ids)\n",
        ("together", "operations", "deleted"),
    ),
    "the dead are not remembered after a merge": Mutation(
        INDEX + "merge.py", "if dead.any():", "if False:", ("operations", "deleted")
    ),
    "deleted rows count as alive": Mutation(
        INDEX + "store.py",
        "torch.from_numpy(~tombstones.among(self.docs.keys.numpy(), dead))",
        "torch.ones(len(self.docs.keys), dtype=torch.bool)",
        ("deleted", "operations"),
    ),
    "vectors need not be finite": Mutation(INDEX + "checks.py", "if not finite.all():", "if False:", ("refusals",)),
    "vectors may have any width": Mutation(
        INDEX + "checks.py", "if vectors.ndim != 2 or vectors.shape[1] != width:", "if False:", ("refusals",)
    ),
    "vectors may have any type": Mutation(INDEX + "checks.py", "if not floating:", "if False:", ("refusals",)),
    "rows are not checked": Mutation(INDEX + "writer.py", "        check_rows(rows, self.added)\n", "", ("refusals",)),
    "ids travel through numpy, which drops a NUL at the end": Mutation(
        INDEX + "pending.py",
        '"id": pa.array([row["id"] for row in rows], pa.string())',
        '"id": pa.array(np.array([row["id"] for row in rows]), pa.string())',
        ("ids",),
    ),
    "format 1 is not brought to the newest": Mutation(
        INDEX + "commit.py", 'if record.get("format_version") == 1:  # before', "if False:  # before", ("formats",)
    ),
}  # fmt: skip


def caught(mutation: Mutation, bar: str) -> tuple[bool, str]:
    """Whether the bar fails without the line, and its first complaint."""
    with tempfile.TemporaryDirectory(prefix="hyperir-mutation-") as folder:
        copy = Path(folder)
        shutil.copytree(ROOT / "hyperir", copy / "hyperir", ignore=shutil.ignore_patterns("__pycache__"))
        path = copy / mutation.file
        path.write_text(mutation.of(path.read_text()))
        command = [
            sys.executable,
            str(HERE.with_name("run.py")),
            "--only",
            bar,
            *["--short"] * (bar not in mutation.full),
        ]
        try:
            done = subprocess.run(
                command,
                env={**os.environ, "PYTHONPATH": folder},
                cwd=folder,  # the server of processes looks there first
                capture_output=True,
                text=True,
                timeout=LIMIT,
            )
        except subprocess.TimeoutExpired:
            return False, f"not done in {LIMIT} seconds"
    said = [line for line in done.stderr.splitlines() if line.startswith(f"{bar}: ")] or done.stderr.splitlines()[-1:]
    return done.returncode != 0, PLACE.sub("", said[0])[-200:] if done.returncode else ""


def main(names: list[str]) -> int:
    survived = 0
    print("| without the line | bar | fails | says | seconds |", "|---|---|---|---|---|", sep="\n", flush=True)
    for name in names or MUTATIONS:
        for bar in MUTATIONS[name].bars:
            begin = time.perf_counter()
            fails, said = caught(MUTATIONS[name], bar)
            survived += not fails
            seconds = time.perf_counter() - begin
            print(f"| {name} | {bar} | {'yes' if fails else '**no**'} | {said} | {seconds:.0f} |", flush=True)
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
