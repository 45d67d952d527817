"""Lines of a text file, plain or gzip, one at a time, with errors that name file and line."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from hyperir.core.errors import CollectionError, nearest

__all__ = ["excerpt", "open_bytes", "read_lines", "read_lines_at", "suffix"]

GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
LONGEST_LINE = 1 << 28  # bytes; so that a file without line ends cannot fill the memory


def suffix(path: Path) -> str:
    """The lower-case suffix that tells a file's format: that before `.gz`, where there is one."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def excerpt(text: str, around: int = 0, width: int = 80) -> str:
    """At most `width` characters of `text`, those around a position, quoted; dots stand for what was cut."""
    start = max(0, min(around - width // 2, len(text) - width))
    end = start + width
    return ("..." if start else "") + repr(text[start:end]) + ("..." if end < len(text) else "")


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; gzip is recognised by its first bytes, whatever the name says.

    Raises:
        CollectionError: the file does not exist or may not be read.
    """
    try:
        raw = path.open("rb")
    except FileNotFoundError:
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise CollectionError(f"there is no file {path}", fix=nearest(path.name, beside)) from None
    except OSError as error:
        raise CollectionError(f"the file {path} cannot be opened", got=str(error.strerror or error)) from error
    with raw:
        if raw.peek(2)[:2] == GZIP_MAGIC:
            with gzip.GzipFile(fileobj=raw) as unpacked, io.BufferedReader(cast("io.RawIOBase", unpacked)) as lines:
                yield lines
        else:
            yield raw


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line with its end), decoded from UTF-8; a byte order mark is dropped.

    Raises:
        CollectionError: the file is missing, a damaged gzip, not UTF-8, or has a line longer than `LONGEST_LINE` bytes.
    """
    for number, _, line in read_lines_at(path):
        yield number, line


def read_lines_at(path: Path) -> Iterator[tuple[int, int, str]]:
    """As `read_lines`, with where the line starts: (number, bytes before it once unpacked, line)."""
    with open_bytes(path) as file:
        number, start = 0, 0
        while line := _next_line(file, path, number + 1):
            number += 1
            end = start + len(line)
            if number == 1:
                line = line.removeprefix(BOM)
            try:
                yield number, end - len(line), line.decode("utf-8")
                start = end
            except UnicodeDecodeError as error:
                raise CollectionError(
                    f"line {number} of {path} is not UTF-8",
                    got=f"byte 0x{line[error.start]:02x} at position {error.start + 1}",
                    fix="convert the file, for example: iconv -f LATIN1 -t UTF-8 OLD > NEW",
                ) from None


def _next_line(file: BinaryIO, path: Path, number: int) -> bytes:
    try:
        line = file.readline(LONGEST_LINE)
    except (OSError, EOFError, zlib.error) as error:
        raise CollectionError(
            f"line {number} of {path} cannot be read", got=str(error), fix="fetch the file again: it is cut or damaged"
        ) from error
    if len(line) >= LONGEST_LINE:
        raise CollectionError(
            f"line {number} of {path} is too long",
            expected=f"lines shorter than {LONGEST_LINE >> 20} MiB",
            got=excerpt(line[:200].decode("utf-8", "replace")),
        )
    return line
