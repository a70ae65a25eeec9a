"""The tab "Expression" in headless Chromium, on a DFT-Net of tiny width with random weights."""

import base64

import cv2
import numpy as np
import pytest
import small_editor
import small_videos
from small_editor import says, settled

from lgan_jax import action_units
from lgan_jax.media.images import decode, encode_png

pytest.importorskip("dlib")

WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 400, "height": 800}
NUMBERS = action_units.NUMBERS


@pytest.fixture(scope="module")
def address():
    with small_editor.served(None, small_editor.expression_studio()) as address:
        yield address


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "face.png"
    path.write_bytes(encode_png(small_videos.scene((small_videos.face(1)[0], 60, 16))))
    return path


@pytest.fixture
def page(browser, address, photo):
    """The page, with the photo opened."""
    with small_editor.flawless(browser.new_page(viewport=WIDE)) as page:
        yield opened(page, address, photo)


def opened(page, address, photo):
    page.goto(address)
    page.wait_for_selector("main[aria-busy=false]")
    page.locator("#face-file").set_input_files(photo)
    return settled(page)


def shown(page, canvas="result"):
    """What a canvas shows, as an image file."""
    return settled(page).locator(f"#{canvas}").evaluate("canvas => canvas.toDataURL()")


def values(page):
    return [float(page.locator(f"#unit-{number}").input_value()) for number in NUMBERS]


def slide(page, number, value):
    return small_editor.slide(page, f"unit-{number}", value)


def test_a_slider_moves_and_comes_back(page):
    own, before = values(page), shown(page)
    assert any(own)
    moved = 0.0 if own[8] > 0.5 else 1.0
    slide(page, 12, moved)
    after = shown(page)
    assert after != before
    assert values(page) == [*own[:8], moved, *own[9:]]
    page.keyboard.press("Control+z")
    assert (shown(page), values(page)) == (before, own)
    page.keyboard.press("Control+Shift+z")
    assert (shown(page), values(page)) == (after, [*own[:8], moved, *own[9:]])
    page.keyboard.press("Delete")  # the slider has the focus
    assert (shown(page), values(page)) == (before, own)
    slide(page, 45, 0.33)
    page.keyboard.press("r")
    assert values(page) == own


