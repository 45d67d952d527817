"""Bytes, seconds and counts as people read them."""

from __future__ import annotations

__all__ = ["bytes_text", "count_text", "seconds_text"]


def bytes_text(n: float) -> str:
    """For example "12 kB" or "3.4 GB"."""
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:,.0f} {unit}"
        n /= 1000
    return f"{n:,.1f} GB"


def count_text(n: int, what: str) -> str:
    """For example "1 document" or "2,000 documents", where `what` is "document"."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def seconds_text(seconds: float) -> str:
    """For example "12 s", "3 min" or "1.5 h"; less than a second is one."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
