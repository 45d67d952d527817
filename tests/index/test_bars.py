"""What is promised about an index, tried seldom; `benchmarks/reliability/run.py` tries it as often as promised."""

import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("processes are not forked there", allow_module_level=True)

from reliability import damage, mutations, run

LEFT_OUT = {
    "operations",  # test_operations.py is that bar
}


@pytest.mark.parametrize("name", [name for name in run.BARS if name not in LEFT_OUT])
def test_bar(name):
    results, _ = run.run(name, short=True, seed=0)
    for result in results:
        assert not result.failures
        if not result.count:
            pytest.skip(result.note)  # no strace, or no right to mount
        assert result.ok


def test_a_child_that_damages_nothing_is_a_failure(monkeypatch, tmp_path):
    monkeypatch.setattr(damage, "prepared", lambda folder: folder)  # no index
    [result] = damage.truncations(5, tmp_path)
    assert result.failures == ["nothing damaged yet: the process ended with 1"]


@pytest.mark.parametrize("name", mutations.MUTATIONS)
def test_every_mutation_still_fits_the_code(name, tmp_path):
    mutation = mutations.MUTATIONS[name]
    source = Path(run.__file__).parents[2] / mutation.file
    assert mutation.of(source.read_text()) != source.read_text()
    assert set(mutation.bars) <= run.BARS.keys()
