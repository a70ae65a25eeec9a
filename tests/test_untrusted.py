"""Archives and records of unknown origin: what they say of themselves is checked before memory is taken for it."""

import io
import os
import struct
import zipfile

import numpy as np
import pytest

from lgan_jax import untrusted


def npz(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(f"{name}.npy", content)
    return path


def npy(header, body=b"", version=(1, 0)):
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(text)) + text + body


def saved(values, **options):
    file = io.BytesIO()
    np.save(file, values, **options)
    return file.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_as_numpy_has_them(tmp_path, save):
    arrays = {
        "c": np.arange(6, dtype=np.float32).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(3, 2)),
        "big": np.arange(4, dtype=">i4"),
        "one": np.bool_(True),
        "none": np.zeros((0, 5, 2), np.float16),
    }
    save(tmp_path / "a.npz", **arrays)
    found = untrusted.read_npz(tmp_path / "a.npz")
    assert found.keys() == arrays.keys()
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == values.dtype


@pytest.mark.parametrize(
    "content",
    [
        saved(np.array([{}], dtype=object), allow_pickle=True),
        saved(np.array(["text"])),
        saved(np.array([b"text"])),
        saved(np.zeros(2, [("a", "f4"), ("b", "i4")])),
        saved(np.zeros(2, "datetime64[s]")),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }", b"\0" * 4),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", b"\0" * 20),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", b"\0" * 28),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, -3), }", b"\0" * 24),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 99999999999999999999), }"),
        npy("{'descr': ('<f4', (1000000, 1000000)), 'fortran_order': False, 'shape': (1,), }"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"\0" * 8),
        npy("{'descr': __import__('os').system('true'), 'fortran_order': False, 'shape': (1,), }"),
        npy("((((((((((((((((((((((((((("),
        npy("{'descr': '<f4"),
        npy("{}", version=(9, 9)),
        b"",
        b"\x93NUMPY",
        b"no array",
    ],
)
def test_other_members_are_one_line(tmp_path, content):
    with pytest.raises(ValueError, match=r"a\.npz cannot be read") as caught:
        untrusted.read_npz(npz(tmp_path / "a.npz", x=content))
    assert "\n" not in str(caught.value)


def test_an_archive_that_unpacks_without_end_is_refused_before_it_does(tmp_path):
    path = npz(tmp_path / "bomb.npz", x=b"\0" * 1000)
    claimed = bytearray(path.read_bytes())
    directory = claimed.index(b"PK\x01\x02")
    claimed[directory + 24 : directory + 28] = struct.pack("<I", 2**30)  # what it says that it unpacks to
    path.write_bytes(claimed)
    with pytest.raises(ValueError, match=r"unpacks to 1,073,741,824 bytes, more than the 268,435,456 that are read"):
        untrusted.read_npz(path)


def test_a_member_cannot_hold_more_than_it_says(tmp_path, monkeypatch):
    monkeypatch.setattr(untrusted, "PLAIN", 1000)
    path = npz(tmp_path / "a.npz", x=b"\0" * 100_000)
    content = path.read_bytes().replace(struct.pack("<I", 100_000), struct.pack("<I", 10))
    path.write_bytes(content)
    with untrusted.Archive(path) as archive, pytest.raises(ValueError, match="cannot be read"):
        archive.read("x.npy")


def test_encrypted_and_unusually_packed_members_are_refused(tmp_path):
    path = npz(tmp_path / "a.npz", x=saved(np.zeros(3)))
    whole = path.read_bytes()
    directory = whole.index(b"PK\x01\x02")
    for place, value in ((8, b"\x01\x00"), (10, b"\x0e\x00"), (10, b"\x63\x00")):
        path.write_bytes(whole[: directory + place] + value + whole[directory + place + 2 :])
        with pytest.raises(ValueError, match="encrypted, or compressed in an unusual way"):
            untrusted.read_npz(path)


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9, 0.99])
def test_a_cut_archive_is_one_line(tmp_path, cut):
    path = npz(tmp_path / "a.npz", x=saved(np.zeros(300)))
    path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"a\.npz cannot be read: it is no whole zip archive"):
        untrusted.read_npz(path)


def test_a_file_that_is_too_large_or_a_pipe_is_not_read(tmp_path):
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(5 * 2**20)
    with pytest.raises(ValueError, match=r"large has 5 MB, more than the 4 that are read"):
        untrusted.read_bytes(large, 4 * 2**20)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="no file, but a pipe or a device"):
        untrusted.read_bytes(tmp_path / "pipe", 10)
    with pytest.raises(IsADirectoryError):
        untrusted.read_bytes(tmp_path, 10)
    with pytest.raises(FileNotFoundError):
        untrusted.read_bytes(tmp_path / "none", 10)


@pytest.mark.parametrize(
    "content", ["", "[]", "3", "{}", '{"size": "3"}', '{"size": [', "[" * 100_000, '{"size": 1e9}', "\x00", '"' * 9]
)
def test_a_damaged_record_is_one_line(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(ValueError, match=r"run\.json cannot be read") as caught:
        untrusted.read_record(tmp_path / "run.json", {"size": int})
    assert "\n" not in str(caught.value)


def test_a_whole_record_is_read(tmp_path):
    (tmp_path / "run.json").write_text('{"size": 3, "name": "é"}')
    assert untrusted.read_record(tmp_path / "run.json", {"size": int}) == {"size": 3, "name": "é"}
