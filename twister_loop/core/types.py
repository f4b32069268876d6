"""The nouns of the loop: small frozen values that travel between stages.

What is big (speech, weights) stays in folders; the values here only point to it or sum it
up, so each of them is cheap to copy, to compare and to print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

from .artifacts import JsonRecord, not_in_cache_key

Seconds = float
Hertz = float
Share = float
"""A part of a whole, 0..1."""
Language = str
"""ISO 639-1, as Whisper spells it: `it`, `en`, `ko`, `zh`."""
UNSPACED = frozenset({"zh", "ja", "yue", "th", "lo", "my"})
"""Languages that put no spaces between words."""
Origin = Literal["human", "pseudo", "synthetic"]
TEXT_ONLY = Path()
"""The audio of a text that nobody has spoken yet: so lines of a text corpus are utterances too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """One word of a text, found in its audio."""

    word: str
    start: Seconds
    """From the beginning of the utterance, not of the file."""
    end: Seconds
    logprob: float
    """Natural logarithm of the probability that the recognizer gives the whole word."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alternative:
    """A text that a recognizer may have heard."""

    text: str
    logprob: float
    """Natural logarithm of its probability, the text's end included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """An utterance that became part of a packed one."""

    id: str
    origin: Origin
    lang: Language | None = None
    text: str
    start: Seconds
    end: Seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """One stretch of speech and what is believed of it: a line of a manifest.

    The names are the NeMo manifest's where that has one (`audio_filepath`, `offset`,
    `duration`, `text`, `pred_text`, `lang`, `speaker`), so that other tools read it.
    """

    id: str
    """Unique within a run; for audio of the pool it is derived from the content."""
    audio_filepath: Path = TEXT_ONLY
    offset: Seconds = 0.0
    """Where in the file it begins."""
    duration: Seconds = 0.0
    channel: int | None = None
    """Of the file, from 0; None is all of them mixed."""
    text: str | None = None
    """What a model may be trained on; None while nobody has labeled it."""
    pred_text: str | None = None
    """What the last recognizer heard; None before it was asked."""
    lang: Language | None = None
    lang_probability: Share | None = None
    """Probability that the recognizer gives to `lang`, of all languages it knows."""
    speaker: str | None = None
    bandwidth: Hertz | None = None
    """Up to which there is sound in it, where it was estimated; see `audio.bandwidth`."""
    dnsmos: float | None = None
    """How good it sounds, 1 to 5, where it was estimated; see `quality.dnsmos`."""
    embedding: str | None = None
    """How its speaker sounds, until speakers are told apart; see `embeddings.of`."""
    corpus: str | None = None
    """Where it was listed: a folder, a file or a data set by its name."""
    origin: Origin = "human"
    """Where `text` comes from: a person, the recognizer, or the text corpus."""
    confidence: float | None = None
    """Average natural log-probability of a token of `pred_text`; 0 is certain."""
    compression_ratio: float | None = None
    """Bytes of `pred_text` over its gzip'd bytes; above 2.4 it repeats itself."""
    no_speech: Share | None = None
    """Probability that the recognizer gives to there being no speech at all."""
    hit_limit: bool = False
    """Whether the recognizer stopped because of its length limit."""
    fallback: bool = False
    """Whether the recognizer had to decode it again, because the first decode looked insane."""
    alternatives: tuple[Alternative, ...] = ()
    """What may have been heard, `pred_text` first, where a beam was asked for that."""
    words: tuple[Word, ...] = ()
    """The words of the text with their times, where they were asked for."""
    pieces: tuple[Piece, ...] = ()
    """What a packed utterance is made of."""
    previous_text: str | None = None
    """What the same speaker said before, where packed speech is all of one speaker."""
    made_by: str | None = None
    """The voice that spoke it, or the effects that perturbed it."""
    text_before_rescoring: str | None = None
    """What the label was before the text corpus had its say."""
    rejected_by: str | None = None
    """The filter that dropped it; only ever set in `rejected/`."""
    objection: str | None = None
    """Why it was dropped."""
    labeled_in: int | None = None
    """The earlier round that heard it, where its label was carried over."""
    error: str | None = None
    """Why an engine could not process it. The line is kept; the next filtering rejects it."""
    skip: bool = False
    """Mark for engines to pass this line through untouched, so that the lines in their windows
    stay where they are. It only exists in memory: no manifest is written with it."""

    @property
    def should_skip(self) -> bool:
        """Whether engines must yield this line unchanged: it failed before, or is marked so."""
        return self.skip or bool(self.error)


@dataclass(frozen=True)
class Checkpoint(JsonRecord):
    """Trained weights: which engine reads them, and where they are."""

    engine: str
    """The part that reads them: `whisper`, `coqui`, ..."""
    location: Path = not_in_cache_key(Path())
    """The folder that holds the weights; kept out of the note, which lies in it."""
    source: str | None = not_in_cache_key(None)
    """In words, where pretrained weights were found; None for our own."""
    digest: str | None = None
    """Of pretrained weights; our own are signed by the artifact they lie in."""

    def save(self, folder: Path) -> Self:
        super(Checkpoint, replace(self, location=Path())).save(folder)
        return self

    @classmethod
    def load(cls, folder: Path) -> Self:
        return replace(super().load(folder), location=folder)


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """Counted errors. Counts add up; rates do not."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    hits: int = 0

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def length(self) -> int:
        """Tokens of the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def insertion_rate(self) -> float:
        """Insertions per reference token: what was heard and never said."""
        return self.insertions / self.length if self.length else float(self.insertions > 0)

    @property
    def rate(self) -> float:
        """Errors per reference token; an insertion into silence counts as 1.0."""
        return self.errors / self.length if self.length else float(self.errors > 0)

    def __add__(self, other: ErrorCount) -> ErrorCount:
        return ErrorCount(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.hits + other.hits,
        )

    def __str__(self) -> str:
        return f"{self.rate:.2%}"


