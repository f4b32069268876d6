"""Whisper computed by CTranslate2, for faster transcription."""

from .recognizer import CTranslate2Recognizer

__all__ = ["CTranslate2Recognizer"]
