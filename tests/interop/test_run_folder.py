"""The command: the authors' files become a run that converts, makes faces and finds landmarks as theirs do."""

import json

import cv2
import jax
import numpy as np
import pytest

import lgan_jax
from lgan_jax import cli, experiment
from lgan_jax.interop import __main__ as command
from lgan_jax.interop import run
from lgan_jax.nn import stacked
from lgan_jax.nn.patch_discriminator import PatchDiscriminator

torch = pytest.importorskip("torch", reason="PyTorch is not installed; pip install 'lgan_jax[torch]'")
import twins  # noqa: E402  after the skip

WIDTH, BLOCKS, SIZE = 1 / 64, 2, 32
PEOPLE = ("Grace", "Ada")


def theirs(landmarks):
    centres = np.roll((64 * landmarks - 0.5) / 63, -33, axis=1)
    return torch.tensor(centres.reshape(len(centres), -1), dtype=torch.float32)


def ours(flat):
    return np.roll((63 * flat.detach().numpy().reshape(len(flat), 98, 2) + 0.5) / 64, 33, axis=1)


@pytest.fixture(scope="module")
def originals():
    networks = {
        "lm_encoder": twins.drawn(twins.Encoder(98, 24), 1),
        "lm_decoder": twins.drawn(twins.Decoder(98, 24, 2), 2),
        "detector": twins.drawn(twins.Detector(98, 8, depth=1), 3),
    }
    for i in range(2):
        networks[f"gen_{i}"] = twins.drawn(twins.Generator(98, WIDTH, BLOCKS), 10 + i)
        networks[f"dis_{i}"] = twins.drawn(twins.Discriminator(4), 20 + i)
    return networks


@pytest.fixture(scope="module")
def folder(originals, tmp_path_factory):
    """As the authors save them: under a key, the steps in the names; the detector's without either."""
    folder = tmp_path_factory.mktemp("released")
    for name, network in originals.items():
        weights, key = network.state_dict(), name.split("_")[0] if name[-1].isdigit() else name
        if name == "detector":
            torch.save(weights, folder / "detector.pth")
        else:
            torch.save({key: weights}, folder / f"{name}_00400000.pt")
    return folder


