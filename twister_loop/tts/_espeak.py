"""espeak-ng: phonemes and speech of more than a hundred languages, by rules, without training.

The library and its data come with the package `espeakng-loader` (GPL-3). What espeak-ng says
depends on all that it said before, since it keeps the state of its generators for as long as it is
loaded. So every call here loads it anew, which takes 10 ms; no two threads may do so at once.
"""

from __future__ import annotations

import _ctypes
import ctypes
import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..audio.io import Samples
from ..core.errors import ConfigError, EngineError
from ..core.types import Language, Utterance

VOICE_OF_LANGUAGE = {"en": "en-US", "no": "nb", "zh": "cmn"}
"""Voices whose name is not Whisper's code of the language."""

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_CHARS_UTF8 = 1
_PHONEMES_IPA = 0x02
_RATE, _PITCH = 1, 3
"""Parameters of espeak-ng: words in a minute, and pitch from 0 to 100."""
_PUNCTUATION = re.compile(r"([.,;:!?…]+(?=\s|$)|[。、，！？；：])")
_MARKS = str.maketrans("。、，！？；：", ".,,!?;:")
_LANGUAGE_SWITCH = re.compile(r"\([a-z]{2,3}(-[a-z0-9-]+)?\)")
"""Note in phonemes, such as `(en)`, where espeak-ng reads a word by the rules of another
language."""


class _Voice(ctypes.Structure):
    """A voice as espeak-ng lists it."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)
"""Function that espeak-ng calls with every part of its speech."""


def find_voice(lang: Language | None) -> str | None:
    """Return the name of espeak-ng's voice of a language; None if there is none.

    >>> find_voice("zh"), find_voice("it"), find_voice("bo")
    ('cmn', 'it', None)
    """
    voice = VOICE_OF_LANGUAGE.get(lang or "", lang)
    return voice if voice in list_voices() else None


def explain_language(lang: Language | None) -> str | None:
    """Return why espeak-ng cannot read texts in a language; None if it can.

    >>> explain_language("it"), explain_language("bo")
    (None, 'espeak-ng does not read the language bo')
    """
    if find_voice(lang):
        return None
    if lang is None:
        return "the language of the texts is not named, and espeak-ng needs to know it"
    return f"espeak-ng does not read the language {lang}"


@functools.cache
def list_voices() -> frozenset[str]:
    """Return the names of all voices, one or more for a language."""
    with _opened() as (library, _):
        pointers = library.espeak_ListVoices(None)
        names = []
        for pointer in iter(pointers):
            if not pointer:
                break
            # The name of its file, such as `roa/fr`; only that is the same in all versions.
            names.append(pointer.contents.identifier.decode().rpartition("/")[2])
        return frozenset(names)


def phonemize(text: str, voice: str) -> str:
    r"""Return the text in the signs of the IPA, with its punctuation.

    >>> phonemize("Premere 3, per favore.", "it").replace("\N{MODIFIER LETTER VERTICAL LINE}", "'")
    "pr'ɛmere tr'e, per fav'ore."

    Args:
        text: Any text; numbers are read in the language of the voice.
        voice: One of `list_voices`.
    """
    with _opened() as (library, _):
        _set_voice(library, voice)
        # Marks steer the melody of a neural voice, and espeak-ng leaves them out.
        phonemes = [
            part.translate(_MARKS) + " " if number % 2 else _phonemize_clauses(library, part)
            for number, part in enumerate(_PUNCTUATION.split(text))
        ]
    return re.sub(r"\s+", " ", re.sub(r"\s+([.,;:!?…])", r"\1", "".join(phonemes))).strip()


def synthesize(text: str, voice: str, *, rate: int, pitch: int) -> tuple[Samples, int]:
    """Return speech, shape (n_samples,), float32 in [-1, 1], and its sample rate.

    Args:
        text: Any text.
        voice: One of `list_voices`, with a variant behind `+` if wanted, such as `it+f2`.
        rate: Words in a minute; 80 to 450.
        pitch: From 0 to 100.
    """
    buffers: list[Samples] = [np.zeros(0, np.float32)]

    def collect(samples: ctypes.Array[ctypes.c_short], count: int, events: int) -> int:
        """Store a part of the speech; 0 lets espeak-ng go on."""
        if count:
            part: Samples = np.ctypeslib.as_array(samples, shape=(count,)).astype(np.float32)
            buffers.append(part / np.float32(32768))
        return 0

    callback = _CALLBACK(collect)
    with _opened() as (library, sample_rate):
        # Its noise is drawn from the C library's generator, which is the process's.
        library.espeak_ng_SetRandSeed(1)
        library.espeak_SetSynthCallback(callback)
        _set_voice(library, voice)
        library.espeak_SetParameter(_RATE, rate, 0)
        library.espeak_SetParameter(_PITCH, pitch, 0)
        encoded = text.encode() + b"\0"
        library.espeak_Synth(encoded, len(encoded), 0, 1, 0, _CHARS_UTF8, None, None)
    return np.concatenate(buffers), sample_rate


@contextmanager
def _opened() -> Iterator[tuple[ctypes.CDLL, int]]:
    """Load espeak-ng and unload it afterwards; yield the library and its sample rate."""
    try:
        import espeakng_loader
    except ImportError as cause:
        raise ConfigError(
            "espeak-ng is not installed; run `pip install 'twister-loop[kokoro]'`"
        ) from cause
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        data = str(Path(espeakng_loader.get_data_path()).parent)
        rate = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), 0)
        if rate < 0:
            raise EngineError("espeak-ng does not start; reinstall espeakng-loader")
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        yield library, rate
        library.espeak_Terminate()
    finally:
        # `ctypes` itself has no way to unload a library.
        _ctypes.dlclose(library._handle)


def _phonemize_clauses(library: ctypes.CDLL, text: str) -> str:
    pointer = ctypes.c_char_p(text.encode())
    clauses = []
    # A call reads one clause and moves the pointer behind it; at the end it is null.
    while pointer.value:
        phonemes: bytes | None = library.espeak_TextToPhonemes(
            ctypes.byref(pointer), _CHARS_UTF8, _PHONEMES_IPA
        )
        clauses.append((phonemes or b"").decode())
    return _LANGUAGE_SWITCH.sub("", " ".join(clauses))


def _set_voice(library: ctypes.CDLL, voice: str) -> None:
    if library.espeak_SetVoiceByName(voice.encode()):
        raise EngineError(f"espeak-ng has no voice {voice!r}")


def check_languages(synthesizer: str, texts: Iterable[Utterance]) -> None:
    """Check that espeak-ng reads the language of most texts.

    Args:
        synthesizer: Name of the part, for the error.
        texts: The text corpus.

    Raises:
        ConfigError: It does not; the error names the languages and what to do.
    """
    counts = Counter(text.lang for text in texts)
    unknown = {lang: count for lang, count in counts.items() if not find_voice(lang)}
    if sum(unknown.values()) > counts.total() / 2:
        listed = ", ".join(f"{count} in {lang or 'no language'}" for lang, count in unknown.items())
        raise ConfigError(
            f"{synthesizer}: espeak-ng does not read the language of most texts ({listed}); name "
            "the language with `lang`, or use another voice"
        )
