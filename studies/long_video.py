"""Peak memory of `reenact` and `prepare` on a short and on a long video of a built-in face; see docs/durability.md.

  python studies/long_video.py --workdir runs/quick --target ben --folder /tmp/long --frames 1000 10000

Each command runs in a process of its own. Prints a line for each command and length: the process's peak memory, its
time, and the frames a second.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_UNIT = 2**20 if sys.platform == "darwin" else 2**10  # of the system's figure, in 1 MiB
_WIDTH, _HEIGHT, _FACE, _SWAY = 160, 128, 112, 12  # pixels of a frame and of the face; frames until it turns back


def main() -> int:
    """Draws the videos, runs the commands on each, and prints what they needed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workdir", type=Path, metavar="RUN", help="a LandmarkGAN run; without, only prepare is run")
    parser.add_argument("--target", default="ben", metavar="NAME", help="a person of the run (default: %(default)s)")
    parser.add_argument("--folder", type=Path, required=True, help="to work in; it must not exist")
    parser.add_argument("--frames", type=int, nargs="+", default=[1000, 10000], metavar="N", help="lengths of videos")
    given = parser.parse_args()
    given.folder.mkdir(parents=True)
    for count in given.frames:
        place = given.folder.resolve() / str(count)
        video = swaying(place / "in" / "ada.mp4", count)
        commands = {"prepare": ["lgan_jax.data.prepare", video.parent, place / "prepared", "--size", 64]}
        if given.workdir:
            source = ["--workdir", given.workdir.resolve(), "--target", given.target, "--driving", video]
            commands["reenact"] = ["lgan_jax.apps.reenact", *source, "--out", place / "out.mp4"]
        for name, command in commands.items():
            memory, seconds = measured(["-m", *command])
            print(f"{name} {count} frames {memory:.0f} MiB {seconds:.0f} s {count / seconds:.1f} frames/s", flush=True)
    return 0


def swaying(path: Path, count: int) -> Path:
    """A video of a face that sways, of `count` frames."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    from small_videos import face, scene, write_video

    image = face(0, _FACE)[0]
    there = [scene((image, 12 + 2 * i, 8), width=_WIDTH, height=_HEIGHT) for i in range(_SWAY)]
    period = [*there, *there[-2:0:-1]]
    return write_video(path, [period[i % len(period)] for i in range(count)])


def measured(arguments: Iterable[object]) -> tuple[float, float]:
    """Peak memory in MiB and seconds of a Python process; it and its children print nothing. Its failure raises."""
    began = time.monotonic()
    command = [sys.executable, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed: run it alone to see why")
    return usage.ru_maxrss / _UNIT, time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
