"""Survey of a folder and its first plan, in the steps that a command asks between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import ConfigError
from .draft import Draft, Wishes, draft_plan
from .listening import Hearing, listen
from .recordings import FolderRecordings, survey_recordings
from .sentences import SentenceList, find_sentence_lists
from .speech import write_list
from .transcripts import TranscriptSource, find_transcripts, iter_transcripts, list_documents


@dataclass(frozen=True)
class FolderSurvey:
    """Everything that a folder holds, as far as names, lists and headers tell."""

    recordings: FolderRecordings
    sources: tuple[TranscriptSource, ...]
    texts: tuple[SentenceList, ...]
    remarks: tuple[str, ...]
    """Tables and text files that cannot be used, with the reasons."""

    @property
    def speakers(self) -> int:
        """Return the number of speakers that tables name."""
        return len({line.speaker for line in iter_transcripts(self.sources) if line.speaker})


def survey_folder(folder: Path, ignored: Sequence[Path] = ()) -> FolderSurvey:
    """Survey the recordings, tables and texts of a folder; nothing in it is changed.

    Args:
        folder: The folder, with anything in it.
        ignored: Folders below it to pass over for tables and texts.

    Raises:
        ConfigError: There is no such folder, or no recording that can be read in it.
    """
    recordings = survey_recordings(folder)
    documents = list_documents(folder, ignored)
    sources, remarks = find_transcripts(recordings, documents)
    used = {source.place for source in sources}
    # The transcript beside a recording is no text corpus.
    stems = {path.with_suffix("") for path in recordings.paths}
    used |= {path for path in documents.texts if path.with_suffix("") in stems}
    texts, text_remarks = find_sentence_lists(documents, used)
    return FolderSurvey(
        recordings, tuple(sources), tuple(texts), tuple(dict.fromkeys([*remarks, *text_remarks]))
    )


def hear(survey: FolderSurvey, model: str, at_hand: Sequence[str]) -> Hearing:
    """Transcribe a few clips of the recordings without transcripts, or of all if there are none."""
    # Of the pool, whose language the plan names; held-out sets may be of others.
    transcribed = {line.path for line in iter_transcripts(survey.sources)}
    paths = survey.recordings.paths
    unlabeled = [path for path in paths if path not in transcribed]
    return listen(survey.recordings, unlabeled or paths, model, at_hand)


def draft_plan_of(
    survey: FolderSurvey, hearing: Hearing, wishes: Wishes, lists: Path, *, search: bool = True
) -> Draft:
    """Draft the plan of a folder; see `draft.draft_plan`."""
    return draft_plan(
        survey.recordings, survey.sources, survey.texts, hearing, wishes, lists, search=search
    )


def check_places(plan: Path, lists: Path) -> None:
    """Check that a plan and its lists can be written without overwriting anything.

    Raises:
        ConfigError: One of them is there already.
    """
    # Lists too: a plan of another day may still read them.
    for path, option in ((plan, "another name with --plan"), (lists, "another plan with --plan")):
        if path.exists() or path.is_symlink():
            raise ConfigError(f"{path}: is there already, and is not overwritten; give {option}")
    if not plan.absolute().parent.is_dir():
        raise ConfigError(f"{plan.parent}: there is no such folder; make it, or name another plan")


def write_first_plan(plan: Path, text: str, draft: Draft) -> None:
    """Write the lists of a draft, and last the plan: if it is there, all of it is."""
    for speech in draft.written_lists:
        write_list(speech, draft.language)
    # Fails if the file appeared meanwhile, instead of overwriting it.
    with plan.open("x", encoding="utf-8") as file:
        file.write(text)
