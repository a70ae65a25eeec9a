"""Spreading over devices and processes: the same losses, donated states, clear errors."""

import json
import signal
import socket

import child
import forked
import jax
import numpy as np
import pytest

from lgan_jax.core import DATA_AXIS
from lgan_jax.training import parallel


def assert_same_losses(workdir, other):
    ours, theirs = (
        [json.loads(line) for line in (w / "metrics.jsonl").read_text().splitlines()] for w in (workdir, other)
    )
    assert len(ours) == len(theirs) == 16
    for mine, its in zip(ours, theirs, strict=True):
        assert (mine["phase"], mine["kind"], mine["step"]) == (its["phase"], its["kind"], its["step"])
        assert mine["values"] == pytest.approx(its["values"], rel=0, abs=1e-5)


def test_eight_devices_give_the_losses_of_one(tmp_path, cache, undisturbed):
    code, output = child.run(tmp_path / "run", cache=cache, devices=8)
    assert code == 0, output
    assert "training on 8 × cpu" in output
    assert_same_losses(tmp_path / "run", undisturbed)
    assert len(list((tmp_path / "run").glob("checkpoints/*/6/data/process_*"))) == 2  # one for each phase


def free_port():
    with socket.socket() as server:
        server.bind(("localhost", 0))
        return server.getsockname()[1]


def run_two(workdir, cache, **moment):
    """Two processes that share a run; a moment is the second one's."""
    coordinator = f"localhost:{free_port()}"
    first = child.start(workdir, cache=cache, process=(coordinator, 0))
    second = child.start(workdir, cache=cache, process=(coordinator, 1), **moment)
    codes = forked.ended(first), forked.ended(second)
    return codes, [workdir.with_name(f"{workdir.name}.{index}.out").read_text() for index in range(2)]


def test_two_processes_stop_together_continue_and_give_the_losses_of_one(tmp_path, cache, undisturbed):
    workdir = tmp_path / "run"
    codes, outputs = run_two(workdir, cache, signal_at_batch=(2, signal.SIGTERM))
    assert codes == (143, 143), outputs
    saved = [line for line in outputs[0].splitlines() if "saved at step" in line]
    assert saved
    assert saved == [line for line in outputs[1].splitlines() if "saved at step" in line]
    codes, outputs = run_two(workdir, cache)
    assert codes == (0, 0), outputs
    assert "training on 2 × cpu (cpu) in 2 processes" in outputs[0]
    assert "evaluation:" not in outputs[1]  # only the first one logs
    assert_same_losses(workdir, undisturbed)
    ours, its = child.result(workdir), dict(np.load(f"{workdir}.other.npz"))
    for name, value in ours.items():
        np.testing.assert_array_equal(value, its[name])


def test_a_process_that_dies_ends_the_other_with_one_line(tmp_path, cache):
    codes, outputs = run_two(tmp_path / "run", cache, kill_at_batch=3)
    assert codes == (1, -signal.SIGKILL)
    assert "stopped: process 1 of this run has ended; start all of them again to continue" in outputs[0]
    assert "Traceback" not in outputs[0]


def test_spread_step_donates_its_state():
    step = parallel.spread(lambda state, batch, seed: (state + jax.lax.pmean(batch["x"].sum(), DATA_AXIS), seed))
    state = parallel.replicate(np.arange(5.0, dtype=np.float32))
    seed = parallel.replicate(np.int32(4))
    batch = parallel.shard({"x": np.ones((6, 2), np.float32)})
    new, seen = step(state, batch, seed)
    assert state.is_deleted()
    assert not seed.is_deleted()
    np.testing.assert_array_equal(parallel.to_host(new), np.arange(5.0) + 12)
    assert parallel.to_host(seen) == 4


def test_host_copy_outlives_the_donated_state():
    step = parallel.spread(lambda state, batch, seed: (state * 2, seed))
    source = np.arange(7.0, dtype=np.float32)
    state = parallel.replicate(source)
    copy = parallel.to_host(state)
    for _ in range(3):
        state, _ = step(state, {"x": parallel.replicate(np.zeros(2, np.float32))}, parallel.replicate(np.int32(0)))
    np.testing.assert_array_equal(parallel.to_host(state), 8 * source)
    np.testing.assert_array_equal(copy, np.arange(7.0))
    np.testing.assert_array_equal(source, np.arange(7.0))


def test_one_device_functions_read_the_spread_state():
    function = parallel.on_one_device(lambda state, batch: state["w"] * batch["x"])
    state = parallel.replicate({"w": np.float32(3)})
    np.testing.assert_array_equal(function(state, {"x": np.arange(4.0)}), 3 * np.arange(4.0))


def test_batch_that_cannot_be_divided_names_the_field(monkeypatch):
    monkeypatch.setattr(jax, "local_device_count", lambda: 4)
    with pytest.raises(ValueError, match=r"batch of 6 .* over 4 devices; .*batch_size to a multiple of 4"):
        parallel.shard({"image": np.zeros((6, 2, 3))})


@pytest.mark.parametrize("address", ["localhost", ":1", "localhost:", "localhost:port"])
def test_address_of_the_first_process_is_checked(address):
    with pytest.raises(ValueError, match=f"{address} is not a host:port of process 0"):
        parallel.initialize(address, 2, 1)


def test_process_index_is_checked():
    with pytest.raises(ValueError, match="process 2 of 2: the index must be from 0 to 1"):
        parallel.initialize("localhost:1", 2, 2)
