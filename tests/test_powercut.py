"""The power is cut at every moment at which something is replaced: the old is there or the new, whole."""

import numpy as np
import pytest
from powercut import Disk

from lgan_jax import files
from lgan_jax.data.prepare.output_folder import ANNOTATIONS, Crops, OutputFolder


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def test_the_shim_loses_what_is_not_flushed(root, tmp_path):
    """Otherwise these tests could not fail: this is how files were replaced before."""
    (root / "a").write_text("old")
    with Disk(root) as disk:
        (root / ".a").write_text("new")
        (root / ".a").replace(root / "a")
    texts = {(place / "a").read_text() for place in disk.left(tmp_path / "cuts")}
    assert texts == {"old", ""}


def test_a_file_is_the_old_one_or_the_new_one(root, tmp_path):
    (root / "a").write_text("old")
    with Disk(root) as disk:
        files.write_text(root / "a", "new")
    texts = [(place / "a").read_text() for place in disk.left(tmp_path / "cuts")]
    assert set(texts) == {"old", "new"}
    assert texts[-1] == "new"


def test_a_new_file_in_a_new_folder_stays(root, tmp_path):
    with Disk(root) as disk:
        files.make_folder(root / "b" / "c")
        files.write_text(root / "b" / "c" / "a", "new")
    *_, last = disk.left(tmp_path / "cuts")
    assert (last / "b" / "c" / "a").read_text() == "new"
    for image in disk.images[-2:]:  # of both kinds of file system
        assert b"new" in image.values()


def test_a_folder_is_there_whole_or_not_at_all(root, tmp_path):
    with Disk(root) as disk, files.Replacement(root / "out", folder=True) as new:
        (new.part / "inner").mkdir()
        for name in ("x", "inner/y"):
            (new.part / name).write_text(name)
        new.commit()
    there = [place / "out" for place in disk.left(tmp_path / "cuts") if (place / "out").exists()]
    assert there
    for out in there:
        assert (out / "x").read_text() == "x"
        assert (out / "inner" / "y").read_text() == "inner/y"


def test_a_sealed_folder_that_is_not_whole_is_known(root, tmp_path):
    (root / "set").mkdir()
    for i in range(3):
        (root / "set" / str(i)).write_bytes(bytes([i]) * 50)
    with Disk(root) as disk:
        for i in range(3):
            (root / "set" / str(i)).write_bytes(bytes([9]) * 60)
        files.seal(root / "set")
    whole = 0
    for place in disk.left(tmp_path / "cuts"):
        if files.damage(place / "set") is None:
            whole += 1
            assert (place / "set" / "1").read_bytes() == bytes([9]) * 60
    assert whole


def test_crops_that_are_said_to_be_written_are(root, tmp_path, monkeypatch):
    monkeypatch.setattr("lgan_jax.data.prepare.output_folder.PIECE", 2)
    with Disk(root) as disk, Crops(root / "Image", root / "crops.txt") as crops:
        for i in range(5):
            crops.add(f"{i}.jpg", bytes([i]) * 30)
    counts = []
    for place in disk.left(tmp_path / "cuts"):
        listed = (place / "crops.txt").read_text().splitlines() if (place / "crops.txt").exists() else []
        counts.append(len(listed))
        for name in listed:
            assert (place / "Image" / name).read_bytes() == bytes([int(name[0])]) * 30
    assert sorted(set(counts)) == [0, 2, 4, 5]


def test_a_person_who_is_done_is_whole(root, tmp_path):
    """With the summary on the disk, the next run only moves the folder: it must be whole by then."""
    job = OutputFolder.__new__(OutputFolder)
    job.out, job.begun, job.done = root, root / ".prepare" / "begun", root / ".prepare" / "done"
    summary = {"kept": 3, "frames": 3, "sources": [], "dropped": {}}
    with Disk(root) as disk:
        for folder in (job.begun, job.done):
            files.make_folder(folder)
        with job.crops("Ada") as crops:
            for i in range(3):
                crops.add(f"{i}.jpg", b"jpeg")
        files.write_text(job.place("Ada") / ANNOTATIONS, "landmarks")
        job.finish("Ada", summary)
    done = 0
    for place in disk.left(tmp_path / "cuts"):
        again = OutputFolder.__new__(OutputFolder)
        again.out, again.begun, again.done = place, place / ".prepare" / "begun", place / ".prepare" / "done"
        if again.summary("Ada") is not None:
            done += 1
            assert again.summary("Ada") == summary
            assert (place / "Ada" / ANNOTATIONS).read_text() == "landmarks"
            assert [(place / "Ada" / "Image" / f"{i}.jpg").read_bytes() for i in range(3)] == [b"jpeg"] * 3
    assert done


def test_the_landmarks_of_a_run_are_there_whole_or_not_at_all(root, tmp_path):
    from lgan_jax.data import training_landmarks

    points = np.random.default_rng(0).random((7, 5, 2), np.float32)
    with Disk(root) as disk:
        training_landmarks.write(root, [points])
    there = [place for place in disk.left(tmp_path / "cuts") if training_landmarks.is_there(place)]
    assert there
    for place in there:
        np.testing.assert_array_equal(training_landmarks.read(place, ["ada"])["ada"], points)
