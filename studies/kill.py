"""Kills commands at random moments, starts each again, and checks that nothing is lost; see docs/durability.md.

  python studies/kill.py --kills 100 --folder /tmp/kills

Training, evaluation, building the cache of faces, `prepare` and `synthesize` are run once undisturbed. Each is then
run in a folder of its own, killed (SIGKILL, the whole process group) at a moment drawn uniformly from the undisturbed
run's time, started again, killed again, `--chain` times; the last start runs to its end. A run that ends before its
moment is counted apart, ends the chain, and where it was the chain's first, later moments are drawn from its time:
other load makes commands faster. What is left must be what the undisturbed run left: the same weights to the bit, the
same files. Exit status: 0, or 1 where something differs.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BUILT_IN = {"identities": 2, "train_per_identity": 60, "validation_per_identity": 4, "test_per_identity": 4}
_LANDMARKGAN = {
    "data.size": 32,
    "eval_images": 2,
    "evaluation.frames": 2,
    "detector.steps": 20,
    "detector.width": 8,
    "detector.depth": 1,
    "converter.steps": 20,
    "converter.width": 16,
    "generator.steps": 20,
    "generator.width": 0.02,
    "generator.discriminator_width": 4,
}
_BEGAN = {
    "data.size": 32,
    "data.built_in.test_identities": 0,
    "eval_images": 2,
    "evaluation.frames": 2,
    "autoencoder.steps": 4,
    "autoencoder.width": 4,
    "began.steps": 4,
    "began.width": 4,
    "inverse.search.steps": 4,
    "landmark_generator.steps": 8,
}
_FACES = """
import hashlib, sys
from lgan_jax import data
from lgan_jax.data import synthetic
built_in = synthetic.Settings(identities=2, train_per_identity=200, test_per_identity=20)
faces = data.open_faces(data.Settings(name="celebv", size=48, cache=sys.argv[1], built_in=built_in))
digest = hashlib.sha256(faces.fingerprint.encode())
for split in (faces.train, faces.validation, faces.test):
    for record in split:
        for name in sorted(record):
            digest.update(record[name].tobytes())
open(sys.argv[1] + ".digest", "w").write(digest.hexdigest())
"""
_WEIGHTS = """
import hashlib, pathlib, sys
import jax
import numpy as np
from lgan_jax.experiment import loading
from lgan_jax.experiment.settings import Experiment
from lgan_jax.training import workdir
folder = pathlib.Path(sys.argv[1])
stored = workdir.read_experiment(folder)
digest = hashlib.sha256()
for name, finished in loading.restored(Experiment.read(stored["config"]), folder, stored)[1].items():
    for leaf in jax.tree.leaves(finished.state):
        digest.update(np.asarray(leaf).tobytes())
