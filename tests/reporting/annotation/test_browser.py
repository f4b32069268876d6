"""People transcribe by keyboard in a real Chromium, and the loop runs with what they made."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import processes
from tests import world as toy
from tests.annotating import MORE, begin, build_plan, transcribe_all
from tests.serving import needs_chromium, open_page
from twister_loop.cli.main import main
from twister_loop.core.tallies import Funnel
from twister_loop.pipeline.annotation.decisions import RECORD, read_decisions
from twister_loop.pipeline.loop import next_round
from twister_loop.pipeline.plan_reader import load

from .test_server import serving

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = needs_chromium

PLAYED = "document.querySelectorAll('.wave i.played').length"


@pytest.fixture
def page(browser: playwright.Browser) -> Iterator[playwright.Page]:
    """A page on which every error of a script fails the test."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.set_default_timeout(60_000)  # for a busy machine; nothing waits longer than it has to
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert not errors


def accept(page: playwright.Page, text: str) -> None:
    """Type a text and accept it, as a person does, and wait for what comes next."""
    before = page.inner_text(".advance strong")
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.wait_for_function(
        "before => document.querySelector('.advance strong').innerText !== before", arg=before
    )


@contextmanager
def command(plan: Path, log: Path, *options: str) -> Iterator[str]:
    """Run `twister annotate` in a process that is killed at the end; yields its address."""
    log.unlink(missing_ok=True)
    arguments = ["annotate", str(plan), "--port", "0", *options]
    process = processes.start(processes._call, log, main, (arguments,))
    address = None
    while address is None:
        assert process.is_alive(), log.read_text()
        address = re.search(r"http://127[.\d]+:\d+", log.read_text() if log.is_file() else "")
        time.sleep(0.05)
    yield address.group()
    process.kill()
    process.join()


def test_five_clips_by_keyboard_with_a_kill_between_them_and_then_the_loop(
    page: playwright.Page, tmp_path: Path
) -> None:
    path, folder = toy.build(tmp_path), tmp_path / "data" / "calls"
    toy.speak(MORE, tmp_path / "data" / "pool" / "more", labeled=False)
    path.write_text(path.read_text().replace("{dev: data/development}", "{calls: data/calls}"))
    log, options = tmp_path / "log", ("--count", "5", "--annotator", "Ada")
    with command(path, log, *options) as address:
        open_page(page, address)
        assert page.inner_text(".advance strong") == "0 of 5 clips"
        assert "Ada" in page.inner_text("header")
        accept(page, "a e i")
        accept(page, "o u")
        page.keyboard.type("never accepted, so it is lost")
    assert [line.text for line in read_decisions(folder / RECORD)] == ["a e i", "o u"]
    with command(path, log, *options) as address:
        open_page(page, address)
        assert page.inner_text(".advance strong") == "2 of 5 clips"
        accept(page, "e io")
        page.keyboard.press("Alt+b")
        page.wait_for_function("() => document.querySelector('textarea').value === 'e io'")
        page.keyboard.press("End")
        page.keyboard.type(" e")
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.querySelector('textarea').value === ''")
        page.keyboard.press("Alt+u")
        page.wait_for_selector("dialog[open]")
        page.keyboard.press("1")
        page.wait_for_selector(".advance :text('1 unusable')")
        accept(page, "u a")
        page.keyboard.press("Alt+s")
        page.wait_for_selector(".advance :text('1 for later')")
        accept(page, "i odd u")
        page.wait_for_selector("h2:text('All done')")
    texts = {line.text for line in read_decisions(folder / RECORD) if line.text}
    assert texts == {"a e i", "o u", "e io", "e io e", "u a", "i odd u"}
    plan = load(path, {"highest_untouched_error": 9})  # the texts above are not what is spoken
    round_ = next_round(plan, tmp_path / "run")
    assert round_.report.score("calls").utterances == 5
    rejected = Funnel.load(round_.folder / "inputs" / "pool").rejected
    assert rejected["annotated"].utterances == 5


