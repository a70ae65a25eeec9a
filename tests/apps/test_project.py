"""Projection from photos to a folder: with tiny published networks, and with ones that are easily seen through."""

import dataclasses

import av
import numpy as np
import pytest
import small_projector
import small_videos
from small_projector import BY_FINDER, FRAMING, ONE, SIZE, options, photo

from lgan_jax import cli
from lgan_jax.apps.project import aligned, command, projection, result_folder, target_landmarks, video
from lgan_jax.faces import align
from lgan_jax.landmarks import IBUG68
from lgan_jax.media import provenance
from lgan_jax.media.images import decode, resized
from lgan_jax.methods.projection.model import SETTINGS
from lgan_jax.methods.projection.projector import Projector, Settings


@pytest.fixture(scope="module")
def projector():
    return small_projector.built()


@pytest.fixture(scope="module")
def written(projector, tmp_path_factory):
    """One pair, two restarts."""
    folder = tmp_path_factory.mktemp("one")
    photo(folder / "a.jpg", ONE)
    photo(folder / "b.jpg", (small_videos.face(2)[0], 20, 20))
    said = []
    assert projection.run(options(folder, restarts=2), projector, FRAMING, said.append) == 0
    assert said[-1].startswith(f"{folder / 'out'} is written; mean loss ")
    return folder / "out"


def test_images_and_w(written, projector):
    names = ["landmarks.png", "look.png", "progress.mp4", "result-landmarks.png", "result.png", "w.npz"]
    assert sorted(path.name for path in written.iterdir()) == names
    for name in names:
        if name.endswith(".png"):
            side = 256 if name == "result-landmarks.png" else SIZE  # large enough for points that leave the face to see
            assert decode((written / name).read_bytes()).shape == (side, side, 3)
    assert provenance.SOURCE_TYPE.encode() in (written / "result.png").read_bytes()
    assert provenance.SOURCE_TYPE.encode() not in (written / "look.png").read_bytes()
    styles = np.load(written / "w.npz")["w"]
    assert styles.shape == (1, projector.generator.places, 5)
    plain, drawn = (decode((written / f"result{end}.png").read_bytes()) for end in ("", "-landmarks"))
    change = np.abs(resized(plain, 256).astype(int) - drawn).max(-1) > 20
    assert 50 < change.sum() < change.size / 4


