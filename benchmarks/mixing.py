"""Mixtures and packed speech: which limits hold, and which previous text was said before.

python benchmarks/mixing.py ROUND [--checkout FOLDER]      (a minute)

ROUND is the folder of a finished round, whose labels are laid out as recordings of twelve clips
with pauses; what the filters rejected is in them too. FOLDER is another version of the package.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.core.manifest import Manifest

ROOT = Path(__file__).parents[1]
CLIPS = 12
"""Clips of a recording."""
PAUSES = (0.2, 1.8)
"""Seconds between two clips, drawn between these."""
SPEAKERS = 4
LIMITS: list[tuple[dict[str, float], dict[str, Any]]] = [
    ({"pseudo it talks": 20, "human it calls": 10},
     {"hours": {"talks": 1}, "shares": {"pseudo": 0.5}}),
    ({"pseudo it talks": 20, "pseudo it calls": 5, "human it calls": 10},
     {"hours": {"talks": 1}, "shares": {"pseudo": 0.5}}),
    ({"pseudo it c": 10, "synthetic it t": 50}, {"at_most": {"pseudo": 0.3, "it": 0.9}}),
    ({"pseudo it c": 10, "synthetic en t": 50}, {"at_most": {"pseudo": 0.3, "en": 0.5}}),
    ({"pseudo it c": 9, "replay en l": 0.1}, {"corpora": {"l": 11}, "replay": 0.5}),
    ({"pseudo it c": 9, "replay en l": 0.1}, {"shares": {"en": 0.05}}),
    ({"pseudo it c": 9, "replay en l": 0.1}, {"shares": {"en": 0.2}, "replay": 0.3}),
    ({"pseudo it c": 10, "pseudo en d": 4}, {"hours": {"it": 2, "d": 1}, "shares": {"en": 0.5}}),
    ({"pseudo it c": 10, "human en d": 4}, {"shares": {"synthetic": 0.85}}),
]  # fmt: skip
"""Hours of each source, and options."""
CHILD = """
import inspect, json, logging, sys
sys.path[:0] = [sys.argv[1]]
from pathlib import Path
logging.disable(logging.CRITICAL)
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.manifest import Manifest
from twister_loop.data.mixture import MixOptions, MixtureGroup
from twister_loop.data.packing import PackOptions
from twister_loop.pipeline.stages import mixture
try:
    from twister_loop.pipeline.stages.packing import pack
except ImportError:
    from twister_loop.pipeline.stages.mixture import pack
limits, folder, out = json.load(sys.stdin)
answers = []
for hours, options in limits:
    groups = {MixtureGroup(*name.split()): 3600 * count for name, count in hours.items()}
    try:
        targets = MixOptions(**options).target_durations(groups)
        answers.append([seconds / 3600 for seconds in targets.values()])
    except Exception as error:
        answers.append(str(error))
folder, out = Path(folder), Path(out)
more = {"left_out": [Manifest(folder / "rejected")]}
more = more if "left_out" in inspect.signature(mixture.mix).parameters else {}
mixed = mixture.mix(MixOptions(), [Manifest(folder)], 1, out=out / "mixture", **more)
packed = {}
for speakers in ("same", "any"):
    asr = ToyRecognizer()
    options = PackOptions(speakers=speakers)
    result = pack(options, mixed, asr, asr.initial_checkpoint(), 1, out=out / speakers)
    packed[speakers] = [
        [str(line.audio_filepath), line.previous_text,
         [[piece.id, piece.start, piece.end] for piece in line.pieces]] for line in result]
