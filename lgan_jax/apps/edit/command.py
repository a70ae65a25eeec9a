"""The command `edit`: its flags."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from lgan_jax import cli
from lgan_jax.apps.edit.listener import need_server, open_listener
from lgan_jax.cli import option

_DESCRIPTION = """\
Opens a page in the browser. With a LandmarkGAN run, landmarks are moved there and the run generates the faces from
them. With a DFT-Net run, the expression of the face in a photo is edited by its action units. With one of each, the
page has both, as two tabs.

The page is served on this machine alone. From another machine it is opened, encrypted,
  through ssh:     ssh -L 8420:127.0.0.1:8420 MACHINE, then open http://127.0.0.1:8420/
  through a proxy: one on this machine that forwards WebSockets, with --allow-host and the name that it serves;
                   open the address with the token that is printed
With --host ADDRESS (such as 0.0.0.0) other machines open it directly: anyone who knows the whole printed address, with
its token. That is not encrypted; use it in a network that you trust. Ctrl-C ends it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What is asked for. Raises `ValueError`, one line, for flags that do not go together."""

    workdir: Sequence[Path] = option(
        "folder of a trained LandmarkGAN or DFT-Net run; may be given again, for the other",
        metavar="RUN",
        action="append",
        required=True,
    )
    reference: Path | None = option(
        "a person not seen in training, shown by a clip or a folder of photos, as in lgan_jax.apps.reenact",
        metavar="IN",
    )
    name: str | None = option(
        "with --reference: the person's name (default: that of the file or folder)", metavar="NAME"
    )
    host: str = option("address to serve on", default="127.0.0.1")
    allow_host: Sequence[str] = option(
        "name under which a proxy serves the page, such as faces.example.org; may be given again",
        metavar="NAME",
        action="append",
        default=(),
    )
    port: int = option("0 takes any that is free", default=8420)
    browser: bool = option("print the address, open nothing", default=True)
    visible_mark: bool = option("no visible mark in exported videos", default=True)

    def __post_init__(self) -> None:
        if self.name is not None and self.reference is None:
            raise ValueError("--name is that of the person whom --reference shows: give both")
        if not 0 <= self.port < 2**16:
            raise ValueError(f"--port is {self.port}; it must be 0 to 65535")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves the page until it is interrupted, and returns the exit status."""
    options = cli.read(Options, __package__, _DESCRIPTION, arguments)
    need_server()
    with open_listener(options.host, options.port) as listener:
        from lgan_jax.apps.edit import launch  # only now: --help and mistakes need not wait for JAX

        return launch.serve(listener, options)
