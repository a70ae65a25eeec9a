"""Preparing people in several processes."""

import os
import signal

import numpy as np
import pytest

pytest.importorskip("av", reason="needs the extra [faces]")
pytest.importorskip("dlib", reason="needs the extra [faces]")

from small_videos import face, moving, scene, write_photo, write_video

from lgan_jax import cli
from lgan_jax.data import prepare
from lgan_jax.data.prepare import __main__ as command
from lgan_jax.data.prepare import workers
from lgan_jax.progress import Progress

OPTIONS = prepare.Options(size=64)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Ada and Cy in videos, Bo in photos, and Di, whose video shows no face."""
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "Ada.mp4", moving(0, 8))
    write_video(folder / "Cy.mp4", moving(1, 5))
    write_video(folder / "Di.mp4", [scene()] * 3)
    for i in range(3):
        write_photo(folder / "Bo" / f"{i}.jpg", face(2, yaw=5.0 * i)[0])
    return folder


@pytest.fixture(scope="module")
def alone(videos, tmp_path_factory):
    out = tmp_path_factory.mktemp("alone") / "out"
    return files(out, prepare.prepare(videos, out, OPTIONS))


@pytest.fixture(autouse=True)
def worth(monkeypatch):
    monkeypatch.setattr(workers, "_WORTH", 1)


@pytest.fixture
def started(monkeypatch):
    """The processes that were started."""
    found, start = [], workers.subprocess.Popen

    def recorded(*given, **named):
        found.append(start(*given, **named))
        return found[-1]

    monkeypatch.setattr(workers.subprocess, "Popen", recorded)
    return found


def files(folder, result):
    """All files of a folder by name, with what is in them, and what `prepare` returned."""
    written = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return written, list(result["people"]), list(result["left_out"])


def test_files_do_not_depend_on_the_number_of_processes(videos, alone, tmp_path, started):
    assert files(tmp_path / "out", prepare.prepare(videos, tmp_path / "out", OPTIONS, workers=2)) == alone
    assert len(started) == 2
    assert all(process.returncode is not None for process in started)


def test_interrupted_it_ends_its_processes_and_resumes(videos, alone, tmp_path, started, monkeypatch):
    def interrupted(self, count):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "advance", interrupted)
        status = cli.run(lambda: prepare.prepare(videos, tmp_path / "out", OPTIONS, workers=2), "prepare")
    assert status == 130
    assert [process.returncode for process in started] == [-signal.SIGKILL] * 2
    assert not (tmp_path / "out" / "prepared.json").exists()
    assert files(tmp_path / "out", prepare.prepare(videos, tmp_path / "out", OPTIONS, workers=3)) == alone


def test_an_error_in_a_process_is_the_same_line(videos, tmp_path, capsys):
    said = []
    for count in (1, 2):
        out = tmp_path / "out"
        prepare.OutputFolder(videos, out, OPTIONS, prepare.people(videos)[0])
        seen = out / ".prepare" / "begun" / "Ada" / "seen-0-0.npz"
        seen.parent.mkdir(exist_ok=True)
        np.savez(seen, finished=np.bool_(True))
        arguments = [str(videos), str(out), "--size", "64", "--workers", str(count)]
        assert cli.run(lambda given=arguments: command.main(given), "prepare") == 2
        said.append([line for line in capsys.readouterr().err.splitlines() if line.startswith("prepare: ")])
    assert said[0] == said[1] == [f"prepare: {seen} is damaged: delete {seen.parent} and repeat the command"]


def test_a_process_that_is_killed_is_named(videos, tmp_path, started, monkeypatch):
    monkeypatch.setattr(Progress, "advance", lambda self, count: started[0].kill())
    with pytest.raises(RuntimeError, match=r"a process that prepares people ended early, with status -9"):
        prepare.prepare(videos, tmp_path / "out", OPTIONS, workers=2)


def test_no_process_outlives_its_input(videos, tmp_path, started):
    worker = workers._Worker(prepare.OutputFolder(videos, tmp_path / "out", OPTIONS, []), workers.queue.SimpleQueue())
    started[0].stdin.close()
    assert started[0].wait(60) == 1
    worker.stop()


def test_a_number_of_processes_below_one_is_refused(videos, tmp_path):
    with pytest.raises(ValueError, match="--workers must be at least 1, not 0"):
        prepare.prepare(videos, tmp_path / "out", OPTIONS, workers=0)


def test_cores_are_those_that_this_process_may_use():
    assert 1 <= workers.cores() <= (os.cpu_count() or 1)
