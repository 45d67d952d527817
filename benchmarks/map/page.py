"""docs/when-to-use.md with its tables and pictures, from what the runs of the map wrote down.

    python -m benchmarks.map.page FOLDER_OF_COLLECTIONS WORK -o docs

WORK may hold a part of the map: what it has goes into results.json beside this file, form by form, and the page is made
of that, so that the folders of earlier runs need not be kept. The adaptations' tables are those of
`benchmarks/map/adapt.py --table WORK/adapt.md`, WORK/adapt-words.md of words in cells before anything was trained, and
WORK/adapt-default.md of the default model.
"""

import argparse
import itertools
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import ttest_rel

from benchmarks.map import conditions, pictures
from benchmarks.map.forms import BASES, FORMS, INNER, UNTRAINED
from hyperir.evaluate.holm import holm

KEPT, TEMPLATE = (Path(__file__).with_name(name) for name in ("results.json", "template.md"))
ADAPTED = ("adapt", "adapt, words", "adapt, default")
KINDS = {"kinds": ("conditions", "paragraphs", 384), "kinds, words": ("conditions, words", "paragraphs", 1024)}
ORDER = (  # of regimes in the picture
    "joint, pretrained",
    "joint, pretrained, longer",
    "joint, random",
    "labels",
    "shapes",
    "distilled",
    "narrow",
    "narrow, longer",
    "shapes, narrow",
    "codes",
    "conditions",
    "conditions, words",
    "pools",
    "spans",
    "several",
)
SEEN_AS = {"seen": "documents seen", "new": "new documents", "pairs": "unseen pairs", "words": "unseen words",
           "known": "known things", "unknown": "unknown things", "new people": "new people"}  # fmt: skip


def read(file):
    """(regime, collection, width) -> form -> test -> (seeds, questions) values; and the rates that were chosen."""
    rows = {row["key"]: row for row in map(json.loads, file.read_text(encoding="utf-8").splitlines())}
    cells, rates = defaultdict(lambda: defaultdict(dict)), {}
    for key, row in rows.items():
        parts = key.split("|")
        where, form = (parts[0], parts[1], int(parts[2])), parts[3]
        if form in UNTRAINED:
            cells[where][form] = {test: np.array([values]) for test, values in row["tests"].items()}
        elif parts[-1] == "chosen":
            name = "{:g} {:g}".format(*row["rates"])
            runs = [rows[f"{key.rsplit('|', 1)[0]}|{name}|{seed}"] for seed in range(3)]
            cells[where][form] = {test: np.array([run["tests"][test] for run in runs]) for test in runs[0]["tests"]}
            rates[where, form] = row["rates"]
    return cells, rates


def differences(cells, regime):
    """(collection, width, form, test) -> (points gained on the inner product or MaxSim, Holm's p within the regime)."""
    found = {}
    for (one, name, width), forms in cells.items():
        base = next((form for form in BASES if form in forms), None)
        if one != regime or base is None:
            continue
        for form, tests in forms.items():
            if form in (base, *UNTRAINED):
                continue
            for test, values in tests.items():
                mine, other = values.mean(0), forms[base][test].mean(0)
                found[name, width, form, test] = (100 * (mine - other).mean(), float(ttest_rel(mine, other).pvalue))
    p_values = holm([p for _, p in found.values()])
    return {key: (gain, p) for (key, (gain, _)), p in zip(found.items(), p_values, strict=True)}


def summaries(cells, rates):
    """regime -> what is told of its cells: of every test the mean, the points gained on the inner product, and p.

    p is corrected and rounded: 0 is less than .001.
    """
    found = defaultdict(list)
    told = {regime: differences(cells, regime) for regime in {where[0] for where in cells}}
    for (regime, name, width), forms in cells.items():
        for form in (each for each in (*UNTRAINED, *FORMS) if each in forms):
            made = {}
            for test, values in forms[form].items():
                gain, p = told[regime].get((name, width, form, test), (None, None))
                made[test] = [round(float(values.mean()), 4)]
                made[test] += [] if p is None else [round(gain, 2), round(p, 4) if p >= 0.001 else 0]
            row = {"collection": name, "width": width, "form": form, "tests": made}
            found[regime].append(row | {"rates": rates.get(((regime, name, width), form))})
    return dict(found)


