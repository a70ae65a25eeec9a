"""`python -m lgan_jax.interop landmarkgan FILES… --out RUN`; `--help` says the rest."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lgan_jax import cli
from lgan_jax.cli import option

_DESCRIPTION = """\
Converts the weights that LandmarkGAN's authors released to a run, ready for evaluate.py, lgan_jax.load and the apps.

FILES are the released .pt files (also as .safetensors or .npz, by the same names of parameters):
  lm_encoder_*.pt, lm_decoder_*.pt      the landmark converter, of all identities
  gen_0_*.pt, gen_1_*.pt …              one generator for each identity
  dis_0_*.pt … and the detector's file  where you have them
Leave out the optimizers' files. Only tensors are read from the files; no code is executed."""
_NO_DETECTOR = """\
NOTE: no file held the detector. The run generates faces, but detects no landmarks in images; evaluate.py refuses it.
      Give the detector's file too, or --detector RUN, a run of yours for the same landmarks and size."""
_NO_DATA = """\
NOTE: no --data was given. evaluate.py would use the BUILT-IN FACES, drawn by this library, and the landmarks that the
      apps know these people by are those of the built-in faces, converted."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The command's arguments."""

    method: Literal["landmarkgan"] = option("the method of the weights", flag="method", required=True)
    files: Sequence[Path] = option("the released files", flag="files", metavar="FILES", required=True)
    out: Path = option("folder to write; it must not exist yet", metavar="RUN", required=True)
    identities: str = option("the identities' names, in the order of the files' numbers", metavar="A,B,…", default="")
    data: str = option("these identities' faces, in CelebV's layout", metavar="DIR", default="")
    detector: Path | None = option("run to take the detector from, if no file has it", metavar="RUN")


def main(arguments: Sequence[str] | None = None) -> int:
    """Converts, prints the run's identities, size and scheme, and returns the exit status."""
    given = cli.read(Options, "lgan_jax.interop", _DESCRIPTION, arguments)
    from lgan_jax.interop import released, run  # after the arguments: --help need not wait for JAX

    release = released.read(given.files)
    people = [name.strip() for name in given.identities.split(",")] if given.identities else None
    info = run.write(release, given.out, people, given.data, given.detector)
    print(f"{given.out}: {', '.join(info.identities)}; {info.size}×{info.size} pixels, {info.scheme.name}")
    if release.detector is None and given.detector is None:
        print(_NO_DETECTOR)
    if not given.data:
        print(_NO_DATA)
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main, "interop"))
