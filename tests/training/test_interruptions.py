"""Runs that are killed, stopped, or run out of disk, and continued."""

import json
import re
import signal
import subprocess

import child
import numpy as np
import pytest

from lgan_jax.training.checkpoints import folder_of, newest_step


def assert_same_bits(workdir, undisturbed):
    ours, theirs = child.result(workdir), child.result(undisturbed)
    assert ours.keys() == theirs.keys()
    assert any("ema" in name for name in ours)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)


def lines(workdir):
    """Phase, kind, step and values of every line of metrics.jsonl."""
    read = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [(line["phase"], line["kind"], line["step"], line["values"]) for line in read]


def test_killed_again_and_again_gives_the_same_bits(tmp_path, cache, undisturbed):
    workdir = tmp_path / "run"
    moments = [
        ({"kill_at_batch": 2}, "first", {None}),  # before anything was saved
        ({"kill_in_save": 2}, "first", {2, 4}),  # while step 4 is being saved
        ({"kill_after_save": 3}, "second", {None, 2}),  # just after a save has begun
        ({"kill_at_batch": 4}, "second", {None, 2, 4}),
    ]
    for moment, phase, possible in moments:
        code, output = child.run(workdir, cache=cache, **moment)
        assert code == -signal.SIGKILL, output
        saved = newest_step(folder_of(workdir, phase))
        assert saved in possible, (moment, saved)
    code, output = child.run(workdir, cache=cache)
    assert code == 0, output
    assert "first: finished at step 6" in output
    assert ("second: resumed at step" in output) == (saved is not None)
    assert_same_bits(workdir, undisturbed)
    assert lines(workdir) == lines(undisturbed)
    drawn = sorted(path.relative_to(undisturbed) for path in undisturbed.glob("images/**/*.png"))
    assert len(drawn) == 6
    for path in drawn:
        assert (workdir / path).read_bytes() == (undisturbed / path).read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_and_stops(tmp_path, cache, undisturbed, number):
    workdir = tmp_path / "run"
    code, output = child.run(workdir, cache=cache, signal_at_batch=(3, number))
    assert code == 128 + number
    assert output.splitlines()[-1] == "first: saved at step 3; run the same command to resume"
    assert newest_step(folder_of(workdir, "first")) == 3
    code, output = child.run(workdir, cache=cache)
    assert code == 0, output
    assert "first: resumed at step 3" in output
    assert_same_bits(workdir, undisturbed)
    assert lines(workdir) == lines(undisturbed)


@pytest.fixture
def small_disk(request, tmp_path):
    """A folder, the moment at which it cannot take more, and how to make room again."""
    if request.param == "files limited":
        yield tmp_path / "run", {"limit_files_at_batch": (4, tmp_path / "run")}, lambda: None
        return
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system here: {mounted.stderr.strip()}")
    try:
        yield disk / "run", {"fill_disk_at_batch": (4, disk / "run", disk / "filler")}, (disk / "filler").unlink
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize(
    ("small_disk", "log_every"),
    [("files limited", 1), ("disk full", 1), ("disk full", 100)],  # the log or the checkpoint is what fails first
    indirect=["small_disk"],
)
def test_full_disk_is_one_line_and_loses_nothing(small_disk, log_every, cache, undisturbed):
    workdir, moment, make_room = small_disk
    settings = {"log_every": log_every, "eval_every": 100, "images_every": 100}
    code, output = child.run(workdir, cache=cache, settings=settings, **moment)
    assert code == 2, output
    (error,) = [line for line in output.splitlines() if line.startswith("ERROR")]
    assert re.search("could not save .* in .*: (No space left|File too large)", error), error
    assert "run the same command again; the last good checkpoint is step 2" in error
    assert "Traceback" not in output
    make_room()
    code, output = child.run(workdir, cache=cache, settings=settings)
    assert code == 0, output
    assert "first: resumed at step 2" in output
    assert_same_bits(workdir, undisturbed)
