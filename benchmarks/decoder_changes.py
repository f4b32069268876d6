"""What a change of the decoder changes, and whether it makes labels worse.

python benchmarks/decoder_changes.py CORPUS LANGUAGE [--clips 96] [--only NAME ...]

Untouched Whisper base decodes clips of `pool_references` in the full window, which is what the
trial of decoders compares with. Every other decoder is compared with that, and with the references:
less padding, CTranslate2 in int8, and the full window with 20 ms of silence before each clip, which
tells how far the model is from itself.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from twister_loop import Utterance
from twister_loop.asr._base import Recognizer
from twister_loop.audio import io as audio
from twister_loop.core.types import Checkpoint, ErrorCount
from twister_loop.data.corpora._base import Corpus
from twister_loop.evaluation import metrics

FULL = "full window"
MOVED = "full window, moved by 20 ms"
SILENCE_SAMPLES = 320
"""One frame of the encoder at 16 kHz."""
SEED = 13
"""Seed of the clips, and of the draws for the interval."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", help="`ivr` or `fillets`")
    parser.add_argument("lang")
    parser.add_argument("--clips", type=int, default=96)
    parser.add_argument("--only", nargs="*", help="decoders beside the full window")
    options = parser.parse_args()
    spec = {"use": options.corpus, "split": "pool_references"}
    if options.corpus == "ivr":
        spec["lang"] = options.lang
    clips = _draw(Corpus.build(spec).utterances(), options.clips)
    whisper = Recognizer.build({"use": "whisper"})
    ctranslate2 = Recognizer.build({"use": "ctranslate2"})
    decoders = {
        FULL: whisper.full_context(),
        "5 s of padding": replace(whisper, margin=5.0),
        MOVED: whisper.full_context(),
        "10 s of padding": replace(whisper, margin=10.0),
        "CTranslate2 int8, 5 s of padding": replace(ctranslate2, margin=5.0),
        "CTranslate2 int8, full window": ctranslate2.full_context(),
    }
    checkpoint = whisper.initial_checkpoint()
    texts: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, decoder in decoders.items():
            if options.only and name not in (FULL, *options.only):
                continue
            speech = _move(clips, Path(scratch)) if name == MOVED else clips
            began = time.process_time()
            texts[name] = _transcribe(decoder, checkpoint, speech)
            seconds = time.process_time() - began
            _print_row(name, clips, texts[FULL], texts[name], seconds)


def _draw(utterances: Iterable[Utterance], count: int) -> list[Utterance]:
    usable = [clip for clip in utterances if clip.text and clip.audio_filepath and not clip.error]
    return random.Random(SEED).sample(usable, min(count, len(usable)))


def _move(clips: Sequence[Utterance], folder: Path) -> list[Utterance]:
    """Return copies of the clips that begin with 20 ms of silence."""
    moved = []
    for number, clip in enumerate(clips):
        samples = np.pad(audio.load_utterance(clip), (SILENCE_SAMPLES, 0))
        path = folder / f"{number}.wav"
        duration = audio.write(samples, path)
        moved.append(replace(clip, audio_filepath=path, offset=0.0, duration=duration))
    return moved


def _transcribe(
    decoder: Recognizer, checkpoint: Checkpoint, speech: Sequence[Utterance]
) -> list[str]:
    unlabeled = [replace(clip, text=None) for clip in speech]
    return [(clip.pred_text or "").strip() for clip in decoder.transcribe(checkpoint, unlabeled)]


def _print_row(
    name: str,
    clips: Sequence[Utterance],
    full_texts: Sequence[str],
    texts: Sequence[str],
    seconds: float,
) -> None:
    changed = metrics.sum_counts(
        [metrics.count_character_errors(*pair) for pair in zip(full_texts, texts, strict=True)]
    )
    before, after = _count_words(clips, full_texts), _count_words(clips, texts)
    low, high = metrics.percentile_interval_95(metrics.paired_bootstrap(after, before, SEED))
    sys.stdout.write(
        f"{name}: CER {changed.rate:.2%} from the full window, "
        f"WER {metrics.sum_counts(after).rate:.2%} by references, change "
        f"{100 * _change(before, after):+.2f} ({100 * low:+.2f} to {100 * high:+.2f}), "
        f"{seconds:.0f} s of processor time\n"
    )
    sys.stdout.flush()


def _count_words(clips: Sequence[Utterance], texts: Sequence[str]) -> list[ErrorCount]:
    return [
        metrics.count_normalized_errors(clip.text or "", text, clip.lang, "words")
        for clip, text in zip(clips, texts, strict=True)
    ]


def _change(before: Sequence[ErrorCount], after: Sequence[ErrorCount]) -> float:
    return metrics.sum_counts(after).rate - metrics.sum_counts(before).rate


if __name__ == "__main__":
    main()
