"""Tiny runs in processes of their own, which can be killed."""

import contextlib
import dataclasses
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

import forked
import jax
import numpy as np
import tiny_run

from lgan_jax.training import parallel
from lgan_jax.training.checkpoints import Checkpoints
from lgan_jax.training.interrupts import Stopped


def start(workdir, options=None, *, cache, devices=1, process=None, settings=None, **moment):
    """Starts a tiny run; its last argument names a moment, see `_MOMENTS`. `workdir.npz` will hold its states."""
    child = forked.context.Process(
        target=_main, args=(str(workdir), options or {}, str(cache), devices, process, settings or {}, moment)
    )
    child.start()
    return child


def run(workdir, *args, **kwargs):
    """The exit code of a tiny run, and what it printed."""
    child = start(workdir, *args, **kwargs)
    return forked.ended(child), Path(f"{workdir}.out").read_text()


def result(workdir):
    return dict(np.load(f"{workdir}.npz"))


def _main(workdir, options, cache, devices, process, settings, moment):
    out = f"{workdir}.out" if process is None else f"{workdir}.{process[1]}.out"
    forked.collect_seldom()
    forked.write_to(out, 1, 2)
    os.environ["LGAN_JAX_CACHE"] = cache
    os.environ["XLA_FLAGS"] += f" --xla_force_host_platform_device_count={devices}"  # beside conftest's
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    together = contextlib.nullcontext() if process is None else parallel.joined(process[0], 2, process[1])
    with together:
        status = _run(workdir, options, settings, moment)
    sys.exit(status)


def _run(workdir, options, settings, moment):
    """The exit status of the run, whose states are written."""
    for name, argument in moment.items():
        _MOMENTS[name](argument)
    settings = dataclasses.replace(tiny_run.SETTINGS, **settings)
    try:
        finished = tiny_run.run(Path(workdir), settings, {"config": "tiny"}, **options)
    except Stopped as stopped:
        print(stopped)
        return stopped.status
    except (OSError, ValueError, ArithmeticError) as error:
        print("ERROR", error)
        return 2
    np.savez(f"{workdir}.npz" if parallel.is_first() else f"{workdir}.other.npz", **tiny_run.leaves(finished))
    return 0


def _at_batch(number, action):
    """Does something when batch `number` of this process goes to the devices."""
    original, seen = parallel.shard, []

    def counting(batch):
        seen.append(None)
        if len(seen) == number:
            action()
        return original(batch)

    parallel.shard = counting


def _kill():
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_in_save(number):
    """Kills as soon as the temporary folder of this process's save `number` is there."""
    original, seen = Checkpoints.save, []

    def watched(self, step, *args):
        seen.append(None)
        if len(seen) == number:
            threading.Thread(target=watch, args=(self.folder, step), daemon=True).start()
        original(self, step, *args)

    def watch(folder, step):
        while not list(folder.glob(f"{step}.*tmp*")):
            time.sleep(1e-4)
        _kill()

    Checkpoints.save = watched


def _kill_after_save(number):
    """Kills when save `number` has been begun: it goes on in the background."""
    original, seen = Checkpoints.save, []

    def watched(self, *args):
        original(self, *args)
        seen.append(None)
        if len(seen) == number:
            _kill()

    Checkpoints.save = watched


def _wait_for_saves(workdir):
    while list(Path(workdir).glob("checkpoints/*/*tmp*")):
        time.sleep(0.01)


def _limit_file_size(workdir):
    """Lets no file grow beyond what the logs of a tiny run need; its checkpoints need more."""
    _wait_for_saves(workdir)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))


def _fill(workdir, path):
    """Fills the disk that `path` is on."""
    _wait_for_saves(workdir)
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


_MOMENTS = {
    "kill_at_batch": lambda number: _at_batch(number, _kill),
    "kill_in_save": _kill_in_save,
    "kill_after_save": _kill_after_save,
    "signal_at_batch": lambda argument: _at_batch(argument[0], lambda: os.kill(os.getpid(), argument[1])),
    "limit_files_at_batch": lambda argument: _at_batch(argument[0], lambda: _limit_file_size(argument[1])),
    "fill_disk_at_batch": lambda argument: _at_batch(argument[0], lambda: _fill(*argument[1:])),
}
