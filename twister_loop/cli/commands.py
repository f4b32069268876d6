"""Commands of `twister`: one function each, which prints its output and returns the exit code.

The docstrings are the help texts: the first line in the list of commands, all of it on
`twister COMMAND --help`.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from ..core.errors import ConfigError, describe_fault, explain_faults
from ..core.terminal import printable
from ..data import corpus_check
from ..pipeline import loop
from ..pipeline.approval import approve, refuse
from ..pipeline.experiments.reproduce import reproduce
from ..pipeline.look_count import describe_looks
from ..pipeline.loop import next_round, refine, retrain, run_in_process
from ..pipeline.plan import Plan
from ..pipeline.plan_reader import load
from ..pipeline.run_folder import Approval, Round, RunFolder
from ..pipeline.stage_runner import StageRunner
from ..pipeline.stage_table import UNTOUCHED
from ..reporting import dashboard
from ..reporting.export import export
from ..reporting.summary import Summary, summarize
from . import prefect_bridge
from .argument_types import parse_spec
from .check import load_checked
from .finished import is_finished
from .json_output import print_error_as_json, print_json

log = logging.getLogger("twister_loop")


def run(options: argparse.Namespace) -> int:
    """Run rounds until the plan's number of rounds is finished.

    A round that was interrupted is resumed. Ends with the tables, the verdicts and the page.
    """
    # First, because a Prefect server takes many seconds to start.
    if is_finished(options.plan, options.run, options.changes):
        print("nothing to do: all rounds of this plan are finished")
        return print_run(options.run, options.json)
    return _run_rounds(options, "refine", refine)


def run_one_round(options: argparse.Namespace) -> int:
    """Finish the round in progress, or run one more."""
    return _run_rounds(options, "round", lambda *arguments: [next_round(*arguments)])


def retrain_on_new_audio(options: argparse.Namespace) -> int:
    """Run one more round if the pool has enough new audio.

    `new_audio` in the plan says how many minutes are enough. Audio is compared with earlier rounds
    by content. A round in progress is finished first.
    """
    return _run_rounds(options, "retrain", lambda *arguments: [retrain(*arguments)])


def evaluate(options: argparse.Namespace) -> int:
    """Evaluate the champion on the plan's current sets."""
    report = loop.evaluate(load(options.plan, options.changes, run=options.run), options.run)
    if options.json:
        print_json(report)
    else:
        dashboard.print_report(report)
    return 0


def approve_candidate(options: argparse.Namespace) -> int:
    """Approve the pending candidate (re-checks a few transcripts first)."""
    return _print_decision(options, approve(options.run, options.note))


def refuse_candidate(options: argparse.Namespace) -> int:
    """Refuse the pending candidate and keep the champion."""
    return _print_decision(options, refuse(options.run, options.note))


def up(options: argparse.Namespace) -> int:
    """Start a Prefect server, worker and deployments, until Ctrl-C.

    With PLAN and RUN they are the defaults of all deployments, and --watch and --cron can start
    rounds. Set TWISTER_WEBHOOK to a URL that is called with the outcome of every round.
    """
    # All checks come before the server starts, whose log would hide their messages.
    prefect_bridge.check_address(options.host, options.port)
    prefect_bridge.check_cron(options.cron)
    paths = prefect_bridge.experiment_paths(options.plan, options.run)
    plan = load_checked(options, options.run, waits_for_audio=True) if paths else None
    if (options.watch or options.cron) and plan is None:
        raise ConfigError("--watch and --cron need an experiment: twister up PLAN RUN")
    watch_options = prefect_bridge.watch_options(plan, paths) if plan and options.watch else None
    if options.watch and watch_options is None:
        raise ConfigError(f"{options.plan}: --watch needs a pool that is a folder of audio files")
    # A server that binds every address is still reached from here by the loopback address.
    host = "127.0.0.1" if options.host in {"0.0.0.0", "::"} else options.host
    host = f"[{host}]" if ":" in host else host  # as a URL has an IPv6 address
    return prefect_bridge.exec_flow(
        "up",
        url=f"http://{host}:{options.port}/api",
        host=options.host,
        port=options.port,
        cron=options.cron,
        watch=watch_options,
        **paths,
    )


