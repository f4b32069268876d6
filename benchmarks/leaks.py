"""Leaks: which texts and recordings are found, what stays, and how fast both are looked for.

    python benchmarks/leaks.py texts       the cases of tests/leaked_texts.tsv
    python benchmarks/leaks.py speed       lines a second, with 500, 5,000 and 20,000 held-out texts
    python benchmarks/leaks.py recall      changed copies of 3,000 of 20,000 held-out texts
    python benchmarks/leaks.py recordings  copies of the Italian held-out prompts, and other prompts

`PYTHONPATH=CHECKOUT` measures another version of the package with the same cases; it needs `texts`,
`speed` and `recordings` only. Times are of the processor, so that other work beside it counts less.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

# Last, so that another version of the package can be put before it by PYTHONPATH.
sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[1] / "tests"))

from leak_cases import COPIES, LEAKED_TEXTS, NEIGHBOR_TEXTS, TextCase, pad

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.audio.io import Samples
from twister_loop.core.manifest import Manifest
from twister_loop.data.corpora.ivr import Ivr
from twister_loop.errors import LeakError
from twister_loop.evaluation.outcomes import HeldOutSet
from twister_loop.pipeline.leak_check import check_leaks
from twister_loop.text.contamination import HeldOutTexts

LINES = 20_000
HELD_OUT = 500, 5_000, 20_000
WORDS, MEAN_WORDS = 50_000, 10
HAN = 4_000
"""Characters of the simulated texts without spaces, from the most frequent on."""
CONSONANTS, VOWELS = list("bcdfglmnprstvz"), list("aeiou")
DURATIONS = (0.0, 0.75, 1.5, float("inf"))
"""Bounds of the lengths that are told apart, in seconds."""


def write(line: object) -> None:
    """Write a line of the report at once, since some take minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def search(index: HeldOutTexts, utterances: Sequence[Utterance]) -> list[bool]:
    """Return a flag by utterance: True if its text is near to a held-out one."""
    if hasattr(index, "find_near_duplicates"):
        return list(map(bool, index.find_near_duplicates(utterances)))
    return [index.is_near_duplicate(utterance) for utterance in utterances]


def report_texts() -> None:
    """Print the cases that are not as they should be, and count the others."""
    for title, cases, is_leak in (
        ("leaks", LEAKED_TEXTS, True),
        ("neighbors", NEIGHBOR_TEXTS, False),
    ):
        wrong = [case for case in cases if _is_near(case) is not is_leak]
        write(f"{title}: {len(cases) - len(wrong)} of {len(cases)} as they should be")
        for case in wrong:
            write(f"  {case.lang} {case.kind}: {case.held_out!r} and {case.text!r}")


def _is_near(case: TextCase) -> bool:
    held_out = [Utterance(id="h", text=case.held_out, lang=case.lang)]
    return search(HeldOutTexts(held_out), [Utterance(id="t", text=case.text, lang=case.lang)])[0]


def report_speed() -> None:
    """Print lines a second for texts with spaces, without them, and with numbers in a tenth."""
    for title, lang in (("with spaces", "it"), ("unspaced", "zh"), ("a tenth with digits", "it")):
        vocabulary = make_vocabulary(lang)
        texts = list(draw_texts(LINES + max(HELD_OUT), vocabulary, lang))
        if "digits" in title:
            texts = [f"{text} {n}" if n % 10 == 0 else text for n, text in enumerate(texts)]
        for count in HELD_OUT:
            held_out = [Utterance(id=str(n), text=text, lang=lang) for n, text in enumerate(texts)]
            began = time.process_time()
            index = HeldOutTexts(held_out[:count])
            built = time.process_time() - began
            lines = held_out[max(HELD_OUT) :]
            # The version before takes minutes for all of them.
            lines = lines if hasattr(index, "find_near_duplicates") else lines[:2_000]
            began = time.process_time()
            near = sum(search(index, lines))
            speed = len(lines) / (time.process_time() - began)
            write(
                f"{title}, {count} held out: {speed:.0f} lines/s, {near} near; index {built:.1f} s"
            )


def make_vocabulary(lang: str) -> list[str]:
    """Return words, the most frequent and shortest ones first; characters for Chinese."""
    if lang == "zh":
        return [chr(0x4E00 + number) for number in range(HAN)]
    rng = np.random.default_rng(0)
    words = dict[str, None]()
    while len(words) < WORDS:
        syllables = 1 + int(np.log(len(words) + 2) / 3.2 + rng.random() * 1.2)
        word = "".join(
            str(rng.choice(CONSONANTS))
            + str(rng.choice(VOWELS))
            + ("" if rng.random() < 0.7 else str(rng.choice(CONSONANTS)))
            for _ in range(syllables)
        )
        words.setdefault(word)
    return list(words)


def draw_texts(count: int, vocabulary: Sequence[str], lang: str) -> Iterable[str]:
    """Yield texts of 1 to 19 words, or of 4 to 39 characters, by Zipf's law."""
    rng = np.random.default_rng(1)
    shares = 1 / np.arange(1, len(vocabulary) + 1)
    lengths = rng.integers(4, 40, count) if lang == "zh" else rng.integers(1, 2 * MEAN_WORDS, count)
    places = iter(rng.choice(len(vocabulary), int(lengths.sum()), p=shares / shares.sum()))
    for length in lengths:
        words = [vocabulary[next(places)] for _ in range(length)]
        yield "".join(words) if lang == "zh" else " ".join(words).capitalize() + "."


