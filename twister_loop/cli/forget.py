"""The command `twister forget`, which removes recordings and speakers from a run."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ..core.artifacts import PRUNED
from ..core.errors import ConfigError
from ..core.forgotten import AffectedModel, read_requests
from ..core.terminal import printable
from ..pipeline.forgetting import Removal, finish_removal, open_run, plan_removal, remove
from ..pipeline.forgetting.models import find_clean_champion
from ..pipeline.forgetting.removal import find_mentions, is_cached_copy
from ..pipeline.run_folder import RunFolder, round_number
from ..pipeline.stage_table import CANDIDATE
from ..reporting import dashboard
from .json_output import print_json

SHOWN_FILES = 20
"""Files that are listed; the others are counted."""


def forget(options: argparse.Namespace) -> int:
    """Remove recordings or speakers from a run, because somebody asks for it.

    Removes their labels, transcripts, audio and what was made of them from all rounds, and names
    the models that were trained on them, which cannot unlearn. The speech is rejected if it is
    listed again. Your own audio files are not deleted. Without --recording and --speaker, a
    removal that was interrupted is finished.
    """
    run_folder = open_run(options.run)
    # Held while the user is asked, too: what is shown must be what is removed.
    with run_folder.locked():
        if finished := finish_removal(run_folder):
            _print("finished the removal that was interrupted")
            _print_after(run_folder, finished, options.run)
        if not options.recording and not options.speaker:
            if finished:
                _print_facts(options, finished, is_removed=True)
                return 0
            raise ConfigError(
                f"{options.run}: nothing to do; name what to remove with --recording or --speaker"
            )
        removal = plan_removal(run_folder, options.recording, options.speaker)
        if removal.is_empty and _is_recorded(run_folder, removal):
            _print(f"{options.run}: this was removed already, and nothing of it is left in the run")
            for line in _describe_models(run_folder, removal.request.models):
                _print(line)
            _print_facts(options, removal, is_removed=True)
            return 0
        for line in _describe(run_folder, removal):
            _print(line)
        if options.dry_run:
            for line in _describe_own_files(removal):
                _print(line)
            _print("Nothing was removed (--dry-run).")
            _print_facts(options, removal, is_removed=False)
            return 0
        if not options.yes and not _is_confirmed(options):
            _print("nothing was removed")
            return 1
        remove(run_folder, removal)
        _print("Removed.")
        _print_after(run_folder, removal, options.run)
        _print_facts(options, removal, is_removed=True)
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command, without RUN."""
    parser.add_argument(
        "--recording",
        action="append",
        default=[],
        metavar="FILE",
        help="recording by its path, its file name, or an id of the run's manifests; repeatable",
    )
    parser.add_argument(
        "--speaker",
        action="append",
        default=[],
        metavar="NAME",
        help="speaker, as the run's manifests name them; repeatable",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be removed, and remove nothing"
    )
    parser.add_argument("--yes", action="store_true", help="remove without asking")


def _is_confirmed(options: argparse.Namespace) -> bool:
    """Ask at a terminal whether to go on.

    Raises:
        ConfigError: There is no terminal to ask at.
    """
    # A script must not remove what nobody has seen: it says so with --yes.
    if options.json or not sys.stdin.isatty():
        arguments = [str(options.run)]
        arguments += [word for name in options.recording for word in ("--recording", name)]
        arguments += [word for name in options.speaker for word in ("--speaker", name)]
        raise ConfigError(
            "nothing was removed, because there is no terminal to ask at; to remove it, run\n"
            f"  twister forget {shlex.join(arguments)} --yes"
        )
    return input("This cannot be undone. Remove it? [y/N] ").strip().lower() in {"y", "yes"}


def _print_facts(options: argparse.Namespace, removal: Removal, *, is_removed: bool) -> None:
    """Print with `--json` what was removed, or would be."""
    if not options.json:
        return
    # Amounts, and no transcripts: the output may be logged, and is about what must not be kept.
    selection = removal.targets.selection
    print_json(
        {
            "removed": is_removed,
            "speakers": sorted(selection.speakers),
            "recordings": len(selection.digests),
            "losses": removal.losses,
            "unfinished_stages": removal.unfinished_stages,
            "models": removal.request.models,
            "own_files": [str(path) for path in _own_files(removal)],
        }
    )


def _is_recorded(run_folder: RunFolder, removal: Removal) -> bool:
    requests = read_requests(run_folder.path)
    recordings = {digest for request in requests for digest in request.recordings}
    speakers = {digest for request in requests for digest in (*request.speakers, *request.clusters)}
    wanted = removal.request
    return set(wanted.recordings) <= recordings and {*wanted.speakers, *wanted.clusters} <= speakers


