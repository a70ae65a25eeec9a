"""metrics.jsonl, images, TensorBoard, progress and the preview page."""

import html.parser
import io
import json
import re

import cv2
import numpy as np
import pytest
from rich.console import Console
from tensorboardX.proto.event_pb2 import Event

from lgan_jax.training.logs import Log, metrics_file, preview, progress


def open_log(workdir, start=0, console=None):
    return Log(workdir, "generator", start, 50, console or Console(file=io.StringIO(), width=200))


def events(path):
    """TensorBoard's records: a length (8 bytes), its checksum (4), the event, its checksum (4)."""
    data, found = path.read_bytes(), []
    while data:
        size = int.from_bytes(data[:8], "little")
        found.append(Event.FromString(data[12 : 12 + size]))
        data = data[16 + size :]
    return found


def test_rewinding_removes_later_lines_of_the_phase_and_a_broken_last_one(tmp_path):
    path = tmp_path / "metrics.jsonl"
    for phase, step in [("a", 5), ("a", 10), ("b", 5), ("b", 10)]:
        metrics_file.append(path, {"phase": phase, "step": step, "kind": "train", "values": {"loss": 1.5}})
    with path.open("a") as file:
        file.write('{"phase": "b", "st')
    metrics_file.rewind(path, "b", 5)
    assert [(line["phase"], line["step"]) for line in metrics_file.read(path)] == [("a", 5), ("a", 10), ("b", 5)]
    assert path.read_text().endswith("}\n")


def test_nothing_to_rewind_makes_no_file(tmp_path):
    metrics_file.rewind(tmp_path / "metrics.jsonl", "a", 5)
    assert metrics_file.read(tmp_path / "metrics.jsonl") == []
    assert not list(tmp_path.iterdir())


def test_nan_is_null_in_json(tmp_path):
    path = tmp_path / "metrics.jsonl"
    metrics_file.append(path, {"phase": "a", "step": 1, "kind": "eval", "values": {"nme": float("nan"), "ok": 2.0}})
    (line,) = [json.loads(text, parse_constant=pytest.fail) for text in path.read_text().splitlines()]
    assert line["values"] == {"nme": None, "ok": 2.0}


def test_the_worst_identity_is_named_and_each_is_written_down(tmp_path):
    said = io.StringIO()
    values = {"l1": np.array([0.1, 0.4, 0.1]), "ssim": np.array([0.9, 0.8, np.nan]), "total": 2.0}
    with open_log(tmp_path, console=Console(file=said, width=200)) as log:
        log.evaluation(20, values, ("ada", "ben", "cyd"), {"l1": max, "ssim": min})
        log.evaluation(30, {"l1": np.array([0.25])}, ("ada",), {"l1": max})
    assert "evaluation: l1 0.2  ssim nan  total 2;  worst: ben l1 0.4  cyd ssim nan" in said.getvalue()
    assert said.getvalue().rstrip().endswith("generator 30/50  evaluation: l1 0.25")
    first, second = metrics_file.read(tmp_path / "metrics.jsonl")
    assert first["values"] == {
        **{"l1": pytest.approx(0.2), "ssim": None, "total": 2},
        **{"l1_worst": 0.4, "ssim_worst": None},
    }
    assert first["identities"]["cyd"] == {"l1": 0.1, "ssim": None}
    assert second["values"] == {"l1": 0.25}


def test_image_grid_puts_each_image_in_its_place():
    cells = np.full((2, 3, 5, 4, 3), -1.0)
    cells[1, 2] = [1.0, 0.0, -1.0]
    cells[0, 1] = 7.0  # out of range: clipped
    image_grid = preview.image_grid(cells)
    assert image_grid.shape == (2 * 5 + 2, 3 * 4 + 2 * 2, 3)
    assert image_grid.dtype == np.uint8
    np.testing.assert_array_equal(image_grid[7:, 12:], np.broadcast_to([255, 128, 0], (5, 4, 3)))
    np.testing.assert_array_equal(image_grid[:5, 6:10], np.full((5, 4, 3), 255))
    np.testing.assert_array_equal(image_grid[:5, :4], np.zeros((5, 4, 3)))
    np.testing.assert_array_equal(image_grid[5:7], np.full((2, 16, 3), 250))


def test_image_grid_refuses_another_shape():
    with pytest.raises(ValueError, match=r"images must be \(rows, columns, H, W, 3\), not \(5, 4, 3\)"):
        preview.image_grid(np.zeros((5, 4, 3)))


def test_images_are_saved_as_rgb_and_rewound(tmp_path):
    red = np.zeros((6, 5, 3), np.uint8)
    red[..., 0] = 200
    for step in (0, 3, 6):
        preview.save_image(tmp_path / "images" / "a" / "made", step, red)
    preview.rewind_images(tmp_path / "images" / "a", 3)
    (files,) = preview.image_history(tmp_path)["a"].values()
    assert [path.as_posix() for path in files] == ["images/a/made/00000000.png", "images/a/made/00000003.png"]
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / files[0]))[..., ::-1], red)


def test_log_writes_everything_and_a_continued_log_says_nothing_twice(tmp_path):
    cells = np.zeros((1, 2, 6, 5, 3))
    with open_log(tmp_path) as log:
        log.train(10, {"l2i": 0.5}, None)
        log.sample_images(10, {"faces": cells})
        log.train(20, {"l2i": 0.25}, (100.0, 30.0))
        log.evaluation(20, {"nme": 0.125})
        log.sample_images(20, {"faces": cells})
    with open_log(tmp_path, start=10) as log:
        log.train(20, {"l2i": 0.75}, (50.0, 60.0))
    read = metrics_file.read(tmp_path / "metrics.jsonl")
    assert [(line["kind"], line["step"], line["values"]) for line in read] == [
        ("train", 10, {"l2i": 0.5}),
        ("train", 20, {"l2i": 0.75}),
    ]
    assert "images_per_second" not in read[0]
    assert read[1]["images_per_second"] == 50
    assert [path.name for path in tmp_path.glob("images/generator/faces/*")] == ["00000010.png"]