def report_recall() -> None:
    """Print the share of changed copies that are found among 20,000 held-out texts."""
    vocabulary, rng = make_vocabulary("it"), random.Random(2)
    texts = [text for text in draw_texts(28_000, vocabulary, "it") if len(text.split()) >= 5]
    held_out = texts[: max(HELD_OUT)]
    index = HeldOutTexts(Utterance(id=text, text=text, lang="it") for text in held_out)
    changes: dict[str, Callable[[list[str]], list[str]]] = {
        "a third of the words replaced": lambda words: _replace(words, rng, vocabulary),
        "a letter in every word of four": lambda words: [_misspell(word, rng) for word in words],
        "words in any order": lambda words: rng.sample(words, len(words)),
        "between 12 and 9 frequent words": lambda words: [
            *rng.choices(vocabulary[:500], k=12), *words, *rng.choices(vocabulary[:500], k=9)
        ],
        "without spaces": lambda words: ["".join(words)],
    }  # fmt: skip
    for title, change in changes.items():
        copies = [" ".join(change(text.split())) for text in held_out[:3_000]]
        lines = [Utterance(id=text, text=text, lang="it") for text in copies]
        matches = index.find_near_duplicates(lines)
        matched_lines = sum(number in numbers for number, numbers in enumerate(matches))
        write(f"{title}: {matched_lines / len(lines):.1%} found")


def _replace(words: list[str], rng: random.Random, vocabulary: list[str]) -> list[str]:
    places = set(rng.sample(range(len(words)), len(words) // 3))
    return [rng.choice(vocabulary) if n in places else word for n, word in enumerate(words)]


def _misspell(word: str, rng: random.Random) -> str:
    place = rng.randrange(len(word))
    return f"{word[:place]}x{word[place + 1 :]}" if len(word) > 3 else word


def report_recordings() -> None:
    """Print how many copies of every kind are found, and whether the real pool is refused."""
    held_out = [prompt for split in ("development", "test") for prompt in _read(split)]
    pool = [*_read("pool"), *_read("second_speaker")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.process_time()
        outcome = "refused" if is_refused(pool, held_out, folder) else "no leak"
        minutes = sum(prompt.duration for prompt in [*pool, *held_out]) / 60
        speed = 60 * minutes / (time.process_time() - began)
        write(
            f"pool of {len(pool)} prompts: {minutes:.0f} min at {speed:.0f} x real time, {outcome}"
        )
        around = np.concatenate([audio.load_utterance(prompt) for prompt in pool[:30]])
        within = {
            f"{title}, within 40 s": copy._replace(change=_insert(copy.change, around))
            for title, copy in COPIES.items()
            if title in ("the same", "first half", "mu-law")
        }
        for title, copy in {**COPIES, **within}.items():
            counts = []
            for low, high in itertools.pairwise(DURATIONS):
                prompts = [prompt for prompt in held_out if low <= prompt.duration < high][:20]
                refused = 0
                for prompt in prompts:
                    path = folder / f"copy.{copy.codec[0].lower()}"
                    samples = copy.change(audio.load_utterance(prompt))
                    samples = audio.resample(samples, audio.SAMPLE_RATE, copy.rate)
                    form, subtype = copy.codec
                    soundfile.write(path, samples, copy.rate, format=form, subtype=subtype)
                    duration = audio.read_duration(path)
                    written = Utterance(id="copy", audio_filepath=path, duration=duration)
                    refused += is_refused([written], [prompt], folder)
                counts.append(f"{refused} of {len(prompts)}")
            write(
                f"{title}: {', '.join(counts)} under {DURATIONS[1]} s, {DURATIONS[2]} s, and longer"
            )


def _insert(change: Callable[[Samples], Samples], around: Samples) -> Callable[[Samples], Samples]:
    half = 20 * audio.SAMPLE_RATE
    return lambda samples: np.concatenate(
        [around[:half], change(samples), pad(around[half : 2 * half], 0.3, 0)]
    )


def _read(split: Any) -> list[Utterance]:
    return list(Ivr(split=split).utterances())


def is_refused(pool: Sequence[Utterance], held_out: Sequence[Utterance], folder: Path) -> bool:
    """Return whether a plan with this pool and these held-out recordings would be refused."""
    lists = [
        Manifest.write(speech, folder / name) for speech, name in ((pool, "a"), (held_out, "b"))
    ]
    try:
        check_leaks(training={"pool": lists[0]}, sets={"test": HeldOutSet("test", lists[1])})
    except LeakError as error:
        if len(pool) > 1:
            write(error)
        return True
    return False


REPORTS = {
    "texts": report_texts,
    "speed": report_speed,
    "recall": report_recall,
    "recordings": report_recordings,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("reports", nargs="+", choices=list(REPORTS))
    logging.disable()
    for name in parser.parse_args().reports:
        REPORTS[name]()


if __name__ == "__main__":
    main()
