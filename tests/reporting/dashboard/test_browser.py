"""The page and the server in a real Chromium, without a window."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from tests import world as toy
from tests.serving import needs_chromium, open_page
from tests.windowed import run_rounds
from twister_loop import Manifest, Utterance
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.core.tallies import Tally
from twister_loop.core.types import ErrorCount
from twister_loop.evaluation.trials import DecoderAttempt, DecoderTrial
from twister_loop.pipeline.stages.annotation import SpeakerCounts
from twister_loop.reporting import dashboard
from twister_loop.reporting.current_stage import StageProgress
from twister_loop.reporting.details import Details
from twister_loop.reporting.round_diff import RoundDiff
from twister_loop.reporting.summary import RoundSummary
from twister_loop.types import Approval

from .conftest import CHINESE, HOSTILE, KOREAN, RIGHT_TO_LEFT, serving

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = needs_chromium

PLAY = """audio => new Promise((resolve, reject) => {
    audio.ontimeupdate = () => audio.currentTime > 0.05 && resolve(audio.duration);
    audio.onerror = reject;
    audio.play().catch(reject);
})"""
"""Resolves to the length in seconds as soon as something was played."""

REPORT_UNKNOWN_FIELDS = """
const known = new Set(FIELDS);
function watch(data) {
    if (typeof data !== "object" || data === null) return data;
    return new Proxy(data, {get(target, name) {
        const field = Reflect.get(target, name);
        const isField = typeof name === "string" && !Array.isArray(target) && !(name in target);
        if (isField && !known.has(name)) console.error(`no Python record has a field ${name}`);
        return typeof field === "function" ? field : watch(field);
    }});
}
const {parse} = JSON, {json} = Response.prototype;
JSON.parse = (text) => watch(parse(text));
Response.prototype.json = async function () { return watch(await json.call(this)); };
"""
"""Makes every read of a field that no record has an error: JavaScript alone gives `undefined`."""

FIELDS_OF_THE_PAGE = (
    # The head of a run's page; all but the first are there only on a server.
    "current_stage home name stamp utterances clip_source manifests "
    # Of the list of runs, of a line of a manifest, and what an `await` looks for.
    "error change audio next_begin then toJSON"
).split()


def record_fields(kind: Any) -> Iterator[str]:
    """Yield the names of all fields of a dataclass and of the dataclasses inside of it."""
    for inner in get_args(kind):
        yield from record_fields(inner)
    if is_dataclass(kind):
        for name, inner in get_type_hints(kind).items():
            yield name
            yield from record_fields(inner)


@pytest.fixture
def page(browser: playwright.Browser) -> Iterator[playwright.Page]:
    """A page on which every error and every request to another machine fails the test."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(240_000)  # for a busy machine; nothing waits longer than it has to
    records = (RoundSummary, Details, StageProgress, RoundDiff, Utterance)
    fields = {*FIELDS_OF_THE_PAGE, *(name for kind in records for name in record_fields(kind))}
    sets = [
        "dev",
        "test",
        "vowels",
        "japanese",
        "talks-long",
        *(f"all {kind} sets" for kind in ("test", "development")),
    ]
    known = json.dumps([*sorted(fields), *sets, "all retention sets"])
    page.add_init_script(f"const FIELDS = {known};{REPORT_UNKNOWN_FIELDS}")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: line.type == "error" and errors.append(line.text))
    page.on("request", lambda request: _is_foreign(request.url) and errors.append(request.url))
    yield page
    page.close()
    assert not errors


def _is_foreign(url: str) -> bool:
    return not url.startswith(("file://", "data:", "blob:", "http://127.0.0.1:"))


@pytest.fixture
def opened(page: playwright.Page, folder: Path) -> playwright.Page:
    """The page of the run of three rounds, from disk."""
    open_page(page, (folder / "three" / "index.html").as_uri())
    return page


def test_a_page_from_disk_shows_its_run_with_plots_and_without_a_network(
    opened: playwright.Page,
) -> None:
    assert opened.inner_text("h1") == "three"
    assert opened.locator(".plot .main-svg").count() >= 5
    assert opened.locator("#round h2").inner_text().startswith("Round 3")
    assert opened.locator(".tile").count() == 3