@dataclass(frozen=True, slots=True)
class Proportion:
    """So many of so many. Counts add up; shares do not."""

    count: int = 0
    total: int = 0

    @property
    def share(self) -> Share:
        return self.count / self.total if self.total else 0.0

    def __add__(self, other: Proportion) -> Proportion:
        return Proportion(self.count + other.count, self.total + other.total)

    def __str__(self) -> str:
        return f"{self.share:.2%}"


SetKind = Literal["development", "test", "retention"]


@dataclass(frozen=True, kw_only=True)
class Score:
    """How one checkpoint did on one set under one way of decoding."""

    name: str
    kind: SetKind
    decoding: str
    """How it was decoded, in words: margin, window, guard, precision."""
    lang: Language | None = None
    """The language that was forced; None where the recognizer detected it."""
    normalizer: str
    normalizer_digest: str
    """Of what it does: scores are compared only where it is the same."""
    utterances: int
    duration: Seconds
    words: ErrorCount
    characters: ErrorCount
    mixed: ErrorCount
    """Errors of the mixed error rate (MER): Han characters and kana singly, all else by word."""
    raw_words: ErrorCount
    """The same words before numbers were brought to one form."""
    repeated_ngrams: Proportion = Proportion()
    """Runs of five words or characters heard that stood before in the same utterance."""
    foreign_script: Proportion = Proportion()
    """Letters heard of a script that belongs neither to the language nor to the reference."""
    empty: int = 0
    """Utterances with a reference in which nothing was heard."""
    hit_limit: int = 0
    fallback: int = 0


def pool_scores(scores: Sequence[Score], name: str) -> Score:
    """Several sets as one: counts add up, and what differs between them is left out."""
    first = scores[0]
    added = ("utterances", "duration", "empty", "hit_limit", "fallback")
    counts = ("words", "characters", "mixed", "raw_words", "repeated_ngrams", "foreign_script")
    return replace(
        first,
        name=name,
        lang=first.lang if {each.lang for each in scores} == {first.lang} else None,
        **{field: sum(getattr(each, field) for each in scores) for field in added},
        **{
            field: sum((getattr(each, field) for each in scores[1:]), getattr(first, field))
            for field in counts
        },
    )


@dataclass(frozen=True)
class Report(JsonRecord):
    """How one checkpoint did on every held-out and retention set."""

    scores: tuple[Score, ...]
    """As the loop decodes: one for every set."""
    full_window: tuple[Score, ...] = ()
    """The same sets, or some utterances of each, decoded as everybody does, in a window of 30 s."""
    normalizer: dict[str, Any] = field(default_factory=dict)
    """By which the words were counted, as a plan would name it."""
    folder: Path = Path()
    """Where it lies, with what was heard; kept out of the note, which lies in it."""

    def save(self, folder: Path) -> Self:
        super(Report, replace(self, folder=Path())).save(folder)
        return self

    @classmethod
    def load(cls, folder: Path) -> Self:
        return replace(super().load(folder), folder=folder)

    def score(self, name: str) -> Score:
        return next(score for score in self.scores if score.name == name)


@dataclass(frozen=True, slots=True)
class Tally:
    """So many utterances, so many seconds of speech."""

    utterances: int = 0
    duration: Seconds = 0.0

    def plus(self, duration: Seconds) -> Tally:
        return Tally(self.utterances + 1, round(self.duration + duration, 3))


@dataclass(frozen=True)
class Funnel(JsonRecord):
    """What went into a sift, what stayed, and what each reason took away."""

    kept: Tally
    rejected: dict[str, Tally]
    """By the name of the filter, or `error`, `held_out_text`, `duplicate`."""


@dataclass(frozen=True)
class MixtureSource:
    """Speech that was mixed as one."""

    origin: str
    """Of its texts, or `replay`."""
    lang: Language | None = None
    corpus: str | None = None
    available: Tally = Tally()
    taken: Tally = Tally()


@dataclass(frozen=True)
class MixtureContents(JsonRecord):
    """What a mixture is made of."""

    sources: tuple[MixtureSource, ...] = ()


@dataclass(frozen=True)
class Objection:
    """Why a gate refuses a candidate."""

    gate: str
    reason: str
    undecided: bool = False
    """Whether nothing says that the candidate is too bad: more held-out speech might settle it."""

    def __str__(self) -> str:
        return f"{self.gate}: {self.reason}"


@dataclass(frozen=True)
class Verdict(JsonRecord):
    """What the gates said; no objection means that the candidate is accepted."""

    objections: tuple[Objection, ...] = ()

    @property
    def accepted(self) -> bool:
        return not self.objections

    @property
    def outcome(self) -> Literal["accepted", "undecided", "refused"]:
        """`undecided` keeps the champion too, but for want of held-out speech alone."""
        if self.accepted:
            return "accepted"
        return "undecided" if all(each.undecided for each in self.objections) else "refused"
