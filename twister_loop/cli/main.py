"""Entry point of the `twister` command: logging, error messages, exit codes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from ..core.errors import ConfigError, TwisterError, describe_os_error
from ..core.part_origins import describe_own_fault, use_parts_folder
from ..core.terminal import PrintableFormatter, printable
from .json_output import only_json_on_stdout, print_error_as_json
from .options import ROOMS
from .parser import build_parser

log = logging.getLogger("twister_loop")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Returns:
        0 on success, 1 for a failure of an engine or a negative answer, 2 for an error that the
        user can correct, 130 after Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    # Of the arguments as they came: after an error of the parser there are no options to ask.
    with only_json_on_stdout() if "--json" in arguments else nullcontext():
        return _run_command(arguments)


def _run_command(arguments: Sequence[str]) -> int:
    # Other libraries log from WARNING on only: transformers and Prefect are verbose at INFO.
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    log.setLevel(logging.INFO)
    try:
        options = build_parser().parse_args(arguments)
        options.changes = dict(options.changes)  # the last --set of a key wins
        if options.parts:
            use_parts_folder(options.parts, ROOMS)
        code: int = options.command(options)
    except TwisterError as error:
        return _report(arguments, type(error).__name__, str(error), error.exit_code)
    except SystemExit as stopped:
        # The usage is on standard error already.
        if "--json" in arguments and isinstance(stopped.__cause__, ConfigError):
            print_error_as_json("UsageError", str(stopped.__cause__), 2)
        raise
    except OSError as error:
        # A disk that is full, a folder that cannot be written, a file that was deleted meanwhile.
        # No traceback: finished stages are kept, and the sentence names the file and the remedy.
        return _report(arguments, type(error).__name__, describe_os_error(error), 2)
    except KeyboardInterrupt:
        # No traceback: stages that are not complete stay hidden and resume.
        message = "interrupted; run the same command again to resume"
        return _report(arguments, "KeyboardInterrupt", message, 130)
    except Exception as error:
        # A traceback through this package would tell the author of a part nothing more.
        if (fault := describe_own_fault(error)) is None:
            raise
        return _report(arguments, type(error).__name__, fault, 1)
    return code


def _report(arguments: Sequence[str], kind: str, message: str, exit_code: int) -> int:
    """Print an error, with `--json` also as the document, and return the exit code."""
    print(f"twister: {printable(message)}", file=sys.stderr)
    if "--json" in arguments:
        print_error_as_json(kind, message, exit_code)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
