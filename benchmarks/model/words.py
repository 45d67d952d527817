"""The default model before its training: all-MiniLM-L6-v2 with a sketch of words, counted in the pool's documents.

    python benchmarks/model/words.py POOLED -o start
    python benchmarks/model/words.py POOLED --cells 3 -o cells

POOLED is the folder that `pool.py` made. The first is read by an inner product, the second by a network of the query.
"""

import argparse
from pathlib import Path

import hyperir
from hyperir.encode.hybrid import with_words

START = "all-MiniLM-L6-v2"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pooled")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--cells", type=int, default=0)
    options = parser.parse_args()
    rows = list(hyperir.open_collection(options.pooled).documents())
    with_words(hyperir.load(START), rows, cells=options.cells).save_pretrained(options.output, with_backbone=False)


if __name__ == "__main__":
    main()
