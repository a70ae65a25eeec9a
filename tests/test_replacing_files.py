"""Files that are replaced at once, sealed folders, and locks. No test needs JAX."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from lgan_jax import files, locks

KILLED = """
import os, signal, sys
from lgan_jax import files
new = files.Replacement(sys.argv[1])
new.part.write_bytes(b"half")
os.kill(os.getpid(), signal.SIGKILL)
"""
HOLDER = """
import sys
from lgan_jax import locks
with locks.held(sys.argv[1], "the place", inside=sys.argv[2] == "inside"):
    print("held", flush=True)
    sys.stdin.read()
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def python(code, *arguments, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env=environment, **options)


@pytest.fixture
def holder(tmp_path):
    """Starts a process that holds a place."""
    started = []

    def hold(place, how="beside"):
        process = python(HOLDER, place, how, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


def test_file_is_replaced_and_nothing_else_is_left(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    files.write_text(tmp_path / "a.txt", "größer")
    assert (tmp_path / "a.txt").read_bytes() == "größer".encode()
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
@pytest.mark.parametrize("folder", [False, True])
def test_what_is_not_committed_is_removed(tmp_path, error, folder):
    (tmp_path / "a.mp4").write_text("old")

    def write():
        with files.Replacement(tmp_path / "a.mp4", folder) as new:
            (new.part / "x" if folder else new.part).write_text("new")
            assert new.part.suffix == ("" if folder else ".mp4")
            raise error

    with pytest.raises(error):
        write()
    assert names(tmp_path) == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_text() == "old"


def test_two_at_once_have_names_of_their_own_and_the_last_wins(tmp_path):
    with files.Replacement(tmp_path / "a") as first, files.Replacement(tmp_path / "a") as second:
        assert first.part != second.part
        first.part.write_text("first")
        second.part.write_text("second")
        second.commit()
        first.commit()
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "first"


def test_folder_takes_the_place_of_an_empty_one_only(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with files.Replacement(tmp_path / "empty", folder=True) as new:
        (new.part / "y").touch()
        new.commit()
    assert names(tmp_path / "empty") == ["y"]
    with pytest.raises(OSError, match="full"), files.Replacement(tmp_path / "full", folder=True) as new:
        new.commit()
    assert names(tmp_path) == ["empty", "full"]
    assert names(tmp_path / "full") == ["x"]


def test_what_a_killed_process_left_is_removed_but_not_what_one_is_at_work_on(tmp_path):
    assert python(KILLED, tmp_path / "a").wait() == -signal.SIGKILL
    assert len(names(tmp_path)) == 1
    with files.Replacement(tmp_path / "b") as new:
        assert names(tmp_path) == [new.part.name]
        files.write_text(tmp_path / "c", "…")
        assert names(tmp_path) == sorted([new.part.name, "c"])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_an_error_of_the_disk_names_the_file_that_was_asked_for(tmp_path, number):
    def write():
        with files.Replacement(tmp_path / "out.mp4") as new, new.named():
            raise OSError(number, os.strerror(number))

    with pytest.raises(OSError, match=f"{os.strerror(number)}: '{tmp_path / 'out.mp4'}'") as caught:
        write()
    assert caught.value.errno == number
    assert names(tmp_path) == []


def test_an_error_of_another_file_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"input\.mp4"), files.named(tmp_path / "out.mp4"):
        (tmp_path / "input.mp4").read_bytes()


def test_writing_into_a_folder_that_is_not_there_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        files.write_text(tmp_path / "absent" / "a", "…")


def sealed(tmp_path):
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "a").write_bytes(bytes(range(200)))
    (folder / "inner" / "b").write_bytes(bytes(3 * 2**20))
    files.seal(folder)
    assert files.damage(folder) is None
    return folder


@pytest.mark.parametrize("place", [0, 77, 199])
def test_a_flipped_bit_is_found(tmp_path, place):
    folder = sealed(tmp_path)
    data = bytearray((folder / "a").read_bytes())
    data[place] ^= 4
    (folder / "a").write_bytes(data)
    assert files.damage(folder) == files.damage(folder, quick=True) == "a is not as it was written"


def test_every_other_damage_is_found(tmp_path):
    folder = sealed(tmp_path)
    large = folder / "inner" / "b"
    with large.open("r+b") as file:
        file.seek(2**20)
        file.write(b"x")
    assert files.damage(folder) == "inner/b is not as it was written"
    assert files.damage(folder, quick=True) is None  # only its size is looked at
    os.truncate(large, 5)
    assert files.damage(folder, quick=True) == "inner/b has 5 bytes, not 3,145,728"
    large.unlink()
    assert files.damage(folder) == "inner/b is missing"
    for text in ("", "[]", '{"a": 1}', '{"a": ['):
        (folder / files.CHECKSUMS).write_text(text)
        assert files.damage(folder).startswith("it cannot be read")
    (folder / files.CHECKSUMS).unlink()
    assert not files.is_sealed(folder)
    assert files.damage(folder) == "checksums.json is missing"


def test_a_file_added_later_is_no_damage_and_a_folder_can_be_sealed_again(tmp_path):
    folder = sealed(tmp_path)
    (folder / "later").write_text("…")
    assert files.damage(folder) is None
    files.seal(folder)
    (folder / "later").write_text("x")
    assert files.damage(folder).startswith("later has 1 bytes")


@pytest.mark.parametrize("how", ["inside", "beside"])
def test_a_second_process_is_refused_in_one_line_that_names_the_first(tmp_path, holder, how):
    place, inside = tmp_path / "place", how == "inside"
    first = holder(place, how)
    with pytest.raises(BlockingIOError) as caught, locks.held(place, "--out x", inside):
        pytest.fail("both hold it")
    line = str(caught.value)
    assert f"--out x is in use by process {first.pid} on " in line
    assert "\n" not in line
    first.communicate()
    with locks.held(place, "--out x", inside):
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize("how", ["inside", "beside"])
def test_a_killed_process_holds_nothing(tmp_path, holder, how):
    first = holder(tmp_path / "place", how)
    first.kill()
    first.wait()
    with locks.held(tmp_path / "place", "the place", inside=how == "inside"):
        pass


def test_a_folder_that_was_there_or_is_in_use_stays(tmp_path):
    with locks.held(tmp_path / "new", "new", inside=True):
        (tmp_path / "new" / "x").touch()
    assert names(tmp_path / "new") == ["x"]
    (tmp_path / "old").mkdir()
    with locks.held(tmp_path / "old", "old", inside=True):
        pass
    assert names(tmp_path) == ["new", "old"]


def test_waiting_is_said_and_ends(tmp_path, holder, capsys):
    first = holder(tmp_path / "place")
    first.stdin.write(b"x")
    started = time.monotonic()

    def release(seconds):
        first.communicate()

    original, time.sleep = time.sleep, release
    try:
        with locks.held(tmp_path / "place", "the cache", wait=True):
            pass
    finally:
        time.sleep = original
    assert time.monotonic() - started < 60
    said = capsys.readouterr().err
    assert said.startswith(f"waiting for the cache, which is in use by process {first.pid} on ")
    assert said.count("\n") == 1


def test_without_locks_it_goes_on_and_says_so(tmp_path, monkeypatch, capsys):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with locks.held(tmp_path / "run", "run", inside=True):
        files.write_text(tmp_path / "run" / "a", "…")
    assert names(tmp_path / "run") == ["a"]
    assert "has no locks (No locks available)" in capsys.readouterr().err
