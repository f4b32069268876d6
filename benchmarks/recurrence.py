"""Labels that recur against the odds: right labels that are dropped, and faults that are found.

The labels are the texts of telephone prompts in Italian (two speakers), French and English, so all
of them are right; many recur. Faults are made: some of the clips get one sentence, a stock phrase
of Whisper in any language or a sentence of the corpus.

python benchmarks/recurrence.py [FILLETS]      (fetches the prompts; three minutes)

FILLETS is a folder with the unpacked Debian packages fillets-ng-data and fillets-ng-data-cs, for
the Czech dialogues of a game beside the prompts.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.core.manifest import Manifest
from twister_loop.data.corpora import ivr
from twister_loop.data.filters._phrases import CLOSING_PHRASES
from twister_loop.data.filters.recurrence import Recurrence

TRIALS = 100
"""Number of draws of the faults in a row."""
FAULTS = (5, 10, 20, 60)
"""Clips that get the same wrong label."""
ANSWERS = 40
"""Clips of each short answer, in recordings with more or less around them."""
MAX_PADDING = 8.0
"""Most seconds around a short answer."""


def write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def read_prompts() -> Iterator[Utterance]:
    """Yield all transcribed prompts; the second Italian speaker's by the names of the first's."""
    for lang, prompt_set in ivr.PROMPT_SETS.items():
        recordings = [r for r in ivr.load_recordings(prompt_set) if not r.problem]
        texts = {recording.name: recording.text for recording in recordings}
        if lang == "it":
            recordings += [r for r in ivr.load_recordings(ivr.MENARDI) if r.name in texts]
        for recording in recordings:
            yield Utterance(
                id=str(recording.audio),
                audio_filepath=recording.audio,
                duration=recording.duration,
                text=texts[recording.name],
                lang=lang,
            )


def read_dialogues(folder: Path) -> Iterator[Utterance]:
    """Yield the Czech dialogues of Fish Fillets, whose scripts hold their texts."""
    recordings = {path.stem: path for path in folder.rglob("sound/*/cs/*.ogg")}
    for script in sorted(folder.rglob("dialogs_cs.lua")):
        lines = script.read_text(encoding="utf-8")
        for name, text in re.findall(r'dialogId\("(.+?)".*\n\s*dialogStr\("(.+?)"\)', lines):
            if path := recordings.pop(name, None):
                duration = audio.measure_duration(path)
                yield Utterance(
                    id=name, audio_filepath=path, duration=duration, text=text, lang="cs"
                )


def count_dropped(labels: Sequence[Utterance], ids: set[str], folder: Path) -> int:
    """Return how many of the utterances with these ids are dropped from a corpus."""
    fitted = Recurrence().fit(Manifest.write(labels, folder))
    return sum(1 for label in labels if label.id in ids and fitted.objection(label))


def measure_faults(prompts: Sequence[Utterance], langs: Sequence[str], folder: Path) -> None:
    """Give one sentence to many clips, and print the shares of the faults that are found."""
    phrases = [phrase for by_language in CLOSING_PHRASES.values() for phrase in by_language]
    sources: dict[str, Callable[[random.Random], str]] = {
        "stock phrase": lambda rng: rng.choice(phrases),
        "sentence of the corpus": lambda rng: rng.choice(prompts).text or "",
    }
    for source, draw in sources.items():
        for count in FAULTS:
            rng, dropped_faults, lost, right = random.Random(count), 0, 0, 0
            for _ in range(TRIALS):
                lang = rng.choice(langs)
                pool = [prompt for prompt in prompts if prompt.lang == lang]
                sentence, wrong = draw(rng), {p.id for p in rng.sample(pool, count)}
                labels = [replace(p, text=sentence) if p.id in wrong else p for p in pool]
                dropped_faults += count_dropped(labels, wrong, folder)
                right_ids = {p.id for p in pool} - wrong
                lost += count_dropped(labels, right_ids, folder)
                right += len(right_ids)
            write(
                f"{', '.join(langs)}: {source}, {count} clips: "
                f"{dropped_faults / TRIALS / count:.1%} found, "
                f"{lost / right:.3%} of the right labels dropped"
            )


def measure_whole_pool(prompts: Sequence[Utterance], folder: Path) -> None:
    """Give one sentence to all clips of a pool of 60, which leaves no right label to compare."""
    rng, dropped_faults = random.Random(1), 0
    for _ in range(TRIALS):
        sentence = rng.choice(prompts).text
        labels = [replace(prompt, text=sentence) for prompt in rng.sample(prompts, 60)]
        dropped_faults += count_dropped(labels, {label.id for label in labels}, folder)
    write(f"pool of 60 clips with one sentence: {dropped_faults / TRIALS / 60:.1%} found")


def measure_short_answers(prompts: Sequence[Utterance], folder: Path) -> None:
    """Put short answers between silence of any length, with noise or without; all are right."""
    rng = random.Random(2)
    short = [prompt for prompt in prompts if prompt.duration < 1 and len(prompt.text or "") > 1]
    for name, decibels in (("silence", None), ("noise 30 dB below", 30), ("noise 15 dB below", 15)):
        noises, labels = np.random.default_rng(3), []
        for number, prompt in enumerate(rng.sample(short, 25)):
            speech = audio.load_utterance(prompt)
            for copy in range(ANSWERS):
                padding = round(rng.uniform(0, MAX_PADDING) * audio.SAMPLE_RATE)
                before = round(rng.uniform(0, padding))
                samples = np.pad(speech, (before, padding - before))
                if decibels:
                    level = np.sqrt(np.square(speech).mean()) * 10 ** (-decibels / 20)
                    samples += noises.normal(0, level, len(samples)).astype(np.float32)
                path = folder / "answers" / f"{number}-{copy}.wav"
                labels.append(
                    replace(
                        prompt,
                        id=path.stem,
                        audio_filepath=path,
                        duration=audio.write(samples, path),
                    )
                )
        dropped = count_dropped(labels, {label.id for label in labels}, folder)
        write(
            f"25 short answers, {ANSWERS} recordings each with 0 to {MAX_PADDING:g} s of {name}: "
            f"{dropped / len(labels):.1%} dropped"
        )


def main() -> None:
    prompts = list(read_prompts())
    dialogues = list(read_dialogues(Path(sys.argv[1]))) if len(sys.argv) > 1 else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for labels in (prompts, dialogues):
            dropped = count_dropped(labels, {label.id for label in labels}, folder)
            write(f"right labels: {dropped} of {len(labels)} dropped")
        measure_faults(prompts, ["it", "fr", "en"], folder)
        if dialogues:
            measure_faults(dialogues, ["cs"], folder)
        measure_whole_pool(prompts, folder)
        measure_short_answers(prompts, folder)


if __name__ == "__main__":
    main()