def test_the_video_shows_every_report_in_four_panels(written):
    with av.open(str(written / "progress.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 3
    assert {frame.shape for frame in frames} == {(256, 4 * 256, 3)}
    look = resized(decode((written / "look.png").read_bytes()), 256)
    assert np.abs(frames[0][:, :256].astype(int) - look).mean() < 8


def test_pairs_that_cannot_be_used_are_said_and_left_out(projector, tmp_path):
    photo(tmp_path / "a.jpg", ONE)
    (tmp_path / "b").mkdir()
    photo(tmp_path / "b" / "1.jpg", ONE)
    photo(tmp_path / "b" / "2.jpg")
    photo(tmp_path / "b" / "3.jpg", ONE)
    said = []
    assert projection.run(options(tmp_path, landmarks=tmp_path / "b"), projector, FRAMING, said.append) == 0
    assert said[0] == f"left out: --landmarks {tmp_path / 'b' / '2.jpg'}: there is no face that can be seen"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["000-a-1", "001-a-3"]
    assert (tmp_path / "out" / "001-a-3" / "result.png").is_file()


def test_photos_without_one_face_or_with_flat_maps_are_refused(projector, tmp_path):
    photo(tmp_path / "a.jpg", ONE)
    photo(tmp_path / "b.jpg", (small_videos.face(1)[0], 10, 16), (small_videos.face(2)[0], 260, 16), width=500)
    with pytest.raises(ValueError, match=r"--landmarks .*b\.jpg: there are 2 faces; crop the photo around"):
        projection.run(options(tmp_path), projector, FRAMING)
    photo(tmp_path / "b.jpg")
    with pytest.raises(ValueError, match=r"--landmarks .*b\.jpg: there is no face that can be seen"):
        projection.run(options(tmp_path), projector, FRAMING)
    photo(tmp_path / "b.jpg", ONE)
    projector = small_projector.built(height=0.1)
    with pytest.raises(ValueError, match=r"--landmarks .*b\.jpg: the heatmaps of its landmarks are flat"):
        projection.run(options(tmp_path), projector, FRAMING)
    small_videos.write_video(tmp_path / "b.mp4", small_videos.moving(1, 1))
    with pytest.raises(ValueError, match=r"--look .*a\.jpg: the heatmaps of its landmarks are flat"):
        video.run(options(tmp_path, landmarks=tmp_path / "b.mp4", relative=True), projector, FRAMING)
    assert not (tmp_path / "out").exists()


def test_a_search_that_diverges_is_said_and_the_others_are_kept(projector, tmp_path, monkeypatch):
    """Where the landmarks' maps are NaN; they are known by the photo that they are of."""
    photo(tmp_path / "a.jpg", ONE)
    (tmp_path / "b").mkdir()
    for name, place in (("1.jpg", (60, 16)), ("2.jpg", (20, 20))):
        photo(tmp_path / "b" / name, (small_videos.face(1)[0], *place))
    real = Projector.heatmaps
    monkeypatch.setattr(Projector, "heatmaps", lambda self, images: real(self, images) * broken[: len(images)])
    broken = np.ones((2, 1, 1, 1), np.float32)
    broken[1] = 1e30  # whose squares are infinite
    said = []
    assert projection.run(options(tmp_path, landmarks=tmp_path / "b"), projector, FRAMING, said.append) == 0
    assert said[0].startswith("left out: a with the landmarks of 2: the search diverged, its loss is no finite number")
    assert "smaller weights may help (--look-weight, --landmark-weight, --weight)" in said[0]
    assert (tmp_path / "out" / "result.png").is_file()
    broken[0] = 1e30
    with pytest.raises(ValueError, match=r"^the search diverged, .* another --seed; nothing is written$"):
        projection.run(options(tmp_path, landmarks=tmp_path / "b", out=tmp_path / "no"), projector, FRAMING)
    assert not (tmp_path / "no").exists()


def test_nothing_is_left_of_a_folder_that_could_not_be_written(projector, tmp_path, monkeypatch):
    photo(tmp_path / "a.jpg", ONE)
    photo(tmp_path / "b.jpg", ONE)
    monkeypatch.setattr(
        result_folder, "_write_video", lambda *given: (_ for _ in ()).throw(OSError("the disk is full"))
    )
    with pytest.raises(OSError, match="the disk is full"):
        projection.run(options(tmp_path, restarts=2), projector, FRAMING)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "b.jpg"]


def test_alignment_is_that_of_ffhq():
    """Eyes level 40 apart, the mouth 50 below: half a side is 1.8·50, the middle 5 below the eyes; turned, the same."""
    points = np.zeros((68, 2))
    points[list(IBUG68.groups["right_eye"])], points[list(IBUG68.groups["left_eye"])] = (100, 70), (140, 70)
    points[[48, 54]] = (110, 120), (130, 120)
    matrix = align.ffhq_alignment(points, 64)
    np.testing.assert_allclose(matrix, [[32 / 90, 0, 32 - 120 * 32 / 90], [0, 32 / 90, 32 - 75 * 32 / 90]])
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    turned = align.ffhq_alignment(points @ turn.T + (7, -3), 64)
    np.testing.assert_allclose(turned[:, :2] @ turn, matrix[:, :2], atol=1e-12)
    corner = matrix[:, :2] @ points[0] + matrix[:, 2]
    np.testing.assert_allclose(turned[:, :2] @ (turn @ points[0] + (7, -3)) + turned[:, 2], corner)


def test_eyes_and_mouth_of_a_photo_come_where_they_belong(tmp_path):
    path = photo(tmp_path / "a.jpg", ONE)
    face = aligned.read(path, "--look", FRAMING._replace(size=256))
    landmarks = FRAMING.faces.measure(face.crop)
    eyes = [landmarks[list(IBUG68.groups[name])].mean(0) for name in ("right_eye", "left_eye")]
    np.testing.assert_allclose(eyes[0][1], eyes[1][1], atol=0.02)
    assert 0.35 < np.mean(eyes, 0)[1] < 0.55
    np.testing.assert_allclose(np.mean(eyes, 0)[0], 0.5, atol=0.03)


def test_landmarks_of_a_photo_are_the_finders_where_that_is_wanted(projector, tmp_path, monkeypatch):
    """In the crop, as they are found anew in a larger one; the network is then not asked, not even about flatness."""
    path = photo(tmp_path / "a.jpg", ONE)
    face = aligned.read(path, "--look", BY_FINDER)
    larger = aligned.read(path, "--look", FRAMING._replace(size=256))
    np.testing.assert_allclose(face.landmarks, FRAMING.faces.measure(larger.crop), atol=0.02)
    monkeypatch.setattr(Projector, "heatmaps", None)
    aligned.check_landmarks(face, projector, "")
    np.testing.assert_array_equal(target_landmarks.landmarks([face], projector), face.landmarks[None])
    monkeypatch.undo()
    seen = larger._replace(crop=face.crop)  # of which they are not known
    np.testing.assert_allclose(target_landmarks.landmarks([seen], projector)[0], face.crop / 127.5 - 1, atol=1e-5)
    both = target_landmarks.landmarks([face, seen], projector)
    np.testing.assert_array_equal(both, [face.landmarks, projector.locate(face.crop[None] / np.float32(127.5) - 1)[0]])


def test_relative_adds_the_change_from_rest_to_the_looks_own_landmarks(projector, tmp_path, monkeypatch):
    """What drives is, in the first pair, at rest itself; the panel shows the wanted landmarks over the look."""
    look, other = small_videos.face(1)[0], small_videos.face(2)[0]
    photo(tmp_path / "a.jpg", (look, 60, 16))
    photo(tmp_path / "rest.jpg", (other, 20, 20))
    (tmp_path / "b").mkdir()
    photo(tmp_path / "b" / "1.jpg", (other, 20, 20))
    photo(tmp_path / "b" / "2.jpg", (look, 60, 16))
    asked, real = [], Projector.__call__
    monkeypatch.setattr(
        Projector, "__call__", lambda self, *pair, **given: asked.append(pair) or real(self, *pair, **given)
    )
    changes = {"relative": True, "neutral": str(tmp_path / "rest.jpg"), "landmarks": tmp_path / "b"}
    assert projection.run(options(tmp_path, **changes), projector, BY_FINDER, print) == 0
    rest, own_face = (aligned.read(tmp_path / name, "", BY_FINDER) for name in ("rest.jpg", "a.jpg"))
    at_rest, own = rest.landmarks, own_face.landmarks
    target = asked[0][1]
    np.testing.assert_allclose(target[0], own, atol=1e-6)
    np.testing.assert_allclose(target[1], own + (own - at_rest), atol=1e-6)
    assert np.abs(target[1] - own).max() > 0.01
    picture, points = target_landmarks.shown((own_face, rest), projector, target[0] - at_rest)
    np.testing.assert_array_equal(picture, own_face.crop)
    np.testing.assert_allclose(points, own, atol=1e-6)


def failed(arguments, capsys):
    assert cli.run(lambda: command.main([str(each) for each in arguments]), "project") == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


def flags(folder, **changes):
    names = {"network": "n.pkl", "fan": "f.zip", "vgg": "v.pth", "look": "a.jpg", "landmarks": "a.jpg", "out": "out"}
    given = {name: folder / file for name, file in names.items()} | changes
    return [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", value)]


def test_what_the_command_line_refuses(tmp_path, capsys):
    photo(tmp_path / "a.jpg", ONE)
    (tmp_path / "two").mkdir()
    (tmp_path / "three").mkdir()
    for folder, count in (("two", 2), ("three", 3)):
        for i in range(count):
            photo(tmp_path / folder / f"{i}.jpg", ONE)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    for changes, message in (
        ({"weight": "ears=2"}, "ibug68 has no group of landmarks 'ears'"),
        ({"weight": "jaw"}, "--weight jaw must be a group of landmarks and a number, such as jaw=0.1"),
        ({"workdir": tmp_path}, "--workdir and --network exclude one another: give a run, or published networks"),
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"restarts": 0}, "--restarts is 0; it must be at least 1"),
        ({"restarts": 4, "candidates": 3}, "--restarts 4 needs as many --candidates, not 3"),
        ({"neutral": tmp_path / "a.jpg"}, "--neutral says what --relative starts from: give both"),
        ({"space": "z"}, "--space: invalid choice: 'z'"),
        ({"out": tmp_path / "full"}, "is there already: choose a new or an empty folder"),
        ({"out": tmp_path / "no" / "out"}, "there is no folder"),
        ({"look": tmp_path / "none.jpg"}, "there is no file or folder"),
        ({"look": tmp_path / "two", "landmarks": tmp_path / "three"}, "--look has 2 photos and --landmarks 3"),
        ({}, "--network is"),
    ):
        assert message in failed(flags(tmp_path, **changes), capsys)
    small_videos.write_video(tmp_path / "b.mp4", small_videos.moving(1, 1))
    relative = [*flags(tmp_path), "--relative"]
    assert "--relative needs --neutral PHOTO: the person of --landmarks, at rest" in failed(relative, capsys)
    assert "there is no file or folder" in failed([*relative, "--neutral", tmp_path / "none.jpg"], capsys)
    moving = [*flags(tmp_path, landmarks=tmp_path / "b.mp4"), "--relative", "--neutral", "a.jpg"]
    assert "--neutral a.jpg: of a video it is the number of a frame, from 0 on" in failed(moving, capsys)


