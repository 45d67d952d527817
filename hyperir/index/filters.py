"""Filters over documents: a small language, read into a tree.

    filter     = conjunction { "or" conjunction }
    conjunction = term { "and" term }
    term       = "not" term | "(" filter ")" | function "(" column "," string ")" | column test
    function   = "starts_with" | "contains"
    test       = operator value | ["not"] "in" "(" value { "," value } ")" | "is" ["not"] "null"
               | ["not"] "between" value "and" value
    operator   = "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">="
    value      = number | string | "true" | "false" | "null"
    string     = 'single' or "double" quotes; a quote inside is doubled
    column     = a bare word, or any name in `backquotes`; a backquote inside is doubled

Keywords may be in either case, columns may not. Null is as in SQL: a comparison with null, on either side, is neither
true nor false, nor is its negation, and only what is true passes; `is null` finds what is missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeAlias

from hyperir.core.errors import InputError

__all__ = ["MAX_DEPTH", "And", "Compare", "Contains", "Filter", "In", "IsNull", "Not", "Or", "StartsWith", "parse"]

MAX_CHARACTERS = 10_000
MAX_DEPTH = 12  # brackets and negations inside each other: Lance's own parser stops at 50, and takes up to 3 for one

Value: TypeAlias = bool | int | float | str | None
Operator = Literal["=", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True)
class Compare:
    """`column operator value`."""

    column: str
    operator: Operator
    value: Value


@dataclass(frozen=True)
class In:
    """The column's value is one of `values`."""

    column: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class IsNull:
    """The document has no value there."""

    column: str


@dataclass(frozen=True)
class StartsWith:
    """The column's text starts with `text`."""

    column: str
    text: str


@dataclass(frozen=True)
class Contains:
    """The column's text contains `text`."""

    column: str
    text: str


@dataclass(frozen=True)
class Not:
    """The part is false."""

    part: Filter


