"""`python -m lgan_jax.data.prepare` on small videos of built-in faces."""

import json
import shutil
import sys

import cv2
import numpy as np
import pytest

pytest.importorskip("av", reason="needs the extra [faces]")
pytest.importorskip("dlib", reason="needs the extra [faces]")

import forked
from small_videos import face, moving, scene, write_photo, write_video

from lgan_jax import cli, data
from lgan_jax.data import prepare
from lgan_jax.data.builders import openface
from lgan_jax.data.prepare import __main__ as command
from lgan_jax.faces import Faces
from lgan_jax.faces.unit_estimate import ESTIMATED
from lgan_jax.landmarks import IBUG68

# A program that kills itself when it is about to give its n-th file or folder its final name.
KILLED = """
import os, signal, sys
from lgan_jax.data.prepare import __main__ as command, person
from lgan_jax.data.prepare import output_folder
person.PIECE = output_folder.PIECE = 5
left, rename = int(sys.argv[1]), os.replace
def replace(*names):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(*names)
os.replace = replace
command.main(sys.argv[2:])
"""


@pytest.fixture(scope="module")
def faces():
    return Faces()


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Ada: 12 frames, one of them without a face, one blurred; Bo: four photos, one truncated, and a text file."""
    folder = tmp_path_factory.mktemp("videos")
    frames = moving(0, 12)
    frames[4] = scene()
    frames[9] = cv2.GaussianBlur(frames[9], (0, 0), 4)
    write_video(folder / "Ada.mp4", frames)
    for i in range(4):
        photo = write_photo(folder / "Bo" / f"{i}.jpg", face(2, yaw=5.0 * i)[0])
    photo.write_bytes(photo.read_bytes()[:3000])
    (folder / "Bo" / "notes.txt").write_text("x")
    return folder


@pytest.fixture(scope="module")
def prepared(videos, faces, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "out"
    return out, prepare.prepare(videos, out, prepare.Options(size=128), faces)


def run(*arguments):
    """The command in this process: its exit status."""
    return cli.run(lambda: command.main([str(argument) for argument in arguments]), "prepare")


def files(folder):
    """All files of a folder by name, with what is in them."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines(out, person):
    """Landmarks `(n, 68, 2)` and names of the images of a person."""
    fields = [line.split(" ") for line in (out / person / "all_68pt.txt").read_text().splitlines()]
    assert {len(line) for line in fields} == {137}
    return np.array([line[:136] for line in fields], float).reshape(-1, 68, 2), [line[136] for line in fields]


def test_frames_are_kept_under_their_numbers_or_dropped_and_counted(prepared):
    out, result = prepared
    ada, bo = result["people"]["Ada"], result["people"]["Bo"]
    assert (ada["frames"], ada["kept"]) == (12, 10)
    assert ada["dropped"] == {"unreadable": 0, "no face": 1, "small": 0, "blurred": 1, "jump": 0}
    assert (bo["frames"], bo["kept"]) == (4, 3)
    assert bo["dropped"] == {"unreadable": 1, "no face": 0, "small": 0, "blurred": 0, "jump": 0}
    assert bo["skipped_files"] == ["notes.txt"]
    names = [f"{i:06d}.jpg" for i in range(12) if i not in (4, 9)]
    assert lines(out, "Ada")[1] == sorted(path.name for path in (out / "Ada" / "Image").iterdir()) == names
    assert lines(out, "Bo")[1] == ["000000.jpg", "000100.jpg", "000200.jpg"]  # photos are no neighbors in time
    assert json.loads((out / "prepared.json").read_text()) == json.loads(json.dumps(result))
    assert ada["coverage"]["frames"] == 10
    for name in ("yaw", "pitch", "mouth", "lids"):
        low, high = ada["coverage"][name]
        assert low <= high
    assert ada["warnings"] == bo["warnings"] == []  # with few frames each they are split whole, not learned one by one
    assert (result["version"], result["scheme"], result["size"]) == (1, "ibug68", 128)
    cropped = {"size": 128, "smooth": 2.0, "blur": 0.3, "jump": 8.0}
    assert result["options"] == cropped | {"landmarks": "dlib", "action_units": "landmarks", "face_landmarker": ""}


