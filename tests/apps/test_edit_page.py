"""The page in headless Chromium, on a LandmarkGAN of tiny width with random weights."""

import io
import json
import zipfile

import cv2
import numpy as np
import pytest
import small_editor
from small_editor import says, settled, slide

from lgan_jax.apps.edit import shapes
from lgan_jax.data import synthetic
from lgan_jax.landmarks import WFLW98, mirrored

NOSE = 57
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 400, "height": 800}


@pytest.fixture
def page(browser, address):
    with small_editor.flawless(browser.new_page(viewport=WIDE)) as page:
        yield small_editor.opened(page, address)


def face(page, index=0):
    """The generated face that is shown, as an image file."""
    return settled(page).locator("#faces canvas").nth(index).evaluate("canvas => canvas.toDataURL()")


def saved(page, key):
    with page.expect_download() as download:
        page.keyboard.press(key)
    return download.value.path().read_bytes()


def points(page):
    return np.array(json.loads(saved(page, "s"))["points"])


def drag(page, known, index=NOSE, way=(40, 12)):
    return small_editor.dragged(page, shapes.resting(known)[index], way)


def test_drag_undo_redo_reset(page, known):
    before, resting = face(page), points(page)
    drag(page, known)
    dragged, after = points(page), face(page)
    assert after != before
    moved = dragged - resting
    assert np.flatnonzero(np.abs(moved).sum(1) > 1e-6).tolist() == [NOSE]
    side = page.locator("#canvas").bounding_box()["width"] / 1.14
    np.testing.assert_allclose(moved[NOSE], np.array([40, 12]) / side, atol=1e-3)
    page.keyboard.press("Control+z")
    assert face(page) == before
    np.testing.assert_array_equal(points(page), resting)
    page.keyboard.press("Control+Shift+z")
    assert face(page) == after
    page.keyboard.press("r")
    assert face(page) == before


def test_a_line_moves_its_group(page, known):
    resting = shapes.resting(known)
    middle = (resting[8] + resting[9]) / 2  # of two points of the outline
    for _ in small_editor.drag(page, middle, (30, 0)):
        page.wait_for_timeout(10)
    moved = np.flatnonzero(np.abs(points(page) - resting).sum(1) > 1e-4)
    assert moved.tolist() == list(WFLW98.groups["outline"])
    assert page.locator("#chosen").text_content() == "outline"


