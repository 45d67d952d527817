"""Models of other tasks than encoding, as transformers' folders hold them: cross-encoders, writers of questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from hyperir.core.errors import ModelError
from hyperir.encode.transformer import silence

__all__ = ["read_pretrained"]


def read_pretrained(kind: Any, folder: Path, refused: str, expected: str) -> tuple[Any, Any]:
    """The model, in its evaluating mode and on the accelerator if there is one, and its tokenizer.

    Args:
        kind: one of transformers' Auto classes.
        folder: with safetensors; code in it is not run, and nothing is fetched.
        refused: what an error says that it cannot be read as.
        expected: what it should have been.

    Raises:
        ModelError: it cannot be read.
    """
    from transformers import AutoTokenizer

    safe = {"trust_remote_code": False, "local_files_only": True}
    try:
        with silence():
            model = kind.from_pretrained(folder, use_safetensors=True, **safe)
            tokenizer = AutoTokenizer.from_pretrained(folder, **safe)
    except (OSError, ValueError, KeyError) as error:
        got = str(error).split("\n")[0]
        raise ModelError(f"{folder} cannot be read as {refused}", expected=expected, got=got) from error
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), tokenizer
