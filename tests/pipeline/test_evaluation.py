"""Evaluation: whole sets in our own decoding, and a part of each in standard decoding."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import pytest

from twister_loop import Utterance
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Language, Measure, Proportion, Report
from twister_loop.evaluation.gates._base import Gate
from twister_loop.evaluation.outcomes import HeldOutSet
from twister_loop.pipeline.stages import evaluation
from twister_loop.pipeline.stages.evaluation import draw_part, evaluate, judge
from twister_loop.text.normalizers._base import Normalizer
from twister_loop.text.normalizers.basic import Basic
from twister_loop.text.normalizers.mixed import Mixed
from twister_loop.types import Checkpoint

UNTOUCHED = Checkpoint("toy", source="the toy language")
TEXT = "a e i o"


@dataclass(frozen=True)
class Windowed(ToyRecognizer):
    """A recognizer that transcribes the reference, without its last letters in windows."""

    lost: int = 0
    """Letters that get lost in windows."""
    in_windows: bool = False

    def full_window(self) -> Self:
        return replace(self, in_windows=True)

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        for utterance in speech:
            text = utterance.text or ""
            length = len(text) - self.lost if self.in_windows else len(text)
            yield replace(utterance, pred_text=text[:length].strip())


class OwnDecodingOnly(Windowed):
    """A recognizer whose own decoding is the only one."""

    def full_window(self) -> None:  # type: ignore[override]
        return None


@pytest.fixture(autouse=True)
def _no_voice_activity(monkeypatch: pytest.MonkeyPatch) -> None:
    # Voice activity detection knows no tones, and importing torch takes seconds.
    def count(transcribed: Iterable[Utterance]) -> Proportion:
        return Proportion(0, len(list(transcribed)))

    monkeypatch.setattr(evaluation, "count_correct_timestamps", count)


def held_out(
    tmp_path: Path, texts: list[str], lang: Language | None = "it"
) -> dict[str, HeldOutSet]:
    clip = tmp_path / "clip.wav"
    seconds = audio.write(toy_language.synthesize(TEXT, toy_language.standard_codebook()), clip)
    lines = [
        Utterance(id=str(number), audio_filepath=clip, duration=seconds, text=text, lang=lang)
        for number, text in enumerate(texts)
    ]
    return {"dev": HeldOutSet("development", Manifest.write(lines, tmp_path / "dev"))}


@pytest.mark.parametrize(("requested", "decoded"), [(3, 3), (8, 8), (100, 8), (True, 8), (0, 0)])
def test_the_requested_number_of_utterances_is_also_decoded_in_the_full_window(
    tmp_path: Path, requested: bool | int, decoded: int
) -> None:
    sets, out = held_out(tmp_path, [TEXT] * 8), tmp_path / "report"
    report = evaluate(Windowed(), UNTOUCHED, sets, Basic(), requested, out=out)
    assert report.scores[0].utterances == 8
    assert [score.utterances for score in report.full_window] == [decoded] * bool(decoded)
    for score in report.full_window:
        assert score.lang == "it" and score.timestamps == Proportion(0, decoded)
    assert report.scores[0].timestamps == Proportion()


def test_the_seed_draws_the_part_and_all_models_get_the_same(tmp_path: Path) -> None:
    sets = held_out(tmp_path, [f"{TEXT} {number}" for number in range(50)])
    speech = sets["dev"].speech
    parts = {seed: [utterance.id for utterance in draw_part(speech, 10, seed)] for seed in (1, 2)}
    assert parts[1] != parts[2] and all(len(set(part)) == 10 for part in parts.values())
    assert all(part == sorted(part, key=int) for part in parts.values()), "in the order of the set"
    for model, lost in (("untouched", 0), ("candidate", 3)):
        out = tmp_path / model
        evaluate(Windowed(lost=lost), UNTOUCHED, sets, Basic(), 10, seed=2, out=out)
        transcribed = Manifest.load(out / "development" / "dev-full-window")
        assert [utterance.id for utterance in transcribed] == parts[2]


@pytest.mark.parametrize(
    ("lang", "texts", "measure", "length"),
    [
        ("ja", ["今日はいい天気", "明日は雨"], "characters", 11),
        ("th", ["วันนี้อากาศดี"], "characters", 13),
        ("zh", ["今天天气很好"], "characters", 6),
        ("ko", ["오늘 날씨가 좋네요"], "characters", 8),
        ("it", ["oggi il tempo è bello"], "words", 5),
        (None, ["我買 iPhone 了", "the weather is nice"], "mixed", 8),
        (None, ["今日はいい天気"], "characters", 7),
    ],
)
def test_a_set_is_read_by_its_measure_in_both_decodings(
    tmp_path: Path, lang: Language | None, texts: list[str], measure: Measure, length: int
) -> None:
    sets = held_out(tmp_path, texts, lang)
    report = evaluate(Windowed(lost=1), UNTOUCHED, sets, Basic(), True, out=tmp_path / "report")
    [own], [standard] = report.scores, report.full_window
    assert own.measure == standard.measure == measure
    assert own.count().length == standard.count().length == length
    assert own.count().errors == 0 and standard.count().errors == len(texts)


def test_the_normalizer_for_code_switching_reads_all_sets_by_mixed_errors(tmp_path: Path) -> None:
    sets = held_out(tmp_path, ["我買 iPhone 了"], "zh")
    report = evaluate(Windowed(), UNTOUCHED, sets, Mixed(), False, out=tmp_path / "report")
    assert report.scores[0].measure == "mixed" and report.scores[0].count().length == 4


@pytest.mark.parametrize("reference", [Windowed, OwnDecodingOnly])
def test_a_candidate_that_fails_in_standard_decoding_only(
    tmp_path: Path, reference: type[Windowed]
) -> None:
    """It passes gates that read our own decoding, and not those that read the standard one."""
    sets, normalizer = held_out(tmp_path, [TEXT] * 30), Normalizer.build({"use": "basic"})

    def report(name: str, recognizer: Windowed) -> Report:
        out = tmp_path / name
        return evaluate(recognizer, UNTOUCHED, sets, normalizer, 20, seed=3, out=out)

    untouched, candidate = report("untouched", Windowed()), report("candidate", Windowed(lost=4))
    references = {"other": report("other", reference())}

    def is_accepted(use: str, decoding: str) -> bool:
        gates = [Gate.build({"use": use, "decoding": decoding})]
        out = tmp_path / "verdicts" / f"{use}-{decoding}"
        return judge(
            gates, untouched, untouched, candidate, references, normalizer, out=out
        ).accepted

    for use in ("no_regression", "best_untouched"):
        assert is_accepted(use, "clip")
        assert not is_accepted(use, "standard")
