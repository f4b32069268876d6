"""The kinds of part, and how a name in the plan becomes one.

The name in the YAML is the name of the file: `{use: whisper}` under `asr:` is the one
`Recognizer` defined in `twister_loop/asr/whisper.py`. A part is a frozen dataclass; its
fields are its options. To add a part, add a file; nothing else changes. A part has no
state: models live in the frame of the generator that uses them, and die with it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, ClassVar, Self

from . import schema
from .artifact import signature
from .errors import ConfigError
from .evidence import Evidence
from .manifest import Manifest
from .probes import PROBES
from .records import Checkpoint, Language, Objection, Seconds, SetKind, Share, Utterance

if TYPE_CHECKING:
    import numpy as np

    from .audio import Samples


class Part(ABC):
    """Something a plan can name."""

    home: ClassVar[str]
    """The package whose files are the parts of this kind."""
    name: ClassVar[str]
    """The name of the part's file."""
    __pydantic_config__ = schema.STRICT

    def __init_subclass__(cls) -> None:
        cls.name = cls.__module__.rpartition(".")[2]

    @classmethod
    def names(cls) -> list[str]:
        """All parts of this kind; files that begin with `_` are not parts."""
        found = iter_modules(import_module(cls.home).__path__)
        return sorted(module.name for module in found if not module.name.startswith("_"))

    @classmethod
    def find(cls, name: str) -> type[Self]:
        """The one part of this kind that lives in the file of that name."""
        kind = cls.__name__.lower()
        if name not in cls.names():
            raise ConfigError(f"no {kind} is called {name!r}; {schema.nearest(name, cls.names())}")
        try:
            module = import_module(f"{cls.home}.{name}")
        except ModuleNotFoundError as cause:
            raise ConfigError(
                f"{kind} {name!r} needs the package {cause.name!r}: "
                "pip install 'twister-loop[all]', or see the extras in pyproject.toml"
            ) from cause
        [part] = (
            thing
            for thing in vars(module).values()
            if isinstance(thing, type)
            and issubclass(thing, cls)
            and thing.__module__ == module.__name__
        )
        return part

    @classmethod
    def build(cls, spec: Mapping[str, Any], folder: Path = Path()) -> Self:
        """`{use: NAME, option: value}` -> the part, its options checked.

        Paths among the options are relative to `folder`. Raises ConfigError.
        """
        options = dict(spec)
        name = options.pop("use", None)
        if not isinstance(name, str):
            raise ConfigError(f"expected {{use: NAME, ...}}, not {dict(spec)!r}")
        try:
            part = schema.read(cls.find(name), options)
            named = (each.name for each in dataclasses.fields(part))  # type: ignore[arg-type]
            values = {name: getattr(part, name) for name in named}
            paths = {n: folder / value for n, value in values.items() if isinstance(value, Path)}
            part = dataclasses.replace(part, **paths) if paths else part  # type: ignore[type-var]
        except ValueError as cause:
            raise ConfigError(f"{cls.__name__.lower()} {name}: {cause}") from cause
        if wrong := "; ".join(part.wrongs()):
            raise ConfigError(f"{cls.__name__.lower()} {name}: {wrong}")
        return part

    def wrongs(self) -> Iterator[str]:
        """What is wrong with its options when it is named in a plan, such as an empty folder."""
        yield from ()


