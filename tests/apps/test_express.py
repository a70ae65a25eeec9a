import re
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import small_videos
from PIL import Image
from refusals import refused

from lgan_jax import action_units, cli
from lgan_jax.apps.express import command, editing
from lgan_jax.apps.express.target_units import TargetUnits, interpolated, sweep
from lgan_jax.apps.shared import photo_face
from lgan_jax.apps.shared.face_reader import Locator
from lgan_jax.apps.shared.loading import framing
from lgan_jax.core import FaceInfo
from lgan_jax.faces import Faces
from lgan_jax.faces.align import MEAN_FACE
from lgan_jax.landmarks import IBUG68
from lgan_jax.media.images import decode, encode_png
from lgan_jax.methods.dftnet.networks import Edited

SIZE = 64
FACES = Faces()
KNOWN = {"ada": (0.5 + (MEAN_FACE - 0.5) * 0.86).astype(np.float32)[None]}
OWN = action_units.units({4: 0.5, 12: 0.25})


class _Model:
    """Faces become redder with unit 12 and bluer with 26; every face shows `OWN`, a dark one a dropped jaw."""

    info = FaceInfo(IBUG68, SIZE, ("ada",))

    def __init__(self):
        self.asked = []

    def edit(self, image, units, own):
        self.asked.append(np.array(units))
        smile, jaw = (units[:, action_units.NUMBERS.index(number), None, None] for number in (12, 26))
        made = image.copy()
        made[..., 0] += 2 * smile
        made[..., 2] += 2 * jaw
        made = np.clip(made, -1, 1)
        grid = np.zeros((*image.shape[:3], 1), np.float32)
        return Edited(made, np.concatenate([grid, grid], -1), grid, image, made)

    def estimate(self, image):
        return np.stack([OWN if one.mean() > -0.6 else action_units.units({26: 1.0}) for one in image])


def _locator():
    return Locator(KNOWN, _Model.info, FACES, follow=False)


def _photo(path, *faces, width=320, height=256):
    """A PNG file with a drawn face, or with faces at places."""
    faces = faces or ((small_videos.face(1)[0], 60, 16),)
    path.write_bytes(encode_png(small_videos.scene(*faces, width=width, height=height)))
    return path


def _run(tmp_path, model=None, image=None, **options):
    said = []
    options = {"out": tmp_path / "out.png", **options}
    asked = editing.Options(workdir=tmp_path / "myrun", image=image or _photo(tmp_path / "face.png"), **options)
    assert editing.run(asked, model or _Model(), _locator(), FACES.measure, said.append) == 0
    return "\n".join(said)


def _read(path):
    return decode(path.read_bytes())


