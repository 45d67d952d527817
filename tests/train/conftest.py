"""One made-up world for all tests of training."""

import pytest
from worlds import make_foreign, make_world


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def foreign(tmp_path_factory):
    return make_foreign(tmp_path_factory.mktemp("foreign"))