def test_action_units_are_estimated_and_added_to_a_folder_without(prepared, videos, tmp_path, faces, monkeypatch):
    out = shutil.copytree(prepared[0], tmp_path / "out")
    text = (out / "Ada" / "action_units.csv").read_text()
    assert text.startswith("# An estimate by lgan_jax from landmarks, relative to the person's neutral face")
    table = openface.read_table(out / "Ada" / "action_units.csv", required=ESTIMATED)
    assert [row.image for row in table.rows] == lines(out, "Ada")[1]
    units = np.stack([row.units for row in table.rows])
    assert units.max() < 0.5  # Ada rests in all frames
    (out / "Ada" / "action_units.csv").unlink()
    monkeypatch.setattr(prepare.person.Tracker, "observe", None)  # nothing is looked at again
    prepare.prepare(videos, out, prepare.Options(size=128), faces)
    assert files(out) == files(prepared[0])


def test_crops_are_aligned_and_landmarks_lie_on_them(prepared, faces):
    out, _ = prepared
    for person in ("Ada", "Bo"):
        points, names = lines(out, person)
        for i, name in enumerate(names):
            image = cv2.imread(str(out / person / "Image" / name))[..., ::-1]
            assert image.shape == (128, 128, 3)
            found = faces.measure(np.ascontiguousarray(image))
            stored = (points[i] + 0.5) / 128
            assert np.linalg.norm(stored - found, axis=-1)[IBUG68.inner].mean() < 0.02
        eyes = points[:, 36:48].mean(1) + 0.5
        np.testing.assert_allclose(eyes, np.broadcast_to((64.0, 30.3), eyes.shape), atol=5)  # of the mean face


def test_roll_is_removed(tmp_path, faces):
    image, _ = face(0)
    turn = cv2.getRotationMatrix2D((112, 112), 14, 1)
    write_photo(tmp_path / "in" / "Ada" / "1.jpg", image)
    write_photo(
        tmp_path / "in" / "Ada" / "2.jpg", cv2.warpAffine(image, turn, (224, 224), borderMode=cv2.BORDER_REFLECT)
    )
    prepare.prepare(tmp_path / "in", tmp_path / "out", prepare.Options(size=64), faces)
    points, _ = lines(tmp_path / "out", "Ada")
    slope = points[:, 42:48].mean(1) - points[:, 36:42].mean(1)
    assert np.abs(np.rad2deg(np.arctan2(slope[:, 1], slope[:, 0]))).max() < 2
    assert np.linalg.norm(points[0] - points[1], axis=-1)[IBUG68.inner].mean() < 1.5


def test_the_reader_of_celebv_reads_it(prepared, tmp_path):
    out, _ = prepared
    with_data = data.Settings(name="celebv", dir=str(out), size=64, cache=str(tmp_path), split="time")
    opened = data.open_faces(with_data)
    assert opened.info.identities == ("Ada", "Bo")
    assert opened.info.scheme.name == "ibug68"
    points, names = lines(out, "Ada")
    shown = {name: sum(getattr(opened, name).identity == 0) for name in opened.counts}
    assert prepare.splits(out, {"Ada": {"kept": 10}}) == {"Ada": shown}
    stored = [(points[i] + 0.5) / 128 for i in range(len(names))]
    read = opened.train[int(np.flatnonzero(opened.train.identity == 0)[0])]["landmarks"]
    assert min(np.abs(read - expected).max() for expected in stored) < 1e-4


def test_killed_at_any_moment_it_goes_on_to_the_same_files(prepared, videos, tmp_path, faces):
    undisturbed, _ = prepared
    out = tmp_path / "out"
    # Writing the second piece of what is seen; that five crops are written; moving Ada's finished folder to the output.
    for moment, there in ((3, "seen-0-0.npz"), (4, "set/Image/000002.jpg"), (6, "set/all_68pt.txt")):
        arguments = [str(moment), str(videos), str(out), "--size", "128"]
        killed = forked.run("-c", KILLED, *arguments)
        assert killed.returncode == -9, killed.stderr
        assert (out / ".prepare" / "begun" / "Ada" / there).exists()
        assert not (out / "Ada").exists()
        assert not (out / "prepared.json").exists()
    result = prepare.prepare(videos, out, prepare.Options(size=128), faces)
    assert result["people"]["Ada"]["kept"] == 10
    assert files(out) == files(undisturbed)


