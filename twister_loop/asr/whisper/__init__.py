"""OpenAI's Whisper as a recognizer: decoding, alignment and fine-tuning."""

from .options import EarlyStoppingOptions, WhisperOptions
from .recognizer import WhisperRecognizer

__all__ = ["EarlyStoppingOptions", "WhisperOptions", "WhisperRecognizer"]
