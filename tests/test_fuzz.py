"""Every reader of files, given damaged ones: one line, no code, no hang, no gigabyte. See `fuzzing`."""

import io
import json
import pathlib
import sys

import fuzzing
import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent / "interop"))
import pickle_bytes as build

from lgan_jax import action_units, image_limits, untrusted
from lgan_jax.data import training_landmarks
from lgan_jax.data.builders import celeba, celebv, ck_plus, generated, openface, wflw
from lgan_jax.interop import files, kinds, nvidia
from lgan_jax.media import images
from lgan_jax.training import workdir
from lgan_jax.training.logs import metrics_file

EXAMPLES = 60  # in the usual run, of each reader


def saved(save, *arguments, **options):
    file = io.BytesIO()
    save(file, *arguments, **options)
    return file.getvalue()


def array(values):
    """A NumPy array as a pickle of protocol 2 has it."""
    dtype = build.name("numpy", "dtype") + build.group(build.text("f4"), b"\x89", b"\x88") + build.CALL
    dtype += build.group(build.number(3), build.text("<"), *[build.NOTHING] * 3, *[build.number(-1)] * 2) + b"K\x00"
    shape = build.group(*map(build.number, values.shape))
    start = build.group(build.name("numpy", "ndarray"), build.group(build.number(0)), build.data(b"b")) + build.CALL
    state = build.group(build.number(1), shape, dtype[:-2] + build.BUILD, b"\x89", build.data(values.tobytes()))
    return build.name("numpy.core.multiarray", "_reconstruct") + start + state + build.BUILD


def tensorflow():
    network = build.name("dnnlib.tflib.network", "Network") + build.EMPTY + build.NEW
    variables = build.listing(build.group(build.text("4x4/Conv/weight"), array(np.ones((3, 3, 2, 2), np.float32))))
    parts = {"version": build.number(4), "static_kwargs": b"}", "components": b"}", "variables": variables}
    return build.whole(build.group(*[network + build.mapping(parts) + build.BUILD] * 3))


def persistent():
    stored = build.older(build.older_storage("k", 6), {"k": build.WEIGHTS})
    storage = build.name("torch.storage", "_load_from_bytes") + build.group(build.data(stored)) + build.CALL
    parts = {
        "_parameters": build.mapping({"weight": build.tensor(storage, (2, 3), (3, 1))}),
        **{"_buffers": build.mapping({"w": array(build.WEIGHTS)}), "_modules": b"}", "conv_clamp": build.number(256)},
    }
    meta = build.mapping({"type": build.text("class"), "state": build.mapping(parts)})
    call = build.name("torch_utils.persistence", "_reconstruct_persistent_obj") + build.group(meta) + build.CALL
    return build.whole(build.mapping({"G_ema": call, "G": build.NOTHING}))


