"""Which steps are recorded, whatever the phase takes of them."""

import jax
import pytest

from lgan_jax.training.loop import Profile


@pytest.fixture
def events(monkeypatch):
    """What the profiler is told; it refuses what JAX's refuses."""
    told = []

    def start(folder):
        assert not (told and told[-1] != "stop"), "profile has already been started"
        told.append(folder)

    def stop():
        assert told, "no profile started"
        assert told[-1] != "stop", "no profile started"
        told.append("stop")

    monkeypatch.setattr(jax.profiler, "start_trace", start)
    monkeypatch.setattr(jax.profiler, "stop_trace", stop)
    return told


def phase(folder, steps, first, last, fails_at=None):
    """Takes the steps from `first` to `last`; returns those that were recorded."""
    waits, recorded = [], []
    with Profile(folder, steps, lambda: waits.append(1)) as profile:
        for step in range(first, last + 1):
            profile.before(step)
            if profile.recording:
                recorded.append(step)
            if step == fails_at:
                raise FloatingPointError
            profile.after(step)
    assert len(waits) == bool(recorded)
    return recorded


@pytest.mark.parametrize(
    ("taken", "recorded"),
    [
        ((1, 9), [3, 4, 5]),
        ((4, 9), [4, 5]),  # continued within the range
        ((5, 9), [5]),
        ((6, 9), []),  # continued after it
        ((1, 4), [3, 4]),  # the phase ends within it
        ((1, 2), []),
        ((4, 4), [4]),
    ],
)
def test_the_steps_that_a_phase_takes_are_recorded(tmp_path, events, taken, recorded):
    assert phase(tmp_path / "first", (3, 5), *taken) == recorded
    assert events == ([str(tmp_path / "first"), "stop"] if recorded else [])
    assert phase(tmp_path / "second", (3, 5), 1, 9) == [3, 4, 5]
    assert events[-2:] == [str(tmp_path / "second"), "stop"]


def test_a_phase_that_fails_within_the_range_ends_its_recording(tmp_path, events):
    with pytest.raises(FloatingPointError):
        phase(tmp_path, (3, 5), 1, 9, fails_at=4)
    assert events[-1] == "stop"


def test_without_a_range_nothing_is_recorded(tmp_path, events):
    assert phase(tmp_path, (), 1, 9) == []
    assert events == []
