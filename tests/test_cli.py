import contextlib
import os
import pathlib
import pty
import signal
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax import cli, inversion, landmarks


def run(main, capsys):
    status = cli.run(main, "program")
    return status, capsys.readouterr().err


def test_a_mistake_of_the_user_is_one_line_and_status_2(capsys):
    def main():
        landmarks.scheme("ibug")

    status, said = run(main, capsys)
    assert status == 2
    assert said.startswith("program: there is no landmark scheme 'ibug'")
    assert said.count("\n") == 1


def test_a_search_that_found_nothing_finite_is_one_line(capsys):
    settings = inversion.Settings(steps=1, slots=1, every=1)
    search = inversion.Inverter(lambda *given: (jnp.full(1, jnp.nan), {}), settings)
    status, said = run(lambda: search(None, np.zeros((1, 2), np.float32), np.zeros(1, np.float32)), capsys)
    assert (status, said) == (2, "program: the objective of 1 of 1 targets was never finite; the first is number 0\n")


def test_a_missing_file_is_one_line(capsys, tmp_path):
    status, said = run(lambda: (tmp_path / "nothing").read_text(), capsys)
    assert status == 2
    assert "No such file" in said


def test_the_home_folder_in_a_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    parser = cli.Parser("lgan_jax.apps.none", "None.")
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    given = parser.parse_args(["~/a.mp4", "b~.mp4", "--out=~/out"])
    assert given.files == [tmp_path / "a.mp4", pathlib.Path("b~.mp4")]
    assert given.out == tmp_path / "out"


def test_a_fault_of_the_program_keeps_its_traceback():
    with pytest.raises(ValueError, match="could not be broadcast"):
        cli.run(lambda: np.zeros(3) + np.zeros(4), "program")


def test_the_status_of_main_is_returned(capsys):
    assert run(lambda: None, capsys)[0] == 0
    assert run(lambda: 7, capsys)[0] == 7


def test_whole_numbers_of_a_flag():
    assert cli._Integers().parse("0,1,100") == (0, 1, 100)
    with pytest.raises(ValueError, match="two"):
        cli._Integers().parse("1,two")


def test_control_c(capsys):
    def main():
        raise KeyboardInterrupt

    assert run(main, capsys) == (130, "program: interrupted\n")


ENDED = """
import os, sys, time
os.close(os.open(os.ttyname(0), os.O_RDWR))  # becomes the terminal of this session
from lgan_jax import cli, files
def main():
    with files.Replacement(sys.argv[1]) as new:
        new.part.write_text("half")
        print("ready", flush=True)
        time.sleep(100)
sys.exit(cli.run(main, "program"))
"""


@contextlib.contextmanager
def on_a_terminal(place):
    """A command that is writing `place`, on a terminal of its own."""
    ours, its = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", ENDED, str(place)]
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True)
    os.close(its)
    try:
        assert os.read(ours, 100).strip() == b"ready"
        assert len(list(place.parent.iterdir())) == 1
        yield process, ours
    finally:
        process.kill()
        process.wait()


def test_a_command_that_is_ended_leaves_nothing_unfinished(tmp_path):
    with on_a_terminal(tmp_path / "a") as (process, terminal):
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
        assert os.read(terminal, 100).strip() == b"program: interrupted"
        os.close(terminal)
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_that_is_closed_ends_a_command_in_order(tmp_path):
    with on_a_terminal(tmp_path / "a") as (process, terminal):
        os.close(terminal)
        assert process.wait(60) == 128 + signal.SIGHUP
    assert list(tmp_path.iterdir()) == []
