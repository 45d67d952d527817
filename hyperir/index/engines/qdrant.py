"""Qdrant: the vectors live in a collection, of ours or of the user's own."""

from __future__ import annotations

import os
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

__all__ = ["Qdrant"]

KEY = "QDRANT_API_KEY"


class QdrantConfig(Config):
    """Configuration. An API key is read from the environment variable QDRANT_API_KEY, never from here.

    Args:
        url: of the server; ":memory:" searches inside this process, exactly and slowly, for trials.
        collection: its name. Where there is none it is made and filled. A point's id is the document's row.
        replace: whether a collection that HyperIR made for other documents is deleted and filled again; without, it is
            an error. A collection that HyperIR did not make is never changed.
        m: neighbours of a document in the graph (HNSW).
        ef_construction: candidates held while it is built.
        ef_search: candidates held while it is searched, at least k.
        scan: so many documents or fewer are scanned exactly; see :class:`hyperir.index.engines.whole.Whole`.
        timeout: seconds that an answer may take.
    """

    search_only: ClassVar[frozenset[str]] = frozenset({"ef_search", "replace", "scan", "timeout"})

    type: Literal["qdrant"] = "qdrant"
    url: str
    collection: str = "hyperir"
    replace: bool = False
    m: int = 16
    ef_construction: int = 128
    ef_search: int = 200
    scan: int = 1000
    timeout: int = 60


class Qdrant:
    """Asks a collection for its nearest points. Filters are met by asking for more.

    Args:
        config: see :class:`QdrantConfig`.
        docs: (N,) of `Dense`.

    Raises:
        MissingExtraError: qdrant-client is not installed.
        InputError: the collection holds other documents.
        HyperIRError: the server does not answer.
    """

    Config = QdrantConfig

    def __init__(self, config: QdrantConfig, *, docs: Docs) -> None:
        self.config, self._docs = config, Vectors(docs)
        self._package = _package()
        self._local = config.url == ":memory:"
        self._client = self._package.QdrantClient(
            location=config.url,
            api_key=None if self._local else os.environ.get(KEY),
            timeout=config.timeout,
            check_compatibility=False,  # it would ask the server, and only warn
        )
        self._whole = Whole(self._docs, scan=config.scan, ask=self._ask)
        with self._explained():
            self._fit()

    def search(self, vectors: Tensor, k: int, allowed: Tensor | None = None) -> Tensor:
        """See :class:`hyperir.index.engines.Engine`."""
        return self._whole.search(vectors, k, allowed)

    def _ask(self, vectors: Tensor, k: int, allowed: Tensor | None) -> Tensor:
        models = self._package.models
        # In memory the client scans, and warns of parameters that it does not use.
        how = None if self._local else models.SearchParams(hnsw_ef=max(self.config.ef_search, k))
        requests = [
            models.QueryRequest(query=vector, limit=k, params=how, with_payload=False) for vector in vectors.tolist()
        ]
        with self._explained():
            answers = self._client.query_batch_points(self.config.collection, requests=requests)
        found = torch.full((len(vectors), k), -1)
        for place, answer in enumerate(answers):
            ids = [point.id for point in answer.points]
            strange = next((name for name in ids if not isinstance(name, int)), None)
            if strange is not None:
                raise InputError(
                    f"the collection {self.config.collection} has points whose ids are no row numbers",
                    expected="ids 0 to N - 1",
                    got=str(strange),
                )
            found[place, : len(ids)] = torch.tensor(ids, dtype=torch.int64)
        return found

    def _fit(self) -> None:
        """Make sure that the collection holds these documents: ours by its metadata, the user's own by its counts."""
        client, name, wanted = self._client, self.config.collection, self._docs.stamp()
        if not client.collection_exists(name):
            self._fill(wanted)
            return
        info = client.get_collection(name)
        held = (info.config.metadata or {}).get("hyperir")
        if held is None:
            self._check_own(info.config.params.vectors)
        elif held != wanted:
            if not self.config.replace:
                raise InputError(
                    f"the collection {name} holds the vectors of other documents",
                    expected=wanted,
                    got=held,
                    fix='fill it again with "replace": true, or name another collection',
                )
            client.delete_collection(name)
            self._fill(wanted)
        elif self._count() != self._docs.count:  # filling was interrupted; points that are there are written again
            self._upload()

    def _fill(self, wanted: str) -> None:
        models, config = self._package.models, self.config
        self._client.create_collection(
            config.collection,
            vectors_config=models.VectorParams(size=self._docs.width, distance=models.Distance.DOT),
            hnsw_config=models.HnswConfigDiff(m=config.m, ef_construct=config.ef_construction),
            metadata={"hyperir": wanted},
        )
        self._upload()

    def _upload(self) -> None:
        for start, part in self._docs.blocks("Filling Qdrant"):
            ids = range(start, start + len(part))
            self._client.upload_collection(
                self.config.collection, vectors=part.numpy(), ids=ids, batch_size=512, wait=True
            )

    def _count(self) -> int:
        return int(self._client.count(self.config.collection, exact=True).count)

    def _check_own(self, vectors: Any) -> None:
        models, docs = self._package.models, self._docs
        plain = isinstance(vectors, models.VectorParams)  # a dictionary where the vectors have names
        got = (self._count(), vectors.size, vectors.distance) if plain else "vectors with names"
        if got != (docs.count, docs.width, models.Distance.DOT):
            raise InputError(
                f"the collection {self.config.collection} does not hold this index's documents",
                expected=f"{docs.count} points with one vector of {docs.width} without a name, distance Dot",
                got=str(got),
                fix="fill it from this index, or name a collection that does not exist yet",
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        exceptions = self._package.http.exceptions
        try:
            yield
        except (exceptions.ResponseHandlingException, exceptions.UnexpectedResponse) as error:
            raise HyperIRError(
                f"Qdrant at {self.config.url} does not answer as it should",
                got=str(error).strip(),
                fix=f"check the url, that the server runs, and {KEY}",
            ) from error


def _package() -> Any:
    try:
        import qdrant_client
        import qdrant_client.http.exceptions
    except ModuleNotFoundError as error:
        if error.name != "qdrant_client":
            raise
        raise MissingExtraError("qdrant-client", "qdrant", 'the engine "qdrant"') from None
    return qdrant_client