def table(rows):
    """Markdown of one regime."""
    lines, before = [], None
    for row in rows:
        where = f"**{row['collection']}, {row['width']} numbers a document**"
        if where != before:
            names = " | ".join(SEEN_AS.get(test, test) for test in row["tests"])
            lines += ["", where, "", f"| form | {names} | rates |", "|---" * (len(row["tests"]) + 2) + "|"]
            before = where
        told = " | ".join(cell(*values) for values in row["tests"].values())
        rates = " / ".join(f"{rate:g}" for rate in row["rates"] or ())
        lines.append(f"| {row['form']} | {told} | {rates} |")
    return "\n".join(lines).strip()


def across(rows):
    """Markdown of one regime of many widths: a table a collection and test, a column a width."""
    found = {(row["collection"], row["form"], row["width"]): row["tests"] for row in rows}
    collections, forms, widths = (list(dict.fromkeys(key[at] for key in found)) for at in range(3))
    tests, lines = list(rows[0]["tests"]), []
    for name, test in itertools.product(collections, tests):
        lines += ["", f"**{name}, {SEEN_AS.get(test, test)}**", ""]
        lines += ["| form | " + " | ".join(map(str, widths)) + " |", "|---" * (len(widths) + 1) + "|"]
        for form in sorted(forms, key=[*UNTRAINED, *FORMS].index):
            own = [found.get((name, form, width)) for width in widths]
            if any(own):
                told = " | ".join(cell(*each[test], short=True) if each else "" for each in own)
                lines.append(f"| {form} | {told} |")
    return "\n".join(lines).strip()


def cell(mean, gain=None, p=None, *, short=False):
    """A mean, and what it gains on the inner product; bold where that is significant."""
    if p is None:
        return f"{mean:.3f}"
    told = "" if short else f", p {p:.3f}" if p else ", p < .001"
    text = f"{mean:.3f} ({gain:+.1f}{told})"
    return f"**{text}**" if p < 0.05 else text


def folded(lines):
    """An adaptation's tables, but for the first behind a line to click."""
    at = next(place for place, line in enumerate(lines) if line.startswith("| collection | compared"))
    head = "<details><summary>Tests, and how each was chosen</summary>"
    return "\n".join([*lines[:at], head, "", *lines[at:], "", "</details>"])


def kinds(cells, world, where):
    """P@10 by kind of condition."""
    lines = ["| condition | test | " + " | ".join(cells[where]) + " |", "|---" * (len(cells[where]) + 2) + "|"]
    for test, numbers in world.tests.items():
        for kind in conditions.WORDINGS:
            at = [place for place, number in enumerate(numbers) if world.kinds[number] == kind]
            means = [f"{values[test][:, at].mean():.3f}" for values in cells[where].values()]
            lines.append(f"| {kind} | {SEEN_AS[test]} | " + " | ".join(means) + " |")
    return "\n".join(lines)


