"""Arguments of the `twister` command.

Examples:
  twister demo --quick                              the whole loop on real speech, in minutes
  twister demo --toy                                the same on a toy language, in seconds
  twister init recordings/                          write a first plan for a folder
  twister check configs/ivr.yaml                    what a plan needs, before anything runs
  twister annotate plan.yaml                        transcribe clips of the pool in a browser
  twister options whisper                           ranges and defaults of its options
  twister run configs/ivr.yaml runs/demo            run rounds until the plan's number is reached
  twister round configs/ivr.yaml runs/demo          finish the round in progress, or run one more
  twister round configs/ivr.yaml runs/demo --restart   set it aside and start the round again
  twister retrain configs/ivr.yaml runs/demo        run one more round if there is new audio
  twister up configs/ivr.yaml runs/demo --watch     Prefect server, worker and folder watch
  twister approve runs/demo --note "listened"       approve a candidate (`approval: true`)
  twister rollback runs/demo 1                      go back to the champion of round 1
  twister status runs/demo                          show all rounds; --json for programs
  twister report runs/demo                          write the page and print the tables
  twister dashboard runs                            show all runs of a folder in a browser
  twister transcribe call.wav --run runs/demo       transcribe with the champion of a run
  twister export runs/demo exported                 write the champion for transformers
  twister compare configs/ivr.yaml runs/arms --seeds 3   compare the loop with its parts
  twister study configs/ivr.yaml runs/study         zero-shot against fine-tuned, on every set
  twister reproduce runs/demo                       run it again and compare every file
  twister new filter loud --parts parts             write a filter of your own, and its test
  twister corpus check ksponspeech /data/kspon      compare a copy with the published counts
  twister forget runs/demo --recording call.wav     remove a recording that somebody wants removed
  twister doctor                                    show what this machine can run
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable
from typing import Any, NoReturn

from .. import __version__
from ..core.errors import ConfigError
from . import (
    annotate,
    check,
    commands,
    demo,
    doctor,
    experiments,
    forget,
    init,
    new_part,
    options,
    prefect_bridge,
    rollback,
    transcribe,
)
from .argument_types import add_server_arguments, parse_change, parse_path, parse_positive

Command = Callable[[argparse.Namespace], int]

PRINTING_FACTS = frozenset(
    "demo check options run round retrain evaluate approve refuse rollback status report compare "
    "study transcribe export reproduce forget corpus new doctor".split()
)
"""Commands with `--json`. The others are services, which end with Ctrl-C."""

USING_PARTS = frozenset(
    "check options run round retrain up deploy watch evaluate approve report annotate compare "
    "study transcribe export reproduce corpus".split()
)
"""Commands that may need the code of a part. The others read what was recorded of it."""


class _Parser(argparse.ArgumentParser):
    """Parser whose errors keep their message as the cause of the exit, for `--json`."""

    def error(self, message: str) -> NoReturn:
        try:
            super().error(message)
        except SystemExit as stopped:
            raise stopped from ConfigError(message)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser; the options that it parses carry their command as `command`."""
    # From the docstring, so that the examples are also seen by readers of the code.
    _, _, examples = (__doc__ or "").partition("\n\n")
    parser = _Parser(
        prog="twister",
        description="A self-refining loop for Whisper: from unlabeled audio and text to a better "
        "recognizer, accepted by gates.",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"twister {__version__}")
    # Not every command has --set or --parts, but `main` reads them of every one.
    parser.set_defaults(changes=[], parts=None)
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, command: Command) -> argparse.ArgumentParser:
        description = inspect.cleandoc(command.__doc__ or "")
        subparser: argparse.ArgumentParser = subparsers.add_parser(
            name,
            help=description.splitlines()[0],
            description=description,
            # Keeps the paragraphs of a docstring, which argparse would join to one.
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        subparser.set_defaults(command=command)
        if name in PRINTING_FACTS:
            subparser.add_argument(
                "--json",
                action="store_true",
                help="print one JSON document for programs; all else goes to standard error",
            )
        if name in USING_PARTS:
            subparser.add_argument(
                "--parts",
                type=parse_path,
                metavar="FOLDER",
                help="folder with parts of your own: filters/NAME.py, gates/NAME.py, ... "
                "(default: the variable TWISTER_PARTS)",
            )
        return subparser

    demo.add_arguments(add("demo", demo.demo))
    init.add_arguments(add("init", init.init))
    _add_check(add("check", check.check))
    annotate.add_arguments(add("annotate", annotate.annotate))
    add("options", options.show_options).add_argument(
        "name", nargs="?", metavar="NAME", help="a part or a key of a plan"
    )
    for name, command in (
        ("run", commands.run),
        ("round", commands.run_one_round),
        ("retrain", commands.retrain_on_new_audio),
    ):
        _add_round_arguments(add(name, command), with_restart=name == "round")
    _add_up(add("up", commands.up))
    _add_deploy(add("deploy", commands.deploy))
    _add_plan_and_run(add("watch", commands.watch))
    evaluate = add("evaluate", commands.evaluate)
    _add_plan_and_run(evaluate)
    _add_changes(evaluate)
    _add_decision(add("approve", commands.approve_candidate), note_required=False)
    _add_decision(add("refuse", commands.refuse_candidate), note_required=True)
    _add_run(rollback_parser := add("rollback", rollback.rollback))
    rollback.add_arguments(rollback_parser)
    _add_run(add("status", commands.status))
    _add_run(add("report", commands.report))
    _add_dashboard(add("dashboard", commands.serve_dashboard))
    for name, command, add_arguments in (
        ("compare", experiments.compare_with_parts, experiments.add_compare_arguments),
        ("study", experiments.study, experiments.add_study_arguments),
    ):
        add_arguments(experiment := add(name, command))
        _add_changes(experiment)
    _add_transcribe(add("transcribe", transcribe.transcribe))
    _add_export(add("export", commands.export_champion))
    _add_reproduce(add("reproduce", commands.reproduce_run))
    _add_run(forget_parser := add("forget", forget.forget))
    forget.add_arguments(forget_parser)
    _add_corpus(add("corpus", commands.check_corpus))
    new_part.add_arguments(add("new", new_part.new_part))
    _add_doctor(add("doctor", doctor.diagnose))
    return parser


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plan", type=parse_path, metavar="PLAN", help="YAML file of the experiment")
    parser.add_argument(
        "run", type=parse_path, nargs="?", metavar="RUN", help="run directory that it will have"
    )
    _add_changes(parser)


def _add_plan_and_run(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    # Optional for servers: their deployments get plan and run as parameters of every flow run.
    nargs: dict[str, Any] = {"nargs": "?"} if optional else {}
    parser.add_argument(
        "plan", type=parse_path, metavar="PLAN", help="YAML file of the experiment", **nargs
    )
    parser.add_argument(
        "run", type=parse_path, metavar="RUN", help="run directory; resumed if it exists", **nargs
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=parse_path, metavar="RUN", help="run directory")


def _add_changes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        dest="changes",
        type=parse_change,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="replace a top-level key of the plan, such as rounds=3; may be repeated",
    )


def _add_round_arguments(parser: argparse.ArgumentParser, with_restart: bool) -> None:
    _add_plan_and_run(parser)
    _add_changes(parser)
    # Prefect adds seconds and its database; --no-prefect is the way out where that matters.
    parser.add_argument(
        "--prefect",
        action=argparse.BooleanOptionalAction,
        default=prefect_bridge.is_available(),
        help="run as a Prefect flow (default: if Prefect is installed)",
    )
    if with_restart:
        # Renamed rather than deleted: the folder may hold hours of work.
        parser.add_argument(
            "--restart",
            action="store_true",
            help="first rename the round in progress to round-NN.aside-N",
        )


def _add_up(parser: argparse.ArgumentParser) -> None:
    _add_plan_and_run(parser, optional=True)
    _add_cron(parser)
    parser.add_argument(
        "--watch", action="store_true", help="also retrain when audio arrives in the pool folders"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="bind address; anything but localhost requires PREFECT_SERVER_API_AUTH_STRING "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=parse_positive, default=4200, help="port (default: %(default)s)"
    )


def _add_deploy(parser: argparse.ArgumentParser) -> None:
    _add_plan_and_run(parser, optional=True)
    _add_cron(parser)


def _add_cron(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cron", help='schedule of retrain in UTC: five cron fields, such as "0 2 * * *"'
    )


def _add_decision(parser: argparse.ArgumentParser, note_required: bool) -> None:
    _add_run(parser)
    # A refusal needs a reason, because nothing else records why the gates were overruled.
    parser.add_argument(
        "--note", default="", required=note_required, help="reason, stored with the decision"
    )


def _add_dashboard(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        type=parse_path,
        metavar="FOLDER",
        help="folder of run directories, or one of them",
    )
    add_server_arguments(parser, port=8787)


def _add_transcribe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "audio", type=parse_path, nargs="+", metavar="AUDIO", help="audio files, or folders of them"
    )
    parser.add_argument(
        "--run",
        type=parse_path,
        metavar="RUN",
        help="use the champion of this run, as its plan decodes",
    )
    parser.add_argument(
        "--asr",
        default="{}",
        metavar="SPEC",
        help="recognizer or its options, such as {model: openai/whisper-small, beam: 5} or "
        "{long_form: segments} (default: whisper with openai/whisper-base)",
    )
    parser.add_argument("--lang", help="language, such as it (default: detected)")
    parser.add_argument(
        "--format",
        choices=["text", "jsonl", "srt", "vtt"],
        default="text",
        help="text, lines of a manifest, or subtitles (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=parse_path,
        metavar="FOLDER",
        help="write a file for each recording in this folder",
    )


