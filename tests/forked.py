"""Processes that can fail or be killed, forked from a server that has imported the library, which takes seconds."""

import gc
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

context = multiprocessing.get_context("forkserver")
# A wrong name is passed over silently. The last is imported, and PyTorch with it, when a run opens its logs.
context.set_forkserver_preload(["lgan_jax.experiment", "lgan_jax.data.prepare", "tensorboardX"])
LIMIT = 120  # seconds that a process may take


def ended(process, limit: float = LIMIT) -> int:
    """The exit code of a process that ends; one that was killed has the signal's number, negative."""
    process.join(limit)
    assert process.exitcode is not None, "the process hangs"
    return process.exitcode


def write_to(file, *streams: int) -> None:
    """Makes a file, to be written anew, the standard output (1) or error (2) of this process, or both."""
    number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in streams:
        os.dup2(number, stream)


def collect_seldom() -> None:
    """For a new process: what its server has imported stays, and garbage is seldom looked for, as in `conftest`."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def run(*arguments, folder: Path | str = ".", limit: float = LIMIT) -> subprocess.CompletedProcess:
    """Runs Python with these arguments, a script, `-c` and code or `-m` and a module first; captures what it prints."""
    with tempfile.TemporaryDirectory() as written:
        files = [Path(written, name) for name in ("stdout", "stderr")]
        process = context.Process(target=_run, args=(list(map(str, arguments)), folder, files, dict(os.environ)))
        process.start()
        code = ended(process, limit)
        return subprocess.CompletedProcess(arguments, code, *(file.read_text() for file in files))


def _run(arguments, folder, files, environment):
    collect_seldom()
    for stream, file in enumerate(files, 1):
        write_to(file, stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
    elif arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")
