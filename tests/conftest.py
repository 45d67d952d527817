"""The real collections, where they are."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data():
    """The folder of real collections, named by HYPERIR_DATA; tests that need it skip without it."""
    folder = os.environ.get("HYPERIR_DATA")
    if not folder:
        pytest.skip("HYPERIR_DATA names no folder of real collections (BEIR layout)")
    return Path(folder)
