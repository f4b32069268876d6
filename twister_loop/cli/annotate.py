"""The command `twister annotate`, with which people transcribe clips of the pool."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import suppress

from ..core.errors import ConfigError
from ..core.terminal import printable
from ..pipeline.annotation.opening import DEFAULT_COUNT, AnnotationOptions, open_session
from ..pipeline.annotation.session import Session
from ..pipeline.plan_reader import load
from .argument_types import add_server_arguments, parse_path, parse_positive


def annotate(options: argparse.Namespace) -> int:
    """Serve a page on which a person transcribes clips of the pool, for a set of the plan.

    The plan names the set, as in `development: {calls: dev/}`; the folder need not exist yet. It
    becomes a folder of clips with metadata.csv, valid at any time. Stop with Ctrl+C: the same
    command goes on where it was. The recordings of clips in held-out sets leave the pool.
    """
    # Imported here, because the packages of the server are an extra.
    try:
        from ..reporting.annotation import server
    except ModuleNotFoundError as cause:
        raise ConfigError(
            f"the page needs the package {cause.name!r}: pip install 'twister-loop[dashboard]'"
        ) from cause
    session = open_session(
        load(options.plan),
        AnnotationOptions(
            set_name=options.set_name,
            run=options.run,
            count=options.count,
            by=options.by,
            suggest=options.suggest,
            annotator=options.annotator,
            second=options.second,
        ),
    )
    # Ctrl+C is how the work ends, and what was done is told.
    with suppress(KeyboardInterrupt):
        server.serve(session, options.host, options.port, options.token)
    for line in _describe_end(session):
        print(printable(line))
    return 0


def _describe_end(session: Session) -> Iterator[str]:
    overview = session.overview()
    yield (
        f"{session.target.place}: {overview.done} of {overview.wanted} clips, "
        f"{overview.seconds / 60:.1f} min, in {session.target.folder}; {overview.unusable} "
        f"unusable, {overview.later} for later"
    )
    if agreement := session.agreement():
        yield (
            f"two people: {agreement.clips} clips by both, WER {agreement.words}, CER "
            f"{agreement.characters}, {agreement.open} differences to settle"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("plan", type=parse_path, metavar="PLAN", help="YAML file of the experiment")
    parser.add_argument(
        "--set",
        dest="set_name",
        metavar="NAME",
        help="set of the plan, or `human` for training data (default: the only development set)",
    )
    parser.add_argument(
        "--run",
        type=parse_path,
        metavar="RUN",
        help="run whose rounds, labels and champion are read",
    )
    parser.add_argument(
        "--count",
        type=parse_positive,
        help=f"usable clips wanted (default: {DEFAULT_COUNT}; of a second person a third of all)",
    )
    parser.add_argument(
        "--by",
        choices=["random", "doubt"],
        default="random",
        help="draw at random, or those with the least confidence, for `human` (default: random)",
    )
    parser.add_argument(
        "--suggest",
        action=argparse.BooleanOptionalAction,
        help="show the model's text (default: for training data only; never for a test set)",
    )
    parser.add_argument(
        "--annotator", metavar="NAME", help="name for the record (default: that of the user)"
    )
    parser.add_argument(
        "--second",
        metavar="NAME",
        help="transcribe again, as NAME, a share of what others have, to measure agreement",
    )
    add_server_arguments(parser, port=8788)