def test_optional_parts_of_a_round_are_shown(
    page: playwright.Page, folder: Path, tmp_path: Path
) -> None:
    """The fields of records that the toy rounds do not write are read by JavaScript, too."""
    run = shutil.copytree(folder / "three", tmp_path / "run", symlinks=True)
    newest = run / "round-03"
    attempt = DecoderAttempt("padding 2 s", identical=29, characters=ErrorCount(1, 0, 0, 99))
    DecoderTrial("window 30 s", clips=30, limit=0.05, attempts=(attempt,)).save(newest / "labeler")
    speakers = SpeakerCounts(7, {"calls-1": Tally(9, 300.0)}, unknown=Tally(2, 30.0))
    speakers.save(newest / "speakers")
    rescored = [Utterance(id="x", text="a rose", text_before_rescoring="arose")]
    Manifest.write(rescored, newest / "rescored")
    candidate = newest / "candidate"
    (candidate / "training.jsonl").write_text(
        '{"step": 5, "loss": 2.0}\n{"step": 9, "loss": 1.5}\n'
    )
    (candidate / "stopping.jsonl").write_text('{"step": 5, "epoch": 1, "errors": 2, "of": 9}\n')
    plan = read_json(newest / "plan.json")
    plan["plan"]["asr"]["stop"] = {"set": "ivr-dev"}
    write_json(plan, newest / "plan.json")
    Approval(approved=False, by="Ada", when="2026-11-24T20:00:00+00:00", note="<b>no</b>").save(
        newest / "approval"
    )
    shutil.rmtree(run / ".summaries")
    open_page(page, dashboard.write_page(run).as_uri())
    text = page.inner_text("#round")
    assert "Decoder of the pseudo-labels: padding 2 s" in text
    assert "29 of 30 transcripts identical" in text
    assert "7 speakers in the pool: calls-1" in text and "of no known speaker" in text
    assert "Rescoring changed 1 pseudo-label." in text
    assert "Early stopping: error rate on ivr-dev" in text
    plan["approval"] = True
    write_json(plan, newest / "plan.json")
    shutil.rmtree(newest / "verdict")
    (newest / "report").rename(newest / ".report")
    open_page(page, dashboard.write_page(run).as_uri())
    assert "Round 3: report" in page.inner_text("#live")
    assert "Refused by Ada" in page.inner_text("#round") and "<b>no</b>" in page.inner_text(
        "#round"
    )


def test_the_measure_is_switched_everywhere_and_kept_in_the_address(
    opened: playwright.Page,
) -> None:
    assert opened.is_checked("input[name=measure][value=own]")
    before = opened.inner_text(".tile .big")
    assert before.startswith("WER")
    opened.get_by_text("CER", exact=True).click()
    assert "CER" in opened.inner_text(".tile .big") != before
    assert "CER by set" in opened.inner_text("#round")
    assert "measure=characters" in opened.url
    opened.reload()
    opened.wait_for_selector("body[data-ready]")
    assert opened.is_checked("input[name=measure][value=characters]")


def test_the_keyboard_alone_reaches_measure_and_round(opened: playwright.Page) -> None:
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.className") == "skip"
    for _ in range(9):
        opened.keyboard.press("Tab")
        if opened.evaluate("document.activeElement.name") == "measure":
            break
    opened.keyboard.press("ArrowRight")
    assert opened.is_checked("input[name=measure][value=words]")
    assert opened.evaluate("document.activeElement.value") == "words"
    opened.keyboard.press("Tab")
    opened.keyboard.press("Tab")
    opened.keyboard.press("ArrowDown")
    opened.wait_for_function("document.querySelector('#round h2').innerText.includes('Round 2')")
    assert opened.evaluate("document.activeElement.tagName") == "SELECT"


def test_a_clip_is_played_from_disk(opened: playwright.Page) -> None:
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
    for transcript in (KOREAN, CHINESE.replace(" ", ""), RIGHT_TO_LEFT):
        assert transcript in text
    directions = opened.locator(".diff").evaluate_all(
        "diffs => diffs.filter(diff => /[\\u0590-\\u05ff]/.test(diff.innerText))"
        ".map(diff => getComputedStyle(diff).direction)"
    )
    assert directions and set(directions) == {"rtl"}


def test_a_search_shows_only_matching_utterances(opened: playwright.Page) -> None:
    opened.fill("input[type=search]", KOREAN[:3])
    cards = opened.locator(".utterance")
    assert cards.count() >= 1
    assert all(KOREAN[:3] in text for text in cards.all_inner_texts())
    opened.fill("input[type=search]", "nobody said this")
    assert opened.locator(".utterance").count() == 0


