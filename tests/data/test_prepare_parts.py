"""The parts of `prepare`: alignment and smoothing, the quality filter, following a face, reading files."""

import os
import unicodedata

import cv2
import numpy as np
import pytest

pytest.importorskip("av", reason="needs the extra [faces]")
pytest.importorskip("dlib", reason="needs the extra [faces]")

from small_videos import face, moving, scene, turn_clockwise, write_photo, write_video

from lgan_jax.data.prepare import quality, sources
from lgan_jax.data.prepare.tracking import Observation, Tracker, box_of
from lgan_jax.faces import Faces, align
from lgan_jax.landmarks import IBUG68, mirrored
from lgan_jax.ops import procrustes


@pytest.fixture(scope="module")
def faces():
    return Faces()


def observation(landmarks, **changed):
    """What is seen in `(n, 68, 2)` fractions of 100×100 images: sharp faces, sure of themselves."""
    n = len(landmarks)
    seen = {
        "readable": np.ones(n, bool),
        "found": np.ones(n, bool),
        "landmarks": landmarks.astype(np.float32),
        "agreement": np.full(n, 0.9, np.float32),
        "sharpness": np.full(n, 50, np.float32),
        "size": np.full((n, 2), 100, np.int32),
        "several": np.zeros(n, bool),
    }
    return Observation(**(seen | changed))


# Alignment


def test_the_mean_face_is_symmetric_and_fills_the_unit_square():
    np.testing.assert_allclose(mirrored(align.MEAN_FACE, IBUG68), align.MEAN_FACE, atol=0.0011)
    assert align.MEAN_FACE[:, 1].min() == 0
    assert align.MEAN_FACE[:, 1].max() == 1


@pytest.mark.parametrize(("size", "first", "last"), [(256, 18, 238), (128, 9, 119)])
def test_an_aligned_mean_face_spans_220_of_256_pixels(size, first, last):
    # A mean face of 300 pixels, tilted by 0.4 rad, far from the corner.
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    tilted = 300 * align.MEAN_FACE @ turn.T + (500, 80)
    transform = align.alignment(tilted, size)
    aligned = procrustes.apply(transform, tilted)
    assert aligned[:, 1].min() == pytest.approx(first)
    assert aligned[:, 1].max() == pytest.approx(last)
    assert (aligned[:, 0].min() + aligned[:, 0].max()) / 2 == pytest.approx(size / 2)
    assert np.hypot(*transform[:, 0]) == pytest.approx((last - first) / 300)


@pytest.mark.parametrize("scale", [0.11, 0.7, 1.9])
def test_a_crop_shows_a_spot_where_the_transform_puts_it(scale):
    image = np.zeros((500, 640, 3), np.uint8)
    cv2.circle(image, (400, 200), 16, (255, 255, 255), -1)  # its middle, from edge to edge, is (400.5, 200.5)
    angle = 0.3
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    transform = np.concatenate([rotation, ((40, 52) - rotation @ (400.5, 200.5))[:, None]], 1)
    crop = align.crop(image, transform, 96).astype(float).mean(-1)
    rows, columns = np.indices(crop.shape) + 0.5
    found = np.array([(columns * crop).sum(), (rows * crop).sum()]) / crop.sum()
    np.testing.assert_allclose(found, (40, 52), atol=0.06)
    assert crop.sum() / 255 == pytest.approx(scale**2 * (image[..., 0] > 0).sum(), rel=0.05)


def test_smoothing_steadies_rest_and_leaves_motion_and_cuts_alone():
    random = np.random.default_rng(0)
    still = 200 * align.MEAN_FACE + random.normal(0, 0.5, (30, 68, 2))
    everywhere = np.ones(30, bool)
    steady = align.smoothed(still, everywhere, 2.0)
    assert steady[5:-5].std(0).mean() < 0.6 * still[5:-5].std(0).mean()
    fast = 200 * align.MEAN_FACE + np.arange(30)[:, None, None] * np.array([9.0, 0.0])
    np.testing.assert_allclose(align.smoothed(fast, everywhere, 2.0), fast, atol=0.5)
    cut = np.where(np.arange(30)[:, None, None] < 15, still, still[::-1] + 70)
    before = align.smoothed(cut[:15], everywhere[:15], 2.0)
    np.testing.assert_allclose(align.smoothed(cut, everywhere, 2.0)[:15], before, atol=1e-6)


