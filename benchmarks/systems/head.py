"""A masked-language head for all-MiniLM-L6-v2, whose published package has none, and which SPLADE starts from.

It has BERT's form, and its output is tied to the word embeddings. Its one matrix is the least-squares map from the
states of tokens to the embeddings of these tokens, so that a state names first of all its own token, and then what
resembles it; a bias leaves about `TERMS` logits of a token above 0. Nothing here saw a masked word.
"""

import itertools
import logging

import torch
from transformers import BertForMaskedLM

import hyperir
from hyperir.encode.sources import HubOptions, locate
from hyperir.encode.texts import document_text

START = "all-MiniLM-L6-v2"
TEXTS, RIDGE, TERMS = 600, 0.1, 8
LINEAR = 10.0  # GELU is the identity so far above 0, and the layer norm behind it takes the constant away again
OWN = 6.0  # the mean logit of a token's own term, before the bias


def write_masked(collection, folder):
    """Save START with its new head as a transformers folder."""
    model = hyperir.load(START)
    backbone = model.document.backbone
    texts = [document_text(row) for row in itertools.islice(collection.documents(), 0, None, 12)][:TEXTS]
    states, ids = _states(model, texts)
    words = backbone.transformer.embeddings.word_embeddings.weight.detach()
    targets = words[ids] - words.mean(0)
    gram = states.T @ states
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram))
    matrix = torch.linalg.solve(gram + ridge, states.T @ targets).T
    logging.getLogger("transformers").setLevel(logging.ERROR)
    source = locate(START, HubOptions())
    masked = BertForMaskedLM.from_pretrained(source)
    transform, predictions = masked.cls.predictions.transform, masked.cls.predictions
    with torch.no_grad():
        transform.dense.weight.copy_(matrix)
        size = (states @ matrix.T).std(-1).mean()
        transform.dense.weight.div_(size)
        transform.dense.bias.fill_(LINEAR)
        transform.LayerNorm.weight.fill_(1.0)
        transform.LayerNorm.bias.zero_()
        predictions.bias.zero_()
        sample = masked.cls(states[::7])
        own = sample.gather(1, ids[::7][:, None]).mean()
        transform.LayerNorm.weight.mul_(OWN / own)
        found = masked.cls(states[::7])
        predictions.bias.fill_(-found.topk(TERMS).values[:, -1].mean().item())
    masked.save_pretrained(folder)
    backbone.tokenizer.save(folder / "tokenizer.json")
    for name in ("tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        if (source / name).is_file():
            (folder / name).write_bytes((source / name).read_bytes())


def _states(model, texts):
    """(P, H) states of the tokens of some texts, and (P,) which tokens they are; without [CLS] and [SEP]."""
    ids = [own[:128] for own in model.document.tokenize(texts)]
    found, tokens = [], []
    with torch.no_grad():
        for batch in model.document.batches(ids, 32):
            states = model.document(batch)
            kept = states.mask.clone()
            kept[:, 0] = False
            kept[torch.arange(len(kept)), states.mask.sum(1) - 1] = False
            found.append(states.tokens[kept])
            tokens.append(batch.ids[kept])
    return torch.cat(found), torch.cat(tokens)
