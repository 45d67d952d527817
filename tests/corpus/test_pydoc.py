from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections import Counter

import pytest

from hyperir.core.errors import CollectionError
from hyperir.corpus import open_collection, pydoc

# A name that programmers know, and others of the same object or docstring.
KNOWN = {
    "OSError": ["EnvironmentError", "IOError", "socket.error", "os.error"],
    "array.array": ["array.ArrayType"],
    "array.array.append": ["array.ArrayType.append"],
    "asyncio.TaskGroup": ["asyncio.taskgroups.TaskGroup"],
    "asyncio.gather": ["asyncio.tasks.gather"],
    "bisect.bisect_right": ["bisect.bisect", "statistics.bisect_right"],
    "bytes.strip": ["bytearray.strip"],
    "cProfile.run": ["profile.run"],
    "collections.abc.MutableMapping.popitem": [],
    "collections.deque.rotate": [],
    "concurrent.futures.ProcessPoolExecutor.map": ["concurrent.futures.process.ProcessPoolExecutor.map"],
    "ctypes.create_string_buffer": ["ctypes.c_buffer"],
    "hashlib.md5": ["hashlib.openssl_md5"],
    "hmac.compare_digest": ["secrets.compare_digest"],
    "importlib.util.module_from_spec": [],
    "itertools.chain.from_iterable": [],
    "json.JSONDecoder": ["json.decoder.JSONDecoder"],
    "json.dumps": [],
    "keyword.iskeyword": ["inspect.iskeyword"],
    "list.sort": [],
    "mailbox.Mailbox.add": ["mailbox.MH.add", "mailbox.Maildir.add"],
    "multiprocessing.Pool": ["multiprocessing.context.BaseContext.Pool"],
    "open": ["io.open"],
    "operator.inv": [],
    "operator.invert": [],
    "os.getpid": ["posix.getpid"],
    "os.path.join": ["posixpath.join"],
    "pickle.loads": ["multiprocessing.reduction.ForkingPickler.loads"],
    "random.SystemRandom": ["secrets.SystemRandom"],
    "random.choice": ["random.Random.choice", "secrets.choice"],
    "random.random": ["random.Random.random"],
    "selectors.DefaultSelector": ["selectors.EpollSelector"],
    "sorted": ["builtins.sorted"],
    "str.split": [],
    "threading.Lock": [],
    "time.localtime": ["logging.Formatter.converter"],
    "xml.etree.ElementTree.fromstring": ["xml.etree.ElementTree.XML"],
}


@pytest.fixture(scope="module")
def rows():
    return list(open_collection("pydoc").documents())


def test_the_documentation_of_this_python(rows):
    collection = open_collection("pydoc")
    assert len(rows) > 5000
    assert all(row["text"] and row["title"].startswith(row["id"]) for row in rows)
    assert {row["kind"] for row in rows} == {"module", "class", "function", "method"}
    "".join(row["text"] for row in rows).encode("utf-8")
    assert (collection.name, collection.count, collection.splits) == ("pydoc", None, [])
    with pytest.raises(CollectionError, match="documents only"):
        collection.queries()


def test_an_object_has_the_name_that_programmers_know(rows):
    ids = {row["id"] for row in rows}
    assert sorted(KNOWN.keys() - ids) == []
    assert sorted({other for others in KNOWN.values() for other in others} & ids) == []
    kinds = {row["id"]: row["kind"] for row in rows}
    assert (kinds["random.choice"], kinds["unittest.main"]) == ("function", "class")  # the class hides the module


def test_no_id_is_there_twice_and_no_docstring_under_one_last_part(rows):
    ids = [row["id"] for row in rows]
    assert ids == sorted(set(ids))
    said = Counter((row["text"], row["id"].rpartition(".")[2]) for row in rows)
    assert said.most_common(1)[0][1] == 1
    assert max(Counter(row["text"] for row in rows).values()) <= 5  # nothing that is filled in for want of a docstring


def test_every_name_leads_to_its_object(rows):
    program = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
for name in json.load(sys.stdin):
    first, *rest = name.split(".") if name.split(".")[0] in sys.stdlib_module_names else ["builtins", *name.split(".")]
    thing = importlib.import_module(first)
    for n, part in enumerate(rest, 1):
        if not hasattr(thing, part) and hasattr(thing, "__path__"):
            importlib.import_module(".".join([first, *rest[:n]]))
        thing = getattr(thing, part)
"""
    names = json.dumps([row["id"] for row in rows])
    command = [sys.executable, "-I", "-c", program]
    done = subprocess.run(command, input=names, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_neither_the_run_nor_the_environment_matters(rows, tmp_path, monkeypatch):
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (packages / "stranger.py").write_text("import builtins\ndef f(): 'Strange.'\nbuiltins.stranger = f\n")
    (packages / "stranger.pth").write_text("import stranger\n")
    found = [str(python), "-c", "print(stranger.__doc__)"]
    assert subprocess.run(found, capture_output=True, text=True, check=True).stdout == "Strange.\n"
    monkeypatch.chdir(packages)
    done = subprocess.run([python, "-I", "-S", pydoc.WALKER], capture_output=True, text=True, check=True)
    assert [json.loads(line) for line in done.stdout.splitlines()] == rows
    assert done.stderr == ""


def test_stopping_early_stops_the_walk():
    rows = open_collection("pydoc").documents()
    assert next(rows)["id"] == "ArithmeticError"
    rows.close()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise SystemExit('no standard library')", "exit status 1: no standard library"),
        ("print('hello')", "a line that is not JSON: b'hello"),
    ],
)
def test_a_failing_walk(tmp_path, monkeypatch, program, said):
    (tmp_path / "walker.py").write_text(program)
    monkeypatch.setattr(pydoc, "WALKER", tmp_path / "walker.py")
    with pytest.raises(CollectionError, match="documentation of this Python cannot be read") as caught:
        list(open_collection("pydoc").documents())
    assert said in str(caught.value)
    assert "-I -S" in str(caught.value)
    assert "walker.py" in str(caught.value)


def test_no_interpreter(tmp_path, monkeypatch):
    monkeypatch.setattr(pydoc.sys, "executable", str(tmp_path / "no python"))
    with pytest.raises(CollectionError, match="cannot be started"):
        list(open_collection("pydoc").documents())
