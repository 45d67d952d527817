"""Parquet, streamed by record batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hyperir.core.errors import CollectionError, HyperIRError
from hyperir.core.types import Row
from hyperir.corpus.collection import DocumentsOnly
from hyperir.corpus.columns import ColumnsConfig, RowMaker

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

__all__ = ["Parquet", "ParquetConfig", "read_table"]

BATCH = 1024  # rows in memory at a time


class ParquetConfig(ColumnsConfig):
    """The file, and its columns where they have unusual names."""

    type: Literal["parquet"] = "parquet"


class Parquet(DocumentsOnly):
    """Documents from a Parquet file; metadata keep their types. A column `vector` of vectors is passed over."""

    Config = ParquetConfig
    understood = "a Parquet file (.parquet)"

    def __init__(self, config: ParquetConfig) -> None:
        self._config = config
        self._path = Path(config.source)

    @classmethod
    def accepts(cls, source: str) -> bool:
        """A file with the suffix."""
        return Path(source).suffix.lower() in (".parquet", ".pq") and Path(source).is_file()

    @property
    def name(self) -> str:
        """The file's name, without suffixes."""
        return self._path.name.split(".")[0]

    @property
    def count(self) -> int:
        """From the file's own metadata."""
        with _opened(self._path) as file:
            return int(file.metadata.num_rows)

    def documents(self) -> Iterator[Row]:
        """Stream the documents. Raises CollectionError, with file and row, at the first broken one."""
        make = RowMaker(self._config, self._path, "row")
        with _opened(self._path) as file:
            names = [field.name for field in file.schema_arrow if not _is_vector(field)]
            make.bind(names, f"the table {self._path}")
            number = 0
            for batch in file.iter_batches(batch_size=BATCH, columns=names):
                for values in batch.to_pylist():
                    number += 1
                    yield make(values, number)


def read_table(path: Path) -> Iterator[dict[str, Any]]:
    """Stream the rows of a Parquet file, values by column. Raises CollectionError."""
    with _opened(path) as file:
        for batch in file.iter_batches(batch_size=BATCH):
            yield from batch.to_pylist()


def _is_vector(field: Any) -> bool:
    """Whether a column holds what `Index.export` writes as vectors."""
    from pyarrow.types import is_fixed_size_list, is_floating, is_list, is_struct

    kind = field.type
    if field.name != "vector" or not (is_fixed_size_list(kind) or is_list(kind)):
        return False
    if is_list(kind) and is_struct(kind.value_type):  # weights of terms
        return [each.name for each in kind.value_type] == ["term", "weight"]
    one = kind.value_type if is_list(kind) else kind  # of several vectors a document
    return bool(is_fixed_size_list(one) and is_floating(one.value_type))


@contextmanager
def _opened(path: Path) -> Iterator[ParquetFile]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            yield file
    except HyperIRError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise CollectionError(
            f"the file {path} cannot be read as Parquet", got=str(error), fix="fetch or write it again"
        ) from error