def _paths(folder):
    return {"look": folder / "a.jpg", "landmarks": folder / "b.jpg", "out": folder / "out"}


def test_a_run_or_all_of_the_files_are_needed(tmp_path):
    with pytest.raises(
        ValueError, match=r"give --workdir RUN, or --network, --fan and --vgg \(missing: --fan, --vgg\)"
    ):
        projection.Options(**_paths(tmp_path), network=tmp_path / "n.pkl")


def test_usual_settings_depend_on_who_sees(tmp_path):
    def settings(**given):
        return projection.settings(projection.Options(**_paths(tmp_path), **given))

    published = {name: tmp_path / name for name in ("network", "fan", "vgg")}
    original = settings(**published)
    assert original == dataclasses.replace(Settings(), every=original.every)  # the flags' defaults are the method's
    assert (original.landmarks, original.prior, original.candidates, original.space) == (0.1, 0, 0, "w")
    assert settings(**published, space="w+").space == "w+"
    assert settings(**published, prior=0.5, candidates=7).candidates == 7
    of_run = settings(workdir=tmp_path)
    assert (of_run.landmarks, of_run.prior, of_run.candidates) == (SETTINGS.landmarks, SETTINGS.prior, 1000)
    assert settings(workdir=tmp_path, landmark_weight=0.0, prior=0.0).landmarks == 0


