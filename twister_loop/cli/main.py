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
  twister dashboard runs                            the same in a browser, while it runs
  twister export runs/demo exported                 the champion for transformers, figures as CSV
  twister compare configs/ivr.yaml runs/arms --seeds 3   the loop against its parts
  twister study configs/ivr.yaml runs/study         zero-shot against fine-tuned, on every set
  twister reproduce runs/demo                       do it again elsewhere, and compare every file
  twister corpus check ksponspeech /data/kspon      a copy of a corpus beside the published counts
  twister doctor                                    what this machine can run, and what is missing
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.errors import TwisterError
from ..pipeline.plan import parse_value
from . import commands
from . import prefect_bridge as handover

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
    known = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, does: Any) -> argparse.ArgumentParser:
        found = known.add_parser(name, help=does.__doc__, description=does.__doc__)
        found.set_defaults(command=does)
        return found

    for name, does in (
        ("run", commands.run),
        ("round", commands.round_),
        ("retrain", commands.retrain_),
        ("evaluate", commands.evaluate),
        ("up", commands.up),
        ("deploy", commands.deploy),
        ("watch", commands.watch),
    ):
        each = command(name, does)
        optional: dict[str, Any] = {"nargs": "?"} if does in {commands.up, commands.deploy} else {}
        each.add_argument(
            "plan", type=Path, metavar="PLAN", help="YAML of the experiment", **optional
        )
        each.add_argument(
            "run", type=Path, metavar="RUN", help="folder of the run; goes on there", **optional
        )
        if does in {commands.up, commands.deploy}:
            each.add_argument("--cron", help='when to retrain, in UTC, such as "0 2 * * *"')
        if does in {commands.run, commands.round_, commands.retrain_, commands.evaluate}:
            _changes_to(each)
        if does in {commands.run, commands.round_, commands.retrain_}:
            each.add_argument(
                "--prefect",
                action=argparse.BooleanOptionalAction,
                default=handover.available(),
                help="run as a Prefect flow (the default where Prefect is installed)",
            )
        if does is commands.up:
            each.add_argument(
                "--watch", action="store_true", help="also retrain when audio comes into the pool"
            )
            each.add_argument("--host", default="127.0.0.1", help="another needs a password")
            each.add_argument("--port", type=_positive, default=4200)
        if does is commands.round_:
            each.add_argument(
                "--restart", action="store_true", help="set the round in progress aside first"
            )
    for name, does in (("approve", commands.approve_), ("refuse", commands.refuse_)):
        each = command(name, does)
        each.add_argument("run", type=Path, metavar="RUN")
        each.add_argument(
            "--note", default="", required=does is commands.refuse_, help="kept with it"
        )
    each = command("status", commands.status)
    each.add_argument("run", type=Path, metavar="RUN")
    each.add_argument("--json", action="store_true", help="the whole history, for programs")
    each = command("report", commands.report)
    each.add_argument("run", type=Path, metavar="RUN")
    each = command("dashboard", commands.dashboard_)
    each.add_argument("folder", type=Path, metavar="FOLDER", help="that holds runs, or one run")
    each.add_argument("--host", default="127.0.0.1", help="address to listen at; 127.0.0.1")
    each.add_argument("--port", type=int, default=8787, help="8787; 0 takes a free one")
    each.add_argument(
        "--token",
        help="what a browser must know; needed where others can reach the address, and better "
        "given as TWISTER_DASHBOARD_TOKEN, which no list of processes shows",
    )
    each = command("compare", commands.compare_)
    each.add_argument("plan", type=Path, metavar="PLAN")
    each.add_argument("folder", type=Path, metavar="FOLDER", help="for the arms; goes on there")
    for name, default, says in (
        ("updates", 60, "of the weights, over all rounds of an arm together"),
        ("seeds", 1, "how often every arm is trained"),
        ("rounds", 3, "of the arms with several rounds; 1 leaves them out"),
    ):
        each.add_argument(f"--{name}", type=_positive, default=default, metavar="N", help=says)
    each.add_argument(
        "--ablation",
        action="store_true",
        help="instead: the full loop, and it without one of its parts at a time (filters, each "
        "voice, repair, augmentation, packing, replay), also on the retention sets",
    )
    _changes_to(each)
    each = command("study", commands.study)
    each.add_argument("plan", type=Path, metavar="PLAN", help="YAML file of the experiment")
    each.add_argument(
        "folder", type=Path, metavar="FOLDER", help="folder of the study; resumed if it exists"
    )
    each.add_argument(
        "--from-scratch",
        nargs="+",
        default=[],
        metavar="NAME",
        help="also train these recognizers from random weights on the same speech; a name or a "
        "YAML spec such as {use: conformer, epochs: 35}",
    )
    _changes_to(each)
    each = command("export", commands.export_)
    each.add_argument("run", type=Path, metavar="RUN")
    each.add_argument("folder", type=Path, metavar="FOLDER", help="new or empty")
    each.add_argument(
        "--ctranslate2",
        action="store_true",
        help="also as CTranslate2 reads it, once both are seen to hear alike",
    )
    each.add_argument(
        "--data", action="store_true", help="also copy what it was trained on, for `datasets`"
    )
    each.add_argument("--license", metavar="ID", help="of the weights, for the card: apache-2.0")
    each = command("reproduce", commands.repeat)
    each.add_argument("run", type=Path, metavar="RUN")
    each.add_argument(
        "--into", type=Path, metavar="FOLDER", help="of the repetition; RUN.again if not said"
    )
    each = command("corpus", commands.corpus)
    each.add_argument("action", choices=["check"])
    each.add_argument(
        "corpus", metavar="CORPUS", help="a name, or what a plan would say: {use: kaldi, lang: ko}"
    )
    each.add_argument("folder", type=Path, metavar="FOLDER", help="where the copy lies")
    each = command("doctor", commands.diagnose)
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