def deploy(options: argparse.Namespace) -> int:
    """Register the deployments with a running Prefect server.

    Set PREFECT_API_URL to the address of its API.
    """
    if "PREFECT_API_URL" not in os.environ:
        raise ConfigError(
            "PREFECT_API_URL is not set: export PREFECT_API_URL=http://HOST:4200/api, or start a "
            "server with `twister up`"
        )
    prefect_bridge.check_cron(options.cron)
    paths = prefect_bridge.experiment_paths(options.plan, options.run)
    if paths:
        # An error should be seen now, not at two in the morning.
        load_checked(options, options.run, waits_for_audio=True)
    elif options.cron:
        raise ConfigError("--cron needs an experiment: twister deploy PLAN RUN")
    return prefect_bridge.run_flow("deploy", **paths, cron=options.cron)


def watch(options: argparse.Namespace) -> int:
    """Report new audio in the pool to a running Prefect server.

    Set PREFECT_API_URL to the address of its API. The deployment `retrain` reacts to the reports.
    """
    paths = prefect_bridge.experiment_paths(options.plan, options.run)
    watch_options = prefect_bridge.watch_options(load(options.plan), paths)
    if watch_options is None:
        raise ConfigError(f"{options.plan}: watch needs a pool that is a folder of audio files")
    return prefect_bridge.exec_flow("watch", **watch_options)


def status(options: argparse.Namespace) -> int:
    """Show all rounds of a run: error rates, verdicts, data."""
    with explain_faults(f"{options.run}: cannot be read"):
        summary = summarize(options.run)
    if options.json:
        print_json(summary)
    else:
        dashboard.print_summary(summary)
    return 0


def report(options: argparse.Namespace) -> int:
    """Write the page of a run and print its tables."""
    with explain_faults(f"{options.run}: the page could not be written"):
        page = dashboard.write_page(options.run)
        summary = summarize(options.run)
        if options.json:
            print_json({**vars(summary), "page": str(page)})
            return 0
        dashboard.print_summary(summary)
    print(f"Page: {page}")
    return 0


def serve_dashboard(options: argparse.Namespace) -> int:
    """Serve the pages of all runs in a folder to a browser, live."""
    # Imported here, because the packages of the server are an extra.
    try:
        from ..reporting.dashboard import server
    except ModuleNotFoundError as cause:
        raise ConfigError(
            f"the dashboard needs the package {cause.name!r}: pip install 'twister-loop[dashboard]'"
        ) from cause
    server.serve(options.folder, options.host, options.port, options.token)
    return 0


def export_champion(options: argparse.Namespace) -> int:
    """Export the champion, its model card, the scores and the training curves."""
    written = []
    # Printed one by one: copying weights and checking CTranslate2 take minutes.
    for line in export(
        options.run,
        options.folder,
        ctranslate2=options.ctranslate2,
        with_data=options.data,
        license=options.license,
    ):
        print(line)
        written.append(line)
    if options.json:
        print_json({"folder": str(options.folder), "written": written})
    return 0


def reproduce_run(options: argparse.Namespace) -> int:
    """Run every round again and compare all files.

    Every round is run from the plan that it stored. Exit code 1 if any file differs.
    """
    into = options.into or options.run.with_name(f"{options.run.name}.again")
    # Both forms in one pass: lines appear round by round, and the document after the last.
    is_identical, repetitions = True, []
    for repetition in reproduce(options.run, into):
        repetitions.append(repetition)
        is_identical &= repetition.is_identical
        differing = repetition.differing_files
        identical_count = repetition.file_count - len(differing)
        print(
            f"round {repetition.number}: {identical_count} of {repetition.file_count} files are "
            "identical"
        )
        if repetition.pruned_count:
            print(f"  not compared: {repetition.pruned_count} files that were pruned")
        for difference in repetition.machine_differences:
            print(f"  other machine: {difference}")
        # After the first twenty the rest follows from them: a stage reads what differs.
        for name in differing[:20]:
            print(f"  differs: {name}")
    print(f"{'all files are identical' if is_identical else 'some files differ'}; see {into}")
    if options.json:
        print_json({"identical": is_identical, "into": str(into), "rounds": repetitions})
    return 0 if is_identical else 1


