"""Transcripts by a model, which a person may accept or correct."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from ...asr._base import BoundRecognizer
from ...core.errors import describe_fault
from ...core.types import Utterance

log = logging.getLogger(__name__)

AHEAD = 8
"""Clips that are transcribed together: every call loads the model, which takes seconds."""


class Suggester:
    """Transcripts of clips, made a few at a time and kept in memory."""

    def __init__(self, model: BoundRecognizer, name: str) -> None:
        """Prepare; the model is loaded when the first clip needs it.

        Args:
            model: Recognizer with its weights.
            name: Its name for people, such as "the champion of round 2".
        """
        self.name = name
        self._model, self._lock = model, threading.Lock()
        self._texts = dict[str, str]()

    def suggest(self, clips: Sequence[Utterance]) -> str:
        """Return the transcript of the first of some clips; the next ones are likely asked for.

        Clips that carry a pseudo-label have it as their suggestion. Raises EngineError.
        """
        wanted, ahead = clips[0], clips[1 : 1 + AHEAD]
        if wanted.pred_text is not None:
            return wanted.pred_text
        if wanted.id not in self._texts:
            self._transcribe([wanted, *ahead])
        # While the person listens, what comes next is transcribed.
        missing = [clip for clip in ahead if clip.id not in self._texts]
        if 2 * len(missing) > AHEAD and not self._lock.locked():
            threading.Thread(target=self._transcribe_ahead, args=(missing,), daemon=True).start()
        return self._texts[wanted.id]

    def _transcribe_ahead(self, clips: Sequence[Utterance]) -> None:
        try:
            self._transcribe(clips)
        # Whoever asks for these clips tries again, and is told.
        except Exception as error:
            log.warning("suggestions are late: %s", describe_fault(error))

    def _transcribe(self, clips: Sequence[Utterance]) -> None:
        # One call at a time: two models at once may not fit into memory.
        with self._lock:
            batch = [clip for clip in clips if clip.id not in self._texts]
            for line in self._model.transcribe(batch):
                self._texts[line.id] = line.pred_text or ""
