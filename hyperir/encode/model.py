"""A model: text encoders for queries and documents, and the relevance function between them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hyperir.core.config import Config
from hyperir.core.docs import Dense, Multi, Sparse, States
from hyperir.core.errors import InputError, ModelError
from hyperir.core.progress import Progress
from hyperir.core.types import Docs, Relevance, Row
from hyperir.encode import load_network
from hyperir.encode.backbone import Backbone
from hyperir.encode.card import model_card
from hyperir.encode.config import BackboneConfig, ModelConfig, Untrained
from hyperir.encode.difference import changed_weights
from hyperir.encode.terms import encoded_terms
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.texts import document_text, query_text, sequence
from hyperir.relevance import RELEVANCE, kinds_of
from hyperir.relevance.sparse import SparseInner, as_stored

__all__ = ["Model", "WithBackbone"]

WithBackbone = bool | Literal["changed", "difference"]


class Model(nn.Module):
    """Text in; documents' vectors and queries' functions out.

    `trained` is False as long as the relevance function has weights that learned nothing; whoever trains it sets it.

    Args:
        document: the documents' side.
        query: the queries' side; it may hold the same backbone.
        relevance: a member of `RELEVANCE`, by name or configuration.
        seed: the relevance function's weights are drawn with it; the caller's random numbers are not touched.
        name: what `hyperir.load` takes to make this model again.
    """

    def __init__(
        self,
        document: TextEncoder,
        query: TextEncoder,
        relevance: Mapping[str, Any] | Config | str,
        *,
        seed: int = 0,
        name: str = "",
    ) -> None:
        super().__init__()
        self.document = document
        self.query = query
        self.relevance_config = RELEVANCE.parse(relevance)
        _check_sides(document, query, self.relevance_config)
        _check_kind(self.kind, self.relevance_config)
        if self.kind == "multi" and self.shared:
            query.projection = document.projection  # one map of one transformer's tokens, as in ColBERT
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # the CPU's alone: torch.manual_seed would reach into a GPU's
            self.relevance = RELEVANCE.build(
                self.relevance_config, width=document.width, state_width=query.backbone.width
            )
        self.seed = seed
        self.trained = not any(True for _ in self.relevance.parameters())
        self.name = name
        self.relevance.to(document.backbone.device)

    @property
    def width(self) -> int:
        """D, of the documents' vectors."""
        return self.document.width

    @property
    def kind(self) -> Literal["dense", "multi", "sparse"]:
        """Whether a document is one vector, one of each of its tokens, or weights of terms."""
        if self.document.terms is not None:
            return "sparse"
        return "dense" if self.document.rules is None else "multi"

    @property
    def device(self) -> torch.device:
        return self.document.backbone.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the backbone; vectors and relevance functions are float32."""
        return self.document.backbone.dtype

    @property
    def shared(self) -> bool:
        """True if queries and documents are read by one backbone."""
        return self.query.backbone is self.document.backbone

    @property
    def fingerprint(self) -> str:
        """sha256 over everything that changes a document's vector, and nothing else.

        Models that share the documents' side have the same one, whatever their relevance functions: an index of one
        serves the other.
        """
        # Without what is not there: a newer release with more options still knows the indexes of an older one.
        optional = ("truncate", "project", "tokens", "terms", "words")
        side = json.dumps(_without(self.document.config, *optional), sort_keys=True)
        digest = sha256(f"{side}\n{self.document.backbone.fingerprint}".encode())
        for part in self.document.parts.values():
            for weights in part.state_dict().values():
                digest.update(weights.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def encode_document(
        self, documents: Sequence[Row | str], *, batch_size: int = 32, show_progress_bar: bool | None = None
    ) -> Any:
        """What N documents become, by `kind`: `Dense` (N, D) float32 on the model's device; `Multi` (N,), with a vector
        of every token; or `Sparse` (N,), weights of terms.

        Args:
            documents: strings, or rows {"text", "title"?, ...}; any sequence, read once from front to back.
            batch_size: documents computed at once, at most; on a CPU fewer if they are long.
            show_progress_bar: False for never; else when it takes over a second.

        Raises:
            InputError: a document that has no text.
        """
        documents = sequence(documents, "document")
        _check_batch_size(batch_size)
        with self._evaluating(), _bar("Encoding", len(documents), "passages", show_progress_bar) as bar:
            if self.kind == "sparse":
                return encoded_terms(self.document, documents, document_text, batch_size, bar)
            if self.kind == "multi":
                return self.document.multi(documents, document_text, batch_size, bar)
            return Dense(self.document.vectors(documents, document_text, batch_size, bar))

    def encode_query(
        self, queries: Sequence[str], *, batch_size: int = 32, show_progress_bar: bool | None = None
    ) -> Relevance[Any]:
        """The relevance functions of Q queries, without gradients.

        All queries' token states are in memory at once; for very many, call it in blocks.

        Args:
            queries: strings.
            batch_size: queries computed at once, at most.
            show_progress_bar: False for never; else when it takes over a second.

        Raises:
            InputError: a query that is no string.
        """
        texts = [query_text(query) for query in sequence(queries, "query")]
        _check_batch_size(batch_size)
        with self._evaluating(), _bar("Encoding", len(texts), "queries", show_progress_bar) as bar:
            if self.kind == "sparse":
                return _inner(encoded_terms(self.query, texts, str, batch_size, bar))
            states = self.query.many_states(texts, batch_size, bar)
            # Not inference mode: a function's tensors must be able to take part in its gradient at documents.
            with torch.no_grad():
                return self.function(states)

    def function(self, states: States) -> Relevance[Any]:
        """f of Q queries over what `encode_document` gives; `relevance` is its part that learns."""
        if self.kind == "sparse":
            return _inner(Sparse.of_dense(states.pooled.cpu()))
        f: Relevance[Any] = self.relevance(states)
        return f

    def states(self, texts: Sequence[str], side: Literal["query", "document"] = "query") -> States:
        """Token states of B texts in one batch, with gradients where they are turned on: what training builds on.

        Dropout follows `train()` and `eval()`.
        """
        if side not in ("query", "document"):
            raise InputError("a model has two sides", expected="'query' or 'document'", got=repr(side))
        return (self.query if side == "query" else self.document).states(list(sequence(texts, "text")))

    def similarity(self, f: Relevance[Any], docs: Docs) -> Tensor:
        """Scores (Q, N), or (Q, K) of own candidates: `f(docs)`."""
        return f(docs)

    def rank(
        self, query: str, documents: Sequence[Row | str], top_k: int | None = None, *, batch_size: int = 32
    ) -> list[dict[str, Any]]:
        """The best documents for one query, best first; ties in the order given.

        Returns:
            [{"corpus_id": the document's place in `documents`, "score": ...}, ...], `top_k` of them or all.
        """
        if top_k is not None and top_k < 1:
            raise InputError("nothing to rank", expected="top_k of at least 1, or None for all", got=str(top_k))
        f = self.encode_query([query], batch_size=batch_size)
        with torch.no_grad():
            scores = f(self.encode_document(documents, batch_size=batch_size))[0]
        order = scores.argsort(descending=True, stable=True)[:top_k]
        return [
            {"corpus_id": row, "score": score}
            for row, score in zip(order.tolist(), scores[order].tolist(), strict=True)
        ]

    def config(self, *, with_backbone: WithBackbone = True) -> ModelConfig:
        """What `config.json` says of this model."""
        document, query = self.document.backbone, self.query.backbone
        return ModelConfig(
            backbone=_backbone_config(document, with_backbone),
            query_backbone=None if self.shared else _backbone_config(query, with_backbone),
            query=self.query.config,
            document=self.document.config,
            relevance=self.relevance_config,
            untrained=None if self.trained else Untrained(seed=self.seed),
        )

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        with_backbone: WithBackbone = True,
        dtype: torch.dtype | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the model: config.json, model.safetensors, tokenizer.json, README.md. `name` becomes the folder.

        Args:
            folder: made if it is missing; what it holds of an older model is replaced.
            with_backbone: also the backbone's weights; else only its name and fingerprint, which suits a frozen one.
                "changed" decides for each: weights where they changed or have no name. "difference" writes of a changed
                one with a name only the weights that are not those of its name.
            dtype: how the relevance function's weights and a backbone's difference are stored, for example
                `torch.float16`; they are computed with as before. None keeps their type.
            training: a record of the training run for the model card.

        Raises:
            ModelError: `with_backbone=False`, but the backbone has no name, or differs from what its name gives.
        """
        folder = Path(folder).expanduser().resolve()
        self._write(folder, folder.name, with_backbone, training, dtype)
        self.name = str(folder)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        commit_message: str = "Upload a HyperIR model",
        create_pr: bool = False,
        with_backbone: WithBackbone = True,
        training: Mapping[str, Any] | None = None,
    ) -> str:
        """Upload the model to the hub, into a repository that is made if it is missing.

        Args:
            repo_id: "owner/name".
            private: for a new repository; the owner's default if None.
            token: with the right to write; the stored one if None.
            revision: the branch; "main" if None.
            commit_message: the commit's first line.
            create_pr: open a pull request instead of committing.
            with_backbone: see :meth:`save_pretrained`.
            training: a record of the training run for the model card.

        Returns:
            The commit's address.
        """
        from huggingface_hub import HfApi

        api = HfApi(token=token, library_name="hyperir")
        with tempfile.TemporaryDirectory() as folder:
            self._write(Path(folder), repo_id, with_backbone, training)  # first: what fails should leave no repository
            api.create_repo(repo_id, private=private, repo_type="model", exist_ok=True)
            commit = api.upload_folder(
                repo_id=repo_id,
                folder_path=folder,
                repo_type="model",
                revision=revision,
                commit_message=commit_message,
                create_pr=create_pr,
            )
        self.name = repo_id
        return str(commit.commit_url)

    from_pretrained = staticmethod(load_network)  # under the name that users of transformers look for

    def _write(
        self,
        folder: Path,
        name: str,
        with_backbone: WithBackbone,
        training: Mapping[str, Any] | None,
        dtype: torch.dtype | None = None,
    ) -> None:
        from safetensors.torch import save_file

        config = self.config(with_backbone=with_backbone)
        tensors = {f"relevance.{key}": value for key, value in _cast(self.relevance.state_dict(), dtype).items()}
        sides = {"backbone": self.document.backbone} | ({} if self.shared else {"query_backbone": self.query.backbone})
        for prefix, side in (("document", self.document), ("query", self.query)):
            for what, part in side.parts.items():
                tensors |= {f"{prefix}_{what}.{key}": value for key, value in part.state_dict().items()}
        folder.mkdir(parents=True, exist_ok=True)
        for prefix, backbone in sides.items():
            if _is_own(backbone, with_backbone):
                own = backbone.transformer.state_dict()
                tensors |= {f"{prefix}_head.{key}": value for key, value in backbone.head_weights.items()}
                file = "tokenizer.json" if prefix == "backbone" else "query_tokenizer.json"
                _replace(folder / file, backbone.tokenizer.save)
            elif _is_difference(backbone, with_backbone):
                own = _cast(changed_weights(backbone, _origin(backbone)), dtype)
            else:
                continue
            tensors |= {f"{prefix}.{key}": value for key, value in own.items()}
        weights = folder / "model.safetensors"
        if tensors:
            # Clones: tensors that share memory are not saved otherwise.
            plain = {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
            _replace(weights, lambda path: save_file(plain, path, metadata={"format": "pt"}))
        else:
            weights.unlink(missing_ok=True)
        card = model_card(config, name=name, width=self.width, training=training)
        _replace(folder / "README.md", lambda path: path.write_text(card, encoding="utf-8"))
        # Last, because it is what makes a folder a model.
        text = json.dumps(config.model_dump(mode="json", exclude_none=True), indent=2) + "\n"
        _replace(folder / "config.json", lambda path: path.write_text(text, encoding="utf-8"))

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Without dropout, whatever the mode the caller left the model in."""
        learning = [module for module in self.modules() if module.training]
        self.eval()
        try:
            yield
        finally:
            for module in learning:
                module.training = True


def _bar(what: str, total: int, unit: str, show: bool | None) -> Progress:
    return Progress(what, total, unit, show=show is not False)


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise InputError("nothing fits into such a batch", expected="batch_size of at least 1", got=str(batch_size))


def _inner(queries: Sparse) -> SparseInner:
    return SparseInner(queries, as_stored, queries.weights.new_zeros(queries.shape))


def _check_sides(document: TextEncoder, query: TextEncoder, relevance: Config) -> None:
    """Raise InputError unless weights of terms meet weights of the same terms, in an inner product."""
    if document.terms is None and query.terms is None:
        return
    if document.terms is None or query.terms is None or document.terms.size != query.terms.size:
        widths = f"{document.width} and {query.width}, terms: {document.config.terms} and {query.config.terms}"
        raise InputError("queries and documents have no terms in common", expected="`terms` on both sides", got=widths)
    if relevance.model_dump()["type"] != "dot":
        raise InputError(
            "weights of terms meet in an inner product",
            expected='relevance "dot"',
            got=repr(relevance.model_dump()["type"]),
        )


def _check_kind(kind: str, relevance: Config) -> None:
    """Raise InputError unless the relevance function scores what the documents' side makes."""
    if (Multi if kind == "multi" else Dense) not in kinds_of(relevance):
        made = "a vector of every token of a document" if kind == "multi" else "one vector a document"
        raise InputError(
            "the relevance function does not score what the documents' side makes",
            expected=f"one over {made}",
            got=f"relevance {relevance.model_dump()['type']!r}",
            fix="" if kind == "multi" else "`hyperir.encode.colbert.colbert` makes a model with vectors of tokens",
        )


def _without(config: Config, *optional: str) -> dict[str, Any]:
    """A configuration's plain values, without options that are not used."""
    values = config.model_dump(mode="json")
    return {key: value for key, value in values.items() if key not in optional or value is not None}


def _is_own(backbone: Backbone, with_backbone: WithBackbone) -> bool:
    """Whether the backbone's weights are in the folder."""
    if with_backbone == "changed":
        return backbone.changed or not backbone.name
    return not backbone.name if with_backbone == "difference" else with_backbone


def _is_difference(backbone: Backbone, with_backbone: WithBackbone) -> bool:
    """Whether the folder holds those of the backbone's weights that are not its name's."""
    return with_backbone == "difference" and bool(backbone.name) and backbone.changed


def _origin(backbone: Backbone) -> Backbone:
    """What the backbone's name gives, in the backbone's type."""
    return load_network(backbone.name, dtype=backbone.dtype).document.backbone


def _cast(tensors: Mapping[str, Tensor], dtype: torch.dtype | None) -> dict[str, Tensor]:
    return {
        name: value if dtype is None or not value.is_floating_point() else value.to(dtype)
        for name, value in tensors.items()
    }


def _backbone_config(backbone: Backbone, with_backbone: WithBackbone) -> BackboneConfig:
    dtype = str(backbone.dtype).removeprefix("torch.")
    if _is_difference(backbone, with_backbone):
        return BackboneConfig(id=backbone.name, fingerprint=_origin(backbone).fingerprint, changes=True, dtype=dtype)  # type: ignore[arg-type]
    if _is_own(backbone, with_backbone):
        values = json.loads(backbone.transformer.config.to_json_string(use_diff=True))
        dropped = ("_name_or_path", "architectures", "dtype", "torch_dtype", "auto_map")
        kept = {key: value for key, value in values.items() if key not in dropped}
        return BackboneConfig(config=kept, pad_id=backbone.tokenizer.pad_id, dtype=dtype)  # type: ignore[arg-type]
    if not backbone.name:
        raise ModelError("the backbone has no name to refer to", fix="save it too, with_backbone=True")
    if backbone.changed:
        raise ModelError(
            f"the backbone {backbone.name!r} has changed since it was loaded, so its name no longer gives it",
            fix="save it too, with_backbone=True",
        )
    return BackboneConfig(id=backbone.name, fingerprint=backbone.fingerprint, dtype=dtype)  # type: ignore[arg-type]


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside and rename: who has the old file open or mapped keeps it whole."""
    beside = path.with_name(path.name + ".new")
    write(beside)
    beside.replace(path)
