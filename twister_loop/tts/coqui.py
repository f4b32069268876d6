"""Coqui's Glow-TTS with Griffin-Lim: a neural voice that two processor cores can train."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from .. import audio
from ..artifact import unsigned
from ..errors import EngineError
from ..manifest import Manifest, windows
from ..parts import Listener, Synthesizer
from ..records import Checkpoint, Utterance
from . import _coqui_speak as speak
from . import _coqui_train as training
from . import _coqui_voice as voice
from ._coqui_voice import Model

log = logging.getLogger(__name__)

SPOKEN_TOGETHER = 16
"""Texts in a batch."""
SHORTEST, LONGEST = 0.2, 30.0
"""Seconds; what comes out shorter or longer is no speech."""


@dataclass(frozen=True)
class CoquiSynthesizer(Synthesizer):
    """Learns one speaker's voice from labeled clips and speaks letters.

    Glow-TTS without speaker embeddings learns one speaker; on several it learns a mixture that
    sounds like none, so the clips of one are chosen from the lesson. Signs and digits are
    spoken only as far as the lesson held them: spell numbers out in the texts.
    """

    start: Path | None = None
    """Weights of a Coqui Glow-TTS voice to adapt in the first round, its `config.json` beside
    them; its sizes and sample rate then replace those below. None learns from nothing."""
    speaker: str | None = None
    """Whose voice to learn; None goes on with the earlier voice's speaker where the lesson has
    enough of that one, and else takes whoever speaks most."""
    sample_rate: int = 8000
    """Hertz. Telephone speech holds nothing above 4 kHz, and a voice that need not learn the
    silence up there learns sooner; take 16000 or 22050 for other recordings."""
    hidden: int = 128
    """Channels of the text encoder, the duration predictor and the flow; an even number."""
    blocks: int = 8
    """Blocks of the flow."""
    layers: int = 3
    """Layers of every block of the flow, and of the text encoder."""
    steps: int = 1500
    """Updates; from nothing a voice is usable after some thousands, adapted sooner."""
    batch: int = 24
    """Clips in an update."""
    learning_rate: float = 1e-3
    """Constant: Coqui's own schedule steps once an epoch and stays near 0 on a small lesson."""
    noise: float = 0.33
    """Spread of the prosody and timbre that are drawn for every text; 0 is flat and even."""
    speed: float = 1.0
    """How fast it speaks; 2 is twice as fast."""
    save_every: int = unsigned(50)
    """Steps between checkpoints: what a kill may cost."""

    def __post_init__(self) -> None:
        if (
            min(self.steps, self.batch, self.hidden, self.blocks, self.layers) < 1
            or self.hidden % 2
        ):
            raise ValueError(
                "steps, batch, hidden, blocks and layers are 1 or more, hidden is even"
            )
        if not 8000 <= self.sample_rate <= 48000 or not self.speed > 0 or not self.noise >= 0:
            raise ValueError("sample_rate is 8000 to 48000, speed above 0 and noise not below 0")

    def train(
        self,
        start: Checkpoint | None,
        lesson: Manifest,
        texts: Manifest,
        champion: Listener,
        out: Path,
        seed: int,
    ) -> Checkpoint:
        """Train with Coqui's trainer; killed, it goes on from the last checkpoint, unchanged.

        Raises ConfigError where the lesson is too small or `start` is another kind of voice, and
        EngineError where the loss is not a number or the trainer fails.
        """
        resume = out / "resume"
        if not (out / voice.WEIGHTS).exists():
            out.mkdir(parents=True, exist_ok=True)
            watch = training.Watch(out / "training.jsonl", self.steps)
            with voice.captured(out / "train.log"), voice.seeded(seed):
                earlier = start.location / voice.WEIGHTS if start else self.start
                model = voice.load(earlier) if earlier else None
                learned = model.config.speakers[0] if model and model.config.speakers else None
                clips = training.of_one_speaker(lesson, self.speaker, learned)
                model = self._configured(model, clips, texts)
                samples = training.write_clips(clips, resume / "clips", model.ap)
                self._fit(model, samples, resume, seed, watch)
                voice.save(model, out)
        shutil.rmtree(resume, ignore_errors=True)
        return Checkpoint(engine=self.name, location=out)

    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        """Speak in batches of like length inside a window; the noise is seeded by the id."""
        with voice.captured(), voice.seeded(0):  # building it draws weights, to be overwritten
            model = voice.load(checkpoint.location / voice.WEIGHTS)
        model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        model.store_inverse()
        speaker = next(iter(model.config.speakers), None)
        for window in windows(texts):
            said = self._say(model, window)
            for text, samples in zip(window, said, strict=True):
                spoken = replace(text, origin="synthetic", made_by=self.name, speaker=speaker)
                if isinstance(samples, str):
                    yield replace(spoken, error=samples)
                    continue
                path = out / f"{text.id}.wav"
                duration = audio.write(audio.resample(samples, model.ap.sample_rate), path)
                yield replace(spoken, audio_filepath=path, duration=duration)

    def _configured(
        self, model: Model | None, clips: Sequence[Utterance], texts: Manifest
    ) -> Model:
        """A new voice of the sizes asked for, or the earlier one with room for more letters."""
        heard = {voice.spelled(each.text or "") for each in clips}
        asked = (voice.spelled(each.text or "") for each in texts)
        characters = voice.alphabet(heard, asked)
        if unheard := sorted(set(characters) - set("".join(heard)) - voice.known(model)):
            log.warning("letters of the texts that no clip holds: %s", " ".join(unheard))
        if model is None:
            sizes = self.sample_rate, self.hidden, self.blocks, self.layers
            model = voice.create(*sizes, characters)
        model = voice.extend(model, characters)
        model.config.speakers = [clips[0].speaker] if clips[0].speaker else []
        return model

    def _fit(
        self,
        model: Model,
        samples: list[training.Sample],
        resume: Path,
        seed: int,
        watch: training.Watch,
    ) -> None:
        config = model.config
        config.batch_size, config.lr, config.lr_scheduler = self.batch, self.learning_rate, None
        config.epochs, config.save_step, config.run_eval = 1, self.save_every, False
        config.test_delay_epochs = 1  # there is one epoch, number 0: nothing is spoken in it
        trainer = training.WellBehavedTrainer(model, samples, resume, seed, watch)
        watch.going_on_from(trainer.total_steps_done)
        try:
            trainer.train(self.steps)
        except RuntimeError as cause:
            raise EngineError(
                f"training the voice failed at step {trainer.total_steps_done}: {cause}; see "
                f"{resume.with_name('train.log')}; against NaN try a smaller learning_rate"
            ) from cause

    def _say(self, model: Model, texts: Sequence[Utterance]) -> list[audio.Samples | str]:
        """Samples at the voice's rate for every text, or why there are none."""
        letters = [voice.readable(model, each.text or "") for each in texts]
        said: list[audio.Samples | str] = [voice.unspeakable(model, each) for each in letters]
        able = [place for place, error in enumerate(said) if not error]
        able.sort(key=lambda place: len(letters[place]))
        for first in range(0, len(able), SPOKEN_TOGETHER):
            places = able[first : first + SPOKEN_TOGETHER]
            seeds = [speak.seed_of(texts[place].id) for place in places]
            ids = [model.tokenizer.text_to_ids(letters[place]) for place in places]
            mels = speak.mels(model, ids, seeds, self.noise, self.speed, LONGEST)
            with ThreadPoolExecutor(torch.get_num_threads()) as cores:  # numpy lets go of the lock
                spoken = list(cores.map(partial(_spoken, model), mels, seeds))
            for place, samples in zip(places, spoken, strict=True):
                said[place] = samples
        return said


def _spoken(model: Model, mel: speak.Mel | None, seed: int) -> audio.Samples | str:
    if mel is None:
        return f"spoken, it would take more than {LONGEST:g} s"
    seconds = mel.shape[1] * model.ap.hop_length / model.ap.sample_rate
    if seconds < SHORTEST:
        return f"spoken, it takes only {seconds:.2f} s"
    samples = speak.vocode(model, mel, seed)
    return training.leveled(samples) if np.isfinite(samples).all() else "no speech came out"
