"""The comparison measures projections that it has really made."""

from benchmarks import projection
from lgan_jax.apps.project.networks import assembled
from lgan_jax.landmarks import IBUG68
from lgan_jax.methods.projection.losses import landmark_weights
from lgan_jax.methods.projection.projector import Settings


def test_a_pair_alone_and_a_batch_are_timed_by_picture_and_step(monkeypatch):
    """With a clock that counts the pairs that were projected, an image costs the same either way."""
    clock, projected = [0.0], []

    def counted(projector, look, landmarks):
        found = whole(projector, look, landmarks)
        assert found.image.shape == look.shape
        projected.append(len(look))
        clock[0] += len(look)
        return found

    whole = projection.Projector.__call__
    monkeypatch.setattr(projection.Projector, "__call__", counted)
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    networks = projection.networks(32, most=4, width=8, features=2, depth=1, stacks=1)
    small = assembled(*networks, landmark_weights(IBUG68), Settings(steps=2, slots=3, samples=10))
    found = projection.compare(small, batch=3, rounds=2, seconds=0.0)
    assert projected == [1, 1, 3, 3, 1, 3, 3, 1]
    assert found["alone seconds"] == found["batch seconds"] == 0.5
    assert found["share"] == {"median": 1.0, "min": 1.0, "max": 1.0}
