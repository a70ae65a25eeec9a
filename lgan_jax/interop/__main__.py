"""`python -m lgan_jax.interop landmarkgan FILES… --out RUN`; `--help` says the rest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lgan_jax import cli

_PROGRAM = "interop"
_DESCRIPTION = """\
Makes a run's folder of the weights that LandmarkGAN's authors released, ready for evaluate.py, lgan_jax.load and the
apps.

FILES are the released .pt files (also as .safetensors or .npz, by the same names of parameters):
  lm_encoder_*.pt, lm_decoder_*.pt      the landmark converter, of all identities
  gen_0_*.pt, gen_1_*.pt …              one generator for each identity
  dis_0_*.pt … and the detector's file  where you have them
Leave out the optimizers' files. They are read for their tensors alone; no code in them runs."""
_NO_DETECTOR = """\
NOTE: no file held the detector. The run makes faces, but finds no landmarks in images, and evaluate.py refuses it.
      Give the detector's file too, or --detector RUN, a run of yours for the same landmarks and size."""
_NO_DATA = """\
NOTE: no --data was given. evaluate.py would use the BUILT-IN FACES, drawn by this library, and the landmarks that the
      apps know these people by are those of the built-in faces, converted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Converts, says what was made, and returns the exit status."""
    parser = cli.Parser("lgan_jax.interop", _DESCRIPTION)
    parser.add_argument("method", choices=["landmarkgan"], help="whose weights they are")
    parser.add_argument("files", metavar="FILES", nargs="+", type=Path, help="the released files")
    parser.add_argument("--out", metavar="RUN", type=Path, required=True, help="folder to write; it must not exist yet")
    parser.add_argument("--identities", metavar="A,B,…", help="the people's names, in the order of the files' numbers")
    parser.add_argument("--data", metavar="DIR", default="", help="these people's faces, in CelebV's layout")
    parser.add_argument("--detector", metavar="RUN", type=Path, help="run to take the detector from, if no file has it")
    given = parser.parse_args(arguments)
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
    sys.exit(cli.run(main, _PROGRAM))