def safetensors():
    header = json.dumps({"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}).encode()
    return len(header).to_bytes(8, "little") + header + build.WEIGHTS.tobytes()


WEIGHTS = [
    *(build.newer_file(), build.older_file(), build.torchscript_file(), safetensors()),
    *(saved(np.savez, a=build.WEIGHTS), saved(np.savez_compressed, a=np.zeros((4, 5)))),
]
PICTURES = [
    saved(Image.fromarray(np.arange(20 * 17 * 3, dtype=np.uint8).reshape(20, 17, 3)).save, format=kind)
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
]
UNITS = ",".join(openface.column(number) for number in action_units.NUMBERS)
VALUES = ",".join(f"{0.25 * i:.2f}" for i in range(17))
TABLES = [
    f"frame, face_id, timestamp, confidence, success, {UNITS}\n1,0,0.04,0.98,1,{VALUES}\n2,0,0.08,0.9,0,{VALUES}\n",
    f"# a comment\nimage,{UNITS}\na.jpg,{VALUES}\n'b',{VALUES}\n",
    f"face,confidence,{UNITS},{','.join(f'{axis}_{i}' for i in range(68) for axis in 'xy')}\n"
    f"0,0.9,{VALUES},{','.join(['3.5'] * 136)}\n",
]
RUN = {
    **{"format": workdir.FORMAT, "lgan_jax": "0.1.0", "jax": "0.10", "devices": ["cpu"]},
    "config": {"method": "landmarkgan", "phases": ["detector"]},
    "data": {"name": "x", "fingerprint": "ab", "scheme": "wflw98", "size": 64, "identities": ["a", "b"]},
}
MADE = {"run": "r", "weights": "w", "seed": 1, "size": 64, "scheme": "inner49"}
PREPARED = {"version": 1, "options": {"size": 256}, "inputs": {"ann": {"a.mp4": [1, 2]}}}
LINE = {"phase": "joint", "step": 3, "kind": "train", "values": {"loss": 0.5, "psnr": None}}


class Places:
    """Files of fixed names in a folder of each test."""

    def __init__(self, folder):
        self.folder = folder
        for path in ("WFLW_images", "WFLW_annotations/list_98pt_rect_attr_train_test", "ann/Image"):
            (folder / path).mkdir(parents=True)
        (folder / "ann/Image/1.png").write_bytes(PICTURES[0])
        for split in ("train", "test"):
            (folder / wflw.LISTS.format(split=split)).write_text("")
        (folder / "ann/all_68pt.txt").write_text("")

    def __call__(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path


def of_wflw(at, data):
    at(wflw.LISTS.format(split="train"), data)
    for face in at.builder(wflw.WFLW, at.folder).faces("train"):
        try:
            wflw.read(face)
            wflw.crop(np.zeros((40, 30, 3), np.uint8), face.points)
        except wflw.base.Unusable:
            continue


def of_celebv(at, data):
    at("ann/all_68pt.txt", data)
    for frame in at.builder(celebv.CelebV, at.folder).frames("ann"):
        try:
            celebv.read(frame)
        except celebv.base.Unusable:
            continue


def of_made(at, data):
    for numbered in enumerate(generated.read_table(at("landmarks.csv", data))):
        builder = generated.Generated.__new__(generated.Generated)
        builder.root, builder.scheme, builder.size = at.folder, "inner49", 64
        try:
            builder.read(numbered)
        except generated.base.Unusable:
            continue


def of_kept(at, data):
    at("landmarks.npz", data)
    training_landmarks.read(at.folder, ["a"])


FACE = " ".join(f"{i % 30 + 0.5}" for i in range(2 * 98)) + " 1 2 30 30 0 1 0 0 1 0 a.jpg\n"
READERS = {
    "weights": (lambda at, data: files.read(at("weights.pt", data)), WEIGHTS),
    "nvidia": (lambda at, data: nvidia.read(at("ffhq.pkl", data), "G_ema"), [tensorflow(), persistent()]),
    "npz": (lambda at, data: untrusted.read_npz(at("a.npz", data)), WEIGHTS[4:]),
    "image headers": (lambda at, data: image_limits.check(data), PICTURES),
    "images": (lambda at, data: images.decode(data), PICTURES),
    "tables of action units": (lambda at, data: openface.read_table(at("a.csv", data)), [t.encode() for t in TABLES]),
    "CelebA": (lambda at, data: celeba.partition(at("list.txt", data)), [b"1.jpg 0\n2.jpg 1\n3.jpg,2\nimage_id,p\n"]),
    "WFLW": (of_wflw, [FACE.encode() * 3, FACE.replace("a.jpg", "../b.jpg").encode(), b"1 2 3 x.jpg\n"]),
    "CelebV": (of_celebv, [(" ".join(["3.5"] * 136) + " 1.png\n").encode() * 2, b"1 2 3\n"]),
    "CK+ labels": (lambda at, data: ck_plus.read_label([at("S1_1_emotion.txt", data)], "S1_1"), [b"  3.0000000e+00\n"]),
    "generated faces": (
        of_made,
        [
            f"file,number,digest,{','.join(f'{a}_{i}' for i in range(49) for a in 'xy')}\n"
            f"ann/Image/1.png,{n},ab,{','.join(['20.5'] * 97)},3\n".encode()
            for n in (1, 2)
        ],
    ),
    "made.json": (
        lambda at, data: (at("made.json", data), generated.read_record(at.folder)),
        [json.dumps(MADE).encode()],
    ),
    "run.json": (
        lambda at, data: (at("run.json", data), workdir.read_experiment(at.folder)),
        [json.dumps(RUN).encode()],
    ),
    "prepared.json": (
        lambda at, data: untrusted.read_record(at("job.json", data), {"version": int, "options": dict, "inputs": dict}),
        [json.dumps(PREPARED).encode()],
    ),
    "metrics.jsonl": (
        lambda at, data: metrics_file.read(at("metrics.jsonl", data)),
        [(json.dumps(LINE) + "\n").encode() * 2],
    ),
    "landmarks.npz": (of_kept, [saved(np.savez_compressed, **{"0": np.ones((2, 3, 2), np.float32)})]),
}
WORDS = (b"os\nsystem\n", b"cposix\nsystem\n", b"\x81", b"b", b"R", b"Q", b"\x93", b"2", b"u", b"__import__('os')")


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Builders that keep nothing: those of TFDS would write a folder for each damaged file."""
    at = Places(tmp_path)

    def builder(kind, root):
        monkeypatch.setattr(celebv.base.FaceBuilder, "__init__", lambda self, *_: _bare(self))
        return kind(root, tmp_path)

    at.builder = builder
    return at


def _bare(builder):
    builder.skipped, builder.identities = {}, ("ann",)


@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_are_one_line(reader, places):
    read, examples = READERS[reader]
    for data in examples:
        assert fuzzing.outcome(lambda whole: read(places, whole), data) == ""
    fuzzing.attack(lambda data: read(places, data), examples, WORDS, EXAMPLES)


@pytest.mark.fuzz
@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_are_one_line_for_an_hour(reader, places):
    read, examples = READERS[reader]
    fuzzing.attack_on(lambda data: read(places, data), examples, WORDS, 500, len(READERS))


@pytest.mark.parametrize("seed", range(12))
def test_networks_of_any_sizes_are_one_line(seed):
    """The names of published networks, with shapes that do not fit together, many of them absurd."""
    rng = np.random.default_rng(seed)
    kind = list(kinds.KINDS)[seed]
    names = NAMES[kind.partition("/")[2] or kind.split("-")[0].rstrip("0123456789")]
    sides = (0, 1, 2, 3, 5, 2**14)
    for _ in range(4):
        tensors = {
            str(name): np.zeros((0, *rng.choice(sides, rng.integers(0, 4))), np.float32)
            if rng.random() < 0.2
            else np.zeros(rng.choice(sides[1:5], rng.integers(0, 5)), np.float32)
            for name in rng.choice(names, rng.integers(1, len(names) + 1), replace=False)
        }
        with pytest.raises(ValueError, match=r"does not hold the weights of") as caught:
            kinds.network(kind, tensors)
        assert "\n" not in str(caught.value)


NAMES = {
    "encoder": [f"lm_encoder.{i}.{leaf}" for i in (0, 2, 4, 6, 8) for leaf in ("weight", "bias")],
    "decoder": [f"lm_decoder_list.{i}.{j}.{leaf}" for i in (0, 1) for j in (0, 2, 8) for leaf in ("weight", "bias")],
    "generator": ["conv102_1024.0.weight", "conv102_1024.0.bias", "fc2.weight", "decoder_list.0.8.weight"],
    "discriminator": [f"cnn_f.{i}.conv.{leaf}" for i in ("0", "1.conv_0", "1.conv_1") for leaf in ("weight", "bias")],
    "detector": ["m0.b1_4_0.conv1.weight", "m0.b1_99_0.bn1.weight", "l0.weight", "l0.bias", "conv_last0.weight"],
    "fan": ["m0.b1_4.conv1.weight", "m0.b1_88.bn1.weight", "l0.weight", "l1.bias", "conv_last0.weight", "al0.weight"],
    "vgg": ["features.0.weight", "features.0.bias", "features.2.weight", "classifier.0.weight"],
    "lpips": ["features.0.weight", "lin0.model.1.weight", "net.slice1.0.bias", "layers.conv1.weight", "lpips0"],
    "inception": ["Conv2d_1a_3x3.conv.weight", "fc.bias", "fc.weight", "Conv2d_1a_3x3.bn.bias"],
    "stylegan": [
        *(f"synthesis.b{side}.{leaf}" for side in (4, 8) for leaf in ("torgb.weight", "conv1.bias", "const")),
        *("mapping.fc0.weight", "mapping.w_avg", "mapping.embed.weight", "synthesis.b4.conv1.affine.weight"),
        *("conv_clamp", "synthesis.b99999.conv1.bias", "b4.conv.bias", "b8.conv0.bias", "b4.fc.weight"),
    ],
}
NAMES["stylegan2"] = NAMES["stylegan"]
