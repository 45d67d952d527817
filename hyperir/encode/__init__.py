"""Text in; documents' vectors and queries' functions out. Nothing here imports torch before a model is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hyperir.core.errors import InputError

if TYPE_CHECKING:
    import torch

    from hyperir.encode.lexical import LexicalModel
    from hyperir.encode.model import Model

__all__ = ["LexicalModel", "Model", "load", "load_network"]


def load(
    name: str | Path,
    *,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
    dtype: torch.dtype | str | None = None,
    device: torch.device | str | None = None,
    allow_pickle: bool = False,
    truncate: int | None = None,
) -> Model | LexicalModel:
    """A model by its name.

    Args:
        name: a bundled model ("hyperir-minilm"); or a folder or hub id of a HyperIR model, an official Hypencoder
            checkpoint, a ColBERT of PyLate or Stanford's code, a sentence-transformers model, or a plain transformers
            model (read with mean pooling and cosine); or "bm25", "tfidf", with settings as "bm25:k1=0.9,b=0.4", or a
            folder of one. "NAME[:64]" is the same as `truncate=64`.
        revision: a branch, tag or commit of the hub's repository.
        cache_dir: where downloads are kept; the hub's own default if None.
        local_files_only: never use the network; so does the environment variable HF_HUB_OFFLINE=1.
        token: for private repositories of the hub.
        dtype: of the backbone, float32, bfloat16 or float16; as saved if None (float32 for others' formats).
        device: where the model goes; the CPU if None.
        allow_pickle: read pytorch_model.bin where there are no safetensors, with `torch.load(weights_only=True)`.
        truncate: cut vectors to their first numbers, as models trained for it allow (Matryoshka); they get length 1
            afterwards, where the model's have it.

    Raises:
        ModelError: nothing of this name can be found or read; says what was tried.
        InputError: vectors that cannot be cut so.
    """
    from hyperir.encode.lexical import LexicalModel, is_lexical, is_lexical_folder, named

    if is_lexical(str(name)) or is_lexical_folder(Path(name).expanduser()):
        if truncate is not None:
            raise InputError(f"{name} counts words, and has no vectors to cut", got=f"truncate = {truncate}")
        return named(str(name)) if is_lexical(str(name)) else LexicalModel.from_pretrained(name)
    return load_network(
        name,
        revision=revision,
        cache_dir=cache_dir,
        local_files_only=local_files_only,
        token=token,
        dtype=dtype,
        device=device,
        allow_pickle=allow_pickle,
        truncate=truncate,
    )


def load_network(
    name: str | Path,
    *,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
    dtype: torch.dtype | str | None = None,
    device: torch.device | str | None = None,
    allow_pickle: bool = False,
    truncate: int | None = None,
) -> Model:
    """As `load`, a model that is a network; "bm25" and "tfidf" are none."""
    from hyperir.encode.loading import read_model
    from hyperir.encode.sources import HubOptions

    options = HubOptions(revision, cache_dir, local_files_only, token, allow_pickle)
    return read_model(str(name), options, dtype=dtype, device=device, truncate=truncate)


def __getattr__(name: str) -> Any:
    if name == "Model":
        from hyperir.encode.model import Model

        return Model
    if name == "LexicalModel":
        from hyperir.encode.lexical import LexicalModel

        return LexicalModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
