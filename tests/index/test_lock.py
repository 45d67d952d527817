"""One writer at a time, whoever it is."""

import os
import socket
import threading
import time

import pytest

from hyperir.core.errors import LockedError
from hyperir.index.lock import exclusive
from hyperir.index.store import Store


def test_a_second_writer_in_another_process_is_told_who_holds_it(small, other_process):
    code = "with Store.open(path).writer() as w:\n  print('held', flush=True); input()"
    process = other_process(small.path, code)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(LockedError, match=f"process {process.pid} on {socket.gethostname()}"), small.writer():
        pass
    assert len(Store.open(small.path)) == 5  # readers are free
    process.communicate("\n")
    with small.writer():
        pass


def test_a_killed_writer_frees_the_lock(small, other_process, add):
    process = other_process(small.path, "with Store.open(path).writer() as w:\n  print('held', flush=True); input()")
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.communicate()
    assert len(add(small, 5, 1)) == 6


def test_two_writers_of_one_process(small):
    with small.writer():  # noqa: SIM117
        with pytest.raises(LockedError, match=rf"process {os.getpid()} .*\(this process\)"), small.writer():
            pass
    assert (small.path / "LOCK").read_bytes() == b""


def test_a_writer_may_wait(tmp_path):
    inside = threading.Event()

    def hold():
        with exclusive(tmp_path):
            inside.set()
            time.sleep(0.2)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait()
    with pytest.raises(LockedError), exclusive(tmp_path, wait=0.05):
        pass
    with exclusive(tmp_path, wait=30):
        pass
    thread.join()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}'])
def test_a_lock_file_that_says_nothing(tmp_path, content):
    with exclusive(tmp_path):
        (tmp_path / "LOCK").write_bytes(content)
        with pytest.raises(LockedError, match="by another process"), exclusive(tmp_path):
            pass


def test_writers_in_four_processes_lose_nothing(tmp_path, other_process):
    path = tmp_path / "four.index"
    Store.create(path, width=4)
    code = (
        "start = int(input())\n"
        "for i in range(start, start + 5):\n"
        "  with Store.open(path).writer(wait=120) as w: w.append(rows_of(i, 1), vectors_of(i, 1))\n"
    )
    processes = [other_process(path, code) for _ in range(4)]
    for number, process in enumerate(processes):
        process.stdin.write(f"{100 * number}\n")
        process.stdin.flush()
    for process in processes:
        assert process.communicate()[1] == ""
    store = Store.open(path)
    assert store.number == 21
    assert sorted(store.ids(range(20))) == sorted(f"d{100 * n + i}" for n in range(4) for i in range(5))
    assert store.docs.keys.tolist() == list(range(20))
    assert store.verify(show_progress=False).ok
