"""What filters keep, and what they drop with its reason: nothing is lost, all is counted."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, tee
from pathlib import Path

from ...core.artifacts import stage
from ...core.manifest import Manifest, windows
from ...core.types import Funnel, Tally, Utterance
from ...data.filters._base import Filter, FilterContext
from ...text.contamination import HeldOutTexts
from ..execution.shards import Cluster, run_in_shards


@stage(version=1)
def filter_utterances(
    filters: Sequence[Filter],
    speech: Manifest,
    human: Manifest | None,
    held_out: Sequence[Manifest],
    context: FilterContext | None = None,
    *,
    cluster: Cluster | None = None,
    out: Path,
) -> Manifest:
    """Keep human speech and what no filter objects to; the rest goes to `rejected/`, with why.

    What equals or nearly equals a held-out text is dropped before any filter is asked. Each filter
    is asked about what those before it kept. Where one asks `witnesses` it goes on after the last
    whole window.
    """
    informed = [each.fitted_to(speech) for each in filters]
    texts = HeldOutTexts(each for manifest in held_out for each in manifest)
    judged: Iterable[Utterance]
    if context is None:
        judged = (with_first_objection(utterance, informed, texts) for utterance in speech)
    else:
        asked = partial(_testified, informed, texts, context)
        judged = run_in_shards(asked, speech, "judging", cluster, out / "judged")
    manifest = write_kept_and_rejected(chain(judged, human or ()), out)
    shutil.rmtree(out / "judged", ignore_errors=True)
    return manifest


def write_kept_and_rejected(judged: Iterable[Utterance], out: Path) -> Manifest:
    """Write what is kept, what is rejected, and how much of each."""
    kept, rejected = Tally(), defaultdict[str, Tally](Tally)
    keep, reject = Manifest(out), Manifest(out / "rejected")
    with keep.appending() as to_kept, reject.appending() as to_rejected:
        for window in windows(judged):
            to_kept(each for each in window if not each.rejected_by)
            to_rejected(each for each in window if each.rejected_by)
            for each in window:
                if each.rejected_by:
                    rejected[each.rejected_by] = rejected[each.rejected_by].plus(each.duration)
                else:
                    kept = kept.plus(each.duration)
    Funnel(kept, dict(sorted(rejected.items()))).save(out)
    return keep


def with_first_objection(
    utterance: Utterance, filters: Sequence[Filter], texts: HeldOutTexts
) -> Utterance:
    """The same, marked with the first objection to it."""
    if utterance.error:
        return replace(utterance, rejected_by="error", objection=utterance.error)
    if texts.nearest(utterance):
        return replace(
            utterance, rejected_by="held_out_text", objection="nearly the text of a held-out set"
        )
    for each in filters:
        if objection := each.objection(utterance):
            return replace(utterance, rejected_by=each.name, objection=objection)
    return utterance


def _testified(
    filters: Sequence[Filter],
    texts: HeldOutTexts,
    witnesses: FilterContext,
    speech: Iterable[Utterance],
    _: Path,
) -> Iterator[Utterance]:
    """What `sifted` makes of everything, where some filters ask witnesses."""
    judged: Iterator[Utterance] = (with_first_objection(each, (), texts) for each in speech)
    for filter_ in filters:
        judged = _by_one(filter_, judged, witnesses)
    return judged


def _by_one(
    filter_: Filter, judged: Iterator[Utterance], witnesses: FilterContext
) -> Iterator[Utterance]:
    """What one filter says of what is left; the rest goes by as an error, so nobody hears it."""
    judged, again = tee(judged)
    left = (replace(each, error="dropped") if each.rejected_by else each for each in again)
    for utterance, objection in zip(judged, filter_.objections(left, witnesses), strict=True):
        if objection and not utterance.rejected_by:
            yield replace(utterance, rejected_by=filter_.name, objection=objection)
        else:
            yield utterance
