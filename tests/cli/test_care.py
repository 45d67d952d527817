"""Looking after an index by the command line: what it holds and held, damage and its repair, the installation."""

import json
import shutil
import threading
import time

import pytest
from running import here, hyperir

from hyperir.index.lock import exclusive


@pytest.fixture
def index(world, tmp_path):
    return shutil.copytree(world / "my.index", tmp_path / "my.index")


def flip(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def test_info_and_verify(world):
    assert "4 (1 with empty text)" in hyperir("info", world / "my.index").stdout
    assert json.loads(here("info", world / "my.index", "--json").stdout)["documents"] == 4
    done = hyperir("verify", world / "my.index")
    assert (done.returncode, "whole" in done.stdout) == (0, True)


def test_info_tells_the_history_and_older_commits(index):
    assert here("delete", index, "1", "2").returncode == 0
    told = here("info", index, "--history").stdout
    assert "2 (1 with empty text, 2 deleted)" in told
    commits = [line.split() for line in told.splitlines() if line.endswith(("created", "added 4", "deleted 2"))]
    assert [line[0] for line in commits] == ["1", "2", "3"]
    facts = json.loads(here("info", index, "--history", "--commit", 2, "--json").stdout)
    assert (facts["number"], facts["documents"]) == (2, 4)
    assert [(one["number"], one["documents"], one["change"]) for one in facts["history"]] == [
        (1, 0, "created"),
        (2, 4, "added 4"),
        (3, 2, "deleted 2"),
    ]
    assert "history" not in json.loads(here("info", index, "--json").stdout)
    done = here("info", index, "--commit", 9)
    assert done.returncode == 2
    assert "one that is retained: 1 to 3" in done.stderr


def test_verify_names_a_damaged_file_and_exits_with_3(index):
    packed = next((index / "ann").rglob("*.safetensors"))
    flip(packed)
    done = here("verify", index)
    assert done.returncode == 3
    assert packed.name in done.stdout


def test_repair_tells_its_plan_and_applies_it_when_told_to(index):
    done = here("repair", index)
    assert (done.returncode, "nothing to repair" in done.stdout) == (0, True)
    flip(next((index / "ann").rglob("*.safetensors")))
    done = here("repair", index)
    assert done.returncode == 3
    assert "made again from the rows" in done.stdout
    assert f"hyperir repair {index} --yes" in done.stderr
    assert here("verify", index).returncode == 3, "nothing was changed"
    plan = json.loads(here("repair", index, "--yes", "--json").stdout)
    assert (plan["needed"], plan["done"], plan["lost_documents"], len(plan["problems"])) == (True, True, 0, 1)
    assert here("verify", index).returncode == 0
    assert json.loads(here("repair", index, "--json").stdout)["needed"] is False


def test_repair_goes_back_to_an_older_commit(index):
    assert here("delete", index, "1").returncode == 0
    flip(next((index / "tombs").rglob("*.safetensors")))
    plan = json.loads(here("repair", index, "--yes", "--json").stdout)
    assert (plan["back_to_commit"], plan["lost_commits"], plan["revived_documents"]) == (2, [3], 1)
    assert json.loads(here("info", index, "--json").stdout)["documents"] == 4


def test_a_repair_may_wait_for_another_writer(index):
    inside = threading.Event()

    def hold():
        with exclusive(index):
            inside.set()
            time.sleep(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait()
    done = here("repair", index, "--yes")
    assert (done.returncode, "is being written by process" in done.stderr) == (3, True)
    assert here("repair", index, "--yes", "--wait", 30).returncode == 0
    thread.join()


def test_an_index_that_cannot_be_repaired(index):
    for path in (index / "commits").iterdir():
        path.write_text("{}")
    done = here("repair", index)
    assert (done.returncode, "no commit is whole" in done.stdout, "--yes" in done.stderr) == (3, True, False)
    done = here("repair", index, "--yes")
    assert done.returncode == 3
    assert "restore the folder" in done.stderr


def test_doctor_finds_this_installation_healthy():
    done = hyperir("doctor")
    assert done.returncode == 0, done.stdout
    assert "torch" in done.stdout