def test_tensorboard_holds_the_curves_and_voids_what_is_done_again(tmp_path):
    with open_log(tmp_path) as log:
        log.train(10, {"l2i": 0.5}, None)
        log.sample_images(10, {"faces": np.zeros((1, 2, 6, 5, 3))})
    with open_log(tmp_path, start=7) as log:
        log.evaluation(8, {"nme": 0.125})
    first, second = (events(path) for path in sorted(tmp_path.glob("tensorboard/generator/*")))
    assert [(e.step, v.tag, v.simple_value) for e in first for v in e.summary.value if not v.image.width] == [
        (10, "train/l2i", 0.5)
    ]
    (image,) = [v.image for e in first for v in e.summary.value if v.image.width]
    assert (image.height, image.width) == (6, 12)
    assert [e.step for e in second if e.session_log.status == 1] == [8]
    assert [v.tag for e in second for v in e.summary.value] == ["eval/nme"]


def test_plain_lines_where_there_is_no_terminal(tmp_path):
    console = Console(file=io.StringIO(), width=200)
    with open_log(tmp_path, console=console) as log:
        log.train(10, {"l2i": 0.51234, "i2l": 2.0}, (123.4, 7500.0))
        log.evaluation(10, {"ssim [64]": 0.5})
    printed = console.file.getvalue().splitlines()
    assert printed[0] == "generator 10/50  123 images/s  2 h 05 min left  l2i 0.5123  i2l 2"
    assert printed[1] == "generator 10/50  evaluation: ssim [64] 0.5"


@pytest.mark.parametrize("width", [80, 60])
def test_bar_is_legible_and_never_frozen(width, tmp_path):
    """Ten figures with long names; the time left falls with every step, and "compiling" is shown while it compiles."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True)
    log = progress.Progress("generator", 0, 50, console)
    texts = []

    def shown():
        texts.append(log.bar.tasks[0].fields["text"])
        return texts[-1]

    log.doing("compiling")
    assert shown() == "0/50  compiling …"
    log.doing("")
    log.advance(1)
    assert shown() == "1/50"
    log.report(2, {f"adversarial_loss_{i}": i / 7 for i in range(10)}, (123.4, 48.0))
    assert shown().startswith("2/50  48 s left  adversarial_loss_0 0")
    log.advance(26)
    assert "24 s left" in shown()
    log.doing("evaluating")
    assert "evaluating …" in shown()
    assert "left" not in shown()
    log.doing("")
    log.advance(50)
    assert "0 s left" in shown()
    log.close()
    assert max(map(len, texts)) <= width - len("generator") - 14
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", console.file.getvalue()).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(line for line in lines if "left" in line)  # nothing is cut off


def test_bar_on_a_terminal(tmp_path):
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with open_log(tmp_path, console=console) as log:
        log.advance(11)
        log.train(12, {"l2i": 0.5}, (123.4, 48.0))
    printed = console.file.getvalue()
    assert "━" in printed
    assert "12/50" in printed
    assert "48 s left" in printed


class _Page(html.parser.HTMLParser):
    """Collects start tags with their attributes, and text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag, name=""):
        return [attributes for found, attributes in self.tags if found == tag and name in attributes.get("class", "")]


@pytest.fixture
def page(tmp_path):
    workdir = tmp_path / "a <run>"
    workdir.mkdir()
    lines = [
        {"phase": phase, "step": step, "kind": kind, "values": {"l2i": step * factor, "i2l": None}}
        for phase, kind, factor in [("detector", "train", 1.0), ("generator", "train", 2.0), ("generator", "eval", 4.0)]
        for step in (0, 10, 20)
    ]
    for step in (0, 1500):
        preview.save_image(workdir / "images" / "generator" / "held out", step, np.zeros((6, 5, 3), np.uint8))
    preview.Preview(workdir, lines).write(running=True)
    return _Page((workdir / "preview.html").read_text())


def test_preview_shows_the_history_newest_first(page):
    (image_grid,) = page.all("figure", "image-grid")
    files = json.loads(image_grid["data-files"])
    assert files == ["images/generator/held out/00000000.png", "images/generator/held out/00001500.png"]
    assert json.loads(image_grid["data-steps"]) == [0, 1500]
    assert [image["src"] for image in page.all("img")] == files[-1:]
    assert "step 1,500" in page.text
    assert page.text.index("generator") < page.text.index("detector")


def test_preview_draws_the_curves(page):
    train, held_out = page.all("polyline", "train"), page.all("polyline", "eval")
    assert train[0]["points"] == "0.0,72.0 120.0,54.0 240.0,36.0"  # of the generator: 0, 20, 40 of 0 … 80
    assert [line["points"] for line in held_out] == ["0.0,72.0 120.0,36.0 240.0,0.0"]
    assert len(train) == 2
    assert "0 to 80" in page.text


def test_preview_escapes_and_needs_nothing_from_elsewhere(page):
    assert "a <run>" in page.text
    assert not [tag for tag, _ in page.tags if tag in ("run", "link", "iframe")]
    assert all("src" not in script for script in page.all("script"))
    assert page.all("body")[0]["data-running"] == "true"


def test_long_curves_are_thinned_to_means_and_the_newest():
    points = [(step, float(step)) for step in range(1, 1001)]
    thinned = preview.thinned(points)
    assert len(thinned) <= 241
    assert thinned[0] == (3, 3.0)  # of the first five: 1 … 5
    assert thinned[-1] == (1000, 1000.0)