class Interrupting(Faces):
    """Presses Ctrl-C at the n-th face."""

    def __init__(self, left):
        self.left = left

    def landmarks(self, image, box):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return super().landmarks(image, box)


def test_what_is_done_is_not_done_again(videos, prepared, tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr(prepare.person, "PIECE", 4)
    status = cli.run(lambda: prepare.prepare(videos, out, prepare.Options(size=128), Interrupting(10)), "prepare")
    assert status == 130
    assert len(list((out / ".prepare" / "begun" / "Ada").glob("seen-*.npz"))) == 2
    seen = []
    observe = prepare.person.Tracker.observe
    monkeypatch.setattr(prepare.person.Tracker, "observe", lambda self, image: seen.append(1) or observe(self, image))
    prepare.prepare(videos, out, prepare.Options(size=128), Faces())
    assert len(seen) == 4 + 4  # the rest of Ada's frames, and Bo's photos
    assert files(out) == files(prepared[0])
    prepare.prepare(videos, out, prepare.Options(size=128), Faces())
    assert len(seen) == 8


def test_another_job_in_the_same_folder_is_refused(videos, prepared, tmp_path, faces):
    out = shutil.copytree(prepared[0], tmp_path / "out")
    before = files(out)
    with pytest.raises(ValueError, match="written with --size 128, not 96: choose another OUT"):
        prepare.prepare(videos, out, prepare.Options(size=96), faces)
    changed = shutil.copytree(videos, tmp_path / "videos")
    write_video(changed / "Ada.mp4", moving(1, 3))
    with pytest.raises(ValueError, match="files of 'Ada' have changed"):
        prepare.prepare(changed, out, prepare.Options(size=128), faces)
    shutil.rmtree(changed / "Bo")
    (changed / "Ada.mp4").unlink()
    shutil.copy2(videos / "Ada.mp4", changed / "Ada.mp4")
    with pytest.raises(ValueError, match="'Bo', which is missing"):
        prepare.prepare(changed, out, prepare.Options(size=128), faces)
    assert files(out) == before


def test_a_person_can_be_added(videos, prepared, tmp_path, faces):
    out = shutil.copytree(prepared[0], tmp_path / "out")
    more = shutil.copytree(videos, tmp_path / "videos")
    write_video(more / "Cy.mp4", moving(2, 3))
    before = files(out / "Ada")
    result = prepare.prepare(more, out, prepare.Options(size=128), faces)
    assert list(result["people"]) == ["Ada", "Bo", "Cy"]
    assert result["people"]["Cy"]["kept"] == 3
    assert files(out / "Ada") == before


def test_several_videos_of_a_person_do_not_touch_in_time(tmp_path, faces):
    write_video(tmp_path / "in" / "Ada" / "one.mp4", moving(0, 3))
    write_video(tmp_path / "in" / "Ada" / "two.mp4", moving(0, 2))
    result = prepare.prepare(tmp_path / "in", tmp_path / "out", prepare.Options(size=64), faces)
    assert [source["first"] for source in result["people"]["Ada"]["sources"]] == [0, 1000]
    assert lines(tmp_path / "out", "Ada")[1] == [f"{i:06d}.jpg" for i in (0, 1, 2, 1000, 1001)]


def test_the_command_reports_every_person(tmp_path, capsys):
    write_video(tmp_path / "in" / "job.mp4", moving(0, 4))
    write_video(tmp_path / "in" / "Nobody.mp4", [scene()] * 3)
    (tmp_path / "in" / "Broken.mp4").write_bytes(b"no video at all")
    (tmp_path / "in" / "notes.txt").write_text("x")
    assert run(tmp_path / "in", tmp_path / "out", "--size", 64) == 0
    said = capsys.readouterr()
    printed = " ".join(said.out.split())
    assert "Left out: Nobody (none of 3 frames is usable: 3 no face)" in printed
    assert (
        "Left out: Broken (cannot be read: it is cut off or damaged (Invalid data found when processing input))"
        in printed
    )
    assert "Not taken for people: notes.txt" in printed
    assert "holds 1 of 3 people" in printed
    warned = [line.removeprefix("WARNING: job ") for line in said.out.splitlines() if line.startswith("WARNING: ")]
    assert [line.split(":")[0] for line in warned] == [
        "has 4 frames; below 60 a generator overfits",
        "never moves",
        "is the only identity",
    ]
    assert "yaw, °" in said.out
    assert "job: " in said.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"job", "prepared.json", ".prepare"}
    assert list(json.loads((tmp_path / "out" / "prepared.json").read_text())["left_out"]) == ["Broken", "Nobody"]