def test_the_face_is_edited_and_put_back(tmp_path):
    model = _Model()
    said = _run(tmp_path, model, au=["12=1", "AU25=0.5"])
    before, after = _read(tmp_path / "face.png"), _read(tmp_path / "out.png")
    assert before.shape == after.shape
    change = after.astype(int) - before
    middle = (slice(90, 170), slice(140, 200))
    assert change[middle][..., 0].mean() > 30
    assert np.abs(change[middle][..., 1:]).mean() < 12
    assert not change[:, :40].any()
    assert not change[:10].any()
    (asked,) = model.asked
    np.testing.assert_allclose(asked[0], action_units.units({4: 0.5, 12: 1.0, 25: 0.5}))  # 4 as it was
    assert "estimated for face.png: 4 at 0.50, 12 at 0.25" in said
    assert "target: 4 at 0.50, 12 at 1.00, 25 at 0.50" in said
    assert b"trainedAlgorithmicMedia" in (tmp_path / "out.png").read_bytes()
    assert b"myrun" in (tmp_path / "out.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["face.png", "out.png"]


def test_a_cut_out_face_stays_cut_out_and_hides_its_hidden_colors(tmp_path):
    scene = small_videos.scene((small_videos.face(1)[0], 60, 16))
    alpha = np.full(scene.shape[:2], 255, np.uint8)
    alpha[:, :30], scene[:, :30] = 0, (255, 0, 255)
    Image.fromarray(np.dstack([scene, alpha])).save(tmp_path / "cut.png")
    said = _run(tmp_path, image=tmp_path / "cut.png", au=["12=1"])
    with Image.open(tmp_path / "out.png") as made:
        assert (made.mode, made.size) == ("RGBA", (320, 256))
        pixels = np.asarray(made)
    np.testing.assert_array_equal(pixels[..., 3], alpha)
    assert (pixels[:, :30, :3] == 255).all()
    assert "white" not in said
    said = _run(tmp_path, image=tmp_path / "cut.png", sweep=12)
    assert "cut.png: transparent parts are shown on white" in said


def test_expressions_and_other_faces_give_all_units(tmp_path):
    model = _Model()
    _run(tmp_path, model, expression="happiness=0.5", au=["45=1"])
    happy = 0.5 * action_units.expression_units("happiness")
    np.testing.assert_allclose(model.asked[0][0], happy + action_units.units({45: 1.0}))
    other = _photo(tmp_path / "other.png", (small_videos.face(1)[0] // 6, 60, 16))
    said = _run(tmp_path, model, like=other)
    np.testing.assert_allclose(model.asked[1][0], action_units.units({26: 1.0}))
    assert "target: 26 at 1.00" in said
    change = _read(tmp_path / "out.png").astype(int) - _read(tmp_path / "face.png")
    assert change[100:160, 140:200, 2].mean() > 30


def test_of_three_faces_the_largest_is_edited_and_named(tmp_path):
    small, large = (small_videos.face(1, size)[0] for size in (150, 230))
    image = _photo(tmp_path / "three.png", (small, 10, 40), (large, 190, 10), (small, 440, 40), width=600)
    said = _run(tmp_path, image=image, au=["12=1"])
    assert "3 faces in three.png: the largest is edited, number 2 from the left" in said
    found = re.search(r"around pixel (\d+), ", said)
    assert abs(int(found[1]) - 305) < 25
    change = np.abs(_read(tmp_path / "out.png").astype(int) - _read(image)).sum(-1)
    assert change[:, 190:420].any()
    assert not change[:, :180].any()
    assert not change[:, 430:].any()


@pytest.mark.parametrize(
    ("turns", "message"),
    [(2, "upright, but one upside down; turn"), (1, "one on its side"), (0, "can be seen")],
)
def test_no_face_or_one_that_is_turned(tmp_path, turns, message):
    scene = small_videos.scene((small_videos.face(1)[0], 60, 16)) if turns else np.full((200, 200, 3), 90, np.uint8)
    path = small_videos.write_photo(tmp_path / "face.jpg", np.ascontiguousarray(np.rot90(scene, turns)))
    with pytest.raises(ValueError, match=rf"--image .*face.jpg: there is no face.*{message}"):
        _run(tmp_path, image=path, au=["12=1"])
    assert not (tmp_path / "out.png").exists()


def test_a_large_photo_keeps_its_own_pixels(tmp_path):
    """Where the attention is 1, a face is the photo's own pixels, not the model's few."""
    scene = small_videos.scene((small_videos.face(1, 480)[0], 60, 16), width=600, height=520)
    path = small_videos.write_photo(tmp_path / "large.jpg", scene)
    seen = photo_face.read(path, _locator(), "--image")
    image = photo_face.in_range(seen)[0]
    nothing = np.zeros((SIZE, SIZE, 2), np.float32)
    ones = np.ones((SIZE, SIZE, 1), np.float32)
    kept = photo_face.enlarged(Edited(image, nothing, ones, image, image), seen)
    assert kept.shape[0] > 4 * SIZE
    back = photo_face.put_back(seen, kept, None).astype(int)
    assert np.abs(back - seen.image).mean() < 0.6
    lighter = (image + 0.1 * (1 - image)).astype(np.float32)
    painted = photo_face.enlarged(Edited(lighter, nothing, 0 * ones, image, lighter), seen).astype(float)
    expected = kept + 0.1 * (255.0 - kept)
    coarse = cv2.resize(127.5 * (lighter + 1), kept.shape[:2], interpolation=cv2.INTER_CUBIC)
    assert np.abs(painted - expected).mean() < 0.5 * np.abs(coarse - expected).mean()  # the photo's detail stays
    assert np.abs(painted - kept).mean() > 5
    moved = photo_face.enlarged(Edited(image, nothing + 0.1, ones, image, image), seen)
    step = round(0.1 * kept.shape[0])
    inside = slice(step, -2 * step)
    np.testing.assert_allclose(moved[inside, inside], np.roll(kept, (-step, -step), (0, 1))[inside, inside], atol=90)
    assert np.abs(moved[inside, inside].astype(int) - np.roll(kept, (-step, -step), (0, 1))[inside, inside]).mean() < 3


def test_face_only_is_the_crop(tmp_path):
    _run(tmp_path, expression="anger", face_only=True)
    made = _read(tmp_path / "out.png")
    assert made.shape[0] == made.shape[1] > SIZE


def test_a_sheet_of_a_sweep(tmp_path):
    model = _Model()
    said = _run(tmp_path, model, sweep=45)
    np.testing.assert_allclose(model.asked[0][:, -1], [0, 0.25, 0.5, 0.75, 1])
    assert (model.asked[0][:, 2] == 0.5).all()
    assert "target" not in said
    sheet = _read(tmp_path / "out.png")
    assert sheet.shape[1] > 5.5 * sheet.shape[0] / 1.3
    assert b"trainedAlgorithmicMedia" in (tmp_path / "out.png").read_bytes()


def test_an_interpolation_and_its_video(tmp_path):
    model = _Model()
    _run(tmp_path, model, au=["12=0.75"], interpolate=[0.0, 1.0, 0.5])
    np.testing.assert_allclose(model.asked[0][:, 8], [0.25, 0.75, 0.5])
    _run(tmp_path, model, au=["12=0.75"], interpolate=[0.0, 1.0], out=tmp_path / "out.mp4")
    assert len(model.asked[1]) == 26
    np.testing.assert_allclose(np.diff(model.asked[1][:, 8]), 0.02, atol=1e-6)
    with av.open(str(tmp_path / "out.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 26
    assert frames[0].shape == (256, 320, 3)
    red = [frame[100:160, 140:200, 0].mean() for frame in frames]
    assert red[-1] > red[0] + 20
    assert np.ptp(frames[0][-18:, -26:].astype(int)) > 60  # the mark
    assert b"trainedAlgorithmicMedia" in (tmp_path / "out.mp4").read_bytes()


def test_series():
    units = action_units.units({12: 0.5})
    levels, steps = sweep(units, 45, moving=True)
    assert levels[0] == 0
    assert levels.max() == 1
    assert np.abs(np.diff(levels)).max() <= 0.04 + 1e-9
    assert (steps[:, 8] == 0.5).all()
    np.testing.assert_allclose(steps[:, 16], levels, atol=1e-6)
    places, steps = interpolated(OWN, units, [0.0, 0.5], moving=False)
    np.testing.assert_allclose(steps, [OWN, (OWN + units) / 2])
    places, _ = interpolated(OWN, units, [0.0, 1.0, 0.0], moving=True)
    assert len(places) == 51
    assert places[25] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"au": ["3=0.5"]}, "--au 3=0.5: there is no action unit 3; the units are 1, 2, 4, 5"),
        ({"au": ["12=1.5"]}, "--au 12=1.5: 1.5 is not between 0 and 1"),
        ({"au": ["12=nan"]}, "nan is not between 0 and 1"),
        ({"au": ["12"]}, "--au 12: write UNIT=INTENSITY, such as 12=0.8"),
        ({"au": ["smile=1"]}, "write UNIT=INTENSITY"),
        ({"au": ["12=1", "12=0.5"]}, "unit 12 is given twice"),
        ({"expression": "joy"}, "there is no expression 'joy'; the expressions are neutral, anger"),
        ({"expression": "fear=2"}, "--expression fear=2: 2 is not between 0 and 1"),
        ({"expression": "fear=much"}, "write NAME or NAME=STRENGTH"),
        ({"expression": "fear", "like": "other.png"}, "give one of them"),
        ({"sweep": 44}, "--sweep 44: there is no action unit 44"),
        ({"sweep": 45, "au": ["45=1"]}, "--sweep 45 moves this unit"),
        ({"sweep": 45, "interpolate": [0.0, 1.0]}, "give one of them"),
        ({"interpolate": [0.0, 1.0]}, "nothing is asked for"),
        ({"interpolate": [0.0, 1.25], "expression": "fear"}, "--interpolate: 1.25 is not between 0 and 1"),
        ({"interpolate": [1.0], "expression": "fear", "out": "out.mp4"}, "two positions or more for a video"),
        ({}, "nothing is asked for: give --expression, --landmarks-from, --au, --like or --sweep"),
    ],
)
def test_what_cannot_be_asked_for(tmp_path, options, message):
    paths = {name: tmp_path / value for name, value in options.items() if name in ("like", "out")}
    with pytest.raises(ValueError, match=re.escape(message)):
        editing.Options(workdir=tmp_path, image=tmp_path / "face.png", **(options | paths))


class _Synthesizer:
    """Paints faces green, and remembers what was asked for."""

    info, left_out = _Model.info, ()

    def __init__(self):
        self.asked = []

    def synthesize(self, image, landmarks, expression):
        self.asked.append((np.array(landmarks), np.array(expression)))
        return np.clip(image + [0, 1, 0], -1, 1).astype(np.float32)


def test_a_face_with_the_landmarks_of_another(tmp_path):
    model, said = _Synthesizer(), []
    scene = small_videos.scene((small_videos.face(2, yaw=15.0)[0], 40, 20))
    other = small_videos.write_photo(tmp_path / "other.jpg", scene)
    image, out = _photo(tmp_path / "face.png"), tmp_path / "out.png"
    given = {"workdir": tmp_path / "myrun", "image": image, "out": out}
    options = editing.Options(**given, expression="happiness", landmarks_from=other)
    assert editing.run_labelled(options, model, _locator(), FACES.measure, said.append) == 0
    ((landmarks, expression),) = model.asked
    assert expression.tolist() == [action_units.EXPRESSIONS.index("happiness")]
    assert landmarks.shape == (1, 68, 2)
    # in the frame of training crops: where the mean face's inner points are
    np.testing.assert_allclose(landmarks[0, IBUG68.inner].mean(0), KNOWN["ada"][0, IBUG68.inner].mean(0), atol=1e-5)
    # and they are the other's: turned to the right, while the face itself looks ahead
    own = _locator().locate(_read(image)).ibug68
    assert landmarks[0, 30, 0] - landmarks[0, [36, 45], 0].mean() > 0.015 + own[30, 0] - own[[36, 45], 0].mean()
    change = _read(out).astype(int) - _read(image)
    assert change[100:160, 140:200, 1].mean() > 30
    assert not change[:, :40].any()
    assert "target: happiness, with the landmarks of other.jpg" in said
    assert b"trainedAlgorithmicMedia" in out.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"expression": "fear"}, "needs both --landmarks-from and --expression"),
        ({}, "needs both --landmarks-from and --expression"),
        ({"expression": "fear=0.5"}, "--expression fear=0.5: a run of this method knows expressions by name"),
        ({"expression": "fear", "au": ["12=1"]}, "--au is for DFT-Net runs, and myrun is a run of landmark and"),
        ({"sweep": 45}, "--sweep is for DFT-Net runs"),
        ({"like": Path("other.png")}, "--like is for DFT-Net runs"),
    ],
)
def test_what_a_run_of_labels_has_no_use_for(options, message):
    given = {"landmarks_from": None if options == {"expression": "fear"} else Path("other.png"), **options}
    with pytest.raises(ValueError, match=re.escape(message)):
        editing.Options(workdir=Path("myrun"), image=Path("face.png"), **given).check_label()


