"""Data parallelism over devices and processes; the only module that handles them.

Every device holds a copy of the state; replicated or sharded arrays have a leading axis over this process's devices.
A batch is cut along its leading axis, device by device, process by process. The same code runs on one device or many.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from lgan_jax import cli, locks
from lgan_jax.core import DATA_AXIS
from lgan_jax.training import peers

_HEARTBEAT = 40  # seconds without a heartbeat after which JAX considers a process dead
_EVALUATED = 7 * 24 * 3600  # seconds that the other processes wait at the end for the first, which evaluates


def initialize(coordinator: str, count: int, index: int) -> None:
    """Joins this process to a run of `count` processes; call it before any other use of JAX.

    `coordinator` is `host:port` of process 0, `index` this process's number from 0. Raises `ValueError`, and `OSError`
    where the others cannot be reached.
    """
    if not 0 <= index < count:
        raise ValueError(f"process {index} of {count}: the index must be from 0 to {count - 1}")
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(f"{coordinator} is not a host:port of process 0, such as 10.0.0.1:1234")
    try:
        jax.distributed.initialize(
            coordinator,
            count,
            index,
            heartbeat_timeout_seconds=_HEARTBEAT,
            shutdown_timeout_seconds=_EVALUATED,
        )
    except jax.errors.JaxRuntimeError as error:
        raise ConnectionError(f"the {count} processes of {coordinator} could not connect: {error}") from None


@contextlib.contextmanager
def joined(coordinator: str, count: int, index: int) -> Iterator[None]:
    """A context manager for a run of several processes, see `initialize`: if one dies or fails, all end."""
    initialize(coordinator, count, index)
    others = _connected(coordinator.rpartition(":")[0].strip("[]"), count, index)
    try:
        yield
    except BaseException as error:
        if isinstance(error, jax.errors.JaxRuntimeError):  # e.g. another process died, which is reported first
            time.sleep(3 * peers.GRACE)
        others.leave(well=False)
        atexit.register(_end_at_once)
        raise
    others.leave(well=True)


def _connected(host: str, count: int, index: int) -> peers.Peers:
    """The connections of this process to the others; `host` is that of process 0. Raises `ConnectionError`."""
    others = peers.Peers()
    port, token = others.listen() if index == 0 else (0, bytes(peers.TOKEN))
    known = multihost_utils.broadcast_one_to_all(np.frombuffer(port.to_bytes(4) + token, np.uint8)).tobytes()
    try:
        if index == 0:
            others.accept(count)
        else:
            others.connect(host, int.from_bytes(known[:4]), known[4:], index)
    except OSError as error:
        raise ConnectionError(f"process {index} of {count} could not connect to {host}: {error}") from None
    return others


def _end_at_once() -> None:
    """Ends a failed process before JAX waits for the others at exit."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(cli.USER_ERROR)


def is_first() -> bool:
    """Whether this is the process that logs, evaluates and writes the run's record."""
    return jax.process_index() == 0


@contextlib.contextmanager
def alone(workdir: str | os.PathLike) -> Iterator[None]:
    """A context manager that locks a run's folder; the first process holds the lock for all.

    Raises `BlockingIOError` where another process uses it.
    """
    with contextlib.ExitStack() as stack:
        if is_first():
            stack.enter_context(locks.held(workdir, f"--workdir {workdir}", inside=True))
        yield


def barrier(name: str) -> None:
    """Waits until every process has reached this point."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def spread(step: Callable) -> Callable:
    """Compiles `step(state, batch, seed) -> (state, metrics)` over all devices, under `DATA_AXIS`.

    All three arguments have the device axis. The state's buffers are donated.
    """
    return jax.pmap(step, axis_name=DATA_AXIS, donate_argnums=0)


def on_host(step: Callable) -> Callable:
    """`step(state, batch, seed) -> (state, metrics)` that is not compiled, with the calling convention of `spread`.

    It gets the state as host arrays and the whole batch, on every process; its state must be equal on all processes.
    """

    def called(state, batch, seed):
        whole = {name: np.concatenate(list(np.asarray(x))) for name, x in batch.items()}
        if jax.process_count() > 1:
            whole = multihost_utils.process_allgather(whole, tiled=True)
        return replicate(step(to_host(state), *jax.device_put((whole, to_host(seed)))))

    return called


def on_one_device(function: Callable) -> Callable:
    """Compiles `function(state, batch)` for the first device; call it with a replicated state and a host batch."""

    @jax.jit
    def compiled(copy, batch):
        return function(jax.tree.map(lambda x: x[0], copy), batch)

    return lambda state, batch: compiled(jax.tree.map(lambda x: x.addressable_data(0), state), dict(batch))


def replicate(tree: Any) -> Any:
    """A copy of every array of `tree` on every device of this process."""
    sharding = _sharding()
    count = jax.local_device_count()

    def spread_out(x):
        x = np.array(x)[None]
        return jax.make_array_from_callback((count, *x.shape[1:]), sharding, lambda _: x)

    return jax.tree.map(spread_out, tree)


def to_host(tree: Any) -> Any:
    """The first device's copy of a replicated tree as NumPy arrays that own their memory."""
    shards = jax.tree.map(lambda x: x.addressable_data(0), tree)
    jax.tree.map(lambda x: x.copy_to_host_async(), shards)
    return jax.tree.map(lambda x: np.array(np.asarray(x)[0]), shards)


def shard(batch: Mapping[str, np.ndarray]) -> dict[str, jax.Array]:
    """This process's share of a batch `(B, …)`, cut over its devices; the transfer is asynchronous.

    Raises `ValueError` if B cannot be divided by the number of devices.
    """
    count, sharding = jax.local_device_count(), _sharding()
    cut = {}
    for name, x in batch.items():
        if x.shape[0] % count:
            raise ValueError(
                f"a batch of {x.shape[0]} ({name!r}) cannot be divided over {count} devices; "
                f"set the phase's batch_size to a multiple of {count * jax.process_count()}"
            )
        cut[name] = jax.device_put(x.reshape(count, -1, *x.shape[1:]), sharding)
    return cut


def from_first(tree: Any) -> Any:
    """Broadcasts the first process's host arrays to every process, so that all decide alike."""
    return jax.device_get(multihost_utils.broadcast_one_to_all(tree)) if jax.process_count() > 1 else tree


def wait(tree: Any) -> None:
    """Waits until the devices have computed `tree`."""
    jax.block_until_ready(tree)


def _sharding() -> NamedSharding:
    return NamedSharding(Mesh(np.array(jax.local_devices()), (DATA_AXIS,)), PartitionSpec(DATA_AXIS))
