"""Search by words over documents in memory, which come and go, and which a folder keeps."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from hyperir.core.docs import Sparse
from hyperir.core.errors import CorruptError, DuplicateIdError, InputError
from hyperir.core.types import Hit, Hits, Relevance, Row
from hyperir.encode.lexical import LexicalModel
from hyperir.index.checks import check_rows
from hyperir.index.lookup import check_ids
from hyperir.index.schema import OWN, plain
from hyperir.index.strategies.inverted import Inverted, InvertedConfig
from hyperir.relevance.lexical.statistics import Statistics
from hyperir.relevance.sparse import SparseInner

__all__ = ["LexicalIndex"]

ROWS, COUNTS = "rows.jsonl", "counts.safetensors"


class LexicalIndex:
    """A searcher by BM25 or TF-IDF. Scores are always those of the documents as they are now, whatever came before.

    Args:
        model: a lexical model, or the name of one, "bm25" or "tfidf".
        rows: {"id", "text", "title"?, ...metadata}; titles count as well.
    """

    def __init__(self, model: LexicalModel | str = "bm25", rows: Iterable[Row] = ()) -> None:
        self.model = LexicalModel(model) if isinstance(model, str) else model
        self.scored = 0  # documents with a word of the query, at most, of the last search's queries
        self._rows: list[Row] = []
        self._places: dict[str, int] = {}  # of the documents alive
        self._counts = Sparse.cat([])
        self._alive = torch.empty(0, dtype=torch.bool)
        self.statistics = Statistics.of(self._counts)
        self._lists: Inverted | None = None
        self.add(rows)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def nbytes(self) -> int:
        """Bytes in memory of the counts and of the lists that the last search used, without texts and ids."""
        return self._counts.nbytes + (0 if self._lists is None else self._lists.nbytes)

    def add(self, rows: Iterable[Row], *, show_progress: bool = True) -> int:
        """Add documents, all of them or on an error none.

        Args:
            rows: as for the index.
            show_progress: show a bar where it takes over a second.

        Returns:
            How many were added.

        Raises:
            InputError: a row that cannot be used; names it.
            DuplicateIdError: an id that is here already.
        """
        new = list(rows)
        check_rows(new, 0)
        for place, row in enumerate(new):
            if row["id"] in self._places:
                raise DuplicateIdError(
                    f"the id {plain(row['id'])} of row {place} is here already",
                    expected="new ids",
                    fix="delete the old document first",
                )
        if not new:
            return 0
        counts = self.model.encode_document(new, show_progress_bar=show_progress)
        self._places.update((row["id"], place) for place, row in enumerate(new, len(self._rows)))
        self._rows += [dict(row) for row in new]
        self._counts = Sparse.cat([self._counts, counts])
        self._alive = torch.cat([self._alive, torch.ones(len(new), dtype=torch.bool)])
        self.statistics += Statistics.of(counts)
        self._lists = None
        return len(new)

    def delete(self, ids: Iterable[str], *, missing_ok: bool = False) -> int:
        """Delete documents, all of them or on an error none; their ids may be added again.

        Args:
            ids: which; a repeated one counts once.
            missing_ok: pass over ids that are not here, which else is an error.

        Returns:
            How many were deleted.

        Raises:
            InputError: an id that is not here; names it.
        """
        wanted = check_ids(ids)
        missing = [id_ for id_ in wanted if id_ not in self._places]
        if missing and not missing_ok:
            raise InputError(
                f"{len(missing):,} of {len(wanted):,} ids are not here",
                expected="ids of documents that are here",
                got=plain(missing[0]),
                fix="missing_ok=True passes over them",
            )
        gone = torch.tensor([self._places.pop(id_) for id_ in wanted if id_ in self._places], dtype=torch.int64)
        self._alive[gone] = False
        self.statistics -= Statistics.of(self._counts[gone])
        return len(gone)

    def find(self, queries: Sequence[str], k: int = 10) -> Hits:
        """The k best rows of every query, by their numbers in the order of adding, those without its words included."""
        return self._find(self._functions(queries), k)

    def search(self, queries: Sequence[str], k: int = 10) -> list[list[Hit]]:
        """The k best documents of every query, best first; by BM25 and inner products only those with a word of it."""
        f = self._functions(queries)
        hits = self._find(f, k)
        floors = f.shift.tolist() if isinstance(f, SparseInner) else [-math.inf] * len(queries)
        return [
            [
                self._hit(row, score, rank)
                for rank, (row, score) in enumerate(zip(rows, scores, strict=True), 1)
                if row >= 0 and score > floor
            ]
            for rows, scores, floor in zip(hits.rows.tolist(), hits.scores.tolist(), floors, strict=True)
        ]

    def _functions(self, queries: Sequence[str]) -> Relevance[Any]:
        return self.model.encode_query(queries, self.statistics)

    def _find(self, f: Relevance[Any], k: int) -> Hits:
        if self._lists is None:
            self._lists = Inverted(InvertedConfig(), docs=self._counts)
        hits = self._lists.search(f, k, None if bool(self._alive.all()) else self._alive)
        self.scored = hits.scored
        return hits

    def _hit(self, row: int, score: float, rank: int) -> Hit:
        found = self._rows[row]
        metadata = {key: value for key, value in found.items() if key not in OWN}
        return Hit(found["id"], score, rank, found["text"], found.get("title") or "", metadata)

    def save(self, folder: str | Path) -> None:
        """Write the documents that are here, and how they are searched, into a new folder.

        The model, `rows.jsonl` and `counts.safetensors`. There are no commits: whoever needs them keeps the old folder.

        Raises:
            InputError: the folder holds something, or metadata that JSON cannot; nothing was written.
        """
        from safetensors.torch import save_file

        folder = Path(folder).expanduser()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder} holds something already", expected="a new folder")
        alive = self._alive.nonzero().flatten()
        try:
            lines = [json.dumps(self._rows[row], ensure_ascii=False, allow_nan=False) for row in alive.tolist()]
        except (TypeError, ValueError) as error:
            raise InputError("metadata cannot be saved", expected="values that JSON has", got=str(error)) from error
        counts = self._counts[alive]
        self.model.fitted(self.statistics).save_pretrained(folder)
        (folder / ROWS).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        tensors = {"indptr": counts.indptr, "terms": counts.terms, "weights": counts.weights}
        save_file(tensors, folder / COUNTS)  # last: it is what makes a folder an index

    @classmethod
    def load(cls, folder: str | Path) -> LexicalIndex:
        """Read what `save` wrote.

        Raises:
            ModelError: there is no lexical model in the folder.
            CorruptError: a file is damaged or missing, or they do not fit together.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        folder = Path(folder).expanduser()
        index = cls(LexicalModel.from_pretrained(folder))
        try:
            with (folder / ROWS).open(encoding="utf-8", newline="\n") as file:
                rows = [json.loads(line) for line in file]
            tensors = load_file(folder / COUNTS)
            counts = Sparse(tensors["indptr"], tensors["terms"], tensors["weights"])
            _check(counts, len(rows))
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise CorruptError(
                f"the lexical index in {folder} is damaged or not whole", expected="as it was saved", got=str(error)
            ) from error
        index._rows, index._counts, index._alive = rows, counts, torch.ones(len(rows), dtype=torch.bool)
        index._places = {row["id"]: place for place, row in enumerate(rows)}
        index.statistics = Statistics.of(counts)
        return index


def _check(counts: Sparse, rows: int) -> None:
    indptr = counts.indptr
    whole = (
        indptr.dtype == counts.terms.dtype == torch.int64
        and counts.terms.shape == counts.weights.shape
        and len(indptr) == rows + 1
        and int(indptr[0]) == 0
        and int(indptr[-1]) == len(counts.terms)
        and bool((indptr.diff() >= 0).all())
        and bool((counts.terms >= 0).all())
        and bool((counts.weights > 0).all())
    )
    if not whole:
        raise ValueError(f"{rows:,} rows, and counts that do not fit them")
