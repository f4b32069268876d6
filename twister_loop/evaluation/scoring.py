"""Error rates of transcripts that come from anywhere, counted as reports count them.

>>> from twister_loop import score
>>> scored = score(["prema uno", "grazie"], ["prema uno", "grazia"], language="it")
>>> scored.measure, scored.wer.count.errors, scored.wer.count.length
('words', 1, 3)
>>> print(scored)
WER 33.33 % (95 % interval 0.00 to 100.00), 1 of 3 words wrong in 2 utterances
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from ..core.manifest import Manifest
from ..core.types import UNITS, ErrorCount, Language, Measure, Utterance
from ..text.language_names import suggest_language_code
from ..text.normalizers._base import Normalizer
from . import metrics
from .measures import ABBREVIATIONS, choose_measure
from .outcomes import normalize_pair
from .scoreboard import MEASURES, draw_by_unit

Texts = Sequence[str] | Mapping[str, str] | Manifest | Path | str
"""Texts in order, texts by id, or a manifest or its folder."""
MAX_NAMES = 5
"""Most ids that an error names."""


@dataclass(frozen=True)
class ErrorRate:
    """Error rate of all utterances together."""

    rate: float
    """Errors per reference token."""
    low: float
    """Lower end of the 95 % interval, by bootstrap."""
    high: float
    """Upper end of the 95 % interval."""
    count: ErrorCount
    """Substitutions, deletions, insertions and hits."""


@dataclass(frozen=True)
class TextScore:
    """Errors of some transcripts by every measure."""

    measure: Measure
    """Measure that fits the languages: words, characters, or mixed."""
    wer: ErrorRate
    """Word error rate."""
    cer: ErrorRate
    """Character error rate, without spaces."""
    mer: ErrorRate
    """Mixed error rate: unspaced scripts by character, all else by word."""
    utterances: int
    normalizer: str
    """Normalizer that brought both sides to one form."""
    resampling_unit: str
    """What the bootstrap drew: `speakers`, `recordings` or `utterances`."""

    @property
    def fitting(self) -> ErrorRate:
        """Return the error rate by the measure that fits the languages."""
        return {"words": self.wer, "characters": self.cer, "mixed": self.mer}[self.measure]

    def __str__(self) -> str:
        rate = self.fitting
        utterances = "1 utterance" if self.utterances == 1 else f"{self.utterances} utterances"
        return (
            f"{ABBREVIATIONS[self.measure]} {100 * rate.rate:.2f} % (95 % interval "
            f"{100 * rate.low:.2f} to {100 * rate.high:.2f}), {rate.count.errors} of "
            f"{rate.count.length} {UNITS[self.measure]} wrong in {utterances}"
        )


def score(
    references: Texts,
    hypotheses: Texts | None = None,
    *,
    language: Language | None = None,
    normalizer: str | Mapping[str, Any] | Normalizer = "basic",
    seed: int = 1,
) -> TextScore:
    """Count the errors of transcripts against references, as the reports of a run do.

    Args:
        references: Texts, texts by id, or a manifest or its folder, whose `text` is read.
        hypotheses: The same of the transcripts; of a manifest `pred_text` is read, or `text` where
            there is none. None reads the `pred_text` of the references, as a report has it.
        language: Language of all texts, such as `ko`. None takes those of the manifest, or the
            script of the references, which decides the measure.
        normalizer: Name or spec of a normalizer as in a plan, or a normalizer.
        seed: Seed of the bootstrap; a report of round 2 takes 2.

    Raises:
        ConfigError: There are no references, a reference or a hypothesis has no counterpart, or
            the language or the normalizer is unknown.

    >>> score({"a": "今日は"}, {"a": "今日も"}).fitting.rate
    0.3333333333333333
    """
    # With a name, such as "Japanese", words would be counted where there are none.
    if language and (code := suggest_language_code(language)) is not None:
        hint = f"did you mean {code!r}?" if code else "write one such as 'it'"
        raise ConfigError(f"language: {language!r} is no code of a language; {hint}")
    utterances = _pair(references, hypotheses)
    if language:
        utterances = [replace(utterance, lang=language) for utterance in utterances]
    if isinstance(normalizer, str):
        normalizer = {"use": normalizer}
    if isinstance(normalizer, Mapping):
        normalizer = Normalizer.build(normalizer)
    pairs = [normalize_pair(utterance, normalizer) for utterance in utterances]
    counts = {
        measure: [metrics.count_errors(*pair, measure) for pair in pairs] for measure in MEASURES
    }
    # Errors of one speaker come together, so an interval of single utterances would be too narrow.
    unit, groups = metrics.choose_resampling_groups(utterances)
    draws = draw_by_unit(counts, groups, seed)
    rates = {}
    # Counts of all utterances first: a mean of their rates would weight short ones like long ones.
    for measure in MEASURES:
        total = metrics.sum_counts(counts[measure])
        low, high = metrics.widest_interval_95(*(drawn[measure] for drawn in draws))
        rates[measure] = ErrorRate(total.rate, low, high, total)
    return TextScore(
        measure=normalizer.measure or choose_measure(utterances),
        wer=rates["words"],
        cer=rates["characters"],
        mer=rates["mixed"],
        utterances=len(utterances),
        normalizer=normalizer.name,
        resampling_unit=unit,
    )


def _pair(references: Texts, hypotheses: Texts | None) -> list[Utterance]:
    """Return an utterance for every reference, with its hypothesis as `pred_text`."""
    referenced = _read_utterances(references, "references")
    if hypotheses is None:
        transcripts = {utterance.id: utterance.pred_text for utterance in referenced}
    else:
        transcribed = _read_utterances(hypotheses, "hypotheses")
        if _is_list(references) and _is_list(hypotheses) and len(referenced) != len(transcribed):
            raise ConfigError(
                f"{len(referenced)} references, but {len(transcribed)} hypotheses; write an empty "
                "text where nothing was transcribed"
            )
        transcripts = {
            utterance.id: utterance.text if utterance.pred_text is None else utterance.pred_text
            for utterance in transcribed
            if not utterance.error
        }
    # Nothing is left out silently: the rate of what happens to have a counterpart looks better.
    ids = {utterance.id for utterance in referenced}
    _refuse("have no text", [line.id for line in referenced if line.text is None], "references")
    _refuse("have no hypothesis", [name for name in ids if transcripts.get(name) is None])
    _refuse("have no reference", [name for name in transcripts if name not in ids], "hypotheses")
    return [replace(line, pred_text=transcripts[line.id]) for line in referenced]


def _read_utterances(texts: Texts, side: str) -> list[Utterance]:
    """Return the texts of one side as utterances; those of a list are named by their numbers."""
    # A single sentence is a likely slip, which the message of a missing manifest has to answer.
    if isinstance(texts, str | Path):
        texts = Manifest(Path(texts))
        if not texts.path.is_file():
            raise ConfigError(
                f"{side}: {texts.path}: there is no such manifest; pass a list of texts, a "
                "dictionary of texts by id, a manifest, or the folder of one"
            )
    if isinstance(texts, Manifest):
        utterances = list(texts)
    else:
        by_id = (
            texts if isinstance(texts, Mapping) else {str(i): text for i, text in enumerate(texts)}
        )
        _refuse(
            "are no text", [name for name, text in by_id.items() if not isinstance(text, str)], side
        )
        utterances = [Utterance(id=str(name), text=text) for name, text in by_id.items()]
    if not utterances:
        raise ConfigError(f"there are no {side}, so there is nothing to count")
    repeated = [
        name for name, number in Counter(line.id for line in utterances).items() if number > 1
    ]
    _refuse("have an id that is not unique", repeated, side)
    return utterances


def _refuse(problem: str, ids: Iterable[str], side: str = "references") -> None:
    """Raise ConfigError if a side has utterances with a problem."""
    if names := sorted(ids):
        more = ", ..." if len(names) > MAX_NAMES else ""
        listed = ", ".join(map(repr, names[:MAX_NAMES]))
        raise ConfigError(f"{len(names)} {side} {problem}: {listed}{more}")


def _is_list(texts: Texts) -> bool:
    return not isinstance(texts, str | Path | Manifest | Mapping)
