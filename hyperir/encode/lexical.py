"""`LexicalModel`: words in; counted terms of documents and functions of queries out, without any network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import copy
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BeforeValidator, SerializeAsAny

from hyperir.core.config import Config
from hyperir.core.docs import Sparse
from hyperir.core.errors import ConfigError, InputError, ModelError
from hyperir.core.progress import Progress
from hyperir.core.settings import flat, typed
from hyperir.core.terms import TERMS
from hyperir.core.types import Relevance, Row
from hyperir.encode.analysis import Analyser, AnalysisConfig
from hyperir.encode.texts import document_text, query_text, sequence
from hyperir.encode.transformer import read_json
from hyperir.relevance.lexical import LEXICAL
from hyperir.relevance.lexical.statistics import Statistics

__all__ = ["LexicalConfig", "LexicalModel", "is_lexical", "is_lexical_folder", "named"]

FORMAT = "hyperir-lexical"
BLOCK = 4096  # texts analysed at once


class LexicalConfig(Config):
    """The whole of `config.json`.

    Args:
        format: tells this file from others of its name.
        format_version: of this layout.
        analysis: how texts become terms.
        relevance: a member of `LEXICAL`.
    """

    format: Literal["hyperir-lexical"] = "hyperir-lexical"
    format_version: Literal[1] = 1
    analysis: AnalysisConfig = AnalysisConfig()
    relevance: Annotated[SerializeAsAny[Config], BeforeValidator(LEXICAL.parse)]


class LexicalModel:
    """BM25, TF-IDF: a document is its counted terms, a query a weighted sum over them.

    Documents need no statistics. Queries need those of the documents that are searched, which an index gives as they
    are now: `model.encode_query(queries, statistics)`, or once for all, `model.fitted(statistics)`.

    Args:
        relevance: a member of `LEXICAL`, by name or configuration, as {"type": "bm25", "variant": "atire"}.
        analysis: how texts become terms.
        statistics: of the documents; None until they are known.

    Raises:
        ConfigError, UnknownNameError, InputError: a configuration that cannot be used.
    """

    def __init__(
        self,
        relevance: Mapping[str, Any] | Config | str = "bm25",
        analysis: AnalysisConfig | Mapping[str, Any] | None = None,
        *,
        statistics: Statistics | None = None,
    ) -> None:
        if not isinstance(analysis, AnalysisConfig):
            analysis = AnalysisConfig.parse(analysis or {}, where="analysis")
        self.config = LexicalConfig(analysis=analysis, relevance=LEXICAL.parse(relevance))
        self.analyser = Analyser(analysis)
        self._relevance = LEXICAL.build(self.config.relevance)
        self.statistics = statistics

    @property
    def name(self) -> str:
        """What `hyperir.load` takes to make it again: "bm25", or with settings, as "bm25:variant=bm25+,k1=0.9"."""
        settings = self.config.relevance.model_dump(mode="json", exclude_defaults=True)
        if analysis := self.config.analysis.model_dump(mode="json", exclude_defaults=True):
            settings["analysis"] = analysis
        member = str(self.config.relevance.model_dump(include={"type"})["type"])
        if not settings:
            return member
        text = f"{member}:{','.join(flat(settings))}"
        return text if _is_named(text, self.config) else f"{member}:{json.dumps(settings)}"

    @property
    def kind(self) -> Literal["sparse"]:
        """Of its documents."""
        return "sparse"

    @property
    def width(self) -> int:
        """Of the numbers that words are hashed to."""
        return TERMS

    @property
    def fingerprint(self) -> str:
        """sha256 over everything that changes a document: the analysis. Any relevance function serves its index."""
        side = json.dumps(self.config.analysis.model_dump(mode="json"), sort_keys=True)
        return sha256(f"{FORMAT} 1\n{side}".encode()).hexdigest()

    def encode_document(
        self, documents: Sequence[Row | str], *, batch_size: int = BLOCK, show_progress_bar: bool | None = None
    ) -> Sparse:
        """The counted terms of N documents, (N,); titles count as well.

        Args:
            documents: strings, or rows {"text", "title"?, ...}.
            batch_size: as models with a network need it; words are counted in blocks of another size.
            show_progress_bar: False for never; else when it takes over a second.

        Raises:
            InputError: a document that has no text.
        """
        documents = sequence(documents, "document")
        if batch_size < 1:
            raise InputError("nothing fits into such a batch", expected="batch_size >= 1", got=str(batch_size))
        parts = []
        with Progress("Counting words", len(documents), "passages", show=show_progress_bar is not False) as bar:
            for start in range(0, len(documents), BLOCK):
                some = documents[start : start + BLOCK]
                parts.append(self.analyser.counts(map(document_text, some)))
                bar.advance(len(some))
        return Sparse.cat(parts)

    def encode_query(
        self, queries: Sequence[str], statistics: Statistics | None = None, *, show_progress_bar: bool | None = None
    ) -> Relevance[Sparse]:
        """The relevance functions of Q queries.

        Args:
            queries: strings.
            statistics: of the documents that are searched; the model's own if None.
            show_progress_bar: False for never; else when it takes over a second.

        Raises:
            InputError: a query that is no string, or nobody knows the statistics.
        """
        known = self.statistics if statistics is None else statistics
        if known is None:
            raise InputError(
                "how rare words are depends on the documents that are searched, and those are not known",
                fix="model = model.fitted(model.encode_document(documents))",
            )
        with Progress("Counting words", len(queries), "queries", show=show_progress_bar is not False):
            texts = [query_text(query) for query in sequence(queries, "query")]
            return self._relevance.function(self.analyser.counts(texts), known)

    def fitted(self, documents: Sparse | Statistics) -> LexicalModel:
        """The same model with the statistics of these documents."""
        made = copy(self)
        made.statistics = documents if isinstance(documents, Statistics) else Statistics.of(documents)
        return made

    def similarity(self, f: Relevance[Sparse], docs: Sparse) -> torch.Tensor:
        """Scores (Q, N), or (Q, K) of own candidates: `f(docs)`."""
        return f(docs)

    def words(self, text: str) -> list[str]:
        """The words of a text as they count, in order: without stop words, stemmed."""
        return self.analyser.words(text)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write `config.json`, and `statistics.safetensors` where they are known."""
        from safetensors.torch import save_file

        folder = Path(folder).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / "statistics.safetensors"
        if self.statistics is None:
            place.unlink(missing_ok=True)
        else:
            save_file(tensors_of(self.statistics), place)
        text = json.dumps(self.config.model_dump(mode="json"), indent=2) + "\n"
        (folder / "config.json").write_text(text, encoding="utf-8")

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> LexicalModel:
        """Read what `save_pretrained` wrote.

        Raises:
            ModelError: there is no such model, or it cannot be read.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        folder = Path(folder).expanduser()
        place = folder / "config.json"
        if not place.is_file():
            raise ModelError(f"there is no lexical model in {folder}", expected="a config.json")
        config = LexicalConfig.parse(read_json(place), where=str(place))
        kept = folder / "statistics.safetensors"
        try:
            known = statistics_of(load_file(kept)) if kept.is_file() else None
        except (SafetensorError, KeyError, ValueError) as error:
            raise ModelError(f"{kept} is damaged", expected="statistics of a collection", got=str(error)) from error
        return cls(config.relevance, config.analysis, statistics=known)


def is_lexical(name: str) -> bool:
    """Whether a name is of a lexical model: of a member of `LEXICAL`, with settings or without."""
    return name.partition(":")[0] in list(LEXICAL)


def is_lexical_folder(folder: Path) -> bool:
    """Whether a folder holds a lexical model."""
    place = folder / "config.json"
    return place.is_file() and read_json(place).get("format") == FORMAT


def named(name: str) -> LexicalModel:
    """A lexical model by its name, as "tfidf" or "bm25:variant=bm25+,k1=0.9,analysis.stemmer=german".

    Raises:
        ConfigError, InputError: settings that there are not.
    """
    settings = typed(name)
    analysis = settings.pop("analysis", None)
    return LexicalModel(settings, analysis)


def _is_named(name: str, config: LexicalConfig) -> bool:
    """Whether a name gives this configuration; one with a comma in a value does not."""
    try:
        return named(name).config == config
    except (ConfigError, InputError):
        return False


def tensors_of(statistics: Statistics) -> dict[str, torch.Tensor]:
    """Statistics as tensors for safetensors."""
    totals = torch.tensor([statistics.documents, statistics.length], dtype=torch.float64)
    return {"terms": statistics.terms, "frequencies": statistics.frequencies, "totals": totals}


def statistics_of(tensors: Mapping[str, torch.Tensor]) -> Statistics:
    """The reverse of `tensors_of`.

    Raises:
        KeyError, ValueError: these are no statistics.
    """
    terms, frequencies, totals = (tensors[name] for name in ("terms", "frequencies", "totals"))
    if terms.dtype != torch.int64 or terms.shape != frequencies.shape or totals.shape != (2,):
        raise ValueError(f"terms {tuple(terms.shape)} {terms.dtype}, totals {tuple(totals.shape)}")
    documents, length = totals.tolist()
    return Statistics(int(documents), length, terms, frequencies)
