from __future__ import annotations

import csv
import json

import pyarrow as pa
from pyarrow import parquet as pq

from hyperir.corpus import open_collection

ROWS = [
    {"id": "1", "text": 'plain, "quoted"\nand two lines', "title": "One", "lang": "en"},
    {"id": "007", "text": "", "title": "", "lang": "de"},
    {"id": "ü/x y", "text": "Straße \U0001f600 \u2028 end", "title": "Zwei", "lang": ""},
]


def test_the_same_rows_in_every_format_are_the_same_documents(tmp_path):
    folder = tmp_path / "beir"
    folder.mkdir()
    lines = [json.dumps(row, ensure_ascii=bool(i % 2)) + "\n" for i, row in enumerate(ROWS)]
    (tmp_path / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "corpus.jsonl").write_text("".join(lines).replace('"id"', '"_id"'), encoding="utf-8")
    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    for source in (tmp_path / "rows.jsonl", tmp_path / "rows.csv", tmp_path / "rows.parquet", folder):
        assert list(open_collection(source).documents()) == ROWS, source


def test_tsv_too_where_it_can(tmp_path):
    rows = [{"id": "1", "text": 'a "b', "title": "", "n": "5"}, {"id": "2", "text": "", "title": "T", "n": ""}]
    lines = ["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)]
    (tmp_path / "a.tsv").write_text("\n".join(lines) + "\n")
    assert list(open_collection(tmp_path / "a.tsv").documents()) == rows
