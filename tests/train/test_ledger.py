"""Files that long work goes on with."""

import pytest

from hyperir.core.errors import InputError
from hyperir.train.ledger import Ledger

HEADER = {"hyperir": "test", "of": "this", "numbers": (1, 2)}


def test_work_goes_on_after_the_last_whole_line(tmp_path):
    path = tmp_path / "work.jsonl"
    with Ledger(path, HEADER) as ledger:
        assert ledger.done == 0
        ledger.append([{"n": 0}, {"n": 1}])
        assert ledger.done == 2
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"n": 2')
    with Ledger(path, HEADER) as ledger:
        assert ledger.done == 2
        ledger.append([{"n": 2}])
    assert path.read_bytes() == whole + b'{"n": 2}\n'


def test_a_file_of_other_work_stays(tmp_path):
    path = tmp_path / "work.jsonl"
    with Ledger(path, HEADER) as ledger:
        ledger.append([{"n": 0}])
    before = path.read_bytes()
    with pytest.raises(InputError, match="other settings") as raised:
        Ledger(path, HEADER | {"of": "that"})
    assert "of 'that'" in str(raised.value)
    assert "of 'this'" in str(raised.value)
    other = tmp_path / "other.jsonl"
    for content in ("my notes\n", '{"id": 1}\n', "no end"):
        other.write_text(content)
        with pytest.raises(InputError, match="name another -o"):
            Ledger(other, HEADER)
        assert other.read_text() == content
    assert path.read_bytes() == before
    with pytest.raises(InputError, match="cannot be written"):
        Ledger(tmp_path / "nowhere" / "work.jsonl", HEADER)
