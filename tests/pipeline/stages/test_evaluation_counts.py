"""Evaluation against counts made by hand, and what gates are shown of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pytest

from twister_loop import Utterance
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.artifacts import RUN_MARKER, SPEED, read_json
from twister_loop.core.errors import AudioError, StaleError
from twister_loop.core.file_hashes import FileHashCache
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Objection, Proportion, Report, Score
from twister_loop.errors import ConfigError
from twister_loop.evaluation.evidence import Evidence
from twister_loop.evaluation.gates._base import Gate
from twister_loop.evaluation.outcomes import HeldOutSet, load_outcomes
from twister_loop.pipeline.stages import evaluation
from twister_loop.pipeline.stages.evaluation import check_held_out_files, evaluate, judge
from twister_loop.text.normalizers.basic import Basic
from twister_loop.types import Checkpoint, ErrorCount

UNTOUCHED = Checkpoint("toy", source="the toy language")
BROKEN = "<broken>"
"""A transcript that stands for an error of the engine."""

# Errors by hand: S substituted, D deleted, I inserted, H hit.
PHONE = (  # reference, own decoding, standard decoding, seconds
    # A number is the same word either way (5 H), but raw it is another one (1 S, 4 H).
    ("Premi due per la lingua.", "premi 2 per la lingua", "premi", 1.25),  # standard: 1 H, 4 D
    ("resti in linea", "resti in linea prego", "resti in linea prego", 2.0),  # 3 H, 1 I
    ("il numero è errato", "il numero errato", "il numero errato", 3.0),  # 3 H, 1 D
    ("buona giornata", "buona serata", "buona serata", 4.5),  # 1 H, 1 S
    ("attenda", "", "", 0.75),  # 1 D, and an empty transcript
    # 1 H and 5 I; the second run of five words is a repeated one. Standard: 1 H.
    ("si", "si si si si si si", "si", 0.5),
    ("ciao a te", "ciao ж te", "ciao ж te", 1.0),  # 2 H, 1 S: a Cyrillic letter
    ("", "", "", 1.0),  # nobody speaks: no empty transcript, since nothing was said
)
PHONE_WORDS = ErrorCount(substitutions=2, deletions=2, insertions=6, hits=15)
PHONE_RAW_WORDS = ErrorCount(substitutions=3, deletions=2, insertions=6, hits=14)
# Letters: 19 H; 12 H 5 I (prego); 14 H 1 D (è); "giornata" to "serata" is 4 H, 2 S, 2 D beside the
# 5 H of "buona"; 7 D (attenda); 2 H 10 I; 6 H 1 S.
PHONE_CHARACTERS = ErrorCount(substitutions=3, deletions=10, insertions=15, hits=62)
PHONE_STANDARD_WORDS = ErrorCount(substitutions=2, deletions=6, insertions=1, hits=11)

CHINESE = (
    ("请稍后再试", "请稍候再试", "请稍候再试", 1.5),  # 4 H, 1 S by character; 1 S by word
    ("谢谢", "谢谢", "", 0.5),  # 2 H by character; standard: 2 D and an empty transcript
)


@dataclass(frozen=True)
class Reader(ToyRecognizer):
    """Recognizer that reads transcripts from a table, by reference; windows have their own."""

    own: Mapping[str, str] = field(default_factory=dict)
    windowed: Mapping[str, str] = field(default_factory=dict)
    in_windows: bool = False

    def full_window(self) -> Self:
        return replace(self, in_windows=True)

    def decoding_description(self) -> str:
        return "30 s windows" if self.in_windows else "clips"

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        transcripts = self.windowed if self.in_windows else self.own
        for utterance in speech:
            transcript = transcripts[utterance.text or ""]
            if transcript == BROKEN:
                yield replace(utterance, error="the engine ran out of memory")
            else:
                yield replace(
                    utterance,
                    pred_text=transcript,
                    hit_limit="linea" in transcript,  # two of PHONE in own decoding
                    fallback="ж" in transcript,  # one of PHONE
                )


@pytest.fixture(autouse=True)
def _no_voice_activity(monkeypatch: pytest.MonkeyPatch) -> None:
    # Voice activity detection knows no tones, and importing torch takes seconds.
    def count(transcribed: Iterable[Utterance]) -> Proportion:
        return Proportion(1, len(list(transcribed)))

    monkeypatch.setattr(evaluation, "count_correct_timestamps", count)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audio") / "clip.wav"
    audio.write(toy_language.synthesize("a e", toy_language.standard_codebook()), path)
    return path


def reader(*sets: Iterable[tuple[str, str, str, float]]) -> Reader:
    lines = [line for held_out in sets for line in held_out]
    return Reader(
        own={reference: own for reference, own, *_ in lines},
        windowed={reference: standard for reference, _, standard, _ in lines},
    )


def write_set(
    folder: Path, clip: Path, lines: Iterable[tuple[str, str, str, float]], langs: Iterable[str]
) -> Manifest:
    languages = list(langs)
    utterances = [
        Utterance(
            id=f"{folder.name}-{number}",
            audio_filepath=clip,
            text=reference,
            duration=seconds,
            lang=languages[number % len(languages)],
        )
        for number, (reference, _, _, seconds) in enumerate(lines)
    ]
    return Manifest.write(utterances, folder)


@pytest.fixture
def sets(tmp_path: Path, clip: Path) -> dict[str, HeldOutSet]:
    return {
        "phone": HeldOutSet("development", write_set(tmp_path / "phone", clip, PHONE, ["it"])),
        "chinese": HeldOutSet("retention", write_set(tmp_path / "zh", clip, CHINESE, ["zh"])),
        "mixed": HeldOutSet("test", write_set(tmp_path / "mixed", clip, PHONE[1:4], ["it", "en"])),
    }


def test_words_characters_and_raw_words_are_those_counted_by_hand(
    tmp_path: Path, sets: dict[str, HeldOutSet]
) -> None:
    report = evaluate(
        reader(PHONE, CHINESE), UNTOUCHED, sets, Basic(), False, out=tmp_path / "report"
    )
    assert report.full_window == ()
    phone, chinese, mixed = report.scores
    assert (phone.name, phone.kind, phone.lang) == ("phone", "development", "it")
    assert (phone.decoding, phone.measure) == ("clips", "words")
    assert (phone.normalizer, phone.normalizer_digest) == ("basic", Basic().digest())
    assert (phone.utterances, phone.duration) == (8, 14.0)
    assert phone.words == phone.mixed == PHONE_WORDS
    assert phone.raw_words == PHONE_RAW_WORDS
    assert phone.characters == PHONE_CHARACTERS
    assert phone.count().rate == pytest.approx(10 / 19)
    # 19 + 17 + 14 + 11 + 0 + 12 + 7 letters, one of them Cyrillic; 1 + 0 + 0 + 0 + 0 + 2 5-grams.
    assert phone.foreign_script == Proportion(1, 80)
    assert phone.repeated_ngrams == Proportion(1, 3)
    assert (phone.empty, phone.hit_limit, phone.fallback) == (1, 1, 1)
    assert phone.timestamps == Proportion()

    assert (chinese.name, chinese.kind, chinese.lang) == ("chinese", "retention", "zh")
    assert chinese.measure == "characters"
    assert chinese.characters == chinese.mixed == ErrorCount(substitutions=1, hits=6)
    assert chinese.words == ErrorCount(substitutions=1, hits=1)
    assert (chinese.utterances, chinese.duration, chinese.empty) == (2, 2.0, 0)

    assert (mixed.kind, mixed.lang) == ("test", None), "no language was forced on all of it"
    assert mixed.words == ErrorCount(substitutions=1, deletions=1, insertions=1, hits=7)


def test_the_versions_that_decoded_are_kept_beside_the_report(
    tmp_path: Path, sets: dict[str, HeldOutSet]
) -> None:
    chinese, recognizer = {"chinese": sets["chinese"]}, reader(CHINESE)
    versions = {"engine": "toy 2", "precision": "float32"}
    for name, decoder in (("known", versions), ("unknown", None)):
        out = tmp_path / name
        report = evaluate(recognizer, UNTOUCHED, chinese, Basic(), decoder=decoder, out=out)
        assert len(report.full_window) == 1, "both decodings, unless told otherwise"
        assert read_json(out / "decoder.json") == (decoder or {})


def test_standard_decoding_is_counted_from_its_own_transcripts(
    tmp_path: Path, sets: dict[str, HeldOutSet]
) -> None:
    out = tmp_path / "report"
    report = evaluate(reader(PHONE, CHINESE), UNTOUCHED, sets, Basic(), True, out=out)
    assert report.scores[0].words == PHONE_WORDS
    phone, chinese, mixed = report.full_window
    assert phone.words == phone.raw_words == PHONE_STANDARD_WORDS
    assert (phone.decoding, phone.kind, phone.utterances) == ("30 s windows", "development", 8)
    assert phone.timestamps == Proportion(1, 8)
    assert chinese.characters == ErrorCount(substitutions=1, deletions=2, hits=4)
    assert (chinese.measure, chinese.empty, mixed.lang) == ("characters", 1, None)
    for kind, name in (("development", "phone"), ("retention", "chinese"), ("test", "mixed")):
        own, standard = (Manifest.load(out / kind / f"{name}{end}") for end in ("", "-full-window"))
        assert [line.text for line in own] == [line.text for line in standard]
    # Both decodings are timed, each by its own name.
    assert list(read_json(out / SPEED)) == [
        "phone",
        "chinese",
        "mixed",
        "phone-full-window",
        "chinese-full-window",
        "mixed-full-window",
    ]
    assert all(0 <= seconds < 60 for seconds in read_json(out / SPEED).values())


def test_without_references_everything_is_an_insertion(tmp_path: Path, clip: Path) -> None:
    """A set whose references were lost must not read as one without errors."""
    blank = [("", hypothesis, hypothesis, seconds) for _, hypothesis, _, seconds in PHONE[1:2]]
    speech = write_set(tmp_path / "blank", clip, blank, ["it"])
    sets = {"blank": HeldOutSet("development", speech)}
    [score] = evaluate(
        reader(blank), UNTOUCHED, sets, Basic(), False, out=tmp_path / "report"
    ).scores
    assert score.words == ErrorCount(insertions=4) and score.empty == 0


def test_outcomes_of_utterances_add_up_to_the_scores(
    tmp_path: Path, sets: dict[str, HeldOutSet]
) -> None:
    report = evaluate(
        reader(PHONE, CHINESE), UNTOUCHED, sets, Basic(), True, out=tmp_path / "report"
    )
    own = load_outcomes(report, Basic())
    assert list(own) == ["phone", "chinese"], "test sets on request only"
    assert own["phone"].words[3] == ErrorCount(substitutions=1, hits=1)
    assert own["phone"].words[5] == ErrorCount(insertions=5, hits=1)
    assert own["phone"].hypotheses[0] == "premi due per la lingua"
    standard = load_outcomes(report, Basic(), decoding="standard")
    for outcomes, scores in ((own, report.scores), (standard, report.full_window)):
        for score in scores[:2]:
            outcome = outcomes[score.name]
            assert outcome.score == score
            assert sum(outcome.words, ErrorCount()) == score.words
            assert sum(outcome.characters, ErrorCount()) == score.characters
            assert sum(outcome.mixed, ErrorCount()) == score.mixed
            assert len(outcome.groups) == score.utterances
            assert outcome.seconds is not None
    assert standard["phone"].words[0] == ErrorCount(deletions=4, hits=1)
    assert [*load_outcomes(report, Basic(), kinds=("test",))] == ["mixed"]


def test_an_utterance_that_cannot_be_transcribed_ends_the_evaluation(
    tmp_path: Path, clip: Path
) -> None:
    broken = [*PHONE[:2], ("guasto", BROKEN, BROKEN, 1.0)]
    sets = {"phone": HeldOutSet("test", write_set(tmp_path / "phone", clip, broken, ["it"]))}
    out = tmp_path / "report"
    with pytest.raises(AudioError, match=r"test\.phone: .*clip\.wav .*ran out of memory"):
        evaluate(reader(broken), UNTOUCHED, sets, Basic(), False, out=out)
    assert not out.exists()
    # Nothing of it is kept: once the engine works, the same set is transcribed again.
    mended = [*PHONE[:2], ("guasto", "guasto", "", 1.0)]
    [score] = evaluate(reader(mended), UNTOUCHED, sets, Basic(), False, out=out).scores
    assert score.words == ErrorCount(insertions=1, hits=9)


@dataclass(frozen=True)
class Interrupted(Reader):
    """Recognizer that is killed at an utterance, the first time."""

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        for utterance in super().transcribe(checkpoint, speech):
            if utterance.text == "buona giornata" and not HAS_BEEN_KILLED:
                HAS_BEEN_KILLED.append(True)
                raise KeyboardInterrupt
            yield utterance


HAS_BEEN_KILLED: list[bool] = []


def test_a_set_whose_transcription_was_interrupted_is_not_timed(
    tmp_path: Path, sets: dict[str, HeldOutSet]
) -> None:
    recognizer = Interrupted(own={reference: own for reference, own, *_ in (*PHONE, *CHINESE)})
    HAS_BEEN_KILLED.clear()
    out = tmp_path / "report"
    sets = {"chinese": sets["chinese"], "phone": sets["phone"]}
    with pytest.raises(KeyboardInterrupt):
        evaluate(recognizer, UNTOUCHED, sets, Basic(), False, out=out)
    report = evaluate(recognizer, UNTOUCHED, sets, Basic(), False, out=out)
    assert report.scores[1].words == PHONE_WORDS
    # Transcribed by then, or interrupted: neither took the time of a whole transcription.
    assert "phone" not in read_json(out / SPEED)
    assert load_outcomes(report, Basic())["phone"].seconds is None


def test_a_file_that_changed_since_it_was_listed_is_not_measured(
    tmp_path: Path, clip: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / RUN_MARKER).write_text("{}")
    files = {"phone": run / "phone.wav", "calls": run / "calls.wav"}
    sets = {}
    with FileHashCache(run) as hashes:
        for name, path in files.items():
            path.write_bytes(clip.read_bytes())
            line = Utterance(
                id=hashes.digest(path), audio_filepath=path, text="si", duration=1.0, lang="it"
            )
            sets[name] = HeldOutSet("retention", Manifest.write([line], run / "sets" / name))
    check_held_out_files(sets)
    files["calls"].write_bytes(clip.read_bytes() + b"\0\0")
    with pytest.raises(StaleError, match=r"retention\.calls: .*calls\.wav changed"):
        check_held_out_files(sets)
    check_held_out_files({"phone": sets["phone"]})
    with pytest.raises(StaleError, match=r"retention\.calls"):
        evaluate(reader(PHONE), UNTOUCHED, sets, Basic(), False, out=run / "report")


@dataclass(frozen=True)
class Witness(Gate):
    """Gate that keeps the evidence that it was shown, and objects if it is told to."""

    reason: str = ""
    undecided: bool = False

    def objection(self, evidence: Evidence) -> Objection | None:
        SHOWN.append(evidence)
        return Objection(self.name, self.reason, self.undecided) if self.reason else None


SHOWN: list[Evidence] = []


@pytest.fixture
def reports(tmp_path: Path, clip: Path) -> dict[str, Report]:
    """Reports of several models on two development sets, a retention and a test set."""
    kinds: dict[str, Any] = {
        "phone": "development",
        "calls": "development",
        "news": "retention",
        "secret": "test",
    }
    sets = {
        name: HeldOutSet(kind, write_set(tmp_path / name, clip, PHONE[:3], ["it"]))
        for name, kind in kinds.items()
    }
    transcripts = {"untouched": "", "champion": "premi", "candidate": "premi due", "other": "per"}
    reports = {}
    SHOWN.clear()
    for model, transcript in transcripts.items():
        lines = [(reference, transcript, "la", seconds) for reference, _, _, seconds in PHONE[:3]]
        # Standard decoding of the first two utterances of the draw.
        out = tmp_path / "reports" / model
        reports[model] = evaluate(reader(lines), UNTOUCHED, sets, Basic(), 2, seed=4, out=out)
    return reports


def hypotheses(outcomes: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(sorted(set(outcome.hypotheses))) for name, outcome in outcomes.items()}


def ask(reports: Mapping[str, Report], out: Path, gates: Iterable[Gate], **others: Any) -> Any:
    models = [reports[name] for name in ("untouched", "champion", "candidate")]
    references = {"other": reports["other"]}
    return judge([*gates], *models, references, Basic(), **others, out=out)


def test_gates_see_every_model_in_its_place_and_no_test_set(
    tmp_path: Path, reports: dict[str, Report]
) -> None:
    assert ask(reports, tmp_path / "verdict", [Witness()]).accepted
    [evidence] = SHOWN
    seen = ["phone", "calls", "news"]
    assert list(evidence.candidate) == seen and evidence.looks == {}
    assert hypotheses(evidence.untouched) == dict.fromkeys(seen, ("",))
    assert hypotheses(evidence.champion) == dict.fromkeys(seen, ("premi",))
    assert hypotheses(evidence.candidate) == dict.fromkeys(seen, ("premi due",))
    assert hypotheses(evidence.references["other"]) == dict.fromkeys(seen, ("per",))
    assert evidence.labeler == {}
    standard = evidence.standard
    assert standard and standard.standard is None and standard.labeler == {}
    for outcomes in (standard.untouched, standard.champion, standard.candidate):
        assert hypotheses(outcomes) == dict.fromkeys(seen, ("la",))
        assert {len(outcome.words) for outcome in outcomes.values()} == {2}
    assert list(standard.references) == ["other"]


def test_small_parts_are_counted_in_their_sets_in_every_place(
    tmp_path: Path, reports: dict[str, Report]
) -> None:
    joined = {"calls": "phone"}
    ask(reports, tmp_path / "verdict", [Witness()], small_parts=joined)
    [evidence] = SHOWN
    of_two = len(load_outcomes(reports["champion"], Basic())["phone"].words)
    for side in (evidence, evidence.standard):
        assert side
        for outcomes in (side.untouched, side.champion, side.candidate, side.references["other"]):
            assert list(outcomes) == ["phone", "news"]
    assert len(evidence.candidate["phone"].words) > of_two
    # The part of a hidden set is hidden with it, or would decide alone.
    SHOWN.clear()
    stopped = {"early_stopping_set": "phone", "small_parts": {"news": "phone"}}
    ask(reports, tmp_path / "stopped", [Witness()], **stopped)
    assert list(SHOWN[0].candidate) == ["calls"]


def test_the_labeler_is_shown_in_its_own_decoding_only(
    tmp_path: Path, reports: dict[str, Report]
) -> None:
    ask(reports, tmp_path / "verdict", [Witness()], labeler=reports["other"])
    [evidence] = SHOWN
    assert hypotheses(evidence.labeler) == dict.fromkeys(["phone", "calls", "news"], ("per",))
    assert evidence.standard and evidence.standard.labeler == {}


def test_the_early_stopping_set_is_hidden_in_both_decodings(
    tmp_path: Path, reports: dict[str, Report]
) -> None:
    ask(reports, tmp_path / "verdict", [Witness()], early_stopping_set="phone")
    [evidence] = SHOWN
    assert evidence.standard
    for outcomes in (
        evidence.untouched,
        evidence.champion,
        evidence.candidate,
        evidence.references["other"],
        evidence.standard.candidate,
        evidence.standard.champion,
    ):
        assert list(outcomes) == ["calls", "news"]


def test_a_model_without_standard_decoding_is_read_in_its_own_on_the_same_part(
    tmp_path: Path, reports: dict[str, Report]
) -> None:
    reports["other"] = replace(reports["other"], full_window=())
    ask(reports, tmp_path / "verdict", [Witness()])
    [evidence] = SHOWN
    assert evidence.standard
    for name, outcome in evidence.standard.references["other"].items():
        assert outcome.hypotheses == ["per", "per"]
        references = [count.length for count in evidence.standard.candidate[name].words]
        assert [count.length for count in outcome.words] == references, "the same utterances"
    SHOWN.clear()
    reports["candidate"] = replace(reports["candidate"], full_window=())
    ask(reports, tmp_path / "again", [Witness()])
    assert SHOWN[0].standard is None


def test_looks_at_visible_sets_are_shown_and_kept(
    tmp_path: Path, reports: dict[str, Report]
) -> None:
    looks = {"phone": 3, "calls": 1, "news": 2, "secret": 9}
    verdict = ask(
        reports, tmp_path / "verdict", [Witness()], looks=looks, early_stopping_set="phone"
    )
    assert verdict.looks == {"calls": 1, "news": 2}
    for decoding in ("clip", "standard"):
        shown = SHOWN[0].decoded(decoding)
        assert shown.look(list(shown.candidate)) == 2
    fewer = ask(reports, tmp_path / "fewer", [Witness()], looks={"news": 4})
    assert fewer.looks == {"news": 4}


def test_all_objections_are_kept_in_the_order_of_the_gates(
    tmp_path: Path, reports: dict[str, Report]
) -> None:
    gates = [Witness("late", True), Witness(), Witness("worse")]
    verdict = ask(reports, tmp_path / "verdict", gates)
    assert [objection.reason for objection in verdict.objections] == ["late", "worse"]
    assert [objection.undecided for objection in verdict.objections] == [True, False]
    assert verdict.outcome == "refused" and len(SHOWN) == 3
    assert ask(reports, tmp_path / "undecided", gates[:2]).outcome == "undecided"


@pytest.mark.parametrize("model", ["untouched", "champion", "candidate", "other", "labeler"])
@pytest.mark.parametrize("scores", ["scores", "full_window"])
def test_reports_that_were_counted_otherwise_are_not_compared(
    tmp_path: Path, reports: dict[str, Report], model: str, scores: str
) -> None:
    reports["labeler"] = reports["other"]

    def recount(score: Score) -> Score:
        return replace(score, normalizer_digest="of another version")

    *first, last = getattr(reports[model], scores)
    reports[model] = replace(reports[model], **{scores: (*first, recount(last))})
    with pytest.raises(ConfigError, match="secret was counted with the normalizer basic"):
        ask(reports, tmp_path / "verdict", [], labeler=reports["labeler"])
