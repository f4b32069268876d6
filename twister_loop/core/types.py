"""Data types of the loop: small frozen dataclasses that stages pass to each other.

Speech and weights stay in folders. The types here only point to them or summarize them, so that
they are cheap to copy, to compare and to print.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

from . import schema
from .artifacts import JsonRecord, not_in_cache_key
from .counts import ErrorCount as ErrorCount
from .counts import Proportion as Proportion
from .counts import Share as Share
from .counts import TermCount as TermCount
from .errors import ConfigError

Seconds = float
Hertz = float
Language = str
"""ISO 639-1 code as Whisper spells it: `it`, `en`, `ko`, `zh`."""
UNSPACED = frozenset({"zh", "ja", "yue", "th", "lo", "km", "my"})
"""Languages that are written without spaces between words. Tibetan is not one of them: its
syllables are separated by a mark (tsheg), and count as words."""
Origin = Literal["human", "pseudo", "synthetic"]
# A path and not None, so that every reader of audio has a path to name in its error.
TEXT_ONLY = Path()
"""Placeholder path for utterances without audio, such as the lines of a text corpus."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """Word of a text, aligned with the audio."""

    word: str
    start: Seconds
    """Counted from the start of the utterance, not of the file."""
    end: Seconds
    logprob: float
    """Natural logarithm of the probability that the recognizer gives to the whole word."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alternative:
    """Hypothesis of a beam search."""

    text: str
    logprob: float
    """Natural logarithm of its probability, including that of the end of the text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """Part of a transcript, between two timestamps that the recognizer predicted."""

    start: Seconds
    """Counted from the start of the utterance, not of the file."""
    end: Seconds
    text: str
    has_end: bool = True
    """False if the recognizer predicted no end, so that `end` is where its window ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Utterance that became part of a packed one; times count from the start of that."""

    id: str
    origin: Origin
    lang: Language | None = None
    text: str
    start: Seconds
    end: Seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """Segment of speech with its labels and estimates: a line of a manifest.

    Names that NeMo manifests have are used as they have them (`audio_filepath`, `offset`,
    `duration`, `text`, `pred_text`, `lang`, `speaker`), so that other tools read the file.
    """

    id: str
    """Identifier, unique within a run; for audio of the pool it is derived from the content."""
    audio_filepath: Path = TEXT_ONLY
    offset: Seconds = 0.0
    """Start of the segment within the file."""
    duration: Seconds = 0.0
    channel: int | None = None
    """Channel of the file, counted from 0; None mixes all of them."""
    text: str | None = None
    """Reference or label, which models are trained on; None if there is none yet."""
    pred_text: str | None = None
    """Transcript by the last recognizer that decoded it; None before the first."""
    lang: Language | None = None
    lang_probability: Share | None = None
    """Probability that the recognizer gives to `lang` among all languages that it supports."""
    speaker: str | None = None
    bandwidth: Hertz | None = None
    """Highest frequency with energy, if it was estimated; see `audio.io.estimate_bandwidth`."""
    dnsmos: float | None = None
    """Overall quality from 1 to 5, if it was estimated; see `audio.dnsmos.estimate_dnsmos`."""
    embedding: str | None = None
    """Speaker embedding in base64, until speakers are clustered; see `audio.speaker_embedding`."""
    voice: int | None = None
    """Number of its voice within its recording, until speakers are clustered."""
    voices: int | None = None
    """Estimated number of voices in it, if its recording was cut at speaker changes."""
    corpus: str | None = None
    """Source that listed it: a folder, a file, or the name of a data set."""
    origin: Origin = "human"
    """Source of `text`: a person, the recognizer, or the text corpus."""
    speechless: bool = False
    """True if nobody speaks in it: an empty `text` is then no missing one, and can be learned."""
    confidence: float | None = None
    """Mean natural log-probability of the tokens of `pred_text`; 0 is certain."""
    compression_ratio: float | None = None
    """Letters of `pred_text` over its bytes when compressed, alike in all scripts; see
    `text.script_neutral`. OpenAI Whisper takes a text above 2.4 for one that repeats itself."""
    no_speech: Share | None = None
    """Probability that the recognizer gives to silence."""
    hit_limit: bool = False
    """True if decoding stopped at the length limit, so that the end may be missing."""
    fallback: bool = False
    """True if it was decoded again, because the first decode repeated itself or was unsure."""
    alternatives: tuple[Alternative, ...] = ()
    """Hypotheses of the beam, `pred_text` first, if n-best decoding was requested."""
    segments: tuple[Segment, ...] = ()
    """Segments of `pred_text` with their times, if they were decoded."""
    words: tuple[Word, ...] = ()
    """Words of `text` with their times, if it was aligned."""
    pieces: tuple[Piece, ...] = ()
    """Utterances that a packed one was joined from."""
    previous_text: str | None = None
    """What was said before it in its recording, up to 30 s back, if all of that is known."""
    follows: str | None = None
    """Id of the cut right before it in its recording, with only a pause between them."""
    made_by: str | None = None
    """Name of the synthesizer, or of the effects that augmented it, joined by `+`."""
    text_before_rescoring: str | None = None
    """Label that rescoring with the text corpus replaced."""
    rejected_by: str | None = None
    """Name of the filter that rejected it; set in `rejected/` only."""
    objection: str | None = None
    """Reason of the filter."""
    labeled_in: int | None = None
    """Number of the earlier round whose label was reused."""
    error: str | None = None
    """Reason why an engine could not process it. The line stays; the next filtering rejects it."""
    skip: bool = False
    """Mark that makes engines pass this line through untouched, so that all other lines keep
    their places in the engines' windows. It exists in memory only and is never stored."""

    def __post_init__(self) -> None:
        # Only for callers outside: manifests are read by the million, and have paths already.
        if isinstance(self.audio_filepath, str):
            object.__setattr__(self, "audio_filepath", Path(self.audio_filepath))

    @property
    def should_skip(self) -> bool:
        """True if engines must yield this line unchanged: it has an error or is marked `skip`."""
        return self.skip or bool(self.error)


