"""The file of packed vectors, also as others read it."""

import mmap
import warnings

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from hyperir.core.errors import CorruptError
from hyperir.index import packed
from hyperir.index.folder import LocalFolder
from hyperir.index.kinds import Block
from hyperir.index.packed import Packed, PackedWriter


def write(folder, blocks, keys, width, dtype):
    writer = PackedWriter(folder / "v.safetensors", width, dtype)
    for block in blocks:
        writer.write(Block((block,)))
    writer.finish(keys)
    return Packed(LocalFolder(folder), "v.safetensors", None, sum(map(len, blocks)), width, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(("width", "sizes"), [(1, [3]), (3, [1]), (3, [2, 5]), (4, [1, 0, 1]), (384, [7, 9])])
def test_the_safetensors_library_reads_it(tmp_path, dtype, width, sizes):
    blocks = [np.random.default_rng(0).standard_normal((n, width)).astype(dtype) for n in sizes]
    keys = np.arange(10, 10 + 2 * sum(sizes), 2)
    ours = write(tmp_path, blocks, [keys[:1], keys[1:]], width, dtype)
    theirs = load_file(tmp_path / "v.safetensors")
    assert np.array_equal(theirs["vectors"].numpy(), np.concatenate(blocks))
    assert theirs["keys"].tolist() == keys.tolist()
    assert torch.equal(ours.tensors[0], theirs["vectors"])
    assert torch.equal(ours.keys, theirs["keys"])
    assert ours.tensors[0].data_ptr() % 64 == 0
    assert ours.keys.data_ptr() % 8 == 0
    with safe_open(tmp_path / "v.safetensors", "np") as file:
        assert set(file.keys()) >= {"vectors", "keys"}


def test_a_file_is_never_overwritten(tmp_path):
    write(tmp_path, [np.zeros((1, 1), np.float32)], [np.zeros(1)], 1, "float32")
    with pytest.raises(FileExistsError):
        PackedWriter(tmp_path / "v.safetensors", 1, "float32")


def test_pages_that_cannot_be_written_serve_as_well(tmp_path, monkeypatch):
    ours = write(tmp_path, [np.ones((2, 4), np.float32)], [np.arange(2)], 4, "float32")
    real = mmap.mmap

    def refuse(descriptor, length, access):
        if access == mmap.ACCESS_COPY:
            raise OSError(12, "Cannot allocate memory")
        return real(descriptor, length, access=access)

    monkeypatch.setattr(packed.mmap, "mmap", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ours.tensors[0].sum() == 8
        assert ours.keys.tolist() == [0, 1]


@pytest.mark.parametrize("change", ["header", "short", "empty", "missing", "other"])
def test_damage_is_named_before_anything_is_read(tmp_path, change):
    ours = write(tmp_path, [np.ones((2, 4), np.float32)], [np.arange(2)], 4, "float32")
    path = tmp_path / "v.safetensors"
    data = bytearray(path.read_bytes())
    if change == "header":
        data[20] ^= 1
    if change == "other":
        ours = Packed(LocalFolder(tmp_path), "v.safetensors", None, 2, 2, "float32")
    path.write_bytes({"short": data[:-1], "empty": b""}.get(change, data))
    if change == "missing":
        path.unlink()
    with pytest.raises(CorruptError, match=r"v\.safetensors in .* is damaged or missing"):
        _ = ours.tensors[0]
