import contextlib
import dataclasses
import errno
import importlib
import io
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import types
from collections.abc import Sequence
from typing import Literal

import jax
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


def test_control_c(capsys):
    def main():
        raise KeyboardInterrupt

    assert run(main, capsys) == (130, "program: interrupted\n")


def test_a_file_that_an_error_names_is_said(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        (tmp_path / "nothing").read_text()
    assert cli.sentence(raised.value) == f"{tmp_path / 'nothing'}: No such file or directory"
    assert cli.sentence(OSError(errno.ENOSPC, "No space left on device")) == "No space left on device"
    assert cli.sentence(OSError("the faces cannot be cached")) == "the faces cannot be cached"
    moved = OSError(errno.EXDEV, "Invalid cross-device link", "a", None, "b")
    assert cli.sentence(moved) == "a to b: Invalid cross-device link"


@pytest.mark.parametrize("code", ["raise ImportError('libGL.so.1: cannot open')", "import libnothing7"])
def test_a_broken_package_is_named(code, tmp_path, monkeypatch):
    (tmp_path / "broken7.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError) as raised:
        importlib.import_module("broken7")
    said = cli.sentence(raised.value)
    assert said.startswith(f"the package {'libnothing7' if 'import lib' in code else 'broken7'} cannot be imported (")
    assert "pip install --force-reinstall" in said


def test_the_rest_of_a_removed_package_is_named():
    with pytest.raises(AttributeError) as raised:
        types.ModuleType("opencv7").imread  # noqa: B018
    assert cli.sentence(raised.value).startswith("the package opencv7 is not whole: pip install")
    with pytest.raises(AttributeError) as raised:
        np.nothing7  # noqa: B018
    assert cli.sentence(raised.value) is None


def test_a_package_of_which_our_own_code_lacks_something_is_said_as_we_say_it():
    with pytest.raises(ImportError) as raised:
        importlib.import_module("lgan_jax.nothing7")
    assert cli.sentence(raised.value) is None


@pytest.mark.parametrize("platform", ["nonsense", "nonsense,cpu"])
def test_a_device_that_is_not_there(platform, monkeypatch):
    from jax._src import xla_bridge

    monkeypatch.setenv("JAX_PLATFORMS", platform)
    monkeypatch.setattr(xla_bridge, "_backends", {})
    before = jax.config.jax_platforms
    jax.config.update("jax_platforms", platform)
    try:
        with pytest.raises((RuntimeError, AssertionError)) as raised:
            xla_bridge.backends()
    finally:
        jax.config.update("jax_platforms", before)
    said = cli.sentence(raised.value)
    assert said.startswith(f"JAX cannot use JAX_PLATFORMS={platform} (")
    assert "unset it" in said


def test_no_home_folder(monkeypatch):
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(RuntimeError) as raised:
        pathlib.Path("~/faces").expanduser()
    assert cli.sentence(raised.value).startswith("there is no home folder: set HOME")
    assert cli.sentence(RuntimeError("Could not determine something")) is None


def test_too_little_memory():
    with pytest.raises(MemoryError) as raised:
        np.zeros(2**62, np.uint8)
    assert cli.sentence(raised.value).startswith("there is too little memory")
    assert cli.sentence(RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 7 bytes")) is not None


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_letters_that_a_console_cannot_show_are_replaced(encoding, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
    assert cli.run(lambda: print("Zoë … caf\udce9", flush=True), "program") == 0
    assert written.getvalue().startswith(b"Zo")


def test_values_of_arguments_are_said_in_words():
    parser = cli.Parser("lgan_jax.apps.nothing", "")
    parser.add_argument("--size", type=int)
    parser.add_argument("--share", type=float)
    for given, said in (("--size=ab", "--size is 'ab'; it must be a whole number"), ("--share=x", "a number")):
        with pytest.raises(ValueError, match=said):
            parser.parse_args([given])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """One of each kind of flag."""

    in_dir: pathlib.Path = cli.option("input", metavar="DIR", required=True)
    sizes: Sequence[int] | None = cli.option("some")
    part: Sequence[str] = cli.option("again", "--piece", action="append", default=())
    ends: Sequence[float] | None = cli.option("two", nargs=2)
    way: Literal["up", "down"] = cli.option("where to", default="up")
    share: float = cli.option("how much", default=0.5)
    seed: int = cli.option("seed", default=0)
    whole: bool = cli.option("all of it", default=False)
    sound: bool = cli.option("silent", default=True)


def test_flags_are_made_of_a_dataclass(capsys):
    def read(*arguments):
        return cli.read(Options, "lgan_jax.apps.none", "None.", arguments)

    assert read("--in-dir", "a") == Options(in_dir=pathlib.Path("a"))
    given = "--in-dir a --sizes 3 4 --part x --piece y --ends 0 1.5 --way down --share 1 --seed 7 --whole --no-sound"
    assert read(*given.split()) == Options(
        in_dir=pathlib.Path("a"), sizes=[3, 4], part=["x", "y"], ends=[0.0, 1.5], way="down", share=1.0, seed=7,
        whole=True, sound=False,
    )  # fmt: skip
    for wrong, said in (
        ([], "the following arguments are required: --in-dir; --help explains the arguments"),
        (["--in-dir", "a", "--sizes", "b"], "--sizes is 'b'; it must be a whole number"),
        (["--in-dir", "a", "--way", "left"], "--way: invalid choice: 'left'"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            read(*wrong)
    with pytest.raises(SystemExit):
        read("--help")
    shown = " ".join(capsys.readouterr().out.split())
    assert "--seed SEED seed (default: 0)" in shown
    assert "--part PART, --piece PART again --ends" in shown  # nothing is said of an empty default
    assert "--no-sound silent" in shown


def test_a_file_that_is_there_is_kept_or_overwritten(tmp_path):
    out = tmp_path / "out.mp4"
    assert cli.keep_earlier(out, False) is None
    for text, kept in (("one", "out-earlier.mp4"), ("two", "out-earlier2.mp4")):
        out.write_text(text)
        assert cli.keep_earlier(out, False) == f"{out} was there already: it is now {tmp_path / kept}"
        assert (tmp_path / kept).read_text() == text
        assert not out.exists()
    out.write_text("three")
    assert cli.keep_earlier(out, True) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out-earlier.mp4", "out-earlier2.mp4", "out.mp4"]


def test_a_broken_package_is_said_of_commands_that_import_it_early(tmp_path):
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    path = os.pathsep.join([str(tmp_path), str(pathlib.Path(cli.__file__).parents[1])])
    called = [sys.executable, "-m", "lgan_jax.data.prepare", "--help"]
    done = subprocess.run(called, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("lgan_jax: the package cv2 cannot be imported (libGL.so.1")
    assert done.stderr.count("\n") == 1


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
