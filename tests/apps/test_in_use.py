"""A file or folder that another process writes is refused in one line, before anything is loaded."""

import sys

import numpy as np
import pytest

pytest.importorskip("av", reason="needs the extra [faces]")

from lgan_jax import cli, locks
from lgan_jax.apps.express import command as express
from lgan_jax.apps.invert import command as invert
from lgan_jax.apps.project import command as project
from lgan_jax.apps.reenact import command as reenact
from lgan_jax.media.images import encode_png

COMMANDS = {
    "reenact": (reenact, "--driving {photo} --target ada --out {out}.png", ".png"),
    "express": (express, "--image {photo} --expression happiness --out {out}.png", ".png"),
    "invert": (invert, "--image {photo} --out {out}", ""),
    "project": (project, "--look {photo} --landmarks {photo} --out {out}", ""),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_place_in_use_is_refused_and_the_holder_is_named(name, tmp_path, monkeypatch, capsys):
    module, arguments, suffix = COMMANDS[name]
    photo, out = tmp_path / "photo.png", tmp_path / "out"
    photo.write_bytes(encode_png(np.zeros((40, 50, 3), np.uint8)))
    monkeypatch.setattr("lgan_jax.load", lambda folder: pytest.fail("the run is loaded first"))
    monkeypatch.setattr(sys, "argv", [name, "of the first"])
    given = f"--workdir {tmp_path / 'run'} {arguments.format(photo=photo, out=out)}".split()
    with locks.held(out.with_suffix(suffix), "out"):
        status = cli.run(lambda: module.main(given), name)
    said = capsys.readouterr().err
    assert (status, said.count("\n")) == (2, 1)
    assert said.startswith(f"{name}: --out {out}{suffix} is in use by process ")
    assert f"({name} 'of the first')" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png"]
