"""What files are, by their contents; hidden files, links and names."""

import os
import unicodedata
from pathlib import Path

import pytest

from lgan_jax.media import files

HEADS = {
    "JPEG": b"\xff\xd8\xff\xe1..Exif",
    "WebP": b"RIFF\x10\0\0\0WEBPVP8 ",
    "BMP": b"BM" + bytes(12) + (40).to_bytes(4, "little"),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    "HEIC": b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic",
    "AVIF": b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif",
    "MP4 or QuickTime": b"\0\0\0\x14ftyp3gp4\0\0\0\x003gp4",
    "Matroska or WebM": b"\x1a\x45\xdf\xa3\x01",
    "MPEG transport stream": bytes([0x47, *bytes(187)] * 3),
    "MPEG": b"\0\0\x01\xba\x44",
    "Windows Media": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    "Flash video": b"FLV\x01\x05",
    "sound alone": b"\0\0\0\x18ftypM4A \0\0\0\0",
    "a camera's raw photo": b"\0\0\0\x18ftypcrx \0\0\0\0",
    "a web page or XML": b"\n<!DOCTYPE html>",
    "a stub of Git LFS": b"version https://git-lfs.github.com/spec/v1",
}


@pytest.mark.parametrize(("name", "head"), HEADS.items())
def test_contents_say_what_a_file_is_whatever_it_is_called(tmp_path, name, head):
    file = tmp_path / "clip.txt"
    file.write_bytes(head)
    found = files.format_of(file)
    assert found.name == name
    assert files.kind(file) == {"other": ""}.get(found.kind, found.kind)


def test_time_stamps_before_the_packets_of_a_transport_stream():
    assert files.identify(bytes([9, 9, 9, 9, 0x47, *bytes(187)] * 3)).name == "MPEG transport stream"
    assert files.identify(bytes([0x47, *bytes(99)] * 5)) is None


def test_endings_decide_where_contents_say_nothing(tmp_path):
    for name, kind in {"a.MTS": "video", "a.JFIF": "photo", "a.doc": "", "a.nef": ""}.items():
        (tmp_path / name).write_bytes(b"\0\0garbage")
        assert files.kind(tmp_path / name) == kind
    (tmp_path / "b.nef").write_bytes(b"II*\0rest")  # a camera's raw photo is a TIFF file
    assert files.kind(tmp_path / "b.nef") == ""
    assert files.kind(tmp_path / "none.jpg") == ""
    (tmp_path / "folder.png").mkdir()
    assert files.kind(tmp_path / "folder.png") == ""


def test_hidden_files_are_no_files_and_links_are_followed_once(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    for name in ("b/2.png", "b/._2.png", "__MACOSX/b/3.png", "b/Thumbs.db", ".cache/4.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    other.mkdir()
    (other / "5.png").touch()
    (root / "linked").symlink_to(other)
    (other / "back").symlink_to(root)
    assert [str(path.relative_to(root)) for path in files.walk(root)] == ["b/2.png", "linked/5.png"]
    assert [path.name for path in files.listed(root)] == ["b", "linked"]
    assert [path.name for path in files.listed(root, "b/*.png")] == ["2.png"]


def test_numbers_in_names_sort_as_numbers():
    names = ["f10", "f9", "a", "f9b", "10", "9"]
    assert sorted(map(Path, names), key=files.natural) == list(map(Path, ["9", "10", "a", "f9", "f9b", "f10"]))


def test_an_accent_is_the_same_as_one_character_or_two(tmp_path):
    one, two = unicodedata.normalize("NFC", "Zoë"), unicodedata.normalize("NFD", "Zoë")
    assert one != two
    assert files.named(one, ["ada", two]) == two
    assert files.named(two, [one, two]) == two
    assert files.named("Zoe", [one, two]) is None
    (tmp_path / two).mkdir()
    (tmp_path / two / "a.mp4").touch()
    assert files.given(tmp_path / one / "a.mp4") == tmp_path / two / "a.mp4"
    assert files.given(tmp_path / one / "new.mp4") == tmp_path / two / "new.mp4"
    assert files.given(tmp_path / "none" / "new") == tmp_path / "none" / "new"


def test_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert files.given("~/runs") == tmp_path / "runs"


def test_names_that_are_no_utf_8_can_be_shown(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    assert files.shown(name) == "caf\\xe9.png"
    assert files.shown("日本") == "日本"


def test_a_long_list_is_cut():
    assert files.summary(list("abcdefg"), most=3) == "a, b, c and 4 more"
    assert files.summary(["a"]) == "a"
