"""Whether a model belongs to an index."""

from __future__ import annotations

from typing import Any

from hyperir.core.errors import FingerprintError
from hyperir.core.types import Encoder, Kinded
from hyperir.index.commit import Kind
from hyperir.index.kinds import KINDS
from hyperir.index.store import Store

__all__ = ["check_fingerprint", "kind_of"]


def kind_of(model: Encoder[Any]) -> Kind:
    """Whether a model makes one vector a document, several, or weights of terms."""
    return model.kind if isinstance(model, Kinded) else "dense"


def check_fingerprint(store: Store, model: Encoder[Any]) -> None:
    """Raise FingerprintError unless the model makes the document vectors that the index holds."""
    made_by = store.encoder
    if made_by is not None and made_by.fingerprint != model.fingerprint:
        raise FingerprintError(
            f"{store.path} was made by another model",
            expected=f"document vectors of {made_by.name!r} (fingerprint {made_by.fingerprint[:12]})",
            got=f"{model.name!r} (fingerprint {model.fingerprint[:12]})",
            fix=f"open it with {made_by.name!r}, or index the documents again with {model.name!r}",
        )
    if kind_of(model) != store.kind:
        raise FingerprintError(
            f"{store.path} holds {KINDS[store.kind].has} of every document",
            got=f"{model.name!r}, which makes {KINDS[kind_of(model)].has}",
        )
    if model.width != store.width:
        raise FingerprintError(
            f"{store.path} holds vectors {store.width} wide",
            got=f"{model.name!r}, which makes vectors {model.width} wide",
        )
