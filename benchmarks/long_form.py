"""Error rate and speed on recordings of minutes, of this package and of other implementations.

python benchmarks/long_form.py [--languages it en fr] [--minutes 1 2 5 10] [--seed N]
    [--splits pool_references ...] [--only NAME ...]       (needs the extra `peers`)

Telephone prompts with known texts are joined to recordings, with pauses of 0.3 to 2 s between them
that are cut from quiet parts of the same speaker's prompts. All systems use the same weights in
float32, decode greedily, and fall back to higher temperatures by their own rules. They take turns,
one recording each, on one core. Texts are compared after Whisper's own normalizer.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

Transcribe = Callable[["Recording"], str]
PAUSE_SECONDS = (0.3, 2.0)
FRAME = 0.05
"""Seconds over which the level of a prompt is measured, to find its quiet parts."""


class Recording(NamedTuple):
    lang: str
    path: Path
    samples: object
    text: str
    minutes: int


class Result(NamedTuple):
    minutes: int
    lang: str
    errors: int
    words: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--languages", nargs="+", default=["it", "en", "fr"])
    parser.add_argument("--minutes", nargs="+", type=int, default=[1, 2, 5, 10])
    parser.add_argument("--splits", nargs="+", default=["pool_references"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        recordings = [
            join_prompts(lang, minutes, options.splits, options.seed, scratch)
            for minutes in options.minutes
            for lang in options.languages
        ]
        systems = dict(build_systems(scratch, options.only))
        results: dict[str, list[Result]] = defaultdict(list)
        for number, recording in enumerate(recordings):
            names = list(systems)
            # Another system begins each turn, so that none always follows the same one.
            for name in names[number % len(names) :] + names[: number % len(names)]:
                began = time.process_time()
                text = systems[name](recording)
                seconds = time.process_time() - began
                errors, words = count_errors(recording, text)
                result = Result(recording.minutes, recording.lang, errors, words, seconds)
                results[name].append(result)
                sys.stderr.write(f"{name}: {result}\n")
        print_table(results, recordings)


def join_prompts(
    lang: str, minutes: int, splits: Sequence[str], seed: int, folder: Path
) -> Recording:
    """Return prompts in a random order, with pauses, until they last so many minutes."""
    import numpy as np

    from twister_loop.audio import io as audio
    from twister_loop.data.corpora._base import Corpus

    prompts = [
        prompt
        for split in splits
        for prompt in Corpus.build({"use": "ivr", "split": split, "lang": lang}).utterances()
        if prompt.text and not prompt.error
    ]
    rng = random.Random(f"{seed} {lang} {minutes}")
    rng.shuffle(prompts)
    parts, texts, length = [], [], 0
    for prompt in prompts * 2:  # the last recordings of a small split repeat some prompts
        samples = audio.load_utterance(prompt)
        pause = quiet_part(samples, round(rng.uniform(*PAUSE_SECONDS) * audio.SAMPLE_RATE))
        if length + len(samples) + len(pause) > 60 * minutes * audio.SAMPLE_RATE:
            break
        parts += [samples, pause]
        texts.append(prompt.text or "")
        length += len(samples) + len(pause)
    joined = np.concatenate(parts)
    path = folder / f"{lang}-{minutes}.wav"
    audio.write(joined, path)
    return Recording(lang, path, audio.read(path), " ".join(texts), minutes)


def quiet_part(samples: object, length: int) -> object:
    """Return the quietest frame of a prompt, forwards and backwards, for so many samples."""
    import numpy as np

    frame = round(FRAME * 16_000)
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(samples), frame)[:: frame // 2]
    quietest = frames[int(np.square(frames).mean(axis=1).argmin())]
    there_and_back = np.concatenate([quietest, quietest[::-1]])
    return np.tile(there_and_back, -(-length // len(there_and_back)))[:length]


def build_systems(scratch: Path, only: Sequence[str] | None) -> Iterator[tuple[str, Transcribe]]:
    import peers

    from twister_loop.asr.whisper import weights as whisper_weights

    weights = whisper_weights.locate_weights("openai/whisper-base").location
    greedy = {"beam_size": 1, "best_of": 1}
    systems: dict[str, Callable[[], Transcribe]] = {
        "ours, sequential": lambda: ours({"use": "whisper"}),
        "ours, sequential without the previous text": lambda: ours(
            {"use": "whisper", "condition_on_previous_text": False}
        ),
        "ours, by segments": lambda: ours({"use": "whisper", "long_form": "segments"}),
        "ours, sequential in ctranslate2": lambda: ours(
            {"use": "ctranslate2", "compute_type": "float32"}
        ),
        "openai-whisper": lambda: openai(peers.openai_model(weights)),
        "faster-whisper": lambda: faster(peers.faster_model(weights, scratch, 1), greedy),
        "faster-whisper, batched": lambda: faster_batched(
            peers.faster_model(weights, scratch, 1), greedy
        ),
    }
    for name, build in systems.items():
        if not only or name in only:
            yield name, build()


def ours(spec: dict[str, object]) -> Transcribe:
    """Return a recognizer of this package; `whisper` is loaded once, as the others are."""
    import torch

    from twister_loop.asr._base import Recognizer
    from twister_loop.asr.whisper import transcription
    from twister_loop.asr.whisper.model import Whisper
    from twister_loop.core.types import Utterance

    recognizer = Recognizer.build(spec)
    checkpoint = recognizer.initial_checkpoint()
    decode = recognizer.transcribe
    if spec["use"] == "whisper":
        model = Whisper.load(checkpoint.location, torch.float32)

        def decode(_: object, speech: Sequence[Utterance]) -> Iterator[Utterance]:
            return transcription.transcribe(recognizer, model, speech)

    def transcribe(recording: Recording) -> str:
        utterance = Utterance(
            id="0",
            audio_filepath=recording.path,
            duration=len(recording.samples) / 16_000,
            lang=recording.lang,
        )
        [transcribed] = decode(checkpoint, [utterance])
        return transcribed.pred_text or ""

    return transcribe


def openai(model: object) -> Transcribe:
    return lambda recording: model.transcribe(
        recording.samples, language=recording.lang, fp16=False
    )["text"]


def faster(model: object, greedy: dict[str, int]) -> Transcribe:
    return lambda recording: "".join(
        segment.text for segment in model.transcribe(recording.samples, recording.lang, **greedy)[0]
    )


def faster_batched(model: object, greedy: dict[str, int]) -> Transcribe:
    from faster_whisper import BatchedInferencePipeline

    return faster(BatchedInferencePipeline(model), greedy)


def count_errors(recording: Recording, text: str) -> tuple[int, int]:
    """Return the word errors of a transcript and the words of its text."""
    from twister_loop.evaluation import metrics
    from twister_loop.text.normalizers._base import Normalizer

    # Whisper's paper has one for English and one for all other languages.
    name = "whisper_english" if recording.lang == "en" else "whisper_basic"
    normalizer = Normalizer.build({"use": name})
    reference, hypothesis = (
        normalizer.normalize(words, recording.lang) for words in (recording.text, text)
    )
    count = metrics.count_word_errors(reference, hypothesis)
    return count.errors, count.length


def print_table(results: dict[str, list[Result]], recordings: Sequence[Recording]) -> None:
    """Print word error rates by length and language, and speed over all recordings."""
    groups: list[tuple[str, Callable[[Result], bool]]] = [
        (f"{minutes} min", lambda result, minutes=minutes: result.minutes == minutes)
        for minutes in dict.fromkeys(recording.minutes for recording in recordings)
    ]
    groups += [
        (lang, lambda result, lang=lang: result.lang == lang)
        for lang in dict.fromkeys(recording.lang for recording in recordings)
    ]
    groups.append(("all", lambda result: True))
    audio_seconds = sum(len(recording.samples) for recording in recordings) / 16_000
    header = [f"WER {name}" for name, _ in groups]
    sys.stdout.write(f"| {' | '.join(['', *header, 'times real time'])} |\n")
    sys.stdout.write(f"|{'---|' * (len(groups) + 2)}\n")
    for name, system_results in results.items():
        cells = []
        for _, belongs in groups:
            chosen = [result for result in system_results if belongs(result)]
            errors = sum(result.errors for result in chosen)
            cells.append(f"{100 * errors / sum(result.words for result in chosen):.2f}")
        speed = audio_seconds / sum(result.seconds for result in system_results)
        sys.stdout.write(f"| {' | '.join([name, *cells, f'{speed:.1f}'])} |\n")


if __name__ == "__main__":
    main()
