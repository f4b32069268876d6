"""The filter that keeps a share of the labels, by their confidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Utterance
from twister_loop.data.filters.best_share import BestShare


def label(number: int, confidence: float | None, lang: str = "it") -> Utterance:
    return Utterance(id=f"{lang}{number}", text="a", lang=lang, confidence=confidence)


def kept(filter_: BestShare, labels: list[Utterance], folder: Path) -> set[str]:
    fitted = filter_.fit(Manifest.write(labels, folder))
    return {utterance.id for utterance in labels if fitted.objection(utterance) is None}


@pytest.mark.parametrize(("share", "count"), [(0.0, 1), (0.3, 3), (0.6, 6), (1.0, 10)])
def test_the_surest_share_is_kept(share: float, count: int, tmp_path: Path) -> None:
    labels = [label(number, -number / 10) for number in range(10)]
    assert kept(BestShare(share), labels, tmp_path) == {f"it{number}" for number in range(count)}


def test_every_language_keeps_its_own_share(tmp_path: Path) -> None:
    # Czech labels are all less sure than Italian ones.
    labels = [label(number, -number / 10) for number in range(4)]
    labels += [label(number, -5 - number, "cs") for number in range(4)]
    assert kept(BestShare(0.5), labels, tmp_path) == {"it0", "it1", "cs0", "cs1"}


def test_a_surer_model_keeps_no_more(tmp_path: Path) -> None:
    labels = [label(number, -number / 100) for number in range(10)]
    assert len(kept(BestShare(0.6), labels, tmp_path)) == 6


@pytest.mark.parametrize(("number", "share"), [(1, 0.5), (2, 0.7), (3, 0.9), (4, 1.0), (9, 1.0)])
def test_the_share_grows_with_every_finished_round_up_to_all(number: int, share: float) -> None:
    assert BestShare(0.5, grow=0.2).in_round(number) == BestShare(share)
    assert BestShare(0.5).in_round(number) == BestShare(0.5)


def test_the_objection_tells_the_limit_and_a_label_without_confidence_is_dropped(
    tmp_path: Path,
) -> None:
    labels = [label(0, -0.1), label(1, -0.9), label(2, None)]
    fitted = BestShare(0.5).fit(Manifest.write(labels, tmp_path))
    assert fitted.objection(labels[1]) == (
        "confidence -0.90, and the surest 50% of the labels in it have -0.10 or more"
    )
    assert fitted.objection(labels[2]) == "the recognizer gave no confidence"
    # Languages that the corpus did not have are not doubted.
    assert fitted.objection(label(3, -9.0, "fr")) is None
