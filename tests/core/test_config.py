"""Configurations are strict, and their errors help."""

import pytest
from pydantic import Field, model_validator

from hyperir.core.config import Config
from hyperir.core.errors import ConfigError, InputError, UnknownNameError, nearest
from hyperir.core.registry import Table


class Inner(Config):
    width: int = 3


class Outer(Config):
    type: str = "outer"
    depth: int = Field(default=1, ge=1)
    inner: Inner = Inner()


class Member:
    Config = Outer

    def __init__(self, config, *, suffix=""):
        self.text = f"{config.depth}{suffix}"


TABLE = Table("things", {"outer": f"{__name__}:Member", "broken": "hyperir.nowhere:Nothing"})


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown key 'dept' in recipe.yaml") as caught:
        Outer.parse({"dept": 2}, where="recipe.yaml")
    assert "did you mean 'depth'?" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_nested_unknown_key_names_the_nearest_beside_it():
    with pytest.raises(ConfigError, match=r"unknown key 'inner\.widht'") as caught:
        Outer.parse({"inner": {"widht": 2}})
    assert "did you mean 'width'?" in str(caught.value)


def test_a_wrong_value_shows_what_came():
    with pytest.raises(ConfigError, match="wrong value for 'depth'") as caught:
        Outer.parse({"depth": 0})
    assert "depth = 0" in str(caught.value)


def test_what_is_about_several_keys_is_said_as_it_was_written():
    class Pair(Config):
        """Two keys that must agree."""

        low: int = 0
        high: int = 1

        @model_validator(mode="after")
        def _ordered(self):
            if self.low > self.high:
                raise ValueError("`low` is above `high`: say low: LESS")
            return self

    with pytest.raises(ConfigError, match=r"^wrong values in pair: `low` is above `high`: say low: LESS") as caught:
        Pair.parse({"low": 2}, "pair")
    assert "{'low': 2}" in str(caught.value)


def test_a_configuration_is_immutable_and_reads_back():
    config = Outer.parse({"depth": 2, "inner": {"width": 5}})
    with pytest.raises(ValueError, match="frozen"):
        config.depth = 3
    assert Outer.parse(config.model_dump(mode="json")) == config


def test_a_table_builds_from_names_mappings_and_configurations():
    assert TABLE.build("outer").text == "1"
    assert TABLE.build({"type": "outer", "depth": 4}, suffix="!").text == "4!"
    assert TABLE.build(Outer(depth=2)).text == "2"


def test_a_table_names_its_members_and_the_nearest():
    with pytest.raises(UnknownNameError, match="no things member named 'uoter'") as caught:
        TABLE.build("uoter")
    assert "broken, outer" in str(caught.value)
    assert "did you mean 'outer'?" in str(caught.value)
    with pytest.raises(ConfigError, match="which things member"):
        TABLE.build({"depth": 1})


def test_a_member_that_cannot_be_imported_says_from_where():
    with pytest.raises(InputError, match=r"hyperir\.nowhere:Nothing"):
        TABLE["broken"]


def test_third_parties_add_members_by_entry_point(monkeypatch):
    from importlib.metadata import EntryPoint

    from hyperir.core import registry

    def points(group):
        assert group == "hyperir.things"
        return [
            EntryPoint("theirs", f"{__name__}:Member", group),
            EntryPoint("outer", "their.module:Replacement", group),
        ]

    monkeypatch.setattr(registry, "entry_points", points)
    table = Table("things", {"outer": f"{__name__}:Member"})
    assert set(table) == {"theirs", "outer"}
    assert table["theirs"] is Member
    assert table["outer"] is Member, "a stranger cannot replace a member of ours"


def test_nearest_is_silent_when_nothing_is_close():
    assert nearest("zzz", ["width", "depth"]) == ""
