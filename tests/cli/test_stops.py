"""`hyperir index` stopped by Ctrl-C and by a kill, and going on without encoding again what was committed."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from running import ENVIRONMENT, lines

from hyperir.index.store import Store

ROWS = [{"id": str(i), "text": f"fox {i}"} for i in range(96)]
# The program itself; what is encoded to be added takes its time, and is written down in a file.
SLOW = """
import signal, sys, time
from hyperir.search import adding

log, seconds = sys.argv.pop(1), float(sys.argv.pop(1))
make = adding.encoder

def slow(model, batch_size):
    encode = make(model, batch_size)
    def some(rows):
        vectors = encode(rows)
        with open(log, "a") as file:
            file.writelines(row["id"] + "\\n" for row in rows)
        until = time.monotonic() + seconds
        while time.monotonic() < until:  # a signal just before one long sleep would wait for its end
            time.sleep(0.01)
        return vectors
    return some

adding.encoder = slow
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
from hyperir.cli import main
main()
"""


@pytest.fixture
def start(world, tmp_path):
    """Starts `hyperir index` of the rows: 16 documents are encoded and written together."""
    corpus = lines(tmp_path / "corpus.jsonl", ROWS)
    started = []

    def start(log, seconds, *options):
        where = ["-o", tmp_path / "new.index", "-M", world / "model"]
        command = ["index", corpus, *where, "--batch-size", "1", *options]
        process = subprocess.Popen(
            [sys.executable, "-c", SLOW, log, str(seconds), *map(str, command)],
            env=os.environ | ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def encoded(log):
    return log.read_text().split() if log.exists() else []


def wait_for(process, log, count):
    until = time.monotonic() + 100
    while len(encoded(log)) < count:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until, "the process does not encode"
        time.sleep(0.01)


def ids(folder):
    store = Store.open(folder)
    return store.ids(range(len(store)))


def test_ctrl_c_keeps_what_is_encoded_and_resume_goes_on(start, tmp_path):
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    process = start(first, 0.3)
    wait_for(process, first, 40)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out, "Traceback" in err) == (130, "", False), err
    there = ids(tmp_path / "new.index")
    assert there == [row["id"] for row in ROWS[: len(there)]]
    assert 0 <= len(encoded(first)) - len(there) <= 16, "at most the documents under way are lost"
    assert int(re.search(r"(\d+) documents of this add are committed", err)[1]) == len(there) >= 32
    assert "the same command with --resume" in err

    process = start(second, 0, "--resume")
    err = process.communicate(timeout=100)[1]
    assert process.returncode == 0, err
    assert encoded(second) == [row["id"] for row in ROWS[len(there) :]]
    assert ids(tmp_path / "new.index") == [row["id"] for row in ROWS]


def test_a_kill_loses_only_what_came_after_the_last_checkpoint(start, tmp_path):
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    process = start(first, 0.1, "--checkpoint", 0)
    wait_for(process, first, 64)
    process.kill()
    process.communicate()
    there = ids(tmp_path / "new.index")
    assert len(encoded(first)) - len(there) <= 32, "the documents under way, and those being committed"

    process = start(second, 0, "--resume")
    err = process.communicate(timeout=100)[1]
    assert process.returncode == 0, err
    assert encoded(second) == [row["id"] for row in ROWS[len(there) :]]
    assert ids(tmp_path / "new.index") == [row["id"] for row in ROWS]
    report = Store.open(tmp_path / "new.index").verify(show_progress=False)
    assert (report.ok, report.leftovers) == (True, ())


def test_ctrl_c_before_anything_is_encoded_leaves_no_index(start, tmp_path):
    log = tmp_path / "first.log"
    process = start(log, 100)
    wait_for(process, log, 1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out, "Traceback" in err) == (130, "", False), err
    assert "Nothing was added." in err
    assert not (tmp_path / "new.index").exists()