def test_a_lasso_chooses_and_arrows_move(page, known):
    resting = shapes.resting(known)
    eye = resting[list(WFLW98.groups["right_eye"])]
    low, high = eye.min(0) - 0.015, eye.max(0) + 0.015
    box = page.locator("#canvas").bounding_box()

    def screen(x, y):
        return float(box["x"] + (x + 0.07) / 1.14 * box["width"]), float(box["y"] + (y + 0.07) / 1.14 * box["height"])

    page.keyboard.down("Shift")
    page.mouse.move(*screen(low[0], low[1]))
    page.mouse.down()
    for corner in ((high[0], low[1]), (high[0], high[1]), (low[0], high[1])):
        page.mouse.move(*screen(*corner), steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    assert page.locator("#chosen").text_content() == "9 points"  # the eye and its pupil
    page.locator("#canvas").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowRight")
    moved = points(page) - resting
    expected = np.zeros((98, 2))
    expected[[*WFLW98.groups["right_eye"], 96]] = (0.02, -0.0025)
    np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_sliders_move_all_landmarks_as_learned(page, known):
    learned = {slider.name: slider for slider in shapes.learn_sliders(known, WFLW98)}
    resting, before = shapes.resting(known), face(page)
    slide(page, "mouth", 0.5)
    np.testing.assert_allclose(points(page), resting + 0.5 * learned["mouth"].direction, atol=1e-5)
    assert face(page) != before
    slide(page, "mouth", 0)
    slide(page, "roll", 10)
    slide(page, "scale", -20)
    turned = points(page)
    angle = np.deg2rad(10)
    rotation = 0.8 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(turned, 0.5 + (resting - 0.5) @ rotation.T, atol=1e-5)
    drag_from = turned[NOSE]
    for _ in small_editor.drag(page, drag_from, (25, 0)):
        page.wait_for_timeout(10)
    moved = points(page) - turned
    assert np.flatnonzero(np.abs(moved).sum(1) > 1e-4).tolist() == [NOSE]
    assert abs(moved[NOSE, 1]) < 1e-3
    page.locator("#roll").focus()
    page.keyboard.press("Delete")
    assert page.locator("#roll").input_value() == "0"


def test_mirror(page, known):
    slide(page, "yaw", 0.5)
    before = points(page)
    page.keyboard.press("m")
    np.testing.assert_allclose(points(page), mirrored(before, WFLW98), atol=1e-3)
    page.keyboard.press("m")
    np.testing.assert_allclose(points(page), before, atol=1e-6)


def test_blend_between_edits(page, known):
    first = points(page)
    page.keyboard.press("a")
    drag(page, known)
    second = points(page)
    page.keyboard.press("b")
    slide(page, "between", 0.25)
    np.testing.assert_allclose(points(page), 0.75 * first + 0.25 * second, atol=1e-5)


def test_people(page):
    ada = face(page)
    page.keyboard.press("2")
    ben = face(page)
    assert ben != ada
    page.keyboard.press("0")
    assert [face(page, i) for i in range(2)] == [ada, ben]
    assert page.locator("#faces .tile").count() == 3
    page.keyboard.press("0")
    page.keyboard.press("1")
    page.locator("#other").select_option("ben")
    slide(page, "amount", 0.5)
    assert face(page) not in (ada, ben)
    slide(page, "amount", 1)
    assert face(page) == ben
    page.locator("#other").select_option("nobody")
    assert face(page) == ada
    page.keyboard.press("f")
    assert face(page) != ada


def test_the_bar_says_when_an_edit_leaves_the_training(page, known):
    words = page.locator("#coverage-words")
    assert words.text_content() == "Like the training faces"
    drag(page, known, way=(150, 0))
    assert words.text_content() == "Past the training faces: expect artifacts"
    assert float(page.get_by_role("meter").get_attribute("aria-valuenow")) > 1


def test_json_and_pts_come_back(page, known, tmp_path):
    drag(page, known)
    edited, text = points(page), saved(page, "i").decode()
    lines = text.split("\n")
    assert lines[:3] == ["version: 1", "n_points: 98", "{"]
    assert lines[101:] == ["}", ""]
    pixels = np.array([line.split() for line in lines[3:101]], float)
    np.testing.assert_allclose(pixels, edited * 32 + 0.5, atol=1e-3)  # the first pixel's center, 0.5 / 32, is 1
    for name, content in (("a.pts", text), ("a.json", saved(page, "s").decode())):
        (tmp_path / name).write_text(content)
        page.keyboard.press("r")
        page.locator("#landmark-file").set_input_files(tmp_path / name)
        assert says(page, f"{name} opened")
        np.testing.assert_allclose(points(page), edited, atol=1e-5)
    elsewhere = "\n".join(f"{300 + 200 * x} {150 + 200 * y}" for x, y in edited)
    (tmp_path / "b.pts").write_text(f"version: 1\nn_points: 98\n{{\n{elsewhere}\n}}\n")
    page.locator("#landmark-file").set_input_files(tmp_path / "b.pts")
    assert says(page, "fitted to this one")
    np.testing.assert_allclose(points(page), edited, atol=0.01)


@pytest.mark.parametrize(
    ("head", "between", "tail"),
    [
        ("version: 1\r\nn_points: 98\r\n{\r\n", "\r\n", "\r\n}\r\n"),
        ("\ufeffversion: 1\nN_POINTS:98\n\n{", "\n\n", "}"),
        ("// drawn by hand\nn_points = 98 {\n  ", " \t\n  ", "\n} # end"),
    ],
)
def test_pts_in_all_writings(page, tmp_path, head, between, tail):
    wanted = points(page) + 0.01
    rows = between.join(f"{x}\t{y:e}" for x, y in wanted * 32 + 0.5)
    (tmp_path / "a.pts").write_text(f"{head}{rows}{tail}", encoding="utf-8", newline="")
    page.locator("#landmark-file").set_input_files(tmp_path / "a.pts")
    assert says(page, "a.pts opened")
    np.testing.assert_allclose(points(page), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("version: 1\nn_points: 3\n{\n1 1\n}\n", "the file says 3 points and has 1"),
        ("version: 1\nn_points: 2\n{\n1 1\n2 2\n}\n", "the file has 2 points; this run has 98 (wflw98)"),
        ('{"scheme": "ibug68", "points": [[0, 1]]}', "the file's points are ibug68; this run has wflw98"),
        ('{"points": 3}', "the file holds no points"),
        ("hello", "neither JSON nor .pts"),
        ("{", "no JSON"),
    ],
)
def test_files_that_do_not_fit_are_refused_in_one_line(page, tmp_path, content, said):
    before = points(page)
    (tmp_path / "a.json").write_text(content)
    page.locator("#landmark-file").set_input_files(tmp_path / "a.json")
    assert says(page, said)
    np.testing.assert_array_equal(points(page), before)


