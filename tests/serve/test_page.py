"""The page in a headless browser: what is asked in it, and what it shows, by keyboard alone where that matters."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from .test_server import PICTURE, png, wav

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, url):
    page = browser.new_page(reduced_motion="reduce")
    page.set_default_timeout(90_000)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" and "413" not in m.text else None)
    page.goto(url)
    playwright.expect(page.locator("#about")).to_contain_text("tiny reads words")
    yield page
    page.close()
    assert wrong == []


def finished(page):
    playwright.expect(page.locator("#status")).to_contain_text("Done", timeout=90_000)


def shown(page, selector):
    """The pixels of a canvas or an image as the page shows it."""
    return np.asarray(Image.open(io.BytesIO(page.locator(selector).screenshot())).convert("RGB"))


def test_words_are_asked_and_answered_by_keyboard_alone(page, model):
    page.keyboard.press("Tab")
    page.keyboard.type("say")
    page.keyboard.press("Control+Enter")
    finished(page)
    assert page.locator("#answer p.text").text_content() == model.generate("text", text="say", seed=0)


def test_a_picture_that_is_dropped_is_sent_and_one_comes_back_row_by_row(page, model):
    page.get_by_role("textbox", name="Words").fill("draw")
    page.locator("#image-file").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": png(PICTURE)}
    )
    playwright.expect(page.locator("#image-shown")).to_be_visible()
    page.get_by_role("combobox", name="As").select_option(label="a picture")
    page.get_by_role("spinbutton", name="Seed").fill("5")
    page.get_by_role("button", name="Ask").click()
    finished(page)
    source = page.locator("#answer img").get_attribute("src")
    size = page.locator("#answer img").evaluate("image => [image.naturalHeight, image.naturalWidth]")
    expected = model.generate("image", text="draw", image=png(PICTURE), seed=5)
    assert source.startswith("data:image/png") and size == list(expected.shape[:2])
    page.get_by_role("button", name="Remove the picture").click()
    playwright.expect(page.locator("#image-shown")).to_be_hidden()


def test_a_sound_is_heard_and_one_is_played_with_its_spectrogram(page):
    page.get_by_role("textbox", name="Words").fill("say")
    page.locator("#audio-file").set_input_files(
        {"name": "a.wav", "mimeType": "audio/wav", "buffer": wav(0.2)}
    )
    page.get_by_role("combobox", name="As").select_option(label="a sound")
    page.get_by_role("button", name="Ask").click()
    finished(page)
    playwright.expect(page.locator("#answer audio")).to_be_visible()
    playwright.expect(page.get_by_role("img", name="Spectrogram of the sound")).to_be_visible()
    assert shown(page, "#answer canvas").std() > 1


def test_strokes_are_drawn_by_mouse_and_by_keys_and_replayed(page):
    pad = page.get_by_label("Drawing pad")
    pad.scroll_into_view_if_needed()
    area = pad.bounding_box()
    page.mouse.move(area["x"] + 20, area["y"] + 20)
    page.mouse.down()
    page.mouse.move(area["x"] + 200, area["y"] + 200, steps=30)
    page.mouse.up()
    pad.focus()
    for key in ("Space", "ArrowRight", "ArrowRight", "ArrowUp", "Space"):
        page.keyboard.press(key)
    assert (shown(page, "#action-pad") < 80).all(axis=2).sum() > 200
    with page.expect_request("**/v1/generate") as sent:
        page.get_by_role("combobox", name="As").select_option(label="strokes")
        page.get_by_role("button", name="Ask").click()
    points = sent.value.post_data_json["inputs"]["action"]
    assert [point[2] for point in points].count(0) == 2 and all(
        0 <= value <= 1 for point in points for value in point
    )
    np.testing.assert_allclose(points[0][:2], [20 / 240, 20 / 240], atol=0.02)
    finished(page)


def test_what_is_refused_is_told_and_stopping_stops(page):
    page.get_by_role("textbox", name="Words").fill("word " * 200)
    page.get_by_role("button", name="Ask").click()
    playwright.expect(page.locator("#status")).to_contain_text("shorten it")
    playwright.expect(page.locator("#status")).to_have_class("error")


def test_every_control_has_a_name(page):
    for control in page.locator("button, input, select, textarea, canvas, audio").all():
        if control.is_visible():
            name = control.evaluate(
                "e => (e.labels && e.labels.length) || e.ariaLabel || e.textContent.trim()"
            )
            assert name, control.evaluate("e => e.outerHTML")
