"""transformers models and tokenizers out of local folders: no network, no code from the folder, no pickles unasked."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from tokenizers import Tokenizer, normalizers
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, AutoTokenizer, PreTrainedModel
from transformers.initialization import no_init_weights
from transformers.utils import logging as their_logging

from hyperir.core.errors import ModelError
from hyperir.encode.tokenizer import TextTokenizer

__all__ = [
    "as_dtype",
    "build_masked",
    "build_transformer",
    "evaluating",
    "has_tokenizer",
    "read_json",
    "read_own_tokenizer",
    "read_tokenizer",
    "read_transformer",
    "read_weights",
]

TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model")
OWN = "hyperir-ngram"  # the architecture that is ours
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def as_dtype(dtype: torch.dtype | str) -> torch.dtype:
    """A type by its name.

    Raises:
        ModelError: not a type that a backbone can have.
    """
    found = DTYPES.get(str(dtype).removeprefix("torch."))
    if found is None:
        raise ModelError("a backbone cannot have this type", expected="one of " + ", ".join(DTYPES), got=str(dtype))
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ModelError: no such file, or not an object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {path}", got=str(error)) from error
    if not isinstance(values, dict):
        raise ModelError(f"cannot read {path}", expected="a JSON object", got=type(values).__name__)
    return values


def read_weights(folder: Path, *, allow_pickle: bool) -> dict[str, Tensor]:
    """All tensors of `model.safetensors`, its shards, or where allowed `pytorch_model.bin`.

    Raises:
        ModelError: there are none, they are damaged, or they are pickles and `allow_pickle` is False.
    """
    from safetensors.torch import load_file

    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        files = [folder / "model.safetensors"]
    elif index.is_file():
        names = sorted(set(read_json(index).get("weight_map", {}).values()))
        files = [folder / Path(str(name)).name for name in names]
    else:
        return _read_pickle(folder, allow_pickle)
    tensors: dict[str, Tensor] = {}
    for file in files:
        try:
            tensors |= load_file(file)
        except (OSError, SafetensorError) as error:
            raise ModelError(f"cannot read the weights {file}", got=str(error)) from error
    return tensors


def _read_pickle(folder: Path, allow_pickle: bool) -> dict[str, Tensor]:
    import pickle

    file = folder / "pytorch_model.bin"
    if not file.is_file():
        raise ModelError(f"no weights in {folder}", expected="model.safetensors")
    _refuse_pickle(folder, allow_pickle)
    try:
        tensors: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(f"cannot read the weights {file}", got=str(error).splitlines()[0]) from error
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise ModelError(f"cannot read the weights {file}", expected="tensors by name")
    return tensors


def _refuse_pickle(folder: Path, allow_pickle: bool) -> None:
    if not allow_pickle:
        raise ModelError(
            f"the weights in {folder} are a pickle, which is refused",
            expected="model.safetensors",
            fix="allow_pickle=True reads it with torch.load(weights_only=True), which runs no code from the file",
        )


def read_transformer(folder: Path, dtype: torch.dtype, *, allow_pickle: bool, masked: bool = False) -> PreTrainedModel:
    """A transformers model with all its weights, in evaluation mode; `masked` with its masked-language head.

    Raises:
        ModelError: not such a folder, an architecture that transformers does not know (code in the folder is never
            run), weights missing or damaged, or pickles unasked.
    """
    values = read_json(folder / "config.json")
    _refuse_code(values, folder)
    safe = any((folder / name).is_file() for name in ("model.safetensors", "model.safetensors.index.json"))
    if not safe:
        if not any(folder.glob("pytorch_model*.bin")):
            raise ModelError(f"no weights in {folder}", expected="model.safetensors")
        _refuse_pickle(folder, allow_pickle)
    try:
        with silence(), torch.random.fork_rng(devices=[]):
            model, report = (AutoModelForMaskedLM if masked else AutoModel).from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=safe,
                dtype=dtype,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
        raise ModelError(f"transformers cannot read the model in {folder}", got=_first_line(error)) from error
    missing = sorted(str(key) for key in report["missing_keys"] if "pooler." not in str(key))
    if masked and missing:
        raise ModelError(
            f"the model in {folder} has no masked-language head",
            got="missing " + ", ".join(missing[:3]),
            fix="take a model that was trained with one, as bert-base-uncased",
        )
    wrong = sorted(str(key) for key in report["mismatched_keys"])
    if missing or wrong:
        raise ModelError(
            f"the weights in {folder} do not fit its config.json", got="; ".join([*missing[:3], *wrong[:3]])
        )
    return evaluating(model)


def build_masked(config: Mapping[str, Any], tensors: Mapping[str, Tensor], where: str) -> PreTrainedModel:
    """A masked-language model from its configuration and its transformer's weights; the head's are still to come."""
    model = _from_config(AutoModelForMaskedLM, config, tensors, where)
    _fill(model.base_model, tensors, where)
    model.tie_weights()
    return evaluating(model)


def build_transformer(config: Mapping[str, Any], tensors: Mapping[str, Tensor], where: str) -> PreTrainedModel:
    """A transformers model from its configuration and weights alone, in evaluation mode and the weights' type.

    Args:
        config: as in config.json, with "model_type".
        tensors: every weight but the pooler's, by the model's own names.
        where: named in errors.

    Raises:
        ModelError: an unknown architecture, or weights that do not fit.
    """
    model = _from_config(AutoModel, config, tensors, where)
    _fill(model, tensors, where)
    return evaluating(model)


def evaluating(model: Any) -> PreTrainedModel:
    """The model, in evaluation mode."""
    result: PreTrainedModel = model.eval()
    return result


def _from_config(kind: Any, config: Mapping[str, Any], tensors: Mapping[str, Tensor], where: str) -> PreTrainedModel:
    """A model whose weights are still to come."""
    _refuse_code(config, where)
    if config.get("model_type") == OWN:
        import hyperir.encode.ngram  # noqa: F401 - which tells transformers of it
    values = {
        key: value for key, value in config.items() if key not in ("dtype", "torch_dtype", "architectures", "auto_map")
    }
    dtype = next((tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()), torch.float32)
    try:
        with silence(), torch.random.fork_rng(devices=[]), no_init_weights():
            checked = AutoConfig.for_model(**values)
            model: PreTrainedModel = kind.from_config(checked, trust_remote_code=False, dtype=dtype)
    except (ValueError, KeyError, TypeError, ImportError, RuntimeError) as error:
        raise ModelError(f"transformers cannot build the model of {where}", got=_first_line(error)) from error
    return model


def _fill(model: Any, tensors: Mapping[str, Tensor], where: str) -> None:
    """Give a transformer its weights."""
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    known = set(model.state_dict())
    kept = {name: tensor for name, tensor in tensors.items() if name in known}
    strange = [name for name in tensors if name not in known and not name.startswith("pooler.")]
    # Old checkpoints hold position_ids, which are counted and not learned.
    strange = [name for name in strange if not name.endswith("position_ids")]
    missing = sorted(known - set(kept))
    if missing or strange:
        raise ModelError(
            f"the transformer's weights in {where} do not fit its configuration",
            got="; ".join([f"missing {n}" for n in missing[:3]] + [f"unknown {n}" for n in strange[:3]]),
        )
    try:
        model.load_state_dict(kept)
    except RuntimeError as error:
        raise ModelError(
            f"the transformer's weights in {where} do not fit its configuration", got=_first_line(error, 1)
        ) from error


def read_tokenizer(folder: Path, *, lower_case: bool = False) -> TextTokenizer:
    """A folder's tokenizer.

    Args:
        folder: with tokenizer.json, or any files that transformers makes a fast tokenizer of.
        lower_case: lower-case all texts first.

    Raises:
        ModelError: no such files, or they need code of their own.
    """
    if not has_tokenizer(folder):
        raise ModelError(f"no tokenizer in {folder}", expected="tokenizer.json or vocab.txt")
    with silence(), _explained_tokenizer(folder):
        theirs = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    fast = getattr(theirs, "backend_tokenizer", None)
    if not isinstance(fast, Tokenizer):
        raise ModelError(f"the tokenizer in {folder} is not a fast one", expected="tokenizer.json")
    ours = TextTokenizer(fast, theirs.pad_token_id or 0)
    if lower_case:
        before = [n for n in (ours.tokenizer.normalizer,) if n is not None]
        ours.tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *before])
    return ours


def read_own_tokenizer(path: Path, pad_id: int) -> TextTokenizer:
    """A tokenizer.json that HyperIR wrote.

    Raises:
        ModelError: it is missing or damaged.
    """
    with _explained_tokenizer(path):
        return TextTokenizer(Tokenizer.from_str(path.read_text(encoding="utf-8")), pad_id)


def has_tokenizer(folder: Path) -> bool:
    """True if a folder holds any tokenizer's files."""
    return any((folder / name).is_file() for name in TOKENIZER_FILES)


