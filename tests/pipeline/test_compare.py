"""Comparison of the full loop with its parts, in the toy world."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests import world as toy
from twister_loop import TwisterError, Utterance, load
from twister_loop.asr._base import Recognizer
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.cli.main import main
from twister_loop.core.artifacts import stage
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Funnel
from twister_loop.core.types import Checkpoint, Report
from twister_loop.errors import ConfigError, StaleError
from twister_loop.pipeline.default_voices import DefaultVoices
from twister_loop.pipeline.experiments import arms as arm_names
from twister_loop.pipeline.experiments.arms import CompareOptions, build_arms
from twister_loop.pipeline.experiments.compare import compare
from twister_loop.pipeline.experiments.comparison import ArmScore, Comparison, SeedTraining
from twister_loop.pipeline.experiments.reproduce import reproduce
from twister_loop.pipeline.experiments.shared_stages import share_stages
from twister_loop.reporting.comparison import write_comparison

TWO_ROUNDS = CompareOptions(seeds=2, rounds=2)
ONE_ROUND = CompareOptions(seeds=2, rounds=1)


@pytest.fixture
def plan_path(world: Path) -> Path:
    """Plan with references for the pool in `data/said`."""
    toy.speak(toy.POOL, world.parent / "data" / "said")
    return world


CHANGES: dict[str, object] = {"pool_references": "data/said", "human": []}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plan of a finished comparison in `arms/` beside it, which tests only read."""
    plan_path = toy.build(tmp_path_factory.mktemp("finished"))
    toy.speak(toy.POOL, plan_path.parent / "data" / "said")
    compare(load(plan_path, CHANGES), plan_path.parent / "arms", TWO_ROUNDS)
    return plan_path


@pytest.fixture
def arms(finished: Path) -> Path:
    """Folder of the finished comparison."""
    return finished.parent / "arms"


@pytest.fixture
def comparison(arms: Path) -> Comparison:
    """Return the finished comparison as it was stored."""
    return Comparison.load(arms)


def rows_of(comparison: Comparison) -> dict[str, ArmScore]:
    return {row.arm: row for row in comparison.rows}


def trainings_of(comparison: Comparison) -> dict[str, tuple[SeedTraining, ...]]:
    return {training.arm: training.seeds for training in comparison.trainings}


def test_every_arm_is_compared_with_the_untouched_model(comparison: Comparison) -> None:
    assert [row.arm for row in comparison.rows] == [
        "untouched",
        "self-training",
        "labels of all clips",
        "references of the kept clips",
        "voice only",
        "full loop",
        "supervised",
        "2 rounds, from champion",
        "2 rounds, from untouched",
        "growing pool, 2 parts",
        "full loop, 2 times the updates",
    ]
    rows = rows_of(comparison)
    assert rows["untouched"].change is None and rows["full loop"].full_loop_difference is None
    own, loop = rows["self-training"].change, rows["self-training"].full_loop_difference
    assert own and own.rate == 0 and not own.is_shown, (
        "self-training teaches the toy recognizer no new letter"
    )
    assert loop and rows["full loop"].change and loop.rate == rows["full loop"].change.rate <= 0
    for row in comparison.rows:
        assert len(row.rate_by_seed) == (1 if row.arm == "untouched" else 2)
        for difference in filter(None, (row.change, row.full_loop_difference)):
            assert difference.low is not None and difference.high is not None
            assert difference.low <= difference.rate <= difference.high
    assert not comparison.failures


