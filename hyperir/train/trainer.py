"""The loop: transformers' Trainer over batches of queries and their items, validated by retrieval."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from hyperir.train.batch import Batch, Collate
from hyperir.train.batches import BatchOrder
from hyperir.train.caching import backward
from hyperir.train.devices import sum_over_processes
from hyperir.train.recipe import OptimizerRecipe, Recipe
from hyperir.train.retriever import Retriever
from hyperir.train.sampling import Batches, Key
from hyperir.train.validation import Validation

__all__ = ["WEIGHTS", "RetrievalTrainer", "arguments", "learned", "put_back"]

WEIGHTS = "model.safetensors"


class Keys(Dataset[Key]):
    """The data set that a loader asks for: everything is left to the collating."""

    def __init__(self, examples: int) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return self.examples

    def __getitem__(self, key: Key) -> Key:
        return key


class Loader(DataLoader[Any]):
    """A loader whose batches know the epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer before every epoch."""
        assert isinstance(self.batch_sampler, Batches)
        self.batch_sampler.set_epoch(epoch)


class RetrievalTrainer(Trainer):
    """transformers' Trainer for a :class:`Retriever`.

    Args:
        retriever: what learns.
        recipe: everything else.
        args: made by :func:`arguments`.
        collate: puts batches together.
        order: says which examples stand together.
        validation: None for none.
        callbacks: added to transformers' own.
    """

    def __init__(
        self,
        retriever: Retriever,
        recipe: Recipe,
        args: TrainingArguments,
        collate: Collate,
        order: BatchOrder,
        validation: Validation | None,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        self.collate, self.order = collate, order
        # The Trainer wants a data set where it validates; `evaluate` below does not look at it.
        unused = None if validation is None else Keys(0)
        super().__init__(
            model=retriever, args=args, data_collator=self._collated, eval_dataset=unused, callbacks=list(callbacks)
        )
        self.remove_callback(PrinterCallback)
        self.recipe, self.validation = recipe, validation
        self._began = time.monotonic()
        self.parts: Tensor | None = None  # the losses one by one, added up since the last log
        self._noted = 0

    def get_train_dataloader(self) -> Loader:
        """Batches of this process."""
        args = self.args
        batches = Batches(
            len(self.collate.examples),
            self.recipe.batch.queries,
            self.recipe.seed,
            self.order,
            rank=args.process_index,
            world=args.world_size,
        )
        return Loader(
            Keys(len(self.collate.examples)),
            batch_sampler=batches,
            collate_fn=self._collated,
            num_workers=args.dataloader_num_workers,
        )

    def _collated(self, keys: list[Key]) -> dict[str, Any]:
        # Negatives that the model finds wait until the step begins: they are looked for at its number and by the model
        # as it is then, whatever a loader fetches ahead.
        return {"batch": self.collate(keys) if self.collate.negatives is None else keys}

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        self._retriever.step = self.state.global_step
        batch = inputs["batch"] if isinstance(inputs["batch"], Batch) else self.collate(inputs["batch"])
        return {"batch": batch.to(self.args.device)}

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> None:
        return None  # losses are means over queries

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted."""
        return 0

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """The weighted sum of the losses."""
        total, parts = model(inputs["batch"])
        self._note(parts)
        loss: Tensor = total
        return loss

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """One batch, by gradient caching where the recipe asks for it."""
        if self.recipe.batch.chunk is None:
            return super().training_step(model, inputs, num_items_in_batch)
        model.train()
        scale = 1 / self.current_gradient_accumulation_steps
        with self.accelerator.no_sync(model):  # gradients are put together below, once and not for every piece
            total, parts = backward(
                self._retriever,
                self._prepare_inputs(inputs)["batch"],
                self.recipe.batch.chunk_queries,
                self.compute_loss_context_manager,
                scale,
            )
        if self.args.world_size > 1 and self.accelerator.sync_gradients:
            for parameter in self._retriever.parameters():
                if parameter.requires_grad:
                    gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                    parameter.grad = sum_over_processes(gradient) / self.args.world_size
        self._note(parts)
        return total * scale

    def _note(self, parts: Tensor) -> None:
        self.parts = parts if self.parts is None else self.parts + parts
        self._noted += 1

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Also each loss by itself where there are several, the terms that texts keep, and the seconds spent in all."""
        if "loss" in logs and self.parts is not None:
            names = self._retriever.names
            if len(names) > 1:
                shares = (self.parts / self._noted).tolist()
                logs |= dict(zip((f"loss_{name}" for name in names), shares, strict=True))
            self.parts, self._noted = None, 0
            logs |= self._retriever.sparsity.take()
        logs["seconds"] = self._before() + time.monotonic() - self._began
        super().log(logs, start_time)

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """The recipe's measures, by the first process for all."""
        assert self.validation is not None
        found = [self.validation(self._retriever) if self.args.process_index == 0 else {}]
        if self.args.world_size > 1:
            torch.distributed.broadcast_object_list(found, src=0)
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in found[0].items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW with a rate for the transformers and one for everything else."""
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(
                groups(self._retriever, self.recipe.optimizer), betas=(0.9, self.recipe.optimizer.beta2)
            )
        return self.optimizer

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None) -> None:
        """What learns, and nothing else: the rest comes from the start model again."""
        folder = Path(output_dir or self.args.output_dir or ".")
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: value.cpu().contiguous() for name, value in learned(self._retriever).items()}
        save_file(tensors, folder / WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        put_back(self._retriever, load_file(Path(resume_from_checkpoint) / WEIGHTS))

    def _load_best_model(self) -> None:
        assert self.state.best_model_checkpoint is not None
        self._load_from_checkpoint(self.state.best_model_checkpoint)

    @property
    def _retriever(self) -> Retriever:
        assert isinstance(self.model, Retriever)
        return self.model

    def _before(self) -> float:
        """Seconds that earlier calls spent."""
        if self._initial_global_step == 0:
            return 0.0
        earlier = [e.get("seconds", 0.0) for e in self.state.log_history if e["step"] <= self._initial_global_step]
        return max(earlier, default=0.0)


def learned(module: nn.Module) -> dict[str, Tensor]:
    """The parameters that learn, by name."""
    return {name: value.detach() for name, value in module.named_parameters() if value.requires_grad}


def put_back(module: nn.Module, stored: Mapping[str, Tensor], losses: Collection[int] | None = None) -> None:
    """Give the parameters that learn the values that they had.

    Args:
        module: the same as it was, but for its losses.
        stored: values by name.
        losses: places of the losses that get theirs; None for all.
    """
    with torch.no_grad():
        for name, value in learned(module).items():
            part = name.split(".")
            if part[0] != "losses" or losses is None or int(part[1]) in losses:
                value.copy_(stored[name])


MOVING = (".linear_head.", ".projection.")  # parts that move vectors, beside those that write networks


def groups(retriever: Retriever, recipe: OptimizerRecipe) -> list[dict[str, Any]]:
    """Parameters with their rates: transformers or not, decaying or not."""
    found: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in retriever.named_parameters():
        if parameter.requires_grad:
            rate = recipe.encoder_rate if ".backbone." in name else recipe.head_rate
            if any(part in name for part in MOVING) and recipe.linear_rate is not None:
                rate = recipe.linear_rate
            decay = recipe.weight_decay if parameter.dim() > 1 else 0.0
            found.setdefault((rate, decay), []).append(parameter)
    return [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in found.items()]


def arguments(recipe: Recipe, folder: Path) -> TrainingArguments:
    """What the Trainer is told."""
    run, validation = recipe.run, recipe.validation
    schedule = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}[recipe.optimizer.schedule]
    every = run.save if validation is None else validation.every
    # Where there is no accelerator, accelerate takes torchrun's processes for strangers unless it is told.
    over_gloo = "LOCAL_RANK" in os.environ and not torch.accelerator.is_available()
    return TrainingArguments(
        output_dir=str(folder),
        seed=recipe.seed,
        use_cpu=over_gloo or not torch.accelerator.is_available(),  # transformers refuses bf16 where it is not said
        ddp_backend="gloo" if over_gloo else None,
        per_device_train_batch_size=recipe.batch.queries,
        gradient_accumulation_steps=recipe.batch.accumulate,
        max_steps=run.steps if run.steps is not None else -1,
        num_train_epochs=run.epochs,
        learning_rate=recipe.optimizer.head_rate,
        lr_scheduler_type=schedule,
        warmup_steps=recipe.optimizer.warmup,
        max_grad_norm=recipe.optimizer.clip,
        bf16=run.precision == "bfloat16",
        logging_steps=run.log,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=run.keep,
        eval_strategy="no" if validation is None else "steps",
        eval_steps=every,
        eval_on_start=validation is not None,
        load_best_model_at_end=validation is not None,
        metric_for_best_model=None if validation is None else f"eval_{validation.measures[0]}",
        greater_is_better=True,
        report_to="none",  # `reporters` makes those that the recipe names
        dataloader_num_workers=run.workers,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        disable_tqdm=True,
    )
