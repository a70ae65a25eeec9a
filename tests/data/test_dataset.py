import concurrent.futures
import errno
import os
import pickle
import subprocess
import sys
from pathlib import Path

import forked
import numpy as np
import pytest
import tiny_sets

from lgan_jax import cache, compilation, data
from lgan_jax.data import dataset
from lgan_jax.data.builders import base
from lgan_jax.media import images


def settings(root, cache, size=48):
    return data.Settings(name="celebv", dir=str(root), size=size, cache=str(cache), split="time")


@pytest.fixture
def root(tmp_path):
    return tiny_sets.celebv(tmp_path / "faces", {"Al": 6, "Bea": 9})


LIMIT = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))  # the next write fails as on a full disk
"""
OPEN = """
import sys
from lgan_jax import cache, data
from lgan_jax.data import pipelines
faces = data.open_faces(data.Settings(name="celebv", dir=sys.argv[1], size=48, cache=sys.argv[2], split="time"))
next(pipelines.training_batches(faces.train, 2, 0, "one_of_each"))
"""


def test_needs_neither_tensorflow_nor_torch(root, tmp_path):
    code = OPEN + "print([m for m in ('tensorflow', 'torch') if m in sys.modules])"
    command = [sys.executable, "-c", code, str(root), str(tmp_path / "cache")]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_a_full_disk(root, tmp_path):
    done = forked.run("-c", LIMIT + OPEN, root, tmp_path / "cache")
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"OSError: the faces cannot be cached in {tmp_path / 'cache'}: "), done.stderr
    assert last.endswith("set config.data.cache or $LGAN_JAX_CACHE to another folder")
    assert len(data.open_faces(settings(root, tmp_path / "cache")).train) > 0  # works once there is room


def test_a_cache_that_cannot_be_made(root, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot be cached in .*file/cache: Not a directory; make room there, or set"):
        data.open_faces(settings(root, tmp_path / "file" / "cache"))


def test_a_damaged_cache(root, tmp_path, capsys):
    data.open_faces(settings(root, tmp_path / "cache"))
    (shard,) = (tmp_path / "cache").rglob("*-train.array_record-*")
    whole = shard.read_bytes()
    for broken in (whole[:30_000], b"", None):
        shard.write_bytes(broken) if broken is not None else shard.unlink()
        assert len(data.open_faces(settings(root, tmp_path / "cache")).train) > 0
        assert "array_record" in capsys.readouterr().err.split("is damaged (")[1]
        assert shard.read_bytes() == whole


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json", "metadata.json", "checksums.json"])
@pytest.mark.parametrize("text", ["", '{"name": "cel'])
def test_damaged_metadata_are_built_again(root, tmp_path, capsys, name, text):
    before = data.open_faces(settings(root, tmp_path / "cache"))
    (path,) = (tmp_path / "cache").rglob(name)
    path.write_text(text)
    after = data.open_faces(settings(root, tmp_path / "cache"))
    assert (after.fingerprint, len(after.train)) == (before.fingerprint, len(before.train))
    assert "and is built again" in capsys.readouterr().err
    assert path.stat().st_size > len(text)


def test_a_whole_cache_that_cannot_be_written_is_used(root, tmp_path, monkeypatch):
    before = data.open_faces(settings(root, tmp_path / "cache"))

    def refused(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    for name in ("mkdir", "write_bytes", "write_text", "touch"):
        monkeypatch.setattr(Path, name, refused)
    for name in ("mkdir", "replace", "rename", "unlink"):
        monkeypatch.setattr(os, name, refused)
    after = data.open_faces(settings(root, tmp_path / "cache"))
    assert after.fingerprint == before.fingerprint
    assert after.train[0].keys() == before.train[0].keys()


def test_another_version_of_the_code_has_entries_of_its_own(root, tmp_path, monkeypatch):
    data.open_faces(settings(root, tmp_path / "cache"))
    monkeypatch.setattr(base, "_code", lambda: b"another")
    data.open_faces(settings(root, tmp_path / "cache"))
    assert len(list((tmp_path / "cache").rglob("metadata.json"))) == 2


def test_the_cache_folder(root, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "from variable"))
    data.open_faces(settings(root, ""))
    assert (tmp_path / "from variable").is_dir()
    monkeypatch.delenv(cache.VARIABLE)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    data.open_faces(settings(root, ""))
    assert (tmp_path / "home" / ".cache" / "lgan_jax").is_dir()


def test_without_a_home_folder(root, monkeypatch):
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(ValueError, match=r"there is no home folder.*set \$LGAN_JAX_CACHE"):
        data.open_faces(settings(root, ""))
    compilation.use_cache()  # which runs do without


def test_several_at_once_build_one_set(root, tmp_path):
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        opened = list(pool.map(data.open_faces, [settings(root, tmp_path / "cache")] * 3))
    assert len({faces.fingerprint for faces in opened}) == 1
    assert len(list((tmp_path / "cache").rglob("metadata.json"))) == 1


def records(count):
    made = []
    for i in range(count):
        picture = images.encode_png(np.full((20, 20, 3), i, np.uint8))
        made.append({"image": picture, "landmarks": np.full((5, 2), i / 100, np.float32), "identity": i % 2})
    return made


def split(count=6, size=20, points=None):
    return data.Split(records(count), np.arange(count) % 2, size, points)


def test_reading_by_index():
    faces = split(size=16, points=np.array([4, 0]))
    assert len(faces) == 6
    assert faces[3]["image"].shape == (16, 16, 3)
    assert faces[3]["landmarks"].shape == (2, 2)
    assert faces[-1]["image"][0, 0, 0] == 5
    with pytest.raises(IndexError):
        faces[6]


def test_records_cannot_be_spoilt():
    faces = split()
    with pytest.raises(ValueError, match="read-only"):
        faces[0]["image"][:] = 7
    faces[0]["image"] = None
    assert faces[0]["image"].shape == (20, 20, 3)


def test_memory_is_limited(monkeypatch):
    monkeypatch.setattr(dataset, "MEMORY", 3 * 20 * 20 * 3)
    faces = split()
    first = [faces[i]["image"] for i in range(6)]
    again = [faces[i]["image"] for i in range(6)]
    assert [a is b for a, b in zip(first, again)] == [True] * 3 + [False] * 3
    for a, b in zip(first, again):
        np.testing.assert_array_equal(a, b)


def test_pickling_leaves_the_decoded_pictures_behind():
    faces = split()
    before = len(pickle.dumps(faces))
    for i in range(6):
        faces[i]
    assert len(pickle.dumps(faces)) == before
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(faces))[4]["image"], faces[4]["image"])


def test_an_opened_split_can_be_pickled(root, tmp_path):
    faces = data.open_faces(settings(root, tmp_path / "cache"))
    again = pickle.loads(pickle.dumps(faces.train))
    np.testing.assert_array_equal(again[2]["image"], faces.train[2]["image"])


@pytest.mark.parametrize("encode", [images.encode_png, images.encode_jpeg])
def test_every_truncation_is_noticed(encode):
    rng = np.random.default_rng(0)
    data = encode(rng.integers(0, 256, (24, 24, 3), np.uint8))
    assert images.decode(data).shape == (24, 24, 3)
    assert images.decode(data + b"\0" * 20).shape == (24, 24, 3)  # cameras write more after the end
    for length in range(0, len(data) - 12, 7):
        with pytest.raises(ValueError, match=r"truncated|no image"):
            images.decode(data[:length])


def test_colours_are_rgb():
    image = np.zeros((16, 16, 3), np.uint8)
    image[..., 0] = 200
    np.testing.assert_array_equal(images.decode(images.encode_png(image)), image)
    assert np.abs(images.decode(images.encode_jpeg(image)).astype(int) - image).max() < 8