def test_smoothing_ignores_frames_that_do_not_count():
    still = np.repeat(200 * align.MEAN_FACE[None], 9, 0)
    still[4] += 1.0
    use = np.arange(9) != 4
    result = align.smoothed(still, use, 2.0)
    np.testing.assert_allclose(result[use], still[use], atol=1e-9)
    assert np.isnan(result[4]).all()
    np.testing.assert_allclose(align.smoothed(still, use, 0.0), result, atol=1e-9)


# Quality


def test_a_jump_goes_and_comes_back():
    # 51 inner points of a face 40 pixels tall that drifts by 0.2 pixels a frame.
    drift = 0.3 + 0.4 * align.MEAN_FACE + 0.002 * np.arange(12)[:, None, None]
    drift[5] += (0.2, 0.0)  # there and back
    drift[8:] += (0.0, 0.3)  # and stays there: another shot, not a jump
    moving_on = np.arange(12) > 0
    np.testing.assert_array_equal(np.flatnonzero(quality.jumps(observation(drift), moving_on, 8.0)), [5])
    assert not quality.jumps(observation(drift), moving_on, 0.0).any()
    assert not quality.jumps(observation(drift), np.zeros(12, bool), 8.0).any()


def test_each_dropped_frame_has_one_reason():
    n = 8
    landmarks = np.repeat(0.3 + 0.4 * align.MEAN_FACE[None], n, 0)
    seen = observation(landmarks)
    seen.readable[0] = seen.found[0] = False
    seen.found[1] = False
    seen.sharpness[:] = [0, 0, 50, 40, 14, 16, 60, 70]  # of those with a face the median is 45
    seen.agreement[6] = 0.2
    verdicts = quality.verdicts(seen, np.arange(n) > 0, blur=0.33, jump=8.0)
    assert list(verdicts) == ["unreadable", "no face", "kept", "kept", "blurred", "kept", "jump", "kept"]
    assert list(quality.verdicts(seen, np.arange(n) > 0, blur=0.0, jump=8.0)).count("blurred") == 0


def test_photos_of_small_faces_are_dropped():
    seen = observation(0.5 + np.array([0.4, 0.2, 0.1])[:, None, None] * align.MEAN_FACE[None])
    extent = np.ptp(seen.landmarks[0] * 100, axis=0).max()
    smallest = np.array([extent * 0.9, extent * 0.9, 0.0])  # a photo, a photo, a video's frame
    assert list(quality.verdicts(seen, np.zeros(3, bool), 0.0, 0.0, smallest)) == ["kept", "small", "kept"]


def test_nobody_found_is_no_error():
    seen = observation(np.full((3, 68, 2), np.nan), found=np.zeros(3, bool))
    assert list(quality.verdicts(seen, np.arange(3) > 0, 0.3, 8.0)) == ["no face"] * 3


# Following


def test_the_box_of_landmarks_is_near_the_detectors(faces):
    picture = scene((face(2)[0], 30, 20))
    (box,) = faces.find(picture)
    assert box_of(faces.landmarks(picture, box) * (320, 256)).overlap(box) > 0.7


def test_the_first_largest_face_is_kept_when_a_larger_one_comes(faces):
    first, small, large = face(0, size=200)[0], face(1, size=140)[0], face(1, size=300)[0]
    alone = scene((small, 0, 0), (first, 160, 0), width=700, height=320)
    joined = scene((small, 0, 0), (first, 168, 0), (large, 390, 0), width=700, height=320)
    tracker = Tracker(faces, 128, follow=True)
    seen = [tracker.observe(picture) for picture in (alone, joined)]
    middles = [(observed.landmarks[:, 0] * 700).mean() for observed in seen]
    np.testing.assert_allclose(middles, (260, 268), atol=12)
    photo = Tracker(faces, 128, follow=False)
    photo.observe(alone)
    assert (photo.observe(joined).landmarks[:, 0] * 700).mean() > 450


def test_a_lost_face_is_found_again(faces):
    tracker = Tracker(faces, 128, follow=True)
    here, nowhere, there = (
        scene((face(0)[0], 0, 0)),
        scene(),
        scene((face(0)[0], 90, 30)),
    )
    found = [bool(tracker.observe(picture).found) for picture in (here, nowhere, None, there)]
    assert found == [True, False, False, True]


