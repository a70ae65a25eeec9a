import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from lgan_jax.apps.reenact.layout import Layout, Writer, enlarged, grid
from lgan_jax.apps.reenact.pipeline import Pipeline, Stage
from lgan_jax.apps.reenact.stages import DetectedFrame, GeneratedFrame, Synthesizer
from lgan_jax.apps.shared.face_reader import Located
from lgan_jax.apps.shared.neutral_frame import most_neutral
from lgan_jax.apps.shared.training_distance import TrainingDistance
from lgan_jax.core import FaceInfo
from lgan_jax.faces.align import MEAN_FACE, crop
from lgan_jax.landmarks import IBUG68, IBUG68_TO_INNER49, INNER49
from lgan_jax.media.paste import edge, matched, paste

FACE = (0.5 + (MEAN_FACE - 0.5) * 0.86).astype(np.float32)


# --- pipeline


def _slow(seconds):
    def work(items):
        for item in items:
            time.sleep(seconds)
            yield item

    return work


def test_stages_work_at_the_same_time_and_in_order():
    stages = [Stage("a", lambda _: iter(range(20)), 4), Stage("b", _slow(0.05), 4), Stage("c", _slow(0.02), 4)]
    begun = time.perf_counter()
    with Pipeline(stages) as pipeline:
        assert list(pipeline) == list(range(20))
    seconds = time.perf_counter() - begun
    assert seconds < 1.2 * stages[1].busy
    assert stages[1].busy == pytest.approx(1.0, rel=0.5)
    assert stages[0].busy < 0.1  # waiting is not work


def test_no_stage_runs_ahead_of_the_next_by_more_than_its_queue():
    taken = []

    def count(_):
        for i in range(1000):
            taken.append(i)
            yield i

    with Pipeline([Stage("a", count, 3), Stage("b", lambda items: items, 2)]) as pipeline:
        assert next(pipeline) == 0
        time.sleep(0.3)
        assert len(taken) <= 3 + 2 + 3  # the queues, and one in each hand
    assert len(taken) < 1000


@pytest.mark.parametrize("where", [0, 1, 2])
def test_an_error_ends_all_stages_and_comes_out(where):
    def broken(items):
        for item in items or range(10**9):
            if item == 20:
                raise OSError("the disk is full")
            yield item

    works = [lambda _: iter(range(10**9)), lambda items: items, lambda items: items]
    works[where] = broken if where else lambda _: broken(range(10**9))
    before = threading.active_count()
    with pytest.raises(OSError, match="disk"), Pipeline([Stage(str(i), w, 3) for i, w in enumerate(works)]) as pipeline:
        list(pipeline)
    assert threading.active_count() == before


def test_stopping_finishes_what_is_under_way():
    with Pipeline([Stage("a", lambda _: iter(range(10**9)), 4), Stage("b", _slow(0.001), 4)]) as pipeline:
        got = [next(pipeline) for _ in range(5)]
        pipeline.stop()
        got += list(pipeline)
    assert got == list(range(len(got)))
    assert 5 <= len(got) < 30


# --- neutral


def test_the_neutral_face_is_closed_frontal_and_usual():
    faces = np.stack([FACE] * 7)
    faces[0, 65:68, 1] += 0.05  # open
    faces[1, 27:48, 0] += 0.04  # turned
    faces[2] += 0.05  # elsewhere
    faces[4:] += np.random.default_rng(0).normal(0, 0.01, (3, 68, 2)).astype(np.float32)
    assert most_neutral(faces, IBUG68) == 3
    assert most_neutral(faces[::-1], IBUG68) == 3
    assert most_neutral(faces[:, IBUG68_TO_INNER49], INNER49) == 3


# --- drive


