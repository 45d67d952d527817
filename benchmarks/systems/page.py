"""The pages of docs/systems from an experiment's results: tables, tests, and a picture."""

import math
from pathlib import Path

from testbeds import TRAINED_ON

from hyperir.evaluate.compare import compare
from hyperir.evaluate.holm import holm

TEMPLATE = Path(__file__).parent / "template.md"
MAIN = "nDCG@10"
NARROW = 2_000  # bytes a document, below which a name stands left of its point in the picture
LINE = 0.045  # of the picture's height, between names
BASELINES = {"BM25": "b", "inner product": "i"}
COLOURS = {"words": "#5b6770", "terms": "#b8860b", "vector": "#1f77b4", "token vectors": "#c0392b"}
KINDS = {
    "BM25": "words",
    "BM25+": "words",
    "TF-IDF": "words",
    "SNRM": "terms",
    "SPLADE": "terms",
    "inner product": "vector",
    "inner product, trained": "vector",
    "Hypencoder": "vector",
    "Hypencoder, linear": "vector",
    "hyperir-minilm": "vector",
    "ColBERT": "token vectors",
    "ColBERT, PLAID": "token vectors",
    "HypencoderMulti, PLAID": "token vectors",
}


def write_pages(results, needed, taught, folder):
    """README.md from its template and the tables, and quality.png."""
    folder.mkdir(parents=True, exist_ok=True)
    systems = [name for name in results.plan.systems if any(key[0] == name for key in results.cells)]
    collections = list(results.plan.collections)
    tests = {base: tested(results, systems, collections, base) for base in BASELINES if base in systems}
    parts = {
        "quality": table(results, systems, collections, MAIN, tests),
        "first": table(results, systems, collections, "RR@10", {}),
        "found": table(results, systems, collections, "R@100", {}),
        "cost": costs(results, systems, collections, needed, taught),
        "tests": "\n\n".join(differences(results, systems, collections, base, tests[base]) for base in tests),
        "collections": sizes(results, systems, collections),
    }
    text = TEMPLATE.read_text()
    for name, part in parts.items():
        text = text.replace("{" + name + "}", part)
    (folder / "README.md").write_text(text)
    draw(results, systems, collections, folder / "quality.png")


def mean(results, system, collections, measure):
    """Over collections; None where one is missing."""
    values = [results.cells[system, c].scores.mean(measure) for c in collections if (system, c) in results.cells]
    return sum(values) / len(values) if len(values) == len(collections) else None


def tested(results, systems, collections, base):
    """(system, collection) -> difference and corrected p of the paired t-test, corrected over all of them."""
    keys = [(s, c) for s in systems for c in collections if s != base and (s, c) in results.cells]
    queries = {key: results.cells[key].scores.by_query[MAIN] for key in [*keys, *((base, c) for c in collections)]}
    found = [compare(queries[s, c], queries[base, c]) for s, c in keys]
    return {
        key: (each.difference, p) for key, each, p in zip(keys, found, holm([each.p for each in found]), strict=True)
    }


