"""First hour of four people, replayed: attempts, minutes and wrong turns, before and now.

    python benchmarks/first_hour.py FOLDER [--speech toy] [--run] [--people ABCD]

A has a folder of recordings, 60 sentences and 15 transcripts, and no plan. Each of A's attempts by
hand is checked as A wrote it, and then `twister init` writes the plan. B has two long recordings of
three voices. C calls everything from Python, with a filter and a package `flows` of their own. D
tries wrong plans. FOLDER is new. The recordings are telephone prompts, or with `--speech toy` those
of A are tones, which the toy recognizer learns; with `--run` A's plan is run to its verdict.
"""

from __future__ import annotations

import argparse
import csv
import logging
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from twister_loop import Manifest, Utterance
from twister_loop.audio import io as audio
from twister_loop.cli.toy_demo import record_texts, write_toy_world
from twister_loop.core.errors import StaleError, TwisterError
from twister_loop.data.corpora.ivr import Ivr
from twister_loop.data.scanning import ScanOptions, SpeakerClustering
from twister_loop.pipeline.forecast import make_forecast
from twister_loop.pipeline.plan_reader import load
from twister_loop.pipeline.preflight import prepare_round
from twister_loop.pipeline.run_folder import RunFolder
from twister_loop.pipeline.stages.annotation import cluster_speakers, estimate_columns
from twister_loop.pipeline.stages.listing import scan
from twister_loop.pipeline.yaml_format import dump_yaml

RECORDINGS, SENTENCES, TRANSCRIPTS = 80, 60, 15
WORDS = (
    "pack box five dozen jugs waltz bad nymph quick vex glib jock quiz dwarf fox lazy dog how daft "
    "zebra jump sphinx black quartz judge vow"
).split()
TOY = ["--set", 'asr={use: toy, letters: "aeiou "}', "--set", "voices={toy: toy}"]
TOY += ["--set", "trainings=1", "--set", "interpolate=1", "--set", "rescore=false"]
BASE = {
    "pool": "data/recordings",
    "texts": "data/sentences.txt",
    "development": {"calls": "data/dev"},
}
ATTEMPTS: dict[str, dict[str, Any]] = {
    "a normalizer for the language": {**BASE, "normalizer": "italian"},
    "15 transcripts": BASE,
    "the model of a published plan": {**BASE, "minimum_utterances": 15, "references": {
        "large": {"use": "whisper", "model": "openai/whisper-large-v3"}}},
    "what runs": {**BASE, "minimum_utterances": 15},
}  # fmt: skip
"""A's plans, each corrected by the answer to the one before."""
WRONG: dict[str, tuple[str, dict[str, Any] | str]] = {
    "max_steps: 0": ("accepted", {"asr": {"use": "whisper", "max_steps": 0}}),
    "learning_rate: .nan": ("accepted", {"asr": {"use": "whisper", "learning_rate": float("nan")}}),
    "warmup: 5": ("accepted", {"asr": {"use": "whisper", "warmup": 5}}),
    "interpolate: 7": ("accepted", {"asr": "whisper", "interpolate": 7}),
    "significant, level: 95": ("traceback", {"gates": [{"use": "significant", "level": 95}]}),
    "significant, level: 0": ("accepted", {"gates": [{"use": "significant", "level": 0}]}),
    "speed factors: [0]": ("accepted", {"augment": {"effects": [
        {"use": "speed", "factors": [0]}]}}),
    "trial: {texts: 0}": ("accepted", {"trial": {"texts": 0}}),
    "scan: {channels: 9}": ("accepted", {"scan": {"channels": 9}}),
    "rounds: true": ("accepted", {"rounds": True}),
    "a key twice": ("the last one", "{plan}\nseed: 1\nseed: 2\n"),
    "gate retention without a set": ("accepted", {"gates": ["retention"], "retention": {}}),
    "mix: {pseudo: .inf}": ("hangs", {"mix": {"pseudo": float("inf")}}),
    "a voice ../../x": ("writes outside", {"voices": {"../../x": "toy"}}),
    "a set ..": ("accepted", {"development": {"..": "data/development"}}),
    "5,000 digits": ("traceback", "{plan}\nnew_audio: {minutes: " + "9" * 5000 + "}\n"),
    "deep nesting": ("traceback", "pool: " + "[" * 2000 + "]" * 2000),
    "NUL": ("traceback", '{plan}\nnormalizer: "a\\0b"\n'),
    "a lone surrogate": ("traceback", '{plan}\nnormalizer: "\\ud800"\n'),
    "a labeler of another model": ("never used", {"asr": "whisper", "labeler": {
        "use": "ctranslate2", "model": "openai/whisper-large-v3"}}),
    "a reference that is not there": ("after minutes", {"references": {
        "large": {"use": "whisper", "model": "nobody/no-model"}}}),
}  # fmt: skip
"""D's wrong plans, each with the answer of the version that D tried."""


