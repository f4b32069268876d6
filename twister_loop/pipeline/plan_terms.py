"""Key terms of a plan, from its list or from a text file, and where its held-out sets have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..core.errors import ConfigError
from ..core.schema_errors import show_value
from ..core.types import Language, Utterance
from ..data.corpora._base import Corpus
from ..evaluation.measures import choose_measure
from ..evaluation.term_recall import TermCounter
from ..text.normalizers._base import Normalizer
from .plan import Plan


def read_terms(
    source: Sequence[str | Corpus], normalizer: Normalizer, lang: Language | None
) -> tuple[str, ...]:
    """Return the key terms, each once.

    Args:
        source: The terms, or text corpora with one term a line.
        normalizer: Normalizer of the plan; terms that it makes equal are one.
        lang: Language of the plan.

    Raises:
        TwisterError: A file cannot be read or holds no term, or a term has nothing that is said.

    >>> from ..text.normalizers.basic import Basic
    >>> read_terms(["Rossi", " conto  corrente", "rossi!"], Basic(), "it")
    ('Rossi', 'conto corrente')
    """
    by_form: dict[str, str] = {}
    for term in _list_terms(source):
        form = normalizer.normalize(term, lang)
        if not form:
            raise ConfigError(
                f"{show_value(term)} has no letter or digit that could be said; remove it"
            )
        by_form.setdefault(form, " ".join(term.split()))
    if not by_form:
        raise ConfigError("the file holds no term; write one a line, or leave the key out")
    return tuple(by_form.values())


def describe_occurrences(
    plan: Plan, references: Mapping[str, Sequence[Utterance]]
) -> Iterator[str]:
    """Yield how often the references of every held-out set have a key term.

    Args:
        plan: The plan.
        references: Utterances by the key of their set, such as `development.calls`.
    """
    for place, utterances in references.items() if plan.terms else ():
        counter = TermCounter(
            plan.terms or (),
            plan.normalizer,
            plan.normalizer.measure or choose_measure(utterances),
        )
        # A text beside itself: what is counted here is what reports will count.
        texts = [
            (plan.normalizer.normalize(line.text or "", line.lang), line.lang)
            for line in utterances
        ]
        occurrences = sum(counter.count(text, text, lang).recall.total for text, lang in texts)
        yield (
            f"{place}: {occurrences} occurrences of {len(plan.terms or ())} terms"
            if occurrences
            else f"{place}: no term occurs, so their recall cannot be measured there"
        )


def _list_terms(source: Sequence[str | Corpus]) -> Iterator[str]:
    for place in source:
        if isinstance(place, str):
            yield place
            continue
        for line in place.utterances():
            # A term that is lost silently would be missing in every figure.
            if line.rejected_by:
                raise ConfigError(f"{line.objection}; mend the line, or remove it")
            yield line.text or ""
