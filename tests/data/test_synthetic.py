"""The built-in faces: what each parameter does to the image and to its landmarks."""

import dataclasses

import bare_faces
import cv2
import numpy as np
import pytest
from bare_faces import landmarks

from lgan_jax import config
from lgan_jax.action_units import EXPRESSIONS, NUMBERS, expression_units, units
from lgan_jax.data import synthetic
from lgan_jax.data.synthetic import Background, Sample, Settings, draw, person, sample
from lgan_jax.data.synthetic.__main__ import main
from lgan_jax.faces import align
from lgan_jax.landmarks import IBUG68, WFLW98, mirrored, to_ibug68
from lgan_jax.ops import procrustes

ADA = Sample(person=person(0, 0))
_OUTER_EYES = list(WFLW98.eye_corners)


def with_units(intensities, base=ADA):
    return dataclasses.replace(base, action_units=tuple(float(v) for v in units(intensities)))


def moved(intensities, base=ADA):
    """How far each landmark moves when action units are set: right and up, in parts of the distance of the eyes."""
    before = landmarks(base)
    scale = np.linalg.norm(np.subtract(*before[_OUTER_EYES]))
    return (landmarks(with_units(intensities, base)) - before) * (1, -1) / scale


def height(points, upper, lower):
    return points[lower, 1] - points[upper, 1]


# What comes out


def test_shapes_types_and_ranges():
    drawn = draw(sample(Settings(identities=3), "train", 7), 48)
    assert drawn["image"].shape == (48, 48, 3)
    assert drawn["image"].dtype == np.uint8
    assert drawn["landmarks"].shape == (98, 2)
    assert drawn["landmarks"].dtype == np.float32
    assert drawn["action_units"].shape == (17,)
    assert 0 <= drawn["action_units"].min() <= drawn["action_units"].max() <= 1
    assert drawn["pose"].shape == (3,)
    assert drawn["identity"] == 7 % 3
    assert drawn["identity"].dtype == drawn["expression"].dtype == np.int32


@pytest.mark.parametrize("index", [2, 7])
def test_landmarks_and_labels_need_no_image(index):
    face = sample(Settings(identities=3), "train", index)
    drawn = draw(face, 16)
    for name, value in bare_faces.record(face).items():
        np.testing.assert_array_equal(drawn[name], value)
        assert drawn[name].dtype == value.dtype


@pytest.mark.parametrize("variation", ["video", "wild"])
def test_the_same_index_gives_the_same_bits(variation):
    settings = Settings(seed=3, variation=variation)
    first, second = (draw(sample(settings, "train", 11), 40) for _ in range(2))
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])


def test_everything_depends_on_seed_split_and_index():
    drawn = [sample(Settings(seed=s), split, i) for s, split, i in ((0, "train", 5), (1, "train", 5), (0, "test", 5))]
    drawn.append(sample(Settings(), "train", 10))
    assert len({(d.yaw, d.pitch, d.roll) for d in drawn}) == 4


def test_the_images_of_each_split_are_different_draws():
    settings = Settings(train_per_identity=40, validation_per_identity=40, test_per_identity=40)
    drawn = {sample(settings, split, i).gaze for i in range(200) for split in ("train", "validation", "test")}
    assert len(drawn) == 600


@pytest.mark.parametrize(
    ("settings", "split", "index", "gaze"),
    [
        (Settings(), "train", 7, (-17.97183109452107, -1.4914029238871036)),
        (Settings(validation_per_identity=50), "test", 7, (-12.951155984308025, -1.4232448456473068)),
        (Settings(identities=2, test_identities=3, acts="posed"), "test", 4, (-2.4019637451291613, 11.201761356022535)),
    ],
)
def test_training_and_test_images_are_those_of_before_there_was_a_validation_split(settings, split, index, gaze):
    assert sample(settings, split, index).gaze == pytest.approx(gaze, abs=1e-9)


