"""What a run came to, for people: tables on a terminal, and a page that opens from disk."""

from .console import changed, report_rows, rows, show, show_comparison, show_report, verdict
from .page import following, try_to_write, write

__all__ = [
    "changed",
    "following",
    "report_rows",
    "rows",
    "show",
    "show_comparison",
    "show_report",
    "try_to_write",
    "verdict",
    "write",
]
