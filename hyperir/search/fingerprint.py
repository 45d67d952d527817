"""Whether a model belongs to an index."""

from __future__ import annotations

from hyperir.core.docs import Dense
from hyperir.core.errors import FingerprintError
from hyperir.core.types import Encoder
from hyperir.index.store import Store

__all__ = ["check_fingerprint"]


def check_fingerprint(store: Store, model: Encoder[Dense]) -> None:
    """Raise FingerprintError unless the model makes the document vectors that the index holds."""
    made_by = store.encoder
    if made_by is not None and made_by.fingerprint != model.fingerprint:
        raise FingerprintError(
            f"{store.path} was made by another model",
            expected=f"document vectors of {made_by.name!r} (fingerprint {made_by.fingerprint[:12]})",
            got=f"{model.name!r} (fingerprint {model.fingerprint[:12]})",
            fix=f"open it with {made_by.name!r}, or index the documents again with {model.name!r}",
        )
    if model.width != store.width:
        raise FingerprintError(
            f"{store.path} holds vectors {store.width} wide",
            got=f"{model.name!r}, which makes vectors {model.width} wide",
        )
