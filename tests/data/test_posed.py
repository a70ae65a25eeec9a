"""CK+ and Oulu-CASIA in their owners' layouts, and what is wrong with some copies."""

import cv2
import numpy as np
import posed_sets
import pytest
import tiny_sets

pytest.importorskip("dlib", reason="needs the extra [faces]")

from lgan_jax import data
from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.data.split import HeldOut
from lgan_jax.faces import align
from lgan_jax.landmarks import IBUG68, inter_ocular
from lgan_jax.media import images
from lgan_jax.ops import procrustes

NEUTRAL, ANGER, HAPPINESS, SURPRISE = (EXPRESSIONS.index(n) for n in ("neutral", "anger", "happiness", "surprise"))


def opened(root, cache, name="ck_plus", held_out="S022"):
    held = HeldOut(names=(held_out,) if held_out else ())
    return data.open_faces(data.Settings(name=name, dir=str(root), size=128, cache=str(cache), held_out_subjects=held))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Three people; frames are in color, of 16 bits and gray, and of another size."""
    root = posed_sets.ck_plus(
        tmp_path_factory.mktemp("ck") / "CK+",
        {"S010/001": (0, "happiness"), "S022/002": (1, "surprise"), "S022/003": (1, "anger")},
    )
    first = root / "cohn-kanade-images" / "S010" / "001"
    for number in (2, 6):
        path = first / f"S010_001_{number:08d}.png"
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        deep = grey.astype(np.uint16) * 257
        posed_sets.write(path, deep if number == 2 else cv2.resize(grey, None, fx=1.7, fy=1.7))
    return root


@pytest.fixture(scope="module")
def faces(root, tmp_path_factory):
    return opened(root, tmp_path_factory.mktemp("cache"))


def test_reads_the_first_and_the_last_frames(faces):
    assert (faces.name, faces.built_in, faces.info.scheme.name) == ("CK+", False, "ibug68")
    assert faces.info.identities == ("S010", "S022")
    assert faces.train.identity.tolist() == [0] * 6
    assert faces.test.identity.tolist() == faces.validation.identity.tolist() == [1] * 12
    assert faces.train.expression.tolist() == [NEUTRAL] * 3 + [HAPPINESS] * 3
    ends = [NEUTRAL] * 3 + [SURPRISE] * 3 + [NEUTRAL] * 3 + [ANGER] * 3
    assert faces.test.expression.tolist() == ends == [int(faces.test[i]["expression"]) for i in range(12)]
    faces.require_subjects()
    assert faces.notes == (
        "split by subject: 1 in the training split, 1 in the validation split, 1 in the test split; validation and "
        "test share them: with more subjects, each split gets its own",
        "no subject shows contempt, disgust, fear, sadness",
        "no subject in the training split shows anger, surprise",
        "no subject in the validation split shows happiness",
        "no subject in the test split shows happiness",
    )


@pytest.mark.parametrize("index", [0, 1, 4, 5])
def test_crops_are_aligned_whatever_the_frames_are(faces, index):
    """In color, of 16 bits, gray and larger, in color again: the same face at the same place."""
    record = faces.train[index]
    assert {key: (value.shape, value.dtype) for key, value in record.items()} == {
        "image": ((128, 128, 3), np.uint8),
        "landmarks": ((68, 2), np.float32),
        "identity": ((), np.int32),
        "expression": ((), np.int32),
    }
    inner = list(IBUG68.inner)
    assert np.linalg.norm(record["landmarks"] - align.TEMPLATE, axis=-1)[inner].mean() < 0.05
    near = faces.train[0 if index < 3 else 3]
    assert np.linalg.norm(record["landmarks"] - near["landmarks"], axis=-1)[inner].mean() < 0.01
    grey, other = (each["image"].mean(-1).astype(float) for each in (record, near))
    assert np.abs(grey - other).mean() < 8


def test_landmarks_lie_on_the_crops(faces):
    """The drawn landmarks, aligned, are where dlib's lie."""
    true = posed_sets.landmarks(0, "neutral")
    moved = procrustes.apply(procrustes.similarity(true, faces.train[0]["landmarks"].astype(np.float64)), true)
    apart = np.linalg.norm(moved - faces.train[0]["landmarks"], axis=-1)[list(IBUG68.inner)].mean()
    assert apart < 0.08 * inter_ocular(moved, IBUG68)


