"""The loop, in the toy world."""

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import world as toy
from twister_loop import (
    BusyError,
    Checkpoint,
    ConfigError,
    LeakError,
    NothingNew,
    Plan,
    Report,
    RunFolder,
    StaleError,
    Utterance,
    load,
    next_round,
    refine,
)
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.core.digests import folder_size
from twister_loop.core.manifest import Manifest
from twister_loop.data.filters.char_rate import CharRate
from twister_loop.data.filters.confidence import Confidence
from twister_loop.evaluation.gates.parity import EngineParity as ParityGate
from twister_loop.evaluation.gates.significant import Significant
from twister_loop.evaluation.trials import DecoderTrial
from twister_loop.pipeline.experiments.compare import share_stages
from twister_loop.pipeline.plan import Labeler
from twister_loop.pipeline.preflight import SECONDS_PER_TEXT
from twister_loop.pipeline.run_folder import verdict_of
from twister_loop.pipeline.stages.labeling import LabelOptions

STAGES = (
    "untouched champion pool pseudo_labels texts filtered_labels mixture packed candidate report verdict"
).split()


def without(plan: Plan, gate: str) -> Plan:
    return replace(plan, gates=tuple(each for each in plan.gates if each.name != gate))


def test_the_recognizer_gets_better_and_is_accepted(plan: Plan, tmp_path: Path) -> None:
    done = next_round(plan, tmp_path / "run")
    untouched = Report.load(done.folder / "untouched").score("test")
    assert untouched.words.rate > 0.5
    assert done.report.score("test").words.rate == 0.0
    assert done.verdict.accepted
    assert RunFolder.read(tmp_path / "run").champion == done.candidate


def test_every_stage_leaves_a_whole_folder_that_says_what_it_was_made_from(
    plan: Plan, tmp_path: Path
) -> None:
    done = next_round(plan, tmp_path / "run")
    for stage in STAGES:
        made = json.loads((done.folder / stage / "made.json").read_text())
        assert made["stage"] and made["content"], stage
    assert not list(done.folder.rglob(".*"))


