"""Tables as sentence-transformers trains on: a query, a positive, any number of negatives, perhaps a score or label."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from hyperir.core.config import Config
from hyperir.core.errors import CollectionError
from hyperir.corpus.columns import Column
from hyperir.train.data.inline import InlineSet, Item, as_label, as_string, first_value, make_item

__all__ = ["ColumnsSet", "ColumnsSetConfig"]

QUERY = Column("query", ("query", "anchor", "question", "sentence1"), "query_column:")
POSITIVE = Column("positive", ("positive", "pos", "answer", "passage", "document", "sentence2"), "positive_column:")
LABELS = ("scores", "score", "labels", "label")
NEGATIVE = re.compile(r"(negatives?|neg)([_-]?\d+)?")


class ColumnsSetConfig(Config):
    """Configuration of a table.

    Args:
        source: JSON lines, CSV, TSV with a header, or Parquet; plain or gzip.
        query_column: None stands for the usual names, and so on.
        positive_column: of the relevant text.
        negative_columns: of texts that are not relevant, or of lists of them.
        label_column: see :class:`ColumnsSet`.
    """

    type: Literal["columns"] = "columns"
    source: str
    query_column: str | None = None
    positive_column: str | None = None
    negative_columns: tuple[str, ...] | None = None
    label_column: str | None = None


class ColumnsSet(InlineSet):
    """Examples of a table with named columns. Empty negatives are left out.

    The label column holds, as in sentence-transformers, a number for each text after the query; or the teacher's
    margins, one for each negative (a single number, where there is a single negative), which become labels of 0 for
    the positive and -margin for the negative; or, without negatives, one number for the positive.
    """

    Config = ColumnsSetConfig
    understood = "a table with the columns query (or anchor), positive, negative... (.jsonl, .csv, .tsv, .parquet)"

    def __init__(self, config: ColumnsSetConfig) -> None:
        self._config = config
        super().__init__(Path(config.source), self._record)

    @classmethod
    def accepts(cls, source: str) -> bool:
        """A file whose first record has a query and a positive."""
        value = first_value(source)
        return isinstance(value, Mapping) and all(set(c.names) & set(value) for c in (QUERY, POSITIVE))

    def _record(self, value: Any, place: str) -> tuple[str, list[Item]]:
        if not isinstance(value, Mapping):
            raise CollectionError(f"{place} is no record with named columns", got=repr(value)[:80])
        config = self._config
        query = QUERY.find(config.query_column, value, place)
        positive = POSITIVE.find(config.positive_column, value, place)
        texts = [as_string(value[positive], f"the column {positive!r}", place)]
        for name in self._negatives(value, place):
            found = value[name] if isinstance(value[name], list) else [value[name]]
            texts += ["" if text is None else text for text in found]
        labels = self._labels(value, len(texts), place)
        items = []
        for text, label in zip(texts, labels, strict=True):
            if text != "":
                items.append(make_item(None, as_string(text, "a negative", place), label, place))
        return as_string(value[query], f"the column {query!r}", place), items

    def _negatives(self, value: Mapping[str, Any], place: str) -> list[str]:
        wanted = self._config.negative_columns
        if wanted is not None:
            return [Column("negative", (name,)).find(name, value, place) for name in wanted]
        found = [(match, name) for name in value if (match := NEGATIVE.fullmatch(name))]
        return [name for _, name in sorted(found, key=lambda pair: int((pair[0][2] or "0").strip("_-")))]

    def _labels(self, value: Mapping[str, Any], texts: int, place: str) -> list[float]:
        name = self._config.label_column or next((name for name in LABELS if name in value), None)
        if name is None:
            return [math.nan] * texts
        if name not in value:
            raise CollectionError(f"{place} has no column {name!r}", got="columns " + ", ".join(value))
        given = value[name] if isinstance(value[name], list) else [value[name]]
        numbers = [as_label(number, place) for number in given]
        if len(numbers) == texts:
            return numbers
        if len(numbers) == texts - 1:
            return [0.0, *(-margin for margin in numbers)]
        raise CollectionError(
            f"{place}: {len(numbers)} numbers in {name!r} for {texts} texts after the query",
            expected=f"{texts}, one for each, or the {texts - 1} margins between the positive and a negative",
        )
