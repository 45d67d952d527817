"""Exhaustive search with q-nets against this machine's own matrix-product rate, in one run.

    python benchmarks/scoring.py [--documents 250000] [--threads 2]

Peak is the rate of a 2048 x 2048 fp32 product, measured between the timings. Floor: 2 operations a weight and document.
"""

import argparse
import resource
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES
from hyperir.relevance.qnets import QNETS

WIDTH = 384


def seconds(work, repeats):
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak(size=2048):
    a, b = torch.randn(size, size), torch.randn(size, size)
    return 2 * size**3 / seconds(lambda: a @ b, 7)


def make_functions(hidden, queries):
    net = QNETS.build({"type": "mlp", "hidden": hidden}, width=WIDTH)
    written = {n: torch.randn(queries, *s.shape) / s.shape[-1] ** 0.5 for n, s in net.slots().items()}
    with torch.no_grad():
        return net.function(written, None)


def make_store(folder, documents):
    store = Store.create(Path(folder) / "speed.index", width=WIDTH)
    with store.writer() as writer:
        for start in range(0, documents, 8192):
            n = min(8192, documents - start)
            vectors = torch.nn.functional.normalize(torch.randn(n, WIDTH), dim=-1)
            writer.append([{"id": str(start + i), "text": ""} for i in range(n)], vectors)
    return store.refresh()


def private_memory():
    """Bytes of memory this process holds for itself, mapped files left out (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=250_000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(folder, options.documents)
        exact = STRATEGIES.build("exact", docs=store.docs)
        coarse = STRATEGIES.parse({"type": "exact", "first_pass": "bfloat16"})
        quick = STRATEGIES.build(coarse, docs=store.docs)
        save_file(STRATEGIES[coarse.type].build(coarse, store.docs), Path(folder) / "built.safetensors")
        mapped = load_file(Path(folder) / "built.safetensors")  # memory-mapped, as an index holds it
        copied = STRATEGIES.build(coarse, docs=store.docs, built=mapped)
        print(f"{options.documents:,} documents, {WIDTH} wide, memory-mapped, {options.threads} threads")
        print(f"{'q-net':26}{'queries':>8}{'ms/query':>10}{'of peak':>9}")
        for hidden in ((64, 64), (384, 384)):
            f = make_functions(hidden, 32)
            widths = [WIDTH, *hidden, 1]
            operations = 2 * options.documents * sum(i * o for i, o in pairwise(widths))
            name = "-".join(map(str, widths))
            rates, one, many, half, short = [], [], [], [], []
            before = private_memory()
            highest = 0
            for _ in range(options.repeats):  # in turn, so that a slower minute of the machine is shared by all
                rates.append(peak())
                one.append(seconds(lambda f=f: exact.search(f[0:1], 10), 1))
                highest = max(highest, private_memory())
                half.append(seconds(lambda f=f: quick.search(f[0:1], 10), 1))
                short.append(seconds(lambda f=f: copied.search(f[0:1], 10), 1))
            for _ in range(max(options.repeats // 2, 1)):
                start = time.perf_counter()
                exact.search(f, 10)
                many.append((time.perf_counter() - start) / 32)
                highest = max(highest, private_memory())
            rate, first = statistics.median(rates), statistics.median(one)
            for label, queries, took in (
                ("", 1, first),
                ("", 32, statistics.median(many)),
                (" bf16", 1, statistics.median(half)),
                (" bf16 copy", 1, statistics.median(short)),
            ):
                print(f"{name + label:26}{queries:8}{1000 * took:10.1f}{operations / took / rate:9.0%}")
            print(f"  32 queries against one, a query: {statistics.median(many) / first:.2f} of the time")
            full = exact.search(f, 10).rows
            for label, times, way in (("", half, quick), (" over a saved bfloat16 copy", short, copied)):
                found = way.search(f, 10).rows
                same = sum(len(set(a) & set(b)) for a, b in zip(full.tolist(), found.tolist(), strict=True))
                print(
                    f"  bfloat16 against float32{label}: {first / statistics.median(times):.2f} times the speed,"
                    f" {same / full.numel():.1%} of the top 10 the same"
                )
            print(f"  memory beyond the mapped vectors: {(highest - before) / 1e6:+.0f} MB")


if __name__ == "__main__":
    main()
