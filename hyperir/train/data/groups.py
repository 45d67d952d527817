"""Groups of documents by a teacher's ranking, which grow harder from stage to stage.

CL-DRD: Zeng, Zamani and Vinay, SIGIR 2022.
"""

from __future__ import annotations

import hashlib
import math
from random import Random
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

from hyperir.core.config import Config
from hyperir.core.errors import CollectionError
from hyperir.core.types import Row
from hyperir.train.data import SETS
from hyperir.train.data.example import Example, TrainingSet

__all__ = ["EASY", "HARD", "GroupsSet", "GroupsSetConfig"]

HARD, EASY = -0.25, -0.5  # labels; only their order counts


class GroupsSetConfig(Config):
    """Configuration of groups.

    Args:
        of: a training set with a teacher's scores, such as a taught one.
        relevant: the teacher's best, which count as relevant.
        hard: drawn from those right below them.
        among: how many those are.
        easy: drawn from all the others.
        seed: of what is drawn; another one in every stage draws others.
    """

    type: Literal["groups"] = "groups"
    of: Annotated[SerializeAsAny[Config], BeforeValidator(SETS.parse)]
    relevant: int = Field(5, ge=1)
    hard: int = Field(15, ge=0)
    among: int = Field(50, ge=0)
    easy: int = Field(10, ge=0)
    seed: int = Field(0, ge=0)


class GroupsSet:
    """Every example's items by the teacher's scores: the best ones with label 1 / rank, then hard ones, then easy ones.

    Items without a score are left out. `hard` and `easy` are fewer where there are not as many. With
    `batch.items: null` all of them take part, under the loss `{type: lambdarank, measure: rr, gain: unit}`.
    """

    Config = GroupsSetConfig
    understood = "groups of documents by a teacher's ranking of another training set"

    def __init__(self, config: GroupsSetConfig) -> None:
        self._config = config
        self.of: TrainingSet = SETS.build(config.of)

    @classmethod
    def accepts(cls, source: str) -> bool:
        """Never: it is made of another set."""
        return False

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, i: int) -> Example:
        config, example = self._config, self.of[i]
        scored = [place for place, label in enumerate(example.labels) if not math.isnan(label)]
        if not scored:
            raise CollectionError(
                f"example {i} has no teacher's scores to make groups of",
                expected="a taught training set",
                fix="hyperir teach TRAINING -o scores.jsonl --teacher NAME",
            )
        ranked = sorted(scored, key=lambda place: (-example.labels[place], place))
        ids = [example.items[place] for place in ranked]
        draw = Random(f"{config.seed} {i}")
        below = config.relevant + config.among
        relevant = ids[: config.relevant]
        hard = _some(ids[config.relevant : below], config.hard, draw)
        easy = _some(ids[below:], config.easy, draw)
        labels = [1.0 / rank for rank in range(1, len(relevant) + 1)] + [HARD] * len(hard) + [EASY] * len(easy)
        return Example(example.query, (*relevant, *hard, *easy), tuple(labels), example.positives.union(relevant))

    def text(self, id: str) -> Row | str:  # noqa: A002 - as users say it
        """The document with this id."""
        return self.of.text(id)

    @property
    def fingerprint(self) -> str:
        """sha256 over the scored set and the groups' sizes."""
        what = self._config.model_dump_json(exclude={"of"})
        return hashlib.sha256(f"{self.of.fingerprint}\n{what}".encode()).hexdigest()


def _some(ids: list[str], count: int, draw: Random) -> list[str]:
    """So many of them, in their order."""
    return [ids[place] for place in sorted(draw.sample(range(len(ids)), min(count, len(ids))))]
