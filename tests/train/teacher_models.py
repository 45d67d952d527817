"""Tiny cross-encoders, made in memory, and teachers that are plain functions."""

import json

import torch
from tiny_models import VOCABULARY, make_tokenizer
from tokenizers import processors
from transformers import BertConfig, BertForSequenceClassification


def write_cross_encoder(folder, labels=1, seed=0):
    """A folder as the hub has them."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.3,
        num_labels=labels,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer = make_tokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    values = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(values))
    return folder


class Words:
    """A teacher: how many different words of the query the document has. `calls` remembers what it was asked."""

    fingerprint = "words"

    def __init__(self, stop_after=None):
        self.calls, self.stop_after = [], stop_after

    def __call__(self, queries, documents):
        if self.stop_after is not None and len(self.calls) >= self.stop_after:
            raise KeyboardInterrupt
        self.calls.append(list(queries))
        return [[self.score(q, d) for d in own] for q, own in zip(queries, documents, strict=True)]

    def score(self, query, document):
        text = document if isinstance(document, str) else f"{document.get('title', '')} {document['text']}"
        return float(len(set(query.split()) & set(text.split())))
