"""Synthetic speech as untouched Whisper base hears it: styles of Kokoro, and the pool's channel.

python benchmarks/voices.py styles configs/texts/ivr.fr.txt fr jm_kumo jm_kumo:0.5+jf_gongitsune
    CER of 12 texts of the file in each style, or mixture of two with the share of the first
python benchmarks/voices.py channel runs/fr/round-01 kokoro
    distance of the texts of a voice's trial to the spectrum of the pool, and their CER, before and
    after; the voice has its default options

Both take the transcripts of CTranslate2, or of PyTorch with TWISTER_ENGINE=whisper.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from twister_loop.asr._base import Recognizer
from twister_loop.audio import io as audio
from twister_loop.audio.recording_channel import (
    ChannelMeasurement,
    apply_channel,
    average_channels,
    measure_channel,
    measure_distance,
)
from twister_loop.audio.resampling import resample
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.evaluation import metrics
from twister_loop.pipeline.stage_table import POOL, VOICE, VOICE_TRIAL
from twister_loop.pipeline.stages.pool_channel import SHORTEST_CLIP, average_neighbors
from twister_loop.tts import _espeak, _kokoro
from twister_loop.tts._base import Synthesizer
from twister_loop.tts._drawing import make_generator

TEXTS = 12
TEXT_LENGTHS = range(30, 81)
"""Characters of the texts: shorter ones have too few, longer ones take too long."""
POOL_CLIPS = 160
"""Clips of the pool: one half gives channels, speech is compared with the other half."""


def count_errors(speech: Sequence[Utterance]) -> str:
    """Return CER and WER of untouched Whisper base on speech, in percent."""
    asr = Recognizer.build({"use": os.environ.get("TWISTER_ENGINE", "ctranslate2")})
    transcribed = list(asr.transcribe(asr.initial_checkpoint(), speech))
    rates = [
        metrics.sum_counts(
            [metrics.count_utterance_errors(utterance, measure) for utterance in transcribed]
        ).rate
        for measure in ("characters", "words")
    ]
    return "CER {:.1f} WER {:.1f}".format(*(100 * rate for rate in rates))


def report_styles(texts_file: Path, lang: str, styles: Sequence[str]) -> None:
    """Print the error rates of each style on the same texts, at the model's own speed."""
    lines = [line for line in texts_file.read_text().splitlines() if not line.startswith("#")]
    suitable = [line for line in lines if len(line) in TEXT_LENGTHS]
    texts = random.Random(21).sample(suitable, TEXTS)
    kokoro, voice = _kokoro.load(), _espeak.find_voice(lang) or ""
    phonemes = [kokoro.fit_signs(_espeak.phonemize(text, voice))[0] for text in texts]
    with tempfile.TemporaryDirectory() as folder:
        for style in styles:
            first, _, second = style.partition("+")
            name, _, share = first.partition(":")
            names, weights = [name], [1.0]
            if second:
                names, weights = [name, second], [float(share), 1 - float(share)]
            vector = _kokoro.mix_styles([kokoro.styles[name] for name in names], weights)
            speech = []
            for number, (text, signs) in enumerate(zip(texts, phonemes, strict=True)):
                path = Path(folder) / f"{style}-{number}.wav"
                samples = resample(kokoro.synthesize(signs, vector, 1.0), _kokoro.SAMPLE_RATE)
                speech.append(
                    Utterance(
                        id=path.stem,
                        text=text,
                        lang=lang,
                        audio_filepath=path,
                        duration=audio.write(samples, path),
                    )
                )
            write_line(f"{lang} {style:<28} {count_errors(speech)}")


def report_channel(round_folder: Path, voice: str) -> None:
    """Print what a voice's clips have of the pool before and after they get its channel."""
    pool = [
        utterance
        for utterance in Manifest.load(POOL.path(round_folder))
        if utterance.duration >= SHORTEST_CLIP and not utterance.error
    ]
    clips = random.Random(3).sample(pool, min(POOL_CLIPS, len(pool)))
    half = len(clips) // 2
    donors = list(measure(clips[:half]))
    target = average_channels(list(measure(clips[half:])))
    checkpoint = Checkpoint.load(VOICE.path(round_folder, voice=voice))
    synthesizer = Synthesizer.build({"use": checkpoint.engine})
    channels = list(average_neighbors(donors))
    with tempfile.TemporaryDirectory() as folder:
        # Spoken anew: the clips of a round have the channel already.
        texts = Manifest.load(VOICE_TRIAL.path(round_folder, voice=voice))
        spoken = synthesizer.synthesize(checkpoint, texts, Path(folder) / "studio")
        studio = [utterance for utterance in spoken if not utterance.error]
        source = average_channels(list(measure(studio)))
        through = []
        for utterance in studio:
            generator = make_generator(f"channel of {utterance.id}")
            channel = channels[generator.integers(len(channels))]
            path = Path(folder) / f"{utterance.id}.wav"
            samples = apply_channel(audio.load_utterance(utterance), source, channel, generator)
            audio.write(samples, path)
            through.append(replace(utterance, audio_filepath=path, offset=0.0))
        for name, speech in (("as synthesized", studio), ("with the channel", through)):
            measured = list(measure(speech))
            write_line(f"{name:<18} {describe(measured, target)} {count_errors(speech)}")
    write_line(f"{'clips of the pool':<18} {describe(donors, target)}")


def measure(speech: Sequence[Utterance]) -> Iterator[ChannelMeasurement]:
    for utterance in speech:
        if measured := measure_channel(audio.load_utterance(utterance)):
            yield measured


def describe(clips: Sequence[ChannelMeasurement], target: ChannelMeasurement) -> str:
    """Return distances to the mean of the pool in decibels, level, noise and band of clips."""
    mean = average_channels(clips)
    of_clips = sum(measure_distance(clip, target) for clip in clips) / len(clips)
    noise = f"{sum(mean.noise) / len(mean.noise):.0f}" if mean.noise else "none"
    return (
        f"{len(clips)} clips: mean {measure_distance(mean, target):.1f} dB and each "
        f"{of_clips:.1f} dB from the pool, level {mean.level:.0f}, noise {noise}, "
        f"band {mean.bandwidth:.0f} Hz"
    )


def write_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "styles":
        report_styles(Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
    else:
        report_channel(Path(sys.argv[2]), sys.argv[3])
