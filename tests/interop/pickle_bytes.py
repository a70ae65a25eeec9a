"""Writes pickles and PyTorch's files opcode by opcode, as no well-meaning program would, and without PyTorch."""

import io
import os
import struct
import zipfile

import numpy as np

START, STOP = b"\x80\x02", b"."
MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"
NOTHING, EMPTY, CALL, BUILD, PERSISTENT, NEW = b"N", b")", b"R", b"b", b"Q", b"\x81"


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def name(module, member):
    return f"c{module}\n{member}\n".encode()


def text(value):
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def data(value):
    return b"B" + struct.pack("<I", len(value)) + value


def number(value):
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def group(*parts):
    return b"(" + b"".join(parts) + b"t"


def listing(*parts):
    return b"](" + b"".join(parts) + b"e"


def mapping(pairs):
    return b"}(" + b"".join(text(key) + value for key, value in pairs.items()) + b"u"


def whole(content):
    return START + content + STOP


def storage(key, count, kind="FloatStorage"):
    pid = (text("storage"), name("torch", kind), text(key), text("cpu"), number(count))
    return group(*pid) + PERSISTENT


def older_storage(key, count, kind="FloatStorage"):
    pid = (text("storage"), name("torch", kind), text(key), text("cpu"), number(count), NOTHING)
    return group(*pid) + PERSISTENT


def tensor(stored, shape, strides, offset=0):
    arguments = (stored, number(offset), group(*map(number, shape)), group(*map(number, strides)), b"\x89", NOTHING)
    return name("torch._utils", "_rebuild_tensor_v2") + group(*arguments) + CALL


def module(attributes):
    return name("__torch__", "Net") + EMPTY + NEW + attributes + BUILD


def archive(pickled, storages, **others):
    """A file of the newer form, or with `constants.pkl` among the others, a TorchScript archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("net/data.pkl", pickled)
        for key, content in storages.items():
            made.writestr(f"net/data/{key}", content)
        for member, content in others.items():
            made.writestr(f"net/{member}", content)
    return file.getvalue()


def older(tree, storages):
    """A file of the older form; `storages` are arrays by their keys."""
    heads = [b"\x80\x02" + MAGIC + STOP, whole(number(1001)), whole(mapping({"little_endian": b"\x88"}))]
    keys = whole(listing(*map(text, storages)))
    bodies = [struct.pack("<q", values.size) + values.tobytes() for values in storages.values()]
    return b"".join([*heads, whole(tree), keys, *bodies])


WEIGHTS = np.arange(6, dtype=np.float32)
STATE = {"a.weight": tensor(storage("0", 6), (2, 3), (3, 1)), "a.bias": tensor(storage("0", 6), (2,), (2,), 1)}
EXPECTED = {"a.weight": WEIGHTS.reshape(2, 3), "a.bias": WEIGHTS[1:5:2]}


def newer_file(state=None):
    return archive(whole(mapping(state or STATE)), {"0": WEIGHTS.tobytes()})


def older_file(stored=None):
    tree = mapping({"a.weight": tensor(stored or older_storage("k", 6), (2, 3), (3, 1))})
    return older(tree, {"k": WEIGHTS})


def torchscript_file(attributes=None):
    root = module(attributes or mapping({"a": module(mapping({"weight": STATE["a.weight"], "bias": STATE["a.bias"]}))}))
    return archive(whole(root), {"0": WEIGHTS.tobytes()}, **{"constants.pkl": whole(EMPTY)})
