"""The editor's command line: the address, mistakes said in one line, and the person whom a reference shows."""

import importlib.util
import ipaddress
import json
import socket
import time

import forked
import numpy as np
import pytest
import small_editor

from lgan_jax.apps.edit import command, launch
from lgan_jax.apps.edit.listener import outward, url
from lgan_jax.apps.shared.references import Person


def program(*arguments):
    return forked.run("-m", "lgan_jax.apps.edit", *arguments, limit=60)


def test_a_port_in_use_is_said_in_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        start = time.monotonic()
        done = program("--workdir", str(tmp_path), "--port", str(port), "--no-browser")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"edit: port {port} is in use; choose another with --port, or 0 for any\n"
    assert time.monotonic() - start < 10


def test_what_is_wrong_with_the_command_line_is_said_in_one_line(tmp_path, capsys):
    done = program("--workdir", str(tmp_path), "--port", "0", "--no-browser")
    assert done.returncode == 2
    assert (
        done.stderr
        == f"edit: there is no run in {tmp_path}: {tmp_path / 'run.json'} does not exist; train.py writes it\n"
    )
    with pytest.raises(ValueError, match="--port is 99999"):
        command.main(["--workdir", str(tmp_path), "--port", "99999"])
    with pytest.raises(ValueError, match="--workdir"):
        command.main([])


def test_the_address_that_is_printed():
    assert url("127.0.0.1", 8420, "") == "http://127.0.0.1:8420/"
    assert url("::1", 81, "") == "http://[::1]:81/"
    assert url("0.0.0.0", 81, "abc") == f"http://{outward()}:81/?token=abc"
    assert outward() == socket.gethostname() or ipaddress.ip_address(outward())
    assert json.dumps(url("192.168.1.5", 81, "abc")) == '"http://192.168.1.5:81/?token=abc"'


def test_a_missing_web_server_is_said_before_runs_are_loaded(tmp_path, monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "websockets" else there(name))
    with pytest.raises(ModuleNotFoundError, match=r"needs a web server: pip install 'lgan_jax\[edit\]'"):
        command.main(["--workdir", str(tmp_path / "nothing"), "--port", "0"])


def test_the_person_of_a_reference_has_the_name_that_is_given(tmp_path, monkeypatch, capsys):
    known, asked = small_editor.known(each=4), []
    model = small_editor.model()
    person = Person("Dora", np.zeros((4, 8, 8, 3), np.uint8), known["ada"], ("Dora: 4 of 4 frames are used",))
    monkeypatch.setattr("lgan_jax.load", lambda workdir: model)
    monkeypatch.setattr(launch, "LandmarkGAN", type(model))
    monkeypatch.setattr(launch.experiment, "training_landmarks", lambda workdir: known)
    monkeypatch.setattr(launch.references, "add", lambda model, *given: asked.append(given) or (model, person))
    clip = tmp_path / "clip.mp4"
    options = command.Options(workdir=[tmp_path], reference=clip, name="Dora")
    studio = launch.load_studios(options)["landmarks"]
    assert asked[0][:2] == (clip, "Dora")
    assert list(studio.known) == [*small_editor.NAMES, "Dora"]
    assert "Dora: 4 of 4 frames are used" in capsys.readouterr().out
    with pytest.raises(ValueError, match="--name is that of the person whom --reference shows: give both"):
        command.Options(workdir=[tmp_path], name="Dora")
