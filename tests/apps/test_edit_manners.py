"""The page in headless Chromium: it asks before edits are lost, obeys one finger, and answers what it cannot do."""

from urllib.parse import urlsplit

import pytest
import small_editor

from lgan_jax.apps.edit import server, shapes

NOSE = 57


@pytest.fixture(scope="module")
def known():
    return small_editor.known(each=12)


@pytest.fixture(scope="module")
def address(known):
    with small_editor.served(small_editor.studio(small_editor.model(), known)) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with small_editor.browser() as opened:
        yield opened


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(120_000)
    yield page
    page.close()


def said(page):
    return page.locator("#message.problem").text_content()


def test_edits_that_are_in_no_file_are_asked_for_before_leaving(page, address, known):
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    small_editor.opened(page, address).reload()
    assert asked == []
    small_editor.settled(page)
    for _ in small_editor.drag(page, shapes.resting(known)[NOSE], (40, 12)):
        page.wait_for_timeout(5)
    small_editor.settled(page).reload()
    assert asked == ["beforeunload"]
    small_editor.settled(page)
    for _ in small_editor.drag(page, shapes.resting(known)[NOSE], (40, 12)):
        page.wait_for_timeout(5)
    with small_editor.settled(page).expect_download():
        page.keyboard.press("s")
    page.reload()
    assert asked == ["beforeunload"]
    small_editor.settled(page).keyboard.press("t")  # a strip that is in no file is asked for, too
    page.reload()
    assert asked == ["beforeunload"] * 2


def test_a_second_finger_does_not_end_a_drag(page, address, known):
    small_editor.opened(page, address)
    touch = page.context.new_cdp_session(page)
    box = page.locator("#canvas").bounding_box()
    across, down = map(float, shapes.resting(known)[NOSE])
    x, y = box["x"] + (across + 0.07) / 1.14 * box["width"], box["y"] + (down + 0.07) / 1.14 * box["height"]
    other = {"x": box["x"] + 20, "y": box["y"] + 20, "id": 1}

    def send(kind, *points):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    def nose():
        return page.evaluate("() => document.querySelector('#chosen').textContent")

    page.evaluate("() => { window.lifted = 0; document.addEventListener('pointerup', () => (lifted += 1)); }")
    send("touchStart", {"x": x, "y": y, "id": 0})
    assert "point 58" in nose()
    send("touchMove", {"x": x + 30, "y": y, "id": 0})
    send("touchStart", {"x": x + 30, "y": y, "id": 0}, other)
    send("touchMove", {"x": x + 30, "y": y, "id": 0}, {**other, "x": other["x"] + 90})
    send("touchMove", {"x": x + 31, "y": y, "id": 0})  # without the other, which is lifted by that
    assert page.evaluate("lifted") == 1
    assert page.locator("[data-command=undo]").is_disabled()  # nothing is dropped yet
    send("touchMove", {"x": x + 60, "y": y, "id": 0})
    send("touchEnd")
    assert page.locator("[data-command=undo]").is_enabled()
    assert "point 58" in nose()
    page.keyboard.press("Control+z")
    assert page.locator("[data-command=undo]").is_disabled()  # it was one drag


def test_a_picture_of_another_page_is_answered(page, address):
    small_editor.opened(page, address).evaluate(
        """() => {
            const dropped = new DataTransfer();
            dropped.setData("text/uri-list", "https://other.example/face.jpg");
            document.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, cancelable: true }));
        }"""
    )
    assert said(page).startswith("Only files can be dropped")


def test_a_refused_socket_is_told(page, address, monkeypatch):
    monkeypatch.setattr(server, "_MOST_PAGES", 0)
    page.goto(address)
    assert "0 pages are open, which is the most" in said(page)
    page.wait_for_timeout(600)  # a socket that was merely lost would be opened again
    assert "0 pages are open, which is the most" in said(page)


def test_a_page_under_another_name_says_what_to_do(page, address):
    page.goto(f"http://me.example.org:{urlsplit(address).port}/")
    assert "start the editor with --allow-host me.example.org" in said(page)