@pytest.fixture(scope="module", autouse=True)
def few_faces(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGAN_JAX_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(run, "_BUILT_IN", {"train_per_identity": 6, "validation_per_identity": 1, "test_per_identity": 2})
        yield


def converted(out, *arguments):
    return cli.run(lambda: command.main(["landmarkgan", *map(str, arguments), "--out", str(out)]), "interop")


@pytest.fixture(scope="module")
def made(folder, tmp_path_factory):
    """From files in an order that is not that of their numbers."""
    out = tmp_path_factory.mktemp("runs") / "published"
    assert converted(out, *sorted(folder.iterdir(), reverse=True), "--identities", ",".join(PEOPLE)) == 0
    return out


def test_the_loaded_run_computes_what_the_originals_do(made, originals):
    model = lgan_jax.load(made)
    assert model.info.identities == PEOPLE
    landmarks = np.random.default_rng(0).uniform(0, 1, (3, 98, 2)).astype(np.float32)
    for i, name in enumerate(PEOPLE):
        expected = originals["lm_decoder"](originals["lm_encoder"](theirs(landmarks)), i)
        np.testing.assert_allclose(model.convert(landmarks, name), ours(expected), atol=1e-4)
        face = originals[f"gen_{i}"](expected).detach().numpy()
        np.testing.assert_allclose((model.synthesize(landmarks, name) + 1) / 2, np.moveaxis(face, 1, -1), atol=1e-4)


def test_the_run_is_evaluated_and_knows_landmarks(made):
    report = experiment.evaluate(made, {"frames": 1})
    assert report.tables
    known = experiment.training_landmarks(made)
    assert {name: x.shape for name, x in known.items()} == dict.fromkeys(PEOPLE, (12, 98, 2))
    assert np.abs(known["Ada"] - known["Grace"]).max() > 0.01


def test_the_discriminators_are_for_signed_pictures(made, originals):
    record = json.loads((made / "run.json").read_text())
    read = experiment.Experiment.read(record["config"])
    finished = read.restored(lgan_jax.load(made).info, made)["generator"]
    image = np.random.default_rng(1).uniform(0, 1, (1, 2, SIZE, SIZE, 3)).astype(np.float32)
    for i in range(2):
        params = stacked.pick(finished.state.params["discriminators"], i)
        logits, _ = jax.jit(PatchDiscriminator(4).apply)({"params": params}, 2 * image[:, i] - 1)
        expected = originals[f"dis_{i}"](torch.tensor(np.moveaxis(image[:, i], -1, 1)))[0].detach().numpy()
        np.testing.assert_allclose(logits, np.moveaxis(expected, 1, -1), atol=1e-4)


def test_without_a_detector_nothing_is_found_unless_a_run_lends_its_own(made, folder, tmp_path, capsys):
    needed = [path for path in folder.iterdir() if not path.name.startswith(("dis", "detector"))]
    assert converted(tmp_path / "blind", *needed) == 0
    assert "detects no landmarks" in capsys.readouterr().out
    image = np.zeros((SIZE, SIZE, 3), np.float32)
    blind = lgan_jax.load(tmp_path / "blind")
    assert blind.info.identities == ("0", "1")
    with pytest.raises(ValueError, match="no landmark detector"):
        blind.detect(image)
    assert converted(tmp_path / "seeing", *needed, "--detector", made) == 0
    lent, own = (lgan_jax.load(path).state.frozen["detector"] for path in (tmp_path / "seeing", made))
    jax.tree.map(np.testing.assert_array_equal, lent, own)


def celebv(root, people):
    """A folder in CelebV's layout: gray images, and landmarks near a place that is each person's own."""
    random = np.random.default_rng(3)
    for i, name in enumerate(people):
        (root / name / "Image").mkdir(parents=True)
        lines = []
        for frame in range(20):
            cv2.imwrite(str(root / name / "Image" / f"{frame:04d}.jpg"), np.full((SIZE, SIZE, 3), 100, np.uint8))
            points = (10 + 5 * i + random.uniform(-3, 3, 196)).round(2)
            lines.append(" ".join([*map(str, points), f"{frame:04d}.jpg"]))
        (root / name / "all_98pt.txt").write_text("\n".join(lines))
    return root


def test_with_data_identities_take_its_order_and_its_landmarks(made, folder, tmp_path, capsys):
    faces = celebv(tmp_path / "faces", ("Ada", "Grace"))
    with_data = tmp_path / "run"
    assert converted(with_data, *folder.iterdir(), "--data", faces) == 2
    assert "--data has the people Ada, Grace: say with --identities" in capsys.readouterr().err
    assert converted(with_data, *folder.iterdir(), "--data", faces, "--identities", ",".join(PEOPLE)) == 0
    model, same = lgan_jax.load(with_data), lgan_jax.load(made)
    assert model.info.identities == ("Ada", "Grace")
    landmarks = np.random.default_rng(0).uniform(0, 1, (98, 2)).astype(np.float32)
    for name in PEOPLE:
        np.testing.assert_allclose(model.synthesize(landmarks, name), same.synthesize(landmarks, name), atol=1e-5)
    known = experiment.training_landmarks(with_data)
    assert [known[name].mean() * SIZE for name in ("Ada", "Grace")] == pytest.approx([10.5, 15.5], abs=0.3)
    record = json.loads((with_data / "run.json").read_text())
    assert record["config"]["data"]["dir"] == str(faces)
    assert record["data"]["built_in"] is False


@pytest.mark.parametrize(
    ("leave_out", "arguments", "said"),
    [
        ("lm_decoder", [], "no file holds the decoders"),
        ("gen_1", [], "decoders of 2 identities and 1 generator files; give 2"),
        ("", ["--identities", "Ada"], "--identities must be 2 different names, not Ada"),
        ("", ["--data", "."], "neither <Identity>/all_98pt.txt nor"),
        ("", ["--detector", "nowhere"], ""),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(folder, tmp_path, monkeypatch, capsys, leave_out, arguments, said):
    monkeypatch.chdir(tmp_path)
    chosen = [path for path in folder.iterdir() if not (leave_out and path.name.startswith(leave_out))]
    chosen = [path for path in chosen if said or path.name != "detector.pth"]
    assert converted(tmp_path / "out", *chosen, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("interop: ")
    assert printed.err.count("\n") == 1
    assert (said or "there is no run in nowhere") in printed.err
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_something_else_and_a_second_encoder_are_named(folder, tmp_path, capsys):
    other = tmp_path / "opt_0_00400000.pt"
    torch.save({"gen": {"state": {0: {"step": 3}}, "param_groups": []}}, other)
    assert converted(tmp_path / "out", *folder.iterdir(), other) == 2
    assert "opt_0_00400000.pt" in capsys.readouterr().err
    encoder = folder / "lm_encoder_00400000.pt"
    assert converted(tmp_path / "out", encoder, *folder.iterdir()) == 2
    assert "both hold the encoder" in capsys.readouterr().err


def test_an_existing_folder_is_left_alone(made, folder, capsys):
    before = sorted(path.name for path in made.rglob("*"))
    assert converted(made, *folder.iterdir()) == 2
    assert "exists; choose another --out" in capsys.readouterr().err
    assert sorted(path.name for path in made.rglob("*")) == before
