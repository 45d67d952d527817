"""What else gets the figures of a training: TensorBoard, Weights & Biases, and the others that transformers knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transformers import TrainerCallback
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK, TensorBoardCallback

from hyperir.core.errors import InputError, nearest

__all__ = ["reporters"]


def reporters(names: Sequence[str], folder: Path) -> list[TrainerCallback]:
    """The callbacks of `run.report_to`.

    Args:
        names: as transformers names them.
        folder: where TensorBoard's files go, unless TENSORBOARD_LOGGING_DIR says another.

    Raises:
        InputError: nothing is called so, or its package is not installed.
    """
    found = []
    for name in names:
        if name not in INTEGRATION_TO_CALLBACK:
            raise InputError(
                f"run.report_to: nothing called {name!r} takes figures",
                expected="some of " + ", ".join(sorted(INTEGRATION_TO_CALLBACK)),
                fix=nearest(name, INTEGRATION_TO_CALLBACK),
            )
        try:
            callback = INTEGRATION_TO_CALLBACK[name]()
        except (ImportError, RuntimeError) as error:  # what transformers raises where the package is missing
            raise InputError(
                f"run.report_to: {name} cannot be used", got=str(error), fix=f"pip install {name}, or leave it out"
            ) from error
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
            callback.logging_dir = str(folder)
        found.append(callback)
    return found
