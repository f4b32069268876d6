"""Choice of the clips that people transcribe: at random for honest sets, or by doubt."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...audio import io as audio
from ...core.annotated import AnnotatedSpeech
from ...core.errors import ConfigError
from ...core.file_hashes import FileHashCache
from ...core.forgotten import DIGEST_LENGTH
from ...core.manifest import Manifest
from ...core.progress import show_progress
from ...core.types import Seconds, Share, Utterance
from ...data.scanning import ScanOptions, scan_recording
from ..plan import Plan
from ..run_folder import RunFolder
from ..stage_table import INPUTS, PSEUDO_LABELS
from ..stages.annotation import check_columns
from ..stages.listing import list_corpora

log = logging.getLogger(__name__)

# A held-out recording is lost for training as a whole, so a set must not take most of a pool of
# few long recordings. More is only taken if the clips asked for are not in less.
LARGEST_SHARE: Share = 0.2
"""Share of the pool's audio that the recordings of an honest set are drawn from."""
LONGEST_SEARCH: Seconds = 5 * 3600.0
"""Audio in which clips are looked for: cutting it at pauses takes minutes."""


@dataclass(frozen=True)
class DrawnClips:
    """Clips in the order in which they are to be transcribed."""

    clips: tuple[Utterance, ...]
    pool: Seconds = 0.0
    """Audio of the pool that clips could be drawn from."""
    recordings: int = 0
    """Recordings of the first clips, as many as were asked for."""
    duration: Seconds = 0.0
    """Audio of these recordings."""


def draw_at_random(
    plan: Plan,
    *,
    place: str,
    count: int,
    annotated: AnnotatedSpeech,
    run_folder: RunFolder | None = None,
) -> DrawnClips:
    """Draw clips of the plan's pool, which is listed and cut as a round does it.

    The draw goes by the content of recordings, so it is the same every time, also after files were
    renamed or added. Recordings that no round of the run has listed come first: whether a round
    learned from the others depends on how sure the recognizer was of them, and an honest set must
    not depend on that.

    Args:
        plan: The plan.
        place: Key of the set in the plan; sets draw differently.
        count: Number of clips wanted. More are drawn, since some will be unusable.
        annotated: Speech of the plan's other annotated sets, which is left out.
        run_folder: The run whose rounds may have listed recordings.

    Raises:
        ConfigError: The pool has no usable recording, or cannot be cut without a package.
    """
    check_columns(plan.scan.columns_to_estimate)
    listed = _listed_recordings(run_folder) if run_folder else set()
    recordings = _list_recordings(plan, place, annotated, run_folder)
    if not recordings:
        raise ConfigError(f"{plan.path}: the pool has no recording that a set could be drawn from")
    recordings.sort(
        key=lambda recording: (
            recording.id[:DIGEST_LENGTH] in listed,
            _draw(plan.seed, place, recording.id),
        )
    )
    pool = sum(recording.duration for recording in recordings)
    parts = AnnotatedSpeech(human=annotated.human)  # which are transcribed, so not drawn again
    chosen, spare = list[list[Utterance]](), list[list[Utterance]]()
    searched, cut_count = 0.0, 0
    for recording in show_progress(recordings, "drawing recordings"):
        limit = min(LARGEST_SHARE * pool, LONGEST_SEARCH)
        enough = len(chosen) >= 2 * count or searched + recording.duration > limit
        # Twice as many, because some will be unusable. What is only there to replace them comes
        # last, so that its recordings stay in the pool if nothing has to be replaced.
        if chosen and cut_count >= 2 * count and enough:
            break
        is_spare = bool(chosen) and cut_count >= count and enough
        searched += recording.duration
        if cuts := [cut for cut in _cut(plan.scan, recording) if not parts.reject(cut).rejected_by]:
            cuts.sort(key=lambda cut: _draw(plan.seed, place, cut.id))
            (spare if is_spare else chosen).append(cuts)
            cut_count += len(cuts)
    clips = [*_take_turns(chosen), *_take_turns(spare)]
    if not clips:
        raise ConfigError(f"{plan.path}: no recording of the pool has a clip with speech in it")
    wanted = {clip.id[:DIGEST_LENGTH] for clip in clips[:count]}
    durations = {recording.id[:DIGEST_LENGTH]: recording.duration for recording in recordings}
    duration = sum(durations[digest] for digest in wanted)
    return DrawnClips(tuple(clips), pool, len(wanted), duration)


