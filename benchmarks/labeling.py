"""Labeling beside what else there is: the same clips, the same weights, in turn, errors beside.

python benchmarks/labeling.py [CLIPS] [--threads N] [--only NAME ...]     (needs the extra `peers`)

Every system hears the same few clips before the next clips come, so that all suffer alike from
whatever else the machine does. Before that each hears a few that are not counted. Clips are Italian
telephone prompts of the held-out sets, and the same joined to 30 s. Ours hears as labels are heard
by untouched weights: with a margin of 5 s.
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
"""Clips that one system hears before the next one does."""
WARM = 2
"""Clips that are heard first."""
BATCH = 8


class Clip(NamedTuple):
    path: Path
    samples: object
    text: str


class Result(NamedTuple):
    """What one system needed and made of the clips of all turns."""

    seconds: list[float]
    pairs: list[tuple[str, str]]


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
        clips = _clips(options.clips)
        found = dict(_systems(Path(folder), options.threads, options.only))
        _say("short clips", _in_turns(found, clips, TURN))
        windows = list(_windows(clips, Path(folder)))
        found = {name: hear for name, hear in found.items() if "joined" not in name}
        _say("the same, joined to 30 s", _in_turns(found, windows, BATCH))


def _clips(count: int) -> list[Clip]:
    from twister_loop.audio import io as audio
    from twister_loop.data.corpora._base import Corpus

    found = []
    for split in ("test", "development"):
        for each in Corpus.build({"use": "ivr", "split": split}).utterances():
            if each.text and not each.error and each.audio_filepath:
                found.append(Clip(each.audio_filepath, audio.load_utterance(each), each.text))
    return found[: count + WARM]


def _joined(clips: Sequence[Clip]) -> Iterator[Clip]:
    import peers

    for group in peers.joined([clip.samples for clip in clips]):
        samples = peers.join([clips[place].samples for place in group])
        text = " ".join(clips[place].text for place in group)
        yield Clip(clips[group[0]].path, samples, text)


def _windows(clips: Sequence[Clip], folder: Path) -> Iterator[Clip]:
    from twister_loop.audio import io as audio

    for number, each in enumerate(_joined(clips)):
        path = folder / f"joined-{number}.wav"
        audio.write(each.samples, path)
        yield each._replace(path=path)


def _systems(
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
        "transformers pipeline": lambda: peers.pipeline(weights, lang, BATCH, resolve_dtype("auto")),
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
            hear = build()
            yield name, hear if name.startswith("ours") else _given(hear)


def _given(hear: Callable[[Sequence[object]], list[str]]) -> Callable[[Sequence[Clip]], list[str]]:
    return lambda clips: hear([clip.samples for clip in clips])


def _ours(spec: dict[str, str], base: object, lang: str) -> Callable[[Sequence[Clip]], list[str]]:
    from twister_loop import Utterance
    from twister_loop.asr._base import Recognizer

    recognizer = Recognizer.build(spec)

    def hear(clips: Sequence[Clip]) -> list[str]:
        speech = [
            Utterance(
                id=str(at), audio_filepath=clip.path, duration=len(clip.samples) / 16_000, lang=lang
            )
            for at, clip in enumerate(clips)
        ]
        return [each.pred_text or "" for each in recognizer.transcribe(base, speech)]

    return hear


def _in_turns(
    systems: dict[str, Callable[[Sequence[Clip]], list[str]]], clips: Sequence[Clip], size: int
) -> dict[str, Result]:
    from twister_loop.text.normalizers.basic import Basic

    basic = Basic()
    results = {name: Result([], []) for name in systems}
    turns = [clips[:WARM]]
    turns += [clips[at : at + size] for at in range(WARM, len(clips) - size + 1, size)]
    for number, turn in enumerate(turns):
        names = list(systems)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            given = list(_joined(turn)) if "joined" in name else turn
            began = time.perf_counter()
            heard = systems[name](given)
            took = time.perf_counter() - began
            if number:
                results[name].seconds.append(took)
                said = (clip.text for clip in given)
                pairs = zip(said, heard, strict=True)
                results[name].pairs.extend(
                    (basic.normalize(one, "it"), basic.normalize(other, "it"))
                    for one, other in pairs
                )
        sys.stderr.write(f"turn {number + 1} of {len(turns)}\n")
    audio = [sum(len(c.samples) for c in turn) / 16_000 for turn in turns[1:]]
    sys.stdout.write(f"\n{sum(audio):.0f} s of speech in {len(audio)} turns\n")
    return {
        name: Result([a / s for a, s in zip(audio, each.seconds, strict=True)], each.pairs)
        for name, each in results.items()
    }


def _say(what: str, results: dict[str, Result]) -> None:
    from twister_loop.evaluation import metrics

    sys.stdout.write(f"\n| {what} | times real time | of ours | CER | WER |\n")
    sys.stdout.write("|---|---|---|---|---|\n")
    ours = results.get("ours, ctranslate2") or next(iter(results.values()))
    for name, each in results.items():
        ratio = statistics.median(m / o for m, o in zip(each.seconds, ours.seconds, strict=True))
        letters = metrics.sum_counts(
            [
                metrics.count_character_errors(a.replace(" ", ""), b.replace(" ", ""))
                for a, b in each.pairs
            ]
        )
        words = metrics.sum_counts([metrics.count_word_errors(*pair) for pair in each.pairs])
        sys.stdout.write(
            f"| {name} | {statistics.median(each.seconds):.1f} | {ratio:.2f} | "
            f"{100 * letters.rate:.1f} | {100 * words.rate:.1f} |\n"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
