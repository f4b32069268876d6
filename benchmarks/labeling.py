"""Labeling speed and accuracy of this package and of other Whisper implementations.

python benchmarks/labeling.py [CLIPS] [--threads N] [--only NAME ...]     (needs the extra `peers`)

All use the same weights and the same clips: Italian telephone prompts of the held-out sets, and the
same prompts joined to 30 s. The systems take turns, a few clips each, so that other work on the
machine slows all of them alike. Each first decodes a few clips that are not counted. Ours decodes
with a margin of 5 s, as untouched weights do when they label a pool.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

TURN = 32
"""Clips that one system transcribes before the next one does."""
WARM = 2
"""Clips for warming up."""
BATCH = 8


class Clip(NamedTuple):
    path: Path
    samples: object
    text: str


class Result(NamedTuple):
    """Times and transcripts of one system."""

    seconds: list[float]
    """Seconds of each turn; later its speed, as a multiple of real time."""
    pairs: list[tuple[str, str]]
    """Normalized reference and transcript of each clip."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="?", type=int, default=96)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import torch

    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        clips = _load_clips(options.clips)
        systems = dict(_build_systems(Path(folder), options.threads, options.only))
        _print_table("short clips", _run_in_turns(systems, clips, TURN))
        windows = list(_write_joined_clips(clips, Path(folder)))
        others = {name: system for name, system in systems.items() if "joined" not in name}
        _print_table("the same, joined to 30 s", _run_in_turns(others, windows, BATCH))


def _load_clips(count: int) -> list[Clip]:
    from twister_loop.audio import io as audio
    from twister_loop.data.corpora._base import Corpus

    clips = []
    for split in ("test", "development"):
        for prompt in Corpus.build({"use": "ivr", "split": split}).utterances():
            if prompt.text and not prompt.error and prompt.audio_filepath:
                samples = audio.load_utterance(prompt)
                clips.append(Clip(prompt.audio_filepath, samples, prompt.text))
    return clips[: count + WARM]


def _join(clips: Sequence[Clip]) -> Iterator[Clip]:
    """Yield clips joined to 30 s, in memory only."""
    import peers

    for group in peers.group_clips([clip.samples for clip in clips]):
        samples = peers.join_clips([clips[place].samples for place in group])
        text = " ".join(clips[place].text for place in group)
        yield Clip(clips[group[0]].path, samples, text)


def _write_joined_clips(clips: Sequence[Clip], folder: Path) -> Iterator[Clip]:
    from twister_loop.audio import io as audio

    for number, clip in enumerate(_join(clips)):
        path = folder / f"joined-{number}.wav"
        audio.write(clip.samples, path)
        yield clip._replace(path=path)


def _build_systems(
    scratch: Path, threads: int, only: Sequence[str] | None
) -> Iterator[tuple[str, Callable[[Sequence[Clip]], list[str]]]]:
    import peers

    from twister_loop.asr._precision import resolve_dtype
    from twister_loop.asr.whisper import weights as _whisper_weights

    base = _whisper_weights.locate_weights("openai/whisper-base")
    weights, lang = base.location, "it"
    systems = {
        "ours, whisper": lambda: _ours({"use": "whisper"}, base, lang),
        "ours, ctranslate2": lambda: _ours({"use": "ctranslate2"}, base, lang),
        "transformers pipeline": lambda: peers.pipeline(
            weights, lang, BATCH, resolve_dtype("auto")
        ),
        "openai-whisper": lambda: peers.openai(weights, lang),
        "faster-whisper": lambda: peers.faster(weights, scratch, lang, threads),
        "faster-whisper, batched": lambda: peers.faster_batched(
            weights, scratch, lang, threads, BATCH
        ),
        "faster-whisper, chunks of 15 s": lambda: peers.faster(
            weights, scratch, lang, threads, chunk_length=15
        ),
        "faster-whisper, clips joined": lambda: peers.faster(weights, scratch, lang, threads),
        "whisper.cpp": lambda: peers.cpp(weights, scratch, lang, threads, False),
        "whisper.cpp, context cut": lambda: peers.cpp(weights, scratch, lang, threads, True),
    }
    for name, build in systems.items():
        if not only or name in only:
            system = build()
            yield name, system if name.startswith("ours") else _with_samples(system)


