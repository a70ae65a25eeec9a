"""What a run says of the machine and of its networks at its start."""

import jax
import jax.numpy as jnp
import tiny_run

from lgan_jax.training import machine
from lgan_jax.training.train_state import TrainState, parameter_counts


def test_gpu_that_is_not_used_is_said(monkeypatch):
    monkeypatch.setattr(machine, "has_gpu", lambda: True)
    first, warning = machine.devices()
    assert first == f"training on {jax.device_count()} × cpu (cpu)"
    assert warning.startswith("WARNING: this machine has an NVIDIA GPU, but JAX uses the CPU")
    assert "pip install 'lgan_jax[gpu]'" in warning


def test_gpu_is_found_by_its_file_or_its_tool(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert not machine.has_gpu(tmp_path)
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    assert machine.has_gpu(tmp_path)
    tool.unlink()
    (tmp_path / "nvidia0").touch()
    assert machine.has_gpu(tmp_path)


def test_networks_are_counted_by_name():
    method = tiny_run.Tiny(width=4)
    state = jax.eval_shape(lambda: method.init(jax.random.key(0), tiny_run.held_out(0, 2)))
    assert parameter_counts(state) == [
        f"net: {(27 * 4 + 4) + (4 * 27 + 27)} parameters",
    ]
    params = {"generator": {"w": jnp.zeros((50, 40))}, "critic": {"w": jnp.zeros(3)}}
    frozen = {"detector": {"params": {"w": jnp.zeros(7)}}, "shape": jnp.zeros(2)}
    several = TrainState.create(params, {}, ema=("generator",), frozen=frozen)
    lines = ["detector: 7 parameters", "critic: 3 parameters", "generator: 2,000 parameters"]
    assert sorted(parameter_counts(several)) == sorted(lines)