def test_what_is_left_out_is_counted_and_named(tmp_path):
    """All that can be wrong with a copy of CK+, in one that is otherwise whole."""
    whole = {"S010/001": (0, "happiness"), "S022/002": (1, "surprise")}
    broken = {"S010/002": (0, "happiness"), "S010/003": (0, "happiness"), "S010/004": (0, "happiness")}
    root = posed_sets.ck_plus(tmp_path / "CK+", whole | broken, count=6)
    emotion, pictures = root / "Emotion", root / "cohn-kanade-images"
    next((emotion / "S010/002").iterdir()).unlink()
    next((emotion / "S010/003").iterdir()).write_text("8.0")
    label = next((emotion / "S010/004").iterdir())
    label.rename(label.with_name("S022_002_00000006_emotion.txt"))
    posed_sets.label(root, "S010/009", "1.0", "S010_009_00000001_emotion.txt")
    posed_sets.label(root, "S010/005", "1.0", "S010_005_00000001_emotion.txt")
    posed_sets.write(pictures / "S010/005/S010_005_00000001.png", posed_sets.frame(0, "neutral"))
    one, two, three = (pictures / f"S010/001/S010_001_{i:08d}.png" for i in (1, 2, 3))
    posed_sets.write(one, np.full((256, 320), 90, np.uint8))
    two.write_bytes(two.read_bytes()[:5000])
    posed_sets.write(three, np.zeros((20, 20), np.uint8))
    points = posed_sets.landmarks(0, "happiness")
    for i, wrong in ((4, points), (5, points + (60, 0)), (6, points[:40])):
        file = root / "Landmarks/S010/001" / f"S010_001_{i:08d}_landmarks.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(file, wrong)
    faces = opened(root, tmp_path / "cache")
    assert faces.train.expression.tolist() == [HAPPINESS]
    skipped = "\n".join(faces.notes)
    for reason in (
        "1 × sequence without a label (S010/002)",
        "1 × sequence whose label is not a number from 0 to 7 (S010/003)",
        "1 × sequence with the label of another sequence (S010/004)",
        "1 × label without its sequence (S010/009)",
        "1 × sequence of fewer than two frames (S010/005)",
        "1 × no face is found (cohn-kanade-images/S010/001/S010_001_00000001.png)",
        "1 × the image is truncated (cohn-kanade-images/S010/001/S010_001_00000002.png)",
        "1 × smaller than 32 pixels (cohn-kanade-images/S010/001/S010_001_00000003.png)",
        "1 × landmark file that does not fit its image (cohn-kanade-images/S010/001/S010_001_00000005.png)",
        "1 × landmark file that does not have 68 points (cohn-kanade-images/S010/001/S010_001_00000006.png)",
    ):
        assert f"skipped: {reason}" in skipped
    with pytest.raises(ValueError, match="CK\\+: no person in the training split has images with two different"):
        faces.require_subjects()


@pytest.mark.parametrize(
    ("name", "recordings"),
    [
        ("ck_plus", ["S007/001", "S007/004", "S031/001", "S052/002", "S100/001"]),
        ("oulu_casia", ["P003/Anger", "P011/Fear", "P011/Sadness", "P040/Surprise"]),
    ],
)
def test_every_frame_is_in_one_of_three_splits(tmp_path, name, recordings):
    """Training and test alone have fewer: with three subjects or more, the validation split has its own."""
    shown = dict.fromkeys(recordings, (2, "surprise"))
    root = getattr(posed_sets, name)(tmp_path / "set", shown, count=2)
    faces = opened(root, tmp_path / "cache", name, held_out="")
    assert sum(faces.counts.values()) == 2 * len(recordings)
    subjects = [set(split.identity.tolist()) for split in (faces.train, faces.validation, faces.test)]
    assert sorted(subject for each in subjects for subject in each) == [*range(len(faces.info.identities))]
    assert all(subjects)
    assert not any(note.startswith("skipped") for note in faces.notes)


def test_oulu_casia_in_folders_of_unpacked_archives(tmp_path):
    recordings = {"P001/Happiness": (0, "happiness"), "P002/Anger": (1, "anger"), "P002/Anguish": (1, "fear")}
    posed_sets.oulu_casia(tmp_path / "Oulu" / "OriginalImg", recordings, count=4)
    faces = opened(tmp_path / "Oulu", tmp_path / "cache", "oulu_casia", "P001")
    assert (faces.name, faces.info.identities) == ("Oulu-CASIA", ("P001", "P002"))
    assert faces.test.expression.tolist() == [NEUTRAL] * 2 + [HAPPINESS] * 2  # no frame is at both ends
    assert faces.train.expression.tolist() == [NEUTRAL] * 2 + [ANGER] * 2
    assert any("1 × folder not named after an expression (neutral, anger" in note for note in faces.notes)
    again = opened(tmp_path / "Oulu", tmp_path / "cache", "oulu_casia", "P002")
    assert again.fingerprint != faces.fingerprint
    assert again.test.identity.tolist() == [1] * 4


@pytest.mark.parametrize("name", ["ck_plus", "oulu_casia"])
def test_folders_that_are_something_else(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*none; give the folder that holds"):
        opened(tmp_path / "none", tmp_path / "cache", name)
    root = tiny_sets.celebv(tmp_path / "faces", {"Al": 2})
    with pytest.raises(ValueError, match=r"faces is not .* as its owners distribute it: it has no "):
        opened(root, tmp_path / "cache", name)


def test_nothing_usable_and_one_person_only(tmp_path, root):
    sequence = "cohn-kanade-images/S010/001"
    posed_sets.write(tmp_path / "CK+" / sequence / "S010_001_00000001.png", np.zeros((40, 40), np.uint8))
    (tmp_path / "CK+" / "Emotion").mkdir()
    with pytest.raises(ValueError, match=r"no usable image; skipped: 1 × sequence without a label"):
        opened(tmp_path / "CK+", tmp_path / "cache", held_out="")
    with pytest.raises(ValueError, match="'S011' is not a subject; the subjects are S010, S022"):
        opened(root, tmp_path / "cache", held_out="S011")
    for number in (1, 2):
        posed_sets.write(tmp_path / "CK+" / sequence / f"S010_001_{number:08d}.png", np.zeros((40, 40), np.uint8))
    posed_sets.label(tmp_path / "CK+", "S010/001", "1.0", "S010_001_00000002_emotion.txt")
    with pytest.raises(ValueError, match="at least 2 subjects, not 1"):
        opened(tmp_path / "CK+", tmp_path / "cache", held_out="")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_pictures_of_any_depth_are_read(channels, depth):
    shades = np.random.default_rng(0).integers(0, 256, (9, 7, channels), np.uint8)
    stored = shades.astype(depth) * (257 if depth == np.uint16 else 1)
    read = images.decode(cv2.imencode(".png", stored[..., ::-1])[1].tobytes())
    np.testing.assert_array_equal(read, np.broadcast_to(shades, (9, 7, 3)))