class TwoPeople(Faces):
    """Sees somebody else from the sixth face on."""

    def descriptors(self, images, landmarks):
        return np.eye(128, dtype=np.float32)[[0 if i < 5 else 1 for i in range(len(images))]]


def test_blurred_frames_and_two_people_in_a_clip_are_said(tmp_path):
    frames = [cv2.GaussianBlur(f, (0, 0), 4) if i % 3 == 2 else f for i, f in enumerate(moving(0, 15))]
    write_video(tmp_path / "in" / "Ada.mp4", frames)
    result = prepare.prepare(tmp_path / "in", tmp_path / "out", prepare.Options(size=64), TwoPeople())
    blurred, strangers = result["people"]["Ada"]["warnings"][-2:]
    assert blurred.startswith("Ada is blurred in 5 of 15 frames, which are dropped")
    # Ten frames are kept, of which nine are compared: the sixth of them is the seventh kept, frame 9 of 25 a second.
    assert strangers.startswith("Ada seems to be two people: another face appears in Ada.mp4, about 0:00.4")


def test_loose_photos_are_one_person_each(tmp_path, capsys):
    """Five faces, one beside a smaller one, one too small for the crops, and a landscape."""
    for i, name in enumerate(("smiling_1", "b", "c", "d")):
        write_photo(tmp_path / "in" / f"{name}.jpg", face(i)[0])
    pair = np.concatenate([face(4)[0], cv2.resize(face(5)[0], None, fx=0.75, fy=0.75)[[*range(168), *[167] * 56]]], 1)
    write_photo(tmp_path / "in" / "pair.jpg", pair)
    write_photo(tmp_path / "in" / "small.jpg", cv2.resize(face(6)[0], None, fx=0.4, fy=0.4))
    write_photo(tmp_path / "in" / "landscape.jpg", scene())
    (tmp_path / "in" / "notes.txt").write_text("x")
    assert run(tmp_path / "in", tmp_path / "out", "--size", 224) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "VIDEOS has 7 people: each photo is one" in printed
    assert "Photos with several faces, of which the largest is used: 1 (pair.jpg)" in printed
    assert "Left out: landscape (none of 1 frames is usable: 1 no face)" in printed
    assert "Left out: small (none of 1 frames is usable: 1 small)" in printed
    assert "No action units: a single photo of a person has no neutral face" in printed
    assert "WARNING" not in printed
    assert "holds 5 of 7 people" in printed
    assert (
        tmp_path / "out" / "smiling_1" / "expressions.csv"
    ).read_text() == "image,expression\n000000.jpg,happiness\n"
    settings = data.Settings(name="celebv", dir=str(tmp_path / "out"), size=64, cache=str(tmp_path / "cache"))
    faces = data.open_faces(settings)
    assert faces.info.identities == ("b", "c", "d", "pair", "smiling_1")
    assert [counts > 0 for counts in faces.counts.values()] == [True] * 3
    assert sum(faces.counts.values()) == 5
    (kept,) = lines(tmp_path / "out", "pair")[0]
    assert np.ptp(kept[:, 0]) == pytest.approx(np.ptp(lines(tmp_path / "out", "b")[0][0][:, 0]), rel=0.2)


