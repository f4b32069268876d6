"""CTranslate2."""

from .recognizer import CTranslate2Recognizer

__all__ = ["CTranslate2Recognizer"]