def test_what_a_run_of_units_has_no_use_for():
    paths = {"workdir": Path("myrun"), "image": Path("face.png"), "landmarks_from": Path("other.png")}
    options = editing.Options(**paths, expression="fear")
    with pytest.raises(ValueError, match="--landmarks-from: myrun is a DFT-Net run, which takes --like"):
        options.check_units()


def test_emotion_is_another_name_of_expression():
    for flag in ("--expression", "--emotion"):
        given = cli.read(command.Options, "express", "", ["--workdir=run", "--image=face.png", flag, "fear=0.5"])
        assert given.expression == "fear=0.5"


def _command(capsys, *arguments):
    return refused(command.main, capsys, *arguments)


def test_one_clear_line_for_what_is_wrong(tmp_path, capsys, monkeypatch):
    image = _photo(tmp_path / "face.png")
    run = ("--workdir", tmp_path / "run")
    edit = (*run, "--image", image, "--au", "12=1")
    out = tmp_path / "out.png"
    assert "no file or folder" in _command(capsys, *run, "--image", tmp_path / "none.png", "--au", "12=1")
    assert "is a folder; give one photo" in _command(capsys, *run, "--image", _folder(tmp_path), "--au", "12=1")
    assert "is the input itself" in _command(capsys, *edit, "--out", image)
    assert "is the input itself" in _command(capsys, *run, "--image", image, "--like", out_photo(out), "--out", out)
    assert "comes one of: .png" in _command(capsys, *edit, "--out", tmp_path / "out.mp4")
    assert "there is no folder" in _command(capsys, *edit, "--out", tmp_path / "none" / "out.png")
    assert "--help explains" in _command(capsys, *run, "--image", image, "--angry")
    (tmp_path / "bad.png").write_bytes(image.read_bytes()[:-400])
    assert "bad.png" in _command(capsys, *run, "--image", tmp_path / "bad.png", "--au", "12=1", "--out", out)
    assert "run" in _command(capsys, *edit, "--out", out)  # there is none
    monkeypatch.setattr("lgan_jax.load", lambda folder: object())
    assert "is a run neither of DFT-Net nor of landmark and expression" in _command(capsys, *edit, "--out", out)


def out_photo(path):
    return _photo(path)


def _folder(tmp_path):
    small_videos.write_photo(tmp_path / "photos" / "a.jpg", np.zeros((20, 20, 3), np.uint8))
    return tmp_path / "photos"


def test_target_units_start_from_the_most_that_is_said():
    targets = TargetUnits.read(["12=0.5"], None)
    np.testing.assert_allclose(targets.units(OWN), action_units.units({4: 0.5, 12: 0.5}))
    np.testing.assert_allclose(targets.units(OWN, action_units.units({1: 1.0})), action_units.units({1: 1.0, 12: 0.5}))
    np.testing.assert_allclose(TargetUnits.read([], "neutral").units(OWN), 0 * OWN)


def test_a_run_whose_data_had_no_landmarks_frames_faces_as_prepare_does(tmp_path):
    (points,) = framing(tmp_path).values()
    assert points.shape == (1, 68, 2)
    located = Locator(framing(tmp_path), _Model.info, FACES, follow=False).locate(
        small_videos.scene((small_videos.face(1)[0], 60, 16))
    )
    np.testing.assert_allclose(located.ibug68[IBUG68.inner].mean(0), points[0, IBUG68.inner].mean(0), atol=1e-5)