def draw_by_doubt(
    plan: Plan, *, count: int, annotated: AnnotatedSpeech, run_folder: RunFolder
) -> DrawnClips:
    """Draw the clips whose pseudo-labels of the newest round have the lowest confidence.

    They carry their label in `pred_text`.

    Raises:
        ConfigError: No round has pseudo-labels with a confidence.
    """
    folders = [PSEUDO_LABELS.path(folder) for folder in reversed(run_folder.round_folders)]
    labels = next((Manifest(folder) for folder in folders if folder.is_dir()), None)
    doubted = [
        (label.confidence, label.id, label)
        for label in map(annotated.reject, labels or ())
        if not (label.rejected_by or label.error) and label.confidence is not None
    ]
    if not doubted:
        raise ConfigError(
            f"{run_folder.path}: no round has pseudo-labels with a confidence; run a round first "
            "(`twister round`), or draw with `--by random`"
        )
    # Twice as many, because what a recognizer doubts most often is no speech at all.
    clips = tuple(label for *_, label in sorted(doubted, key=lambda line: line[:2])[: 2 * count])
    return DrawnClips(clips)


def order_by_hash(clips: Iterable[Utterance], *names: object) -> list[Utterance]:
    """Return clips in an order that depends on names and ids alone."""
    return sorted(clips, key=lambda clip: _draw(*names, clip.id))


def _list_recordings(
    plan: Plan, place: str, annotated: AnnotatedSpeech, run_folder: RunFolder | None
) -> list[Utterance]:
    """Return the usable recordings of the pool that are in no other annotated set."""
    # Digests and removals of the run are read; nothing is written there, a round may be running.
    hashes = FileHashCache(run_folder.path if run_folder else plan.folder)
    with audio.trusting_headers():  # what is drawn is measured when it is cut
        recordings = list(
            show_progress(
                list_corpora(plan.pool, plan.language, hashes, "pool", annotated),
                "listing the pool",
            )
        )
    # Training data must not lend its voice to a held-out set; a training set may take more of it.
    taken = set(annotated.human) if place != "human" else set()
    return [
        recording
        for recording in recordings
        if not (recording.rejected_by or recording.error)
        and recording.id[:DIGEST_LENGTH] not in taken
    ]


def _listed_recordings(run_folder: RunFolder) -> set[str]:
    """Return the digests of all recordings that a round of the run has listed."""
    pools = (Manifest(folder / INPUTS / "pool") for folder in run_folder.round_folders)
    lines = (line for pool in pools if pool.path.is_file() for line in pool)
    return {line.id[:DIGEST_LENGTH] for line in lines}


def _cut(options: ScanOptions, recording: Utterance) -> Sequence[Utterance]:
    """Return the usable clips of a recording."""
    try:
        cuts = list(scan_recording(options, recording))
    except ModuleNotFoundError as cause:
        raise ConfigError(
            f"cutting long recordings at pauses needs the package {cause.name!r}: "
            "pip install 'twister-loop[whisper]'"
        ) from cause
    return [replace(cut, text=None) for cut in cuts if not cut.rejected_by]


def _take_turns(cuts_by_recording: Sequence[Sequence[Utterance]]) -> list[Utterance]:
    """Return one clip of each recording, then a second one: as many voices as there are."""
    turns = range(max(map(len, cuts_by_recording), default=0))
    return [cuts[turn] for turn in turns for cuts in cuts_by_recording if turn < len(cuts)]


def _draw(*names: object) -> str:
    """Return a random number that names decide, as text."""
    return hashlib.sha256(" ".join(map(str, names)).encode("utf-8", "surrogatepass")).hexdigest()


def check_outside_pool(plan: Plan, folder: Path) -> None:
    """Check that the folder of a set does not lie in the pool, which would list its clips.

    Raises:
        ConfigError: It does.
    """
    for corpus in plan.pool:
        pool = getattr(corpus, "folder", None)
        if isinstance(pool, Path) and folder.resolve().is_relative_to(pool.resolve()):
            raise ConfigError(
                f"{folder}: this folder lies in the pool {pool}, whose recordings are trained on; "
                "name a folder outside of it for the set"
            )
