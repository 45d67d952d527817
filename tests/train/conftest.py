"""One made-up world for all tests of training."""

import pytest
from worlds import make_world


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"))
