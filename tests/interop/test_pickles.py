"""Hostile pickles and files of PyTorch's: one line each, no code, no memory outside of what the file holds.

Nothing here needs PyTorch; `test_files` compares with it.
"""

import io
import struct
import sys

import ml_dtypes
import numpy as np
import pickle_bytes as build
import pytest

from lgan_jax.interop import files, pickles, torchfiles

BYTES = "BFloat16Storage"


def read(tmp_path, content):
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    return files.read(path)


def refused(tmp_path, content):
    with pytest.raises(ValueError, match=r"weights\.pt") as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    return str(caught.value)


@pytest.mark.parametrize("made", [build.newer_file, build.torchscript_file])
def test_whole_archives_are_read(tmp_path, made):
    found = read(tmp_path, made())
    assert found.keys() == build.EXPECTED.keys()
    for name, values in build.EXPECTED.items():
        np.testing.assert_array_equal(found[name], values)


def test_a_whole_file_of_the_older_form_is_read(tmp_path):
    np.testing.assert_array_equal(read(tmp_path, build.older_file())["a.weight"], build.EXPECTED["a.weight"])


def test_an_ordered_dictionary_of_python_2_is_read(tmp_path):
    pairs = build.listing(build.listing(build.text("w"), build.STATE["a.bias"]))
    tree = build.name("collections", "OrderedDict") + build.group(pairs) + build.CALL
    found = read(tmp_path, build.archive(build.whole(tree), {"0": build.WEIGHTS.tobytes()}))
    np.testing.assert_array_equal(found["w"], [1, 3])


@pytest.mark.parametrize("form", [build.newer_file, build.torchscript_file])
@pytest.mark.parametrize("kind", ["FloatStorage", BYTES])
def test_nothing_can_set_the_state_of_a_type_of_numbers(tmp_path, form, kind):
    """BUILD on NumPy's own bfloat16 would change it for the whole process."""
    before = ml_dtypes.bfloat16.dtype if hasattr(ml_dtypes.bfloat16, "dtype") else np.dtype(ml_dtypes.bfloat16)
    state = build.group(build.number(3), build.text("<"), *[build.NOTHING] * 3, build.number(1 << 30), build.number(-1))
    content = build.mapping({"w": build.name("torch", kind) + state + build.BUILD})
    assert "attributes of something that has none" in refused(
        tmp_path,
        form(attributes=content) if form is build.torchscript_file else build.archive(build.whole(content), {"0": b""}),
    )
    assert np.dtype(ml_dtypes.bfloat16) == before
    assert np.dtype(ml_dtypes.bfloat16).itemsize == 2


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((2, 3), (3, 1), 1),  # one element beyond
        ((2, 3), (4, 1), 0),
        ((6,), (1,), -1),
        ((2, 3), (-3, 1), 3),
        ((7,), (0,), 0),  # more elements than there are
        ((10**5, 10**5), (0, 0), 0),
        ((2, 3), (3,), 0),
        ((-2, -3), (3, 1), 0),
        ((2**40, 2**40), (0, 0), 0),
        ((1, 6), (2**62, 1), 2**61),
        ((2, 3), (2**70, 2**70), 0),
    ],
)
@pytest.mark.parametrize("form", ["newer", "older", "torchscript"])
def test_a_tensor_cannot_leave_its_storage(tmp_path, form, shape, strides, offset):
    stored = build.older_storage("k", 6) if form == "older" else build.storage("0", 6)
    state = build.mapping({"w": build.tensor(stored, shape, strides, offset)})
    content = {
        "newer": lambda: build.archive(build.whole(state), {"0": build.WEIGHTS.tobytes()}),
        "older": lambda: build.older(state, {"k": build.WEIGHTS}),
        "torchscript": lambda: build.torchscript_file(state),
    }[form]()
    refused(tmp_path, content)


@pytest.mark.parametrize("count", [5, 7, 0, -6, 2**40])
def test_a_storage_is_as_long_as_it_is_said(tmp_path, count):
    state = {"w": build.tensor(build.storage("0", count), (2, 3), (3, 1))}
    refused(tmp_path, build.newer_file(state))


@pytest.mark.parametrize("count", [5, 7, 2**61, -1])
def test_an_older_storage_is_as_long_as_it_is_said(tmp_path, count):
    content = build.older_file()
    place = len(content) - build.WEIGHTS.nbytes - 8
    refused(tmp_path, content[:place] + struct.pack("<q", count) + content[place + 8 :])


def test_one_storage_is_not_of_two_types(tmp_path):
    state = build.STATE | {"w": build.tensor(build.storage("0", 6, "IntStorage"), (6,), (1,))}
    assert "two types" in refused(tmp_path, build.newer_file(state))


def test_many_tensors_in_one_storage_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("lgan_jax.untrusted.PLAIN", 1000)
    weights = np.zeros(25_000, np.float32)
    names = {f"w{i}": build.tensor(build.storage("0", weights.size), weights.shape, (1,)) for i in range(200)}
    content = build.archive(build.whole(build.mapping(names)), {"0": weights.tobytes()})
    assert "far larger together" in refused(tmp_path, content)


@pytest.mark.parametrize(
    ("module", "member"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("numpy", "dtype"),
        ("torch", "load"),
        ("torch.FloatStorage", "from_file"),
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
        ("collections", "OrderedDict.fromkeys"),
        ("__torch__x", "Net"),
        ("torch.jit._pickle", "restore_type_tag"),
        ("lgan_jax.interop.pickles", "Call"),
    ],
)
@pytest.mark.parametrize("form", ["global", "stack"])
def test_other_names_are_refused(tmp_path, module, member, form):
    named = build.text(module) + build.text(member) + b"\x93" if form == "stack" else build.name(module, member)
    message = refused(tmp_path, build.archive(build.whole(named + build.EMPTY + build.CALL), {}))
    assert f"it asks for {module}.{member}" in message
    assert "nothing of it is run" in message