@dataclass(frozen=True)
class Checkpoint(JsonRecord):
    """Trained weights of an engine."""

    engine: str
    """Name of the part that reads them: `whisper`, `glow_tts`, ..."""
    location: Path = not_in_cache_key(Path())
    """Folder with the weights. It is not stored, because the file lies in it."""
    source: str | None = not_in_cache_key(None)
    """Description of where pretrained weights come from; None for weights trained in a run."""
    digest: str | None = None
    """Digest of pretrained weights. Those of a run are part of a hashed artifact."""

    def save(self, folder: Path) -> Self:
        """Write `checkpoint.json` into the folder with the weights."""
        # Without the folder, so that a run can be moved.
        super(Checkpoint, replace(self, location=Path())).save(folder)
        return self

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read the checkpoint of a folder. Raises ConfigError if there is none."""
        return replace(super().load(folder), location=Path(folder))


SetKind = Literal["development", "test", "retention"]
Measure = Literal["words", "characters", "mixed"]
"""Error rates: word (WER), character (CER) and mixed error rate (MER)."""
UNITS: dict[Measure, str] = {
    "words": "words",
    "characters": "characters",
    "mixed": "words and characters",
}
"""Tokens of the references that a measure counts, as messages name them."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """Errors of one checkpoint on one set with one way of decoding."""

    name: str
    kind: SetKind
    decoding: str
    """Description of the decoding: margin, window, guard, precision."""
    lang: Language | None = None
    """Language that was forced; None if the recognizer detected it."""
    normalizer: str
    normalizer_digest: str
    """Digest of the normalizer's behavior: only scores with the same digest are comparable."""
    utterances: int
    duration: Seconds
    words: ErrorCount
    characters: ErrorCount
    mixed: ErrorCount
    """Errors of the mixed error rate (MER): unspaced scripts by character, all else by word."""
    # Reports of earlier versions have none, and were read by words.
    measure: Measure = "words"
    """Measure that the set is read by; see `evaluation.measures.choose_measure`."""
    raw_words: ErrorCount
    """Word errors before numbers were brought to one form."""
    repeated_ngrams: Proportion = Proportion()
    """Runs of five words or characters that occur a second time in the same transcript."""
    foreign_script: Proportion = Proportion()
    """Letters of the transcript in a script of neither the language nor the reference."""
    empty: int = 0
    """Number of utterances that have a reference and an empty transcript."""
    hit_limit: int = 0
    fallback: int = 0
    timestamps: Proportion = Proportion()
    """Utterances whose first timestamp lies within 0.5 s of where speech begins and whose last one
    within 0.5 s of where it ends, of those with speech; counted in standard decoding only."""
    term_count: TermCount | None = None
    """Recall of key terms and errors on other words, by the measure of the set; None if the plan
    names no terms."""

    def count(self, measure: Measure | None = None) -> ErrorCount:
        """Return the errors by a measure; None takes the measure of the set."""
        by_measure = {"words": self.words, "characters": self.characters, "mixed": self.mixed}
        return by_measure[measure or self.measure]


