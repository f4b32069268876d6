"""Held-out sets whose references belong to other audio are refused after the first report."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from tests import world as toy
from tests.transcripts import misrecognize, sentences
from twister_loop import Utterance, load, next_round
from twister_loop.asr._base import Recognizer
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import SetKind
from twister_loop.errors import ConfigError
from twister_loop.evaluation.outcomes import HeldOutSet
from twister_loop.pipeline.reference_check import check_references
from twister_loop.pipeline.stages.evaluation import evaluate
from twister_loop.text.normalizers.basic import Basic
from twister_loop.types import Checkpoint, Plan, Report


@dataclass(frozen=True)
class Remembering(ToyRecognizer):
    """A recognizer whose transcripts are given, one for each utterance id."""

    transcripts: tuple[str, ...] = ()

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        for utterance in speech:
            yield replace(utterance, pred_text=self.transcripts[int(utterance.id)])


def measure(
    references: Sequence[str],
    transcripts: Sequence[str],
    folder: Path,
    kind: SetKind = "development",
    speechless: Sequence[int] = (),
) -> Report:
    """Return the report of a model with these transcripts."""
    lines = [
        Utterance(
            id=str(number),
            audio_filepath=Path(f"/{number}.wav"),
            duration=1.0,
            text=None if number in speechless else text,
            speechless=number in speechless,
            lang="en",
        )
        for number, text in enumerate(references)
    ]
    sets = {"dev": HeldOutSet(kind, Manifest.write(lines, folder / "set"))}
    recognizer = Remembering(transcripts=tuple(transcripts))
    checkpoint = recognizer.initial_checkpoint()
    return evaluate(recognizer, checkpoint, sets, Basic(), False, out=folder / "report")


@dataclass(frozen=True)
class Untrained(ToyRecognizer):
    """A recognizer that starts from random weights."""

    pretrained: ClassVar[bool] = False


SPOKEN = sentences(60)
TRANSCRIPTS = misrecognize(SPOKEN, 0.2)


@pytest.mark.parametrize(
    ("references", "reason"),
    [
        (SPOKEN[1:] + SPOKEN[:1], r"from 1\.wav on those of \d+ of 60 .* slipped up by one line"),
        (SPOKEN[-2:] + SPOKEN[:-2], r"from 0\.wav on those of \d+ of 60 .* down by 2 lines"),
        ([*SPOKEN[:30], *SPOKEN[31:], "x"], r"from 31\.wav on those of 29 of 60"),
        ([*SPOKEN[:54], *SPOKEN[55:], "x"], r"from 55\.wav on those of [345] of 60"),
        (SPOKEN[::-1], r"references of \d+ of 60 utterances do not belong"),
        ([*SPOKEN[:10][::-1], *SPOKEN[10:]], r"references of \d+ of 60 utterances do not belong"),
        (
            sentences(60, seed=9),
            r"WER of \d+\.\d % .* language \(en\) and the normalizer \(basic\)",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["development", "test", "retention"])
def test_references_of_other_recordings_are_refused(
    plan: Plan, tmp_path: Path, references: list[str], reason: str, kind: SetKind
) -> None:
    report = measure(references, TRANSCRIPTS, tmp_path, kind)
    with pytest.raises(ConfigError, match=rf"^{kind}\.dev: .*{reason}.*--restart"):
        check_references(plan, report)


def test_the_refusal_names_files_with_the_reference_that_fits_better(
    plan: Plan, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as error:
        check_references(plan, measure(SPOKEN[1:] + SPOKEN[:1], TRANSCRIPTS, tmp_path))
    assert f"1.wav has the reference {SPOKEN[2]!r}, and {SPOKEN[1]!r} (of 0.wav) fits" in str(
        error.value
    )


def test_single_pairs_are_listed_only(
    plan: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    references = [SPOKEN[1], SPOKEN[0], *SPOKEN[2:40], SPOKEN[41], SPOKEN[40], *SPOKEN[42:]]
    check_references(plan, measure(references, TRANSCRIPTS, tmp_path))
    assert "development.dev: 4 of 60 references seem to belong to other recordings" in caplog.text
    assert f"0.wav has the reference {SPOKEN[1]!r}, and {SPOKEN[0]!r} (of 1.wav)" in caplog.text


@pytest.mark.parametrize("count", [1, 2, 5, 20, 60])
@pytest.mark.parametrize("share", [0.0, 0.81])
def test_honest_sets_pass_without_a_word(
    plan: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture, count: int, share: float
) -> None:
    transcripts = misrecognize(SPOKEN, share, seed=8)[:count]
    check_references(plan, measure(SPOKEN[:count], transcripts, tmp_path))
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_a_language_that_the_model_does_not_understand_can_be_allowed(
    plan: Plan, tmp_path: Path
) -> None:
    report = measure(SPOKEN, misrecognize(SPOKEN, 1.0), tmp_path)
    with pytest.raises(ConfigError, match=r"WER of .*raise highest_untouched_error: 0\.9 in"):
        check_references(plan, report)
    check_references(replace(plan, highest_untouched_error=1.1), report)


def test_a_model_that_was_never_trained_tells_nothing(plan: Plan, tmp_path: Path) -> None:
    report = measure(SPOKEN, [""] * 60, tmp_path)
    check_references(replace(plan, asr=Untrained()), report)
    # A trained one that understands nothing is another matter: the audio may be silent.
    with pytest.raises(ConfigError, match=r"WER of 100\.0 %"):
        check_references(plan, report)
    assert not Recognizer.build({"use": "conformer"}).pretrained


def test_a_few_utterances_or_clips_without_speech_are_no_broken_set(
    plan: Plan, tmp_path: Path
) -> None:
    check_references(plan, measure(SPOKEN[:19], ["wrong words"] * 19, tmp_path / "few"))
    # 25 good ones, and 35 without speech in which the model hears a lot.
    transcripts = [*SPOKEN[:25], *["thank you for watching " * 9] * 35]
    report = measure(SPOKEN, transcripts, tmp_path / "silence", speechless=range(25, 60))
    assert report.scores[0].count().rate > 1
    check_references(plan, report)


def test_a_round_ends_after_the_untouched_report_and_begins_again_when_mended(
    plan: Plan, tmp_path: Path
) -> None:
    data, run = tmp_path / "data" / "development", tmp_path / "run"
    vowels = ["aio uea io", "eia oua eu", "ooa iie ua", "uue oia ea", "iai eou oe", "eee uao ii"]
    toy.speak(vowels, data)
    good = (data / "metadata.jsonl").read_text()
    bad = good
    for number, text in enumerate(vowels):
        bad = bad.replace(
            f'"{number}.wav", "text": "{text}"', f'"{number}.wav", "text": "{vowels[number - 1]}"'
        )
    (data / "metadata.jsonl").write_text(bad)
    with pytest.raises(ConfigError, match=r"development\.dev: references do not belong"):
        next_round(plan, run)
    round_folder = run / "round-01"
    assert (round_folder / "untouched").is_dir() and not (round_folder / "pool").exists()
    (data / "metadata.jsonl").write_text(good)
    round_folder.rename(run / "round-01.aside-1")
    finished = next_round(load(plan.path), run)
    assert finished.verdict.looks == {"dev": 1, "vowels": 1}
