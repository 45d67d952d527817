"""The cache of objects: within its limit, the files used longest ago go first."""

import hashlib
import os
import time

import pytest

from hyperir.core.errors import InputError
from hyperir.index import cache
from hyperir.index.place import Content


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Fetch a file of a thousand bytes of one value, `ago` seconds before now; returns where it is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(cache.SETTING, "3e-6")  # three such files

    def put(value, ago=0.0):
        data = bytes([value]) * 1000
        path = cache.fetch(Content(1000, hashlib.sha256(data).hexdigest()), lambda path: path.write_bytes(data))
        os.utime(path, (time.time() - ago,) * 2)
        return path

    return put


def test_the_files_used_longest_ago_go(put):
    first, second, third = put(1, ago=900), put(2, ago=800), put(3, ago=700)
    assert first == put(1, ago=500), "found again, and used later than the second"
    put(4)
    assert [path.exists() for path in (first, second, third)] == [True, False, True]
    put(5)
    assert [path.exists() for path in (first, second, third)] == [True, False, False]


def test_a_file_in_use_stays(put):
    paths = [put(value, ago=value) for value in range(1, 6)]  # all in the last minute: one may be about to be mapped
    assert all(path.exists() for path in paths)
    before = paths[0].stat().st_mtime
    assert put(1).stat().st_mtime > before


def test_the_limit_is_a_number(put, monkeypatch):
    monkeypatch.delenv(cache.SETTING)
    assert cache.limit() == 50_000_000_000
    for wrong in ("much", "-1", "nan", "inf"):
        monkeypatch.setenv(cache.SETTING, wrong)
        with pytest.raises(InputError, match="HYPERIR_CACHE_GB counts gigabytes"):
            cache.limit()
