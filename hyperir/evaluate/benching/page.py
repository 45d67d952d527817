"""A bench as one HTML page that needs nothing else: the pictures with the figures at every point, and the table."""

from __future__ import annotations

import math
from html import escape

from hyperir.core.amounts import bytes_text
from hyperir.evaluate.benching.axes import (
    PICTURES,
    Picture,
    Point,
    colour_of,
    frontier,
    log_ticks,
    points_of,
    recall_ticks,
    stretched,
)
from hyperir.evaluate.benching.result import Bench, Setting

__all__ = ["page"]

WIDTH, HEIGHT = 640, 380
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 16, 48
STYLE = """
:root{color-scheme:light dark;--bg:#fff;--ink:#1b1d21;--soft:#5d636d;--line:#e5e7eb;--card:#f7f8fa}
@media(prefers-color-scheme:dark){:root{--bg:#14161a;--ink:#e8eaed;--soft:#9aa1ab;--line:#2b2f36;--card:#1c1f25}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1360px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:24px;margin:0}h2{font-size:16px;margin:0 0 4px}p{color:var(--soft);margin:4px 0 16px}
.pictures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:20px;margin:16px 0 28px}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px}
svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font-size:12px}
.grid{stroke:var(--line)}.line{fill:none;stroke-width:2;opacity:.75}
.point{stroke:var(--card);stroke-width:1.5;cursor:pointer}.point:hover,.point:focus{stroke:var(--ink);outline:none}
.ring{fill:transparent;stroke-width:2.5}
.faded{opacity:.12}
.legend{display:flex;flex-wrap:wrap;gap:6px 16px;font-size:13px}
.legend button{all:unset;cursor:pointer;display:flex;align-items:center;gap:6px}
.legend button:focus-visible{outline:2px solid var(--soft);border-radius:4px}
.dot{width:10px;height:10px;border-radius:50%}
.wide{overflow-x:auto;border:1px solid var(--line);border-radius:10px}
table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:6px 9px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}th{color:var(--soft);font-weight:500;background:var(--card)}
tr:last-child td{border-bottom:0}td .dot{display:inline-block;margin-right:8px}
#tip{position:fixed;pointer-events:none;background:var(--ink);color:var(--bg);padding:8px 10px;border-radius:6px;
font-size:12.5px;line-height:1.45;white-space:pre;opacity:0;transition:opacity .1s;z-index:2}
"""
SCRIPT = """
const tip=document.getElementById('tip');
function show(e){const b=e.target.getBoundingClientRect();tip.textContent=e.target.dataset.tip;tip.style.opacity=1;
const w=tip.offsetWidth,h=tip.offsetHeight;
tip.style.left=Math.max(4,Math.min(innerWidth-w-8,b.left+b.width/2-w/2))+'px';
tip.style.top=(b.top-h-8<4?b.bottom+8:b.top-h-8)+'px'}
for(const p of document.querySelectorAll('.point')){
for(const e of['mouseenter','focus'])p.addEventListener(e,show);
for(const e of['mouseleave','blur'])p.addEventListener(e,()=>{tip.style.opacity=0})}
function only(f){for(const g of document.querySelectorAll('[data-family]'))
g.classList.toggle('faded',f!==null&&g.dataset.family!==f)}
for(const b of document.querySelectorAll('.legend button')){
for(const e of['mouseenter','focus'])b.addEventListener(e,()=>only(b.dataset.for));
for(const e of['mouseleave','blur'])b.addEventListener(e,()=>only(null))}
"""


def page(bench: Bench) -> str:
    """The page's HTML."""
    colours = colour_of(bench.families)
    figures = "".join(_figure(bench, picture, colours) for picture in PICTURES)
    legend = "".join(
        f'<button data-for="{escape(family)}"><span class="dot" style="background:{colour}"></span>'
        f"{escape(family)}</button>"
        for family, colour in colours.items()
    )
    machine = bench.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    about = f"{bench.queries:,} queries over {bench.documents:,} documents, vectors {bench.width} wide, "
    about += f"{bench.depth:,} answers each, against exhaustive search in the same run"
    threads = "one thread" if machine["threads"] == 1 else f"{machine['threads']} threads"
    where = f"{machine['processor']}, {machine['cores']} cores, {threads}; {versions}"
    left_out = "".join(f"<p>{escape(name)} is left out: {escape(why)}</p>" for name, why in bench.refused.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>HyperIR bench</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main><h1>Search strategies compared</h1>"
        f'<p>{escape(about)}</p><div class="legend">{legend}</div><div class="pictures">{figures}</div>'
        f'<div class="wide">{_table(bench, colours)}</div>{left_out}{_choices(bench)}<p>{escape(where)}</p></main>'
        f'<div id="tip" role="status"></div><script>{SCRIPT}</script></body></html>\n'
    )


