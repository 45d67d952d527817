"""Errors, as a tree. Each says what happened, what was expected, what came, and what to do.

HyperIRError                    exit code 1
├── InputError                  exit code 2: what was given cannot be used, and nothing was changed
│   ├── ConfigError             an unknown key or a value of the wrong kind
│   ├── UnknownNameError        a name that is in no table
│   ├── CollectionError         a file of a collection is missing or broken
│   ├── DuplicateIdError        the same document id twice
│   ├── VectorError             vectors of the wrong width or type, or not finite
│   ├── ModelError              a model that cannot be found or read
│   └── MissingExtraError       an optional package is not installed
├── CapabilityError             a strategy or format cannot serve this relevance function; exit code 2
└── StoreError                  exit code 3: trouble with an index folder
    ├── CorruptError            a file is damaged, missing or of another length than committed
    ├── LockedError             another process is writing
    ├── UnreachableError        an object store does not answer
    └── FingerprintError        the vectors were made by another model
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CapabilityError",
    "CollectionError",
    "ConfigError",
    "CorruptError",
    "DuplicateIdError",
    "FingerprintError",
    "HyperIRError",
    "InputError",
    "LockedError",
    "MissingExtraError",
    "ModelError",
    "StoreError",
    "UnknownNameError",
    "UnreachableError",
    "VectorError",
    "nearest",
]


class HyperIRError(Exception):
    """Anything that HyperIR refuses or cannot do.

    Args:
        what: one sentence, with the offending name, file or line.
        expected: what would have been right.
        got: what came instead, with shapes and names.
        fix: what to do, a command where there is one.
    """

    exit_code = 1

    def __init__(self, what: str, *, expected: str = "", got: str = "", fix: str = "") -> None:
        self.what, self.expected, self.got, self.fix = what, expected, got, fix
        lines = [what]
        details = {"expected": expected, "got": got, "to fix": fix}
        lines += [f"  {label}: {text}" for label, text in details.items() if text]
        super().__init__("\n".join(lines))


class InputError(HyperIRError):
    """What was given cannot be used; nothing was changed."""

    exit_code = 2


class ConfigError(InputError):
    """A configuration with an unknown key or a value of the wrong kind."""


class UnknownNameError(InputError):
    """A name that is in no table."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        super().__init__(
            f"there is no {kind} named {name!r}", expected="one of " + ", ".join(known), fix=nearest(name, known)
        )


class CollectionError(InputError):
    """A file of a collection is missing or broken."""


class DuplicateIdError(InputError):
    """The same document id twice."""


class VectorError(InputError):
    """Vectors of the wrong width or type, or not finite."""


class ModelError(InputError):
    """A model that cannot be found or read."""


class MissingExtraError(InputError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs the package {package}", fix=f'pip install "hyperir[{extra}]"')


class CapabilityError(HyperIRError):
    """A strategy or format cannot serve this relevance function."""

    exit_code = 2


class StoreError(HyperIRError):
    """Trouble with an index folder."""

    exit_code = 3


class CorruptError(StoreError):
    """A file is damaged, missing or of another length than committed."""


class LockedError(StoreError):
    """Another process is writing."""


class UnreachableError(StoreError):
    """An object store does not answer: nothing is known of the index, least of all that it is damaged."""


class FingerprintError(StoreError):
    """The vectors were made by another model."""

    exit_code = 2


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean "x"?`, or nothing where no known name is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else ""
