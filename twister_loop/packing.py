"""Joining utterances to at most 30 s: pure arithmetic, no audio is touched here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .records import Piece, Seconds, Utterance


def groups(speech: Iterable[Utterance], limit: Seconds, gap: Seconds) -> Iterator[list[Utterance]]:
    """Cut a stream into runs that fit into `limit` with `gap` between neighbors, order kept."""
    group: list[Utterance] = []
    length = 0.0
    for utterance in speech:
        longer = length + gap + utterance.duration if group else utterance.duration
        if group and longer > limit:
            yield group
            group, longer = [], utterance.duration
        group.append(utterance)
        length = longer
    if group:
        yield group


def pieces(group: Sequence[Utterance], gap: Seconds) -> tuple[Piece, ...]:
    """Where each utterance lies when they are joined in this order."""
    placed, at = [], 0.0
    for utterance in group:
        end = at + utterance.duration
        placed.append(
            Piece(
                id=utterance.id,
                origin=utterance.origin,
                lang=utterance.lang,
                text=utterance.text or "",
                start=round(at, 3),
                end=round(end, 3),
            )
        )
        at = end + gap
    return tuple(placed)
