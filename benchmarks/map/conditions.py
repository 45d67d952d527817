"""Questions that are conditions: "A and B", "exactly one of A and B", over real paragraphs, and a made world of people.

A paragraph is about a word when the word is among its eight that weigh most by TF-IDF, of words that 60 to 900
paragraphs have. Words are split into known and
unknown ones before anything else; a test's pairs are unseen pairs of known words ("pairs"), or of unknown words
("words").
"""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import hyperir
from benchmarks.map.world import MODEL, World, collection, states_of
from hyperir.encode import LexicalModel

ABOUT = 8
WORDINGS = {
    "and": ["{a} and {b}", "passages about both {a} and {b}", "{a} together with {b}"],
    "or": ["{a} or {b}", "passages about {a} or about {b}", "anything on {a} or {b}"],
    "not": ["{a} but not {b}", "passages about {a} that are not about {b}", "{a} without {b}"],
    "one": ["either {a} or {b} but not both", "passages about exactly one of {a} and {b}", "{a} or {b}, not both"],
    "and, not": ["{a} and {b} but not {c}", "passages about {a} and {b}, not about {c}"],
    "or, not": ["{a} or {b} but not {c}", "passages about {a} or {b} that are not about {c}"],
    "one of three": ["exactly one of {a}, {b} and {c}", "passages about only one of {a}, {b} and {c}"],
}
HOLDS = {
    "and": lambda a, b, c: a & b,
    "or": lambda a, b, c: a | b,
    "not": lambda a, b, c: a & ~b,
    "one": lambda a, b, c: a ^ b,
    "and, not": lambda a, b, c: a & b & ~c,
    "or, not": lambda a, b, c: (a | b) & ~c,
    "one of three": lambda a, b, c: (a.astype(int) + b + c) == 1,
}
EXCLUDING = ("not", "one", "and, not", "or, not", "one of three")  # kinds that exclude something
EXACTLY_ONE = ("one", "one of three")
WORLDS = ("paragraphs", "paragraphs, others")  # by seed
TESTED, VALID, TRAINED = 60, 20, 600  # questions of each kind of condition


