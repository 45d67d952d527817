"""Collections of the optional package ir_datasets, by their ids there: `irds:beir/scifact/test`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from hyperir.core.config import Config
from hyperir.core.errors import CollectionError, MissingExtraError, nearest
from hyperir.core.types import Row
from hyperir.corpus.collection import check_split
from hyperir.corpus.columns import TEXT, ColumnsConfig, RowMaker

__all__ = ["Irds", "IrdsConfig"]

PREFIX = "irds:"


class IrdsConfig(Config):
    """The id, after `irds:`."""

    type: Literal["irds"] = "irds"
    source: str


class Irds:
    """A dataset of ir_datasets, which downloads it at first use.

    Its splits are the datasets with judgements directly below it (`beir/scifact` has "test" and "train") and, by the
    last part of its id, the dataset itself.
    """

    Config = IrdsConfig
    understood = "irds:ID (a dataset of the package ir_datasets)"

    def __init__(self, config: IrdsConfig) -> None:
        self._id = config.source.removeprefix(PREFIX)
        _package()  # so that a missing one is known at once

    @classmethod
    def accepts(cls, source: str) -> bool:
        """Anything that begins with `irds:`."""
        return source.startswith(PREFIX)

    @property
    def name(self) -> str:
        """As it was given."""
        return PREFIX + self._id

    @property
    def count(self) -> int | None:
        """From the package's own statistics, where it has them."""
        count = self._load().docs_metadata().get("count")
        return None if count is None else int(count)

    @property
    def splits(self) -> list[str]:
        """Names of the datasets with judgements, sorted."""
        return sorted(self._judged())

    def documents(self) -> Iterator[Row]:
        """Stream the documents; fields that are neither id, text nor title become metadata, but for raw bytes."""
        make = RowMaker(ColumnsConfig(source=self._id), Path(self.name), "document")
        for number, document in enumerate(self._load().docs_iter(), start=1):
            fields = {key: value for key, value in document._asdict().items() if not isinstance(value, bytes)}
            if fields.keys().isdisjoint(TEXT.names):
                fields["text"] = document.default_text()
                fields.pop("title", None)  # it is a part of that text
            yield make(fields, number)

    def queries(self, split: str | None = None) -> dict[str, str]:
        """Texts by query id, of the dataset or of a split. Raises CollectionError where there are none."""
        dataset = self._load() if split is None else self._split(split)
        if not dataset.has_queries():
            raise CollectionError(
                f"the collection {self.name!r} has no queries of its own",
                expected="a dataset with queries",
                got="splits " + (", ".join(self.splits) or "none"),
                fix="name a split, or one of the datasets below it",
            )
        texts = {str(query.query_id): str(query.default_text()) for query in dataset.queries_iter()}
        if split is None:
            return texts
        judged = self.qrels(split)
        return {qid: text for qid, text in texts.items() if qid in judged}

    def qrels(self, split: str) -> dict[str, dict[str, int]]:
        """Judgements of a split. Raises CollectionError."""
        qrels: dict[str, dict[str, int]] = {}
        for judgement in self._split(split).qrels_iter():
            qrels.setdefault(str(judgement.query_id), {})[str(judgement.doc_id)] = int(judgement.relevance)
        return qrels

    def _split(self, split: str) -> Any:
        judged = self._judged()
        check_split(split, sorted(judged), self.name)
        return judged[split]

    def _judged(self) -> dict[str, Any]:
        registry = _package().registry
        below = [name for name in registry if name.rpartition("/")[0] == self._id]
        datasets = {name.rpartition("/")[2]: registry[name] for name in below}
        own = self._load()
        return {
            split: dataset
            for split, dataset in ({self._id.rpartition("/")[2]: own} | datasets).items()
            if dataset.has_qrels()
        }

    def _load(self) -> Any:
        package = _package()
        try:
            dataset = package.load(self._id)
        except KeyError:
            raise CollectionError(
                f"ir_datasets has no dataset {self._id!r}",
                expected="an id from https://ir-datasets.com",
                fix=nearest(self._id, package.registry),
            ) from None
        if not dataset.has_docs():
            raise CollectionError(f"the dataset {self._id!r} of ir_datasets has no documents")
        return dataset


def _package() -> Any:
    try:
        import ir_datasets
    except ModuleNotFoundError as error:
        if error.name != "ir_datasets":
            raise
        raise MissingExtraError("ir_datasets", "irds", "a source that begins with irds:") from None
    return ir_datasets