def _add_export(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument(
        "folder", type=parse_path, metavar="FOLDER", help="output directory, new or empty"
    )
    parser.add_argument(
        "--ctranslate2",
        action="store_true",
        help="also export to CTranslate2, after a parity check",
    )
    parser.add_argument(
        "--data", action="store_true", help="also copy the training data, as an audiofolder"
    )
    parser.add_argument(
        "--license", metavar="ID", help="license of the weights for the model card: apache-2.0"
    )


def _add_reproduce(parser: argparse.ArgumentParser) -> None:
    _add_run(parser)
    parser.add_argument(
        "--into", type=parse_path, metavar="FOLDER", help="output directory (default: RUN.again)"
    )


def _add_corpus(parser: argparse.ArgumentParser) -> None:
    # A word of its own, so that another action can be added without breaking this one.
    parser.add_argument("action", choices=["check"], help="the only action so far")
    parser.add_argument(
        "corpus",
        metavar="CORPUS",
        help="corpus name or YAML spec, such as ksponspeech or {use: kaldi, lang: ko}",
    )
    parser.add_argument(
        "folder", type=parse_path, metavar="FOLDER", help="folder of the local copy"
    )


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server", action="store_true", help="also start and stop a temporary Prefect server"
    )
    parser.add_argument(
        "--fix",
        action="store_true",
        help="make a CUDA build of torchaudio importable beside a CPU build of torch",
    )