@pytest.mark.parametrize("size", [16, 33, 72, 300])
def test_any_size_shows_the_same_face(size):
    parameters = sample(Settings(), "train", 3)
    large, other = draw(parameters, 128), draw(parameters, size)
    np.testing.assert_array_equal(other["landmarks"], large["landmarks"])
    small = cv2.resize(large["image"], (16, 16), interpolation=cv2.INTER_AREA).astype(float)
    again = cv2.resize(other["image"], (16, 16), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(small - again).mean() < 4


def test_landmarks_lie_in_the_image_on_what_they_name():
    for index in range(10):
        drawn = draw(sample(Settings(), "test", index), 192)
        assert drawn["landmarks"].min() > 0
        assert drawn["landmarks"].max() < 1
    drawn = draw(dataclasses.replace(ADA, light=dataclasses.replace(ADA.light, azimuth=-50.0)), 192)
    image, points = drawn["image"].astype(float), drawn["landmarks"] * 192 - 0.5

    def colour(*indices):
        x, y = np.round(points[list(indices)].mean(0)).astype(int)
        return image[y - 1 : y + 2, x - 1 : x + 2].mean((0, 1))

    cheek, lip = colour(55, 4), colour(79, 90)
    assert colour(96).sum() < 0.6 * cheek.sum()  # a dark pupil
    assert colour(97).sum() < 0.6 * cheek.sum()
    assert lip[1] / lip[0] < 0.85 * cheek[1] / cheek[0]  # red lips
    assert colour(35, 40).sum() < 0.8 * colour(51).sum()  # a brow darker than the bridge of the nose


def test_the_outline_follows_the_visible_contour_on_the_far_side():
    plain = dataclasses.replace(ADA.person, hair_style="bald")
    blue = Background(first=(0.0, 0.0, 1.0), second=(0.0, 0.0, 0.9))
    drawn = draw(dataclasses.replace(ADA, person=plain, background=blue, yaw=30.0), 256)
    for x, y in drawn["landmarks"][22:29] * 256:
        red, _, blue = np.moveaxis(drawn["image"][int(y)].astype(int), -1, 0)
        assert red[int(x) - 4] > blue[int(x) - 4]
        assert red[int(x) + 4] < blue[int(x) + 4]


# Action units


def test_without_action_units_the_face_is_symmetric():
    points = landmarks(ADA)
    np.testing.assert_allclose(mirrored(points, WFLW98), points, atol=1e-4)


def test_brows_rise_inside_outside_and_come_together():
    inner, outer = moved({1: 1.0}), moved({2: 1.0})
    assert inner[37, 1] > 0.05 > 0.02 > abs(inner[33, 1])
    assert outer[34, 1] > 0.05 > 0.02 > abs(outer[37, 1])
    knit = moved({4: 1.0})
    assert knit[37, 1] < -0.03
    assert knit[37, 0] > 0.015
    assert knit[42, 0] < -0.015


def test_eyelids():
    neutral, wide, tight = (landmarks(with_units(u)) for u in ({}, {5: 1.0}, {7: 1.0}))
    assert height(wide, 62, 66) > 1.15 * height(neutral, 62, 66)
    assert height(tight, 62, 66) < 0.8 * height(neutral, 62, 66)
    assert moved({6: 1.0})[66, 1] > 0.005
    for half, expected in ((0.5, 0.5), (1.0, 0.0)):
        shut = landmarks(with_units({45: half}))
        for upper, lower in ((61, 67), (62, 66), (63, 65), (69, 75), (70, 74), (71, 73)):
            assert height(shut, upper, lower) == pytest.approx(expected * height(neutral, upper, lower), abs=2e-3)


def test_closed_eyes_show_no_white():
    opened, shut = (draw(with_units(u), 128) for u in ({}, {45: 1.0}))
    x, y = np.round(opened["landmarks"][96] * 128).astype(int)
    area = np.s_[y - 4 : y + 5, x - 6 : x + 7]
    assert opened["image"][area].min(-1).max() > shut["image"][area].min(-1).max() + 30


def test_nose_and_upper_lip_rise():
    assert moved({9: 1.0})[55, 1] > 0.02
    assert moved({10: 1.0})[79, 1] > 0.03


def test_mouth_corners():
    smile, down, stretch, tight = (moved({number: 1.0}) for number in (12, 15, 20, 23))
    assert smile[76, 1] > 0.06
    assert smile[82, 1] > 0.06
    assert smile[76, 0] < -0.03
    assert smile[82, 0] > 0.03
    assert down[76, 1] < -0.04
    assert stretch[82, 0] > 0.04
    assert tight[82, 0] < -0.04


def test_lips_part_tighten_and_the_jaw_drops():
    neutral, part, jaw, tight = (landmarks(with_units(u)) for u in ({}, {25: 1.0}, {26: 1.0}, {23: 1.0}))
    assert height(neutral, 90, 94) < 0.004
    assert 0.008 < height(part, 90, 94) < height(jaw, 90, 94)
    assert height(tight, 79, 90) < 0.7 * height(neutral, 79, 90)
    drop = moved({26: 1.0})
    assert drop[16, 1] < -0.12
    assert drop[94, 1] < -0.1
    np.testing.assert_allclose(drop[51:76], 0, atol=0.02)  # nose and eyes stay
    assert moved({17: 1.0})[85, 1] > 0.02


def test_unit_14_dimples_the_mouth_corner():
    plain, dimpled = (draw(with_units(u), 128)["image"].astype(int) for u in ({}, {14: 1.0}))
    x, y = np.round(landmarks(ADA)[82] * 128).astype(int)
    assert (plain - dimpled)[y - 4 : y + 5, x : x + 8].max() > 15


def test_every_action_unit_changes_the_image():
    neutral = draw(ADA, 64)["image"].astype(int)
    for number in NUMBERS:
        assert np.abs(draw(with_units({number: 1.0}), 64)["image"].astype(int) - neutral).max() > 12, number


def test_contempt_is_one_sided():
    one_sided = landmarks(ADA.with_expression("contempt")) - landmarks(ADA)
    assert one_sided[82, 1] < -0.005
    assert abs(one_sided[76, 1]) < 0.003


def test_another_expression_of_the_same_image():
    base = sample(Settings(), "train", 4)
    for number, name in enumerate(EXPRESSIONS):
        other = base.with_expression(name, 0.5)
        assert draw(other, 16)["expression"] == number
        np.testing.assert_allclose(other.action_units, 0.5 * expression_units(name))
        assert (other.person, other.yaw, other.light) == (base.person, base.yaw, base.light)


# Pose, gaze, sides


def test_pose_turns_as_documented():
    front = landmarks(ADA)
    right, up, tilted = (landmarks(dataclasses.replace(ADA, **{k: 15.0})) for k in ("yaw", "pitch", "roll"))
    nose = front[54] - front[_OUTER_EYES].mean(0)
    assert (right[54] - right[_OUTER_EYES].mean(0))[0] > nose[0] + 0.03
    assert (up[54] - up[_OUTER_EYES].mean(0))[1] < nose[1] - 0.03
    eyes = tilted[72] - tilted[60]
    assert np.rad2deg(np.arctan2(eyes[1], eyes[0])) == pytest.approx(15, abs=0.5)


def test_gaze_moves_the_pupils_alone():
    looking = landmarks(dataclasses.replace(ADA, gaze=(20.0, -10.0))) - landmarks(ADA)
    assert (looking[96:, 0] > 0.01).all()
    assert (looking[96:, 1] > 0.004).all()
    np.testing.assert_array_equal(looking[:96], 0)


@pytest.mark.parametrize("index", [2, 3, 4])
def test_mirrored_parameters_give_the_mirrored_image(index):
    parameters = sample(Settings(variation="wild", seed=1), "train", index)
    one, other = draw(parameters, 96), draw(parameters.mirrored(), 96)
    np.testing.assert_allclose(mirrored(one["landmarks"], WFLW98), other["landmarks"], atol=2e-4)
    difference = np.abs(one["image"][:, ::-1].astype(float) - other["image"])
    assert difference.mean() < 0.6
    assert np.quantile(difference, 0.99) < 10
    assert parameters.mirrored().mirrored() == parameters


# People and settings


def test_five_people_are_told_apart_by_colour():
    settings = Settings()
    means = np.array([draw(sample(settings, "train", i), 32)["image"].mean((0, 1)) for i in range(5)])
    distance = np.linalg.norm(means[:, None] - means, axis=-1)
    assert distance[~np.eye(5, dtype=bool)].min() > 8
    assert len({sample(settings, "train", i).person for i in range(25)}) == 5


def test_wild_images_are_of_strangers():
    drawn = [sample(Settings(variation="wild"), "train", i) for i in range(20)]
    assert len({d.person for d in drawn}) == len({d.background for d in drawn}) == 20
    assert {d.identity for d in drawn} == set(range(5))


def test_varied_acts():
    """Every unit in many images, in half of them on its own; eyes closed or half closed in a third."""
    settings = Settings(identities=1, variation="wild", acts="varied")
    acts = np.array([sample(settings, "train", i).action_units for i in range(400)])
    assert acts.min() == 0
    assert acts.max() <= 1
    assert ((acts > 0.2).mean(0) > 0.1).all()
    blinks = acts[:, NUMBERS.index(45)]
    assert 0.28 < (blinks > 0).mean() < 0.42
    assert 0.1 < (blinks == 1).mean() < 0.2
    browless = (acts[:, NUMBERS.index(1)] == 0) & (acts[:, NUMBERS.index(2)] > 0.5)
    assert browless.mean() > 0.05


def test_heads_turn_as_far_as_they_are_told():
    usual, less = (Settings(variation="wild", turning=share) for share in (1.0, 0.25))
    for i in range(20):
        far, near = (sample(settings, "train", i) for settings in (usual, less))
        for axis in ("yaw", "pitch", "roll"):
            assert getattr(near, axis) == pytest.approx(getattr(far, axis) / 4)
        assert dataclasses.replace(near, yaw=far.yaw, pitch=far.pitch, roll=far.roll) == far
    with pytest.raises(ValueError, match=r"turning is 1\.5; it is a share"):
        Settings(turning=1.5)


def test_heads_are_aligned_as_photos_of_them_would_be():
    """They are turned, resized and moved in the image and nothing else: no crop of them would move them again."""
    own = Settings(identities=4, acts="posed")
    for i in range(12):
        face, brought = sample(own, "train", i), sample(dataclasses.replace(own, aligned=True), "train", i)
        before, after = (to_ibug68(landmarks(x), WFLW98) for x in (face, brought))
        moved = procrustes.apply(align.alignment(before, 1), before)
        np.testing.assert_allclose(after[IBUG68.inner], moved[IBUG68.inner], atol=1e-6)
        np.testing.assert_allclose(align.alignment(after, 1), np.eye(2, 3), atol=1e-5)
        place = {name: getattr(face, name) for name in ("roll", "scale", "shift")}
        assert dataclasses.replace(brought, **place) == face


@pytest.mark.parametrize("aligned", [False, True])
def test_images_of_a_person_in_pairs(aligned):
    """Even turns as without pairs; odd ones with an expression of their own and all else of the one before."""
    counts = {"identities": 3, "train_per_identity": 8, "validation_per_identity": 2, "test_per_identity": 2}
    settings = Settings(**counts, variation="wild", acts="varied", aligned=aligned)
    paired = dataclasses.replace(settings, pairs=True)
    for index in [0, 1, 2, 6, 7, 8]:
        first, second = sample(paired, "train", index), sample(paired, "train", index + 3)
        assert first == sample(settings, "train", index)
        assert first.action_units != second.action_units
        acting = {name: getattr(first, name) for name in ("action_units", "expression", "lopsided")}
        assert dataclasses.replace(second, **acting) == first
    assert len({sample(paired, "train", i).person for i in range(24)}) == 12
    assert len({sample(paired, "train", i).action_units for i in range(24)}) == 24
    with pytest.raises(ValueError, match="pairs need an even train_per_identity"):
        Settings(train_per_identity=7, pairs=True)


def test_people_held_out_whole():
    settings = Settings(
        identities=2, train_per_identity=4, validation_per_identity=6, test_per_identity=2, test_identities=3
    )
    splits = ("train", "validation", "test")
    assert [settings.count(split) for split in splits] == [8, 18, 6]
    assert synthetic.names(settings)[:5] == ("ada", "ben", "chloe", "dario", "emi")
    assert len(synthetic.names(settings)) == 8
    train, validation, test = ([sample(settings, split, i) for i in range(settings.count(split))] for split in splits)
    assert [drawn.identity for drawn in train] == [0, 1] * 4
    assert [drawn.identity for drawn in test] == [2, 3, 4] * 2
    assert [drawn.identity for drawn in validation] == [5, 6, 7] * 6
    assert len({drawn.person for drawn in train + validation + test}) == 8
    assert train[3] == sample(dataclasses.replace(settings, test_identities=0), "train", 3)
    paired = dataclasses.replace(settings, pairs=True)
    assert sample(paired, "test", 4).person == sample(paired, "test", 1).person
    with pytest.raises(ValueError, match="test_identities must not be negative"):
        Settings(test_identities=-1)


def test_posed_acts():
    """The eight expressions in turn, well shown, and eyes on the camera."""
    settings = Settings(identities=2, train_per_identity=16, acts="posed", turning=0.5)
    drawn = [sample(settings, "train", i) for i in range(32)]
    assert [each.expression for each in drawn[::2]] == list(range(8)) * 2
    for each in drawn:
        usual = expression_units(EXPRESSIONS[each.expression])
        acts = np.array(each.action_units)
        assert (acts <= usual).all()
        assert (acts >= 0.5 * 0.85 * usual).all()
        assert each.gaze == (-each.yaw, -each.pitch)
        assert abs(each.lopsided) == (EXPRESSIONS[each.expression] == "contempt")
    assert len({each.yaw for each in drawn}) == 32


def test_names_are_distinct_for_any_number():
    assert synthetic.names(Settings(identities=2)) == ("ada", "ben")
    assert len(set(synthetic.names(Settings(identities=60)))) == 60


def test_settings_are_read_and_checked():
    assert config.read(Settings, {"identities": 2, "variation": "wild"}).count("test") == 120
    with pytest.raises(ValueError, match="identities must be at least 1"):
        Settings(identities=0)
    with pytest.raises(ValueError, match="seed must not be negative"):
        Settings(seed=-1)
    with pytest.raises(ValueError, match=r"no split 'dev'.*train, validation, test"):
        sample(Settings(), "dev", 0)
    with pytest.raises(IndexError, match="image 60 of 'test': there are 60"):
        sample(Settings(identities=1), "test", 60)
    with pytest.raises(ValueError, match="at least 16 pixels"):
        draw(ADA, 15)
    with pytest.raises(ValueError, match="must not be negative"):
        person(0, -1)


def test_the_image_grid(tmp_path, capsys):
    main([str(tmp_path / "sheet.png"), "--people", "2", "--size", "20", "--landmarks"])
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (40, 240, 3)
    with pytest.raises(FileNotFoundError):
        main([str(tmp_path / "no such folder" / "sheet.png"), "--people", "1", "--size", "16"])
    with pytest.raises(ValueError, match=r"sheet.tga: images are written as \.png"):
        main([str(tmp_path / "sheet.tga"), "--people", "1", "--size", "16"])
    main([str(tmp_path / "sheet.png"), "--people", "1", "--size", "16"])
    assert "sheet-earlier.png" in capsys.readouterr().out
    assert cv2.imread(str(tmp_path / "sheet-earlier.png")).shape == (40, 240, 3)
