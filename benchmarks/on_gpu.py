"""One look at a GPU, in ten minutes: what works there, how fast, and in how much memory.

  python -m benchmarks.on_gpu --out on_gpu --data OUT --plan gpu_plan     OUT: what lgan_jax.data.prepare wrote
  python -m benchmarks.on_gpu --out on_gpu --only smoke inference         some parts
  python -m benchmarks.on_gpu --out tried --tiny --minutes 5              a trial of the script on a CPU

Parts run in the order of their worth, each in a process of its own, until the time is over; a part that fails does not
stop the next. Each writes PART.json and PART.log to --out as it ends, and summary.json says what became of all. The
folder stays below 64 MiB: programs that XLA compiled are kept in it as far as they fit, for another call. Data and
runs are in the folder beside it, OUT-work. Without --data, built-in faces are used.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from lgan_jax import files, signals

SMOKE = (
    "celebv:gpu/generator",
    "emotionet:gpu/editor",
    "ck_plus:gpu/synthesizer",
    "celeba:gpu/began",
    "ffhq:gpu/stylegan2/plain",
    "celebv:gpu/detector",
    "photos/registered_pairs",
)
PARTS = {  # in the order of their worth, with the seconds of ten minutes that each may take at most
    **{f"smoke/{step}": 100 for step in SMOKE},
    "loop": 120,
    "torch/landmarkgan": 120,
    "torch/dftnet": 120,
    "inference": 60,
    "projection": 120,
    "trace": 60,
    "train": 600,
}
_LARGEST = 60 * 2**20  # bytes of the output folder
_LEAST = 10  # seconds for which a part is worth its start
_GRACE = 10  # seconds between SIGTERM and SIGKILL


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.on_gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("on_gpu"), help="folder of the results")
    parser.add_argument("--minutes", type=float, default=10.0, help="time for all parts")
    parser.add_argument("--only", nargs="+", default=[], metavar="PART", help=f"of {', '.join(PARTS)}; or their start")
    parser.add_argument("--data", type=pathlib.Path, help="folder that prepare wrote, for `loop` and `train`")
    parser.add_argument("--plan", type=pathlib.Path, help="folder of benchmarks.gpu_plan, to compare memory with")
    parser.add_argument("--tiny", action="store_true", help="networks and images of no use, to try the script")
    return parser.parse_args(given)


def chosen(only: Sequence[str]) -> list[str]:
    """The parts that `--only` names. Raises `ValueError` for a name that is no part's start."""
    for each in only:
        if not any(f"{part}/".startswith(f"{each}/") for part in PARTS):
            raise ValueError(f"there is no part {each!r}; the parts are {', '.join(PARTS)}")
    return [part for part in PARTS if not only or any(f"{part}/".startswith(f"{each}/") for each in only)]


def result_file(out: pathlib.Path, part: str, suffix: str = ".json") -> pathlib.Path:
    """Where a part's result is."""
    return out / f"{part.replace('/', '--').replace(':', '-')}{suffix}"


def run_part(part: str, options: argparse.Namespace, seconds: float) -> str:
    """Runs a part for so many seconds at most; returns what became of it."""
    command = [sys.executable, "-m", "benchmarks.on_gpu_parts", part, f"--out={options.out}", f"--seconds={seconds}"]
    command += [f"--{name}={value}" for name in ("data", "plan") if (value := getattr(options, name))]
    command += ["--tiny"] if options.tiny else []
    environment = os.environ | {
        "LGAN_JAX_CACHE": str(work_folder(options.out)),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # so that memory in use can be read
    }
    with result_file(options.out, part, ".log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            return "out of time"
        except BaseException:
            _end(process)
            raise
    return "ended" if status == 0 else f"failed with status {status}; see {log.name}"


def _end(process: subprocess.Popen) -> None:
    """Ends a part and the processes that it started."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def work_folder(out: pathlib.Path) -> pathlib.Path:
    """Where data, runs and compiled programs are while the parts run."""
    return out.with_name(f"{out.name}-work").resolve()


def keep_compiled(out: pathlib.Path) -> None:
    """Copies compiled programs to `out`, the small ones first, as far as they fit."""
    room = _LARGEST - sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    programs = [path for path in (work_folder(out) / "xla").glob("*") if path.is_file()]
    for path in sorted(programs, key=lambda path: path.stat().st_size):
        kept = out / "compiled" / path.name
        room -= 0 if kept.exists() else path.stat().st_size
        if room < 0:
            return
        files.make_folder(kept.parent)
        shutil.copyfile(path, kept)


def _restore_compiled(out: pathlib.Path) -> None:
    for path in (out / "compiled").glob("*"):
        there = work_folder(out) / "xla" / path.name
        if not there.exists():
            files.make_folder(there.parent)
            shutil.copyfile(path, there)


def main(given: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 where a part failed."""
    options = arguments(given)
    try:
        parts = chosen(options.only)
    except ValueError as error:
        print(f"on_gpu: {error}", file=sys.stderr)
        return 2
    end = time.monotonic() + 60 * options.minutes
    files.make_folder(options.out)
    _restore_compiled(options.out)
    file = options.out / "summary.json"  # of all calls
    summary: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    for part in parts:
        left, start = end - time.monotonic(), time.monotonic()
        result_file(options.out, part).unlink(missing_ok=True)
        became = (
            run_part(part, options, min(left, PARTS[part] * max(1.0, options.minutes / 10)))
            if left > _LEAST
            else "not begun: no time was left"
        )
        summary[part] = {"became": became, "seconds": round(time.monotonic() - start, 1)}
        files.write_text(file, json.dumps(summary, indent=2) + "\n")
        print(f"{part}: {became}{_figures(result_file(options.out, part))}", flush=True)
    keep_compiled(options.out)
    return int(any("failed" in summary[part]["became"] for part in parts))


def _figures(file: pathlib.Path) -> str:
    if not file.exists():
        return ""
    found = json.loads(file.read_text())
    return "; " + ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in found.items())


if __name__ == "__main__":
    with signals.ending():  # so that no part outlives this process
        sys.exit(main())