def test_faces_in_large_and_in_small_pictures_are_found(faces):
    small = face(2, size=96)[0]
    far = scene((face(2, size=300)[0], 1500, 900), width=2400, height=1500)
    for picture, middle in ((small, 48), (far, 1650)):
        seen = Tracker(faces, 128, follow=False).observe(picture)
        assert seen.found
        assert abs(np.nanmean(seen.landmarks[:, 0]) * picture.shape[1] - middle) < 0.05 * picture.shape[1]


# Files


def test_people_of_a_folder(tmp_path):
    write_video(tmp_path / "Ada B.mp4", moving(0, 2))
    write_video(tmp_path / "bo" / "2.mp4", moving(0, 3))
    write_photo(tmp_path / "bo" / "1.JPG", face(0)[0])
    (tmp_path / "bo" / "notes.txt").write_text("x")
    (tmp_path / "bo" / ".hidden.jpg").write_text("x")
    (tmp_path / "readme.md").write_text("x")
    (tmp_path / "empty").mkdir()
    people, others = sources.people(tmp_path)
    assert [person.name for person in people] == ["Ada B", "bo"]
    assert others == ["empty", "readme.md"]
    video, photos = people[1].sources
    assert (video.moving, video.frames, [file.name for file in video.files]) == (True, 3, ["2.mp4"])
    assert (photos.moving, photos.frames, [file.name for file in photos.files]) == (False, 1, ["1.JPG"])
    assert people[1].skipped == ("notes.txt",)


def test_loose_photos_are_people_where_there_is_nothing_else(tmp_path):
    for name in ("ada.jpg", "bo.png"):
        write_photo(tmp_path / name, face(0)[0])
    (tmp_path / "notes.txt").write_text("x")
    people, others = sources.people(tmp_path)
    assert [(person.name, person.loose, len(person.files)) for person in people] == [("ada", True, 1), ("bo", True, 1)]
    assert others == ["notes.txt"]
    write_photo(tmp_path / "cy" / "1.jpg", face(0)[0])
    people, others = sources.people(tmp_path)
    assert [(person.name, person.loose) for person in people] == [("cy", False)]
    assert others == ["ada.jpg", "bo.png", "notes.txt"]
    (tmp_path / "cy" / "1.jpg").rename(tmp_path / "ada.jpeg")
    with pytest.raises(ValueError, match="'ada' more than once"):
        sources.people(tmp_path)


def test_what_is_no_person_is_named_with_the_reason(tmp_path):
    write_photo(tmp_path / "ada" / "2024" / "1.jpg", face(0)[0])
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match=r"no folder with photos or videos; it has ada/ \(its photos or videos lie a"):
        sources.people(tmp_path)
    write_photo(tmp_path / "bo" / "camera.bin", face(0)[0])
    (tmp_path / "bo" / "old").mkdir()
    (tmp_path / "bo" / "page.jpg").write_text("<html>")
    (person,), others = sources.people(tmp_path)
    assert (person.name, [file.name for file in person.files]) == ("bo", ["camera.bin"])
    assert person.skipped == ("old/", "page.jpg")
    assert others == ["ada/ (its photos or videos lie a folder too deep)", "notes.txt"]


def test_people_whose_names_cannot_be_told_apart_or_written(tmp_path):
    for name in (unicodedata.normalize("NFC", "Zoë"), unicodedata.normalize("NFD", "Zoë")):
        write_photo(tmp_path / name / "1.jpg", face(0)[0])
    if len(list(tmp_path.iterdir())) == 2:
        with pytest.raises(ValueError, match="more than once"):
            sources.people(tmp_path)
    write_photo(tmp_path / "n" / os.fsdecode(b"caf\xe9") / "1.jpg", face(0)[0])
    with pytest.raises(ValueError, match=r"caf\\xe9, whose name is not UTF-8: rename it"):
        sources.people(tmp_path / "n")


def test_transparent_photos_are_said(tmp_path):
    image = np.dstack([face(0)[0], np.full((224, 224), 255, np.uint8)])
    image[:40, :, 3] = 0
    (tmp_path / "p").mkdir()
    cv2.imwrite(str(tmp_path / "p" / "1.png"), image)
    (person,), _ = sources.people(tmp_path)
    ((_, shown),) = sources.frames(person.sources[0])
    assert (shown[:40] == 255).all()
    assert person.sources[0].notes == ["transparent parts are shown on white"]