def test_a_class_of_torchscripts_program_is_no_part_of_the_older_form(tmp_path):
    assert "asks for __torch__.Net" in refused(tmp_path, build.older(build.module(build.mapping({})), {}))


HOSTILE = {
    "a number of a memory's place that takes gigabytes": b"N" + b"r\xff\xff\xff\x7f" + b"0}",
    "a long number": b"}" + build.text("n") + b"\x8b" + struct.pack("<i", 1 << 20) + b"\x7f" * (1 << 20) + b"s",
    "a number of a million digits": b"L" + b"9" * 1_000_000 + b"L\n",
    "bytes that are not there": b"\x8e" + struct.pack("<Q", 1 << 60),
    "a call of a call": build.name("torch", "Size") + build.EMPTY + build.CALL + build.EMPTY + build.CALL,
    "a call without arguments": build.name("torch", "Size") + build.NOTHING + build.CALL,
    "attributes of a dictionary": b"}" + build.mapping({"x": build.NOTHING}) + build.BUILD,
    "items of a tuple": build.EMPTY + b"(" + build.text("x") + build.NOTHING + b"u",
    "items by a list": b"}(]" + build.NOTHING + b"u",
    "a key without a value": b"}(" + build.text("x") + b"u",
    "values in a dictionary": b"}" + build.NOTHING + b"a",
    "an object of the old kind": b"(" + b"ios\nsystem\n",
    "an extension": b"\x82\x01",
    "a persistent name in the text": b"Pos.system\n",
    "a buffer from outside": b"\x97",
    "keywords": build.name("torch", "Size") + build.EMPTY + b"}" + b"\x92",
    "an empty stack": b"0",
    "no mark": b"t",
    "nothing at all": b"",
    "a mark alone": b"(",
    "no dictionary": build.listing(build.number(1)),
    "only a name": build.name("torch", "Size"),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("form", ["newer", "older"])
def test_hostile_pickles_are_one_line(tmp_path, content, form):
    if content.startswith(b"N"):  # harmless here, where the memory is a dictionary
        content += b"0"
    whole = build.whole(content)
    made = build.older(content, {}) if form == "older" else build.archive(whole, {})
    if content == HOSTILE["a number of a memory's place that takes gigabytes"] + b"0":
        made = build.archive(build.whole(content[:-1]), {})
        assert read(tmp_path, made) == {}
        return
    refused(tmp_path, made)


def test_every_cut_of_a_file_is_one_line(tmp_path):
    for content in (build.newer_file(), build.older_file(), build.torchscript_file()):
        for length in range(1, len(content) - 1, 7):
            refused(tmp_path, content[:length])


def nested(levels, wrap):
    """Dictionaries that hold the one before twice: as many leaves as 2 to the power of the levels."""
    content = wrap(b"}") + b"q\x00"
    for level in range(levels):
        recall = b"h" + bytes([level])
        content += b"0" + wrap(build.mapping({"x": recall, "y": recall})) + b"q" + bytes([level + 1])
    return content


@pytest.mark.parametrize("levels", [40, 200])
def test_what_is_shared_is_looked_at_once(tmp_path, levels):
    content = build.archive(build.whole(nested(levels, lambda state: state)), {})
    if levels > 64:
        assert "nested without end" in refused(tmp_path, content)
    else:
        assert read(tmp_path, content).keys() == {"x", "y"}


def test_modules_that_are_shared_without_end_are_one_line(tmp_path):
    content = build.archive(build.whole(nested(60, build.module)), {}, **{"constants.pkl": b""})
    assert "modules are nested without end" in refused(tmp_path, content)


@pytest.mark.parametrize("wrap", [lambda state: state, build.module])
def test_what_holds_itself_is_one_line(tmp_path, wrap):
    own = b"}q\x00" + build.text("own") + b"h\x00" + b"s"
    if wrap is build.module:
        own = build.name("__torch__", "Net") + build.EMPTY + build.NEW + b"q\x00" + build.mapping({"own": b"h\x00"})
        own += build.BUILD
    assert "nested without end" in refused(tmp_path, build.archive(build.whole(own), {}))


def test_another_order_of_bytes_is_refused(tmp_path):
    content = build.archive(build.whole(build.mapping(build.STATE)), {"0": bytes(24)}, byteorder=b"big")
    assert "another order of bytes" in refused(tmp_path, content)


def test_the_machine_is_fast(monkeypatch):
    monkeypatch.setattr(pickles, "_MOST_OPCODES", 1000)
    with pytest.raises(pickles.RefusedError, match="more steps"):
        pickles.load(io.BytesIO(build.whole(b"N0" * 1000 + b"N")), torchfiles.allowed)


def test_nothing_is_imported(tmp_path):
    before = set(sys.modules)
    refused(tmp_path, build.archive(build.whole(build.name("this", "s")), {}))
    assert "this" not in set(sys.modules) - before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "a pointer of Git LFS"),
        (b"\n<!DOCTYPE html><html>Quota exceeded</html>", "a web page"),
        (b'{"a": 1}', "a text file in JSON"),
        (b"\x00" * 100, r"\.pt, \.pth, \.safetensors and \.npz are read"),
    ],
)
def test_what_is_found_in_the_place_of_weights_is_named(tmp_path, content, said):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"weights\.pth is no file of weights; .*{said}"):
        files.read(path)
