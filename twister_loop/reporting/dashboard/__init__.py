"""Tables of a run for the terminal, and its page, which opens from disk.

The server is not imported here, because its packages are optional.
"""

from .console import (
    folder_outcome,
    format_change,
    print_report,
    print_summary,
    report_rows,
    round_outcome,
    score_rows,
)
from .page import redraw_after_stages, try_to_write_page, write_page

__all__ = [
    "folder_outcome",
    "format_change",
    "print_report",
    "print_summary",
    "redraw_after_stages",
    "report_rows",
    "round_outcome",
    "score_rows",
    "try_to_write_page",
    "write_page",
]
