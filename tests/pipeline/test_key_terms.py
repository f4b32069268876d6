"""Key terms of a plan: read and checked, counted before a round, and preferred by the loop."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests import world as toy
from twister_loop import Utterance, load, next_round
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.manifest import Manifest
from twister_loop.errors import ConfigError
from twister_loop.evaluation.outcomes import HeldOutSet
from twister_loop.evaluation.term_scores import score_terms
from twister_loop.pipeline.experiments.arm_scores import score_arms
from twister_loop.pipeline.experiments.fine_tuning import run_study
from twister_loop.pipeline.forecast import make_forecast
from twister_loop.pipeline.stages.evaluation import evaluate, judge
from twister_loop.reporting.comparison import _score_table
from twister_loop.text.normalizers.basic import Basic
from twister_loop.types import Checkpoint, Report


def test_terms_are_a_list_or_the_lines_of_a_file(world: Path) -> None:
    assert load(world).terms is None and load(world, {"terms": []}).terms is None
    listed = load(world, {"terms": ["Jugs ", "pack  my", "JUGS"]})
    assert listed.terms == ("Jugs", "pack my"), "what the normalizer makes equal is one term"
    file = world.parent / "terms.txt"
    file.write_bytes("# names\r\nJugs\r\n\r\npack my\r\n".encode("utf-16"))
    assert load(world, {"terms": "terms.txt"}).terms == listed.terms


@pytest.mark.parametrize(
    ("written_terms", "message"),
    [
        (["jugs", "--"], "terms: '--' has no letter or digit that could be said; remove it"),
        ("nowhere.txt", "terms: .*nowhere.txt"),
        ("empty.txt", "terms: the file holds no term; write one a line"),
        ("damaged.txt", r"terms: .*damaged.txt:2: .*; mend the line, or remove it"),
        ([7], "terms"),
        (7, "terms"),
    ],
)
def test_terms_that_cannot_be_used_are_refused_with_the_plan(
    world: Path, written_terms: Any, message: str
) -> None:
    (world.parent / "empty.txt").write_text("# nothing\n")
    (world.parent / "damaged.txt").write_bytes(b"one\ntw\xc3o\n" + 400 * "tre città\n".encode())
    with pytest.raises(ConfigError, match=message):
        load(world, {"terms": written_terms})


def test_the_check_tells_how_often_each_held_out_set_has_a_term(world: Path) -> None:
    assert make_forecast(load(world)).terms == ()
    forecast = make_forecast(load(world, {"terms": ["jugs", "for quick", "jugs"]}))
    assert forecast.terms == (
        "development.dev: 2 occurrences of 2 terms",
        "test.test: no term occurs, so their recall cannot be measured there",
        "retention.vowels: no term occurs, so their recall cannot be measured there",
    )


@dataclass(frozen=True)
class Reciter(ToyRecognizer):
    """A recognizer that transcribes everything as it was written, but for some words."""

    missed: str = ""

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        for utterance in speech:
            text = re.sub(self.missed, "x", utterance.text or "") if self.missed else utterance.text
            yield replace(utterance, pred_text=text)


def report_of(
    tmp_path: Path, missed: str, key_terms: Sequence[str] | None = ("jugs", "vex")
) -> Report:
    """Return the report of a recognizer that misses some words, on one set of each kind."""
    tmp_path.mkdir()
    sets = {
        kind: HeldOutSet(kind, Manifest.write(spoken(tmp_path / "audio"), tmp_path / kind))
        for kind in ("development", "test", "retention")
    }  # fmt: skip
    return evaluate(
        recognizer=Reciter(missed=missed),
        checkpoint=Checkpoint("toy", digest=missed),
        sets=sets,
        normalizer=Basic(),
        full_window=False,
        key_terms=key_terms,
        out=tmp_path / "report",
    )


def spoken(folder: Path) -> Iterator[Utterance]:
    toy.speak(toy.DEVELOPMENT, folder)
    for number, text in enumerate(toy.DEVELOPMENT):
        path = folder / f"{number}.wav"
        yield Utterance(id=str(number), audio_filepath=path, duration=1.0, text=text, lang="en")


def verdict_of_losing(tmp_path: Path, champion: Report, candidate: Report) -> Any:
    return judge(
        gates=(),
        untouched=champion,
        champion=champion,
        candidate=candidate,
        references={},
        normalizer=Basic(),
        out=tmp_path / "verdict",
    )


def test_the_verdict_tells_where_recall_fell_and_no_gate_decides_by_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, losing = report_of(tmp_path / "a", ""), report_of(tmp_path / "b", "jugs|five")
    verdict = verdict_of_losing(tmp_path, whole, losing)
    assert verdict.accepted
    [development, retention] = verdict.lost_terms
    assert development.startswith(
        "development: recall of terms fell from 2 to 1 of 2 occurrences, "
        "-50.00 (-100.00 to +39.82) points (may be chance); errors on other words +"
    )
    assert retention.startswith("retention: ") and development in caplog.text
    assert verdict_of_losing(tmp_path / "c", losing, whole).lost_terms == ()


def test_reports_of_other_terms_are_not_compared(tmp_path: Path) -> None:
    first, other = report_of(tmp_path / "a", ""), report_of(tmp_path / "b", "jugs", ("jugs",))
    without = report_of(tmp_path / "c", "jugs", None)
    assert score_terms({"champion": first, "candidate": other}, 0) == ()
    assert score_terms({"champion": without, "candidate": without}, 0) == ()
    assert without.score("test").term_count is None and without.key_terms is None
    assert verdict_of_losing(tmp_path, without, without).lost_terms is None


def test_changed_terms_are_counted_anew_and_equal_ones_carried_over(world: Path) -> None:
    run = world.parent / "run"
    plan = load(world, {"terms": ["jugs"], "rounds": 2})
    next_round(plan, run)
    toy.speak(["uoa uia", "aue i"], world.parent / "data" / "pool" / "second", labeled=False)
    second = next_round(load(world, {"terms": ["vex"], "rounds": 2}), run)
    untouched = Report.load(second.folder / "untouched")
    assert untouched.key_terms == ("vex",) == Report.load(second.folder / "report").key_terms


def test_a_study_has_them_in_its_tables(world: Path) -> None:
    study = run_study(load(world, {"terms": ["jugs"]}), world.parent / "study", [])
    lines = study.markdown().splitlines()
    assert any("| terms recalled | errors on other words, % |" in line for line in lines)
    assert any(line.startswith("| zero-shot") and "| 0 of 1 |" in line for line in lines)
    assert any(line.startswith("| zero-shot") and "| no term occurs |" in line for line in lines)


def test_few_terms_are_never_sure(tmp_path: Path) -> None:
    none, all_ = report_of(tmp_path / "a", "jugs|vex"), report_of(tmp_path / "b", "")
    scores = score_terms({"untouched": none, "candidate": all_}, 0, kinds=("test",))
    assert [(of_set.set_name, of_set.decoding) for of_set in scores] == [("test", "clip")]
    change = scores[0].changes["untouched"].recall
    assert change.rate == 1 and change.low < 0 < change.high == 1
    again = score_terms({"champion": all_, "candidate": all_}, 0)[0].changes["champion"].recall
    assert again.rate == 0 and again.low == -again.high < -0.3


def test_many_terms_are(tmp_path: Path) -> None:
    words = tuple(" ".join(toy.DEVELOPMENT).split())
    none, all_ = report_of(tmp_path / "a", ".", words), report_of(tmp_path / "b", "", words)
    losing = {"champion": all_, "candidate": none}
    [scores] = score_terms(losing, 0, kinds=("test",))
    change = scores.changes["champion"]
    assert -1 == change.recall.rate <= change.recall.high < -0.6
    loss = scores.describe_loss()
    assert loss and "(shown)" in loss and scores.models["candidate"].others.length == 0


def test_a_comparison_has_them_for_every_arm(tmp_path: Path) -> None:
    folders = {
        missed: report_of(tmp_path / missed, missed).folder for missed in ("jugs", "vex", "x")
    }
    untouched, *seeds = folders.values()
    rows = list(score_arms(untouched, {"self-training": seeds}, Basic()))
    counts = {(row.set_name, row.arm): row.term_count for row in rows}
    of_arm = counts["test", "self-training"]
    assert of_arm and of_arm.recall.total == 4, "of both seeds"
    of_untouched = counts["test", "untouched"]
    assert of_untouched and (of_untouched.recall.count, of_untouched.recall.total) == (1, 2)
    table = "\n".join(_score_table([row for row in rows if row.set_name == "test"]))
    assert "| terms recalled, all seeds | errors on other words, % |" in table
    assert "| 1 of 2, 50.0 % | WER " in table