def test_arms_and_labels_are_read_by_the_measure_of_the_set_and_show_the_others(
    plan_path: Path, tmp_path: Path
) -> None:
    japanese = {"use": "audiofolder", "folder": "data/test", "lang": "ja"}
    changes = {"test": {"test": japanese}, "pool_references": "data/said", "human": []}
    options = CompareOptions(rounds=2, arms=("full loop", "2 rounds, from champion"))
    comparison = compare(load(plan_path, changes), tmp_path / "arms", options)
    arm = rows_of(comparison)["full loop"]
    score = Report.load(tmp_path / "arms" / "full-loop-1" / "round-01" / "report").scores[0]
    assert arm.measure == "characters"
    assert arm.errors == {
        "words": score.words,
        "characters": score.characters,
        "mixed": score.mixed,
    }
    assert comparison.rounds[0].label_measure == "words", "the pool is English"
    tables = write_comparison(comparison, tmp_path / "arms")
    assert "| arm | WER % | CER % | MER % | change of CER, points (95 %) |" in tables
    assert "test CER" in tables and "WER of its labels" in tables
    assert (tmp_path / "arms" / "comparison.md").read_text() == f"{tables}\n"


def test_without_a_shown_gap_no_share_of_it_is_known(comparison: Comparison) -> None:
    ceiling = rows_of(comparison)["supervised"]
    assert ceiling.change and not ceiling.change.is_shown, "three clips teach the toy model nothing"
    assert all(row.gap_closed is None for row in comparison.rows)
    assert "A share is not known where the gap itself is not shown." in " ".join(comparison.notes)


def test_a_share_of_a_shown_gap_has_an_interval(plan_path: Path, tmp_path: Path) -> None:
    # The ceiling learns every letter from the human speech of the plan, self-training a few.
    toy.speak([*toy.POOL, *toy.HUMAN, *toy.TEXTS], plan_path.parent / "data" / "said")
    plan = load(plan_path, CHANGES)
    options = replace(ONE_ROUND, arms=("self-training", "full loop", "supervised"))
    comparison = compare(plan, tmp_path / "arms", options)
    rows = rows_of(comparison)
    change = rows["supervised"].change
    assert change and change.is_shown and change.rate < 0
    ceiling, loop = rows["supervised"].gap_closed, rows["full loop"].gap_closed
    assert ceiling and (ceiling.low, ceiling.share, ceiling.high) == (1, 1, 1)
    assert loop and loop.low <= loop.share <= loop.high
    self_training = rows["self-training"].gap_closed
    assert self_training and self_training.share == 0
    assert rows["untouched"].gap_closed is None


def test_with_one_seed_no_difference_is_claimed(plan_path: Path, tmp_path: Path) -> None:
    plan = load(plan_path, CHANGES)
    options = CompareOptions(rounds=1, arms=("self-training", "full loop", "supervised"))
    comparison = compare(plan, tmp_path / "arms", options)
    for row in comparison.rows:
        assert row.gap_closed is None
        for difference in filter(None, (row.change, row.full_loop_difference)):
            assert difference.low is None and difference.high is None and not difference.is_shown
    assert comparison.notes[0].startswith("One seed (all arms): no difference is claimed")
    assert "(interval not known)" in write_comparison(comparison, tmp_path / "arms")


def test_an_arm_cannot_be_reproduced_from_the_plan_of_the_comparison(
    arms: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="not the plan that it was made by"):
        list(reproduce(arms / "self-training-1", tmp_path / "again"))


def test_arms_differ_in_their_training_data_only(arms: Path) -> None:
    def origins(arm: str) -> set[str]:
        mixture = Manifest.load(arms / f"{arm}-1" / "round-01" / "mixture")
        return {utterance.origin for utterance in mixture}

    assert origins("self-training") == {"pseudo"}
    assert origins("voice-only") == {"synthetic"}
    assert origins("full-loop") == {"pseudo", "synthetic"}
    assert origins("supervised") == origins("references-of-the-kept-clips") == {"human"}
    labels = {
        (run / "round-01" / "pseudo_labels" / "made.json").read_bytes()
        for run in arms.glob("*-1")
        # The pool of one arm grows, and has not all recordings in its first round.
        if (run / "run.json").is_file() and not run.name.startswith("growing-pool")
    }
    assert len(labels) == 1