def table(results, systems, collections, measure, tests):
    """Systems by collections, the best in bold, with letters where a difference is more than chance."""
    lines = [f"| {measure} | " + " | ".join(collections) + " | mean |", "|---" * (len(collections) + 2) + "|"]
    columns = [*[[c] for c in collections], collections]
    best = [max(v for s in systems if (v := mean(results, s, column, measure)) is not None) for column in columns]
    for system in systems:
        cells = []
        for column, top in zip(columns, best, strict=True):
            value = mean(results, system, column, measure)
            if value is None:
                cells.append("-")
                continue
            shown = f"{value:.3f}".removeprefix("0")
            letters = "".join(letter_of(tests[base].get((system, column[0])), base) for base in tests)
            letters = letters if len(column) == 1 else ""
            cells.append((f"**{shown}**" if value == top else shown) + (f" {letters}" if letters else ""))
        lines.append(f"| {system} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def letter_of(test, base):
    if test is None or test[1] >= 0.05:
        return ""
    return BASELINES[base].upper() if test[0] > 0 else BASELINES[base]


def differences(results, systems, collections, base, tests):
    """Differences from a baseline in points, with corrected p; bold below .05."""
    lines = [f"| against {base} | " + " | ".join(collections) + " |", "|---" * (len(collections) + 1) + "|"]
    for system in systems:
        if system == base:
            continue
        cells = []
        for collection in collections:
            test = tests.get((system, collection))
            if test is None:
                cells.append("-")
                continue
            p = "<.001" if test[1] < 0.001 else "1" if test[1] >= 0.9995 else f"{test[1]:.3f}".removeprefix("0")
            shown = f"{100 * test[0]:+.1f} ({p})"
            cells.append(f"**{shown}**" if test[1] < 0.05 else shown)
        lines.append(f"| {system} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def bytes_of(system, cost):
    """What a search reads: PLAID its own compressed vectors alone."""
    return cost.built_bytes if "PLAID" in system else cost.index_bytes + cost.built_bytes


def a_document(results, system, collections):
    """Bytes a document, over all collections."""
    costs = [results.cells[system, c].cost for c in collections]
    return sum(bytes_of(system, cost) for cost in costs) / sum(cost.documents for cost in costs)


def costs(results, systems, collections, needed, taught):
    head = ["", "bytes a document", "ms a query", "scored", "built in s", "trained in min", "steps x queries"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for system in systems:
        own = [results.cells[system, c].cost for c in collections if (system, c) in results.cells]
        if len(own) < len(collections):
            continue
        ms = sorted(cost.query_ms for cost in own)
        scored = sum(cost.scored for cost in own) / sum(cost.documents for cost in own)
        fact = taught.get(needed[system])
        trained = (
            ["-", "-"] if fact is None else [f"{fact['seconds'] / 60:.1f}", f"{fact['steps']} x {fact['queries']}"]
        )
        size = a_document(results, system, collections)
        built = sum(cost.build_seconds for cost in own)
        cells = [f"{size:,.0f}", f"{ms[0]:.1f} to {ms[-1]:.1f}", f"{scored:.0%}", f"{built:,.0f}", *trained]
        lines.append(f"| {system} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def sizes(results, systems, collections):
    lines = ["| | documents | queries | |", "|---|---|---|---|"]
    for name in collections:
        cell = results.cells[systems[0], name]
        known = "train split learned from" if name in TRAINED_ON else "unknown to every training"
        count = len(next(iter(cell.scores.by_query.values())))
        lines.append(f"| {name} | {cell.cost.documents:,} | {count:,} | {known} |")
    return "\n".join(lines)


def labels(points, gap):
    """Where each name stands: left of what is narrow and right of the rest, `gap` apart in a column of equal sizes."""
    columns, found = {}, {}
    for system, (x, y) in points.items():
        columns.setdefault("left" if x < NARROW else round(math.log(x)), []).append((y, x, system))
    for column, own in columns.items():
        own.sort()
        edge = min(x for _, x, _ in own) / 1.3
        heights = apart([y for y, _, _ in own], gap)
        for height, (_, x, system) in zip(heights, own, strict=True):
            found[system] = edge if column == "left" else x * 1.2, height
    return found


def apart(heights, gap):
    """Rising heights, moved as little as makes them `gap` apart: those that stand too close share their mean's move."""
    blocks = []  # of neighbours: the mean of where the first would stand, and how many they are
    for i, height in enumerate(heights):
        first, count = height - i * gap, 1
        while blocks and blocks[-1][0] > first:
            last, more = blocks.pop()
            first, count = (first * count + last * more) / (count + more), count + more
        blocks.append((first, count))
    bases = [first for first, count in blocks for _ in range(count)]
    return [base + i * gap for i, base in enumerate(bases)]


def draw(results, systems, collections, path):
    """Mean nDCG@10 against bytes a document."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(8.0, 4.8), layout="constrained")
    axes = figure.add_subplot()
    shown = [s for s in systems if mean(results, s, collections, MAIN) is not None]
    points = {s: (a_document(results, s, collections), mean(results, s, collections, MAIN)) for s in shown}
    heights = [y for _, y in points.values()]
    low, high = min(heights), max(heights)
    for system, (x, y) in points.items():
        axes.plot(x, y, "o", markersize=8, color=COLOURS[KINDS[system]])
    for system, (x, y) in labels(points, LINE * (high - low)).items():
        left = points[system][0] < NARROW
        line = {"arrowstyle": "-", "color": "#b0b0b0", "linewidth": 0.7, "shrinkA": 1, "shrinkB": 4}
        arrow = line | {"relpos": (float(left), 0.5)}  # from the name's end, across no other
        side = "right" if left else "left"
        axes.annotate(system, points[system], (x, y), ha=side, va="center", fontsize=9, arrowprops=arrow)
    axes.set_xscale("log")
    sizes = [x for x, _ in points.values()]
    axes.set_xlim(min(sizes) / 6, max(sizes) * 4)
    axes.set_ylim(low - 0.06 * (high - low), high + 0.1 * (high - low))
    axes.set_xlabel("bytes a document that a search reads")
    axes.set_ylabel(f"{MAIN}, mean of {len(collections)} collections")
    axes.grid(alpha=0.25)
    marks = [Line2D([], [], marker="o", linestyle="", color=colour, label=kind) for kind, colour in COLOURS.items()]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), frameon=False, title="a document is")
    figure.savefig(path, dpi=130)
