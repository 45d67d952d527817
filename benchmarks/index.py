"""The index folder against what a user would write instead, in one run: a plain Lance table and numpy.save.

    python benchmarks/index.py [--documents 250000] [--width 384] [--repeats 3]

Ours counts the checks of the rows, the conversion to Arrow, a second copy of the vectors for mapping, SHA-256 of every
file and their fsync. Lance gets a finished Arrow table with the same columns, and syncs nothing. Opening, the first
search, and the first append of each run in fresh processes, after the imports. Files go to a folder in $TMPDIR.
"""

import argparse
import hashlib
import itertools
import multiprocessing
import random
import shutil
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import torch

from hyperir.index.ids import LOOKS
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES
from hyperir.index.table import STORAGE
from hyperir.relevance.dot import InnerProduct

BATCH = 8192  # rows given to the writer at once
MORE = 1000  # rows of the small append
LEARNING = LOOKS + 1  # appends of a process until it has hashed the ids that are there
GONE = 100  # ids deleted at once
WORDS = ("short", "words", "stand", "in", "for", "the", "texts", "of", "passages", "that", "nobody", "reads")


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def make(first, documents, width):
    """Rows with short texts, unit vectors, and both as the Arrow table that our index makes of them."""
    draw, generator = random.Random(first), np.random.default_rng(first)
    rows = [{"id": f"d{first + i}", "text": " ".join(draw.choices(WORDS, k=8))} for i in range(documents)]
    vectors = generator.standard_normal((documents, width), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = pa.table(
        {
            "key": np.arange(first, first + documents),
            "id": [row["id"] for row in rows],
            "title": pa.nulls(documents, pa.string()),
            "text": [row["text"] for row in rows],
            "vector": pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), width),
        }
    )
    return rows, vectors, table


def append(store, rows, vectors):
    with store.writer() as writer:
        for start in range(0, len(rows), BATCH):
            writer.append(rows[start : start + BATCH], vectors[start : start + BATCH])


def appending(what):
    """Seconds of one append in a process that knows nothing of the index yet."""
    path, first, width = what
    rows, vectors, _ = make(first, MORE, width)
    store = Store.open(path)
    return seconds(lambda: append(store, rows, vectors))


def appending_lance(what):
    """The same of a plain Lance table, which is open as our index is."""
    path, first, width = what
    _, _, block = make(first, MORE, width)
    table = lance.dataset(str(path))
    return seconds(lambda: lance.write_dataset(block, table, mode="append", data_storage_version=STORAGE))


def delete(store, numbers):
    with store.writer() as writer:
        writer.delete([f"d{number}" for number in numbers])


def write_lance(table, path, mode="create"):
    lance.write_dataset(table, str(path), mode=mode, data_storage_version=STORAGE)


def fresh(work, path):
    """Run `work(path)` in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, path).result()


def opening(path):
    """Seconds until the newest commit is checked, and until the first vector is there."""
    start = time.perf_counter()
    store = Store.open(path)
    opened = time.perf_counter() - start
    float(store.docs[0:1].vectors.sum())
    return opened, time.perf_counter() - start


def opening_lance(path):
    return seconds(lambda: lance.dataset(str(path)).count_rows())


def memory(name):
    """A line of /proc/self/status in bytes (Linux)."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1]) * 1024


