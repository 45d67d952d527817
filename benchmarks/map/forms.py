"""The forms that the map compares: relevance functions over the same vectors."""

MLP = {"type": "mlp", "scaled": True}


def beside(qnet, head="pooled"):
    """The inner product plus a network."""
    return {"type": "hyper", "linear": True, "qnet": qnet, "head": head}


def several(qnet, head="pooled"):
    """MaxSim with a network beside each token's inner product."""
    return {"type": "hyper_multi", "linear": True, "qnet": qnet, "head": head}


def scale_of(relevance):
    """What scores are multiplied by at first: cosines by 20; what begins at random is not sharpened."""
    return 20.0 if relevance["type"] not in ("hyper", "hyper_multi") or relevance.get("linear") else 1.0


INNER, MAXSIM, TEACHER = "inner product", "MaxSim", "the teacher itself"
BASES = (INNER, MAXSIM)  # what a regime's other forms are compared with
FORMS = {
    INNER: {"type": "dot"},
    "official, 64-64": {"type": "hyper", "qnet": {"type": "mlp", "hidden": [64, 64]}},
    "linear + 64-64": beside(MLP | {"hidden": [64, 64]}),
    "linear + shared 256": beside({"type": "shared", "hidden": [256]}),
    "linear + rows 256": beside({"type": "shared", "hidden": [256], "rows": True}),
    # over words in cells, where the inner product reads them in signs; weights of the query's words learn in all
    "words, each alone": {"type": "hyper_words"},
    "words": {"type": "hyper_words", "weigh": "context"},
    "words and how many": {"type": "hyper_words", "weigh": "context", "hidden": 1},
    "words, inner product": {"type": "hyper_words", "weigh": "context", "read": "mean"},
    # over several vectors a document, with a function for every token of the question
    MAXSIM: {"type": "maxsim"},
    "MaxSim + shared 256": several({"type": "shared", "hidden": [256]}),
    # widths and depths
    "linear + 32": beside(MLP | {"hidden": [32]}),
    "linear + 64": beside(MLP | {"hidden": [64]}),
    "linear + 256": beside(MLP | {"hidden": [256]}),
    "linear + 768": beside(MLP | {"hidden": [768]}),
    "linear + 64-64-64-64": beside(MLP | {"hidden": [64] * 4}),
    "linear + 64 x 6": beside(MLP | {"hidden": [64] * 6}),
    "linear + shared 32": beside({"type": "shared", "hidden": [32]}),
    "linear + shared 768": beside({"type": "shared", "hidden": [768]}),
    "linear + shared 64 x 6": beside({"type": "shared", "hidden": [64] * 6}),
}
PRODUCT = "product quantisation"
SCALARS = {bits: f"scalar quantisation, {bits} bits" for bits in (8, 4)} | {1: "scalar quantisation, 1 bit"}
UNTRAINED = (TEACHER, PRODUCT, *SCALARS.values(), "as it comes")
MAIN = list(FORMS)[:5]
WORDS = [INNER, "words, each alone", "words", "words and how many", "words, inner product"]
SEVERAL = [MAXSIM, "MaxSim + shared 256"]
SHAPES = [
    INNER,
    "linear + 32",
    "linear + 64",
    "linear + 64-64",
    "linear + 256",
    "linear + 768",
    "linear + 64-64-64-64",
    "linear + 64 x 6",
]
SHARED = ["linear + shared 256", "linear + shared 32", "linear + shared 768", "linear + shared 64 x 6"]