@dataclass(frozen=True)
class And:
    """All parts are true."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True)
class Or:
    """One part or more is true."""

    parts: tuple[Filter, ...]


Filter: TypeAlias = Compare | In | IsNull | StartsWith | Contains | Not | And | Or

OPERATORS: dict[str, Operator] = {
    "=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
}  # fmt: skip
FUNCTIONS: dict[str, type[StartsWith] | type[Contains]] = {"starts_with": StartsWith, "contains": Contains}
CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
KEYWORDS = {"and", "or", "not", "in", "is", "between", *CONSTANTS}
TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.]))
      | (?P<string>'[^']*(?:''[^']*)*'|"[^"]*(?:""[^"]*)*")
      | (?P<quoted>`[^`]*(?:``[^`]*)*`)
      | (?P<word>[^\W\d]\w*)
      | (?P<symbol><=|>=|<>|!=|==|[=<>(),])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
UNFINISHED = {"'": "the closing '", '"': 'the closing "', "`": "the closing `"}


@dataclass(frozen=True)
class _Token:
    kind: str  # a group of TOKEN; "keyword" for words that are one
    text: str  # as written; keywords and symbols are compared by it
    start: int


def parse(text: str) -> Filter:
    """Read a filter.

    Raises:
        InputError: it is no filter, and the error shows where; or it is longer or deeper than the limits allow.
    """
    if not isinstance(text, str):
        raise InputError("a filter is a string", expected="such as 'year >= 2020'", got=type(text).__name__)
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            "the filter is too long", expected=f"up to {MAX_CHARACTERS:,} characters", got=f"{len(text):,}"
        )
    parser = _Parser(text)
    tree = parser.either(0)
    if parser.token.kind != "end":
        parser.refuse('"and", "or" or the end')
    return tree


class _Parser:
    """Recursive descent with one token of look-ahead."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.token = self._read(0)

    def _read(self, at: int) -> _Token:
        match = TOKEN.match(self.text, at)
        if match is None or match.lastgroup is None:
            start = at + len(self.text[at:]) - len(self.text[at:].lstrip())
            _refuse(self.text, start, UNFINISHED.get(self.text[start], "a column, a value or an operator"))
        kind, start = match.lastgroup, match.start(match.lastgroup)
        if kind == "word" and match[kind].lower() in KEYWORDS:
            return _Token("keyword", match[kind].lower(), start)
        return _Token(kind, match[kind], start)

    def _next(self) -> _Token:
        token = self.token
        self.token = self._read(token.start + len(token.text))
        return token

    def _takes(self, text: str) -> bool:
        """Whether this keyword or symbol comes; if so it is read."""
        found = self.token.kind in ("keyword", "symbol") and self.token.text == text
        if found:
            self._next()
        return found

    def _need(self, text: str) -> None:
        if not self._takes(text):
            self.refuse(f'"{text}"')

    def refuse(self, expected: str) -> NoReturn:
        _refuse(self.text, self.token.start, expected)

    def either(self, depth: int) -> Filter:
        return self._chain("or", Or, self._all, depth)

    def _all(self, depth: int) -> Filter:
        return self._chain("and", And, self._term, depth)

    def _chain(self, word: str, kind: type[And] | type[Or], part: Callable[[int], Filter], depth: int) -> Filter:
        parts = [part(depth)]
        while self._takes(word):
            parts.append(part(depth))
        return parts[0] if len(parts) == 1 else kind(tuple(parts))

    def _term(self, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            self.refuse(f"at most {MAX_DEPTH} brackets and negations inside each other")
        if self._takes("not"):
            return Not(self._term(depth + 1))
        if self._takes("("):
            inside = self.either(depth + 1)
            self._need(")")
            return inside
        name = self.token
        column = self._column('a column, "not" or "("')
        if name.kind == "word" and self._takes("("):
            return self._function(name)
        return self._test(column)

    def _column(self, expected: str = "a column") -> str:
        if self.token.kind not in ("word", "quoted"):
            self.refuse(expected)
        token = self._next()
        return token.text if token.kind == "word" else _unquoted(token.text)

    def _function(self, name: _Token) -> Filter:
        kind = FUNCTIONS.get(name.text.lower())
        if kind is None:
            _refuse(self.text, name.start, "a column, starts_with(column, text) or contains(column, text)")
        column = self._column()
        self._need(",")
        if self.token.kind != "string":
            self.refuse("a string")
        text = _unquoted(self._next().text)
        self._need(")")
        return kind(column, text)

    def _test(self, column: str) -> Filter:
        if self._takes("is"):
            negated = self._takes("not")
            self._need("null")
            return Not(IsNull(column)) if negated else IsNull(column)
        negated = self._takes("not")
        test: Filter
        if self._takes("in"):
            self._need("(")
            values = [self._value()]
            while self._takes(","):
                values.append(self._value())
            self._need(")")
            test = In(column, tuple(values))
        elif self._takes("between"):
            low = Compare(column, ">=", self._value())
            self._need("and")
            test = And((low, Compare(column, "<=", self._value())))
        elif negated:
            self.refuse('"in" or "between"')
        elif self.token.text in OPERATORS and self.token.kind == "symbol":
            test = Compare(column, OPERATORS[self._next().text], self._value())
        else:
            self.refuse('an operator such as "=" or ">=", "in", "between" or "is"')
        return Not(test) if negated else test

    def _value(self) -> Value:
        token = self.token
        if token.kind == "keyword" and token.text in CONSTANTS:
            self._next()
            return CONSTANTS[token.text]
        if token.kind == "string":
            self._next()
            return _unquoted(token.text)
        if token.kind != "number":
            hint = "; text stands in quotes" if token.kind in ("word", "quoted") else ""
            self.refuse(f'a number, a string, "true", "false" or "null"{hint}')
        if not math.isfinite(float(token.text)):
            self.refuse("a number below 1.8e308")
        self._next()
        return float(token.text) if re.search("[.eE]", token.text) else _whole(token.text)


def _unquoted(text: str) -> str:
    return text[1:-1].replace(text[0] * 2, text[0])


def _whole(text: str) -> int:
    digits = text.lstrip("+-").lstrip("0") or "0"  # Python refuses thousands of digits, also where they are zeros
    return -int(digits) if text.startswith("-") else int(digits)


def _refuse(text: str, at: int, expected: str) -> NoReturn:
    first, last = max(at - 60, 0), at + 40
    shown = "".join(c if c.isprintable() else "·" for c in text[first:last])
    raise InputError(
        f"the filter cannot be read at character {at + 1}\n    {shown}\n    {' ' * (at - first)}^",
        expected=expected,
        got=repr(text[at : at + 20]) if at < len(text) else "the end of the filter",
    )
