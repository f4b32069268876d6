"""The loop on toy data."""

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import world as toy
from twister_loop import RunFolder, Utterance, load, next_round, refine
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.core.digests import folder_size
from twister_loop.core.manifest import Manifest
from twister_loop.data.filters.char_rate import CharRate
from twister_loop.data.filters.confidence import Confidence
from twister_loop.errors import BusyError, ConfigError, LeakError, NothingNew, StaleError
from twister_loop.evaluation.gates.parity import EngineParity as ParityGate
from twister_loop.evaluation.gates.significant import Significant
from twister_loop.evaluation.trials import DecoderTrial
from twister_loop.pipeline.disk import SECONDS_PER_TEXT
from twister_loop.pipeline.experiments.compare import share_stages
from twister_loop.pipeline.plan import Labeler
from twister_loop.pipeline.run_folder import verdict_of
from twister_loop.pipeline.stages.labeling import LabelOptions
from twister_loop.tts.concatenative import ConcatenativeSynthesizer
from twister_loop.types import Checkpoint, Plan, Report

STAGES = (
    "untouched champion pool pseudo_labels texts filtered_labels "
    "mixture packed candidate report verdict"
).split()


def without(plan: Plan, gate: str) -> Plan:
    return replace(plan, gates=tuple(part for part in plan.gates if part.name != gate))


def test_a_better_candidate_is_accepted(plan: Plan, tmp_path: Path) -> None:
    done = next_round(plan, tmp_path / "run")
    untouched = Report.load(done.folder / "untouched").score("test")
    assert untouched.words.rate > 0.5
    assert done.report.score("test").words.rate == 0.0
    assert done.verdict.accepted
    assert RunFolder.read(tmp_path / "run").champion == done.candidate


def test_every_stage_leaves_a_complete_folder_with_its_provenance(
    plan: Plan, tmp_path: Path
) -> None:
    done = next_round(plan, tmp_path / "run")
    for stage in STAGES:
        provenance = json.loads((done.folder / stage / "made.json").read_text())
        assert provenance["stage"] and provenance["content"], stage
    assert not list(done.folder.rglob(".*"))


