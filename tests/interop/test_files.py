"""Files of weights: every format gives the same arrays, and none of them can run anything."""

import io
import pathlib
import pickle
import sys
import zipfile

import numpy as np
import pytest
from pickle_bytes import Bomb

from lgan_jax.interop import files

ARRAYS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.array([1.5, -2.0], np.float32)}


def torch_or_skip():
    return pytest.importorskip("torch", reason="PyTorch is not installed; pip install 'lgan_jax[torch]'")


def written(folder, suffix, arrays=ARRAYS):
    path = folder / f"weights{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays)
    elif suffix == ".safetensors":
        pytest.importorskip("safetensors.numpy", reason="safetensors is not installed").save_file(arrays, path)
    else:
        torch = torch_or_skip()
        tensors = {name: torch.tensor(values) for name, values in arrays.items()}
        torch.save(tensors, path, _use_new_zipfile_serialization=suffix != ".pth.tar")
    return path


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pt", ".pth", ".pth.tar"])
def test_every_format_gives_the_arrays(tmp_path, suffix):
    found = files.read(written(tmp_path, suffix))
    assert found.keys() == ARRAYS.keys()
    for name, values in ARRAYS.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_bfloat16_is_read(tmp_path, suffix):
    torch = torch_or_skip()
    path, tensors = tmp_path / f"half{suffix}", {"a": torch.tensor([1.5, -3.0], dtype=torch.bfloat16)}
    if suffix == ".pt":
        torch.save(tensors, path)
    else:
        pytest.importorskip("safetensors.torch", reason="safetensors is not installed").save_file(tensors, path)
    np.testing.assert_array_equal(files.read(path)["a"].astype(np.float32), [1.5, -3.0])


def archive(path, members):
    with zipfile.ZipFile(path, "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
    return path


def malicious(folder, kind, bomb):
    pickled = pickle.dumps({"a.weight": bomb}, protocol=2)
    path = folder / "weights.pt"
    if kind == "npz":
        buffer = io.BytesIO()
        np.save(buffer, np.array([bomb], dtype=object), allow_pickle=True)
        return archive(path, {"a.npy": buffer.getvalue()})
    if kind == "pickle":
        path.write_bytes(pickled)
        return path
    members = {"w/data.pkl": pickled, "w/version": "3"}
    return archive(path, members | ({"w/constants.pkl": pickled} if kind == "torchscript" else {}))


@pytest.mark.parametrize("kind", ["npz", "pickle", "torch", "torchscript"])
def test_a_malicious_file_is_refused_and_runs_nothing(tmp_path, kind):
    trace = tmp_path / "it ran"
    path = malicious(tmp_path, kind, Bomb(trace))
    with pytest.raises(ValueError, match=r"weights\.pt") as caught:
        files.read(path)
    assert "\n" not in str(caught.value)
    assert not trace.exists()


def test_the_malicious_file_would_run_in_a_plain_unpickler(tmp_path):
    """Or the test above would prove nothing."""
    pickle.loads(pickle.dumps({"a": Bomb(tmp_path / "it ran")}))
    assert (tmp_path / "it ran").exists()


def test_tensors_of_a_torchscript_archive(tmp_path):
    torch = torch_or_skip()
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).eval()
    path = tmp_path / "network.zip"
    torch.jit.trace(network, torch.zeros(1, 3, 8, 8)).save(path)
    found, expected = files.read(path), network.state_dict()
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values.numpy())


def test_a_torchscript_tensor_cannot_reach_outside_its_storage(tmp_path):
    torch = torch_or_skip()
    path = tmp_path / "network.zip"
    torch.jit.trace(torch.nn.Linear(3, 2), torch.zeros(1, 3)).save(path)
    with zipfile.ZipFile(path) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    short = {name: content[:8] if name.endswith("/data/0") else content for name, content in members.items()}
    with pytest.raises(
        ValueError, match=r"short\.zip cannot be read: an array of the shape \(6,\) does not have 8 bytes"
    ):
        files.read(archive(tmp_path / "short.zip", short))


@pytest.mark.parametrize(
    "content", [b"", b"<html>not found</html>", b"PK\x03\x04 cut off", b"\x10\0\0\0\0\0\0\0{ no json"]
)
def test_what_is_no_file_of_weights_is_said(tmp_path, content):
    if content[8:9] == b"{":
        pytest.importorskip("safetensors", reason="safetensors is not installed")
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"weights\.pth (is no file of weights|is damaged|cannot be read)"):
        files.read(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        files.read(tmp_path / "none.pt")


def test_a_missing_package_is_one_line(tmp_path, monkeypatch):
    path: pathlib.Path = tmp_path / "weights"
    path.write_bytes(b"\2\0\0\0\0\0\0\0{}")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'lgan_jax\[safetensors\]'"):
        files.read(path)


@pytest.mark.parametrize("older", [False, True])
def test_what_pytorch_saves_comes_as_it_loads_it(tmp_path, older):
    torch = torch_or_skip()
    values = torch.arange(24.0).reshape(4, 6)
    content = {
        **{"turned": values.t(), "part": values[1:3, ::2], "number": torch.tensor(2.5), "none": torch.zeros(0, 3)},
        **{"half": values.half(), "long": values.long(), "bool": values > 3, "tied": values, "same": values},
    }
    nested = {"model": content, "epoch": 3, "weights of": torch.nn.Parameter(values), "lr": [0.1]}
    torch.save(nested, tmp_path / "a.pt", _use_new_zipfile_serialization=not older)
    found = files.read(tmp_path / "a.pt")
    for name, expected in (content | {"weights of": values}).items():
        values = found[name] if name in found else found["model"][name]
        np.testing.assert_array_equal(values, expected.numpy())
        assert values.dtype == expected.numpy().dtype
    assert (found["epoch"], found["lr"]) == (3, None)
