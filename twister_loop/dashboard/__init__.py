"""What a run came to, for people: tables on a terminal, and a page that opens from disk."""

from .console import rows, show
from .page import write

__all__ = ["rows", "show", "write"]
