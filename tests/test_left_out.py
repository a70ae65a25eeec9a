"""Published weights that a run is trained with; apps/test_express_labelled_run.py has a run that is without them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_configs import small_config

from lgan_jax import experiment
from lgan_jax.core import FaceInfo, blank_batch
from lgan_jax.landmarks import IBUG68
from lgan_jax.nn import vgg


def weights(folder):
    """A narrow VGG19 in torchvision's names."""
    module = vgg.VGG(vgg.VGG19, 2)
    params = jax.eval_shape(module.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32))["params"]
    numbers, arrays = {name: i for i, name in enumerate(module.layers())}, {}
    for name, layer in params.items():
        arrays[f"features.{numbers[name]}.weight"] = np.ones(layer["kernel"].shape[::-1], np.float32)
        arrays[f"features.{numbers[name]}.bias"] = np.ones(layer["bias"].shape, np.float32)
    np.savez(folder / "vgg19.npz", **arrays)
    return str(folder / "vgg19.npz")


def test_published_weights_reach_the_phase(tmp_path):
    read = experiment.Experiment.read(small_config("ck_plus:quick", **{"synthesizer.vgg19": weights(tmp_path)}))
    assert read.left_out == ()
    published = read.pretrained()
    assert set(published["synthesizer"]) == {"vgg19"}
    method = read.build("synthesizer", FaceInfo(IBUG68, 32, ("Ada",)), {}, published["synthesizer"])
    image = jnp.zeros((1, 32, 32, 3))
    state = jax.eval_shape(method.init, jax.random.key(0), blank_batch(method, method.faces))
    features = jax.eval_shape(method.vgg.apply, {"params": state.frozen["vgg19"]}, image)
    assert features.shape == (1, 32, 32, 2)


def test_a_missing_file_is_said_before_a_run_is_begun(tmp_path):
    config = small_config("ck_plus:quick", **{"synthesizer.vgg19": "nowhere.pth", "data.cache": str(tmp_path / "c")})
    with pytest.raises(FileNotFoundError, match=r"config\.synthesizer\.vgg19 is nowhere\.pth, and there is no such"):
        experiment.train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
