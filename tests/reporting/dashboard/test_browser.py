"""The page and the server in a real browser: Debian's or another Chromium, without a window."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import world as toy

from .conftest import CHINESE, HOSTILE, KOREAN, RIGHT_TO_LEFT

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium here; CHROMIUM names one"),
]


PLAY = """audio => new Promise((resolve, reject) => {
    audio.ontimeupdate = () => audio.currentTime > 0.05 && resolve(audio.duration);
    audio.onerror = reject;
    audio.play().catch(reject);
})"""
"""Gives the length in seconds, once some of it was heard."""


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as tool:
        options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        found = tool.chromium.launch(executable_path=CHROMIUM, args=options)
        yield found
        found.close()


@pytest.fixture
def page(browser: playwright.Browser) -> Iterator[playwright.Page]:
    """A page on which nothing may go wrong unnoticed, and no other machine is asked."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(240_000)  # a machine may be busy; nothing waits without need
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
    page.on("request", lambda asked: wrong.append(asked.url) if _foreign(asked.url) else None)
    yield page
    page.close()
    assert not wrong


def _foreign(url: str) -> bool:
    return not url.startswith(("file://", "data:", "blob:", "http://127.0.0.1:"))


def ready(page: playwright.Page, url: str) -> None:
    page.goto(url)
    page.wait_for_selector("body[data-ready]")


@pytest.fixture
def opened(page: playwright.Page, folder: Path) -> playwright.Page:
    """The page of three rounds, from disk."""
    ready(page, (folder / "three" / "index.html").as_uri())
    return page


def test_a_page_from_disk_shows_its_run_with_plots_and_without_a_network(
    opened: playwright.Page,
) -> None:
    assert opened.inner_text("h1") == "three"
    assert opened.locator(".plot .main-svg").count() >= 5
    assert opened.locator("#round h2").inner_text().startswith("Round 3")
    assert opened.locator(".tile").count() == 3


def test_the_measure_is_switched_everywhere_and_kept_in_the_address(
    opened: playwright.Page,
) -> None:
    before = opened.inner_text(".tile .big")
    opened.get_by_text("CER", exact=True).click()
    assert "CER" in opened.inner_text(".tile .big") != before
    assert "CER by set" in opened.inner_text("#round")
    assert "measure=characters" in opened.url
    opened.reload()
    opened.wait_for_selector("body[data-ready]")
    assert opened.is_checked("input[name=measure][value=characters]")


def test_the_keyboard_alone_reaches_measure_round_and_sound(opened: playwright.Page) -> None:
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.className") == "skip"
    seen = []
    for _ in range(9):
        opened.keyboard.press("Tab")
        seen.append(
            opened.evaluate("document.activeElement.name || document.activeElement.tagName")
        )
        if seen[-1] == "measure":
            break
    opened.keyboard.press("ArrowRight")
    assert opened.is_checked("input[name=measure][value=characters]")
    assert opened.evaluate("document.activeElement.value") == "characters"
    opened.keyboard.press("Tab")
    opened.keyboard.press("Tab")
    opened.keyboard.press("ArrowDown")
    opened.wait_for_function("document.querySelector('#round h2').innerText.includes('Round 2')")
    assert opened.evaluate("document.activeElement.tagName") == "SELECT"


def test_sound_is_played_from_disk(opened: playwright.Page) -> None:
    assert opened.locator("audio").first.evaluate(PLAY) > 0.3


def test_hostile_transcripts_stay_text_and_every_script_is_shown_right(
    opened: playwright.Page,
) -> None:
    opened.select_option(".toolbar select >> nth=0", "test")
    opened.get_by_text("most improved", exact=True).click()
    opened.get_by_text("most errors", exact=True).click()
    text = opened.inner_text("#round .utterances")
    assert opened.title() == "three" and opened.locator("#content script").count() == 0
    assert "script" in HOSTILE and "script" in text
    for said in (KOREAN, CHINESE.replace(" ", ""), RIGHT_TO_LEFT):
        assert said in text
    directions = opened.locator(".diff").evaluate_all(
        "all => all.filter(each => /[\\u0590-\\u05ff]/.test(each.innerText))"
        ".map(each => getComputedStyle(each).direction)"
    )
    assert directions and set(directions) == {"rtl"}


def test_a_search_leaves_what_fits(opened: playwright.Page) -> None:
    opened.fill("input[type=search]", KOREAN[:3])
    found = opened.locator(".utterance")
    assert found.count() >= 1
    assert all(KOREAN[:3] in each for each in found.all_inner_texts())
    opened.fill("input[type=search]", "nobody said this")
    assert opened.locator(".utterance").count() == 0


def test_on_a_phone_nothing_is_wider_than_the_screen_in_light_and_dark(
    opened: playwright.Page,
) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        opened.emulate_media(color_scheme=scheme)
        opened.set_viewport_size({"width": 400, "height": 800})
        opened.wait_for_function("document.documentElement.scrollWidth <= 400")
        grounds.add(opened.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


def test_the_server_leads_from_the_list_to_a_run_a_manifest_and_a_comparison(
    page: playwright.Page, served: str
) -> None:
    ready(page, served)
    page.fill("input[type=search]", "thr")
    assert page.locator("article").count() == 1
    page.click("article a")
    page.wait_for_selector("body[data-ready] .plot .main-svg")
    assert page.locator("audio").first.evaluate(PLAY) > 0.3
    page.get_by_text("Manifests (").click()
    page.get_by_role("link", name="pseudo_labels", exact=True).click()
    page.wait_for_selector("#foot :text('this is the end')")
    assert page.locator("#lines .utterance").count() == len(toy.POOL)
    ready(page, f"{served}/compare?first=one/round-01&second=three/round-01")
    assert "test is left out" in page.inner_text("main")
    assert page.locator("tbody tr").count() >= 2
