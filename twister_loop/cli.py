"""The `twister` command.

Examples:
  twister run configs/ivr.yaml runs/demo            rounds until there are as many as the plan wants
  twister round configs/ivr.yaml runs/demo          finish the round in progress, or run one more
  twister round configs/ivr.yaml runs/demo --restart   set the round in progress aside, begin anew
  twister retrain configs/ivr.yaml runs/demo        one more, if enough new audio has come
  twister up configs/ivr.yaml runs/demo --watch     server, worker and watch; Ctrl-C ends them
  twister approve runs/demo --note "listened"       where the plan asks for a person's word
  twister status runs/demo                          what happened so far; --json for programs
  twister report runs/demo                          write the page, print the tables
  twister compare configs/ivr.yaml runs/arms --seeds 3   the loop against its parts
  twister reproduce runs/demo                       do it again elsewhere, and compare every file
  twister corpus check ksponspeech /data/kspon      a copy of a corpus beside the published counts
  twister doctor                                    what this machine can run, and what is missing
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import dashboard, doctor, handover, schema, survey
from .approval import approve, refuse
from .compare import Terms, compare
from .errors import ConfigError, TwisterError
from .ledger import Ledger
from .loop import measure_champion, next_round, refine, retrain
from .plan import load, parse_value
from .reproduce import reproduce
from .summary import summarize

log = logging.getLogger("twister_loop")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 2 where the user can mend what is wrong, 1 where we must."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    log.setLevel(logging.INFO)
    try:
        options = _parser().parse_args(arguments)
        options.changes = dict(options.changes)
        code: int = options.command(options)
    except TwisterError as trouble:
        print(f"twister: {trouble}", file=sys.stderr)
        return trouble.exit_code
    except KeyboardInterrupt:
        print("twister: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return code


def run(options: argparse.Namespace) -> int:
    """Rounds until there are as many as the plan wants."""
    if _all_done(options):
        print("all is done: every round of this plan is finished")
        return _show(options.run)
    if options.prefect:
        return _through_prefect("refine", options)
    for done in refine(load(options.plan, options.changes), options.run):
        _told(options.run, done.number)
    return _show(options.run)


def round_(options: argparse.Namespace) -> int:
    """Finish the round in progress, or begin and finish the next."""
    if options.restart and (options.run / "run.json").is_file():
        with Ledger.read(options.run).locked():
            aside = Ledger.read(options.run).set_aside()
        print(f"set aside as {aside}" if aside else "no round is in progress")
    if options.prefect:
        return _through_prefect("round", options)
    _told(options.run, next_round(load(options.plan, options.changes), options.run).number)
    return _show(options.run)


def retrain_(options: argparse.Namespace) -> int:
    """One more round, if enough new audio has come into the pool; else it says so."""
    if options.prefect:
        return _through_prefect("retrain", options)
    _told(options.run, retrain(load(options.plan, options.changes), options.run).number)
    return _show(options.run)


def evaluate(options: argparse.Namespace) -> int:
    """The champion on every set of the plan as it is now."""
    dashboard.show_report(measure_champion(load(options.plan, options.changes), options.run))
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
        print(json.dumps(schema.plain(summarize(options.run)), indent=2, ensure_ascii=False))
        return 0
    return _show(options.run, page=False)


def report(options: argparse.Namespace) -> int:
    """Write the page, print the tables."""
    summarize(options.run)
    dashboard.write(options.run)
    return _show(options.run)


def compare_(options: argparse.Namespace) -> int:
    """The loop against its parts, on equal terms; is it worth its cost?"""
    terms = Terms(options.updates, options.seeds, options.rounds)
    plan = load(options.plan, options.changes)
    dashboard.show_comparison(compare(plan, options.folder, terms))
    print(f"as numbers: {options.folder / 'comparison.json'}")
    return 0


def repeat(options: argparse.Namespace) -> int:
    """Do a run again from its own notes, and say whether it comes out the same."""
    into = options.into or options.run.with_name(f"{options.run.name}.again")
    all_same = True
    for each in reproduce(options.run, into):
        all_same &= each.same
        print(f"round {each.number}: {each.files - len(each.differing)} of {each.files} files same")
        for line in each.elsewhere:
            print(f"  ran elsewhere: {line}")
        for name in each.differing[:20]:
            print(f"  differs: {name}")
    print(f"{'the same again' if all_same else 'not the same'}; the repetition is in {into}")
    return 0 if all_same else 1


def corpus(options: argparse.Namespace) -> int:
    """Read a copy of a corpus, and compare with the counts its makers published."""
    spec = parse_value(options.corpus)
    spec = spec if isinstance(spec, dict) else {"use": spec}
    whole = True
    for found in survey.survey(spec, options.folder):
        print(found, flush=True)
        whole &= found.whole
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
    dashboard.show(summarize(run))
    if page:
        print(f"page: {dashboard.write(run)}")
    return 0


def _told(run: Path, number: int) -> None:
    """What came of a round, in a line."""
    dashboard.write(run)
    [one] = (each for each in summarize(run).rounds if each.number == number)
    objections = one.verdict.objections if one.verdict else ()
    said = ": ".join(filter(None, [dashboard.verdict(one), "; ".join(map(str, objections))]))
    print(f"round {number}: {said}")


def _decided(options: argparse.Namespace, said: str) -> int:
    print(said)
    dashboard.write(options.run)
    if "PREFECT_API_URL" in os.environ and handover.available():
        handover.hand_over("settle", run=str(options.run))
    return 0


def _all_done(options: argparse.Namespace) -> bool:
    """Whether the run is finished and the plan is still the one of its last round.

    Read off the files alone, so that no engine is imported to find that out.
    """
    if not (options.run / "run.json").is_file() or not options.plan.is_file():
        return False
    ledger = Ledger.read(options.run)
    text = options.plan.read_text(encoding="utf-8")
    document = parse_value(text)
    if not ledger.finished or not isinstance(document, dict):
        return False
    changed = {**document, **options.changes}
    last = parse_value((ledger.finished[-1] / "plan.yaml").read_text(encoding="utf-8"))
    wanted = changed.pop("rounds", 1)
    last.pop("rounds", None)
    return bool(len(ledger.finished) >= wanted and changed == last and not ledger.in_progress)


def _through_prefect(flow: str, options: argparse.Namespace) -> int:
    given = {"plan": str(options.plan), "run": str(options.run), "changes": options.changes}
    code = handover.hand_over(flow, **given)
    if code == 0 and (options.run / "run.json").is_file():
        return _show(options.run)
    return code


def _change(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, not {text!r}")
    return key, parse_value(value)


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number from 1 on, not {text!r}")
    return int(text)


def _changes_to(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set",
        dest="changes",
        type=_change,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="replace a top-level key of the plan, such as rounds=3",
    )


def _parser() -> argparse.ArgumentParser:
    _, _, examples = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="twister",
        description="A self-refining loop for Whisper: one command from unlabeled audio to an "
        "accepted, better recognizer.",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, does: Any) -> argparse.ArgumentParser:
        found = commands.add_parser(name, help=does.__doc__, description=does.__doc__)
        found.set_defaults(command=does)
        return found

    for name, does in (
        ("run", run), ("round", round_), ("retrain", retrain_), ("evaluate", evaluate),
        ("up", up), ("deploy", deploy), ("watch", watch),
    ):  # fmt: skip
        each = command(name, does)
        optional: dict[str, Any] = {"nargs": "?"} if does in {up, deploy} else {}
        each.add_argument(
            "plan", type=Path, metavar="PLAN", help="YAML of the experiment", **optional
        )
        each.add_argument(
            "run", type=Path, metavar="RUN", help="folder of the run; goes on there", **optional
        )
        if does in {up, deploy}:
            each.add_argument("--cron", help='when to retrain, in UTC, such as "0 2 * * *"')
        if does in {run, round_, retrain_, evaluate}:
            _changes_to(each)
        if does in {run, round_, retrain_}:
            each.add_argument(
                "--prefect",
                action=argparse.BooleanOptionalAction,
                default=handover.available(),
                help="run as a Prefect flow (the default where Prefect is installed)",
            )
        if does is up:
            each.add_argument(
                "--watch", action="store_true", help="also retrain when audio comes into the pool"
            )
            each.add_argument("--host", default="127.0.0.1", help="another needs a password")
            each.add_argument("--port", type=_positive, default=4200)
        if does is round_:
            each.add_argument(
                "--restart", action="store_true", help="set the round in progress aside first"
            )
    for name, does in (("approve", approve_), ("refuse", refuse_)):
        each = command(name, does)
        each.add_argument("run", type=Path, metavar="RUN")
        each.add_argument("--note", default="", required=does is refuse_, help="kept with it")
    each = command("status", status)
    each.add_argument("run", type=Path, metavar="RUN")
    each.add_argument("--json", action="store_true", help="the whole history, for programs")
    each = command("report", report)
    each.add_argument("run", type=Path, metavar="RUN")
    each = command("compare", compare_)
    each.add_argument("plan", type=Path, metavar="PLAN")
    each.add_argument("folder", type=Path, metavar="FOLDER", help="for the arms; goes on there")
    for name, default, says in (
        ("updates", 60, "of the weights, over all rounds of an arm together"),
        ("seeds", 1, "how often every arm is trained"),
        ("rounds", 3, "of the arms with several rounds; 1 leaves them out"),
    ):
        each.add_argument(f"--{name}", type=_positive, default=default, metavar="N", help=says)
    _changes_to(each)
    each = command("reproduce", repeat)
    each.add_argument("run", type=Path, metavar="RUN")
    each.add_argument(
        "--into", type=Path, metavar="FOLDER", help="of the repetition; RUN.again if not said"
    )
    each = command("corpus", corpus)
    each.add_argument("action", choices=["check"])
    each.add_argument(
        "corpus", metavar="CORPUS", help="a name, or what a plan would say: {use: kaldi, lang: ko}"
    )
    each.add_argument("folder", type=Path, metavar="FOLDER", help="where the copy lies")
    each = command("doctor", diagnose)
    each.add_argument(
        "--server", action="store_true", help="also start a Prefect server, and stop it again"
    )
    each.add_argument(
        "--mend", action="store_true", help="make a CUDA torchaudio usable beside a CPU torch"
    )
    parser.set_defaults(changes=[])
    return parser


if __name__ == "__main__":
    sys.exit(main())
