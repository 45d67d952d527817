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
from hyperir.index.lock import try_lock

__all__ = ["Cache"]

Array = np.ndarray[Any, Any]
UNFINISHED = "unfinished-"  # begins the names of files that are being written


class Cache:
    """Arrays by key.

    What a killed process left half written in the folder is removed first. What a living one writes is locked, and
    stays.

    Args:
        folder: where they are kept; None keeps nothing beyond this run.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = None if folder is None else Path(folder).expanduser()
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            _clean(self.folder)
        self._rooms: dict[int, tuple[Path, int]] = {}  # id of an array -> its file and lock, for `write`

    def key(self, encoder: TextEncoder, texts: Sequence[Any], as_text: Callable[[Any], str], what: str) -> str:
        """Of what an encoder makes of texts; equal only where the result is. "" where nothing is kept."""
        if self.folder is None:
            return ""
        backbone = encoder.backbone
        made_by = backbone.tokenizer.identity() if what == "tokens" else backbone.fingerprint
        digest = hashlib.sha256(f"{what}\n{encoder.config.model_dump_json()}\n{made_by}\n".encode())
        for part in encoder.parts.values() if what != "tokens" else ():
            for weights in part.state_dict().values():
                digest.update(weights.detach().cpu().contiguous().numpy().tobytes())
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
        path, lock = _fresh(self.folder)
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)
        self._rooms[id(array)] = path, lock
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
            else:
                room = _fresh(self.folder)
                np.save(room[0], values)
            _finish(*room, self.folder / files[name])
        room = _fresh(self.folder)
        room[0].write_text(json.dumps(files), encoding="utf-8")
        _finish(*room, self.folder / f"{key}.json")  # last: it says that all are there
        kept = self.read(key, tuple(arrays))
        assert kept is not None
        return kept


def _fresh(folder: Path) -> tuple[Path, int]:
    """A new file and the descriptor that holds its lock."""
    while True:
        lock, name = tempfile.mkstemp(prefix=UNFINISHED, suffix=".npy", dir=folder)
        # Between the two calls another process may have taken it for a leftover.
        if try_lock(lock) and Path(name).exists():
            return Path(name), lock
        os.close(lock)


def _finish(path: Path, lock: int, final: Path) -> None:
    path.replace(final)
    os.close(lock)


def _clean(folder: Path) -> None:
    for path in folder.glob(f"{UNFINISHED}*"):
        try:
            lock = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            continue  # finished or removed in this moment
        if try_lock(lock):
            path.unlink(missing_ok=True)
        os.close(lock)