print(digest.hexdigest())
"""


@dataclasses.dataclass(frozen=True)
class Scenario:
    """A command that writes a place, what must be there first, and a digest of what it leaves."""

    name: str
    command: Callable[[Path], Sequence[str]]
    digest: Callable[[Path], str]
    begin: Callable[[Path], None] = lambda place: None


def main() -> int:
    """Runs all scenarios, or those that are named; prints a table, and writes it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="of all scenarios together (default: 100)")
    parser.add_argument("--chain", type=int, default=4, help="kills of a place before it is let run to its end")
    parser.add_argument("--folder", type=Path, required=True, help="to work in; what is there is used again")
    parser.add_argument("--seed", type=int, default=0, help="other moments for every seed")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="scenarios (default: all)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    chosen = [each for each in scenarios(given.folder.resolve()) if given.only is None or each.name in given.only]
    rows = []
    for number, scenario in enumerate(chosen):
        kills = given.kills // len(chosen) + (number < given.kills % len(chosen))
        rows.append(study(scenario, given.folder.resolve(), kills, given.chain, random.Random(given.seed + number)))
        print("  ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
        if given.json:
            given.json.write_text(json.dumps(rows, indent=2) + "\n")
    return int(any(row["lost"] for row in rows))


def study(scenario: Scenario, folder: Path, kills: int, chain: int, moments: random.Random) -> dict[str, object]:
    """Kills a scenario's command so many times; how many chains ended in something else than the undisturbed run."""
    whole = folder / f"{scenario.name}-undisturbed"
    scenario.begin(whole)
    began = time.monotonic()
    run(scenario.command(whole))
    seconds = time.monotonic() - began
    expected = scenario.digest(whole)
    killed = ended = lost = chains = 0
    longest = seconds
    while killed < kills:
        place = folder / f"{scenario.name}-killed"
        shutil.rmtree(place, ignore_errors=True)
        scenario.begin(place)
        for start in range(min(chain, kills - killed)):
            took = kill(scenario.command(place), moments.uniform(0, longest))
            if took is not None:
                ended += 1
                longest = longest if start else took
                break
            killed += 1
        run(scenario.command(place))
        chains += 1
        if scenario.digest(place) != expected:
            lost += 1
            place.rename(folder / f"{scenario.name}-lost-{lost}")
    found = {"seconds": round(seconds, 1), "killed": killed, "ended before": ended, "chains": chains, "lost": lost}
    return {"scenario": scenario.name, **found}


def run(command: Sequence[str]) -> str:
    """Runs a command to its end and returns what it printed; its failure ends the study."""
    done = subprocess.run([*command], cwd=ROOT, capture_output=True, text=True, check=False, env=_environment())
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def kill(command: Sequence[str], seconds: float) -> float | None:
    """Kills a command after so many seconds; where it ended before, its time. Its failure ends the study."""
    began = time.monotonic()
    process = subprocess.Popen(
        [*command],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
        env=_environment(),
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with {process.returncode}, started again after a kill")
    return time.monotonic() - began


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def scenarios(folder: Path) -> list[Scenario]:
    """All of them; what one needs of another is trained when it is first run."""

    def module(name: str, *arguments: object) -> list[str]:
        return [sys.executable, "-m", name, *map(str, arguments)]

    return [
        Scenario(
            "cache",
            lambda place: [sys.executable, "-c", _FACES, str(place)],
            lambda place: Path(f"{place}.digest").read_text(),
        ),
        Scenario(
            "training",
            lambda place: _training(folder, "celebv:quick,paper_generator", place, _LANDMARKGAN),
            lambda place: run([sys.executable, "-c", _WEIGHTS, str(place)]) + _log(place),
        ),
        Scenario(
            "evaluation",
            lambda place: [sys.executable, "evaluate.py", "--workdir", str(place)],
            lambda place: _tree(place / "report", {"metrics.json", "index.html"}),
            lambda place: _trained(folder / "training-undisturbed", place),
        ),
        Scenario(
            "prepare",
            lambda place: module("lgan_jax.data.prepare", _videos(folder), place, "--size", 96),
            _tree,
        ),
        Scenario(
            "synthesize",
            lambda place: module(
                "lgan_jax.apps.synthesize", "--workdir", _began(folder), "--count", 2300, "--out", place
            ),
            _tree,
        ),
    ]


def _training(folder: Path, config: str, place: Path, settings: Mapping[str, object]) -> list[str]:
    """The command that trains a config, saving often, on faces whose cache lies in `folder`."""
    every = {f"loop.{name}_every": 4 for name in ("log", "eval", "images", "checkpoint")}
    built_in = {f"data.built_in.{name}": value for name, value in _BUILT_IN.items()}
    settings = {"data.cache": folder / "faces", **built_in, **every, **settings}
    flags = [f"--config.{name}={value}" for name, value in settings.items()]
    return [sys.executable, "train.py", "--config", config, "--workdir", str(place), *flags]


def _trained(source: Path, place: Path) -> None:
    """A copy of a run without its report."""
    shutil.copytree(source, place)
    shutil.rmtree(place / "report")


def _began(folder: Path) -> Path:
    """A run of BEGAN, trained once."""
    place = folder / "began"
    if not (place / "report" / "metrics.json").exists():
        run(_training(folder, "celeba:quick", place, _BEGAN))
    return place


def _log(run_folder: Path) -> str:
    """What a run has logged, but for its times."""
    lines = [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    return json.dumps([[line[name] for name in ("phase", "kind", "step", "values")] for line in lines])


def _tree(folder: Path, named: set[str] = frozenset()) -> str:
    """A digest of a folder's files, of those `named` the names alone; not of hidden ones or those of TFDS."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") or part == "tfds" for part in place.parts):
            digest.update(f"{place.as_posix()}\0".encode())
            digest.update(b"" if path.name in named else path.read_bytes())
    return digest.hexdigest()


def _videos(folder: Path) -> Path:
    """Videos of two built-in people, drawn once."""
    place = folder / "videos"
    if not place.exists():
        sys.path.insert(0, str(ROOT / "tests"))
        from small_videos import moving, write_video

        for person, name in enumerate(("ada", "ben")):
            write_video(folder / "videos-unfinished" / f"{name}.mp4", moving(person, 36))
        (folder / "videos-unfinished").rename(place)
    return place


if __name__ == "__main__":
    sys.exit(main())
