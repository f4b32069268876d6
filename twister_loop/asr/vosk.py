"""Recognizer that transcribes with a Kaldi model in Vosk, for second opinions on labels."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..audio import io as audio
from ..audio.resampling import Samples
from ..core.digests import digest_path, folder_size
from ..core.errors import AudioError, ConfigError, EngineError
from ..core.types import Checkpoint, Language, Utterance
from ._base import WeightsStatus
from ._transcribing import TranscribingRecognizer

LAYOUTS = (
    ("am/final.mdl", "graph/HCLG.fst"),
    ("am/final.mdl", "graph/HCLr.fst", "graph/Gr.fst"),
    ("final.mdl", "HCLG.fst"),
    ("final.mdl", "HCLr.fst", "Gr.fst"),
)
"""Files without which a model cannot transcribe: of large and small ones, newer and older. Vosk
loads a folder without a graph, and ends the process when it decodes."""
FEATURE_CONFIGS = ("conf/mfcc.conf", "mfcc.conf")
"""Files with the options of the features, in the same layouts."""
BLOCK_SAMPLES = 4000
"""Samples that are decoded before the decoder may end a sentence: a quarter of a second."""
FULL_SCALE = 32767
"""Largest sample of 16 bits, which Vosk takes."""


@dataclass(frozen=True)
class VoskRecognizer(TranscribingRecognizer):
    """A published model of Kaldi in Vosk, which knows one language and is never trained.

    It has a lexicon and an n-gram model where Whisper has a decoder, so its errors are others. It
    is meant for `second_model`, which keeps the labels that two unlike models agree on. Its texts
    have neither capitals nor punctuation, so as a `teacher` it would teach Whisper to leave them
    out. Models: https://alphacephei.com/vosk/models
    """

    requires: ClassVar[tuple[str, ...]] = ("vosk",)

    model: Path
    """Folder of an unpacked model, with `am/final.mdl` in it."""
    lang: Language
    """Language of the model, which it does not say itself."""

    def validation_errors(self) -> Iterator[str]:
        if problem := self._find_problem():
            yield f"model: {problem}"

    def initial_checkpoint(self) -> Checkpoint:
        if problem := self._find_problem():
            raise ConfigError(f"vosk: {problem}")
        # Absolute, since processes of other working directories read the checkpoint.
        folder = self.model.absolute()
        return Checkpoint(self.name, folder, f"the folder {folder}", digest_path(folder))

    def find_weights(self) -> WeightsStatus:
        problem = self._find_problem()
        return WeightsStatus(
            model=str(self.model),
            source=f"the folder {self.model}",
            size=None if problem else folder_size(self.model),
            folder=None if problem else self.model,
            problem=problem,
        )

    def unsupported_reason(self, checkpoint: Checkpoint) -> Callable[[Utterance], str | None]:
        return self._explain_language

    def transcribe(
        self, checkpoint: Checkpoint, speech: Iterable[Utterance]
    ) -> Iterator[Utterance]:
        """Transcribe speech; `confidence` is the mean log-probability of the words in nats."""
        model = _load_model(checkpoint.location)
        for utterance in speech:
            if utterance.should_skip:
                yield utterance
            elif reason := self._explain_language(utterance):
                yield replace(utterance, error=reason)
            else:
                yield self._transcribe_one(model, utterance)

    def decoding_description(self) -> str:
        return f"lattice decoding of {self.model.name} in Vosk"

    def _transcribe_one(self, model: Any, utterance: Utterance) -> Utterance:
        try:
            samples = audio.load_utterance(utterance)
        except AudioError as error:
            return replace(utterance, error=str(error))
        words = _decode(model, samples)
        # Posteriors of words; those of a lattice that was pruned to one path are 1.
        logprobs = [math.log(max(word["conf"], 1e-6)) for word in words]
        return replace(
            utterance,
            pred_text=" ".join(word["word"] for word in words),
            lang=self.lang,
            confidence=sum(logprobs) / len(logprobs) if logprobs else None,
        )

    def _explain_language(self, utterance: Utterance) -> str | None:
        if utterance.lang is None or utterance.lang == self.lang:
            return None
        return f"the Vosk model in {self.model} knows {self.lang} alone, not {utterance.lang}"

    def _find_problem(self) -> str | None:
        """Return why the folder has no model, with the remedy; None if it has one."""
        if any(all((self.model / name).is_file() for name in layout) for layout in LAYOUTS):
            return None
        return (
            f"{self.model} is no model of Vosk, which has {' and '.join(LAYOUTS[0])}; unpack one "
            "from https://alphacephei.com/vosk/models and name its folder"
        )


def _load_model(folder: Path) -> Any:
    """Load a model so that the same audio has the same text each time.

    Raises:
        EngineError: Vosk cannot read the folder.
    """
    import vosk

    vosk.SetLogLevel(-1)  # else Kaldi reports on every file that it reads
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch)
        _link_without_dither(folder, copy)
        try:
            return vosk.Model(str(copy))
        except Exception as cause:  # the only class that it raises
            raise EngineError(f"{folder}: Vosk cannot load this model ({cause})") from cause


def _link_without_dither(folder: Path, copy: Path) -> None:
    """Link all files of a model but the options of its features, which get `--dither=0`.

    By default Kaldi adds noise to the samples, so that a clip has another text whenever it is
    decoded; the library has no option for it.
    """
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_dir():
            (copy / name).mkdir(parents=True, exist_ok=True)
        elif name.as_posix() not in FEATURE_CONFIGS:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).symlink_to(path.absolute())
        else:
            lines = path.read_text(encoding="utf-8").splitlines()
            options = [line for line in lines if not line.startswith("--dither")]
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_text("\n".join([*options, "--dither=0", ""]), encoding="utf-8")


def _decode(model: Any, samples: Samples) -> list[dict[str, Any]]:
    """Return the words of a clip, each with `word` and `conf`, its posterior from 0 to 1."""
    import vosk

    # One for every clip: it adapts to the speaker, so a text would depend on the clip before.
    recognizer = vosk.KaldiRecognizer(model, float(audio.SAMPLE_RATE))
    recognizer.SetWords(True)
    pcm = (np.clip(samples, -1.0, 1.0) * FULL_SCALE).astype("<i2")
    results = []
    for begin in range(0, len(pcm), BLOCK_SAMPLES):
        if recognizer.AcceptWaveform(pcm[begin : begin + BLOCK_SAMPLES].tobytes()):
            results.append(recognizer.Result())
    results.append(recognizer.FinalResult())
    # Without a word there is no "result".
    return [word for result in results for word in json.loads(result).get("result", [])]
