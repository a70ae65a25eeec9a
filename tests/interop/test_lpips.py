"""LPIPS by its published names gives the twin's distances."""

import re

import jax
import numpy as np
import pytest

from lgan_jax import interop
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
    """As published: normalised, squared difference, weighted, averaged over places, summed over layers."""
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


def test_what_is_wrong_with_the_weights_is_said(weights):
    alone = {name: values for name, values in weights.items() if not name.startswith("lin")}
    for given, message in (
        (alone, "missing: lin0.model.1.weight, lin1.model.1.weight"),
        ({**weights, "lin2.model.1.weight": -weights["lin2.model.1.weight"]}, "negative: lin2.model.1.weight"),
        ({**weights, "lin9.model.1.weight": np.zeros((1, 3, 1, 1))}, "not part of it: lin9.model.1.weight"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            interop.load("lpips-vgg16", given)