def test_from_the_command_line(projector, tmp_path, capsys, monkeypatch):
    """With networks that are there already."""
    asked = []
    monkeypatch.setattr(projection.networks, "projector", lambda *given: asked.append(given) or projector)
    path = photo(tmp_path / "a.jpg", ONE)
    given = flags(tmp_path, lpips="l.pth", steps=3, weight="jaw=0.5", landmark_weight=0.07)
    assert cli.run(lambda: command.main([str(each) for each in given]), "project") == 0
    *files, weights, settings = asked[0]
    assert [file.name for file in files] == ["n.pkl", "f.zip", "v.pth", "l.pth"]
    assert weights == {"jaw": 0.5}
    assert (settings.steps, settings.landmarks, settings.look) == (3, 0.07, 1.0)
    assert f"{tmp_path / 'out'} is written" in capsys.readouterr().out
    assert (tmp_path / "out" / "result.png").is_file()
    small_videos.write_video(tmp_path / "b.mp4", small_videos.moving(1, 1))
    given = flags(tmp_path, landmarks=tmp_path / "b.mp4", out=tmp_path / "moving", frame_steps=1)
    assert cli.run(lambda: command.main([str(each) for each in given]), "project") == 0
    assert (tmp_path / "moving" / "video.mp4").is_file()
    other = flags(tmp_path, look=tmp_path / "b.mp4", landmarks=path, out=tmp_path / "more")
    assert "b.mp4 is a video; only --landmarks may be one" in failed(other, capsys)
