"""The stages of a round: one table of folders, inputs and units of progress.

The loop writes to these folders, the reporting room reads them, and the README lists them. Stages
stand in the order in which `loop.run_round` runs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

INPUTS = "inputs"
"""Folder of the lists that a round begins with; no stage makes it."""
INPUT_LISTS = ("pool", "texts", "human", "replay")
"""The lists in `inputs/`, beside the one of each held-out set."""


@dataclass(frozen=True)
class StageEntry:
    """One stage of a round.

    Attributes:
        folder: Where the stage writes, relative to the round. `{voice}` and `{reference}` stand
            for a name of the plan, `{training}` for a number from 1.
        purpose: What the folder holds, for readers of the README and of the page.
        reads: Folders, relative to the round, whose manifest has one line for each line that the
            stage writes: the first that exists tells how much there is to do. Empty if progress
            cannot be told from the disk.
        unit: What progress is counted in.
    """

    folder: str
    purpose: str
    reads: tuple[str, ...] = ()
    unit: str = "utterances"

    def path(self, round_folder: Path, **names: str) -> Path:
        """Return the stage's folder in a round.

        >>> SYNTHESIZED.path(Path("run/round-01"), voice="splice").as_posix()
        'run/round-01/voices/splice/spoken'
        """
        return round_folder / self.folder.format(**names)

    def manifest_to_read(self, round_folder: Path, stage: str) -> Path | None:
        """Return the manifest that tells how many lines the stage will write, if one does.

        Args:
            round_folder: Folder of the round.
            stage: The stage's own folder relative to the round, with names filled in.
        """
        names = _names(self.folder, stage) or {}
        folders = (round_folder / folder.format(**names) for folder in self.reads)
        manifests = (folder / "manifest.jsonl" for folder in folders)
        return next((manifest for manifest in manifests if manifest.is_file()), None)


UNTOUCHED = StageEntry("untouched", "error counts of the model as it was published")
CHAMPION = StageEntry("champion", "error counts of the champion")
REFERENCES = StageEntry("references/{reference}", "error counts of other untouched models")
POOL = StageEntry(
    "pool", "the pool, cut at pauses and checked", reads=("inputs/pool",), unit="recordings"
)
ANNOTATED = StageEntry(
    "annotated", "the pool with estimated columns, if the plan wants some", reads=("pool",)
)
SPEAKERS = StageEntry(
    "speakers", "the pool with speaker names, if the plan wants them", reads=("annotated", "pool")
)
LABELER = StageEntry("labeler", "the trial that chooses the decoder for pseudo-labels")
CHECKER = StageEntry(
    "checker", "the same for the champion on synthetic speech, if a teacher labels the pool"
)
PSEUDO_LABELS = StageEntry(
    "pseudo_labels",
    "the pool with transcripts of the champion, or of the teacher if the plan has one",
    reads=("speakers", "annotated", "pool"),
)
TEXTS = StageEntry("texts", "the text corpus, cleaned and without held-out texts", unit="texts")
RESCORED = StageEntry(
    "rescored", "pseudo-labels after n-best rescoring, if the plan wants it", ("pseudo_labels",)
)
ALIGNED = StageEntry(
    "aligned",
    "pseudo-labels with word times, if something needs them",
    ("rescored", "pseudo_labels"),
)
ALIGNED_HUMAN = StageEntry(
    "aligned_human", "human speech with word times, if something needs them", ("inputs/human",)
)
FILTERED_LABELS = StageEntry(
    "filtered_labels", "what the filters kept; rejected/ holds the rest with its reasons"
)
VOICE_LABELS = StageEntry(
    "voices/{voice}/filtered_labels", "what the voice's own filters kept, if it has some"
)
VOICE = StageEntry("voices/{voice}/voice", "the trained voice, if it learns", unit="steps")
POOL_CHANNEL = StageEntry(
    "voices/{voice}/channel", "band, spectrum, level and noise of the pool, for the voice's speech"
)
VOICE_TRIAL = StageEntry(
    "voices/{voice}/trial", "a few dozen synthesized texts and the champion's CER on them"
)
SYNTHESIZED = StageEntry("voices/{voice}/spoken", "the text corpus, synthesized", reads=("texts",))
IN_CHANNEL = StageEntry(
    "voices/{voice}/in_channel",
    "synthetic speech through the pool's channel, if the voice gets it",
    reads=("voices/{voice}/spoken",),
)
VERIFIED = StageEntry(
    "voices/{voice}/verified",
    "synthetic speech with the champion's transcripts",
    reads=("voices/{voice}/in_channel", "voices/{voice}/spoken"),
)
ALIGNED_SYNTHETIC = StageEntry(
    "voices/{voice}/aligned",
    "synthetic speech with word times, if something needs them",
    reads=("voices/{voice}/verified",),
)
SYNTHETIC = StageEntry("voices/{voice}/synthetic", "synthetic speech that the filters kept")
ALIGNED_REPLAY = StageEntry(
    "aligned_replay", "replayed speech with word times, if something needs them", ("inputs/replay",)
)
FILTERED_REPLAY = StageEntry(
    "filtered_replay", "replayed speech without held-out texts, if the plan replays some"
)
SPEECHLESS = StageEntry(
    "speechless", "clips of the pool without speech, if the plan trains on some"
)
MIXTURE = StageEntry("mixture", "filtered labels, synthetic and replayed speech, drawn by hours")
PACKED = StageEntry("packed", "the mixture joined to at most 30 s, if the plan packs")
AUGMENTED = StageEntry(
    "augmented", "the mixture with effects, if the plan writes them", reads=("packed", "mixture")
)
TRAINING = StageEntry(
    "trainings/{training}",
    "one of several trainings, whose weights are averaged, if the plan wants it",
    unit="steps",
)
CANDIDATE = StageEntry(
    "candidate", "the fine-tuned model or the mean of several, a transformers folder", unit="steps"
)
REPORT = StageEntry("report", "error counts and transcripts of the candidate")
CANDIDATE_BY_LABELER = StageEntry(
    "candidate_by_labeler", "error counts of the candidate in the labeling engine, if a gate asks"
)
VERDICT = StageEntry("verdict", "accepted, or the objections of the gates")
APPROVAL = StageEntry("approval", "a person's decision, if the plan asks for one")

STAGES = (
    UNTOUCHED,
    CHAMPION,
    REFERENCES,
    POOL,
    ANNOTATED,
    SPEAKERS,
    LABELER,
    CHECKER,
    PSEUDO_LABELS,
    TEXTS,
    RESCORED,
    ALIGNED,
    ALIGNED_HUMAN,
    FILTERED_LABELS,
    VOICE_LABELS,
    VOICE,
    POOL_CHANNEL,
    VOICE_TRIAL,
    SYNTHESIZED,
    IN_CHANNEL,
    VERIFIED,
    ALIGNED_SYNTHETIC,
    SYNTHETIC,
    ALIGNED_REPLAY,
    FILTERED_REPLAY,
    SPEECHLESS,
    MIXTURE,
    PACKED,
    AUGMENTED,
    TRAINING,
    CANDIDATE,
    REPORT,
    CANDIDATE_BY_LABELER,
    VERDICT,
    APPROVAL,
)
TRAININGS = PurePosixPath(TRAINING.folder).parts[0]
"""Folder of a round that holds one folder for each training."""
EVALUATIONS = (UNTOUCHED, CHAMPION, REFERENCES, REPORT, CANDIDATE_BY_LABELER)
"""Stages that transcribe the held-out sets, each set into a folder `KIND/NAME` of its own."""


def find_trainings(round_folder: Path) -> list[Path]:
    """Return the folders of a round's fine-tunings, of which the last may be in progress.

    They are `trainings/1`, ... if their weights are averaged; else the candidate's own.
    """
    # A stage works in `.NAME` and is renamed to `NAME` when it is finished.
    names = {path.name.removeprefix(".") for path in (round_folder / TRAININGS).glob("*")}
    numbers = sorted(int(name) for name in names if name.isdecimal())
    return [TRAINING.path(round_folder, training=str(number)) for number in numbers] or [
        CANDIDATE.path(round_folder)
    ]


def stage_of(folder: str) -> StageEntry | None:
    """Return the stage that writes a folder, or None.

    Args:
        folder: Relative to the round, with `/` as the separator.

    >>> stage_of("voices/splice/spoken").folder
    'voices/{voice}/spoken'
    """
    return next((stage for stage in STAGES if _names(stage.folder, folder) is not None), None)


def position_of(folder: str) -> int:
    """Return the place of a stage's folder in the order of the loop; unknown folders come last."""
    stage = stage_of(folder)
    return STAGES.index(stage) if stage else len(STAGES)


def _names(pattern: str, folder: str) -> dict[str, str] | None:
    """Return the names that `folder` fills into `pattern`; None if it does not match."""
    expected, actual = PurePosixPath(pattern).parts, PurePosixPath(folder).parts
    if len(expected) != len(actual):
        return None
    names: dict[str, str] = {}
    for part, name in zip(expected, actual, strict=True):
        if part.startswith("{"):
            names[part.strip("{}")] = name
        elif part != name:
            return None
    return names