@contextmanager
def _explained_tokenizer(place: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, ImportError, AttributeError) as error:
        raise ModelError(f"cannot read the tokenizer in {place}", got=_first_line(error)) from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        # The tokenizers package raises Exception itself for a file that it cannot read.
        raise ModelError(f"cannot read the tokenizer in {place}", got=_first_line(error)) from error


@contextmanager
def silence() -> Iterator[None]:
    """Keep transformers' bars ("Loading weights") and reports off the screen; errors are raised, not printed."""
    verbosity, bars = their_logging.get_verbosity(), their_logging.is_progress_bar_enabled()
    their_logging.set_verbosity(logging.CRITICAL)
    their_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        their_logging.set_verbosity(verbosity)
        if bars:
            their_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _refuse_code(config: Mapping[str, Any], where: object) -> None:
    """Attention and expert kernels may be named by a hub repository, whose code transformers would then run."""
    for key, value in config.items():
        if "implementation" in key and "/" in str(value):
            raise ModelError(f"the config of {where} asks for code from elsewhere", got=f"{key} = {value!r}")
        if isinstance(value, Mapping):
            _refuse_code(value, where)


def _first_line(error: Exception, line: int = 0) -> str:
    lines = [text.strip() for text in str(error).splitlines() if text.strip()] or [type(error).__name__]
    return lines[min(line, len(lines) - 1)]
