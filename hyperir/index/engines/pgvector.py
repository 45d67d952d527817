"""PostgreSQL with pgvector: the vectors live in a table, of ours or of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from hyperir.core.config import Config
from hyperir.core.errors import HyperIRError, InputError, MissingExtraError
from hyperir.core.types import Docs
from hyperir.index.engines.feed import Vectors
from hyperir.index.engines.whole import Whole

__all__ = ["Pgvector"]

WIDEST = 2000  # numbers in a vector that pgvector's HNSW takes
MOST_HELD = 1000  # the largest hnsw.ef_search
SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)


class PgvectorConfig(Config):
    """Configuration.

    Args:
        dsn: where the database is, as libpq reads it: "host=... dbname=..." or "postgresql://...". Passwords belong in
            libpq's own places, PGPASSWORD or ~/.pgpass, since a configuration is saved and shown.
        table: the table's name, or "schema.table". Where there is none it is made and filled.
        row: its column of row numbers, 0 to N - 1.
        vector: its column of vectors.
        replace: whether a table that HyperIR made for other documents is emptied and filled again; without, it is an
            error. A table that HyperIR did not make is never changed.
        m: neighbours of a document in the graph (pgvector's HNSW).
        ef_construction: candidates held while it is built.
        ef_search: candidates held while it is searched, at least k and at most 1,000.
        scan: so many documents or fewer are scanned exactly; see :class:`hyperir.index.engines.whole.Whole`.
    """

    search_only: ClassVar[frozenset[str]] = frozenset({"ef_search", "replace", "scan"})

    type: Literal["pgvector"] = "pgvector"
    dsn: str
    table: str = "hyperir_vectors"
    row: str = "row"
    vector: str = "vector"
    replace: bool = False
    m: int = 16
    ef_construction: int = 128
    ef_search: int = 200
    scan: int = 1000


class Pgvector:
    """Asks a table for its nearest rows. Filters are met by asking for more.

    A connection lasts as long as a search. From pgvector 0.8 on an answer may be wider than 1,000 rows.

    Args:
        config: see :class:`PgvectorConfig`.
        docs: (N,) of `Dense`.

    Raises:
        MissingExtraError: psycopg is not installed.
        InputError: the table holds other documents, or the database lacks the extension `vector`.
        HyperIRError: the database does not answer.
    """

    Config = PgvectorConfig

    def __init__(self, config: PgvectorConfig, *, docs: Docs) -> None:
        self.config = config
        self._psycopg, self._docs = _package(), Vectors(docs)
        if self._docs.width > WIDEST:
            raise InputError(
                "the vectors are too wide for pgvector", expected=f"at most {WIDEST}", got=f"{self._docs.width}"
            )
        sql = self._psycopg.sql
        self._names = {
            "table": sql.Identifier(*config.table.split(".")),
            "row": sql.Identifier(config.row),
            "vector": sql.Identifier(config.vector),
        }
        self._whole = Whole(self._docs, scan=config.scan, ask=self._ask)
        with self._connected() as connection:
            self._fit(connection)
            (version,) = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
        self._iterative = tuple(int(part) for part in version.split(".")[:2]) >= (0, 8)

    def search(self, vectors: Tensor, k: int, allowed: Tensor | None = None) -> Tensor:
        """See :class:`hyperir.index.engines.Engine`."""
        return self._whole.search(vectors, k, allowed)

    def _ask(self, vectors: Tensor, k: int, allowed: Tensor | None) -> Tensor:
        query = self._sql("SELECT {row} FROM {table} ORDER BY {vector} <#> %s::vector LIMIT %s")
        found = torch.full((len(vectors), k), -1)
        with self._connected() as connection, connection.cursor() as cursor:
            held = min(max(self.config.ef_search, k), MOST_HELD)
            cursor.execute("SELECT set_config('hnsw.ef_search', %s, true)", [str(held)])
            if self._iterative:
                cursor.execute("SELECT set_config('hnsw.iterative_scan', 'strict_order', true)")
            cursor.executemany(query, [(str(vector), k) for vector in vectors.tolist()], returning=True)
            for place in range(len(vectors)):
                rows = [row for (row,) in cursor.fetchall()]
                found[place, : len(rows)] = torch.tensor(rows, dtype=torch.int64)
                cursor.nextset()
        return found

    def _fit(self, connection: Any) -> None:
        """Make sure that the table holds these documents: ours by its comment, the user's own by its counts."""
        name = self._names["table"].as_string(connection)
        # Two processes that start at once make one table: the second waits here and finds it.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [name])
        wanted = self._docs.stamp()
        exists, comment = connection.execute(
            "SELECT to_regclass(%s) IS NOT NULL, obj_description(to_regclass(%s), 'pg_class')", [name, name]
        ).fetchone()
        ours = (comment or "").startswith("hyperir ")
        if exists and not ours:
            self._check_own(connection)
        elif not exists or comment != wanted:
            if exists and not self.config.replace:
                raise InputError(
                    f"the table {self.config.table} holds the vectors of other documents",
                    expected=wanted,
                    got=comment,
                    fix='fill it again with "replace": true, or name another table',
                )
            self._fill(connection, wanted)

    def _fill(self, connection: Any, comment: str) -> None:
        config, literal = self.config, self._psycopg.sql.Literal
        available = connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone()
        if available is None:
            raise InputError(
                "the PostgreSQL server has no extension vector", fix="https://github.com/pgvector/pgvector#installation"
            )
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute(self._sql("DROP TABLE IF EXISTS {table}"))
        width = literal(self._docs.width)
        connection.execute(
            self._sql("CREATE TABLE {table} ({row} bigint PRIMARY KEY, {vector} vector({width}))", width=width)
        )
        copying = self._sql("COPY {table} ({row}, {vector}) FROM STDIN (FORMAT BINARY)")
        with connection.cursor() as cursor, cursor.copy(copying) as copy:
            copy.write(SIGNATURE)
            for start, part in self._docs.blocks("Filling PostgreSQL"):
                copy.write(_packed(start, part))
        connection.execute(
            self._sql(
                "CREATE INDEX ON {table} USING hnsw ({vector} vector_ip_ops) WITH (m = {m}, ef_construction = {ef})",
                m=literal(config.m),
                ef=literal(config.ef_construction),
            )
        )
        connection.execute(self._sql("COMMENT ON TABLE {table} IS {comment}", comment=literal(comment)))
        connection.execute(self._sql("ANALYZE {table}"))

    def _check_own(self, connection: Any) -> None:
        found = connection.execute(
            self._sql("SELECT count(*), min({row}), max({row}), max(vector_dims({vector})) FROM {table}")
        ).fetchone()
        count = self._docs.count
        if found != ((count, 0, count - 1, self._docs.width) if count else (0, None, None, None)):
            raise InputError(
                f"the table {self.config.table} does not hold this index's documents",
                expected=f"{count} rows, numbered from 0, with vectors of {self._docs.width}",
                got=f"{found[0]} rows, numbered {found[1]} to {found[2]}, with vectors of {found[3]}",
                fix="number the rows as the index does, or name a table that does not exist yet",
            )

    def _sql(self, text: str, **parts: Any) -> Any:
        return self._psycopg.sql.SQL(text).format(**self._names, **parts)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """A connection in a transaction that is committed, or undone by an error."""
        try:
            # Prepared statements would let the server plan once for any limit, and then without the index.
            with self._psycopg.connect(self.config.dsn, prepare_threshold=None) as connection:
                yield connection
        except self._psycopg.Error as error:
            lost = isinstance(error, self._psycopg.OperationalError)
            raise HyperIRError(
                "PostgreSQL does not answer" if lost else "PostgreSQL refused what it was asked",
                got=str(error).strip(),
                fix="check the dsn, and that the server runs" if lost else "check the table, its columns and rights",
            ) from error


def _packed(start: int, vectors: Tensor) -> bytes:
    """Rows in the binary form of COPY: two fields, an int8 and pgvector's own layout, all big-endian."""
    import numpy

    count, width = vectors.shape
    layout = [("fields", ">i2"), ("eight", ">i4"), ("row", ">i8"), ("size", ">i4"), ("width", ">i2"), ("unused", ">i2")]
    records = numpy.zeros(count, dtype=[*layout, ("vector", ">f4", (width,))])
    records["fields"], records["eight"], records["size"], records["width"] = 2, 8, 4 + 4 * width, width
    records["row"] = numpy.arange(start, start + count)
    records["vector"] = vectors.numpy()
    return records.tobytes()


def _package() -> Any:
    try:
        import psycopg
        import psycopg.sql
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        raise MissingExtraError("psycopg", "pgvector", 'the engine "pgvector"') from None
    return psycopg