print("OUTCOME", json.dumps([answers, packed]))
"""


def write(line: str = "") -> None:
    sys.stdout.write(f"{line}\n")


def lay_out(round_folder: Path, folder: Path, *, keeps_all: bool) -> list[list[Utterance]]:
    """Write recordings of real clips, and the labels of their cuts; return the cuts."""
    labels = Manifest(round_folder / "filtered_labels")
    lines = [*labels, *Manifest(labels.folder / "rejected")]
    clips = sorted((line for line in lines if line.duration < 15), key=lambda line: line.id)
    rng, recordings = random.Random(1), list[list[Utterance]]()
    for number in range(0, len(clips) - CLIPS + 1, CLIPS):
        cuts, parts, start = list[Utterance](), list[audio.Samples](), 0.0
        path = folder / "audio" / f"{number:06d}.wav"
        for clip in clips[number : number + CLIPS]:
            samples = audio.load_utterance(clip)
            pause = round(rng.uniform(*PAUSES), 3)
            noise = np.random.default_rng(len(cuts)).normal(0, 1e-3, round(pause * 16_000))
            if keeps_all:
                clip = replace(clip, rejected_by=None, objection=None)
            duration = round(len(samples) / 16_000, 3)
            samples = np.resize(samples, round(duration * 16_000))
            cuts.append(
                replace(
                    clip, audio_filepath=path, offset=round(start, 3), duration=duration,
                    channel=None, speaker=f"speaker-{number // CLIPS % SPEAKERS}", words=(),
                    segments=(), alternatives=(),
                )
            )  # fmt: skip
            parts += [samples, noise.astype(np.float32)]
            start += duration + pause
        audio.write(np.concatenate(parts), path)
        recordings.append(cuts)
    cuts = [cut for recording in recordings for cut in recording]
    Manifest.write((cut for cut in cuts if not cut.rejected_by), folder)
    Manifest.write((cut for cut in cuts if cut.rejected_by), folder / "rejected")
    return recordings


def judge(recordings: list[list[Utterance]], packed: list[Any]) -> str:
    """Return a row of a table: windows, their previous texts, their joins and their gaps."""
    before = {}
    for recording in recordings:
        for earlier, later in zip([None, *recording], recording, strict=False):
            before[later.id] = earlier
    previous = true = joins = neighbors = 0
    zeros = gap_samples = 0
    for path, previous_text, pieces in packed:
        if previous_text is not None:
            cut = before[pieces[0][0]]
            previous += 1
            true += (
                cut is not None and previous_text.endswith(cut.text or "") and not cut.rejected_by
            )
        samples = audio.read(Path(path))
        for (first, _, end), (second, start, _) in pairwise(pieces):
            joins += 1
            cut = before[second]
            neighbors += cut is not None and cut.id == first
            gap = samples[round(end * 16_000) : round(start * 16_000)]
            zeros, gap_samples = zeros + np.count_nonzero(gap == 0), gap_samples + len(gap)
    return (
        f"{len(packed)} | {previous} | {true} | {joins} | {neighbors} | "
        f"{100 * zeros / max(gap_samples, 1):.1f} %"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("round", type=Path)
    arguments.add_argument("--checkout", type=Path)
    options = arguments.parse_args()
    versions = {"now": ROOT} | ({"before": options.checkout} if options.checkout else {})
    answers, rows = {}, list[str]()
    for part in ("as filtered", "all"):
        with tempfile.TemporaryDirectory() as scratch:
            recordings = lay_out(options.round, Path(scratch) / "labels", keeps_all=part == "all")
            for version, checkout in versions.items():
                process = subprocess.run(
                    [sys.executable, "-c", CHILD, str(checkout)],
                    input=json.dumps([LIMITS, f"{scratch}/labels", f"{scratch}/{version}"]),
                    cwd=scratch, capture_output=True, text=True, check=True,
                )  # fmt: skip
                [line] = [row for row in process.stdout.splitlines() if row.startswith("OUTCOME ")]
                answers[version], packed = json.loads(line.removeprefix("OUTCOME "))
                for speakers, lines in packed.items():
                    rows.append(f"| {part} | {version} | {speakers} | {judge(recordings, lines)} |")
    for number, (hours, mix) in enumerate(LIMITS):
        write(f"| {hours} | {mix} | " + " | ".join(
            str(answer[number]) if isinstance(answer[number], str)
            else ", ".join(f"{count:.2f}" for count in answer[number])
            for answer in answers.values()
        ) + " |")  # fmt: skip
    write(f"{len(recordings)} recordings, {sum(map(len, recordings))} cuts")
    columns = "labels, version, speakers, windows, previous texts, true, joins, neighbors, zeros"
    write(f"| {columns.replace(', ', ' | ')} |")
    for row in rows:
        write(row)


if __name__ == "__main__":
    main()