@dataclass(frozen=True)
class Report(JsonRecord):
    """Scores of one checkpoint on every held-out and retention set."""

    scores: tuple[Score, ...]
    """One score for every set, decoded as the loop decodes."""
    full_window: tuple[Score, ...] = ()
    """Scores of the same sets, or of a part of each, with standard decoding: 30 s windows with
    timestamps, as other tools decode."""
    normalizer: dict[str, Any] = field(default_factory=dict)
    """Normalizer that was used before counting, as a plan would name it."""
    key_terms: tuple[str, ...] | None = None
    """Key terms of the plan; None if it names none."""
    folder: Path = Path()
    """Folder with the transcripts. It is not stored, because the file lies in it."""

    def save(self, folder: Path) -> Self:
        """Write `report.json` into the folder with the transcripts."""
        # Without the folder, so that a run can be moved.
        super(Report, replace(self, folder=Path())).save(folder)
        return self

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read the report of a folder. Raises ConfigError if there is none."""
        return replace(super().load(folder), folder=Path(folder))

    def score(self, name: str) -> Score:
        """Return the score of a set, decoded as in the loop. Raises ConfigError without one."""
        by_name = {score.name: score for score in self.scores}
        if name not in by_name:
            hint = schema.suggest_name(name, list(by_name))
            raise ConfigError(f"{self.folder}: no set {name!r} in this report; {hint}")
        return by_name[name]


@dataclass(frozen=True)
class Objection:
    """Reason of a gate for refusing a candidate."""

    gate: str
    reason: str
    undecided: bool = False
    """True if the candidate may be good enough: more held-out speech might decide it."""

    def __str__(self) -> str:
        return f"{self.gate}: {self.reason}"


@dataclass(frozen=True)
class Verdict(JsonRecord):
    """Decision of the gates; without objections the candidate is accepted."""

    # No default: a file that lost its content must not read as an acceptance.
    objections: tuple[Objection, ...]
    looks: dict[str, int] = field(default_factory=dict)
    """Candidates judged so far on each set that the gates saw, or on some of its recordings."""
    lost_terms: tuple[str, ...] | None = None
    """Sentences on sets where the candidate recalls fewer key terms than the champion, which no
    gate decides by; None if the plan names no terms."""

    @property
    def accepted(self) -> bool:
        """Return whether no gate objects."""
        return not self.objections

    @property
    def outcome(self) -> Literal["accepted", "undecided", "refused"]:
        """Outcome in one word; `undecided` keeps the champion for lack of held-out speech."""
        if self.accepted:
            return "accepted"
        # One clear objection refuses: more held-out speech would not change it.
        undecided = all(objection.undecided for objection in self.objections)
        return "undecided" if undecided else "refused"