def _with_samples(
    system: Callable[[Sequence[object]], list[str]],
) -> Callable[[Sequence[Clip]], list[str]]:
    """Return a system for samples as one for clips."""
    return lambda clips: system([clip.samples for clip in clips])


def _ours(spec: dict[str, str], base: object, lang: str) -> Callable[[Sequence[Clip]], list[str]]:
    from twister_loop import Utterance
    from twister_loop.asr._base import Recognizer

    recognizer = Recognizer.build(spec)

    def transcribe(clips: Sequence[Clip]) -> list[str]:
        speech = [
            Utterance(
                id=str(number), audio_filepath=clip.path, duration=len(clip.samples) / 16_000,
                lang=lang,
            )
            for number, clip in enumerate(clips)
        ]  # fmt: skip
        return [utterance.pred_text or "" for utterance in recognizer.transcribe(base, speech)]

    return transcribe


def _run_in_turns(
    systems: dict[str, Callable[[Sequence[Clip]], list[str]]], clips: Sequence[Clip], size: int
) -> dict[str, Result]:
    from twister_loop.text.normalizers.basic import Basic

    basic = Basic()
    results = {name: Result([], []) for name in systems}
    turns = [clips[:WARM]]
    turns += [clips[first : first + size] for first in range(WARM, len(clips) - size + 1, size)]
    for number, turn in enumerate(turns):
        names = list(systems)
        # Another system begins each turn, so that none always follows the same one.
        for name in names[number % len(names) :] + names[: number % len(names)]:
            inputs = list(_join(turn)) if "joined" in name else turn
            began = time.perf_counter()
            transcripts = systems[name](inputs)
            seconds = time.perf_counter() - began
            if number:  # the first turn is for warming up
                results[name].seconds.append(seconds)
                references = (clip.text for clip in inputs)
                results[name].pairs.extend(
                    (basic.normalize(reference, "it"), basic.normalize(transcript, "it"))
                    for reference, transcript in zip(references, transcripts, strict=True)
                )
        sys.stderr.write(f"turn {number + 1} of {len(turns)}\n")
    audio = [sum(len(clip.samples) for clip in turn) / 16_000 for turn in turns[1:]]
    sys.stdout.write(f"\n{sum(audio):.0f} s of speech in {len(audio)} turns\n")
    speeds = {
        name: [length / seconds for length, seconds in zip(audio, result.seconds, strict=True)]
        for name, result in results.items()
    }
    return {name: Result(speeds[name], result.pairs) for name, result in results.items()}


def _print_table(title: str, results: dict[str, Result]) -> None:
    from twister_loop.evaluation import metrics

    sys.stdout.write(f"\n| {title} | times real time | of ours | CER | WER |\n")
    sys.stdout.write("|---|---|---|---|---|\n")
    ours = results.get("ours, ctranslate2") or next(iter(results.values()))
    for name, result in results.items():
        # Turn by turn, as both had the same clips and the same other work on the machine.
        ratio = statistics.median(
            speed / our_speed for speed, our_speed in zip(result.seconds, ours.seconds, strict=True)
        )
        characters = metrics.sum_counts(
            [metrics.count_character_errors(*pair) for pair in result.pairs]
        )
        words = metrics.sum_counts([metrics.count_word_errors(*pair) for pair in result.pairs])
        sys.stdout.write(
            f"| {name} | {statistics.median(result.seconds):.1f} | {ratio:.2f} | "
            f"{100 * characters.rate:.1f} | {100 * words.rate:.1f} |\n"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