def excluding(cells, worlds):
    """P@10 over the kinds of conditions that exclude something, and how many times another form's the best one's is."""
    regime, control, best = "conditions, words", "words, inner product", "words and how many"
    rows, heads = defaultdict(list), []
    for name, world in worlds.items():
        forms = cells[regime, name, 1024]
        for test, numbers in world.tests.items():
            heads.append(f"{name}, {SEEN_AS[test]}")
            kinds_ = np.array([world.kinds[number] for number in numbers])
            own = {form: values[test].mean(0) for form, values in forms.items()}
            for label, chosen in (("", conditions.EXCLUDING), ('"exactly one" alone: ', conditions.EXACTLY_ONE)):
                at = np.isin(kinds_, chosen)
                for form in (INNER, control, "words", best):
                    rows[label + form].append(f"{own[form][at].mean():.3f}")
                for form in (INNER, control):
                    mine, other = own[best][at], own[form][at]
                    p = ttest_rel(mine, other).pvalue
                    rows[f"{label}times {form}"].append(f"{mine.mean() / other.mean():.2f} (p {p:.0e})")
    lines = ["| | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    return lines + [f"| {label} | " + " | ".join(values) + " |" for label, values in rows.items()]


def merged(kept, rows):
    """Rows of a regime in place of those kept of the same cell and form; by collection, width and form."""
    both = {(row["collection"], row["width"], row["form"]): row for row in [*kept, *rows]}
    collections, widths = (list(dict.fromkeys(key[at] for key in both)) for at in (0, 1))
    order = itertools.product(collections, sorted(widths), (*UNTRAINED, *FORMS))
    return [both[key] for key in order if key in both]


def collect(kept, root, work):
    """Put what a WORK folder has in place of what was kept of the same regimes."""
    results = work / "results.jsonl"
    if results.is_file():
        cells, rates = read(results)
        for regime, rows in summaries(cells, rates).items():
            kept["regimes"][regime] = merged(kept["regimes"].get(regime, []), rows)
        for name, where in KINDS.items():
            if where in cells:
                kept[name] = kinds(cells, conditions.paragraphs(root, work / "worlds"), where).splitlines()
        if all(("conditions, words", name, 1024) in cells for name in conditions.WORLDS):
            made = {
                name: conditions.paragraphs(root, work / "worlds", seed=seed)
                for seed, name in enumerate(conditions.WORLDS)
            }
            kept["excluding"] = excluding(cells, made)
    names = sorted(kept["regimes"], key=lambda regime: ORDER.index(regime) if regime in ORDER else len(ORDER))
    kept["regimes"] = {regime: kept["regimes"][regime] for regime in names}
    for name in ADAPTED:
        file = work / f"{name.replace(', ', '-')}.md"
        if file.is_file():
            means = json.loads(file.with_suffix(".json").read_text())
            kept[name] = {"means": means, "table": file.read_text(encoding="utf-8").strip().splitlines()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("collections", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    collect(kept, options.collections, options.work)
    KEPT.write_text(written(kept), encoding="utf-8")
    page = TEMPLATE.read_text(encoding="utf-8")
    for regime, rows in kept["regimes"].items():
        page = page.replace(f"<!-- {regime} -->", across(rows) if regime == "narrow" else table(rows))
    for name in (each for each in ADAPTED if each in kept):
        page = page.replace(f"<!-- {name} -->", folded(kept[name]["table"]))
        pictures.bars(kept[name]["means"], options.output / "pictures" / f"map-{name.replace(', ', '-')}.png")
    for name in (*KINDS, "excluding"):
        page = page.replace(f"<!-- {name} -->", "\n".join(kept.get(name, ())))
    (options.output / "when-to-use.md").write_text(page, encoding="utf-8")
    pictures.heat(kept["regimes"], options.output / "pictures" / "map.png")
    pictures.curves(kept["regimes"]["narrow"], options.output / "pictures" / "map-bytes.png")


def written(kept):
    """JSON with a line a cell, so that a difference of two versions shows what changed."""
    regimes = (
        f"{json.dumps(regime)}: [\n" + ",\n".join(map(json.dumps, rows)) + "\n]"
        for regime, rows in kept["regimes"].items()
    )
    rest = (
        f"{json.dumps(name)}: {json.dumps(kept[name], indent=0)}"
        for name in (*KINDS, "excluding", *ADAPTED)
        if name in kept
    )
    return '{"regimes": {\n' + ",\n".join(regimes) + "},\n" + ",\n".join(rest) + "}\n"


if __name__ == "__main__":
    main()
