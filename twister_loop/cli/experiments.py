"""The commands `twister compare` and `twister study`."""

from __future__ import annotations

import argparse

from ..asr._base import Recognizer
from ..pipeline.experiments.arms import CompareOptions
from ..pipeline.experiments.compare import compare
from ..pipeline.experiments.fine_tuning import run_study
from ..pipeline.plan_reader import load
from ..reporting.comparison import TABLE, write_comparison
from .argument_types import parse_path, parse_positive, parse_spec
from .check import load_checked
from .json_output import print_json


def compare_with_parts(options: argparse.Namespace) -> int:
    """Compare the loop with its parts, with equal updates and seeds.

    Arms: self-training, labels of all clips, synthetic speech only, the full loop, and several
    rounds; with `pool_references` also the references of the kept clips, and the supervised
    ceiling. With one seed no difference is claimed; three or more give intervals. Exit code 1 if
    an arm could not be trained; the others are compared.
    """
    compare_options = CompareOptions(
        updates=options.updates,
        seeds=options.seeds,
        rounds=options.rounds,
        ablation=options.ablation,
        arms=tuple(options.arms),
    )
    # An arm, because the folder of a comparison is no run, and may hold arms already.
    plan = load_checked(options, options.folder / "arm")
    comparison = compare(plan, options.folder, compare_options)
    print(write_comparison(comparison, options.folder))
    table = options.folder / TABLE
    if options.json:
        print_json(comparison)
    print(f"The same tables: {table}; as numbers: comparison.json beside it")
    # Scripts must notice a missing arm, although the others are compared.
    return 1 if comparison.failures else 0


def study(options: argparse.Namespace) -> int:
    """Fine-tune on the plan's `human` speech alone, and compare on every set.

    Writes one table a set: zero-shot, after every epoch, fine-tuned, and with --from-scratch
    also recognizers trained from random weights. Every model is trained once, so no difference
    between models is claimed.
    """
    # Before the plan, whose check of the data takes longer: a misspelled name should fail at once.
    recognizers = [Recognizer.build(parse_spec(text)) for text in options.from_scratch]
    plan = load(options.plan, options.changes)
    models = run_study(plan, options.folder, recognizers)
    print(models.markdown())
    if options.json:
        print_json(models)
    print(f"The same tables: {options.folder / 'study.md'}; as numbers: study.json beside it")
    return 0


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `twister compare`."""
    parser.add_argument("plan", type=parse_path, metavar="PLAN", help="YAML file of the experiment")
    parser.add_argument(
        "folder", type=parse_path, metavar="FOLDER", help="folder of all arms; resumed if it exists"
    )
    for name, default, description in (
        # 60 updates as in the comparisons of BENCHMARKS.md.
        ("updates", 60, "weight updates between the untouched model and the one that is measured"),
        ("seeds", 1, "seeds with which every arm is trained; intervals need at least 2"),
        ("rounds", 3, "rounds of the arms with several rounds; 1 omits those arms"),
    ):
        parser.add_argument(
            f"--{name}",
            type=parse_positive,
            default=default,
            metavar="N",
            help=f"number of {description} (default: %(default)s)",
        )
    parser.add_argument(
        "--arms",
        nargs="+",
        default=[],
        metavar="NAME",
        help="run these arms only, such as 'self-training' 'full loop' (default: all)",
    )
    parser.add_argument(
        "--ablation",
        action="store_true",
        help="compare the full loop with the loop without one part at a time instead (filters, "
        "each voice, rescoring, augmentation, packing, replay), also on the retention sets",
    )


def add_study_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `twister study`."""
    parser.add_argument("plan", type=parse_path, metavar="PLAN", help="YAML file of the experiment")
    parser.add_argument(
        "folder",
        type=parse_path,
        metavar="FOLDER",
        help="folder of the study; resumed if it exists",
    )
    parser.add_argument(
        "--from-scratch",
        nargs="+",
        default=[],
        metavar="SPEC",
        help="also train these from random weights (names or YAML specs such as "
        "{use: conformer, epochs: 35})",
    )