def test_a_finished_run_is_read_back_without_transcribing_again(
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
    transcribed: list[str] = []
    transcribe = ToyRecognizer.transcribe

    def failing(
        self: ToyRecognizer, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        for utterance in transcribe(self, checkpoint, speech):
            if "data/pool" in str(utterance.audio_filepath):
                if len(transcribed) == 3:
                    transcribed.append("killed")
                    raise MemoryError
                transcribed.append(utterance.id)
            yield utterance

    monkeypatch.setattr(ToyRecognizer, "transcribe", failing)
    with pytest.raises(MemoryError):
        next_round(plan, tmp_path / "run")
    assert not (tmp_path / "run" / "round-01" / "pseudo_labels").exists()
    next_round(plan, tmp_path / "run")
    before, after = transcribed[:3], transcribed[4:]
    assert after[0] == before[2] and not set(before[:2]) & set(after)
    resumed = (tmp_path / "run" / "round-01" / "pseudo_labels" / "manifest.jsonl").read_bytes()
    next_round(plan, tmp_path / "other")
    assert (tmp_path / "other/round-01/pseudo_labels/manifest.jsonl").read_bytes() == resumed


def test_a_refused_round_keeps_the_champion_and_names_the_gate(plan: Plan, tmp_path: Path) -> None:
    first, second = refine(plan, tmp_path / "run")
    assert first.verdict.accepted and not second.verdict.accepted
    assert second.verdict.objections[0].gate == "significant"
    assert RunFolder.read(tmp_path / "run").champion == first.candidate


def test_after_a_refused_round_with_nothing_new_no_round_runs(plan: Plan, tmp_path: Path) -> None:
    strict = replace(plan, gates=(Significant(level=0.99999),), voices=(), rounds=9)
    pool_only = replace(strict, mix=replace(plan.mix, human=0.0))
    done = list(refine(pool_only, tmp_path / "run"))
    assert len(done) == 1 and not done[0].verdict.accepted
    with pytest.raises(NothingNew, match="nothing new to train on"):
        next_round(pool_only, tmp_path / "run")
    assert len(RunFolder.read(tmp_path / "run").round_folders) == 1
    toy.speak(["e ora basta", "io sono qui"], tmp_path / "data" / "pool" / "new", labeled=False)
    assert next_round(pool_only, tmp_path / "run").number == 2


def test_a_changed_plan_is_refused_for_the_round_in_progress_with_the_difference(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ToyRecognizer, "train", None)
    with pytest.raises(TypeError):
        next_round(plan, tmp_path / "run")
    monkeypatch.undo()
    changed = replace(plan, mix=replace(plan.mix, synthetic=0.5))
    with pytest.raises(StaleError, match=r"mix\.synthetic: 1\.0 -> 0\.5\n") as error:
        next_round(changed, tmp_path / "run")
    # The commands can be copied as they are.
    assert f"twister round {tmp_path}/run/round-01/plan.yaml {tmp_path}/run\n" in str(error.value)
    assert f"twister round {plan.path} {tmp_path}/run --restart" in str(error.value)
    assert RunFolder.read(tmp_path / "run").set_aside() == tmp_path / "run" / "round-01.aside-1"
    assert next_round(changed, tmp_path / "run").number == 1


def test_a_changed_plan_applies_from_the_next_round_on(plan: Plan, tmp_path: Path) -> None:
    first = next_round(plan, tmp_path / "run")
    second = next_round(without(plan, "significant"), tmp_path / "run")
    assert first.verdict.accepted and second.verdict.accepted
    assert RunFolder.read(tmp_path / "run").champion == second.candidate


def test_the_champion_is_evaluated_again_only_if_the_normalizer_changed(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next_round(plan, tmp_path / "run")
    second = next_round(plan, tmp_path / "run")
    provenance = (second.folder / "champion" / "made.json").read_bytes()
    assert provenance == (first.folder / "report" / "made.json").read_bytes()
    changed = replace(plan, normalizer=plan.normalizer.keeping_numbers())
    third = next_round(changed, tmp_path / "run")
    assert (third.folder / "champion" / "made.json").read_bytes() != provenance


def test_an_artifact_from_other_inputs_is_refused_and_not_changed(
    plan: Plan, tmp_path: Path
) -> None:
    done = next_round(plan, tmp_path / "run")
    shutil.rmtree(done.folder / "verdict")
    provenance = done.folder / "filtered_labels" / "made.json"
    provenance.write_text(re.sub('"version": [0-9]+', '"version": 0', provenance.read_text()))
    with pytest.raises(
        StaleError, match=r"filtered_labels was made from other inputs: version: 0 -> [0-9]"
    ):
        next_round(plan, tmp_path / "run")
    assert '"version": 0' in provenance.read_text()


def test_a_run_of_another_format_is_refused(plan: Plan, tmp_path: Path) -> None:
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


def test_held_out_audio_in_the_pool_is_a_leak_also_under_another_name(
    plan: Plan, tmp_path: Path
) -> None:
    corpus_folder = tmp_path / "data"
    shutil.copy(corpus_folder / "test" / "0.wav", corpus_folder / "pool" / "renamed.wav")
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


def test_a_held_out_recording_in_human_speech_is_a_leak(plan: Plan, tmp_path: Path) -> None:
    slower = toy_language.synthesize(toy.TEST[0] + " ", toy_language.standard_codebook())
    audio.write(slower, tmp_path / "data" / "human" / "9.wav")
    with (tmp_path / "data" / "human" / "metadata.jsonl").open("a") as lines:
        lines.write(json.dumps({"file_name": "9.wav", "text": toy.TEST[0]}) + "\n")
    with pytest.raises(LeakError, match=r"human: 1 recordings are also held out, .*9\.wav"):
        next_round(plan, tmp_path / "run")


def test_a_corpus_text_near_a_held_out_text_is_dropped_and_counted(
    plan: Plan, tmp_path: Path
) -> None:
    with (tmp_path / "data" / "texts.txt").open("a") as lines:
        lines.write(toy.TEST[0] + "\n" + toy.DEVELOPMENT[0].replace("dozen", "hundred") + "\n")
    done = next_round(plan, tmp_path / "run")
    rejected = list(Manifest.load(done.folder / "texts" / "rejected"))
    assert [text.rejected_by for text in rejected] == ["held_out_text"] * 2
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
    reasons = sorted(recording.rejected_by or "" for recording in rejected)
    assert reasons == ["silent", "too_short", "unreadable", "unreadable"]
    duplicates = list(Manifest.load(done.folder / "inputs" / "pool" / "rejected"))
    assert [recording.rejected_by for recording in duplicates] == ["duplicate"]
    assert len(Manifest.load(done.folder / "pool")) == len(toy.POOL)


def test_a_voice_that_fails_its_trial_is_not_used_and_the_round_continues(
    plan: Plan, tmp_path: Path
) -> None:
    strict = replace(plan, trial=replace(plan.trial, at_most=0.1))
    done = next_round(strict, tmp_path / "run")
    assert not done.trials[0].passed and "not used" in str(done.trials[0])
    assert not (done.folder / "voices" / "toy" / "spoken").exists()
    assert {utterance.origin for utterance in Manifest.load(done.folder / "mixture")} == {
        "human",
        "pseudo",
    }


def test_a_voice_that_lacks_the_words_of_the_texts_is_not_trained(
    plan: Plan, world: Path, tmp_path: Path
) -> None:
    (world.parent / "data/texts.txt").write_text("daft zebras jump\n" * 4)
    [toy_voice] = plan.voices
    splice = replace(toy_voice, name="splice", synthesizer=ConcatenativeSynthesizer())
    done = next_round(replace(plan, voices=(splice, toy_voice)), tmp_path / "run")
    refused, other = sorted(done.trials, key=lambda trial: trial.voice)
    assert not refused.passed and not refused.synthesized and other.passed
    assert [path.name for path in (done.folder / "voices" / "splice").iterdir()] == ["trial"]


def test_a_voice_that_passed_its_trial_is_reused_even_after_a_refused_round(
    plan: Plan, tmp_path: Path
) -> None:
    done = next_round(replace(plan, gates=(Significant(level=0.99999),)), tmp_path / "run")
    assert RunFolder.read(tmp_path / "run").voice("toy") == Checkpoint.load(
        done.folder / "voices" / "toy" / "voice"
    )


def test_older_rounds_are_pruned_to_their_results(plan: Plan, tmp_path: Path) -> None:
    keep = replace(plan.keep, last=1)
    lenient = replace(without(plan, "significant"), keep=keep, rounds=3)
    first, second, third = refine(lenient, tmp_path / "run")
    assert list(third.folder.rglob("*.wav")) and not list(first.folder.rglob("*.wav"))
    assert folder_size(second.folder) < folder_size(third.folder)
    assert verdict_of(first.folder).accepted and (first.folder / "report/report.json").is_file()


def test_a_pruned_stage_is_run_again_and_not_copied(plan: Plan, tmp_path: Path) -> None:
    keep = replace(plan.keep, last=1)
    lenient = replace(without(plan, "significant"), keep=keep, rounds=2)
    pruned, _ = refine(lenient, tmp_path / "one")
    spoken = "voices/toy/spoken"
    assert (pruned.folder / spoken / "thinned").exists()
    repetition = next_round(lenient, tmp_path / "two", share_stages(tmp_path))
    assert all(
        utterance.audio_filepath.is_file()
        for utterance in Manifest.load(repetition.folder / spoken)
    )


def test_sets_too_small_for_a_decision_are_refused_before_training(
    plan: Plan, world: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConfigError, match=r"development\.dev: 2 utterances are fewer than"):
        next_round(replace(plan, minimum_utterances=3), tmp_path / "run")
    metadata = world.parent / "data" / "retention" / "metadata.jsonl"
    metadata.write_text(re.sub(r'"text": "[^"]*"', '"text": "..."', metadata.read_text()))
    with pytest.raises(ConfigError, match=r"retention\.vowels: .* leaves nothing of any reference"):
        next_round(plan, tmp_path / "run")
    assert not list((tmp_path / "run").glob("round-*"))


def test_sets_too_small_for_the_gates_are_reported_before_the_first_stage(
    plan: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    next_round(plan, tmp_path / "run")
    log_text = caplog.text
    warning = "dev has 14 words: a candidate that is just as good is shown to be so in"
    assert log_text.index(warning) < log_text.index("round 1 in")


def test_decoding_seconds_are_recorded_unless_decoding_was_interrupted(
    plan: Plan, tmp_path: Path
) -> None:
    from twister_loop.evaluation.outcomes import load_outcomes

    round_folder = next_round(plan, tmp_path / "run").folder
    timed = load_outcomes(Report.load(round_folder / "report"), plan.normalizer)
    assert all(outcome.seconds is not None for outcome in timed.values())
    shutil.rmtree(round_folder / "verdict")
    (round_folder / "report").rename(round_folder / ".report")
    notes = round_folder / ".report" / "speed.json"
    write_json({"vowels": 1.0}, notes)
    next_round(plan, tmp_path / "run")
    resumed = load_outcomes(Report.load(round_folder / "report"), plan.normalizer)
    assert {name: outcome.seconds for name, outcome in resumed.items()} == {
        "dev": None,
        "vowels": 1.0,
    }


@pytest.mark.parametrize(("letters", "used"), [(" aeiou", True), ("ae ", False)])
def test_a_labeler_is_used_if_its_transcripts_match_the_recognizer(
    plan: Plan, tmp_path: Path, letters: str, used: bool
) -> None:
    labeler = ToyRecognizer(letters=letters)
    gates = (*plan.gates, ParityGate())
    with_labeler = replace(plan, labeler=Labeler(labeler), gates=gates, pseudo_filters=())
    done = next_round(with_labeler, tmp_path / "run")
    trial = DecoderTrial.load(done.folder / "labeler")
    assert (trial.chosen, trial.clips) == (0 if used else None, 3)
    label = read_json(done.folder / "pseudo_labels/made.json")["from"]["recognizer"]["letters"]
    assert label == (letters if used else "aeiou ")
    assert [score.name for score in Report.load(done.folder / "candidate_by_labeler").scores] == [
        "dev"
    ]


def test_plans_with_other_seeds_compare_decoders_on_the_same_clips(
    plan: Plan, tmp_path: Path
) -> None:
    labeler = Labeler(ToyRecognizer(letters=" aeiou"), LabelOptions(clips=1))
    compared = set[str]()
    for seed in range(4):
        run = tmp_path / f"run-{seed}"
        done = next_round(replace(plan, labeler=labeler, pseudo_filters=(), seed=seed), run)
        compared |= {clip.id for clip in Manifest.load(done.folder / "labeler/reference")}
    assert len(compared) == 1


def test_clips_that_the_filters_reject_do_not_count_in_the_decoder_trial(
    plan: Plan, tmp_path: Path
) -> None:
    """Two of three clips contain letters that the recognizer does not know.

    The trial applies the filters as to the labels: some of them read the text.
    """
    recognizer = ToyRecognizer(letters="aeiou rsl")
    labeler = Labeler(recognizer, LabelOptions(at_most=0))
    filters = (Confidence(at_least=-0.1), CharRate())
    with_labeler = replace(plan, labeler=labeler, pseudo_filters=filters)
    trial = DecoderTrial.load(next_round(with_labeler, tmp_path / "run").folder / "labeler")
    assert (trial.chosen, trial.clips) == (0, 1)


def test_a_later_round_transcribes_only_clips_without_a_kept_label(
    plan: Plan, tmp_path: Path
) -> None:
    options = LabelOptions(relabel="new")
    lenient = replace(without(plan, "significant"), labeler=Labeler(plan.asr, options), rounds=3)
    first, second, third = refine(lenient, tmp_path / "run")
    earlier_labels = {
        label.id: label
        for label in Manifest(first.folder / "filtered_labels")
        if label.origin == "pseudo"
    }
    labels = list(Manifest(second.folder / "pseudo_labels"))
    assert [label.id for label in labels] == [
        label.id for label in Manifest(second.folder / "pool")
    ]
    assert (
        earlier_labels
        and {label.id for label in labels if label.labeled_in} == earlier_labels.keys()
    )
    for label in labels:
        if label.labeled_in:
            assert replace(label, labeled_in=None) == earlier_labels[label.id]
            assert label.labeled_in == 1
    later = {label.labeled_in for label in Manifest(third.folder / "pseudo_labels")}
    assert 1 in later and later <= {None, 1, 2}


def test_the_reference_decoder_labels_if_no_clip_can_be_compared(
    plan: Plan, tmp_path: Path
) -> None:
    labeler = Labeler(ToyRecognizer(letters=" aeiou"))
    filters = (Confidence(at_least=1.0),)
    trial = DecoderTrial.load(
        next_round(
            replace(plan, labeler=labeler, pseudo_filters=filters, human=plan.human),
            tmp_path / "run",
        ).folder
        / "labeler"
    )
    assert (trial.chosen, trial.clips) == (None, 0)


def test_a_candidate_must_beat_the_untouched_reference_models(world: Path, tmp_path: Path) -> None:
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
    reports = [Report.load(done.folder / stage) for stage in ("untouched", "champion", "report")]
    with pytest.raises(ConfigError, match="such error rates do not compare"):
        judge(plan.gates, *reports, {}, Basic(numbers=False), out=tmp_path / "verdict")


def test_two_processes_cannot_work_on_one_run(plan: Plan, tmp_path: Path) -> None:
    run_folder = RunFolder.open(tmp_path / "run")
    with run_folder.locked(), pytest.raises(BusyError):
        next_round(plan, tmp_path / "run")
    assert next_round(plan, tmp_path / "run").number == 1


def test_disk_space_is_checked_before_a_round_starts(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twister_loop.errors import SpaceError

    monkeypatch.setattr(ToyRecognizer, "disk_bytes_needed", lambda *_: 10**18)
    with pytest.raises(SpaceError, match="needs about 1000000000"):
        next_round(plan, tmp_path / "run")
    assert not RunFolder.read(tmp_path / "run").round_folders and SECONDS_PER_TEXT > 0


def test_every_stage_goes_through_run_stage_and_writes_the_folder_of_its_name(
    plan: Plan, tmp_path: Path
) -> None:
    stages: list[str] = []

    def record_stage(stage: Any) -> Any:
        def run(*args: Any, out: Path, **kwargs: Any) -> Any:
            stages.append(out.name)
            return stage(*args, out=out, **kwargs)

        return run

    done = next_round(plan, tmp_path / "run", run_stage=record_stage)
    voice = ["voice", "trial", "spoken", "verified", "synthetic"]
    assert stages == [*STAGES[:6], *voice, *STAGES[6:]]
    assert {folder.name for folder in done.folder.iterdir() if folder.is_dir()} == {
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
