"""Why a document was returned, under any relevance function: the parts of its score, and the words that carry it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hyperir.core.docs import Dense
from hyperir.core.types import Additive, Encoder

__all__ = ["Explanation", "explain"]

SENTENCES = re.compile(r"(?<=[.!?])\s+|\n{2,}")


@dataclass(frozen=True)
class Explanation:
    """Reasons for one score.

    Args:
        score: f(d).
        parts: what the score is the sum of, by name; empty where the function has no parts.
        words: word of the query -> by how much the score falls when that word is left out, largest first.
        sentence: the passage's sentence that scores best by itself.
    """

    score: float
    parts: dict[str, float]
    words: dict[str, float]
    sentence: str

    def __str__(self) -> str:
        parts = " + ".join(f"{name} {value:.3f}" for name, value in self.parts.items())
        words = ", ".join(f"{word} {fall:+.3f}" for word, fall in list(self.words.items())[:4])
        return f"{parts or f'score {self.score:.3f}'}; words: {words}"


def explain(model: Encoder[Dense], query: str, text: str, title: str = "") -> Explanation:
    """Explain the score of one document by occlusion: the model scores the query again without each of its words.

    Costs one query encoding a word, and one document encoding a sentence.
    """
    words = list(dict.fromkeys(re.findall(r"\w+", query)))
    without = [re.sub(rf"\b{re.escape(word)}\b", " ", query) for word in words]
    sentences = [s.strip() for s in SENTENCES.split(text) if len(s.split()) > 2] or [text]
    f = model.encode_query([query, *without])
    docs = model.encode_document([{"text": text, "title": title}, *sentences], show_progress_bar=False)
    scores = f(docs)
    score = float(scores[0, 0])
    falls = {word: score - float(s) for word, s in zip(words, scores[1:, 0], strict=True)}
    parts = {name: float(v[0, 0]) for name, v in f[0:1].parts(docs).items()} if isinstance(f, Additive) else {}
    return Explanation(
        score,
        parts,
        dict(sorted(falls.items(), key=lambda item: -item[1])),
        " ".join(sentences[int(scores[0, 1:].argmax())].split()),
    )