class _Model:
    """Converts by adding 0.1 for "bo"; a face's red is its landmarks' mean x, its blue 0.5 for bo."""

    info = FaceInfo(IBUG68, 32, ("ada", "bo"))
    constraint = 0.0
    in_closed_form = False

    def __init__(self):
        self.counts = []

    def with_driver(self, landmarks):
        raise NotImplementedError

    def clamped(self, landmarks, target):
        raise NotImplementedError

    def convert(self, landmarks, target, constrain=True):
        return np.asarray(landmarks, np.float32) + 0.1 * (target == "bo")

    def synthesize(self, landmarks, target, convert=True, constrain=True):
        assert not convert
        self.counts.append(len(landmarks))
        pictures = np.zeros((len(landmarks), 32, 32, 3), np.float32) - 1
        pictures[..., 0] = landmarks.mean((1, 2))[:, None, None]
        pictures[..., 2] = 0.5 * (target == "bo")
        return pictures


class _Reader:
    def points(self, faces):
        return np.stack([face.ibug68 for face in faces])

    def locate(self, image):
        raise AssertionError

    def reset(self):
        raise AssertionError


def _found(value, time=0):
    if value is None:
        return DetectedFrame(time, None, None)
    located = Located(np.full((68, 2), value, np.float32), np.eye(2, 3), np.full((32, 32, 3), 77, np.uint8))
    return DetectedFrame(time, located, None)


def _driver(targets=("ada",), batch=4, steady=False, shifts=None):
    model = _Model()
    return model, Synthesizer(model, _Reader(), targets, Fraction(1, 25), batch, steady, shifts)


def test_every_target_is_made_from_its_own_landmarks_in_order():
    _, driver = _driver(("ada", "bo"))
    values = [0.1, None, 0.2, 0.3, 0.4, None, 0.5]
    made = list(driver(_found(value, time) for time, value in enumerate(values)))
    assert [m if isinstance(m, int) else m.time for m in made] == list(range(7))
    for value, m in zip(values, made):
        assert isinstance(m, int) == (value is None)
        if value is not None:
            np.testing.assert_allclose(m.landmarks[:, 5, 1], [value, value + 0.1], atol=1e-6)
            red = m.faces[:, 3, 4, 0].astype(float) / 127.5 - 1
            np.testing.assert_allclose(red, [value, value + 0.1], atol=0.005)
            assert m.faces[:, 0, 0, 2].tolist() == [128, 191]


class _Constrained(_Model):
    """Holds x below 0.35, where "ada" has been, or 0.5, where "bo" has."""

    constraint = 2.0

    def convert(self, landmarks, target, constrain=True):
        free = super().convert(landmarks, target)
        return np.minimum(free, 0.35 if target == "ada" else 0.5) if constrain else free

    def clamped(self, landmarks, target):
        free, held = (self.convert(landmarks, target, constrain).mean((1, 2)) for constrain in (False, True))
        return free - held


@pytest.mark.parametrize(("constrain", "held", "last"), [(True, (2, 1), (0.35, 0.5)), (False, (0, 0), (0.45, 0.55))])
def test_frames_that_the_constraint_changed_are_counted(constrain, held, last):
    driver = Synthesizer(
        _Constrained(), _Reader(), ("ada", "bo"), Fraction(1, 25), 4, steady=False, constrain=constrain
    )
    driver.warm_up()
    *_, made = driver(_found(value, time) for time, value in enumerate([0.1, None, 0.3, 0.4, 0.2, 0.45]))
    assert driver.held == dict(zip(("ada", "bo"), held))
    assert driver.outside is None
    np.testing.assert_allclose(made.landmarks[:, 3, 0], last, atol=1e-6)


def test_a_lone_last_frame_needs_no_other_compiled_shape():
    model, driver = _driver()
    list(driver(_found(0.1 * i, i) for i in range(5)))
    assert min(model.counts) > 1


def test_relative_adds_the_targets_neutral_less_the_drivers():
    shift = np.full((68, 2), -0.25, np.float32)
    _, driver = _driver(("bo",), shifts={"bo": shift})
    (made,) = driver(iter([_found(0.6)]))
    np.testing.assert_allclose(made.driving, 0.6, atol=1e-6)
    np.testing.assert_allclose(made.landmarks, 0.6 - 0.25 + 0.1, atol=1e-6)


