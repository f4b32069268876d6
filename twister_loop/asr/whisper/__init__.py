"""OpenAI's Whisper."""

from .options import EarlyStoppingOptions, WhisperOptions
from .recognizer import WhisperRecognizer

__all__ = ["EarlyStoppingOptions", "WhisperOptions", "WhisperRecognizer"]
