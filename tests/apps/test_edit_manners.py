"""The page in headless Chromium: it asks before edits are lost, obeys one finger, and answers what it cannot do."""

import json
from urllib.parse import urlsplit

import pytest
import small_editor

from lgan_jax.apps.edit import server, shapes

NOSE = 57


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
    small_editor.dragged(page, shapes.resting(known)[NOSE]).reload()
    assert asked == ["beforeunload"]
    small_editor.settled(page)
    with small_editor.dragged(page, shapes.resting(known)[NOSE]).expect_download():
        page.keyboard.press("s")
    page.reload()
    assert asked == ["beforeunload"]
    small_editor.settled(page).keyboard.press("t")  # a strip that is in no file is asked for, too
    page.reload()
    assert asked == ["beforeunload"] * 2


def test_a_second_finger_does_not_end_a_drag(page, address, known):
    small_editor.opened(page, address)
    page.evaluate("() => (document.querySelector('#canvas').setPointerCapture = () => {})")  # there is no real finger
    across, down = map(float, shapes.resting(known)[NOSE])
    x, y, width = small_editor.place(page, (across, down))

    def send(kind, finger, right=0):
        what = {"pointerId": finger, "pointerType": "touch", "clientX": x + right, "clientY": y, "bubbles": True}
        page.evaluate(
            "([kind, what]) => document.querySelector('#canvas').dispatchEvent(new PointerEvent(kind, what))",
            [kind, what],
        )

    def moved():
        """Pixels of the screen that the point has gone to the right, by the landmarks that are asked for."""
        with small_editor.settled(page).expect_download() as download:
            page.keyboard.press("s")
        points = json.loads(download.value.path().read_text())["points"]
        return (points[NOSE][0] - across) / 1.14 * width

    send("pointerdown", 1)
    send("pointermove", 1, 30)
    send("pointerdown", 2, 200)
    send("pointermove", 2, 290)
    send("pointerup", 2, 290)
    send("pointercancel", 2, 290)
    assert moved() == pytest.approx(30, abs=0.5)  # the other finger moved nothing
    assert page.locator("[data-command=undo]").is_disabled()  # and dropped nothing
    send("pointermove", 1, 60)
    send("pointerup", 1, 60)
    assert moved() == pytest.approx(60, abs=0.5)
    page.keyboard.press("Control+z")
    assert page.locator("[data-command=undo]").is_disabled()  # it was one drag


def test_an_image_of_another_page_is_answered(page, address):
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