def _figure(bench: Bench, picture: Picture, colours: dict[str, str]) -> str:
    families = points_of(bench, picture)
    everything = [point for points in families.values() for point in points]
    low, high = min(p.work for p in everything) / 1.4, max(p.work for p in everything) * 1.4
    ticks = recall_ticks(min(p.recall for p in everything))
    bottom, top = stretched(ticks[0]) - 0.3, stretched(1.0) + 0.3

    def x(work: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(work / low) / math.log(high / low)

    def y(recall: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (top - stretched(recall)) / (top - bottom)

    parts = []
    for tick in ticks:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in log_ticks(low, high):
        at = f"{x(tick):.1f}"
        parts.append(f'<line class="grid" x1="{at}" x2="{at}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{at}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:,.10g}</text>')
    for family, points in families.items():
        way = " ".join(f"{x(p.work):.1f},{y(p.recall):.1f}" for p in frontier(points))
        dots = "".join(_dot(p, x(p.work), y(p.recall), colours[family], bench) for p in points)
        line = f'<polyline class="line" stroke="{colours[family]}" points="{way}"/>'
        parts.append(f'<g data-family="{escape(family)}">{line}{dots}</g>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{picture.work}</text>')
    title = f"<h2>{picture.title}</h2><p>recall@{bench.ks[0]}: every halving of what is missed is one step up</p>"
    label = escape(f"{picture.title}: recall against {picture.work}")
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    return f"<figure>{title}{svg}</figure>"


def _dot(point: Point, x: float, y: float, colour: str, bench: Bench) -> str:
    setting = point.setting
    lines = [setting.name, *(f"recall@{k} {setting.mean(f'recall@{k}'):.3f}" for k in bench.ks)]
    lines += [f"{setting.mean('scored'):,.0f} scored", f"{setting.milliseconds():.2f} ms"]
    tip = escape("\n".join(lines))
    ring = setting.family == "exact"  # whatever finds all by scoring all lies on the same spot
    look = f'r="10" class="point ring" style="stroke:{colour}"' if ring else f'r="6" class="point" fill="{colour}"'
    return f'<circle {look} tabindex="0" cx="{x:.1f}" cy="{y:.1f}" data-tip="{tip}" aria-label="{tip}"/>'


def _table(bench: Bench, colours: dict[str, str]) -> str:
    head = ["setting", *(f"recall@{k}" for k in bench.ks), "scored", "ms", "p95", "queries/s", "build s", "size"]
    for measure in bench.measures:
        head += [measure, "differs"]
    rows = "".join(f"<tr>{_cells(bench, setting, colours)}</tr>" for setting in bench.settings)
    return f"<table><thead><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(bench: Bench, setting: Setting, colours: dict[str, str]) -> str:
    cells = [f"{setting.mean(f'recall@{k}'):.3f}" for k in bench.ks]
    cells += [f"{setting.mean('scored'):,.0f}", f"{setting.milliseconds():.2f}", f"{setting.milliseconds(0.95):.2f}"]
    cells += [f"{setting.per_second:,.0f}", setting.built, bytes_text(setting.bytes)]
    for measure in bench.measures:
        cells += [f"{setting.mean(measure):.3f}", f"{setting.mean(measure) - bench.settings[0].mean(measure):+.3f}"]
    dot = f'<span class="dot" style="background:{colours[setting.family]}"></span>'
    return f"<td>{dot}{escape(setting.name)}</td>" + "".join(f"<td>{cell}</td>" for cell in cells)


def _choices(bench: Bench) -> str:
    if bench.goal is None:
        return ""
    said = [
        f"{choice.name}: recall {choice.recall:.3f}, {choice.milliseconds:.2f} ms"
        + ("" if choice.reached else " (the goal was not reached)")
        for choice in bench.choices
    ]
    items = "".join(f"<li>{escape(text)}</li>" for text in said)
    goal = f"Quickest with recall@{bench.ks[0]} of {bench.goal:g}, chosen on half of the queries, on the other half"
    return f"<h2 style='margin-top:28px'>{goal}</h2><ul>{items}</ul>"
