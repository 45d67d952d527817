"""Bars 2 and 3: power that fails at any moment of a commit, and what is synced before a commit appears."""

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from hyperir.core.errors import HyperIRError
from hyperir.index import commit as commits
from hyperir.index.place import TEMPORARY, place_at
from hyperir.index.store import Store
from hyperir.index.verify import verify
from reliability.disk import Recorder, after_power_loss
from reliability.model import Change, applied, draw, held, perform, put, settle
from reliability.result import Result
from reliability.settings import restored

CHANGES = 40


@dataclass
class Story:
    """What was recorded.

    Args:
        recorder: with the moments; the `mark` of each is the number of the last commit acknowledged, 0 before any.
        inode: of the recorded folder.
        models: what the index holds at every commit.
    """

    recorder: Recorder
    inode: int
    models: dict[int, dict[str, int]]


INSIDE = Path("new") / "folders" / "p.index"  # in folders that creation has to make


def record(folder: Path, changes: int, seed: int) -> Story:
    """Make changes on a recorded disk: every kind first, then at random."""
    folder.mkdir()
    recorder, chance, model = Recorder(folder), random.Random(seed), None
    story = Story(recorder, folder.stat().st_ino, {})
    recorder.mark = 0
    first = [
        Change("create"),
        Change("append", ("d0", "d1", "d2"), 1),
        Change("delete", ("d1",)),
        Change("index"),
        Change("replace", ("d0",), 2),
        Change("compact"),
    ]
    with restored(), recorder.recording():
        settle()
        for number in range(changes):
            change = first[number] if number < len(first) else draw(chance, model, number + 1)
            if number % 5 == 4:
                change = Change("compact")  # which gives up every commit but its own
            model = applied(model, change)
            story.models[number + 1] = model
            perform(folder / INSIDE, change)
            recorder.mark = number + 1
    return story


def power(count: int, folder: Path, seed: int = 0) -> list[Result]:
    """Record changes, let the power fail `count` times, and open what is left."""
    lost = Result(2, "simulated power losses: opens broken, commits lost")
    changes = min(CHANGES, 8 + count // 4)
    story = record(folder / "recorded", changes, seed)
    chance = random.Random(seed)
    moments = story.recorder.moments
    critical = [moment for moment in moments if _between_commits(moment, story)]
    syncs = [moment for moment in critical if moment.call.startswith("fsync")]  # all is changed, and nothing of it sure
    for number in range(count):
        moment = chance.choice((moments, critical, syncs)[number % 3])
        base = folder / "lost"
        how = after_power_loss(moment, base, story.inode, chance)
        lost.count += 1
        try:
            _looked_at(base / INSIDE, story, moment.mark)
        except (HyperIRError, ValueError) as wrong:
            lost.failures.append(f"loss {number}, {how}: {type(wrong).__name__}: {wrong}")
        shutil.rmtree(base)
    lost.note = f"{changes} commits, {len(moments):,} moments"
    return [lost, _synced_before(story)]


def _between_commits(moment, story) -> bool:
    """Whether names of commits are not synced."""
    folder = story.inode
    for part in (*INSIDE.parts, commits.FOLDER):
        folder = moment.live.names[folder].get(part)
        if folder is None:
            return False
    return moment.live.names[folder] != moment.durable.names.get(folder)


def _looked_at(root, story, acknowledged):
    """Open, verify, read, and change the index.

    Raises:
        HyperIRError, ValueError: something is broken or lost.
    """
    numbers = commits.numbers(place_at(root))
    if (numbers[-1] if numbers else 0) not in (acknowledged, acknowledged + 1):
        raise ValueError(f"commit {acknowledged} was acknowledged; there are {numbers}")
    if not numbers:
        Store.create(root, width=4)
        return
    report = verify(root, show_progress=False)
    if not report.ok:
        raise ValueError(str(report))
    if (found := held(Store.open(root))) != story.models[numbers[-1]]:
        raise ValueError(f"commit {numbers[-1]} holds {found}, not {story.models[numbers[-1]]}")
    with Store.open(root).writer() as writer:
        put(writer, Change("append", ("d9999",), 9999))
    if not (report := verify(root, show_progress=False)).ok:
        raise ValueError(f"after the next change: {report}")


def _synced_before(story) -> Result:
    """Whether, at every link of a commit, all that it names was synced: the files' bytes, and the way to each."""
    result = Result(3, "commits whose every file and folder was synced before they appeared (calls from Python)")
    appearing = [m for m in story.recorder.moments if m.call.startswith("link ")]
    for moment in appearing:
        result.count += 1
        folders = [moment.live]
        root = story.inode
        for part in INSIDE.parts:
            root = folders[0].names[root][part]
        temporary = Path(moment.call.removeprefix("link ")).name
        number = int(temporary.removesuffix(TEMPORARY))
        inode = moment.live.names[moment.live.names[root][commits.FOLDER]][temporary]
        text = moment.durable.files.get(inode)
        result.check(text == moment.live.files[inode], f"commit {number} itself was not synced")
        for name in _named(moment.live.files[inode]):
            wrong = _unsynced(moment, root, Path(name).parts)
            result.check(not wrong, f"commit {number}: {name}: {wrong}")
    return result


def _named(text: bytes) -> list[str]:
    import json

    return list(json.loads(text)["files"])


def _unsynced(moment, folder, parts) -> str:
    """What was not synced on the way to a file, if anything."""
    for part in parts:
        inode = moment.live.names[folder].get(part)
        if moment.durable.names.get(folder, {}).get(part) != inode or inode is None:
            return f"the name {part} was not"
        folder = inode
    return "" if moment.durable.files.get(folder) == moment.live.files[folder] else "its bytes were not"
