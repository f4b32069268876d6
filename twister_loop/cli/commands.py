"""What each `twister` command does; `cli` reads what was typed."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from ..asr._base import Recognizer
from ..core import schema
from ..core.errors import ConfigError
from ..data import corpus_check as survey
from ..pipeline.approval import approve, refuse
from ..pipeline.experiments.compare import CompareOptions, compare
from ..pipeline.experiments.fine_tuning import run_study
from ..pipeline.experiments.reproduce import reproduce
from ..pipeline.loop import measure_champion, next_round, refine, retrain, run_in_process
from ..pipeline.plan import load, parse_value
from ..pipeline.run_folder import RunFolder
from ..reporting import dashboard
from ..reporting.export import export
from ..reporting.summary import summarize
from . import doctor
from . import prefect_bridge as handover


def run(options: argparse.Namespace) -> int:
    """Rounds until there are as many as the plan wants."""
    if _all_done(options):
        print("all is done: every round of this plan is finished")
        return _show(options.run)
    if options.prefect:
        return _through_prefect("refine", options)
    plan, do = load(options.plan, options.changes), dashboard.redraw_after_stages(options.run, run_in_process)
    for done in refine(plan, options.run, do):
        _told(options.run, done.number)
    return _show(options.run)


def round_(options: argparse.Namespace) -> int:
    """Finish the round in progress, or begin and finish the next."""
    if options.restart and (options.run / "run.json").is_file():
        with RunFolder.read(options.run).locked():
            aside = RunFolder.read(options.run).set_aside()
        print(f"set aside as {aside}" if aside else "no round is in progress")
    if options.prefect:
        return _through_prefect("round", options)
    plan, do = load(options.plan, options.changes), dashboard.redraw_after_stages(options.run, run_in_process)
    _told(options.run, next_round(plan, options.run, do).number)
    return _show(options.run)


def retrain_(options: argparse.Namespace) -> int:
    """One more round, if enough new audio has come into the pool; else it says so."""
    if options.prefect:
        return _through_prefect("retrain", options)
    plan, do = load(options.plan, options.changes), dashboard.redraw_after_stages(options.run, run_in_process)
    _told(options.run, retrain(plan, options.run, do).number)
    return _show(options.run)


def evaluate(options: argparse.Namespace) -> int:
    """The champion on every set of the plan as it is now."""
    dashboard.print_report(measure_champion(load(options.plan, options.changes), options.run))
    return 0


def approve_(options: argparse.Namespace) -> int:
    """Make the candidate that waits the champion, after it has heard a few clips again."""
    return _decided(options, str(approve(options.run, options.note)))


def refuse_(options: argparse.Namespace) -> int:
    """Keep the champion, and write down why."""
    return _decided(options, str(refuse(options.run, options.note)))


def up(options: argparse.Namespace) -> int:
    """A Prefect server with worker and deployments on this machine, until Ctrl-C."""
    handover.check_host(options.host)
    handover.check_cron(options.cron)
    known = handover.experiment(options.plan, options.run)
    plan = load(options.plan) if known else None
    if (options.watch or options.cron) and plan is None:
        raise ConfigError("--watch and --cron need to know of what: twister up PLAN RUN")
    watch = handover.to_watch(plan, known) if plan and options.watch else None
    if options.watch and watch is None:
        raise ConfigError(f"{options.plan}: its pool is no folder that could be watched")
    here = "127.0.0.1" if options.host in {"0.0.0.0", "::"} else options.host
    url = f"http://{here}:{options.port}/api"
    where = {"url": url, "host": options.host, "port": options.port}
    return handover.become("up", **where, **known, cron=options.cron, watch=watch)


def deploy(options: argparse.Namespace) -> int:
    """Register the deployments with the server that PREFECT_API_URL names."""
    if "PREFECT_API_URL" not in os.environ:
        raise ConfigError("no server is named: export PREFECT_API_URL=http://HOST:4200/api")
    handover.check_cron(options.cron)
    known = handover.experiment(options.plan, options.run)
    if known:
        load(options.plan)
    elif options.cron:
        raise ConfigError("--cron needs to know of what: twister deploy PLAN RUN")
    return handover.hand_over("deploy", **known, cron=options.cron)


def watch(options: argparse.Namespace) -> int:
    """Tell the server that PREFECT_API_URL names when audio has come into the pool."""
    known = handover.experiment(options.plan, options.run)
    given = handover.to_watch(load(options.plan), known)
    if given is None:
        raise ConfigError(f"{options.plan}: its pool is no folder that could be watched")
    return handover.become("watch", **given)


def status(options: argparse.Namespace) -> int:
    """What happened so far."""
    if options.json:
        print(json.dumps(schema.to_json_data(summarize(options.run)), indent=2, ensure_ascii=False))
        return 0
    return _show(options.run, page=False)


def report(options: argparse.Namespace) -> int:
    """Write the page, print the tables."""
    page = dashboard.write_page(options.run)
    _show(options.run, page=False)
    print(f"page: {page}")
    return 0


def dashboard_(options: argparse.Namespace) -> int:
    """Serve a folder of runs to a browser: lists, live progress, comparisons, sound."""
    try:
        from ..reporting.dashboard import server
    except ModuleNotFoundError as cause:
        raise ConfigError(
            f"the dashboard needs the package {cause.name!r}: pip install 'twister-loop[dashboard]'"
        ) from cause
    server.serve(options.folder, options.host, options.port, options.token)
    return 0


def compare_(options: argparse.Namespace) -> int:
    """The loop against its parts, on equal terms; is it worth its cost?"""
    terms = CompareOptions(options.updates, options.seeds, options.rounds, options.ablation)
    plan = load(options.plan, options.changes)
    dashboard.print_comparison(compare(plan, options.folder, terms))
    print(f"as numbers: {options.folder / 'comparison.json'}")
    return 0


def study(options: argparse.Namespace) -> int:
    """Fine-tune on `human` speech alone; tables of zero-shot, every epoch, and from scratch."""
    specs = [parse_value(text) for text in options.from_scratch]
    recognizers = [
        Recognizer.build(spec if isinstance(spec, dict) else {"use": spec}) for spec in specs
    ]
    plan = load(options.plan, options.changes)
    print(run_study(plan, options.folder, recognizers).markdown())
    print(f"The same tables: {options.folder / 'study.md'}; as numbers: study.json beside it")
    return 0


def export_(options: argparse.Namespace) -> int:
    """Write the champion with its card, the figures and the training curves, for other tools."""
    for line in export(
        options.run,
        options.folder,
        ctranslate2=options.ctranslate2,
        with_data=options.data,
        license=options.license,
    ):
        print(line)
    return 0


def repeat(options: argparse.Namespace) -> int:
    """Do a run again from its own notes, and say whether it comes out the same."""
    into = options.into or options.run.with_name(f"{options.run.name}.again")
    all_same = True
    for each in reproduce(options.run, into):
        all_same &= each.is_identical
        print(f"round {each.number}: {each.file_count - len(each.differing_files)} of {each.file_count} files same")
        for line in each.machine_differences:
            print(f"  ran elsewhere: {line}")
        for name in each.differing_files[:20]:
            print(f"  differs: {name}")
    print(f"{'the same again' if all_same else 'not the same'}; the repetition is in {into}")
    return 0 if all_same else 1


def corpus(options: argparse.Namespace) -> int:
    """Read a copy of a corpus, and compare with the published counts."""
    spec = parse_value(options.corpus)
    spec = spec if isinstance(spec, dict) else {"use": spec}
    whole = True
    for found in survey.check_corpus(spec, options.folder):
        print(found, flush=True)
        whole &= found.complete
    return 0 if whole else 1


def diagnose(options: argparse.Namespace) -> int:
    """What this machine can run."""
    if options.mend:
        print(doctor.mend_torchaudio())
    findings = list(doctor.findings(server=options.server))
    for finding in findings:
        print(finding)
    return 0 if all(finding.fine for finding in findings) else 1


def _show(run: Path, page: bool = True) -> int:
    dashboard.print_summary(summarize(run))
    if page and (written := dashboard.try_to_write_page(run)):
        print(f"page: {written}")
    return 0


def _told(run: Path, number: int) -> None:
    """What came of a round, in a line."""
    dashboard.write_page(run)
    [one] = (each for each in summarize(run).rounds if each.number == number)
    objections = one.verdict.objections if one.verdict else ()
    said = ": ".join(filter(None, [dashboard.round_outcome(one), "; ".join(map(str, objections))]))
    print(f"round {number}: {said}")


def _decided(options: argparse.Namespace, said: str) -> int:
    print(said)
    dashboard.write_page(options.run)
    if "PREFECT_API_URL" in os.environ and handover.available():
        handover.hand_over("settle", run=str(options.run))
    return 0


def _all_done(options: argparse.Namespace) -> bool:
    """Whether the run is finished and the plan is still the one of its last round.

    Read off the files alone, so that no engine is imported to find that out.
    """
    if not (options.run / "run.json").is_file() or not options.plan.is_file():
        return False
    ledger = RunFolder.read(options.run)
    text = options.plan.read_text(encoding="utf-8")
    document = parse_value(text)
    if not ledger.finished_rounds or not isinstance(document, dict):
        return False
    changed = {**document, **options.changes}
    last = parse_value((ledger.finished_rounds[-1] / "plan.yaml").read_text(encoding="utf-8"))
    wanted = changed.pop("rounds", 1)
    last.pop("rounds", None)
    return bool(
        len(ledger.finished_rounds) >= wanted and changed == last and not ledger.in_progress
    )


def _through_prefect(flow: str, options: argparse.Namespace) -> int:
    given = {"plan": str(options.plan), "run": str(options.run), "changes": options.changes}
    code = handover.hand_over(flow, **given)
    if code == 0 and (options.run / "run.json").is_file():
        return _show(options.run)
    return code