def test_landmarks_from_a_photo(page, tmp_path):
    pytest.importorskip("dlib")
    sample = synthetic.sample(synthetic.Settings(identities=3), "train", 0)
    picture = synthetic.draw(sample, 320)["image"]
    cv2.imwrite(str(tmp_path / "photo.jpg"), picture[..., ::-1])
    before = points(page)
    page.locator("#photo-file").set_input_files(tmp_path / "photo.jpg")
    assert says(page, "Landmarks taken from the photo")
    assert np.abs(points(page) - before).max() > 0.01
    page.locator("[name=backdrop][value=photo]").check(force=True)
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(points(page), before)


def test_what_is_no_photo_is_refused_and_the_page_goes_on(page, known, tmp_path):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("face.png", b"no image")
    (tmp_path / "face.png").write_bytes(data.getvalue())
    before = face(page)
    page.locator("#photo-file").set_input_files(tmp_path / "face.png")
    assert says(page, "this is no photo that can be read")
    drag(page, known)
    assert face(page) != before


def test_the_strip_is_saved_as_an_image_grid_and_a_video(page, known):
    pytest.importorskip("av")
    page.keyboard.press("t")
    drag(page, known)
    page.keyboard.press("t")
    assert page.locator("#frames li").count() == 2
    assert saved(page, "x").startswith(b"\x89PNG")
    assert saved(page, "z")[4:8] == b"ftyp"
    dragged = points(page)
    page.locator("#frames .frame").first.click()
    assert np.abs(points(page) - dragged).max() > 0.01
    page.keyboard.press("y")
    assert page.locator("#frames li").count() == 1
    assert saved(page, "e").startswith(b"\x89PNG")


def test_every_command_is_in_the_help(page):
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    assert dialog.is_visible()
    keys = dialog.locator("dt").all_text_contents()
    assert len(keys) == len(set(keys)) >= 30
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    for button in page.locator(small_editor.BUTTONS).all():
        assert "(" in button.get_attribute("title")


@pytest.mark.parametrize("viewport", [WIDE, PHONE])
def test_nothing_overflows_and_all_controls_have_names(browser, address, viewport):
    page = small_editor.opened(browser.new_page(viewport=viewport), address)
    page.keyboard.press("0")
    settled(page)
    small_editor.check_layout(page, "select:visible, canvas[tabindex]")
    page.close()


def test_the_round_trip_is_measured(page, known):
    drag(page, known)
    timing = page.locator("#timing")
    assert 0 < float(timing.get_attribute("data-network")) < float(timing.get_attribute("data-round-trip"))


def test_the_camera_drives_where_there_is_one(browser, address):
    pytest.importorskip("dlib")
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    options = {"executable_path": str(small_editor.CHROMIUM), "args": [*small_editor.FLAGS, *flags]}
    with browser.browser_type.launch(**options) as with_camera:
        page = small_editor.opened(with_camera.new_page(viewport=WIDE), address)
        button = page.locator("[data-command=camera]")
        button.wait_for()
        button.click()
        assert says(page, "No face is detected in the camera")  # a test pattern
        page.keyboard.press("w")
        page.locator("#camera").wait_for(state="hidden")


def test_without_a_camera_there_is_no_button(page):
    assert not page.locator("[data-command=camera]").is_visible()