def check_corpus(options: argparse.Namespace) -> int:
    """Compare a local copy of a corpus with the published counts.

    Exit code 1 if any split is incomplete.
    """
    is_complete, splits = True, []
    for split_check in corpus_check.check_corpus(parse_spec(options.corpus), options.folder):
        print(split_check, flush=True)  # a large corpus takes minutes a split
        splits.append(split_check)
        is_complete &= split_check.complete
    if options.json:
        print_json({"complete": is_complete, "splits": splits})
    return 0 if is_complete else 1


def _run_rounds(
    options: argparse.Namespace,
    flow: str,
    run_rounds: Callable[[Plan, Path, StageRunner], Iterable[Round]],
) -> int:
    """Run rounds as a Prefect flow, or in this process; the plan is checked first."""
    # Before a server starts or a round is moved away: an error costs seconds here, not a minute.
    plan = load_checked(options, options.run, waits_for_audio=flow == "retrain")
    if getattr(options, "restart", False):
        _set_round_aside(options.run)
    if options.prefect:
        return _run_through_prefect(flow, options)
    stages = dashboard.redraw_after_stages(options.run, run_in_process)
    print_rounds(options.run, run_rounds(plan, options.run, stages))
    return print_run(options.run, options.json)


def _set_round_aside(run: Path) -> None:
    if not (run / "run.json").is_file():
        return
    # Under the lock, so that no round is moved away while another process works on it.
    with RunFolder.read(run).locked():
        aside = RunFolder.read(run).set_aside()
    print(f"moved the round in progress to {aside}" if aside else "no round is in progress")


def print_run(run: Path, as_json: bool = False) -> int:
    """Print the tables of a run and write its page; what fails is logged, the run is finished."""
    if as_json:
        dashboard.try_to_write_page(run)
        print_json(summarize(run))
        return 0
    try:
        dashboard.print_summary(summarize(run))
    except Exception as error:
        log.warning("%s: the tables cannot be shown (%s)", run, describe_fault(error))
    if page := dashboard.try_to_write_page(run):
        print(f"Page: {page}")
    return 0


def print_rounds(run: Path, rounds: Iterable[Round]) -> None:
    """Run the rounds and print the outcome of each, with all objections of the gates."""
    for round_ in rounds:
        # After every round, not only at the end: a run may take days.
        dashboard.try_to_write_page(run)
        objections = "; ".join(map(str, round_.verdict.objections))
        outcome = dashboard.folder_outcome(round_.folder)
        if looks := describe_looks(round_.verdict.looks):
            outcome += f" ({looks})"
        line = ": ".join(filter(None, [outcome, objections]))
        print(printable(f"round {round_.number}: {line}"))


def _print_decision(options: argparse.Namespace, decision: Approval) -> int:
    if options.json:
        print_json(decision)
    else:
        print(decision)
    dashboard.try_to_write_page(options.run)
    # Otherwise the suspended flow run would stay open until the next round of this run.
    if "PREFECT_API_URL" in os.environ and prefect_bridge.is_available():
        prefect_bridge.run_flow("close-approval", run=str(options.run))
    return 0


def _run_through_prefect(flow: str, options: argparse.Namespace) -> int:
    code = prefect_bridge.run_flow(
        flow, plan=str(options.plan), run=str(options.run), changes=options.changes
    )
    # A flow that skipped its round (code 0) may have created no run folder.
    if code == 0 and (options.run / "run.json").is_file():
        return print_run(options.run, options.json)
    if options.json and code:
        message = "the flow failed, or was interrupted; its messages are on standard error"
        print_error_as_json("FlowError", message, code)
    elif options.json:
        print_json(Summary(run=str(options.run), champion=UNTOUCHED.folder, rounds=()))
    return code
