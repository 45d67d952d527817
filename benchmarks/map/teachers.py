"""Teachers: scores of all documents for some questions, by what learns nothing here but costs more to search with."""

import numpy as np
import torch

from benchmarks.map.world import unit
from hyperir.core.docs import Multi, States
from hyperir.core.progress import track
from hyperir.encode import LexicalModel
from hyperir.relevance import RELEVANCE

BLOCK = 16  # questions at once: MaxSim holds the scores of all their tokens and those of all documents


def lexical(world, numbers):
    """(len(numbers), N) of BM25."""
    model = LexicalModel("bm25")
    docs = model.encode_document(world.texts)
    fitted = model.fitted(docs)
    found = [fitted.encode_query([world.questions[n] for n in block])(docs) for block in _blocks(numbers, "BM25")]
    return torch.cat(found).float()


def late(world, tokens, numbers):
    """(len(numbers), N) of MaxSim over token states as they come, all of length 1."""
    width, states = tokens.width, world.states
    docs = Multi(tokens.indptr, unit(tokens.vectors))
    maxsim = RELEVANCE.build({"type": "maxsim"}, width=width, state_width=width)
    found = []
    for block in _blocks(numbers, "MaxSim"):
        own, mask = unit(states.tokens[block]), states.mask[block]
        found.append(maxsim(States(own, mask, own.mean(1), own))(docs))
    return torch.cat(found)


def strong(world, tokens, file):
    """(questions, N): the sum of BM25's and MaxSim's scores, each over its largest for the question; kept in a file."""
    if not file.is_file():
        everyone = np.arange(len(world.questions))
        both = lexical(world, everyone), late(world, tokens, everyone)
        torch.save(sum(each / each.amax(1, keepdim=True).clamp_min(1e-6) for each in both), file)
    return torch.load(file)


def _blocks(numbers, label):
    starts = range(0, len(numbers), BLOCK)
    return track([numbers[start : start + BLOCK] for start in starts], label, len(starts), "blocks")