class Recognizer(Part):
    """An ASR engine: hears speech."""

    home = "twister_loop.asr"
    learns: ClassVar[bool] = True
    """Whether it also aligns and trains; one that does not can hear with another's weights."""

    @abstractmethod
    def base(self) -> Checkpoint:
        """The checkpoint to start the first round from: the model as it came."""

    @abstractmethod
    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        """Yield every utterance, in order, with `pred_text` and the decoder's statistics.

        `lang` is forced where the utterance has one, else detected and filled in. It reads
        ahead no further than a window; an utterance it cannot handle comes back with `error`.
        """

    @abstractmethod
    def align(self, checkpoint: Checkpoint, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        """Yield every utterance, in order, with the `words` of its `text`: forced decoding."""

    @abstractmethod
    def train(
        self, start: Checkpoint, lesson: Manifest, out: Path, seed: int, watched: Manifest | None
    ) -> Checkpoint:
        """Learn from labeled speech, beginning at `start`, and leave the weights in `out`.

        `watched` is the speech of the set that it `stops_by`. What is needed to go on after a kill
        lies in `out / "resume"`, which is gone at the end.
        """

    @property
    def stops_by(self) -> str | None:
        """The development set on whose errors training ends early; None where on none."""
        return None

    def fullness(self, start: Checkpoint) -> Callable[[Utterance], Share]:
        """How much of the longest label that it can learn a text takes, with its timestamps."""
        return lambda utterance: 0.0

    def decoding(self) -> str:
        """What is to be known of the decoder to compare two scores: margin, guard, precision."""
        return self.name

    def usual(self) -> Self | None:
        """The same, decoding as everybody does; None where that is no different."""
        return None

    def quicker(self, checkpoint: Checkpoint) -> Sequence[Self]:
        """Itself in faster ways to hear with these weights, the fastest first.

        Each is tried on some of the pool before its labels are believed.
        """
        return (self,)

    def searching(self, beam: int, temperature: float = 0.0, nbest: int = 0) -> Self | None:
        """The same, by a beam whose `nbest` texts are noted, or drawn tokens; None if it cannot."""
        return None

    def with_updates(self, count: int, clips: float = 1.0) -> Self:
        """The same with so many updates, each by `clips` times as many utterances; or itself."""
        return self

    def keeping_epochs(self) -> Self:
        """The same, also leaving the weights after each epoch, in `epoch-01`, ...; or itself."""
        return self

    def disk(self, base: Checkpoint) -> int:
        """Bytes that training needs at its peak."""
        return 0

    def foresee(self, base: Checkpoint) -> Iterator[str]:
        """What may go wrong when this machine trains it, such as too little memory."""
        yield from ()


@dataclass(frozen=True)
class Listener:
    """A recognizer with the weights it hears by: the champion, as a voice meets it."""

    recognizer: Recognizer
    checkpoint: Checkpoint

    def transcribe(self, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        return self.recognizer.transcribe(self.checkpoint, speech)

    def align(self, speech: Iterable[Utterance]) -> Iterator[Utterance]:
        return self.recognizer.align(self.checkpoint, speech)

    def score(self, speech: Iterable[Utterance]) -> Iterator[float | None]:
        """How likely every text is to it, forced: a natural logarithm, the text's end included.

        None where a text could not be forced, such as one too long.
        """
        for each in self.align(speech):
            yield None if each.error else sum(word.logprob for word in each.words)


@dataclass(frozen=True)
class Witnesses:
    """Whom a filter may ask."""

    champion: Listener
    before: Manifest | None = None
    """The labels of the last round; None in the first, and for what is no pool."""


class Synthesizer(Part):
    """A TTS engine: speaks texts."""

    home = "twister_loop.tts"
    draws: ClassVar[bool] = True
    """Whether training depends on the seed."""

    @property
    def continues(self) -> bool:
        """Whether a later round starts from this round's voice, if that passed its trial."""
        return True

    @abstractmethod
    def train(
        self,
        start: Checkpoint | None,
        lesson: Manifest,
        texts: Manifest,
        champion: Listener,
        out: Path,
        seed: int,
    ) -> Checkpoint:
        """Learn to speak from the lesson, and leave the voice in `out`.

        `start` is the voice of an earlier round, None for the first. `texts` is what will be
        asked of it (for its vocabulary), `champion` may be asked for word times.
        """

    def check(self, start: Checkpoint | None, texts: Manifest, speech: Sequence[Manifest]) -> None:
        """Look, before a round begins, whether it can learn to speak texts from such speech.

        `speech` is what the lesson will be made of, mostly without a text yet. Raises ConfigError.
        """

    @abstractmethod
    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        """Yield one utterance for every text, in order and with its id, its WAV in `out`.

        A text it cannot speak comes back with `error`. What is random is seeded by the id.
        """


class Corpus(Part):
    """A source of speech, of texts, or of both."""

    home = "twister_loop.corpora"
    published: ClassVar[Mapping[str, int]] = {}
    """Utterances of every value of the option `split`, as published; each names its source."""

    @abstractmethod
    def utterances(self) -> Iterator[Utterance]:
        """Yield all there is, in a fixed order, what is no use with a reason; ids come later."""

    @property
    def title(self) -> str:
        """What a mixture knows it by: its folder, file or data set, else the name of the part."""
        options = (getattr(self, name, None) for name in ("dataset", "folder", "file"))
        known = (each.resolve().stem if isinstance(each, Path) else each for each in options)
        return next(filter(None, known), None) or self.name

    def when_settled(self, since: Seconds) -> Self:
        """The same, without files that changed more recently; itself if it looks at no folder."""
        return self


class Filter(Part):
    """Objects to an utterance."""

    home = "twister_loop.filters"
    asks_words: ClassVar[bool] = False
    """Whether it has to know when each word of the text is said."""
    asks: ClassVar[bool] = False
    """Whether it listens, or asks who has listened: it takes a while, and gets its witnesses."""

    @abstractmethod
    def objection(self, utterance: Utterance) -> str | None:
        """Why this utterance must be dropped, or None to keep it."""

    def objections(self, speech: Iterable[Utterance], witnesses: Witnesses) -> Iterator[str | None]:
        """The same for many, in order; it reads ahead no further than a window.

        Of what has an `error` nothing is asked, and any answer will do.
        """
        return map(self.objection, speech)

    def study(self, manifest: Manifest) -> Self:
        """The same filter, knowing the corpus it is about to judge."""
        return self

    def check(self, asr: Recognizer) -> None:
        """Look, before a round begins, for what it needs. Raises ConfigError."""


class Effect(Part):
    """Perturbs speech."""

    home = "twister_loop.effects"
    stretches: ClassVar[bool] = False
    """Whether what is said takes longer or shorter after it."""

    @abstractmethod
    def apply(self, samples: Samples, rng: np.random.Generator) -> Samples:
        """Return other samples, (n_samples,) at 16 kHz; all that is random comes from `rng`."""


class Normalizer(Part):
    """Brings texts to the form in which they are compared."""

    home = "twister_loop.normalizers"
    probes: ClassVar[Sequence[tuple[Language | None, str]]] = PROBES
    """What the digest looks at; a normalizer that does more has more of them."""

    @abstractmethod
    def normalize(self, text: str, lang: Language | None) -> str:
        """Words separated by single spaces."""

    def as_spelled(self) -> Self:
        """The same, but numbers keep the form in which they were written."""
        return self

    def digest(self) -> str:
        """Of its options and of what it makes of `probes`: it changes with its packages too."""
        made = [self.normalize(text, lang) for lang, text in self.probes]
        known = json.dumps([signature(self), made], ensure_ascii=False)
        return hashlib.sha256(known.encode()).hexdigest()[:8]


class Gate(Part):
    """Objects to a candidate.

    One that has an option `sets` looks at those alone; the plan checks that they exist.
    """

    home = "twister_loop.gates"
    asks_labeler: ClassVar[bool] = False
    """Whether it wants to see what the plan's labeler makes of the candidate's weights."""

    @abstractmethod
    def objection(self, evidence: Evidence) -> Objection | None:
        """Why this candidate must be refused, or None to accept it."""

    def foresee(self, sets: Mapping[str, tuple[SetKind, int]]) -> Iterator[str]:
        """What sets of so many reference words cannot decide, whatever will be trained."""
        yield from ()