def paragraphs(root, cache, *, seed=0):
    """Conditions over squad's paragraphs."""
    file = Path(cache) / f"conditions-{seed}.pt"
    if file.is_file():
        return torch.load(file, weights_only=False)
    draw = np.random.default_rng(seed)
    base = collection(root, "squad", cache)
    about, words = _about(base.texts)
    counts = about.sum(0)
    usable = draw.permutation(np.flatnonzero(counts >= 40))
    known, unknown = usable[: len(usable) * 7 // 10], usable[len(usable) * 7 // 10 :]
    together = about.T.astype(np.float32) @ about
    questions, relevant, kinds, parts = [], [], [], {"train": [], "valid": [], "pairs": [], "words": []}
    for kind, wordings in WORDINGS.items():
        seen = set()
        for part, of, count in (
            ("train", known, TRAINED), ("valid", known, VALID), ("pairs", known, TESTED), ("words", unknown, TESTED)
        ):  # fmt: skip
            found = tried = 0
            while found < count:
                tried += 1
                if tried > 300 * count:
                    raise SystemExit(f"only {found} of {count} questions of the kind {kind!r}, {part}")
                a, b, c = _triple(together, of, draw)
                rows = np.flatnonzero(HOLDS[kind](about[:, a], about[:, b], about[:, c]))
                if len(rows) < 3 or (kind, frozenset((a, b, c))) in seen or (kind, frozenset((a, b))) in seen:
                    continue
                seen |= {(kind, frozenset((a, b, c))), (kind, frozenset((a, b)))}
                wording = wordings[draw.integers(len(wordings))]
                parts[part].append(len(questions))
                questions.append(wording.format(a=words[a], b=words[b], c=words[c]))
                relevant.append(rows)
                kinds.append(kind)
                found += 1
    world = _world(base.docs, base.texts, questions, relevant, kinds, parts)
    torch.save(world, file)
    return world


def _triple(together, of, draw):
    """Three words, of which the second and third share paragraphs with the first more often than others do."""
    a = draw.choice(of)
    near = of[np.argsort(-together[a, of])[:25]]
    b, c = draw.choice(near[near != a], 2, replace=False)
    return a, b, c


def _about(texts):
    """(N, words) bool, and the words as they stand in texts."""
    model = LexicalModel("tfidf")
    stems = [model.words(text) for text in texts]
    counts = {}
    for row in stems:
        for stem in set(row):
            counts[stem] = counts.get(stem, 0) + 1
    chosen = sorted(s for s, count in counts.items() if 60 <= count <= 900 and len(s) > 3 and not s.isdigit())
    place = {stem: at for at, stem in enumerate(chosen)}
    rarity = {stem: np.log(len(texts) / count) for stem, count in counts.items()}
    about = np.zeros((len(texts), len(chosen)), bool)
    for row, each in enumerate(stems):
        weights = {stem: (1 + np.log(each.count(stem))) * rarity[stem] for stem in set(each)}
        common = sorted(weights.keys() & place.keys(), key=lambda s: (-weights[s], s))
        about[row, [place[stem] for stem in common[:ABOUT]]] = True
    spelled = _spelled(model, texts, set(chosen))
    return about, [spelled[stem] for stem in chosen]


def _spelled(model, texts, stems):
    """stem -> the most frequent word that has it."""
    counts = {}
    for text in texts:
        for word in set(re.findall(r"[a-z]+", text.lower())):
            counts[word] = counts.get(word, 0) + 1
    found = {}
    for word in sorted(counts, key=lambda w: (-counts[w], w)):
        for stem in model.words(word):
            if stem in stems:
                found.setdefault(stem, word)
    return {stem: found.get(stem, stem) for stem in stems}


def words(text):
    """The words of a text, by its spaces."""
    return re.findall(r"\S+", text)


THINGS = words("""
apples archery baking ballet beekeeping birdwatching bowling boxing calligraphy camping candles canoeing carpentry
cats cheese chess climbing coffee coins comics cooking cricket crosswords cycling dancing darts dogs dominoes
drawing drums embroidery fencing fishing flowers football gardening geology golf guitars gymnastics hats hiking
history hockey horses ice-skating jazz jewellery juggling karate kites knitting lacrosse lanterns magic maps
marbles mathematics mountains mushrooms museums novels opera origami owls painting parrots pasta photography piano
pilates pizza podcasts poetry pottery puppets puzzles quilts rabbits radios rowing rugby running sailing sculpture
sewing sharks singing skiing soap snowboarding squash stamps statistics surfing swimming tea tennis theatre trains
trumpets turtles violins volcanoes walking watches whales wine wrestling yoga zebras
""")
FIRST = words(
    "Ada Ben Cleo Dan Eva Finn Gia Hal Ida Jon Kai Lea Max Nia Oto Pia Quin Rae Sam Tia Una Vic Wes Xia Yan Zoe"
)
LAST = words("Abbot Baker Carver Dyer Ellis Fowler Glover Hunter Irwin Jagger Keller Lister Mason Nash Oakley Potter")


def people(cache, *, seed=0, likes=8):
    """LIMIT-style: what 400 people like, all of it written out; half of the things are unknown in training.

    Tests: "known" things and "unknown" ones, among people that training used; "new people", known things, of which a
    quarter of the people are.
    """
    file = Path(cache) / f"people-{seed}.pt"
    if file.is_file():
        return torch.load(file, weights_only=False)
    draw = np.random.default_rng(seed)
    names = [f"{first} {last}" for first in FIRST for last in LAST][:400]
    taste = np.stack([draw.permutation(len(THINGS))[:likes] for _ in names])
    texts = [f"{n} likes " + ", ".join(THINGS[t] for t in own) + "." for n, own in zip(names, taste, strict=True)]
    likes_it = np.zeros((len(names), len(THINGS)), bool)
    likes_it[np.arange(len(names))[:, None], taste] = True
    new = np.zeros(len(names), bool)
    new[draw.permutation(len(names))[: len(names) // 4]] = True
    things = draw.permutation(len(THINGS))
    known, unknown = things[: len(things) // 2], things[len(things) // 2 :]
    train = ["Who likes {a}?", "{a}", "people who like {a}", "Who likes {a} and {b}?", "fans of {a}", "{a} and {b}"]
    test = ["Who is fond of {a}?", "people who like {a} and {b}", "Find everyone who likes {a}."]
    questions, relevant, kinds, parts = (
        [],
        [],
        [],
        {"train": [], "valid": [], "known": [], "unknown": [], "new people": []},
    )

    def ask(part, wordings, of, among, count):
        while len(parts[part]) < count:
            a, b = draw.choice(of, 2, replace=False)
            wording = wordings[draw.integers(len(wordings))]
            rows = np.flatnonzero(likes_it[:, a] & (likes_it[:, b] if "{b}" in wording else True) & among)
            if len(rows):
                parts[part].append(len(questions))
                questions.append(wording.format(a=THINGS[a], b=THINGS[b]))
                relevant.append(rows)
                kinds.append("")

    ask("train", train, known, ~new, 2000)
    ask("valid", train, known, ~new, 100)
    ask("known", test, known, ~new, 200)
    ask("unknown", test, unknown, ~new, 200)
    ask("new people", test, known, new, 200)
    model = hyperir.load(MODEL)
    docs = model.encode_document(texts).vectors.float()
    world = replace(_world(docs, texts, questions, relevant, kinds, parts), usable=torch.from_numpy(~new), measure="rr")
    torch.save(world, file)
    return world


def _world(docs, texts, questions, relevant, kinds, parts):
    model = hyperir.load(MODEL)
    tests = {name: np.array(numbers) for name, numbers in parts.items() if name not in ("train", "valid")}
    return World(
        docs=docs,
        states=states_of(model, questions),
        relevant=relevant,
        kinds=kinds,
        train=np.array(parts["train"]),
        valid=np.array(parts["valid"]),
        tests=tests,
        usable=torch.ones(len(docs), dtype=torch.bool),
        texts=texts,
        questions=questions,
        measure="precision",
    )
