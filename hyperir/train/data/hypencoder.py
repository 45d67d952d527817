"""The format of the Hypencoder's training data: a line holds a query and all its scored passages.

    {"query": {"content": "..."}, "items": [{"id": "...", "content": "...", "score": 3.2}, ...]}

Released lines may hold `tokenized_content`, token ids, in place of `content`; `tokenizer` turns these into text again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from hyperir.core.config import Config
from hyperir.core.errors import CollectionError, ModelError
from hyperir.train.data.inline import InlineSet, Item, as_label, as_string, first_value, make_item

__all__ = ["HypencoderSet", "HypencoderSetConfig"]


class HypencoderSetConfig(Config):
    """Configuration of a file in the Hypencoder's format.

    Args:
        source: the file, plain or gzip.
        positive: which item is the positive: "first", as in the released recipe, or "best", that with the best score.
        tokenizer: a folder or hub id, for files that hold token ids only.
    """

    type: Literal["hypencoder"] = "hypencoder"
    source: str
    positive: Literal["first", "best"] = "first"
    tokenizer: str | None = None


class HypencoderSet(InlineSet):
    """Examples of a file in the Hypencoder's format; an item's score is its label."""

    Config = HypencoderSetConfig
    understood = 'JSON lines with "query" and "items" (the Hypencoder\'s format)'

    def __init__(self, config: HypencoderSetConfig) -> None:
        self._config = config
        self._decode = None if config.tokenizer is None else decoder(config.tokenizer)
        super().__init__(Path(config.source), self._record)

    @classmethod
    def accepts(cls, source: str) -> bool:
        """A file whose first record has "items"."""
        value = first_value(source)
        return isinstance(value, Mapping) and isinstance(value.get("items"), list)

    def _record(self, value: Any, place: str) -> tuple[str, list[Item]]:
        if not isinstance(value, Mapping) or not isinstance(value.get("items"), list) or "query" not in value:
            raise CollectionError(f'{place} has no "query" and list of "items"', got=repr(value)[:80])
        query = self._text(value["query"], "the query", place)
        items = []
        for number, item in enumerate(value["items"], 1):
            text = self._text(item, f"item {number}", place)
            fields = item if isinstance(item, Mapping) else {}
            items.append(make_item(fields.get("id"), text, as_label(fields.get("score"), place), place))
        if not items:
            raise CollectionError(f'{place}: "items" is empty, so the query has no positive')
        if self._config.positive == "best":
            best = max(range(len(items)), key=lambda i: (items[i].label == items[i].label, items[i].label, -i))
            items.insert(0, items.pop(best))
        return query, items

    def _text(self, value: Any, what: str, place: str) -> str:
        if isinstance(value, str):
            return as_string(value, what, place)
        if not isinstance(value, Mapping):
            raise CollectionError(f"{place}: {what} is neither text nor an object", got=repr(value)[:80])
        if "content" in value:
            return as_string(value["content"], what, place)
        tokens = value.get("tokenized_content")
        if not isinstance(tokens, list) or not all(isinstance(token, int) for token in tokens):
            raise CollectionError(
                f'{place}: {what} has neither "content" nor "tokenized_content"',
                got="keys " + ", ".join(map(str, value)),
            )
        if self._decode is None:
            raise CollectionError(
                f"{place}: {what} has token ids and no text",
                fix='name the tokenizer that made them, "tokenizer": "google-bert/bert-base-uncased"',
            )
        return self._decode(tokens)


def decoder(name: str) -> Callable[[list[int]], str]:
    """Token ids -> text, without special tokens, by a tokenizer from a folder or the hub. Raises ModelError."""
    from tokenizers import Tokenizer

    from hyperir.encode.sources import HubOptions, locate

    path = locate(name, HubOptions()) / "tokenizer.json"
    if not path.is_file():
        raise ModelError(f"{name!r} has no tokenizer.json", expected="a tokenizer that writes text from token ids")
    tokenizer = Tokenizer.from_file(str(path))

    def decode(tokens: list[int]) -> str:
        return str(tokenizer.decode(tokens, skip_special_tokens=True))

    return decode
