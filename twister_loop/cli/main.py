"""Entry point of the `twister` command: logging, error messages, exit codes."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from ..core.errors import TwisterError, describe_os_error
from ..core.terminal import PrintableFormatter, printable
from .parser import build_parser

log = logging.getLogger("twister_loop")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Returns:
        0 on success, 1 for a failure of an engine or a negative answer, 2 for an error that the
        user can correct, 130 after Ctrl-C.
    """
    # Other libraries log from WARNING on only: transformers and Prefect are verbose at INFO.
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    log.setLevel(logging.INFO)
    try:
        options = build_parser().parse_args(arguments)
        options.changes = dict(options.changes)  # the last --set of a key wins
        code: int = options.command(options)
    except TwisterError as error:
        print(f"twister: {printable(str(error))}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        # A disk that is full, a folder that cannot be written, a file that was deleted meanwhile.
        # No traceback: finished stages are kept, and the sentence names the file and the remedy.
        print(f"twister: {printable(describe_os_error(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        # No traceback: stages that are not complete stay hidden and resume.
        print("twister: interrupted; run the same command again to resume", file=sys.stderr)
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
