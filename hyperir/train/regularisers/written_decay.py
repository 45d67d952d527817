"""Weight decay on generated weights: an optimiser decays what it owns, and the networks of queries it does not."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from hyperir.core.errors import InputError
from hyperir.train.regularisers.encoded import Encoded, RegulariserConfig, weight_at

__all__ = ["WrittenDecay", "WrittenDecayConfig"]


class WrittenDecayConfig(RegulariserConfig):
    """Configuration of weight decay on generated weights.

    Args:
        biases: also what has one axis a query.
    """

    type: Literal["written_decay"] = "written_decay"
    biases: bool = False


class WrittenDecay:
    """weight * mean over queries of the sum of the squares of everything that was written for one.

    The shared base is part of what is written.
    """

    Config = WrittenDecayConfig

    def __init__(self, config: WrittenDecayConfig) -> None:
        self.config = config

    def __call__(self, encoded: Encoded, step: int) -> Tensor:
        """Encoded, step -> (). Raises InputError where no hypernetwork writes anything."""
        chosen = [w for w in encoded.written.values() if w.dim() > 2 or self.config.biases]
        if not chosen:
            raise InputError(
                "nothing is written for a query, so it cannot be decayed",
                expected='a relevance function with a hypernetwork, such as "hyper"',
                got=type(encoded.f).__name__,
                fix='leave out "written_decay"',
            )
        first, *more = (w.square().flatten(1).sum(-1).mean() for w in chosen)
        return weight_at(self.config, step) * sum(more, first)