def test_the_face_alone_changes_in_the_photo(page):
    before, after = (decode(base64.b64decode(shown(page, name).split(",")[1])) for name in ("source", "result"))
    after = cv2.resize(after, before.shape[1::-1], interpolation=cv2.INTER_AREA)
    change = np.abs(after.astype(int) - before).sum(-1) / 3
    height, width = change.shape
    assert change[: height // 12].mean() < 4
    assert change[height // 3 : 2 * height // 3, 2 * width // 5 : 3 * width // 5].mean() > 20


def test_usual_expressions_with_strength(page):
    own = values(page)
    page.get_by_role("button", name="happiness").click()
    happy = action_units.expression_units("happiness")
    np.testing.assert_allclose(values(page), happy, atol=1e-6)
    page.keyboard.press("h")
    page.locator("#strength").fill("0.5")
    settled(page)
    np.testing.assert_allclose(values(page), happy / 2, atol=0.0051)
    assert page.get_by_role("button", name="happiness").get_attribute("aria-pressed") == "true"
    page.keyboard.press("8")
    np.testing.assert_allclose(values(page), action_units.expression_units("surprise") / 2, atol=0.0051)
    page.keyboard.press("n")
    assert values(page) == [0] * 17
    page.keyboard.press("p")
    assert page.get_by_role("button", name="surprise").get_attribute("aria-pressed") == "true"
    for _ in range(5):
        page.keyboard.press("Control+z")
    assert values(page) == own


def test_like_another_photo(page, tmp_path):
    own = values(page)
    (tmp_path / "other.png").write_bytes(encode_png(small_videos.scene((small_videos.face(2)[0], 60, 16))))
    page.locator("#like-file").set_input_files(tmp_path / "other.png")
    assert says(page, "Expression taken from the photo")
    other = values(page)
    assert other != own
    page.locator("#face-file").set_input_files(tmp_path / "other.png")
    assert says(page, "The sliders show the estimated action units")
    np.testing.assert_allclose(values(page), other, atol=0.011)
    assert page.locator("[data-command=undo]").is_disabled()


def test_views_and_the_line_between_before_and_after(page):
    pictures = [shown(page)]
    for _ in range(4):
        page.keyboard.press("v")
        pictures.append(shown(page))
    assert len(set(pictures)) == 5
    page.keyboard.press("v")
    assert shown(page) == pictures[0]
    page.keyboard.press("d")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert page.locator("#split").input_value() == "0.54"
    assert shown(page) != pictures[1]
    box = page.locator("#result").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 60)
    page.mouse.up()
    assert page.locator("#split").input_value() == "0.25"
    page.keyboard.press("c")
    assert page.locator("#close").is_checked()


def test_the_photo_is_exported(page, photo):
    with page.expect_download() as download:
        page.keyboard.press("e")
    assert download.value.suggested_filename == "face-express.png"
    exported = download.value.path().read_bytes()
    assert b"trainedAlgorithmicMedia" in exported
    assert decode(exported).shape == decode(photo.read_bytes()).shape


def test_a_refused_photo_leaves_all_as_it_was(page, tmp_path):
    before = shown(page)
    (tmp_path / "face.png").write_bytes(b"PK\x03\x04 no image")
    page.locator("#face-file").set_input_files(tmp_path / "face.png")
    assert says(page, "this is no photo that can be read")
    (tmp_path / "grey.png").write_bytes(encode_png(np.full((200, 200, 3), 90, np.uint8)))
    page.locator("#face-file").set_input_files(tmp_path / "grey.png")
    assert says(page, "there is no face that can be seen")
    assert shown(page) == before
    page.keyboard.press("6")
    assert shown(page) != before


def test_several_faces(page, tmp_path):
    small, large = (small_videos.face(1, size)[0] for size in (150, 230))
    group = small_videos.scene((small, 10, 40), (large, 190, 10), (small, 440, 40), width=600)
    (tmp_path / "group.png").write_bytes(encode_png(group))
    page.locator("#face-file").set_input_files(tmp_path / "group.png")
    assert says(page, "the largest is edited, number 2 from the left")
    assert "number 2 from the left" in page.locator("#faces-seen").text_content()


def test_a_dropped_photo_is_opened(browser, address, photo):
    page = browser.new_page(viewport=WIDE)
    page.goto(address)
    page.wait_for_selector("main[aria-busy=false]")
    page.get_by_text("Drop a photo of a face here").wait_for()
    for key in ("6", "n", "r", "v", "e", "o"):
        page.keyboard.press(key)  # nothing to work on yet
    assert says(page, "Open a photo first")
    data = page.evaluate_handle(
        """bytes => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "face.png", { type: "image/png" }));
          return data;
        }""",
        list(photo.read_bytes()),
    )
    page.dispatch_event("#result", "drop", {"dataTransfer": data})
    settled(page)
    assert not page.locator("#invite").is_visible()
    assert any(values(page))
    page.close()


def test_after_a_lost_connection_the_photo_is_there_again(browser, photo):
    studio = small_editor.expression_studio()
    page = browser.new_page(viewport=WIDE)
    page.add_init_script(
        "const Real = WebSocket; WebSocket = function (url) { return (window.last = new Real(url)); };"
        "Object.assign(WebSocket, { OPEN: Real.OPEN });"
    )
    with small_editor.served(None, studio) as address:
        opened(page, address, photo)
        page.keyboard.press("6")
        happy = shown(page)
        with page.expect_response("**/expression/photo*"):
            page.evaluate("window.last.close()")
        assert says(page, "Connected again")
        page.keyboard.press("1")
        assert shown(page) != happy
        page.keyboard.press("6")
        assert shown(page) == happy
        page.close()


def test_the_tab_without_a_run_says_how_to_get_it(page):
    page.keyboard.press("j")
    assert page.get_by_text("There is no LandmarkGAN run to edit landmarks with").is_visible()
    assert not page.locator("#result").is_visible()
    assert not page.locator("[data-command=undo]").is_visible()
    page.keyboard.press("6")
    page.get_by_role("tab", name="Expression").click()
    assert page.locator("#result").is_visible()
    page.get_by_role("tab", name="Expression").press("ArrowLeft")
    assert page.get_by_role("tab", name="Landmarks").get_attribute("aria-selected") == "true"


def test_both_tabs_work_side_by_side(browser, photo):
    landmarks = small_editor.studio(small_editor.model(), small_editor.known(each=6))
    with small_editor.served(landmarks, small_editor.expression_studio()) as address:
        page = small_editor.opened(browser.new_page(viewport=WIDE), address)
        assert page.get_by_role("tab", name="Landmarks").get_attribute("aria-selected") == "true"
        first = page.locator("#faces canvas").first.evaluate("canvas => canvas.toDataURL()")
        page.keyboard.press("m")
        settled(page)
        page.keyboard.press("j")
        assert page.locator("[data-command=undo]").is_disabled()  # each tab has its own history
        page.locator("#face-file").set_input_files(photo)
        assert says(page, "The sliders show the estimated action units")
        before = shown(page)
        page.keyboard.press("6")
        assert shown(page) != before
        page.keyboard.press("j")
        page.keyboard.press("Control+z")
        settled(page)
        assert page.locator("#faces canvas").first.evaluate("canvas => canvas.toDataURL()") == first
        page.reload()
        assert page.url.endswith("#landmarks")
        page.close()


def test_every_command_is_in_the_help(page):
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    keys = dialog.locator("dt").all_text_contents()
    assert len(keys) == len(set(keys)) == 17
    assert dialog.get_by_text("Facial Action Coding System").is_visible()
    assert not dialog.get_by_text("iBUG").is_visible()
    page.keyboard.press("Escape")
    for button in page.locator(small_editor.BUTTONS).all():
        assert "(" in button.get_attribute("title")


@pytest.mark.parametrize("viewport", [WIDE, PHONE])
def test_nothing_overflows_and_all_controls_have_names(browser, address, photo, viewport):
    page = opened(browser.new_page(viewport=viewport), address, photo)
    page.keyboard.press("d")
    settled(page)
    small_editor.check_layout(page, "canvas:visible")
    assert page.get_by_role("slider", name="12 lip corner puller").is_visible()
    page.get_by_role("slider", name="45 blink").scroll_into_view_if_needed()
    assert page.locator("#result").is_visible()
    box, last = (page.locator(each).bounding_box() for each in ("#result", "#unit-45"))
    assert 0 <= box["y"] < box["y"] + box["height"] < viewport["height"]
    assert last["y"] + last["height"] <= viewport["height"]
    page.close()
