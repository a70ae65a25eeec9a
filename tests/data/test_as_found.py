"""Data sets as they are found on disks: from a Mac, from Kaggle, with empty lines, linked, with names of all kinds."""

import os
import unicodedata

import cv2
import numpy as np
import posed_sets
import pytest
import tiny_sets

from lgan_jax.data.builders import base, celebv, ck_plus, emotionet, openface, posed, wflw
from lgan_jax.data.builders.celeba import images_folder, partition, partition_lists, photos, top
from lgan_jax.data.split import HeldOut

PICTURE = np.full((40, 50, 3), 120, np.uint8)


def album(folder, count=3):
    for i in range(count):
        posed_sets.write(folder / f"{i + 1:06d}.jpg", PICTURE)
        (folder / f"._{i + 1:06d}.jpg").write_bytes(b"\0\5\x16\7")
    return folder


@pytest.mark.parametrize(
    ("images", "table", "given"),
    [
        ("img_align_celeba", "list_eval_partition.txt", "."),
        ("img_align_celeba", "Eval/list_eval_partition.txt", "."),
        ("img_align_celeba/img_align_celeba", "list_eval_partition.csv", "."),  # Kaggle
        ("img_align_celeba/img_align_celeba", "list_eval_partition.csv", "img_align_celeba"),
        ("celeba/img_align_celeba", "celeba/list_eval_partition.txt", "."),  # torchvision
        ("Img/img_align_celeba", "Eval/list_eval_partition.txt", "."),
    ],
)
def test_celeba_and_its_list_are_found_as_they_are_laid(tmp_path, images, table, given):
    album(tmp_path / images)
    (tmp_path / table).parent.mkdir(exist_ok=True)
    head, comma = ("image_id,partition\n", ",") if table.endswith("csv") else ("", " ")
    lines = "".join(f"{i + 1:06d}.jpg{comma}{i}\n\n" for i in range(3))
    (tmp_path / table).write_text(f"\ufeff{head}{lines}")
    root = top(tmp_path / given)
    assert root == tmp_path
    assert [path.name for path in photos(root)] == ["000001.jpg", "000002.jpg", "000003.jpg"]
    (found,) = partition_lists(root)
    assert partition(found) == {"000001.jpg": "0", "000002.jpg": "1", "000003.jpg": "2"}


def test_any_folder_of_photos_linked_ones_too(tmp_path):
    album(tmp_path / "root" / "a", 2)
    (tmp_path / "root" / "notes.txt").write_text("none")
    (tmp_path / "root" / "camera").write_bytes((tmp_path / "root" / "a" / "000001.jpg").read_bytes())  # no ending
    album(tmp_path / "other", 1)
    (tmp_path / "root" / "linked").symlink_to(tmp_path / "other")
    names = [path.relative_to(tmp_path / "root").as_posix() for path in photos(tmp_path / "root")]
    assert names == ["a/000001.jpg", "a/000002.jpg", "camera", "linked/000001.jpg"]
    assert images_folder(tmp_path / "root") == tmp_path / "root"
    assert partition_lists(tmp_path / "root") == []


def test_a_macs_hidden_files_are_no_labels_and_no_frames(tmp_path):
    for name in ("S005/001", "S010/002"):
        start = name.replace("/", "_")
        for i in range(3):
            posed_sets.write(tmp_path / "cohn-kanade-images" / name / f"{start}_{i + 1:08d}.png", PICTURE)
            (tmp_path / "cohn-kanade-images" / name / f"._{start}_{i + 1:08d}.png").write_bytes(b"\0\5\x16\7")
        posed_sets.label(tmp_path, name, "  3.0000000e+00\n\n", f"{start}_00000003_emotion.txt")
        posed_sets.label(tmp_path, name, "\0\5", f"._{start}_00000003_emotion.txt")
    (tmp_path / "__MACOSX" / "Emotion" / "S005").mkdir(parents=True)
    left_out = []
    folders = (posed.folder(tmp_path, name, "CK+") for name in (ck_plus.IMAGES, ck_plus.EMOTIONS))
    found = list(ck_plus.read_recordings(*folders, left_out))
    assert ([recording.name for recording in found], left_out) == (["S005/001", "S010/002"], [])
    assert [len(recording.frames) for recording in found] == [3, 3]
    assert {recording.expression for recording in found} == {3}


def test_empty_lines_are_no_faces(tmp_path):
    root = tiny_sets.wflw(tmp_path / "WFLW", train=2, test=2)
    table = wflw.lists(root)["train"]
    table.write_text("\n" + table.read_text().replace("\n", "\r\n\r\n") + "  \n")
    builder = wflw.WFLW(root, tmp_path / "cache")
    assert len(builder.faces("train")) == 2
    assert builder.skipped == {}


def test_an_image_is_found_whichever_way_its_accent_is_written(tmp_path):
    one, two = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
    root = tiny_sets.celebv(tmp_path / "CelebV", {"ada": 3})
    folder, table = root / "ada" / "Image", root / "ada" / "all_98pt.txt"
    for path in folder.iterdir():
        path.rename(path.with_name(two + path.name))
    table.write_text(table.read_text().replace("ada_", f"{one}ada_"))
    builder = celebv.CelebV(root, tmp_path / "cache")
    assert len(builder.frames("ada")) == 3
    assert builder.skipped == {}
    row = openface.Row("t:1", f"{one}.png", 0, 0, np.zeros(17, np.float32), None, "")
    rows = emotionet.Rows([openface.Table(tmp_path / "t.csv", "merged", [row])])
    assert rows.of((tmp_path / f"{two}.png").relative_to(tmp_path)) == [row]


def test_a_table_with_a_byte_order_mark(tmp_path):
    text = f"{tiny_sets.openface_header('merged')}\n\n{tiny_sets.openface_row(['a.png', 0.9, 1], [1.0] * 17)}\n"
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (row,) = openface.read_table(tmp_path / "t.csv").rows
    assert (row.image, row.fault) == ("a.png", "")


def test_names_that_are_no_utf_8(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    try:
        (tmp_path / f"{name}.jpg").touch()
    except OSError:
        pytest.skip("this file system wants UTF-8")
    assert len(base.listing_key(tmp_path, [tmp_path / f"{name}.jpg"])) == 16
    root = tiny_sets.celebv(tmp_path / "CelebV", {"cafe": 2})
    (root / "cafe").rename(root / name)
    with pytest.raises(ValueError, match=r"the name of caf\\xe9 is not UTF-8: rename it"):
        celebv.CelebV(root, tmp_path / "cache")


def test_images_of_any_format_are_stored_as_what_decodes_fast(tmp_path):
    root = tiny_sets.celebv(tmp_path / "CelebV", {"ada": 2})
    (frame, _) = celebv.CelebV(root, tmp_path / "cache").frames("ada")
    data = cv2.imencode(".webp", cv2.imread(str(frame.path)))[1].tobytes()
    frame.path.write_bytes(data)  # a photo is what its contents are, whatever it is called
    _, record = celebv.read(frame)
    assert record["image"].startswith(b"\x89PNG")


def test_people_held_out_by_name_whichever_way_their_accents_are_written():
    one, two = unicodedata.normalize("NFC", "Zoë"), unicodedata.normalize("NFD", "Zoë")
    splits = HeldOut(names=(one,), validation=("bo",)).of([two, "ada", "bo", "cy"])
    assert (splits[two], splits["bo"]) == (("test",), ("validation",))