def searching(path):
    """Seconds of the first and the second search for one query, and the peak of memory beyond the mapped vectors."""
    store = Store.open(path)
    docs = store.docs
    f = InnerProduct(docs[0:1].vectors.clone())
    exact = STRATEGIES.build("exact", docs=docs)
    torch.ones(64, 64) @ torch.ones(64, 64)  # the library's own buffers and threads are no cost of the index
    Path("/proc/self/clear_refs").write_text("5")  # from here on VmHWM is the peak
    before = memory("VmRSS")
    first, second = seconds(lambda: exact.search(f, 10)), seconds(lambda: exact.search(f, 10))
    return first, second, memory("VmHWM") - before - len(store) * store.width * 4


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=250_000)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rows, vectors, table = make(0, options.documents, options.width)
    size = vectors.nbytes / 1e9
    print(f"{options.documents:,} documents, {options.width} wide, float32: {size:.2f} GB of vectors; medians")
    with tempfile.TemporaryDirectory() as place:
        ours, theirs, array = Path(place) / "ours.index", Path(place) / "theirs.lance", Path(place) / "vectors.npy"
        times = {"ours": [], "Lance": [], "numpy.save": []}
        for _ in range(options.repeats):  # in turn, so that a slower minute of the machine is shared by all
            for folder in (ours, theirs):
                shutil.rmtree(folder, ignore_errors=True)
            store = Store.create(ours, width=options.width)
            times["ours"].append(seconds(lambda store=store: append(store, rows, vectors)))
            times["Lance"].append(seconds(lambda: write_lance(table, theirs)))
            times["numpy.save"].append(seconds(lambda: np.save(array, vectors)))
        took = {name: statistics.median(some) for name, some in times.items()}
        for name, value in took.items():
            print(f"append of all, {name:10}{value:12.2f} s     ours takes {took['ours'] / value:4.1f} times as long")
        array.unlink()

        opened, mapped = zip(*(fresh(opening, ours) for _ in range(options.repeats + 2)), strict=True)
        plain = statistics.median(fresh(opening_lance, theirs) for _ in range(options.repeats + 2))
        print(f"opening, ours                {1000 * statistics.median(opened):8.1f} ms")
        print(f"  with the first vector      {1000 * statistics.median(mapped):8.1f} ms")
        print(f"opening, Lance               {1000 * plain:8.1f} ms")

        first, second, beyond = fresh(searching, ours)
        print(f"first search of one query    {1000 * first:8.1f} ms, the second {1000 * second:.1f} ms")
        print(f"  memory beyond the mapped vectors at the peak: {beyond / 1e6:+.1f} MB of {1000 * size:.0f} MB")

        more = itertools.count(options.documents, MORE)
        alone, plain_alone = [], []
        for _ in range(options.repeats):  # a process each, in turn
            alone.append(fresh(appending, (ours, next(more), options.width)))
            plain_alone.append(fresh(appending_lance, (theirs, next(more), options.width)))
        small, plain = [], []
        for turn in range(LEARNING + options.repeats + 2):
            some, own, block = make(next(more), MORE, options.width)
            store = Store.open(ours)
            took = seconds(lambda store=store, some=some, own=own: append(store, some, own))
            small += [took] * (turn >= LEARNING)
            plain.append(seconds(lambda block=block: write_lance(block, theirs, "append")))
        for what, own, theirs_took in (("", small, plain), (", first of a process", alone, plain_alone)):
            a, b = statistics.median(own), statistics.median(theirs_took)
            told = f"ours {1000 * a:.1f} ms, Lance {1000 * b:.1f} ms, {a / b:.1f} times Lance's"
            print(f"append of {MORE:,} rows{what:20}  {told}")

        ids = random.Random(0).sample(range(options.documents), GONE * (options.repeats + 2))
        gone = [
            seconds(lambda part=ids[start : start + GONE]: delete(Store.open(ours), part))
            for start in range(0, len(ids), GONE)
        ]
        print(f"delete of {GONE} ids, with opening{1000 * statistics.median(gone):8.1f} ms")

        records = [record for record in Store.open(ours).commit.files.values() if record.apart]
        bulk = sum(stop - start for record in records for start, stop in record.apart.vectors)
        size = sum(record.size for record in records)
        print(f"files of rows: {size / 1e6:,.1f} MB, without their vectors {(size - bulk) / 1e6:,.1f} MB")

        start = time.perf_counter()
        report = Store.open(ours).verify(show_progress=False)
        checked = time.perf_counter() - start
        assert report.ok, report
        block = bytes(256 << 20)
        rate = len(block) / seconds(lambda: hashlib.sha256(block)) / 1e9
        speed = report.bytes / checked / 1e9
        print(f"verify                       {speed:8.2f} GB/s, {speed / rate:.0%} of SHA-256 of memory on one core")


if __name__ == "__main__":
    main()