VOICES = {
    "Flora": Ivr(split="pool"),
    "second": Ivr(split="second_speaker"),
    "French": Ivr(split="pool", lang="fr"),
}
"""B's voices."""
SNIPPETS = {
    "which version": ("no name", "import twister_loop; print(twister_loop.__version__)"),
    "a plan by its name": ("a TypeError", "load('toy.yaml'); print('read')"),
    "a round, paths as text": (
        "a TypeError", "print(sum(1 for _ in refine(load('toy.yaml'), 'run')), 'rounds')"),
    "what came out": ("no page of the API", "print(summarize('run').champion)"),
    "errors of two lists": ("nothing", "print(score(['prema uno'], ['prema due'], language='it'))"),
    "a table of the labels": (
        "nothing", "print(Manifest('run/round-01/pseudo_labels').to_pandas().shape)"),
    "a filter of one's own": (
        "only in site-packages",
        "plan = load('toy.yaml', {'filters': {'pseudo': ['polite']}}); "
        "print(sum(1 for _ in refine(plan, 'own')), 'rounds')"),
}  # fmt: skip
"""What C tries from Python, with the answer of the version that C tried."""
SNIPPETS_IMPORT = "from twister_loop import Manifest, load, refine, score, summarize; "


def write_data(folder: Path, speech: str) -> None:
    """Write what A has: recordings, dev/ with a table, sentences.txt."""
    if speech == "toy":
        pairs = [f"{first} {second}" for first in WORDS for second in WORDS if first != second]
        record_texts(pairs[:RECORDINGS], folder / "recordings", labeled=False)
        record_texts(pairs[-TRANSCRIPTS:], folder / "dev")
        sentences = pairs[200 : 200 + SENTENCES]
    else:
        copy_speech(folder / "recordings", Ivr(split="pool"), RECORDINGS)
        rows = copy_speech(folder / "dev", Ivr(split="development"), TRANSCRIPTS)
        with (folder / "dev" / "metadata.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("file_name", "text"), *rows])
        sentences = [line.text or "" for line in Ivr(split="texts").utterances()][:SENTENCES]
    (folder / "sentences.txt").write_text("\n".join(sentences) + "\n", encoding="utf-8")


def copy_speech(folder: Path, corpus: Ivr, count: int) -> list[tuple[str, str]]:
    """Copy recordings of a corpus, and return their names and texts."""
    folder.mkdir(parents=True)
    rows = list[tuple[str, str]]()
    for utterance in corpus.utterances():
        # Of a second and more, as people call a recording.
        if len(rows) < count and utterance.duration > 1:
            shutil.copy(utterance.audio_filepath, folder)
            rows.append((utterance.audio_filepath.name, utterance.text or ""))
    return rows


def run_command(title: str, *arguments: str) -> int:
    """Run a command of twister, and print its exit code, time and answer."""
    before = os.times()
    process = subprocess.run(
        [sys.executable, "-m", "twister_loop.cli.main", *arguments],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    after = os.times()
    # The verdict of a run is printed last; an error is all there is on the standard error.
    verdicts = [line for line in process.stdout.splitlines() if line.startswith("round ")]
    answer = process.stderr if process.returncode else " ".join(verdicts)
    if "Problems" in process.stdout:
        answer = process.stdout.partition("Problems")[2].rpartition("\n  1. ")[2]
    processor = after.children_user + after.children_system
    processor -= before.children_user + before.children_system
    seconds = f"{after.elapsed - before.elapsed:.0f} s ({processor:.0f} s of processor)"
    write(f"| {title} | {process.returncode} | {seconds} | {len(answer)} | {shorten(answer)} |")
    return process.returncode


def replay_a(folder: Path, speech: str, *, runs: bool) -> None:
    """Replay A's attempts by hand, and then with init."""
    write_data(folder / "data", speech)
    os.chdir(folder)
    changes = TOY if speech == "toy" else []
    asr: Mapping[str, Any] = {"asr": "toy"} if speech == "toy" else {"asr": "whisper"}
    write("## A\n\n| attempt | code | time | letters | answer |\n|---|--:|--:|--:|---|")
    for number, (title, content) in enumerate(ATTEMPTS.items(), 1):
        Path("by-hand.yaml").write_text(dump_yaml({**asr, **content}), encoding="utf-8")
        run_command(f"{number}. by hand: {title}", "check", "by-hand.yaml")
    run_command("1. `twister init`", "init", "data", "--yes", *(["--no-listen"] * bool(changes)))
    run_command("   its plan, checked", "check", "plan.yaml", *changes)
    if runs:
        run_command("   its plan, run", "run", "plan.yaml", "runs/mine", "--no-prefect", *changes)
    write(f"\nA plan that was changed in a round: {len(explain_stale(folder / 'stale'))} letters")


def explain_stale(folder: Path) -> str:
    """Return the message for a line that was removed from the plan of a round in progress."""
    plan = write_toy_world(folder)
    run_folder = RunFolder.open(folder / "run")
    prepare_round(load(plan), run_folder)
    lines = plan.read_text().splitlines()
    plan.write_text("\n".join(line for line in lines if not line.startswith("trial:")))
    try:
        prepare_round(load(plan), run_folder)
    except StaleError as error:
        write(str(error))
        return str(error)
    return ""


def replay_b(folder: Path) -> None:
    """Replay B, whose two recordings of three voices had one name for all of them."""
    turns = write_conversations(folder / "data")
    os.chdir(folder)
    write("\n## B\n\n| attempt | code | time | letters | answer |\n|---|--:|--:|--:|---|")
    run_command("1. `twister init`", "init", "data", "--yes")
    run_command("   its plan, checked", "check", "plan.yaml")
    lines = [line for line in Path("plan.yaml").read_text().splitlines() if "scan:" in line]
    write("\n" + "\n".join(lines))
    options = ScanOptions(speakers=SpeakerClustering())
    recordings = [
        Utterance(id=path.stem, audio_filepath=path, duration=audio.read_duration(path), corpus="b")
        for path in sorted((folder / "data").iterdir())
    ]
    cuts = scan(options, Manifest.write(recordings, folder / "listing"), out=folder / "cuts")
    embedded = estimate_columns(["embedding"], cuts, out=folder / "embedded")
    seconds = Counter[tuple[str | None, str]]()
    for cut in cluster_speakers(SpeakerClustering(), embedded, out=folder / "named"):
        for voice, begin, end in turns[cut.audio_filepath.stem]:
            overlap = min(end, cut.offset + cut.duration) - max(begin, cut.offset)
            seconds[cut.speaker, voice] += max(0.0, overlap)
    # Each name stands for the voice that says most of it.
    names = {name for name, _ in seconds}
    right = sum(max(seconds[name, voice] for voice in VOICES) for name in names)
    total = sum(seconds.values())
    write(
        f"{len(names)} names for {len(VOICES)} voices; {right / total:.1%} of {total:.0f} s right"
    )


def write_conversations(folder: Path) -> Mapping[str, list[tuple[str, float, float]]]:
    """Write two recordings of prompts in turns; returns voice, begin and end of every turn."""
    folder.mkdir(parents=True)
    prompts = {
        voice: [line for line in corpus.utterances() if 2 < line.duration < 8][:24]
        for voice, corpus in VOICES.items()
    }
    turns = dict[str, list[tuple[str, float, float]]]()
    for number, half in enumerate((slice(0, 12), slice(12, 24))):
        stretches, begin = list[Any](), 0.0
        turns[f"meeting-{number}"] = []
        for together in zip(*(prompts[voice][half] for voice in VOICES), strict=False):
            for voice, line in zip(VOICES, together, strict=True):
                samples = audio.read(line.audio_filepath)
                end = begin + len(samples) / audio.SAMPLE_RATE
                turns[f"meeting-{number}"].append((voice, begin, end))
                # A pause as long as people leave it.
                stretches += [samples, np.zeros(audio.SAMPLE_RATE // 2, samples.dtype)]
                begin = end + 0.5
        audio.write(np.concatenate(stretches), folder / f"meeting-{number}.wav")
    return turns


def replay_c(folder: Path) -> None:
    """Replay C, who calls everything from Python, in a folder with a package `flows`."""
    plan = write_toy_world(folder)
    os.chdir(folder)
    # Prefect projects usually have one, and it ran instead of ours.
    (folder / "flows").mkdir()
    (folder / "flows" / "__init__.py").write_text("raise SystemExit('the wrong flows')\n")
    write(
        "\n## C\n\n| attempt | before | code | time | letters | answer |\n|---|---|--:|--:|--:|---|"
    )
    commands = [sys.executable, "-m", "twister_loop.cli.main"]
    new_filter = [*commands, "new", "filter", "polite", "--parts", "parts"]
    subprocess.run(new_filter, check=True, capture_output=True)
    for title, (before, code) in SNIPPETS.items():
        began = time.monotonic()
        process = subprocess.run(
            [sys.executable, "-c", SNIPPETS_IMPORT + code], capture_output=True, text=True,
            check=False, env={**os.environ, "TWISTER_PARTS": "parts"},
        )  # fmt: skip
        seconds = time.monotonic() - began
        answer = shorten(process.stdout or process.stderr)
        write(f"| {title} | {before} | {process.returncode} | {seconds:.0f} s | | {answer} |")
    # The titles fill two columns; before, no edit was noticed, and the wrong flows ran.
    with (folder / "parts" / "filters" / "polite.py").open("a") as file:
        file.write("\n# edited\n")
    run_command("the filter is edited | not noticed", "reproduce", "own", "--parts", "parts")
    run_command("beside `flows` | no round", "run", plan.name, "flow", "--prefect")


def replay_d(folder: Path) -> None:
    """Replay D's wrong plans."""
    plan = write_toy_world(folder)
    source = plan.read_text()
    write("\n## D\n\n| wrong plan | then | now | letters | answer |\n|---|---|---|--:|---|")
    counts = {"sentence": 0, "accepted": 0, "traceback": 0}
    for title, (before, content) in WRONG.items():
        if isinstance(content, str):
            plan.write_text(content.replace("{plan}", source))
        answer, outcome = "", "accepted"
        try:
            changes = content if isinstance(content, dict) else {}
            problems = make_forecast(load(plan, changes)).problems
            answer = "; ".join(problems)
            outcome = "sentence" if problems else "accepted"
        except TwisterError as error:
            answer, outcome = str(error), "sentence"
        except Exception as error:
            answer, outcome = repr(error), "traceback"
        counts[outcome] += 1
        plan.write_text(source)
        write(f"| {title} | {before} | {outcome} | {len(answer)} | {shorten(answer)} |")
    write(f"\n{counts}")


def shorten(text: str) -> str:
    """Return the end of an answer on one line, for a table."""
    return " ".join(text.replace("|", "/").split())[-160:]


def write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--speech", choices=["ivr", "toy"], default="ivr")
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--people", default="ABCD", help="whom to replay (default: %(default)s)")
    options = parser.parse_args()
    if options.folder.exists():
        sys.exit(f"{options.folder} exists; name a new folder")
    logging.disable(logging.CRITICAL)  # warnings about sets of two sentences
    began = time.monotonic()
    options.folder.mkdir(parents=True)
    place = options.folder.absolute()
    if "D" in options.people:
        replay_d(place / "d")
    if "A" in options.people:
        (place / "a").mkdir()
        replay_a(place / "a", options.speech, runs=options.run)
    if "B" in options.people:
        replay_b(place / "b")
    if "C" in options.people:
        replay_c(place / "c")
    write(f"\n{time.monotonic() - began:.0f} s in all")
