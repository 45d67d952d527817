"""Bar 12: an index of every format that there ever was, and of every kind of documents."""

import shutil
from pathlib import Path

import torch

from hyperir.core.docs import Multi, Sparse
from hyperir.core.errors import HyperIRError
from hyperir.index.commit import FORMAT
from hyperir.index.store import Store
from hyperir.index.structures import KEYS
from hyperir.index.verify import verify
from reliability.result import Result

KEPT = Path(__file__).resolve().parents[2] / "tests" / "index" / "formats"

ONE = {
    "dense": torch.ones(1, 2),
    "multi": Multi.of_list([torch.ones(1, 2)]),
    "sparse": Sparse.of_dense(torch.ones(1, 2)),
}


def formats(count: int, folder: Path, seed: int = 0) -> list[Result]:
    """Open, read, verify, change and compact an index of each of the last `count` formats."""
    result = Result(12, "formats of the index that do not open, or do not go on")
    samples = sorted((path.name for path in KEPT.iterdir()), reverse=True)
    for number in (name for name in samples if int(name.partition("-")[0]) > FORMAT - count):
        result.count += 1
        root = folder / f"format-{number}.index"
        try:
            shutil.copytree(KEPT / str(number), root)
            store = Store.open(root)
            result.check((report := verify(root, show_progress=False)).ok, f"format {number}: {report}")
            result.check(len(store.rows(range(store.commit.stored))) == store.commit.stored, f"format {number}: rows")
            with store.writer() as writer:
                writer.append([{"id": "new", "text": ""}], ONE[store.kind])
            for structure in store.commit.structures:
                result.check(KEYS in store.load_structure(structure), f"format {number}: {structure.type}")
            later = store.refresh().compact()
            result.check(later.commit.format_version == FORMAT, f"format {number}: not brought to {FORMAT}")
            result.check(len(later) == len(store) + 1, f"format {number}: {len(later)} documents")
            result.check((report := verify(root, show_progress=False)).ok, f"format {number}, changed: {report}")
        except (HyperIRError, OSError) as wrong:
            result.failures.append(f"format {number}: {type(wrong).__name__}: {wrong}")
    result.note = f"there are {FORMAT} formats"
    return [result]