def test_a_finished_run_is_read_back_and_nothing_is_heard_again(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = list(refine(plan, tmp_path / "run"))
    monkeypatch.delattr(ToyRecognizer, "transcribe")
    assert list(refine(plan, tmp_path / "run")) == first


def test_an_interrupted_stage_repeats_at_most_its_window(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twister_loop.core.manifest.WINDOW", 2)
    texts = ["aia a", "eie e", "oio o", "uau u", "iui i"]
    toy.speak(texts, tmp_path / "data" / "pool", labeled=False)
    heard: list[str] = []
    transcribe = ToyRecognizer.transcribe

    def failing(
        self: ToyRecognizer, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        for utterance in transcribe(self, checkpoint, speech):
            if "data/pool" in str(utterance.audio_filepath):
                if len(heard) == 3:
                    heard.append("killed")
                    raise MemoryError
                heard.append(utterance.id)
            yield utterance

    monkeypatch.setattr(ToyRecognizer, "transcribe", failing)
    with pytest.raises(MemoryError):
        next_round(plan, tmp_path / "run")
    assert not (tmp_path / "run" / "round-01" / "pseudo_labels").exists()
    next_round(plan, tmp_path / "run")
    before, after = heard[:3], heard[4:]
    assert after[0] == before[2] and not set(before[:2]) & set(after)
    disturbed = (tmp_path / "run" / "round-01" / "pseudo_labels" / "manifest.jsonl").read_bytes()
    next_round(plan, tmp_path / "other")
    assert (tmp_path / "other/round-01/pseudo_labels/manifest.jsonl").read_bytes() == disturbed


def test_a_refused_round_keeps_the_champion_and_says_why(plan: Plan, tmp_path: Path) -> None:
    first, second = refine(plan, tmp_path / "run")
    assert first.verdict.accepted and not second.verdict.accepted
    assert second.verdict.objections[0].gate == "significant"
    assert RunFolder.read(tmp_path / "run").champion == first.candidate


def test_after_a_refused_round_with_nothing_new_no_round_runs(plan: Plan, tmp_path: Path) -> None:
    hopeless = replace(plan, gates=(Significant(level=0.99999),), voices=(), rounds=9)
    deaf = replace(hopeless, mix=replace(plan.mix, human=0.0))
    done = list(refine(deaf, tmp_path / "run"))
    assert len(done) == 1 and not done[0].verdict.accepted
    with pytest.raises(NothingNew, match="nothing new to train on"):
        next_round(deaf, tmp_path / "run")
    assert len(RunFolder.read(tmp_path / "run").round_folders) == 1
    toy.speak(["e ora basta", "io sono qui"], tmp_path / "data" / "pool" / "new", labeled=False)
    assert next_round(deaf, tmp_path / "run").number == 2


def test_a_changed_plan_is_refused_for_the_round_in_progress_and_shown(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ToyRecognizer, "train", None)
    with pytest.raises(TypeError):
        next_round(plan, tmp_path / "run")
    monkeypatch.undo()
    changed = replace(plan, mix=replace(plan.mix, synthetic=0.5))
    with pytest.raises(StaleError, match=r"mix.synthetic: 1.0 -> 0.5.*--restart"):
        next_round(changed, tmp_path / "run")
    assert RunFolder.read(tmp_path / "run").set_aside() == tmp_path / "run" / "round-01.aside-1"
    assert next_round(changed, tmp_path / "run").number == 1


def test_a_changed_plan_applies_from_the_next_round_on(plan: Plan, tmp_path: Path) -> None:
    first = next_round(plan, tmp_path / "run")
    second = next_round(without(plan, "significant"), tmp_path / "run")
    assert first.verdict.accepted and second.verdict.accepted
    assert RunFolder.read(tmp_path / "run").champion == second.candidate


def test_the_champion_is_measured_again_only_when_the_measure_changed(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next_round(plan, tmp_path / "run")
    second = next_round(plan, tmp_path / "run")
    made = (second.folder / "champion" / "made.json").read_bytes()
    assert made == (first.folder / "report" / "made.json").read_bytes()
    changed = replace(plan, normalizer=plan.normalizer.keeping_numbers())
    third = next_round(changed, tmp_path / "run")
    assert (third.folder / "champion" / "made.json").read_bytes() != made


def test_an_artifact_made_from_other_things_is_refused_and_not_touched(
    plan: Plan, tmp_path: Path
) -> None:
    done = next_round(plan, tmp_path / "run")
    shutil.rmtree(done.folder / "verdict")
    lesson = done.folder / "filtered_labels" / "made.json"
    lesson.write_text(lesson.read_text().replace('"version": 1', '"version": 0'))
    with pytest.raises(
        StaleError, match="filtered_labels was made from other inputs: version: 0 -> 1"
    ):
        next_round(plan, tmp_path / "run")
    assert '"version": 0' in lesson.read_text()


def test_a_run_of_another_version_is_refused_and_not_touched(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text('{"format": 1}')
    with pytest.raises(ConfigError, match="a run of format 1, and this version reads format 3"):
        next_round(plan, tmp_path / "run")


def test_an_older_run_is_refused_with_the_plan_line_that_starts_from_its_champion(
    plan: Plan, tmp_path: Path
) -> None:
    finished = next_round(plan, tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text('{"format": 2}')
    with pytest.raises(ConfigError) as refusal:
        next_round(plan, tmp_path / "run")
    assert f"model: {finished.folder / 'candidate'}" in str(refusal.value)


def test_a_run_can_be_moved(plan: Plan, tmp_path: Path) -> None:
    next_round(plan, tmp_path / "run")
    shutil.move(tmp_path / "run", tmp_path / "moved")
    for utterance in Manifest.load(tmp_path / "moved" / "round-01" / "mixture"):
        assert utterance.audio_filepath.is_file()
    assert next_round(plan, tmp_path / "moved").number == 2


def test_held_out_audio_in_the_pool_is_a_leak_whatever_its_name(plan: Plan, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copy(data / "test" / "0.wav", data / "pool" / "renamed.wav")
    with pytest.raises(LeakError, match=r"test.test: 1 of its utterances are also in pool"):
        next_round(plan, tmp_path / "run")
    assert not RunFolder.read(tmp_path / "run").round_folders


def test_a_held_out_recording_at_another_rate_and_level_is_a_leak(
    plan: Plan, world: Path, tmp_path: Path
) -> None:
    held_out = audio.read(world.parent / "data" / "test" / "0.wav")
    quiet = 0.2 * audio.resample(held_out, audio.SAMPLE_RATE, 8_000)
    audio.write(quiet, world.parent / "data" / "pool" / "call.wav", 8_000)
    with pytest.raises(LeakError, match=r"pool: 1 recordings .*call\.wav and .*0\.wav"):
        next_round(plan, tmp_path / "run")
    assert not list((tmp_path / "run").glob("*round-*"))


def test_a_held_out_text_in_human_speech_is_a_leak(plan: Plan, tmp_path: Path) -> None:
    slower = toy_language.synthesize(toy.TEST[0] + " ", toy_language.standard_codebook())
    audio.write(slower, tmp_path / "data" / "human" / "9.wav")
    with (tmp_path / "data" / "human" / "metadata.jsonl").open("a") as lines:
        lines.write(json.dumps({"file_name": "9.wav", "text": toy.TEST[0]}) + "\n")
    with pytest.raises(LeakError, match="references of held-out sets"):
        next_round(plan, tmp_path / "run")


def test_a_corpus_text_near_a_held_out_text_is_dropped_and_counted(
    plan: Plan, tmp_path: Path
) -> None:
    with (tmp_path / "data" / "texts.txt").open("a") as lines:
        lines.write(toy.TEST[0] + "\n" + toy.DEVELOPMENT[0].replace("dozen", "hundred") + "\n")
    done = next_round(plan, tmp_path / "run")
    rejected = list(Manifest.load(done.folder / "texts" / "rejected"))
    assert [each.rejected_by for each in rejected] == ["held_out_text"] * 2
    assert len(Manifest.load(done.folder / "texts")) == len(toy.TEXTS)


def test_bad_files_in_the_pool_are_rejected_with_their_reason_and_counted(
    plan: Plan, tmp_path: Path
) -> None:
    pool = tmp_path / "data" / "pool"
    (pool / "text.wav").write_text("this is no audio")
    (pool / "empty.wav").touch()
    audio.write(toy_language.synthesize("", {})[:100], pool / "short.wav")
    audio.write(toy_language.synthesize("", {}).repeat(20), pool / "silent.wav")
    shutil.copy(pool / "0.wav", pool / "again.wav")
    done = next_round(plan, tmp_path / "run")
    rejected = Manifest.load(done.folder / "pool" / "rejected")
    reasons = sorted(each.rejected_by or "" for each in rejected)
    assert reasons == ["silent", "too_short", "unreadable", "unreadable"]
    again = list(Manifest.load(done.folder / "inputs" / "pool" / "rejected"))
    assert [each.rejected_by for each in again] == ["duplicate"]
    assert len(Manifest.load(done.folder / "pool")) == len(toy.POOL)


def test_a_voice_that_fails_its_trial_is_not_used_and_the_round_goes_on(
    plan: Plan, tmp_path: Path
) -> None:
    strict = replace(plan, trial=replace(plan.trial, at_most=0.1))
    done = next_round(strict, tmp_path / "run")
    assert not done.trials[0].passed and "not used" in str(done.trials[0])
    assert not (done.folder / "voices" / "toy" / "spoken").exists()
    assert {each.origin for each in Manifest.load(done.folder / "mixture")} == {"human", "pseudo"}


def test_a_voice_that_passed_is_carried_on_even_from_a_refused_round(
    plan: Plan, tmp_path: Path
) -> None:
    done = next_round(replace(plan, gates=(Significant(level=0.99999),)), tmp_path / "run")
    assert RunFolder.read(tmp_path / "run").voice("toy") == Checkpoint.load(
        done.folder / "voices" / "toy" / "voice"
    )


def test_older_rounds_are_thinned_to_their_results(plan: Plan, tmp_path: Path) -> None:
    keep = replace(plan.keep, last=1)
    lenient = replace(without(plan, "significant"), keep=keep, rounds=3)
    first, second, third = refine(lenient, tmp_path / "run")
    assert list(third.folder.rglob("*.wav")) and not list(first.folder.rglob("*.wav"))
    assert folder_size(second.folder) < folder_size(third.folder)
    assert verdict_of(first.folder).accepted and (first.folder / "report/report.json").is_file()


def test_what_was_thinned_is_made_anew_and_not_copied(plan: Plan, tmp_path: Path) -> None:
    keep = replace(plan.keep, last=1)
    lenient = replace(without(plan, "significant"), keep=keep, rounds=2)
    thinned, _ = refine(lenient, tmp_path / "one")
    spoken = "voices/toy/spoken"
    assert (thinned.folder / spoken / "thinned").exists()
    again = next_round(lenient, tmp_path / "two", share_stages(tmp_path))
    assert all(each.audio_filepath.is_file() for each in Manifest.load(again.folder / spoken))


def test_sets_that_nothing_can_be_decided_with_are_refused_before_any_training(
    plan: Plan, world: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConfigError, match=r"development\.dev: 2 utterances are fewer than"):
        next_round(replace(plan, minimum_utterances=3), tmp_path / "run")
    metadata = world.parent / "data" / "retention" / "metadata.jsonl"
    metadata.write_text(re.sub(r'"text": "[^"]*"', '"text": "..."', metadata.read_text()))
    with pytest.raises(ConfigError, match=r"retention\.vowels: .* leaves nothing of any reference"):
        next_round(plan, tmp_path / "run")
    assert not list((tmp_path / "run").glob("round-*"))


def test_what_the_gates_cannot_decide_is_said_before_the_first_stage(
    plan: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    next_round(plan, tmp_path / "run")
    said = caplog.text
    assert "dev has 14 words: a candidate that is just as good stays undecided" in said
    assert said.index("stays undecided") < said.index("round 1 in")


def test_what_hearing_a_set_took_is_noted_unless_it_was_interrupted(
    plan: Plan, tmp_path: Path
) -> None:
    from twister_loop.evaluation.outcomes import load_outcomes

    at = next_round(plan, tmp_path / "run").folder
    timed = load_outcomes(Report.load(at / "report"), plan.normalizer)
    assert all(each.seconds is not None for each in timed.values())
    shutil.rmtree(at / "verdict")
    (at / "report").rename(at / ".report")
    note = at / ".report" / "speed.json"
    write_json({"vowels": 1.0}, note)
    next_round(plan, tmp_path / "run")
    again = load_outcomes(Report.load(at / "report"), plan.normalizer)
    assert {name: each.seconds for name, each in again.items()} == {"dev": None, "vowels": 1.0}


@pytest.mark.parametrize(("letters", "used"), [(" aeiou", True), ("ae ", False)])
def test_a_labeler_hears_for_labels_if_it_hears_what_the_recognizer_hears(
    plan: Plan, tmp_path: Path, letters: str, used: bool
) -> None:
    other = ToyRecognizer(letters=letters)
    gates = (*plan.gates, ParityGate())
    with_labeler = replace(plan, labeler=Labeler(other), gates=gates, pseudo_filters=())
    done = next_round(with_labeler, tmp_path / "run")
    parity = DecoderTrial.load(done.folder / "labeler")
    assert (parity.chosen, parity.clips) == (0 if used else None, 3)
    label = read_json(done.folder / "pseudo_labels/made.json")["from"]["recognizer"]["letters"]
    assert label == (letters if used else "aeiou ")
    assert [each.name for each in Report.load(done.folder / "candidate_by_labeler").scores] == [
        "dev"
    ]


def test_what_the_filters_drop_says_nothing_of_a_labeler(plan: Plan, tmp_path: Path) -> None:
    """Two of three clips hold letters that the recognizer does not know.

    Filters are asked as they will be of the labels: some of them look at the text.
    """
    other = ToyRecognizer(letters="aeiou rsl")
    labeler, sure = Labeler(other, LabelOptions(at_most=0)), (Confidence(at_least=-0.1), CharRate())
    with_labeler = replace(plan, labeler=labeler, pseudo_filters=sure)
    parity = DecoderTrial.load(next_round(with_labeler, tmp_path / "run").folder / "labeler")
    assert (parity.chosen, parity.clips) == (0, 1)


def test_a_later_round_hears_only_what_no_label_was_kept_for(plan: Plan, tmp_path: Path) -> None:
    terms = LabelOptions(relabel="new")
    lenient = replace(without(plan, "significant"), labeler=Labeler(plan.asr, terms), rounds=3)
    first, second, third = refine(lenient, tmp_path / "run")
    kept = {
        each.id: each
        for each in Manifest(first.folder / "filtered_labels")
        if each.origin == "pseudo"
    }
    heard = list(Manifest(second.folder / "pseudo_labels"))
    assert [each.id for each in heard] == [each.id for each in Manifest(second.folder / "pool")]
    assert kept and {each.id for each in heard if each.labeled_in} == kept.keys()
    for each in heard:
        if each.labeled_in:
            assert replace(each, labeled_in=None) == kept[each.id] and each.labeled_in == 1
    later = {each.labeled_in for each in Manifest(third.folder / "pseudo_labels")}
    assert 1 in later and later <= {None, 1, 2}


def test_where_nothing_can_be_compared_the_careful_way_labels(plan: Plan, tmp_path: Path) -> None:
    other = Labeler(ToyRecognizer(letters=" aeiou"))
    nothing = (Confidence(at_least=1.0),)
    parity = DecoderTrial.load(
        next_round(
            replace(plan, labeler=other, pseudo_filters=nothing, human=plan.human),
            tmp_path / "run",
        ).folder
        / "labeler"
    )
    assert (parity.chosen, parity.clips) == (None, 0)


def test_another_untouched_model_is_measured_and_must_be_beaten(
    world: Path, tmp_path: Path
) -> None:
    knows_all = {"use": "toy", "letters": "abcdefghijklmnopqrstuvwxyz "}
    better = {
        "references": {"all": knows_all},
        "gates": ["best_untouched"],
        "voices": {},
        "human": [],
    }
    done = next_round(load(world, better), tmp_path / "run")
    [objection] = done.verdict.objections
    assert objection.gate == "best_untouched" and objection.reason.startswith("dev: ")
    assert (done.folder / "references" / "all" / "report.json").is_file()


def test_reports_of_different_normalizers_are_not_compared(plan: Plan, tmp_path: Path) -> None:
    from twister_loop.pipeline.stages.evaluation import judge
    from twister_loop.text.normalizers.basic import Basic

    done = next_round(plan, tmp_path / "run")
    reports = [Report.load(done.folder / each) for each in ("untouched", "champion", "report")]
    with pytest.raises(ConfigError, match="such error rates do not compare"):
        judge(plan.gates, *reports, {}, Basic(numbers=False), 1, out=tmp_path / "verdict")


def test_two_processes_cannot_work_on_one_run(plan: Plan, tmp_path: Path) -> None:
    ledger = RunFolder.open(tmp_path / "run")
    with ledger.locked(), pytest.raises(BusyError):
        next_round(plan, tmp_path / "run")
    assert next_round(plan, tmp_path / "run").number == 1


def test_the_space_that_a_round_needs_is_checked_before_it_begins(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twister_loop import SpaceError

    monkeypatch.setattr(ToyRecognizer, "disk_bytes_needed", lambda self, base: 10**18)
    with pytest.raises(SpaceError, match="needs about 1000000000"):
        next_round(plan, tmp_path / "run")
    assert not RunFolder.read(tmp_path / "run").round_folders and SECONDS_PER_TEXT > 0


def test_every_stage_goes_through_do_and_its_folder_is_its_name(plan: Plan, tmp_path: Path) -> None:
    seen: list[str] = []

    def noting(stage: Any) -> Any:
        def step(*args: Any, out: Path, **kwargs: Any) -> Any:
            seen.append(out.name)
            return stage(*args, out=out, **kwargs)

        return step

    done = next_round(plan, tmp_path / "run", run_stage=noting)
    voice = ["voice", "trial", "spoken", "verified", "synthetic"]
    assert seen == [*STAGES[:6], *voice, *STAGES[6:]]
    assert {each.name for each in done.folder.iterdir() if each.is_dir()} == {
        *STAGES,
        "inputs",
        "voices",
    }


def test_the_same_plan_gives_the_same_bytes(world: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        next_round(load(world), tmp_path / name)
    for path in (tmp_path / "one" / "round-01").rglob("*.jsonl"):
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == twin.read_bytes(), path