def _describe(run_folder: RunFolder, removal: Removal) -> Iterator[str]:
    """Yield what will be removed, and which models used it."""
    selection = removal.targets.selection
    yield f"To be removed from {run_folder.path}:"
    for name in sorted(selection.speakers):
        clustered = "" if name in selection.named_speakers else ", found by clustering"
        yield f"  speaker {name}{clustered}"
    whole = len(selection.digests)
    yield f"  {_count(whole, 'whole recording')}" + (
        f", and the speaker's part of {_count(len(selection.spans), 'other recording')}"
        if selection.spans
        else ""
    )
    for loss in removal.losses:
        amounts = [_count(loss.utterances, "utterance")] if loss.utterances else []
        if loss.packed:
            amounts.append(f"{_count(loss.packed, 'packed clip')} with all they hold")
        if loss.synthetic:
            amounts.append(_count(loss.synthetic, "synthetic clip"))
        sets = f"; held-out: {', '.join(loss.held_out_sets)}" if loss.held_out_sets else ""
        yield f"  {loss.folder}: {', '.join(amounts) or 'what was made of them'}{sets}"
    for speech in removal.targets.synthetic:
        if speech.is_likeness:
            yield f"  {speech.folder}/voice: the trained voice, which speaks as this person"
    unfinished = [name for name in removal.unfinished_stages if not _is_hidden(name)]
    if unfinished:
        yield (
            f"  {_count(len(unfinished), 'finished stage')} of the round in progress, which read "
            "the speech and are run again when the round goes on: "
            f"{', '.join(unfinished)}"
        )
    yield from _describe_models(run_folder, removal.request.models)


def _describe_models(run_folder: RunFolder, models: Sequence[AffectedModel]) -> Iterator[str]:
    if not models:
        yield "No model was trained on it."
        return
    champion = run_folder.champion_folder
    yield "Models that used it, and cannot unlearn it; they stay:"
    for model in models:
        status = [f"round {model.round}"]
        if model.folder.endswith(f"/{CANDIDATE.folder}"):
            status.append("accepted" if model.accepted else "not accepted")
        if champion and model.folder == f"{champion.name}/{CANDIDATE.folder}":
            status.append("the champion")
        if (waiting := run_folder.awaiting_approval) and model.folder.startswith(waiting.name):
            status.append("awaits approval")
        # By `keep` of the plan, or because the voice spoke as a person who was removed.
        if (run_folder.path / model.folder / PRUNED).exists():
            status.append("its weights were deleted since")
        yield f"  {model.folder} ({', '.join(status)}): {'; '.join(model.reasons)}"
    yield "To get a model without it, take it out of your data, and run the plan in a new folder:"
    yield "  twister run PLAN NEW_RUN"
    if clean := find_clean_champion(run_folder, models):
        yield (
            f"or begin the new run from round {round_number(clean)}, the last champion that never "
            "used it, with this `model` of `asr` in PLAN:"
        )
        yield f"  {CANDIDATE.path(clean)}"
        if clean != champion:  # else there is nothing to go back to
            run, number = shlex.quote(str(run_folder.path)), round_number(clean)
            yield "or make it the champion of this run again, for later rounds to go on from:"
            yield f"  twister rollback {run} {number}"
    else:
        yield "No champion is without it, so PLAN must begin with the untouched model."
    yield "Later rounds of this run go on from its champion and its voices, so they inherit it."
    yield (
        "Exports of these models (`twister export`) and copies of their weights are not recorded "
        "in the run: delete them yourself."
    )


def _print_after(run_folder: RunFolder, removal: Removal, run: Path) -> None:
    """Print what is left, where only the user can remove it, and write the page anew."""
    for line in _describe_rest(run_folder, removal):
        _print(line)
    if page := dashboard.try_to_write_page(run):
        _print(f"Page: {page}")


def _describe_rest(run_folder: RunFolder, removal: Removal) -> Iterator[str]:
    yield from _describe_own_files(removal)
    selection, losses = removal.targets.selection, removal.losses
    if sets := sorted({name for loss in losses for name in loss.held_out_sets}):
        yield (
            f"Held-out sets that lost speech: {', '.join(sets)}. Their scores of past rounds stay, "
            "as counts; the next round measures all models again, on what is left."
        )
    if clustered := sorted(selection.speakers - selection.named_speakers):
        yield (
            f"{', '.join(clustered)} was found by clustering, and no voice is kept to compare "
            "with: the same recordings stay rejected, but new recordings of this person cannot "
            "be recognized."
        )
    # Such as a plan with the name of a speaker, which is the user's to change.
    if mentions := find_mentions(run_folder.path, removal.targets):
        yield "These files of the run still name it; look at them yourself:"
        yield from (f"  {name}" for name in mentions[:SHOWN_FILES])
    yield (
        "If the same content is listed again, it is rejected as `forgotten`. Not covered: other "
        "runs, backups, exports elsewhere, pages open in a browser, and the logs and the database "
        "of Prefect, which may hold file names."
    )


def _describe_own_files(removal: Removal) -> Iterator[str]:
    files = [Path(name) for name in removal.targets.selection.files]
    if existing := _own_files(removal):
        yield "Your own files are not deleted. Delete them yourself, or cut the speech out of them:"
        yield from (f"  {path}" for path in existing[:SHOWN_FILES])
        if len(existing) > SHOWN_FILES:
            yield f"  and {len(existing) - SHOWN_FILES} more"
    if any(map(is_cached_copy, files)):
        yield "The data set that it came from still holds it; the copy in your cache is deleted."


def _own_files(removal: Removal) -> list[Path]:
    """Return the user's own files with the speech, which are never deleted."""
    files = [Path(name) for name in removal.targets.selection.files]
    return [path for path in files if path.exists() and not is_cached_copy(path)]


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in Path(name).parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _print(line: str) -> None:
    # Whoever reads may have gone, as `head` does; what was begun is finished all the same.
    with suppress(BrokenPipeError):
        sys.stdout.write(f"{printable(line)}\n")
        sys.stdout.flush()  # before a question, and before what goes to standard error
