"""The shell of a report: one HTML file that needs nothing else, light or dark as the reader's system is."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

__all__ = ["COLOURS", "html_page", "html_table"]

COLOURS = 8  # colours for systems; more systems begin again
STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1c2024;--quiet:#60666e;--rule:#e2e5e9;--panel:#f6f7f9;
--up:#1f7a4d;--down:#b3452f;--c0:#2b6cb0;--c1:#c05621;--c2:#2f855a;--c3:#6b46c1;--c4:#b83280;--c5:#0f766e;--c6:#8a6d1c;
--c7:#4a5568}
@media (prefers-color-scheme:dark){:root{--paper:#15171b;--ink:#e6e8eb;--quiet:#9aa0a8;--rule:#30343b;--panel:#1d2026;
--up:#58c08c;--down:#ec8069;--c0:#7db4ee;--c1:#f2a072;--c2:#7fd0a3;--c3:#b79cf0;--c4:#ee94c6;--c5:#5fc9bd;--c6:#d8bd6a;
--c7:#a9b2c0}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.55 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:36px 24px 72px}
h1{font-size:25px;line-height:1.25;margin:0 0 4px}
h2{font-size:18px;margin:40px 0 6px}
h3{font-size:15px;margin:0 0 8px}
h3.part{font-size:16px;margin:28px 0 6px}
p{margin:4px 0 14px;max-width:76ch}
.quiet{color:var(--quiet)}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;min-width:50%}
th,td{padding:6px 14px 6px 0;text-align:right;vertical-align:top;white-space:nowrap;border-bottom:1px solid var(--rule)}
th:first-child,td:first-child{text-align:left}
td.words{text-align:left;white-space:normal;min-width:24ch}
th{font-weight:600;border-bottom-color:var(--quiet);vertical-align:bottom;white-space:normal}
td small{display:block;color:var(--quiet);font-size:12px}
b{font-weight:700}
sup{line-height:0}
.up{color:var(--up)}.down{color:var(--down)}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,460px),1fr));gap:18px}
figure{margin:0;padding:14px 16px;background:var(--panel);border:1px solid var(--rule);border-radius:8px}
figcaption{font-size:13px;color:var(--quiet);margin-top:6px}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{fill:var(--ink);font:12px system-ui,sans-serif}
svg .axis{fill:var(--quiet)}
svg line.rule{stroke:var(--rule)}svg line.zero{stroke:var(--quiet)}
svg .upper{fill:var(--up)}svg .lower{fill:var(--down)}
""" + "".join(f"svg .c{n}{{fill:var(--c{n});stroke:var(--c{n})}}" for n in range(COLOURS))


def html_page(title: str, body: str, *, lead: str = "") -> str:
    """A page.

    Args:
        title: plain text.
        body: HTML.
        lead: plain text under the title.
    """
    # No script runs and nothing is fetched, whatever an id or a query's text holds.
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(title)}</h1>\n<p class="quiet">{escape(lead)}</p>\n{body}\n</main>\n</body>\n</html>\n'
    )


def html_table(head: Sequence[str], body: Sequence[Sequence[str]], *, words: int | None = None) -> str:
    """A table of cells that are HTML already.

    Args:
        head: plain text.
        body: rows.
        words: the column that holds running text.
    """
    # Long names of systems may break where files' names do.
    top = "".join(f'<th scope="col">{escape(cell).replace("_", "_<wbr>")}</th>' for cell in head)
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td class="words">{cell}</td>' if at == words else f"<td>{cell}</td>" for at, cell in enumerate(row)
        )
        + "</tr>\n"
        for row in body
    )
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>'