def test_on_a_phone_nothing_is_wider_than_the_screen_in_light_and_dark(
    opened: playwright.Page,
) -> None:
    backgrounds = set()
    for scheme in ("light", "dark"):
        opened.emulate_media(color_scheme=scheme)
        opened.set_viewport_size({"width": 400, "height": 800})
        opened.wait_for_function("document.documentElement.scrollWidth <= 400")
        backgrounds.add(opened.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(backgrounds) == 2


def test_both_decodings_stand_side_by_side_and_every_set_has_its_own_measure(
    page: playwright.Page, windowed: Path
) -> None:
    open_page(page, (windowed / "run" / "index.html").as_uri())
    tile = page.locator(".tile").filter(has_text="all test sets").inner_text()
    assert "30 s windows with timestamps" in tile and "of 3 utterances" in tile
    assert "right timestamps: 66.7" in tile
    table = page.get_by_role("region", name="error rates by set")
    assert table.locator("thead tr").first.inner_text().split("\t")[-2:] == [
        "own context",
        "30 s windows with timestamps",
    ]
    row = table.locator("tr", has=page.get_by_text("japanese", exact=True))
    assert row.locator("td.start").all_inner_texts() == ["CER 100.00\n100.0 – 100.0"] * 2
    head = table.locator("th", has_text="talks-long").inner_text()
    assert "long recordings" in head
    assert (
        "30 s windows: 2 utterances"
        in table.locator("th", has_text="test, 3 utterances").first.inner_text()
    )
    candidates = table.locator("tr.candidate")
    # Set and model apart, nine cells: a rate, two changes and the errors, then the same with times.
    assert candidates.last.locator("td").count() == 9
    shares = table.locator("tr td:last-child").all_inner_texts()
    assert all(text.endswith("\u00a0%") for text in shares)
    figures = page.locator("figcaption").all_inner_texts()
    assert "Error rate by round: own context" in figures
    assert "Error rate by round: 30 s windows with timestamps" in figures
    page.locator(".choice").get_by_text("WER", exact=True).click()
    # Without the name, which is the same for all sets and stands at the top.
    assert row.locator("td.start").first.inner_text().startswith("250.00")
    assert "WER by set" in page.inner_text("#round")
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function(f"document.documentElement.scrollWidth <= {width}")
    assert table.evaluate("table => table.scrollWidth > table.clientWidth"), "a phone scrolls it"
    page.set_viewport_size({"width": 1280, "height": 800})
    assert table.evaluate("table => table.scrollWidth <= table.clientWidth")


def test_the_server_shows_both_decodings_of_a_run_and_of_two_rounds(
    page: playwright.Page, windowed: Path
) -> None:
    with serving(windowed) as address:
        open_page(page, address)
        text = page.inner_text("article")
        assert "WER" in text and "30 s windows with timestamps: " in text
        open_page(page, f"{address}/compare?first=run/round-01&second=run/round-02")
        regions = page.get_by_role("region").evaluate_all("all => all.map(one => one.ariaLabel)")
        assert regions == ["comparison, own context", "comparison, 30 s windows with timestamps"]
        assert page.locator("tbody tr", has_text="japanese").count() == 2


def test_the_server_leads_from_the_list_to_a_run_a_manifest_and_a_comparison(
    page: playwright.Page, served: str
) -> None:
    open_page(page, served)
    page.fill("input[type=search]", "thr")
    assert page.locator("article").count() == 1
    page.click("article a")
    page.wait_for_selector("body[data-ready] .plot .main-svg")
    assert page.locator("audio").first.evaluate(PLAY) > 0.3
    page.get_by_text("Manifests (").click()
    page.get_by_role("link", name="pseudo_labels", exact=True).click()
    page.wait_for_selector("#foot :text('this is the end')")
    assert page.locator("#lines .utterance").count() == len(toy.POOL)
    open_page(page, f"{served}/compare?first=one/round-01&second=three/round-01")
    assert "test is left out" in page.inner_text("main")
    assert page.locator("tbody tr").count() >= 2


def test_key_terms_stand_below_the_error_rates(page: playwright.Page, tmp_path: Path) -> None:
    run = run_rounds(tmp_path, rounds=1, key_terms=["pack my", "jugs", "天気"])
    dashboard.write_page(run)
    open_page(page, (run / "index.html").as_uri())
    rows = page.locator("[aria-label='key terms by set'] tbody tr").all_inner_texts()
    candidate = next(row for row in rows if row.startswith("dev") and "candidate" in row)
    assert "own context" in candidate and "2 of 2, 100.0 %" in candidate
    assert "+100.00" in candidate and "WER 0.00" in candidate
    assert any(row.startswith("test") and "no term occurs" in row for row in rows)
    assert any("30 s windows" in row and "CER" in row for row in rows)
