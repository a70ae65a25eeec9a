"""NVIDIA's pickles: both forms give the state dict, and none of them can run anything.

The files are written by classes with the module and class names of NVIDIA's, which the reader does not import.
"""

import pickle
import sys
import types

import numpy as np
import pytest
from pickle_bytes import Bomb

from lgan_jax import interop
from lgan_jax.interop import nvidia, torchfiles

torch = pytest.importorskip("torch", reason="PyTorch is not installed; pip install 'lgan_jax[torch]'")
import twin_stylegan2 as twin  # noqa: E402  after the skip
from twins import arrays  # noqa: E402

CHANNELS = (5, 4, 3)
SOURCE = "open('it ran', 'w').close()"


def _reconstruct_persistent_obj(meta):
    raise AssertionError("the reader must not call what a pickle names")


class EasyDict(dict):
    """dnnlib.util's."""


class Network:
    """dnnlib.tflib.network's."""


@pytest.fixture
def packages(monkeypatch):
    """The names under which NVIDIA's classes are pickled."""
    for name, members in {
        "torch_utils": {},
        "torch_utils.persistence": {"_reconstruct_persistent_obj": _reconstruct_persistent_obj},
        "dnnlib": {},
        "dnnlib.util": {"EasyDict": EasyDict},
        "dnnlib.tflib": {},
        "dnnlib.tflib.network": {"Network": Network},
    }.items():
        module = types.ModuleType(name)
        for member, value in members.items():
            monkeypatch.setattr(value, "__module__", name)
            setattr(module, member, value)
        monkeypatch.setitem(sys.modules, name, module)


class Persistent:
    """Is pickled as `torch_utils.persistence` pickles a module: a function, and a program beside the state."""

    def __init__(self, module, clamp, **more):
        self.module, self.clamp, self.more = module, clamp, more

    def __reduce__(self):
        state = dict(self.module.__dict__)
        state["_modules"] = {name: Persistent(inner, self.clamp) for name, inner in state["_modules"].items()}
        state["_buffers"] = {**state["_buffers"], **self.more}
        state |= {"conv_clamp": self.clamp, "weight_gain": np.float64(0.5), "_init_kwargs": EasyDict(a=1)}
        meta = {"type": "class", "version": 6, "module_src": SOURCE, "class_name": "Generator", "state": state}
        return _reconstruct_persistent_obj, (meta,)


def written(path, content, protocol=3):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.fixture(scope="module")
def networks():
    """A generator and a discriminator."""
    return (
        twin.drawn(twin.Generator(CHANNELS, layers=2, clamp=256.0)),
        twin.drawn(twin.Discriminator(CHANNELS, clamp=256.0)),
    )


