"""What a run came to, for people: tables on a terminal, and a page that opens from disk."""

from .console import rows, show, show_comparison
from .page import write

__all__ = ["rows", "show", "show_comparison", "write"]
