"""The `twister` command.

Examples:
  twister run configs/ivr.yaml runs/demo            rounds until there are as many as the plan wants
  twister round configs/ivr.yaml runs/demo          finish the round in progress, or run one more
  twister round configs/ivr.yaml runs/demo --restart   set the round in progress aside, begin anew
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
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from . import dashboard, doctor, schema, survey
from .compare import Terms, compare
from .errors import TwisterError
from .ledger import Ledger
from .loop import next_round, refine
from .plan import load, parse_value
from .records import Verdict
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
        return _through_prefect(options)
    plan = load(options.plan, options.changes)
    for done in refine(plan, options.run):
        dashboard.write(options.run)
        print(f"round {done.number}: {_said(done.verdict)}")
    return _show(options.run)


def round_(options: argparse.Namespace) -> int:
    """Finish the round in progress, or begin and finish the next."""
    if options.restart and (options.run / "run.json").is_file():
        with Ledger.read(options.run).locked():
            aside = Ledger.read(options.run).set_aside()
        print(f"set aside as {aside}" if aside else "no round is in progress")
    if options.prefect:
        return _through_prefect(options)
    done = next_round(load(options.plan, options.changes), options.run)
    dashboard.write(options.run)
    print(f"round {done.number}: {_said(done.verdict)}")
    return _show(options.run)


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


def _said(verdict: Verdict) -> str:
    """The outcome, and what was objected."""
    return ": ".join(filter(None, [verdict.outcome, "; ".join(map(str, verdict.objections))]))


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


def _through_prefect(options: argparse.Namespace) -> int:
    """Hand over to the flow, which lives above this library and is therefore only called."""
    flow = "round" if options.command is round_ else "refine"
    changes = json.dumps(options.changes)
    command = [sys.executable, "-m", "flows", flow, str(options.plan), str(options.run), changes]
    code = subprocess.run(command, check=False).returncode
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

    for name, does in (("run", run), ("round", round_)):
        each = command(name, does)
        each.add_argument("plan", type=Path, metavar="PLAN", help="YAML of the experiment")
        each.add_argument("run", type=Path, metavar="RUN", help="folder of the run; goes on there")
        _changes_to(each)
        each.add_argument(
            "--prefect",
            action=argparse.BooleanOptionalAction,
            default=find_spec("prefect") is not None and find_spec("flows") is not None,
            help="run as a Prefect flow (the default where Prefect is installed)",
        )
        if does is round_:
            each.add_argument(
                "--restart", action="store_true", help="set the round in progress aside first"
            )
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
