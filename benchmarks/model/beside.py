"""An index of the same transformer's vectors with words counted in another form, so that texts are encoded once.

    python benchmarks/model/beside.py POOLED INDEX CELLS -o cells.index

INDEX holds the documents of the folder POOLED as a model of `words.py` encoded them, CELLS is another of these.
"""

import argparse
from pathlib import Path

import torch
from tqdm import tqdm

import hyperir
from hyperir.encode.text_encoder import TextEncoder
from hyperir.encode.texts import document_text
from hyperir.encode.tokenizer import batches

CHECKED = 8  # documents that are encoded whole, to see that it is the same transformer


def sketches(side, ids):
    """(N, D) of tokenised texts, without their transformer's vectors."""
    made = torch.empty(len(ids), side.words.config.width)
    for start in tqdm(range(0, len(ids), 1024), "Sketching", unit="blocks"):
        for batch in batches(ids[start : start + 1024], side.backbone.tokenizer.pad_id, 64, 4096):
            made[batch.rows + start] = side.words(batch.ids, batch.mask)
    return made


@torch.inference_mode()
def beside(model, vectors, rows):
    """(N, D): the transformer's (N, H) vectors of N documents and beside them their words, as the model counts them."""
    counted = sketches(model.document, model.document.tokenize([document_text(row) for row in rows]))
    made = torch.cat([vectors.float(), counted], 1)
    torch.testing.assert_close(made[:CHECKED], model.encode_document(rows[:CHECKED]).vectors, rtol=0, atol=1e-4)
    return made


def wordless(model):
    """The model of the same transformer without words."""
    side = model.document
    plain = TextEncoder(side.backbone, side.config.model_copy(update={"words": None}))
    return hyperir.Model(plain, plain, "dot", name=model.name).eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pooled")
    parser.add_argument("index")
    parser.add_argument("model")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    model, store = hyperir.load(options.model), hyperir.Index.open(options.index).store
    rows = {row["id"]: row for row in hyperir.open_collection(options.pooled).documents()}
    rows = [rows[row["id"]] for row in store.rows(list(range(len(store))))]
    dense = store.docs[: len(rows)].vectors[:, : model.document.width - model.document.words.config.width]
    hyperir.Index.create(options.output, options.model).add(rows, vectors=beside(model, dense, rows))


if __name__ == "__main__":
    main()