@pytest.mark.parametrize(("shift", "outside"), [(None, 2), (0.5, 5), (0.0, 2)])
def test_frames_outside_what_the_run_knows_are_counted(shift, outside):
    """Of targets that are shifted, the landmarks that each is given count; a frame counts once."""
    usual = np.full((40, 68, 2), 0.5) + np.random.default_rng(3).normal(0, 0.01, (40, 68, 2))
    coverage = TrainingDistance({"ada": usual, "bo": usual + 0.01})
    shifts = None if shift is None else {"ada": np.zeros((68, 2)), "bo": np.full((68, 2), shift)}
    targets = ("ada", "bo")
    driver = Synthesizer(
        _Model(), _Reader(), targets, Fraction(1, 25), 2, steady=False, shifts=shifts, coverage=coverage
    )
    frames = [_found(value, time) for time, value in enumerate([0.5, 0.9, 0.5, 0.1, 0.5])]
    assert len(list(driver(iter(frames)))) == 5
    assert driver.outside == outside


def test_steady_lags_behind_a_small_tremor():
    _, driver = _driver(steady=True)
    made = list(driver(_found(0.5 + 0.002 * (-1) ** i, i) for i in range(40)))
    trembling = np.array([m.landmarks[0, 0, 0] for m in made])[20:]
    assert np.ptp(trembling) < 0.6 * 0.004
    np.testing.assert_allclose([m.transform for m in made], np.stack([np.eye(2, 3)] * 40), atol=1e-9)


# --- paste


def _picture(height=90, width=140):
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x + 50, y + 80, 200 - x // 2], -1).astype(np.uint8)


@pytest.mark.parametrize("angle", [0.0, 0.4, 2.0])
@pytest.mark.parametrize("scale", [0.6, 1.7])
def test_a_crop_pasted_back_changes_nothing(angle, scale):
    image, size = _picture(), 48
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    transform = np.concatenate([rotation, (24 - rotation @ [70, 45])[:, None]], 1)
    back = paste(image, crop(image, transform, size), np.ones((size, size), np.float32), transform)
    difference = np.abs(back.astype(int) - image)
    inside = np.linalg.norm(np.stack(np.meshgrid(np.arange(140) - 69.5, np.arange(90) - 44.5), -1), axis=-1) < 12
    assert difference[inside].max() <= 3
    far = 1 + 24 * 2**0.5 / scale
    outside = np.linalg.norm(np.stack(np.meshgrid(np.arange(140) - 69.5, np.arange(90) - 44.5), -1), axis=-1) > far
    assert not difference[outside].any()


def test_a_face_is_pasted_where_the_transform_says_not_mirrored():
    face = np.zeros((32, 32, 3), np.uint8)
    face[:16, :16] = 255
    image = np.full((64, 96, 3), 100, np.uint8)
    whole = paste(image, face, np.ones((32, 32), np.float32), np.array([[1.0, 0, -40], [0, 1, -20]]))
    np.testing.assert_array_equal(whole[20:52, 40:72], face)
    assert (whole[:20] == 100).all()
    assert (image == 100).all()


def test_a_face_beyond_the_image_is_cut_and_a_small_one_averaged():
    image = np.full((64, 96, 3), 100, np.uint8)
    white = np.full((32, 32, 3), 255, np.uint8)
    ones = np.ones((32, 32), np.float32)
    cut = paste(image, white, ones, np.array([[1.0, 0, 16], [0, 1, 16]]))
    assert (cut[:16, :16] == 255).all()
    assert (cut[16:] == 100).all()
    np.testing.assert_array_equal(paste(image, white, ones, np.array([[1.0, 0, 500], [0, 1, 0]])), image)
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2] = 200
    small = paste(image, stripes, ones, np.array([[8.0, 0, -80], [0, 8, -80]]))
    np.testing.assert_allclose(small[11:13, 11:13], 100, atol=3)


def test_the_edge_follows_the_outline_and_fades():
    shown = edge([FACE], IBUG68, 128)
    assert shown[70, 64] == 1
    assert not shown[[0, -1]].any()
    assert not shown[:, [0, -1]].any()
    for x, y in FACE[IBUG68.outline[1:-1]] * 128:
        outward = np.array([x - 64, y - 64]) / np.hypot(x - 64, y - 64)
        there = [np.clip(np.array([x, y]) + step * outward, 0, 127).astype(int) for step in (2, -4, -14)]
        beyond, near, inside = (shown[p[1], p[0]] for p in there)
        assert beyond == 0
        assert 0 < near < 1
        assert inside > 0.9
    assert np.abs(np.diff(shown, axis=0)).max() < 0.25
    wider = edge([FACE, 0.5 + (FACE - 0.5) * np.array([1.1, 1], np.float32)], IBUG68, 128)
    assert wider.sum() > shown.sum()
    assert (wider >= shown - 1e-6).all()


