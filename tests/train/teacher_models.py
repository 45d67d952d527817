"""Tiny cross-encoders and writers of questions, made in memory, and teachers that are plain functions."""

import json

import torch
from tiny_models import VOCABULARY, make_tokenizer
from tokenizers import processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)


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


def write_question_writer(folder, pairs=(), steps=0):
    """A folder as the hub has those of doc2query; it learns the (document, question) pairs that it is given."""
    torch.manual_seed(0)
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=make_tokenizer(), **special)
    config = T5Config(
        vocab_size=len(VOCABULARY),
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=1,
        num_heads=2,
        dropout_rate=0.0,
        pad_token_id=0,
        eos_token_id=3,
        decoder_start_token_id=0,
    )
    model = T5ForConditionalGeneration(config)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        read, asked = (tokenizer(list(each), padding=True, return_tensors="pt") for each in zip(*pairs, strict=True))
        labels = asked["input_ids"][:, 1:].masked_fill(asked["attention_mask"][:, 1:] == 0, -100)
        loss = model(input_ids=read["input_ids"], attention_mask=read["attention_mask"], labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
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