def test_rounds_have_label_errors_trial_rates_and_kept_shares(comparison: Comparison) -> None:
    assert [(arm_round.arm, arm_round.number) for arm_round in comparison.rounds] == [
        ("2 rounds, from champion", 1),
        ("2 rounds, from champion", 2),
        ("2 rounds, from untouched", 1),
        ("2 rounds, from untouched", 2),
        ("growing pool, 2 parts", 1),
        ("growing pool, 2 parts", 2),
    ]
    for arm_round in comparison.rounds:
        assert arm_round.label_errors is not None
        is_partial = (arm_round.arm, arm_round.number) == ("growing pool, 2 parts", 1)
        assert (arm_round.label_errors.length < 13) == is_partial
        assert "toy" in arm_round.trial_rates
        assert is_partial or 0 < arm_round.kept_share <= 1


def test_a_finished_comparison_transcribes_nothing_again(
    comparison: Comparison, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("something was transcribed again")

    monkeypatch.setattr("twister_loop.asr.toy.ToyRecognizer.transcribe", fail)
    plan = load(finished, CHANGES)
    assert compare(plan, finished.parent / "arms", TWO_ROUNDS) == comparison


def test_an_ablation_leaves_out_one_part_at_a_time(plan_path: Path, tmp_path: Path) -> None:
    plan = load(
        plan_path,
        {
            "human": [],
            "pack": {"limit": 8},
            "augment": {"effects": ["gain"]},
            "replay": "data/said",
            "voices": {"one": "toy", "other": "toy"},
        },
    )
    folder = tmp_path / "arms"
    comparison = compare(plan, folder, CompareOptions(ablation=True))
    assert [row.arm for row in comparison.rows if row.set_name == "test"] == [
        "untouched",
        "full loop",
        "without filters",
        "without voice one",
        "without voice other",
        "without augmentation",
        "without packing",
        "without replay",
    ]
    assert {row.set_name for row in comparison.rows} == set(plan.sets) - {"dev"}

    def stages(arm: str) -> set[str]:
        return {path.name for path in (folder / f"{arm}-1" / "round-01").iterdir()}

    assert {"packed", "augmented"} <= stages("full-loop")
    assert "augmented" not in stages("without-augmentation")
    assert "packed" not in stages("without-packing")
    voices = (folder / "without-voice-one-1" / "round-01" / "voices").iterdir()
    assert [voice.name for voice in voices] == ["other"]
    assert len(Manifest.load(folder / "without-filters-1" / "round-01" / "filtered_labels")) > len(
        Manifest.load(folder / "full-loop-1" / "round-01" / "filtered_labels")
    )


def test_custom_arms_share_stages_with_equal_inputs(plan_path: Path, tmp_path: Path) -> None:
    plan = load(plan_path, {"human": [], "pack": {"limit": 8}})
    options = CompareOptions(ablation=True)
    whole = build_arms(plan, options)["full loop"]
    assert whole.pack
    wide_gap = replace(whole, pack=replace(whole.pack, gap=1.0))
    arms = {"full loop": whole, "far apart": wide_gap}
    comparison = compare(plan, tmp_path / "arms", options, arms)
    assert {row.arm for row in comparison.rows} == {"untouched", "full loop", "far apart"}
    rounds = [tmp_path / "arms" / arm / "round-01" for arm in ("full-loop-1", "far-apart-1")]
    for folder, is_same in (("pseudo_labels", True), ("mixture", True), ("packed", False)):
        first, second = (path / folder / "manifest.jsonl" for path in rounds)
        assert (first.read_bytes() == second.read_bytes()) == is_same, folder


calls: list[str] = []


@stage(version=1)
def write_text(text: str, lang: str, *, out: Path) -> Manifest:
    """Note that the stage ran, and write one utterance."""
    calls.append(lang)
    return Manifest.write([Utterance(id="1", text=text, lang=lang)], out)


def test_a_stage_called_with_keywords_is_shared_between_arms(tmp_path: Path) -> None:
    calls.clear()
    shared = share_stages(tmp_path)(write_text)
    first = shared("ciao", "it", out=tmp_path / "arm-1" / "round-01" / "texts")
    same = shared(lang="it", text="ciao", out=tmp_path / "arm-2" / "round-01" / "texts")
    partly = shared("ciao", lang="it", out=tmp_path / "arm-3" / "round-02" / "texts")
    assert calls == ["it"], "one arm runs the stage, and the others copy its result"
    assert first.path.read_bytes() == same.path.read_bytes() == partly.path.read_bytes()
    records = {artifact.folder / "made.json" for artifact in (first, same, partly)}
    assert len({record.read_bytes() for record in records}) == 1 and len(records) == 3
    shared(text="ciao", lang="fr", out=tmp_path / "arm-4" / "round-01" / "texts")
    assert calls == ["it", "fr"], "other inputs make another result"


def test_without_packing_an_update_takes_as_many_utterances() -> None:
    asr = Recognizer.build({"use": "deepspeech2", "batch": 2})
    assert asr.with_updates(60, 4.4).batch == 9


def test_a_comparison_needs_a_test_set(plan_path: Path) -> None:
    with pytest.raises(ConfigError, match="a comparison needs a test set"):
        build_arms(load(plan_path, {"test": {}}), CompareOptions())


def test_arms_of_another_plan_are_refused(finished: Path, arms: Path) -> None:
    plan = load(finished, {**CHANGES, "seed": 99})
    with pytest.raises(
        StaleError, match=r"another plan or with other options \(plan.seed\); name another folder"
    ):
        compare(plan, arms, TWO_ROUNDS)


def test_every_measured_model_has_had_equally_many_updates(plan_path: Path) -> None:
    """The last model of rounds from untouched once had a third of the updates of one round."""
    plan = load(plan_path, {"asr": {"use": "deepspeech2"}, "pool_references": "data/said"})
    arms = build_arms(plan, CompareOptions(updates=60, rounds=3))
    per_round = {name: getattr(arm.asr, "max_steps", None) for name, arm in arms.items()}
    shared = "3 rounds, from champion"
    assert per_round.pop(shared) == 20, "its last model continues the two before"
    assert arms[shared].start == "champion" and arms[shared].rounds == 3
    # As many as all rounds of the growing pool together.
    assert per_round.pop("full loop, 3 times the updates") == 180
    assert set(per_round.values()) == {60} and len(per_round) == 8
    assert all(arm.labeler.recognizer == arm.asr for arm in arms.values())


@pytest.mark.parametrize(("updates", "remedy"), [(2, "use 3 updates"), (61, "use 60 or 63")])
def test_rounds_of_a_champion_share_the_updates_evenly(
    plan_path: Path, updates: int, remedy: str
) -> None:
    plan = load(plan_path)
    with pytest.raises(ConfigError, match=f"{updates} updates cannot be shared by .*{remedy}"):
        build_arms(plan, CompareOptions(updates=updates))
    arms = build_arms(plan, CompareOptions(updates=updates, arms=("3 rounds, from untouched",)))
    assert list(arms) == ["3 rounds, from untouched"]


def test_updates_are_counted_from_what_training_logged(
    plan_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = ToyRecognizer.train

    def log_and_train(self: ToyRecognizer, start: Checkpoint, *rest: object) -> Checkpoint:
        out = next(argument for argument in rest if isinstance(argument, Path))
        (out / "training.jsonl").write_text('{"step": 1}\n' * 3)
        return train(self, start, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(ToyRecognizer, "train", log_and_train)
    plan = load(plan_path, {"human": []})
    several = ("2 rounds, from champion", "2 rounds, from untouched")
    options = CompareOptions(rounds=2, arms=("full loop", *several))
    comparison = compare(plan, tmp_path / "arms", options)
    updates = {
        arm: (seed.updates, seed.updates_in_total)
        for arm, [seed] in trainings_of(comparison).items()
    }
    assert updates["full loop"] == (3, 3)
    assert updates["2 rounds, from champion"] == (6, 6)
    assert updates["2 rounds, from untouched"] == (3, 6)
    assert any("unequal numbers of updates" in note for note in comparison.notes)


def test_arms_count_their_clips_hours_and_label_errors(comparison: Comparison, arms: Path) -> None:
    trainings = trainings_of(comparison)
    for arm, seeds in trainings.items():
        assert [seed.seed for seed in seeds] == [0, 1] or len(seeds) == 2, arm
    kept_labels, everything = (
        trainings[arm][0] for arm in ("self-training", "labels of all clips")
    )
    assert (kept_labels.total.utterances, everything.total.utterances) == (1, 3)
    assert (
        kept_labels.label_errors
        and kept_labels.label_errors.length == 5
        and not kept_labels.label_errors.errors
    )
    assert everything.label_errors and everything.label_errors.errors == 4
    assert trainings["supervised"][0].label_errors is None
    loop = trainings["full loop"][0]
    assert {origin: tally.utterances for origin, tally in loop.mixture.items()} == {
        "pseudo": 1,
        "synthetic": 2,
    }
    mixture = Manifest.load(arms / "full-loop-1" / "round-01" / "mixture")
    assert loop.total.duration == pytest.approx(mixture.duration)


def test_references_of_the_kept_clips_are_those_that_self_training_keeps(arms: Path) -> None:
    mixtures = {
        arm: list(Manifest.load(arms / f"{arm}-1" / "round-01" / "mixture"))
        for arm in ("self-training", "references-of-the-kept-clips")
    }
    labeled, referenced = mixtures.values()
    assert [label.id for label in labeled] == [reference.id for reference in referenced]
    assert [reference.text for reference in referenced] == [toy.POOL[0]]


def test_every_arm_drops_near_twins_of_held_out_texts_and_counts_them(
    plan_path: Path, tmp_path: Path
) -> None:
    # The pool says it too, so that a label, a reference and a text are near twins.
    twin = "aia io e aiuola uo"
    toy.speak([twin, *toy.POOL], plan_path.parent / "data" / "pool", labeled=False)
    toy.speak([twin, *toy.POOL], plan_path.parent / "data" / "said")
    # Another recording, since the same one would be refused.
    test_set = toy.speak([*toy.TEST, "eo ua ie oua"], plan_path.parent / "data" / "test")
    listing = (test_set / "metadata.jsonl").read_text()
    (test_set / "metadata.jsonl").write_text(listing.replace("eo ua ie oua", f"{twin}!"))
    (plan_path.parent / "data" / "texts.txt").write_text("\n".join([*toy.TEXTS, twin.upper()]))
    plan = load(plan_path, CHANGES)
    comparison = compare(plan, tmp_path / "arms", CompareOptions(seeds=1, rounds=1))
    assert not comparison.failures
    assert {arm: seed.near_twins for arm, [seed] in trainings_of(comparison).items()} == {
        "self-training": {"pseudo": 1},
        "labels of all clips": {"pseudo": 1},
        # Its clips are those that self-training keeps, so the twin is gone already.
        "references of the kept clips": {},
        "voice only": {"texts": 1},
        "full loop": {"pseudo": 1, "texts": 1},
        "supervised": {"human": 1},
    }
    for mixture in (tmp_path / "arms").glob("*/round-01/mixture"):
        assert twin not in {(line.text or "").lower() for line in Manifest.load(mixture)}


def test_kept_clips_without_a_reference_are_counted_and_told(
    plan_path: Path, tmp_path: Path
) -> None:
    vowels = [toy.POOL[0], "ie oe ua"]
    toy.speak(vowels, plan_path.parent / "data" / "pool", labeled=False)
    toy.speak(vowels[:1], spoken_folder := plan_path.parent / "data" / "some")
    plan = load(plan_path, {"pool_references": str(spoken_folder), "human": []})
    options = CompareOptions(arms=(arm_names.SELF_TRAINING, arm_names.KEPT_REFERENCES))
    comparison = compare(plan, tmp_path / "arms", options)
    funnel = Funnel.load(tmp_path / "arms" / "kept-references-1")
    assert funnel.kept.utterances == funnel.rejected["no_reference"].utterances == 1
    assert any("has 1 clips where 'self-training' has 2" in note for note in comparison.notes)


def test_a_true_reference_that_is_a_near_twin_is_dropped_although_its_label_is_not(
    plan_path: Path, tmp_path: Path
) -> None:
    vowels = [toy.POOL[0], "ie oe ua"]
    toy.speak(vowels, plan_path.parent / "data" / "pool", labeled=False)
    listing = (
        toy.speak(vowels, spoken_folder := plan_path.parent / "data" / "some") / "metadata.jsonl"
    )
    listing.write_text(listing.read_text().replace(vowels[0], toy.TEST[0].title()))
    plan = load(plan_path, {"pool_references": str(spoken_folder), "human": []})
    options = CompareOptions(arms=(arm_names.SELF_TRAINING, arm_names.KEPT_REFERENCES))
    comparison = compare(plan, tmp_path / "arms", options)
    [labeled], [referenced] = trainings_of(comparison).values()
    assert (labeled.total.utterances, labeled.near_twins) == (2, {})
    assert (referenced.total.utterances, referenced.near_twins) == (1, {"human": 1})
    assert any("a near twin of a held-out text" in note for note in comparison.notes)


def test_both_decodings_stand_in_the_tables(
    plan_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Whisper has it; here the toy recognizer decodes both in the same way.
    monkeypatch.setattr(ToyRecognizer, "full_window", lambda self: self)
    plan = load(plan_path, {"human": []})
    # A part of a set would be drawn by the seed, and arms of two seeds measured on two parts.
    assert plan.full_window == 200
    options = CompareOptions(seeds=2, rounds=1, arms=("self-training", "full loop"))
    assert all(arm.full_window is True for arm in build_arms(plan, options).values())
    comparison = compare(plan, tmp_path / "arms", options)
    decodings = {(row.arm, row.decoding): row.errors for row in comparison.rows}
    for arm in ("untouched", "self-training", "full loop"):
        assert decodings[arm, "clip"] == decodings[arm, "standard"]
    tables = write_comparison(comparison, tmp_path / "arms")
    assert "### test, own context (2 utterances)" in tables
    assert "### test, 30 s windows with timestamps (2 utterances)" in tables
    without = compare(
        load(plan_path, {"human": [], "full_window": False}), tmp_path / "clips", options
    )
    assert {row.decoding for row in without.rows} == {"clip"}
    assert any(note.startswith("`full_window: false`") for note in without.notes)


def test_references_of_other_recordings_cannot_show_what_label_errors_cost(
    plan_path: Path, tmp_path: Path
) -> None:
    plan = load(plan_path, {"pool_references": "data/human", "human": []})
    options = CompareOptions(rounds=1, arms=("self-training", "references of the kept clips"))
    with pytest.raises(ConfigError, match="none of the recordings under `pool_references` is in t"):
        compare(plan, tmp_path / "arms", options)
    assert not list((tmp_path / "arms").glob("*-1"))
    comparison = compare(plan, tmp_path / "arms", replace(options, arms=()))
    assert "references of the kept clips" not in rows_of(comparison)
    assert any("is trained on other recordings" in note for note in comparison.notes)


def test_references_without_transcripts_are_refused(plan_path: Path, tmp_path: Path) -> None:
    plan = load(plan_path, {"pool_references": "data/pool", "human": []})
    with pytest.raises(ConfigError, match="pool_references: none of its 3 recordings has a transc"):
        compare(plan, tmp_path / "arms", ONE_ROUND)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["full lop"], "there is no arm 'full lop'; did you mean 'full loop'"),
        (["supervised"], "'supervised' needs human transcripts of the pool"),
        (["3 rounds, from champion"], "there is no arm '3 rounds, from champion'"),
    ],
)
def test_a_wrong_name_of_an_arm_is_answered_with_a_sentence(
    plan_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    names: list[str],
    reason: str,
) -> None:
    command = ["compare", str(plan_path), str(tmp_path / "arms"), "--rounds", "2"]
    assert main([*command, "--arms", *names]) == 2
    assert reason in capsys.readouterr().err
    assert not list((tmp_path / "arms").glob("*-1"))


def test_names_of_own_arms_must_differ_as_folders(plan_path: Path, tmp_path: Path) -> None:
    plan = load(plan_path, {"human": []})
    arm = build_arms(plan, ONE_ROUND)["self-training"]
    for names, reason in (
        (("a, b", "a b"), "would share the folder a-b-1"),
        (("../up",), "is no name for an arm"),
        (("untouched",), "is no name for an arm"),
        ((), "there is no arm to compare"),
    ):
        with pytest.raises(ConfigError, match=reason):
            compare(plan, tmp_path / "arms", ONE_ROUND, dict.fromkeys(names, arm))


def test_arms_with_other_test_sets_do_not_compare(plan_path: Path, tmp_path: Path) -> None:
    arm = build_arms(load(plan_path, {"human": []}), ONE_ROUND)["self-training"]
    other = replace(arm, sets={"second": arm.sets["test"]})
    with pytest.raises(ConfigError, match="'one' and 'two' have other test sets"):
        compare(load(plan_path), tmp_path / "arms", ONE_ROUND, {"one": arm, "two": other})


def break_training_on(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    train = ToyRecognizer.train

    def fail(self: ToyRecognizer, start: Checkpoint, speech: Manifest, *rest: object) -> Checkpoint:
        if any(text in (utterance.text or "") for utterance in speech):
            raise RuntimeError(f"cannot learn {text}")
        return train(self, start, speech, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(ToyRecognizer, "train", fail)


def test_an_arm_that_fails_is_named_and_the_others_go_on(
    plan_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["compare", str(plan_path), str(tmp_path / "arms"), "--rounds", "1"]
    command += ["--set", "human=[]", "--seeds", "2", "--arms", "self-training", "full loop"]
    with pytest.MonkeyPatch.context() as patch:
        break_training_on("sphinx", patch)  # a text that only voices say
        assert main(command) == 1
    printed = capsys.readouterr().out
    assert printed.count("Not trained: ") == 2, "each seed"
    assert "the arm cannot go on (RuntimeError: cannot learn sphinx" in printed
    assert "'full loop' was not trained" in printed
    stored = Comparison.load(tmp_path / "arms")
    assert {row.arm for row in stored.rows} == {"untouched", "self-training"}
    assert main(command) == 0, "the next call tries them again"
    assert "Not trained" not in capsys.readouterr().out


def test_if_every_arm_fails_there_is_nothing_to_compare(
    plan_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_training_on("", monkeypatch)
    with pytest.raises(TwisterError, match="no arm could be trained: self-training, seed"):
        options = CompareOptions(arms=("self-training", "labels of all clips"))
        compare(load(plan_path, {"human": []}), tmp_path / "arms", options)


def test_a_plan_with_approval_runs_all_rounds_of_an_arm(plan_path: Path, tmp_path: Path) -> None:
    plan = load(plan_path, {"human": [], "approval": True})
    options = CompareOptions(rounds=2, arms=("2 rounds, from champion",))
    comparison = compare(plan, tmp_path / "arms", options)
    assert [arm_round.number for arm_round in comparison.rounds] == [1, 2]


def test_data_that_changes_between_arms_is_refused(plan_path: Path, tmp_path: Path) -> None:
    plan = load(plan_path, {"human": []})
    options = CompareOptions(seeds=1, rounds=1, arms=("self-training",))
    compare(plan, tmp_path / "arms", options)
    (plan_path.parent / "data" / "texts.txt").write_text("\n".join(toy.TEXTS[:1]))
    with pytest.raises(StaleError, match=r"texts has changed since self-training-1 listed it"):
        compare(plan, tmp_path / "arms", replace(options, seeds=2))


def test_only_an_empty_folder_or_a_comparison_is_taken(plan_path: Path, tmp_path: Path) -> None:
    plan = load(plan_path, {"human": []})
    options = CompareOptions(rounds=1, arms=("self-training",))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("")
    (tmp_path / "file").write_text("")
    for name, reason in (("mine", "not empty, and no comparison"), ("file", "no folder can be")):
        with pytest.raises(ConfigError, match=reason):
            compare(plan, tmp_path / name, options)
    compare(plan, tmp_path / "arms", options)
    with pytest.raises(StaleError, match=r"with other options \(updates\)"):
        compare(plan, tmp_path / "arms", replace(options, updates=30))
    (tmp_path / "arms" / "comparison-of.json").write_text("[]")
    with pytest.raises(StaleError, match=r"\(comparison-of.json was edited\)"):
        compare(plan, tmp_path / "arms", options)


def test_the_command_prints_the_tables_and_resumes(
    plan_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "arms"
    command = ["compare", str(plan_path), str(folder), "--rounds", "1", "--set", "human=[]"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "| full loop |" in printed and "no difference is claimed" in printed
    assert "no `pool_references`" in printed
    assert len(json.loads((folder / "comparison.json").read_text())["rows"]) == 5
    assert main([*command, "--seeds", "2"]) == 0, "more seeds go into the same folder"
    printed = capsys.readouterr().out
    assert ": not shown" in printed and "no difference is claimed" not in printed
    with pytest.raises(SystemExit):
        main(["compare", str(plan_path), str(folder), "--seeds", "0"])


@pytest.mark.parametrize("arm", ["self-training", "voice only", "full loop"])
def test_an_arm_that_was_interrupted_resumes_without_the_voices_of_a_plan_that_names_none(
    plan_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arm: str
) -> None:
    named = load(plan_path, CHANGES)
    chosen = DefaultVoices({voice.name: {"use": "toy"} for voice in named.voices}, left_out={})
    plan = replace(named, default_voices=chosen)
    options = CompareOptions(rounds=1, arms=(arm,))

    def interrupt(*_: object, **__: object) -> Checkpoint:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ToyRecognizer, "train", interrupt)
        with pytest.raises(KeyboardInterrupt):
            compare(plan, tmp_path / "arms", options)
    comparison = compare(plan, tmp_path / "arms", options)
    assert not comparison.failures
    assert [row.arm for row in comparison.rows] == ["untouched", arm]


def test_two_processes_may_run_the_arms_of_one_folder(plan_path: Path, tmp_path: Path) -> None:
    """Both list the references of the pool, and each runs another arm."""
    plan_path.write_text(plan_path.read_text() + "pool_references: data/said\n")
    command = [
        sys.executable,
        "-m",
        "twister_loop.cli.main",
        "compare",
        plan_path,
        tmp_path / "arms",
    ]
    processes = [
        subprocess.Popen(
            [*command, "--rounds", "1", "--arms", arm], stderr=subprocess.PIPE, text=True
        )
        for arm in ("self-training", "full loop")
    ]
    for process in processes:
        _, log = process.communicate(timeout=120)
        assert process.returncode == 0, log


def test_plain_self_training_knows_no_texts(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        "pool: pool/\ntexts: texts.txt\nlanguage: it\nasr: whisper\nvoices: {v: concatenative}\n"
        "development: {dev: dev/}\ntest: {test: test/}\n"
    )
    arms = build_arms(load(path), ONE_ROUND)
    used = {name: (arm.rescore is not None, len(arm.voices)) for name, arm in arms.items()}
    assert used == {
        "self-training": (False, 0),
        "rescored labels, no voice": (True, 0),
        "labels of all clips": (False, 0),
        "voice only": (True, 1),
        "full loop": (True, 1),
    }
