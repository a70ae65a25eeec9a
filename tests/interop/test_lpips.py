"""LPIPS by its published names gives the twin's distances."""

import re

import jax
import numpy as np
import pytest

from lgan_jax import interop
from lgan_jax.apps.project import networks
from lgan_jax.nn import lpips, vgg

torch = pytest.importorskip("torch", reason="PyTorch is not installed; pip install 'lgan_jax[torch]'")
import twins  # noqa: E402  after the skip

ENDS = (4, 9, 16, 23, 30)  # layers of VGG16 that come before what is compared


@pytest.fixture(scope="module")
def weights():
    """VGG by torchvision's names, and the linear weights."""
    network = twins.arrays(twins.drawn(twins.VGG(vgg.VGG16, 3)))
    rng = np.random.default_rng(0)
    widths = (3, 6, 12, 24, 24)
    linear = {
        f"lin{i}.model.1.weight": rng.uniform(0, 1, (1, n, 1, 1)).astype(np.float32) for i, n in enumerate(widths)
    }
    return network | linear


def expected_distance(weights, one, other):
    """As published: normalized, squared difference, weighted, averaged over places, summed over layers."""
    network = twins.VGG(vgg.VGG16, 3)
    network.load_state_dict({name: torch.tensor(x) for name, x in weights.items() if not name.startswith("lin")})
    total = 0
    for i, end in enumerate(ENDS):
        maps = [network(torch.tensor((x.transpose(0, 3, 1, 2) + 1) / 2), end) for x in (one, other)]
        a, b = (x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10) for x in maps)
        total = total + ((a - b).square() * torch.tensor(weights[f"lin{i}.model.1.weight"])).sum(1).mean((1, 2))
    return total.detach().numpy()


def test_distances(weights):
    one, other = np.random.default_rng(1).uniform(-1, 1, (2, 3, 32, 48, 3)).astype(np.float32)
    network = interop.network("lpips-vgg16", weights)
    see = jax.jit(network.module.apply)
    made = lpips.distance(see(network.variables, one), see(network.variables, other))
    expected = expected_distance(weights, one, other)
    assert expected.min() > 0.01
    np.testing.assert_allclose(made, expected, rtol=1e-3)
    np.testing.assert_allclose(lpips.distance(see(network.variables, one), see(network.variables, one)), 0, atol=1e-9)


def test_the_names_of_the_package(weights):
    slices = {0: 1, 2: 1, 5: 2, 7: 2, 10: 3, 12: 3, 14: 3, 17: 4, 19: 4, 21: 4, 24: 5, 26: 5, 28: 5}
    renamed = {"scaling_layer.shift": np.zeros((1, 3, 1, 1), np.float32)}
    for name, values in weights.items():
        head, number, *rest = name.split(".")
        if head == "features":
            renamed[".".join([f"net.slice{slices[int(number)]}", number, *rest])] = values
        elif head.startswith("lin"):
            renamed |= {name: values, name.replace("lin", "lins.", 1): values}
    ours, plain = (interop.load("lpips-vgg16", given) for given in (renamed, weights))
    jax.tree.map(np.testing.assert_array_equal, ours, plain)


class Nvidias(torch.nn.Module):
    """VGG16 and the linear weights in one module: of images in [0, 255], what is compared, one row an image."""

    def __init__(self, weights):
        super().__init__()
        named = {name: torch.tensor(x) for name, x in weights.items()}
        convolutions = [name.removesuffix(".weight") for name in named if name.endswith("weight") and name[0] == "f"]
        self.layers = torch.nn.Module()
        for i, name in enumerate(convolutions, 1):
            kernel = named[f"{name}.weight"]
            convolution = torch.nn.Conv2d(kernel.shape[1], len(kernel), 3, padding=1)
            convolution.load_state_dict({"weight": kernel, "bias": named[f"{name}.bias"]})
            setattr(self.layers, f"conv{i}", convolution)
        self.layers.fc1 = torch.nn.Linear(5, 2)
        for i in range(5):
            self.register_buffer(f"lpips{i}", named[f"lin{i}.model.1.weight"][0])

    def forward(self, image):
        mean, deviation = (torch.tensor(x).view(1, 3, 1, 1) for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        x, parts, number = (image / 255 - mean) / deviation, [], 1
        for block, count in enumerate(vgg.VGG16):
            x = torch.nn.functional.max_pool2d(x, 2) if block else x
            for _ in range(count):
                x, number = getattr(self.layers, f"conv{number}")(x).relu(), number + 1
            unit = x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)
            parts.append((unit * getattr(self, f"lpips{block}").sqrt()).flatten(1) / (x.shape[2] * x.shape[3]) ** 0.5)
        return torch.cat(parts, 1)


def test_nvidias_one_file(weights, tmp_path):
    """The squared differences of its output sum to the distance; no second file is asked for."""
    one, other = np.random.default_rng(2).uniform(-1, 1, (2, 1, 32, 32, 3)).astype(np.float32)
    twin = Nvidias(weights)
    outputs = [twin(torch.tensor((x.transpose(0, 3, 1, 2) + 1) * 127.5)) for x in (one, other)]
    torch.jit.trace(twin, torch.zeros(1, 3, 32, 32)).save(tmp_path / "vgg16.pt")
    module, variables = interop.network("lpips-vgg16", tmp_path / "vgg16.pt")
    made = lpips.distance(*(jax.jit(module.apply)(variables, x) for x in (one, other)))
    expected = (outputs[0] - outputs[1]).square().sum(1).detach().numpy()
    assert expected.min() > 0.01
    np.testing.assert_allclose(made, expected, rtol=1e-3)
    given = networks.look_weights(tmp_path / "vgg16.pt", None)
    jax.tree.map(np.testing.assert_array_equal, interop.load("lpips-vgg16", given), variables)
    with pytest.raises(ValueError, match=r"missing: features\.28\.bias"):
        interop.load("lpips-vgg16", {name: x for name, x in twins.arrays(twin).items() if name != "layers.conv13.bias"})


def test_what_is_wrong_with_the_weights_is_said(weights):
    alone = {name: values for name, values in weights.items() if not name.startswith("lin")}
    for given, message in (
        (alone, "missing: lin0.model.1.weight, lin1.model.1.weight"),
        ({**weights, "lin2.model.1.weight": -weights["lin2.model.1.weight"]}, "negative: lin2.model.1.weight"),
        ({**weights, "lin9.model.1.weight": np.zeros((1, 3, 1, 1))}, "not part of it: lin9.model.1.weight"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            interop.load("lpips-vgg16", given)
