"""Check that the corpora of a plan hold something to train on."""

from __future__ import annotations

from collections import Counter

from ..core.errors import ConfigError
from ..core.manifest import Manifest
from .plan import Plan


def check_not_empty(
    plan: Plan, pool: Manifest, texts: Manifest, human: Manifest, replay: Manifest
) -> None:
    """Check that no list that the plan needs is empty.

    Raises:
        ConfigError: One is; the message has the reasons for which its utterances were rejected.
    """
    if not len(pool):
        raise ConfigError(
            f"pool: no audio found; name a folder with recordings{describe_rejected(pool)}"
        )
    # Stops at the first that can be read.
    if all(utterance.error for utterance in pool):
        first = next(iter(pool))
        raise ConfigError(
            f"pool: none of {len(pool)} recordings can be read; the first: {first.error}"
        )
    for key, corpora, speech in (("human", plan.human, human), ("replay", plan.replay, replay)):
        if corpora and not len(speech):
            raise ConfigError(
                f"{key}: no speech found; name speech with transcripts{describe_rejected(speech)}"
            )
    if plan.voices and not len(texts):
        raise ConfigError(
            "texts: no text found; a voice needs texts to synthesize" + describe_rejected(texts)
        )


def describe_rejected(listing: Manifest) -> str:
    """Return the counts of rejected utterances and the first objection; "" if there is none."""
    rejected = Manifest(listing.folder / "rejected")
    if not rejected.path.is_file() or not len(rejected):
        return ""
    reasons = Counter(utterance.rejected_by for utterance in rejected)
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    # One example tells which file it is about; the log names more.
    first = next(iter(rejected)).objection
    return f" (rejected: {counts}; the first: {first})"