def test_a_scheme_without_outline_has_an_edge_too():
    shown = edge([FACE[IBUG68_TO_INNER49]], INNER49, 128)
    assert shown[64, 64] == 1
    assert not shown[:, 0].any()


def test_colours_are_matched_at_the_edge():
    shown = edge([FACE], IBUG68, 64)
    face = np.empty((64, 64, 3), np.uint8)
    face[...] = (100, 80, 160)
    there = np.empty_like(face)
    there[...] = (150, 80, 120)
    made = matched(face, there, shown)
    np.testing.assert_allclose(made.reshape(-1, 3), np.broadcast_to([150, 80, 120], (4096, 3)), atol=1)
    dark = np.full_like(face, 10)
    assert matched(dark, there, shown).max() <= 26  # colors are multiplied by 2.5 at the most
    np.testing.assert_array_equal(matched(face, there, np.zeros_like(shown)), face)


# --- layout


def test_a_grid_is_filled_row_by_row():
    cells = [np.full((2, 3, 3), 10 * i, np.uint8) for i in range(1, 6)]
    made = grid(cells)
    assert made.shape == (4, 9, 3)
    assert made[0, ::3, 0].tolist() == [10, 20, 30]
    assert made[3, ::3, 0].tolist() == [40, 50, 24]


def test_faces_are_enlarged_and_reduced():
    image = np.full((32, 32, 3), 60, np.uint8)
    assert enlarged(image, 32) is image
    for size in (48, 20):
        assert enlarged(image, size).shape == (size, size, 3)
        assert (enlarged(image, size) == 60).all()


def _made(value, time):
    faces = np.stack([np.full((32, 32, 3), value, np.uint8), np.full((32, 32, 3), value + 1, np.uint8)])
    image = np.full((50, 70, 3), 9, np.uint8)
    return GeneratedFrame(
        time, image, np.full((32, 32, 3), 5, np.uint8), np.eye(2, 3), FACE, faces, np.stack([FACE, FACE])
    )


def test_layouts_show_what_they_say():
    made = _made(100, 0)
    assert (Layout(64, mark=False).image(made, IBUG68)[:, [0, 64]] == [[[100], [101]]]).all()
    beside = Layout(32, side_by_side=True, mark=False).image(made, IBUG68)
    assert beside.shape == (64, 64, 3)
    assert [beside[0, 0, 0], beside[0, 40, 0], beside[40, 0, 0]] == [5, 100, 101]
    pasted = Layout(32, paste_back=True, side_by_side=True, mark=False).image(made, IBUG68)
    assert pasted.shape == (50, 140, 3)
    assert pasted[18, 16, 0] == 9
    assert pasted[18, 70 + 16, 0] == 100
    assert (Layout(64, mark=True).image(made, IBUG68) != Layout(64, mark=False).image(made, IBUG68)).any()


class _Output:
    def __init__(self):
        self.written, self.complete = [], None

    def write(self, image, time):
        self.written.append((time, int(image[0, 0, 0])))

    def finish(self, complete):
        self.complete = complete

    def commit(self, path):
        raise AssertionError

    discard = commit


def test_frames_without_a_face_repeat_the_last_good_one_and_are_listed():
    output = _Output()
    writer = Writer(output, Layout(32, mark=False), IBUG68, lambda: False)
    frames = [0, 1, _made(10, 2), 3, _made(20, 4), *range(5, 20)]
    assert list(writer(iter(frames)))[-1] == 20
    values = [10] * 4 + [20] * 16
    assert output.written == list(enumerate(values))
    assert output.complete
    assert (writer.written, writer.faceless) == (20, 18)
    assert writer.listed == [0, 1, 3, 5, 6, 7, 8, 9, 10, 11]