def test_one_loose_photo_is_no_data_set(tmp_path, capsys):
    write_photo(tmp_path / "in" / "me.jpg", face(0)[0])
    assert run(tmp_path / "in", tmp_path / "out") == 2
    assert "holds one photo, me.jpg, and each photo is a person: add others" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_photos_named_after_an_expression_are_labeled(tmp_path, faces):
    for name in ("Ada", "Bo", "Cy"):
        for i, file in enumerate(("neutral", "Smiling 2", "IMG_7")):
            write_photo(tmp_path / "in" / name / f"{file}.jpg", face(2, yaw=3.0 * i)[0])
    prepare.prepare(tmp_path / "in", tmp_path / "out", prepare.Options(size=64), faces)
    table = (tmp_path / "out" / "Ada" / "expressions.csv").read_text()
    assert table == "image,expression\n000100.jpg,happiness\n000200.jpg,neutral\n"  # by name, capitals first
    settings = {"dir": str(tmp_path / "out"), "size": 48, "cache": str(tmp_path / "cache")}
    opened = data.open_faces(data.Settings(name="celebv", **settings))
    assert opened.train.expression.reshape(-1, 3)[0].tolist() == [-1, 5, 0]
    with pytest.raises(ValueError, match="some images have no expression"):
        opened.require_subjects()
    labelled = data.open_faces(data.Settings(name="ck_plus", **settings))
    assert any("but for the images that <person>/expressions.csv labels" in note for note in labelled.notes)
    assert {0, 5} <= set(labelled.train.expression.tolist())
    (tmp_path / "out" / "Ada" / "expressions.csv").write_text("image,expression\n000100.jpg,glee\n")
    with pytest.raises(
        ValueError, match=r"expressions\.csv: there is no expression 'glee'; the expressions are neutral"
    ):
        data.open_faces(data.Settings(name="celebv", **settings))


def test_nobody_left_is_an_error(tmp_path, capsys):
    write_video(tmp_path / "in" / "Nobody.mp4", [scene()] * 3)
    assert run(tmp_path / "in", tmp_path / "out") == 2
    assert capsys.readouterr().err.splitlines()[-1] == "prepare: nobody is left of the people in VIDEOS (1 left out)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{}/nowhere", "{}/out"], "there is no folder"),
        (["{}/videos/notes.txt", "{}/out"], "is not a folder"),
        (["{}/videos", "{}/videos/out"], "must not lie in VIDEOS"),
        (["{}/videos", "{}/videos"], "must not lie in VIDEOS"),
        (["{}/videos", "{}"], "must not lie in OUT"),
        (["{}/videos", "{}/other"], "holds other files"),
        (["{}/videos", "{}/other/file"], "is a file"),
        (["{}/videos", "{}/out", "--size", "9"], "--size must be between 32 and 2048"),
        (["{}/videos", "{}/out", "--smooth", "nan"], "--smooth must be between 0 and 100"),
        (["{}/videos", "{}/out", "--blur", "1.5"], "--blur is a share"),
        (["{}/videos", "{}/out", "--jump", "0.5"], "--jump is a multiple"),
        (["{}/videos", "{}/out", "--sise", "9"], "unrecognized arguments: --sise"),
        (["{}/videos"], "required: OUT"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line(tmp_path, capsys, arguments, message):
    write_photo(tmp_path / "videos" / "Ada" / "1.jpg", face(0)[0])
    (tmp_path / "videos" / "notes.txt").write_text("x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    before = files(tmp_path)
    assert run(*(argument.format(tmp_path) for argument in arguments)) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert files(tmp_path) == before


def test_without_dlib_it_says_what_to_install(tmp_path, capsys, monkeypatch):
    write_photo(tmp_path / "in" / "Ada" / "1.jpg", face(0)[0])
    monkeypatch.setitem(sys.modules, "dlib", None)
    assert run(tmp_path / "in", tmp_path / "out") == 2
    assert "pip install 'lgan_jax[faces]'" in capsys.readouterr().err


def test_the_module_runs_and_its_help_names_every_option(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    done = forked.run("-m", "lgan_jax.data.prepare", "--help")
    assert done.returncode == 0, done.stderr
    said = done.stdout
    for option in ("VIDEOS", "OUT", "--size", "--smooth", "--blur", "--jump"):
        assert option in said
