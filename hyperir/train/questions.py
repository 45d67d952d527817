"""Questions that a sequence-to-sequence model writes for documents, as people might ask them.

Nogueira and Lin, From doc2query to docTTTTTquery, 2019; sampled as in GPL (Wang et al., NAACL 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from hyperir.core.types import Row
from hyperir.encode.sources import HubOptions, locate
from hyperir.encode.texts import document_text
from hyperir.encode.transformer import silence
from hyperir.train.pretrained import read_pretrained

__all__ = ["QuestionWriter"]

TOP_K, TOP_P = 25, 0.95  # of GPL: the most probable tokens, and of these as many as have so much together
READ, WRITTEN = 384, 64  # tokens of a document, and of a question at most


class QuestionWriter:
    """Writes a question for every document, drawn from the model's distribution.

    Args:
        name: a folder or hub id of a sequence-to-sequence model in transformers' format with safetensors, such as those
            of doc2query.

    Raises:
        ModelError: it cannot be found, or is no such model.
    """

    def __init__(self, name: str | Path) -> None:
        from transformers import AutoModelForSeq2SeqLM

        self._model, self._tokenizer = read_pretrained(
            AutoModelForSeq2SeqLM,
            locate(str(name), HubOptions()),
            "a model that writes questions",
            "a sequence-to-sequence model with safetensors, such as those of doc2query",
        )

    @torch.inference_mode()
    def __call__(self, documents: Sequence[Row | str], seed: int) -> list[str]:
        """One question for each document; the same ones for the same documents, seed and kind of device."""
        if not documents:
            return []
        device = self._model.device
        encoded = self._tokenizer(
            [document_text(each) for each in documents],
            padding=True,
            truncation=True,
            max_length=READ,
            return_tensors="pt",
        )
        given = {name: encoded[name].to(device) for name in ("input_ids", "attention_mask")}
        with silence(), torch.random.fork_rng():
            torch.manual_seed(seed)
            written = self._model.generate(
                **given, do_sample=True, top_k=TOP_K, top_p=TOP_P, max_new_tokens=WRITTEN, num_beams=1
            )
        found = self._tokenizer.batch_decode(written, skip_special_tokens=True)
        return [" ".join(text.split()) for text in found]
