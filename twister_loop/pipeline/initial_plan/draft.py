"""Draft of a first plan: what each key should hold, chosen from what a folder holds."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ...core.errors import ConfigError
from ...core.types import Language, Seconds
from .language import WrittenLanguages, choose_language, identify_written, is_sure, list_heard
from .listening import Hearing
from .names import describe_place, find_language, iter_names
from .overlaps import drop_overlaps
from .recordings import FolderRecordings
from .roles import MIN_HELD_OUT, Group, Roles, assign_roles, count_transcripts, group_transcripts
from .sentences import SentenceList
from .speech import Speech, describe_group, describe_pool, name_lists
from .transcripts import TranscriptSource, iter_transcripts

Preset = Literal["telephone", "conversation", "code-switch", "plain"]
TELEPHONE_RATE = 8000
TELEPHONE_BANDWIDTH = 4000.0
"""Highest frequency in hertz of telephones, also of those that were stored at a higher rate."""
LONG_RECORDING: Seconds = 120.0
"""Recordings above this, where most of the time is, are rather conversations than messages."""
MIN_LANGUAGE_SHARE = 0.25
"""Share of the clips in a second language from which recordings count as bilingual."""
LEAST_HELD_OUT = 5
"""Utterances below which a set is no set: people then rather transcribe some."""


@dataclass(frozen=True)
class Wishes:
    """What the user said, beside the folder."""

    language: Language | None = None
    key_terms: tuple[str, ...] = ()
    terms_file: Path | None = None
    preset: Preset | None = None


@dataclass(frozen=True)
class Draft:
    """Contents of a first plan, with the reasons."""

    language: Language | None
    language_reason: str
    preset: Preset
    preset_reason: str
    pool: tuple[Speech, ...]
    texts: tuple[SentenceList, ...]
    human: tuple[Speech, ...] = ()
    replay: tuple[Speech, ...] = ()
    development: Mapping[str, Speech] = field(default_factory=dict)
    test: Mapping[str, Speech] = field(default_factory=dict)
    retention: Mapping[str, Speech] = field(default_factory=dict)
    pool_is_transcribed: bool = False
    """True if the pool has transcripts, which are those of `human`."""
    is_weak: bool = False
    """True if Whisper is unsure of what it heard, so that any change of decoding changes words."""
    split_channels: bool = False
    """True if most recordings have two channels, as calls often do."""
    remarks: tuple[str, ...] = ()
    """What was left out, and what the user should look at."""

    def place_outside(self, wanted: Path) -> Path:
        """Return a folder that lies outside of the pool, where rounds would list what is in it.

        Args:
            wanted: The folder, which is returned if it does.
        """
        for speech in self.pool:
            pool = Path(os.path.realpath(speech.place))
            # Links are followed: a folder may lie in the pool under another name.
            if speech.use == "audiofolder" and Path(os.path.realpath(wanted)).is_relative_to(pool):
                return pool.with_name(f"{pool.name}-{wanted.name}")
        return wanted

    @property
    def smallest_set(self) -> int | None:
        """Return the utterances of the smallest held-out set; None without any."""
        sets = [*self.development.values(), *self.test.values(), *self.retention.values()]
        return min((speech.utterances for speech in sets), default=None)

    @property
    def written_lists(self) -> list[Speech]:
        """Return the speech that is listed beside the plan."""
        sets = [*self.development.values(), *self.test.values(), *self.retention.values()]
        speech = [*self.pool, *self.human, *self.replay, *sets]
        return [corpus for corpus in speech if corpus.lines]


def draft_plan(
    recordings: FolderRecordings,
    sources: Sequence[TranscriptSource],
    texts: Sequence[SentenceList],
    hearing: Hearing,
    wishes: Wishes,
    lists: Path,
    *,
    search: bool = True,
) -> Draft:
    """Choose what each key of a plan should hold.

    Args:
        recordings: Recordings of the folder.
        sources: Their transcripts.
        texts: Text files that look like sentences.
        hearing: Clips that were transcribed.
        wishes: What the user said.
        lists: Folder of lists that the plan may need.
        search: Search the recordings for held-out speech, which reads all audio.

    Raises:
        ConfigError: No recording is left for the pool.
    """
    groups = group_transcripts(recordings, sources)
    written = identify_written(groups, texts)
    language, language_reason = choose_language(groups, hearing, written, wishes.language)
    preset, preset_reason = _choose_preset(recordings, hearing, written, wishes)
    # Copies of transcribed recordings are transcribed too, under whatever name.
    transcribed = {recordings.first_twin(line.path) for line in iter_transcripts(sources)}
    own = [path for path in recordings.paths if recordings.first_twin(path) not in transcribed]
    unlabeled, remarks = _select_pool(recordings, own, language, preset)
    roles = assign_roles(groups, language, has_unlabeled=bool(unlabeled))
    roles, small = _drop_small_sets(roles)
    held_out = {recordings.first_twin(path): path for path in roles.held_out}
    # A round would refuse them as held-out speech in the training data.
    copies = [
        path
        for path in recordings.paths
        if path not in roles.held_out and recordings.first_twin(path) in held_out
    ]
    if copies:
        remarks.append(f"copies of held-out recordings: {len(copies)}, not in the pool")
    # A plan without a pool is none, so what is left of the transcribed speech is labeled too.
    pool_paths, is_transcribed = unlabeled, not unlabeled
    if search:
        roles, pool_paths, overlaps = drop_overlaps(recordings, roles, unlabeled)
        remarks += overlaps
    if is_transcribed:
        pool_paths = sorted({line.path for group in roles.human for line in group.transcripts})
        remarks += [
            "every recording has a transcript, so those that are not held out are pool and human "
            "speech; name recordings without transcripts as the pool when you have some"
        ][: bool(pool_paths)]
    if not pool_paths:
        raise ConfigError(
            f"{recordings.folder}: all {len(recordings.paths)} recordings are held out, and none "
            "is left for the pool; add recordings, which need no transcripts"
        )
    stereo = recordings.survey.channels.get(2, 0)
    speech = _Describer(recordings, lists, language)
    return Draft(
        language=language,
        language_reason=language_reason,
        preset=preset,
        preset_reason=preset_reason,
        pool=tuple(_describe_pool(recordings, pool_paths, lists, language)),
        texts=_choose_texts(recordings, texts, language, preset, wishes.terms_file, remarks),
        human=tuple(speech.describe(roles.human, "human").values()),
        replay=tuple(speech.describe(roles.replay, "replay").values()),
        development=speech.describe(roles.development, "dev"),
        test=speech.describe(roles.test, "test"),
        retention=speech.describe(roles.retention, "retention"),
        pool_is_transcribed=is_transcribed,
        is_weak=bool(hearing.clips) and not is_sure(hearing),
        split_channels=stereo > recordings.survey.headers_read / 2,
        remarks=(*remarks, *roles.remarks, *small),
    )


class _Describer:
    """Describes groups of transcripts, each set with a name of its own."""

    def __init__(
        self, recordings: FolderRecordings, lists: Path, language: Language | None
    ) -> None:
        self._recordings, self._lists, self._language = recordings, lists, language
        self._names = list[str]()

    def describe(self, groups: Sequence[Group], default: str) -> dict[str, Speech]:
        """Return the speech of each group by the name of its set."""
        described: dict[str, Speech] = {}
        for group in groups:
            wanted = group.name or default
            # Several languages may be named alike, as `it/dev` and `en/dev`.
            if default == "retention":
                wanted = f"{group.language}"
            elif group.language and group.language != self._language:
                wanted = f"{wanted}-{group.language}"
            # All names so far, since no two sets of a plan may have one name.
            *_, name = name_lists([*self._names, wanted])
            self._names.append(name)
            described[name] = describe_group(
                self._recordings, group, self._lists / f"{name}.jsonl", self._language
            )
        return described


def _choose_preset(
    recordings: FolderRecordings, hearing: Hearing, written: WrittenLanguages, wishes: Wishes
) -> tuple[Preset, str]:
    """Return the recipe that fits the recordings, with the numbers that speak for it."""
    survey = recordings.survey
    if wishes.preset:
        return wishes.preset, "as you said"
    clips = sum(hearing.languages.values())
    shares = {lang: count / clips for lang, count in hearing.languages.items()}
    # Where what they wrote is in one language, the other is what a weak Whisper takes it for.
    if not written.language and sum(share >= MIN_LANGUAGE_SHARE for share in shares.values()) >= 2:
        return "code-switch", f"two languages in {clips} clips: {list_heard(hearing)}"
    # By time and not by files: a hundred short ones beside ten hours of talk are an exception.
    durations = [header.duration for header in recordings.headers.values()]
    long = sum(duration for duration in durations if duration > LONG_RECORDING)
    if long > sum(durations) / 2:
        share = long / sum(durations)
        return "conversation", f"{share:.0%} of the time is in recordings over 2 minutes"
    narrow = survey.rates.get(TELEPHONE_RATE, 0)
    if narrow > survey.headers_read / 2:
        return "telephone", f"{narrow} of {survey.headers_read} recordings are at 8 kHz"
    # The widest clip, since a quiet one has no high frequencies whatever recorded it.
    bands = [clip.bandwidth for clip in hearing.clips if clip.bandwidth]
    if bands and max(bands) <= TELEPHONE_BANDWIDTH:
        return "telephone", f"no clip has sound above {max(bands) / 1000:.1f} kHz"
    return "plain", ""


def _describe_pool(
    recordings: FolderRecordings, paths: Sequence[Path], lists: Path, language: Language | None
) -> Iterator[Speech]:
    """Yield the pool by the languages that folders name."""
    # Each language is a corpus of its own, since a plan names languages by corpus.
    by_language: dict[Language | None, list[Path]] = {}
    for path in paths:
        _, named = describe_place(path.parent, recordings.folder)
        by_language.setdefault(named if named != language else None, []).append(path)
    for named, members in by_language.items():
        list_file = lists / ("pool.jsonl" if named is None else f"pool-{named}.jsonl")
        for speech in describe_pool(recordings, members, list_file):
            yield replace(speech, language=named)


def _select_pool(
    recordings: FolderRecordings,
    unlabeled: Sequence[Path],
    language: Language | None,
    preset: Preset,
) -> tuple[list[Path], list[str]]:
    """Return the recordings without a transcript that a pool may have, and remarks on others."""
    pool, held_back, foreign = list[Path](), Counter[str](), Counter[str]()
    for path in unlabeled:
        role, lang = describe_place(path.parent, recordings.folder)
        # Nobody puts training data into a folder called `test`.
        if role and role[0] in ("development", "test"):
            held_back[role[1]] += 1
        elif language and lang and lang != language and preset != "code-switch":
            foreign[lang] += 1
        else:
            pool.append(path)
    remarks = [
        f"{name}/: {count} recordings without transcripts are in no set and not in the pool, since "
        "the name of their folder says that they are held out"
        for name, count in held_back.items()
    ]
    remarks += [
        f"{count} recordings in folders of another language ({lang}) are not in the pool"
        for lang, count in foreign.items()
    ]
    return pool, remarks


def _choose_texts(
    recordings: FolderRecordings,
    texts: Sequence[SentenceList],
    language: Language | None,
    preset: Preset,
    terms_file: Path | None,
    remarks: list[str],
) -> tuple[SentenceList, ...]:
    """Return the text files in the language of the plan."""
    chosen = list[SentenceList]()
    for file in texts:
        # Key terms are no sentences, and voices would read them out as a list.
        if terms_file and file.path.samefile(terms_file):
            continue
        folders = iter_names(file.path, recordings.folder, stem=True)
        named = find_language(folders) or file.language
        if language and named and named != language and preset != "code-switch":
            remarks.append(f"{file.path}: left out of the texts, since it is in {named}")
        else:
            chosen.append(file)
    return tuple(chosen)


def _drop_small_sets(roles: Roles) -> tuple[Roles, list[str]]:
    """Return the roles without sets that are too small to measure anything."""
    remarks = list[str]()
    sets = {"development": roles.development, "test": roles.test}
    # Retention sets are judged where they are assigned, by the whole minimum.
    for kind, groups in sets.items():
        count = count_transcripts(groups)
        if groups and count < LEAST_HELD_OUT:
            remarks.append(f"too few transcripts for {kind} to measure anything: {count}, left out")
            sets[kind] = ()
        elif any(len(group.transcripts) < MIN_HELD_OUT for group in groups):
            remarks.append(
                f"{kind}: {count} utterances are few. The gates want {MIN_HELD_OUT}, and with "
                "fewer they rarely see a difference; `twister annotate` adds some"
            )
    return replace(roles, development=sets["development"], test=sets["test"]), remarks
