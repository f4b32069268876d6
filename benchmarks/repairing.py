"""What repairing labels with the texts gets right: whole labels, and single words of them.

python benchmarks/repairing.py FOLDER [CLIPS]     (the Italian pool, or some clips of it drawn by
chance, as untouched Whisper base labels it; what was heard is kept in the folder)
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from twister_loop import Utterance
from twister_loop.asr._base import BoundRecognizer, Recognizer
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import ErrorCount
from twister_loop.data.corpora._base import Corpus
from twister_loop.evaluation import metrics
from twister_loop.pipeline.stages.rescoring import Repair, Rescoring, likeliest, repair
from twister_loop.pipeline.stages.text_selection import TextSelection, select_texts
from twister_loop.text.kneser_ney import KneserNey, split_language_model_units
from twister_loop.text.spelling import split_words

NBEST = 5
"""Texts of the beam; five is OpenAI Whisper's own beam."""
SENTENCES = Path(__file__).parents[1] / "configs" / "texts" / "ivr.it.txt"


def listed(*specs: dict[str, object], **more: object) -> list[Utterance]:
    said = (each for spec in specs for each in Corpus.build(spec).utterances())
    kept = [each for each in said if not each.rejected_by]
    return [replace(each, id=str(n), lang="it", **more) for n, each in enumerate(kept)]  # type: ignore[arg-type]


def ivr(split: str) -> dict[str, object]:
    return {"use": "ivr", "split": split}


def main() -> None:
    asr = Recognizer.build({"use": "whisper"})
    champion = BoundRecognizer(asr, asr.initial_checkpoint())
    out = Path(sys.argv[1])
    true = listed(ivr("pool_references"))
    references = {each.audio_filepath: each.text or "" for each in true}
    pool = [each for each in listed(ivr("pool")) if each.audio_filepath in references]
    if len(sys.argv) > 2:
        pool = random.Random(0).sample(pool, int(sys.argv[2]))
    heard = (
        replace(each, text=each.pred_text, origin="pseudo")
        for each in champion.transcribe(replace(each, text=None) for each in pool)
    )
    labels = _kept(out / "labels", heard)
    given = listed(ivr("texts"), {"use": "textfile", "file": str(SENTENCES)})
    held_out = [
        Manifest.write(listed(ivr(split)), out / split) for split in ("development", "test")
    ]
    given = Manifest.write(given, out / "inputs")
    texts = select_texts((), TextSelection(), given, held_out, out=out / "texts")
    said = [references[each.audio_filepath] for each in labels]
    terms = (champion, labels, texts, said)
    for line in chain(_whole(*terms), _words(*terms)):
        sys.stdout.write(f"| {' | '.join(line)} |\n")
        sys.stdout.flush()


def _whole(
    champion: BoundRecognizer, labels: Manifest, texts: Manifest, said: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    """One beam for all rows: the champion hears the pool once, only the weights differ."""
    searching = champion.recognizer.with_beam(NBEST, nbest=NBEST)
    assert searching
    heard = searching.transcribe(champion.checkpoint, labels)
    held = _kept(labels.folder.with_name("beams"), heard)
    beams = [each.alternatives for each in held]
    yield ("weight", "bonus", "order", "labels", "changed", "rightly", "wrongly", "WER")
    yield ("---",) * 8
    before = [_errors(each.text, truth) for each, truth in zip(labels, said, strict=True)]
    yield ("", "", "as labeled", str(len(before)), "", "", "", _rate(before))
    oracle = [
        min([_errors(each.text, truth) for each in beam] or [old], key=lambda count: count.errors)
        for beam, truth, old in zip(beams, said, before, strict=True)
    ]
    yield ("", "", "the beam's best text", str(len(before)), "", "", "", _rate(oracle))
    for order in (3, 1):
        corpus = KneserNey((split_language_model_units(each.text or "", each.lang) for each in texts), order)
        for bonus in (0.0, 1.0, 2.0):
            for weight in (0.0, 0.1, 0.2, 0.3, 0.5, 1.0):
                terms = Rescoring(NBEST, weight, bonus, order)
                found = [
                    likeliest(terms, corpus, label, beam)
                    for label, beam in zip(labels, beams, strict=True)
                ]
                after = [_errors(each.text, truth) for each, truth in zip(found, said, strict=True)]
                gains = [old.errors - new.errors for old, new in zip(before, after, strict=True)]
                counts = (
                    sum(each.repaired is not None for each in found),
                    sum(gain > 0 for gain in gains),
                    sum(gain < 0 for gain in gains),
                )
                row = (f"{weight:g}", f"{bonus:g}", str(order), str(len(found)))
                yield (*row, *map(str, counts), _rate(after))
                for each, truth in zip(found, said, strict=True):
                    if each.repaired and (order, bonus, weight) == (3, 0.0, 0.3):
                        sys.stderr.write(f"{each.repaired!r} -> {each.text!r}; {truth!r}\n")


def _words(
    champion: BoundRecognizer, labels: Manifest, texts: Manifest, said: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    yield ("trust", "labels", "repaired", "rightly", "wrongly")
    yield ("---",) * 5
    for trust in (0.0, 1.0, 2.0, 4.0, 8.0):
        found = repair(
            Repair(trust=trust), labels, texts, champion, out=texts.folder.with_name(f"{trust}")
        )
        changed = right = 0
        for each, truth in zip(found, said, strict=True):
            if each.repaired:
                new = set(split_words(each.text, "it")) - set(split_words(each.repaired, "it"))
                changed, right = changed + 1, right + (new <= set(split_words(truth, "it")))
                sys.stderr.write(f"{trust}: {each.repaired!r} -> {new}; {truth!r}\n")
        yield tuple(map(str, (f"{trust:g}", len(labels), changed, right, changed - right)))


def _kept(folder: Path, lines: Iterable[Utterance]) -> Manifest:
    """Made once, and read back then."""
    if not folder.is_dir():
        Manifest.write(lines, scratch := folder.with_name(f".{folder.name}"))
        scratch.rename(folder)
    return Manifest(folder)


def _errors(text: str | None, truth: str) -> ErrorCount:
    return metrics.count_normalized_errors(truth, text or "", "it", "words")


def _rate(counts: Sequence[ErrorCount]) -> str:
    return f"{100 * metrics.sum_counts(counts).rate:.2f}"


if __name__ == "__main__":
    main()
