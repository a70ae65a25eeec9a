"""One step on two and on eight devices is the step of one: losses, gradients, EMAs and statistics, by `pmap`."""

import json
import os
from pathlib import Path

import devices
import forked
import pytest

from lgan_jax.methods import METHODS

NAMES = [f"{method}.{phase}" for method, (_, phases) in devices.STEPS.items() for phase in phases]
COMPARED = [name for name in NAMES if name not in ("landmarkgan.detector", "began.inverse")]
LEFT_OUT = {
    "projection.detector",  # the detector's own
    "landmarkgan.joint",  # the steps of converter and generator
    *("dftnet.flow", "dftnet.pairs"),  # those of the editor and of registered pairs without a part
    *("dftnet.baseline", "dftnet.baseline_pairs", "dftnet.baseline_registered_pairs"),  # those with another network
}
# A warp's gradient jumps where a flow crosses a pixel; the splines before it turn rounding into differences of 1e-5.
APART = {"landmarkgan.generator:reference": 2e-2}


def test_every_method_is_compared():
    known = {name.partition(":")[0] for name in NAMES}
    assert {f"{name}.{phase}" for name, method in METHODS.items() for phase in method.phases} - known == LEFT_OUT


@pytest.mark.parametrize("method", devices.STEPS)
def test_devices_agree(method, monkeypatch):
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    monkeypatch.setenv("XLA_FLAGS", flags)
    result = forked.run(Path(devices.__file__), method, limit=5 * forked.LIMIT)
    assert result.returncode == 0, result.stderr
    found = {line["phase"]: line["apart"] for line in map(json.loads, result.stdout.splitlines())}
    assert list(found) == [name for name in COMPARED if name.startswith(f"{method}.")]
    for phase, parts in found.items():
        assert len(parts) > 2
        assert max(parts.values()) < APART.get(phase, 1e-3), (phase, parts)
