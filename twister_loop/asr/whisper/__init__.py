"""OpenAI's Whisper."""

from .options import Stop, WhisperOptions
from .recognizer import WhisperRecognizer

__all__ = ["Stop", "WhisperOptions", "WhisperRecognizer"]
