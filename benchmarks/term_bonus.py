"""Recall of key terms in rescored labels, and errors on other words, by the bonus of a term.

python benchmarks/term_bonus.py [CLIPS]

Italian prompts of the demo's pool whose references are known are decoded by Whisper base with a
beam of 5 in CTranslate2, and rescored with the demo's texts. Terms are words that somebody who
knows the domain would name; words of the references that are rare, as names are; and those of these
that no text has.
"""

from __future__ import annotations

import logging
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from twister_loop import Utterance
from twister_loop.core.types import TermCount
from twister_loop.evaluation.term_recall import TermCounter
from twister_loop.parts import Corpus, Recognizer
from twister_loop.pipeline.stages import rescoring
from twister_loop.text.key_terms import TermFinder
from twister_loop.text.kneser_ney import KneserNey, split_language_model_units
from twister_loop.text.normalizers.basic import Basic

log = logging.getLogger("term_bonus")

DOMAIN = (
    "segreteria casella conferenza cancelletto asterisco interno password operatore messaggio "
    "messaggi centralino numero codice utente chiamata tasto"
).split()
BONUSES = (None, 0.0, 1.0, 2.0, 4.0, 8.0)
"""Bonuses that are tried; None is rescoring without terms."""
CONFIGS = Path(__file__).parents[1] / "configs"


def main() -> None:
    clips = int(sys.argv[1]) if len(sys.argv) > 1 else 160
    speech = list(read("ivr", split="pool_references"))
    random.Random(1).shuffle(speech)
    labels = decode(speech[:clips])
    texts = [*read("ivr", split="texts"), *read("textfile", file="texts/ivr.it.txt", lang="it")]
    words = Counter(word for label in labels for word in normalize(label.text).split())
    # Of seven letters and more, at most three times each.
    rare = sorted(word for word, count in words.items() if len(word) >= 7 and count <= 3)
    corpus_words = {word for text in texts for word in normalize(text.text).split()}
    unknown = [word for word in rare if word not in corpus_words]
    for name, key_terms in (("domain", DOMAIN), ("rare", rare), ("rare, in no text", unknown)):
        for bonus in BONUSES:
            count = measure(labels, texts, key_terms, bonus)
            recall, others = count.recall, count.others
            log.info(
                "%s, %d terms, bonus %s: recall %d of %d, other words %d of %d",
                name, len(key_terms), bonus, recall.count, recall.total, others.errors,
                others.length,
            )  # fmt: skip


def read(use: str, **options: str) -> Iterator[Utterance]:
    return Corpus.build({"use": use, **options}, CONFIGS).utterances()


def decode(speech: Sequence[Utterance]) -> list[Utterance]:
    """Return the clips with the n-best list of each."""
    whisper, engine = (
        Recognizer.build({"use": name, "model": "openai/whisper-base"}, CONFIGS)
        for name in ("whisper", "ctranslate2")
    )
    beam_search = engine.with_beam(5, nbest=5)
    assert beam_search
    return list(beam_search.transcribe(whisper.initial_checkpoint(), speech))


def measure(
    labels: Sequence[Utterance],
    texts: Sequence[Utterance],
    key_terms: Sequence[str],
    bonus: float | None,
) -> TermCount:
    """Return recall and other errors of labels that are rescored with a bonus."""
    rescoring.TERM_BONUS = bonus or 0.0
    finder = TermFinder([] if bonus is None else key_terms, split_language_model_units)
    sentences = [split_language_model_units(text.text or "", text.lang) for text in texts]
    sentences += map(list, finder.split_terms("it"))
    model, options = KneserNey(sentences, 3), rescoring.RescoringOptions()
    counter = TermCounter(key_terms, Basic(), "words")
    count = TermCount()
    for label in labels:
        chosen = rescoring.choose_text(
            options, model, finder, _as_label(label), [label.alternatives]
        )
        count += counter.count(normalize(label.text), normalize(chosen.text), "it")
    return count


def _as_label(utterance: Utterance) -> Utterance:
    return Utterance(id=utterance.id, text=utterance.pred_text, lang="it", origin="pseudo")


def normalize(text: str | None) -> str:
    return Basic().normalize(text or "", "it")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