def test_frames_from_the_middle_are_those_of_the_whole(tmp_path):
    video = write_video(tmp_path / "a.mp4", moving(0, 12))
    (person,), _ = sources.people(tmp_path)
    (source,) = person.sources
    assert source.files == (video,)
    whole = dict(sources.frames(source))
    part = dict(sources.frames(source, 9))
    assert (list(whole), list(part)) == (list(range(12)), [9, 10, 11])
    np.testing.assert_array_equal(part[10], whole[10])
    assert np.abs(whole[10].astype(int) - moving(0, 12)[10]).mean() < 4


def test_the_rotation_flag_is_respected(tmp_path):
    upright = scene((face(1)[0], 60, 10), width=320, height=240)
    video = write_video(tmp_path / "a.mp4", [np.ascontiguousarray(np.rot90(upright))] * 2)  # a quarter anticlockwise
    turn_clockwise(video)
    (person,), _ = sources.people(tmp_path)
    for _, frame in sources.frames(person.sources[0]):
        assert np.abs(frame.astype(int) - upright).mean() < 4


def test_damaged_files_end_early_or_are_faulty(tmp_path):
    frames = [scene((face(0)[0], 20 + i, 16)) for i in range(30)]
    random = np.random.default_rng(0)
    for frame in frames:  # so that images take most of the file
        frame[:, 250:] = random.integers(0, 256, frame[:, 250:].shape)
    whole = write_video(tmp_path / "whole.mp4", frames).read_bytes()
    import av

    with av.open(str(tmp_path / "whole.mp4")) as container, av.open(str(tmp_path / "cut.mkv"), "w") as copy:
        stream = copy.add_stream_from_template(container.streams.video[0])
        for packet in container.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    cut = (tmp_path / "cut.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(cut[: len(cut) // 2])
    (tmp_path / "headless.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.mov").write_bytes(b"")
    (tmp_path / "text.avi").write_text("no video")
    write_video(tmp_path / "sound.mp4", [], sound_only=True)
    hole = bytearray(whole)
    hole[len(hole) // 3 : len(hole) // 2] = bytes(len(hole) // 2 - len(hole) // 3)
    (tmp_path / "hole.mp4").write_bytes(hole)
    people, _ = sources.people(tmp_path)
    source = {person.name: person.sources[0] for person in people}
    count = {name: len(list(sources.frames(source[name]))) for name in source}
    assert count["whole"] == 30
    assert 5 < count["cut"] < 28
    assert 5 < count["hole"] <= 30
    assert {name for name in source if source[name].fault} == {"empty", "headless", "sound", "text"}
    assert count["empty"] == count["headless"] == count["sound"] == count["text"] == 0
    assert source["sound"].fault == "it has no video track"


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 700), (900, 2)])
def test_pictures_too_narrow_for_a_face_have_none(faces, height, width):
    tracker = Tracker(faces, 64, follow=True)
    tracker.resume(face(0)[1])
    assert not tracker.observe(np.full((height, width, 3), 9, np.uint8)).found


def test_enormous_photos_are_reduced(tmp_path):
    write_photo(
        tmp_path / "p" / "1.jpg",
        np.repeat(np.arange(256, dtype=np.uint8), 40)[None, :, None].repeat(30, 0).repeat(3, 2),
    )
    (person,), _ = sources.people(tmp_path)
    ((_, image),) = sources.frames(person.sources[0])
    assert image.shape == (24, 8192, 3)


def test_photos_that_cannot_be_read_are_none(tmp_path):
    whole = write_photo(tmp_path / "p" / "1.jpg", face(0)[0]).read_bytes()
    (tmp_path / "p" / "2.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "p" / "3.png").write_text("no image")
    (tmp_path / "p" / "4.jpg").write_bytes(b"")
    write_photo(tmp_path / "p" / "5.jpg", face(1)[0])
    (person,), _ = sources.people(tmp_path)
    read = dict(sources.frames(person.sources[0]))
    assert [index for index, image in read.items() if image is not None] == [0, 4]


def test_folders_without_people_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        sources.people(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no video, no photo, and no folder"):
        sources.people(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError, match="not a folder"):
        sources.people(tmp_path / "file")
    write_photo(tmp_path / "ada" / "1.jpg", face(0)[0])
    write_video(tmp_path / "ada.mp4", moving(0, 2))
    with pytest.raises(ValueError, match="'ada' more than once"):
        sources.people(tmp_path)
