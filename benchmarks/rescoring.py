"""Word error rate of pseudo-labels before and after n-best rescoring, by beams, weight and bonus.

python benchmarks/rescoring.py FOLDER [CLIPS]

The data are the Italian pool of the IVR prompts, or CLIPS random clips of it, with pseudo-labels of
untouched Whisper base in CTranslate2. Transcripts are kept in FOLDER: a second call only rescores.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from twister_loop import Utterance
from twister_loop.asr._base import BoundRecognizer, Recognizer
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import ErrorCount
from twister_loop.data.corpora._base import Corpus
from twister_loop.evaluation import metrics
from twister_loop.pipeline.stages.rescoring import (
    RescoringOptions,
    choose_text,
    make_prompt,
)
from twister_loop.pipeline.stages.text_selection import TextSelection, select_texts
from twister_loop.text.key_terms import TermFinder
from twister_loop.text.kneser_ney import KneserNey, split_language_model_units
from twister_loop.text.nbest import find_plausible

NBEST = 5
"""Texts of the beam; five is OpenAI Whisper's own beam."""
SENTENCES = Path(__file__).parents[1] / "configs" / "texts" / "ivr.it.txt"
SHOWN = RescoringOptions(texts=NBEST, prompt_words=0, weight=0.3, bonus=0.0, order=3)
"""Options whose changed labels are printed one by one."""


def list_corpora(*specs: dict[str, object]) -> list[Utterance]:
    utterances = (utterance for spec in specs for utterance in Corpus.build(spec).utterances())
    usable = [utterance for utterance in utterances if not utterance.rejected_by]
    return [
        replace(utterance, id=str(number), lang="it") for number, utterance in enumerate(usable)
    ]


def ivr(split: str) -> dict[str, object]:
    return {"use": "ivr", "split": split}


def main() -> None:
    asr = Recognizer.build({"use": "ctranslate2"})
    champion = BoundRecognizer(asr, asr.initial_checkpoint())
    out = Path(sys.argv[1])
    references = {
        utterance.audio_filepath: utterance.text or ""
        for utterance in list_corpora(ivr("pool_references"))
    }
    pool = [
        utterance
        for utterance in list_corpora(ivr("pool"))
        if utterance.audio_filepath in references
    ]
    if len(sys.argv) > 2:
        pool = random.Random(0).sample(pool, int(sys.argv[2]))
    transcribed = champion.transcribe(replace(utterance, text=None) for utterance in pool)
    labels = write_once(
        out / "labels",
        (replace(label, text=label.pred_text, origin="pseudo") for label in transcribed),
    )
    corpus = list_corpora(ivr("texts"), {"use": "textfile", "file": str(SENTENCES)})
    held_out = [
        Manifest.write(list_corpora(ivr(split)), out / split) for split in ("development", "test")
    ]
    texts = select_texts(
        filters=(),
        selection=TextSelection(),
        texts=Manifest.write(corpus, out / "inputs"),
        held_out=held_out,
        out=out / "texts",
    )
    truths = [references[label.audio_filepath] for label in labels]
    for cells in rows(champion, labels, texts, truths):
        sys.stdout.write(f"| {' | '.join(cells)} |\n")
        sys.stdout.flush()


def rows(
    champion: BoundRecognizer, labels: Manifest, texts: Manifest, truths: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table; all of them rescore the same beams."""
    beam_search = champion.recognizer.with_beam(NBEST, nbest=NBEST)
    assert beam_search
    prompted_search = beam_search.with_prompt(make_prompt(texts, RescoringOptions().prompt_words))
    assert prompted_search
    beams, prompted = (
        [
            answer.alternatives
            for answer in write_once(
                labels.folder.with_name(name), search.transcribe(champion.checkpoint, labels)
            )
        ]
        for name, search in (("beams", beam_search), ("prompted", prompted_search))
    )
    both = [
        [plain, find_plausible(after_prompt, plain)]
        for plain, after_prompt in zip(beams, prompted, strict=True)
    ]
    yield ("beams", "weight", "bonus", "order", "labels", "changed", "better", "worse", "WER")
    yield ("---",) * 9
    before = [count_errors(label.text, truth) for label, truth in zip(labels, truths, strict=True)]
    yield ("", "", "", "as labeled", str(len(before)), "", "", "", percent(before))
    oracle = [
        min(
            [count_errors(alternative.text, truth) for alternative in beam] or [old],
            key=lambda count: count.errors,
        )
        for beam, truth, old in zip(beams, truths, before, strict=True)
    ]
    yield ("plain", "", "", "the beam's best text", str(len(before)), "", "", "", percent(oracle))
    no_terms = TermFinder((), split_language_model_units)
    for order in (3, 1):
        sentences = (split_language_model_units(text.text or "", text.lang) for text in texts)
        language_model = KneserNey(sentences, order)
        for bonus, weight in product((0.0, 1.0, 2.0), (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)):
            for name, lists in (("plain", [[beam] for beam in beams]), ("both", both)):
                options = RescoringOptions(
                    texts=NBEST, prompt_words=0, weight=weight, bonus=bonus, order=order
                )
                rescored = [
                    choose_text(options, language_model, no_terms, label, of_label)
                    for label, of_label in zip(labels, lists, strict=True)
                ]
                yield (name, *row(options, rescored, before, truths))


def row(
    options: RescoringOptions,
    rescored: Sequence[Utterance],
    before: Sequence[ErrorCount],
    truths: Sequence[str],
) -> tuple[str, ...]:
    after = [count_errors(label.text, truth) for label, truth in zip(rescored, truths, strict=True)]
    gains = [old.errors - new.errors for old, new in zip(before, after, strict=True)]
    changed = [
        (label, truth)
        for label, truth in zip(rescored, truths, strict=True)
        if label.text_before_rescoring is not None
    ]
    if options == SHOWN:
        for label, truth in changed:
            sys.stderr.write(f"{label.text_before_rescoring!r} -> {label.text!r}; {truth!r}\n")
    return (
        f"{options.weight:g}",
        f"{options.bonus:g}",
        str(options.order),
        str(len(rescored)),
        str(len(changed)),
        str(sum(gain > 0 for gain in gains)),
        str(sum(gain < 0 for gain in gains)),
        percent(after),
    )


def write_once(folder: Path, utterances: Iterable[Utterance]) -> Manifest:
    """Write a manifest, or read it back if an earlier call has written it."""
    if not folder.is_dir():
        Manifest.write(utterances, scratch := folder.with_name(f".{folder.name}"))
        scratch.rename(folder)
    return Manifest(folder)


def count_errors(text: str | None, truth: str) -> ErrorCount:
    return metrics.count_normalized_errors(truth, text or "", "it", "words")


def percent(counts: Sequence[ErrorCount]) -> str:
    return f"{100 * metrics.sum_counts(counts).rate:.2f}"


if __name__ == "__main__":
    main()