@pytest.mark.parametrize("protocol", [3, 4])
def test_the_form_of_pytorch(packages, networks, tmp_path, protocol, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator, discriminator = networks
    content = {
        "G": None,
        "D": Persistent(discriminator, 256),
        "G_ema": Persistent(generator, 256),
        "training_set_kwargs": EasyDict(class_name="training.dataset.ImageFolderDataset", path="ffhq.zip"),
    }
    path = written(tmp_path / "ffhq.pkl", content, protocol)
    for kind, module in (("stylegan2", generator), ("stylegan2-discriminator", discriminator)):
        read, expected = interop.network(kind, path), interop.network(kind, arrays(module))
        assert read.module.clamp == 256
        assert expected.module.clamp is None
        for ours, theirs in zip(leaves(read), leaves(expected), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert not (tmp_path / "it ran").exists()


def leaves(network):
    import jax

    return jax.tree.leaves(network.variables)


def as_tensorflow(name, values):
    """The name and the layout in which TensorFlow's networks keep a parameter."""
    parts = name.split(".")
    if name.endswith("noise_const"):
        side, up = int(parts[1][1:]), parts[2] == "conv0"
        return f"synthesis/noise{2 * (side.bit_length() - 1) - (5 if up else 4)}", values[None, None]
    if name.endswith("const"):
        return "synthesis/4x4/Const/const", values[None]
    leaf = {"affine": "mod_"}.get(parts[-2], "") + parts[-1]
    values = values - 1 if leaf == "mod_bias" else values
    if parts[0] == "mapping":
        if parts[1] == "w_avg":
            return "dlatent_avg", values
        return f"mapping/Dense{parts[1][2:]}/{leaf}", values.T
    head = ["synthesis"] if parts[0] == "synthesis" else []
    block, layer = parts[1:3] if head else parts[:2]
    side = int(block[1:])
    if head:
        layer = {"conv0": "Conv0_up", "conv1": "Conv" if side == 4 else "Conv1", "torgb": "ToRGB"}[layer]
    elif (side, layer) == (4, "out"):
        return f"Output/{leaf}", values.T
    else:
        names = {"fromrgb": "FromRGB", "conv0": "Conv0", "conv1": "Conv1_down", "skip": "Skip", "conv": "Conv"}
        layer = names.get(layer, "Dense0")
    if values.ndim == 4:
        values = values.transpose(2, 3, 1, 0)
        values = values[::-1, ::-1] if layer.endswith("_up") else values
    else:
        values = values.T
    return "/".join([*head, f"{side}x{side}", layer, leaf]), values


def tensorflow(weights, version=4, **options):
    """One network: components as in StyleGAN2, everything else at the top."""

    def network(variables, components=(), options=()):
        made = Network()
        made.__dict__.update(
            {"version": version, "name": "G", "static_kwargs": dict(options), "components": dict(components)}
            | {"variables": variables, "build_module_src": SOURCE, "build_func_name": "G_main"}
        )
        return made

    renamed = dict(as_tensorflow(n, np.asarray(x, order="C")) for n, x in weights.items() if not n.endswith("_filter"))
    inner = {"mapping": [], "synthesis": [("lod", np.float32(0))]}
    outer = []
    for name, values in renamed.items():
        head, _, rest = name.partition("/")
        inner.get(head, outer).append((rest if head in inner else name, np.asarray(values)))
    return network(outer, {name: network(variables) for name, variables in inner.items()}, options)


def test_the_form_of_tensorflow(packages, networks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator, discriminator = map(arrays, networks)
    spoilt = {name: np.zeros_like(values) for name, values in generator.items()}
    content = tuple(tensorflow(weights, conv_clamp=9) for weights in (spoilt, discriminator, generator))
    path = written(tmp_path / "stylegan2-ffhq-config-f.pkl", content)
    for kind, weights in (("stylegan2", generator), ("stylegan2-discriminator", discriminator)):
        read = interop.network(kind, path)
        assert read.module.clamp == 9
        for ours, theirs in zip(leaves(read), leaves(interop.network(kind, weights)), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert not (tmp_path / "it ran").exists()


def refused(path, kind="stylegan2"):
    with pytest.raises(ValueError, match=path.name) as caught:
        interop.load(kind, path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def storage_with(bomb):
    """A tensor whose storage's bytes have something else where the storage should be."""

    class Loaded:
        def __reduce__(self):
            data = b"".join(pickle.dumps(part, 2) for part in (torchfiles.MAGIC, 1001, {}, bomb))
            return torch.storage._load_from_bytes, (data,)

    class Tensor:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (Loaded(), 0, (1,), (1,), False, {})

    return Tensor()


def objects_in_an_array(bomb):
    return np.array([bomb, 3], dtype=object)


@pytest.mark.parametrize(
    "wrapped", [lambda bomb: bomb, storage_with, objects_in_an_array], ids=["bare", "storage", "array"]
)
def test_a_pickle_with_code_is_refused_and_nothing_runs(packages, networks, tmp_path, wrapped):
    trace = tmp_path / "it ran"
    path = written(tmp_path / "evil.pkl", {"G_ema": Persistent(networks[0], None, more=wrapped(Bomb(trace)))})
    message = refused(path)
    assert "asks for" in message
    assert "nothing of it is run" in message
    assert not trace.exists()


def test_the_refused_pickle_would_run_in_a_plain_unpickler(tmp_path):
    pickle.loads(pickle.dumps({"more": Bomb(tmp_path / "it ran")}))
    assert (tmp_path / "it ran").exists()


def test_damaged_files_and_other_networks_are_said(packages, networks, tmp_path):
    generator = networks[0]
    whole = pickle.dumps({"G_ema": Persistent(generator, None)}, 3)
    for length in (3, 200, len(whole) // 2, len(whole) - 1):
        path = tmp_path / "cut.pkl"
        path.write_bytes(whole[:length])
        assert "is cut off or damaged" in refused(path)
    path = written(tmp_path / "whole.pkl", {"G_ema": Persistent(generator, None)})
    assert "holds no network D" in refused(path, "stylegan2-discriminator")
    assert "holds no network G_ema" in refused(written(tmp_path / "list.pkl", [1, 2]))
    assert "but not of NVIDIA's networks" in refused(written(tmp_path / "dict.pkl", {"G_ema": Network()}))


def test_other_stylegans_are_refused(packages, networks, tmp_path):
    weights = arrays(networks[0])
    first = tensorflow(weights, version=3)
    assert "StyleGAN1 or of another architecture" in refused(written(tmp_path / "karras2019.pkl", (first,) * 3))
    other = tensorflow(weights, resample_kernel=[1, 2, 1])
    assert "resamples through [1, 2, 1]" in refused(written(tmp_path / "other.pkl", other))
    third = torch.nn.Module()
    third.synthesis = torch.nn.Module()
    third.synthesis.input = torch.nn.Linear(2, 3)
    path = written(tmp_path / "stylegan3.pkl", {"G_ema": Persistent(third, None)})
    assert "it is a network of StyleGAN3" in refused(path)


def test_a_state_dict_is_read_from_any_file(networks, tmp_path):
    torch.save(networks[0].state_dict(), tmp_path / "zip.pt")
    torch.save(networks[0].state_dict(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for name in ("zip.pt", "old.pt"):
        assert not nvidia.is_pickle(tmp_path / name)
        read = interop.network("stylegan2", tmp_path / name)
        for ours, theirs in zip(leaves(read), leaves(interop.network("stylegan2", arrays(networks[0]))), strict=True):
            np.testing.assert_array_equal(ours, theirs)
