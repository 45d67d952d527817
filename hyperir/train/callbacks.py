"""What goes on beside the steps: the bar, Ctrl-C, and stopping early."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hyperir.core.amounts import seconds_text
from hyperir.core.progress import Progress
from hyperir.train.recipe import ValidationRecipe

__all__ = ["Bar", "Interruption", "Patience", "patience"]


class Bar(TrainerCallback):
    """Steps, loss, the newest measures, and the time left; where stderr is no terminal, a line for every validation.

    Args:
        title: stands before it.
    """

    def __init__(self, title: str = "Training") -> None:
        self._title = title
        self._bar: Progress | None = None
        self._loss = self._measures = ""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Show the bar."""
        if state.is_world_process_zero:
            self._bar = Progress(self._title, state.max_steps - state.global_step, "steps").__enter__()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Move it."""
        if self._bar is not None:
            self._bar.advance()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Tell the loss."""
        if self._bar is not None and logs is not None and "loss" in logs:
            self._loss = f"loss {logs['loss']:.4g}"
            self._bar.tell(f"{self._loss} {self._measures}")

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Tell the measures."""
        if self._bar is None or metrics is None:
            return
        self._measures = " ".join(f"{name.removeprefix('eval_')} {value:.4f}" for name, value in metrics.items())
        self._bar.tell(f"{self._loss} {self._measures}")
        if not sys.stderr.isatty():
            left = self._bar.left()
            time_left = "" if not left else f", about {seconds_text(left)} left"
            step = f"step {state.global_step:,} of {state.max_steps:,}"
            print(f"{step}: {self._loss} {self._measures}{time_left}", file=sys.stderr)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Leave it on the screen."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


class Interruption(TrainerCallback):
    """Ctrl-C and SIGTERM end the training after the step that runs, with a checkpoint; a second one at once."""

    def __init__(self) -> None:
        self.came = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Catch the signals; only the main thread can."""
        before: dict[signal.Signals, Any] = {}

        def note(number: int, frame: FrameType | None) -> None:
            if self.came:
                raise KeyboardInterrupt
            self.came = True

        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                before[number] = signal.signal(number, note)
        except ValueError:
            before.clear()  # another thread than the main one, which no signal reaches
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Save and stop, in all processes at the same step."""
        if args.world_size > 1:
            flag = torch.tensor(float(self.came), device=args.device)
            torch.distributed.all_reduce(flag)
            self.came = bool(flag > 0)
        if self.came:
            control.should_save = True
            control.should_training_stop = True


class Patience(TrainerCallback):
    """Ends the training after so many validations without a better one.

    It counts in the log, which a checkpoint keeps: transformers' own counter begins anew after a stop.

    Args:
        measure: the one that decides, as the log names it.
        most: validations in a row.
    """

    def __init__(self, measure: str, most: int) -> None:
        self.measure, self.most = measure, most

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Count."""
        # The measure before the first step belongs to no checkpoint.
        values = [line[self.measure] for line in state.log_history if self.measure in line and line["step"] > 0]
        if values and len(values) - 1 - values.index(max(values)) >= self.most:
            control.should_training_stop = True


def patience(recipe: ValidationRecipe | None) -> list[TrainerCallback]:
    """Stopping early, where the recipe asks for it."""
    if recipe is None or recipe.patience is None:
        return []
    return [Patience(f"eval_{recipe.measures[0]}", recipe.patience)]
