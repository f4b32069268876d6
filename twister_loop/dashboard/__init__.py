"""What a run came to, for people: tables on a terminal, and a page that opens from disk."""

from .console import rows, show, show_comparison
from .page import following, try_to_write, write

__all__ = ["following", "rows", "show", "show_comparison", "try_to_write", "write"]
