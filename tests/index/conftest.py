"""Small indexes, and other processes that work on them."""

import logging
import os
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path

import pytest
import torch

from hyperir.core.docs import Multi, Sparse
from hyperir.index.store import Store


def rows_of(start, count):
    return [
        {"id": f"d{i}", "title": f"Title {i}", "text": f"text {i}", "year": 2000 + i}
        for i in range(start, start + count)
    ]


def vectors_of(start, count, width=4):
    return (torch.arange(start * width, (start + count) * width).reshape(count, width) / 8).float()


def docs_of(kind, start, count):
    """Documents of a kind, made of `vectors_of`: each document has one vector, one twice, or its numbers as weights."""
    vectors = vectors_of(start, count)
    if kind == "multi":
        return Multi.of_list([one.expand(2, -1) for one in vectors])
    return Sparse.of_dense(vectors) if kind == "sparse" else vectors


@pytest.fixture
def add():
    """Append rows `start`, `start + 1`, ... of a fixed imaginary collection, as one commit."""

    def add(store, start, count):
        with store.writer() as writer:
            writer.append(rows_of(start, count), vectors_of(start, count, store.width))
        return store.refresh()

    return add


@pytest.fixture
def rows():
    return rows_of


@pytest.fixture
def vectors():
    return vectors_of


@pytest.fixture
def documents():
    return docs_of


@pytest.fixture
def small(tmp_path, add):
    """Two commits with rows: 3 and 2 documents, width 4."""
    store = Store.create(tmp_path / "small.index", width=4)
    return add(add(store, 0, 3), 3, 2)


@pytest.fixture
def other_process():
    """Run Python code in a process of its own, with `path` and the helpers defined."""

    def start(path: Path, code: str, **options):
        before = (
            f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
            "from conftest import docs_of, rows_of, vectors_of\n"
            "from hyperir.index.store import Store\n"
            f"path = {str(path)!r}\n"
        )
        return subprocess.Popen(
            [sys.executable, "-c", before + code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    return start


@pytest.fixture(scope="session")
def s3_server():
    """The address of an S3 server on loopback, in a thread of this process."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    moto = pytest.importorskip("moto.server", reason="moto, flask or flask-cors is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server, monkeypatch, tmp_path):
    """The name of a new bucket; the environment leads there, and the cache is empty."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anyone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "anything")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    name = f"bucket-{uuid.uuid4().hex}"
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{name}", method="PUT")).close()
    return name
