"""What is computed once for all epochs: in memory, or in a folder that later runs read again."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hyperir.encode.text_encoder import TextEncoder

__all__ = ["Cache"]

Array = np.ndarray[Any, Any]


class Cache:
    """Arrays by key.

    Args:
        folder: where they are kept; None keeps nothing beyond this run.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = None if folder is None else Path(folder).expanduser()
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        self._rooms: dict[int, Path] = {}  # id of an array -> its file, which `write` may move

    def key(self, encoder: TextEncoder, texts: Sequence[Any], as_text: Callable[[Any], str], what: str) -> str:
        """Of what an encoder makes of texts; equal only where the result is. "" where nothing is kept."""
        if self.folder is None:
            return ""
        backbone = encoder.backbone
        made_by = backbone.tokenizer.identity() if what == "tokens" else backbone.fingerprint
        digest = hashlib.sha256(f"{what}\n{encoder.config.model_dump_json()}\n{made_by}\n".encode())
        for text in texts:
            own = as_text(text).encode("utf-8", "surrogatepass")
            digest.update(len(own).to_bytes(8, "little") + own)
        return digest.hexdigest()[:32]

    def read(self, key: str, names: Sequence[str]) -> dict[str, Array] | None:
        """Arrays kept before, mapped from their files; None where they are not all there."""
        if self.folder is None:
            return None
        record = self.folder / f"{key}.json"
        if not record.is_file():
            return None
        files = json.loads(record.read_text(encoding="utf-8"))
        return {name: np.load(self.folder / files[name], mmap_mode="r") for name in names}

    def room(self, shape: tuple[int, ...], dtype: str) -> Array:
        """An empty array, in a file where there is a folder: it may be larger than memory."""
        if self.folder is None:
            return np.empty(shape, dtype)
        handle, name = tempfile.mkstemp(suffix=".npy", dir=self.folder)
        os.close(handle)
        array = np.lib.format.open_memmap(name, mode="w+", dtype=np.dtype(dtype), shape=shape)
        self._rooms[id(array)] = Path(name)
        return array

    def write(self, key: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Keep arrays; those made by `room` are not copied. Returns them as `read` does."""
        if self.folder is None:
            return dict(arrays)
        files = {}
        for name, values in arrays.items():
            files[name] = f"{key}-{name}.npy"
            room = self._rooms.pop(id(values), None)
            if isinstance(values, np.memmap) and room is not None:
                values.flush()
                room.replace(self.folder / files[name])
            else:
                beside = self.folder / f"{files[name]}.{os.getpid()}.npy"
                np.save(beside, values)
                beside.replace(self.folder / files[name])
        beside = self.folder / f"{key}.json.{os.getpid()}"
        beside.write_text(json.dumps(files), encoding="utf-8")
        beside.replace(self.folder / f"{key}.json")  # last: it says that all are there
        kept = self.read(key, tuple(arrays))
        assert kept is not None
        return kept
