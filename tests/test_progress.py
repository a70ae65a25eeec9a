"""Progress of counted work: a total, the time left, and a width that it keeps to."""

import io
import sys
import time

import pytest

from lgan_jax import progress


@pytest.mark.parametrize(
    ("seconds", "said"), [(48.4, "48 s"), (740.0, "12 min"), (3 * 3600 + 300.0, "3 h 05 min"), (200_000.0, "2 d 7 h")]
)
def test_durations(seconds, said):
    assert progress.duration(seconds) == said


def test_what_fits():
    parts = ["12/50", "", "48 s left", "l2i 0.5"]
    assert progress.fit(parts, 100) == "12/50 · 48 s left · l2i 0.5"
    assert progress.fit(parts, 26) == "12/50 · 48 s left"
    assert progress.fit(parts, 4) == ""


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_total_that_is_known_late_is_shown_with_the_time_left(clock, capsys):
    with progress.Progress(unit="faces", name="caching the faces") as bar:
        for _ in range(30):
            clock[0] += 1
            bar.total = 120
            bar.advance(2)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "caching the faces: 22/120 faces · 49 s left · 2.0 faces/s",
        "caching the faces: 44/120 faces · 38 s left · 2.0 faces/s",
    ]


def test_work_of_an_earlier_run_is_no_speed(clock):
    bar = progress.Progress(100, name="ann")
    bar.skip(50)
    assert bar.text(80) == "50/100 frames"
    clock[0] += 5
    bar.advance(10)
    assert bar.text(80) == "60/100 frames · 20 s left · 2.0 frames/s"
    assert bar.text(30) == "60/100 frames · 20 s left"
    assert progress.Progress(0, "faces").text(80) == "0 faces"


def test_a_bar_keeps_to_80_columns(clock, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.Progress(1_234_567, name="a person whose name is longer than the bar") as bar:
        clock[0] += 1000
        bar.advance(1234)
        (task,) = bar.bar.tasks
        assert task.total == 1_234_567
        assert task.fields["text"].startswith("1,234/1,234,567 frames · 11 d 13 h left")
        assert len(task.description) + 14 + len(task.fields["text"]) <= 80
