"""The command `twister demo`: whole rounds on data that come with the package or are fetched."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from ..core.artifacts import RUN_MARKER
from ..core.terminal import printable
from ..data.corpora._asterisk import PromptSet
from ..data.corpora.ivr import Ivr
from ..pipeline.data_amounts import list_data
from ..pipeline.forecast import make_forecast
from ..pipeline.loop import refine, run_in_process
from ..pipeline.model_needs import find_models
from ..pipeline.plan import Plan
from ..pipeline.plan_reader import load
from ..pipeline.run_folder import RunFolder
from ..reporting import dashboard
from . import toy_demo
from .argument_types import parse_path, parse_positive
from .check import describe_time, quiet_corpora, refuse_problems
from .commands import print_rounds, print_run
from .finished import is_finished

PLANS = Path(__file__).parent / "plans"
FULL_PLAN, QUICK_PLAN = PLANS / "ivr.yaml", PLANS / "quick.yaml"
FULL_RUN, QUICK_RUN, TOY_FOLDER = Path("runs/demo"), Path("runs/quick"), Path("twister-toy-demo")
"""Default folders: in the working directory, so that the page and the audio can be looked at."""


def demo(options: argparse.Namespace) -> int:
    """Run the whole loop on Italian telephone prompts, or on a toy language.

    Whisper base learns the prompts without a transcript of them. Says first what it downloads and
    how long it takes, and ends with the error rates, the verdict of the gates and the path of the
    page. The same command goes on after an interruption, and shows a finished run again.

    --quick takes few prompts and one short training. --toy needs no model, GPU or network: a letter
    of the toy language is a pitch.
    """
    changes = {"rounds": options.rounds} if options.rounds else {}
    if options.toy:
        folder = options.folder or TOY_FOLDER
        plan_path, run = toy_demo.prepare(folder), folder / "run"
        print(f"Toy speech and plan: {plan_path}")
        closing_message = toy_demo.closing_message(folder)
    else:
        plan_path, run = (QUICK_PLAN, QUICK_RUN) if options.quick else (FULL_PLAN, FULL_RUN)
        run = options.folder or run
        closing_message = describe_next_steps(plan_path, run)
    # Without Prefect, also where it is installed: the stages are the same, and its server takes
    # longer to start than the toy demo takes as a whole.
    if not is_finished(plan_path, run, changes):
        plan = load(plan_path, changes)
        if not options.toy:
            announce(plan, run)
        stages = dashboard.redraw_after_stages(run, run_in_process)
        print_rounds(run, refine(plan, run, stages))
    print_run(run, options.json)
    print(printable(closing_message))
    return 0


def announce(plan: Plan, run: Path) -> None:
    """Print what the demo reads and downloads and how long it takes, and fetch the recordings.

    Raises:
        ConfigError: Something that the plan needs cannot be had, with the remedy.
    """
    print(printable(f"Whisper learns Italian telephone prompts by the plan {plan.path}, in {run}."))
    # Then its recordings and weights are here, and its lists were checked when it began.
    if (run / RUN_MARKER).is_file() and RunFolder(run).in_progress:
        print("A round in progress is resumed.")
        return
    models = find_models(plan)
    # Before anything is fetched: without the models the recordings are of no use.
    refuse_problems(
        plan.path,
        [f"{key}: {status.problem}" for key, status in models.items() if status.problem],
    )
    for status in models.values():
        size = f", {status.size / 1e6:,.0f} MB" if status.size else ""
        print(printable(f"Model: {status.model} ({status.source}{size})"))
    for prompts in list_prompt_sets(plan):
        state = (
            "on this machine"
            if prompts.folder.is_dir()
            else f"{prompts.megabytes} MB are downloaded with apt-get from Debian"
        )
        print(f"Recordings: {prompts.name} ({state})", flush=True)
    with quiet_corpora():
        forecast = make_forecast(plan, run)  # reads the recordings, and so fetches them
    refuse_problems(plan.path, forecast.problems)
    print(f"Time: {describe_time(forecast.time)}", flush=True)


def list_prompt_sets(plan: Plan) -> list[PromptSet]:
    """Return the telephone prompts that a plan reads, each set once."""
    corpora = (corpus for listed in list_data(plan).values() for corpus in listed)
    prompt_sets = (
        prompts for corpus in corpora if isinstance(corpus, Ivr) for prompts in corpus.prompt_sets
    )
    return list({prompts.name: prompts for prompts in prompt_sets}.values())


def describe_next_steps(plan_path: Path, run: Path) -> str:
    """Return the commands to try after the demo."""
    quoted_plan, quoted_run = shlex.quote(str(plan_path)), shlex.quote(str(run))
    return f"""
Try next:
  twister dashboard {quoted_run}       the page in a browser (extra `dashboard`)
  twister status {quoted_run} --json   all figures, for programs
  twister check {quoted_plan}
                                       what a plan needs; start your own from a copy of this one"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "folder",
        type=parse_path,
        nargs="?",
        metavar="FOLDER",
        help=f"folder of the run (default: {FULL_RUN}, with --quick {QUICK_RUN}); with --toy a new "
        f"folder for data, plan and run (default: {TOY_FOLDER}). It is resumed if it exists",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--quick", action="store_true", help="few prompts and one short training, in a few minutes"
    )
    kind.add_argument(
        "--toy", action="store_true", help="use the toy language, in which a letter is a pitch"
    )
    parser.add_argument(
        "--rounds",
        type=parse_positive,
        metavar="N",
        help="number of rounds (default: that of the plan, 1, and 2 with --toy)",
    )
