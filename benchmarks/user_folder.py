"""Folders as a user would bring them, for `twister init` and for runs on little speech.

    python benchmarks/user_folder.py prompts RECORDINGS LIST FOLDER
    python benchmarks/user_folder.py corpora configs/compare-cs.yaml FOLDER
    python benchmarks/user_folder.py few configs/compare-it.yaml FOLDER

`prompts` divides recordings by a list of `name: text` lines, as Debian's `asterisk-core-sounds-*`
packages have them, into `recordings/`, `dev/`, `test/` and sentences that nobody speaks. `corpora`
copies the pool, texts and held-out sets of a plan. `few` draws 170 recordings of a plan's first
pool corpus, as a list, and 110 of its texts. `prompts --references FILE` writes the texts of
`recordings/` too, as a manifest for `pool_references` of `twister compare`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import shutil
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from twister_loop import load
from twister_loop.data.corpora._base import Corpus
from twister_loop.pipeline.initial_plan.sentences import guess_script
from twister_loop.pipeline.plan import Plan
from twister_loop.text.scripts import count_scripts

PARTS = {"recordings": 0.45, "dev": 0.13, "test": 0.20, "sentences": 0.22}
"""Shares of the prompts."""
RECORDINGS, SENTENCES = 170, 110


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("prompts", "corpora", "few"))
    parser.add_argument("source", type=Path, help="folder of recordings, or a plan")
    parser.add_argument("list", type=Path, nargs="?", help="list of prompts, with `prompts` alone")
    parser.add_argument("folder", type=Path, help="folder to write")
    parser.add_argument("--references", type=Path, help="manifest to write, with `prompts` alone")
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    if options.kind == "prompts":
        rows = divide_prompts(options.source, options.list, options.folder)
        if options.references:
            write_references(rows, options.folder, options.references)
    elif options.kind == "corpora":
        copy_corpora(load(options.source), options.folder)
    else:
        draw_few(load(options.source), options.folder)


def divide_prompts(
    recordings: Path, prompts: Path, folder: Path
) -> Sequence[tuple[Path, str, str]]:
    """Divide recordings that have a text, by a seed; return path, name and text of the pool's."""
    with gzip.open(prompts, "rt", encoding="utf-8", errors="replace") as lines:
        pairs = [line.strip().partition(": ") for line in lines if not line.startswith(";")]
    # Texts in brackets describe tones; others without a letter of the list's script are no speech.
    script = guess_script(text for _, _, text in pairs) or ""
    texts = {
        name: text
        for name, separator, text in pairs
        if separator and "[" not in text and count_scripts(text)[script]
    }
    names = [name for name in texts if (recordings / f"{name}.wav").is_file()]
    random.Random(7).shuffle(names)
    shares = [sum(list(PARTS.values())[:count]) for count in range(len(PARTS) + 1)]
    bounds = pairwise(int(share * len(names) + 1e-6) for share in shares)
    pool = list[tuple[Path, str, str]]()
    for part, (first, end) in zip(PARTS, bounds, strict=True):
        if part == "sentences":
            write_sentences([texts[name] for name in names[first:end]], folder)
        else:
            rows = [(recordings / f"{name}.wav", name, texts[name]) for name in names[first:end]]
            copy_recordings(rows, folder / part, with_texts=part != "recordings")
            if part == "recordings":
                pool = rows
    return pool


def copy_corpora(plan: Plan, folder: Path) -> None:
    """Copy the pool without its texts, the held-out sets with theirs, and the sentences."""
    copy_recordings(_list_rows(plan.pool), folder / "recordings", with_texts=False)
    for kind, name in (("development", "dev"), ("test", "test")):
        corpora = [corpus for set_kind, corpus in plan.sets.values() if set_kind == kind]
        copy_recordings(_list_rows(corpora), folder / name, with_texts=True)
    write_sentences(_list_texts(plan), folder)


def draw_few(plan: Plan, folder: Path) -> None:
    """Draw recordings as a manifest, and sentences, by a seed."""
    generator = random.Random(5)
    pool = [
        utterance
        for utterance in plan.pool[0].utterances()
        if not (utterance.rejected_by or utterance.error)
    ]
    drawn = sorted(generator.sample(pool, RECORDINGS), key=lambda utterance: utterance.id)
    lines = [
        json.dumps(
            {"audio_filepath": str(line.audio_filepath.resolve()), "duration": line.duration}
        )
        for line in drawn
    ]
    (folder / "pool.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_sentences(generator.sample(_list_texts(plan), SENTENCES), folder)


def write_references(rows: Iterable[tuple[Path, str, str]], folder: Path, file: Path) -> None:
    """Write the texts of the recordings that `copy_recordings` put into the folder of the pool."""
    lines = [
        {
            "audio_filepath": str(_name_copy(folder.resolve() / "recordings", path, name)),
            "text": text,
        }
        for path, name, text in rows
    ]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def copy_recordings(
    rows: Iterable[tuple[Path, str, str | None]], folder: Path, *, with_texts: bool
) -> None:
    """Copy recordings, each a path, a name and a text, and write `metadata.csv` if wanted."""
    folder.mkdir()
    table = [("file_name", "text")]
    for path, name, text in rows:
        copy = _name_copy(folder, path, name)
        shutil.copy(path, copy)
        table.append((copy.name, text or ""))
    if with_texts:
        with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(table)


def _name_copy(folder: Path, path: Path, name: str) -> Path:
    # Names may have folders, such as `digits/1`.
    return folder / f"{name.replace('/', '_')}{path.suffix}"


def write_sentences(sentences: Iterable[str], folder: Path) -> None:
    """Write one sentence a line."""
    (folder / "sentences.txt").write_text("\n".join(sentences) + "\n", encoding="utf-8")


def _list_rows(corpora: Iterable[Corpus]) -> list[tuple[Path, str, str | None]]:
    return [
        (utterance.audio_filepath, utterance.id, utterance.text)
        for corpus in corpora
        for utterance in corpus.utterances()
        if not (utterance.rejected_by or utterance.error)
    ]


def _list_texts(plan: Plan) -> list[str]:
    return [line.text for corpus in plan.texts for line in corpus.utterances() if line.text]


if __name__ == "__main__":
    main()