def test_playing_does_not_disturb_typing(page: playwright.Page, tmp_path: Path) -> None:
    with serving(begin(build_plan(tmp_path)), tmp_path / "clips") as address:
        open_page(page, address)
        page.wait_for_function(f"() => {PLAYED} > 0")  # it plays by itself
        for key in ("Space", "Escape", "Control+Space"):
            page.wait_for_selector(".controls button:first-child :text-is('Play')")  # it ended
            page.keyboard.press("F1")
            page.wait_for_function(f"() => {PLAYED} === 0")
            page.keyboard.press(key)
            page.wait_for_function(f"() => {PLAYED} > 0")
            assert page.input_value("textarea") == ""
        page.keyboard.type("a ")
        page.keyboard.press("Space")
        page.keyboard.press("Escape")
        assert page.input_value("textarea") == "a  ", "Space is a letter while one types"
        page.keyboard.press("F3")
        assert page.input_value("select") == "0.8"
        # Enter that ends the composition of a Chinese or Japanese word accepts nothing.
        page.evaluate(
            "() => document.querySelector('textarea').dispatchEvent(new KeyboardEvent('keydown', "
            "{key: 'Enter', bubbles: true, isComposing: true}))"
        )
        page.wait_for_selector(".compared bdi")
        assert page.inner_text(".compared") == "compared as: a"
        assert page.inner_text(".advance strong") == "0 of 5 clips"


def test_a_stale_tab_is_told_and_may_look_again(
    page: playwright.Page, browser: playwright.Browser, tmp_path: Path
) -> None:
    session = begin(build_plan(tmp_path))
    with serving(session, tmp_path / "clips") as address:
        stale = browser.new_page()
        for tab in (page, stale):
            open_page(tab, address)
        accept(page, "a e")
        stale.keyboard.type("another text")
        stale.keyboard.press("Enter")
        stale.wait_for_selector("[role=alert] :text('decided meanwhile')")
        assert stale.input_value("textarea") == "another text"
        stale.get_by_text("Look at it again, keep my text").click()
        stale.wait_for_selector(".head :text('accepted')")
        assert stale.input_value("textarea") == "another text"
        assert session.overview().done == 1
        assert [line.text for line in session.log.read()] == ["a e"]
        stale.close()


def test_texts_from_right_to_left_markup_and_a_small_screen(
    page: playwright.Page, tmp_path: Path
) -> None:
    plan = build_plan(tmp_path, language="ar")
    with serving(begin(plan), tmp_path / "clips") as address:
        page.set_viewport_size({"width": 390, "height": 800})
        open_page(page, address)
        assert page.get_attribute("textarea", "dir") == "rtl"
        assert page.get_attribute("textarea", "lang") == "ar"
        page.fill("textarea", "<b>مُحَمَّد</b> " * 60)
        page.wait_for_selector(".compared bdi")
        assert page.locator(".compared b").count() == 0
        page.wait_for_function("() => document.documentElement.scrollWidth <= 390")
        unnamed = page.evaluate(
            "() => [...document.querySelectorAll('button, input, select, textarea')].filter(one =>"
            " !(one.innerText || one.ariaLabel || one.labels?.length)).length"
        )
        assert unnamed == 0


def test_a_second_person_sees_no_text_and_settles_the_differences(
    page: playwright.Page, tmp_path: Path
) -> None:
    plan = build_plan(tmp_path)
    transcribe_all(begin(plan, annotator="Ada"), "a e i o")
    with serving(begin(plan, second="Bob", count=2), tmp_path / "clips") as address:
        open_page(page, address)
        assert page.input_value("textarea") == ""
        accept(page, "A e i o!")
        page.keyboard.type("a e i u")
        page.keyboard.press("Enter")
        page.wait_for_selector("h2:text('Two people')")
        assert "2 clips by both: WER 12.50 %" in page.inner_text("section")
        page.get_by_text("Take Bob").click()
        page.get_by_role("button", name="Settle", exact=True).click()
        page.wait_for_selector(":text('settled: a e i u')")
        page.wait_for_function(
            "() => !document.querySelector('.advance').innerText.includes('settle')"
        )
    assert "a e i u" in (tmp_path / "data" / "calls" / "metadata.csv").read_text()
