"""Deletion of weights and audio of an old round; manifests, reports and verdicts stay."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..core import schema
from ..core.artifacts import PROVENANCE, PRUNED
from ..core.ranges import CountOrZero

RESULT_SUFFIXES = frozenset(".json .jsonl .yaml .html .log".split())
"""Files that stay in an old round: the record of what happened, without its bulk."""


@dataclass(frozen=True)
class PruneOptions:
    """Options for pruning old rounds to manifests, reports and verdicts."""

    last: CountOrZero = 2
    """Number of rounds that stay whole. The champion's round stays whole too, however old."""
    trainings: bool = False
    """Whether to keep the weights of single trainings after the candidate was made from them."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS


def delete_bulk(round_folder: Path) -> int:
    """Delete weights and audio of a round; return the number of bytes that were freed."""
    freed = 0
    for path in list(round_folder.rglob("*")):
        if not (path.is_file() and _is_bulk(path)):
            continue
        artifacts = (parent for parent in path.parents if (parent / PROVENANCE).is_file())
        # The mark comes first: a pruned artifact must never be reused as if it were whole.
        (next(artifacts, round_folder) / PRUNED).touch()
        freed += path.stat().st_size
        path.unlink()
    return freed


def _is_bulk(path: Path) -> bool:
    """Return True for weights and audio, which are deleted."""
    # A tokenizer is JSON, but large and useless without its weights.
    is_model_file = path.name in {"tokenizer.json", "vocab.json"}
    is_result = path.suffix in RESULT_SUFFIXES and not is_model_file
    return not is_result and path.name != PRUNED
