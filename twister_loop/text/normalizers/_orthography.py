"""Orthography of languages and scripts: characters that are written in more than one way.

Only spellings of the same word are folded: what looks alike, what is left out at will, and what
keyboards exchange. Letters that make another word stay different (Arabic ي and ى, Pashto ي and ی).

Sources: The Unicode Standard 15.0, chapters 7 to 16 (tables of vowel letters that are not to be
written as sequences, chillus, khanda ta, eyelash ra, subscript letters); the articles on the
orthography of each language in Wikipedia; for apostrophes also the article "Apostrophe".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from ...core.types import Language

Replacement = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def primary_subtag(lang: Language | None) -> str:
    """Return the language without region and script; "" for None.

    >>> primary_subtag("pt-BR"), primary_subtag(None)
    ('pt', '')
    """
    return re.split("[-_]", lang or "")[0].lower()


def _read_sequences(*lines: str) -> dict[str, str]:
    """Read lines of "target=sequence,sequence" in hexadecimal, by sequence."""
    table = {}
    for line in " ".join(lines).split():
        target, _, sequences = line.partition("=")
        for sequence in sequences.split(","):
            table[_decode(sequence)] = _decode(target)
    return table


def _decode(codes: str) -> str:
    return "".join(chr(int(code, 16)) for code in codes.split("+"))


def _compile(sequences: Mapping[str, str]) -> Replacement:
    """Return a pattern of all sequences, longest first, with its replacement."""
    alternatives = sorted(sequences, key=lambda sequence: (-len(sequence), sequence))
    pattern = re.compile("|".join(map(re.escape, alternatives)))
    return pattern, lambda match: sequences[match[0]]


# While joiners are still there: they tell these apart from ordinary conjuncts.
_JOINER_SEQUENCES = _read_sequences(
    # Bengali khanda ta; Devanagari eyelash ra (chapters 12.1 and 12.2).
    "09CE=09A4+09CD+200D 0931+094D=0930+094D+200D",
    # Malayalam chillus (12.9).
    "0D7A=0D23+0D4D+200D 0D7B=0D28+0D4D+200D 0D7C=0D30+0D4D+200D,0D4E 0D7D=0D32+0D4D+200D",
    "0D7E=0D33+0D4D+200D 0D7F=0D15+0D4D+200D",
)
_SEQUENCES = _read_sequences(
    # Vowel letters and signs that look like sequences. Devanagari (12.1):
    "0906=0905+093E 090A=0909+0941 090D=090F+0945 090E=090F+0946 0910=090F+0947",
    "0911=0905+0949,0906+0945 0912=0905+094A,0906+0946 0913=0905+094B,0906+0947",
    "0914=0905+094C,0906+0948 0972=0905+0945 0949=093E+0945 094B=093E+0947 094C=093E+0948",
    # Bengali, Gurmukhi and Gujarati (12.2 to 12.4):
    "0986=0985+09BE 0A06=0A05+0A3E 0A07=0A72+0A3F 0A08=0A72+0A40 0A09=0A73+0A41",
    "0A0A=0A73+0A42 0A0F=0A72+0A47 0A10=0A05+0A48 0A13=0A73+0A4B 0A14=0A05+0A4C",
    "0A86=0A85+0ABE 0A8D=0A85+0AC5 0A8F=0A85+0AC7 0A90=0A85+0AC8 0A91=0A85+0AC9,0A86+0AC5",
    "0A93=0A85+0ACB,0A86+0AC7 0A94=0A85+0ACC,0A86+0AC8",
    # Tamil (and shri, 12.6), Telugu, Kannada, Malayalam (and nta, 12.9):
    "0B86=0B85+0BC2 0BB8+0BCD+0BB0+0BC0=0BB6+0BCD+0BB0+0BC0 0C13=0C12+0C55 0C14=0C12+0C4C",
    "0C94=0C92+0CCC 0D08=0D07+0D4C 0D0A=0D09+0D4C 0D10=0D0E+0D46 0D13=0D12+0D3E 0D14=0D12+0D4C",
    "0D7B+0D4D+0D31=0D28+0D4D+0D31,0D7B+0D31",
    # Sinhala (13.2):
    "0D86=0D85+0DCF 0D87=0D85+0DD0 0D88=0D85+0DD1 0D8C=0D8B+0DDF 0D92=0D91+0DCA 0D95=0D94+0DCA",
    "0D96=0D94+0DDF",
    # Thai and Lao (16.1, 16.2): ae typed as e twice.
    "0E41=0E40+0E40 0EC1=0EC0+0EC0",
    # Myanmar (16.3): nya for u. Khmer (16.4): split vowels, subscript da that looks like ta.
    "1009+103A=1025+103A 17BE=17C1+17B8 17C4=17C1+17B6 17D2+178F=17D2+178A",
    # Arabic: yeh with hamza above.
    "0626=06CC+0654,0649+0654",
)
_VIETNAMESE_TONES = {
    unicodedata.normalize("NFC", f"{first}{tone}{second}"): unicodedata.normalize(
        "NFC", f"{first}{second}{tone}"
    )
    for first, second in ("oa", "oe", "uy")
    for tone in "\u0300\u0301\u0303\u0309\u0323"
}
"""Old to new place of the tone in open syllables: hòa to hoà (Wikipedia, Vietnamese alphabet)."""


def read_ethiopic_number(numerals: str) -> int:
    r"""Return the value of an Ethiopic number; 100 and 10,000 multiply what is before them.

    >>> read_ethiopic_number("\u1372\u1371\u137b\u137a\u136f")  # 10 + 9, hundreds, 90 + 7
    1997
    """
    total = hundreds = units = 0
    for numeral in numerals:
        value = int(unicodedata.numeric(numeral))
        if value == 100:
            hundreds, units = hundreds + 100 * (units or 1), 0
        elif value == 10_000:
            total, hundreds, units = 10_000 * (total + hundreds + units or 1), 0, 0
        else:
            units += value
    return total + hundreds + units


EARLY: Mapping[str, tuple[Replacement, ...]] = {
    "": (
        _compile(_JOINER_SEQUENCES),
        # Myanmar digits zero and seven are typed for the letters wa and ra, and wa for zero.
        (re.compile("\u1040(?<![၀-၉].)(?=[\u102b-\u103e]|[\u1000-\u1021]\u103a)"), "\u101d"),
        (re.compile("\u1047(?=[\u102b-\u103e])"), "\u101b"),
        (
            re.compile("([၀-၉])(\u101d+)(?![\u102b-\u103e]|[\u1000-\u1021]\u103a)"),
            lambda match: match[1] + "0" * len(match[2]),
        ),
        (re.compile("[\u1369-\u137c]+"), lambda match: str(read_ethiopic_number(match[0]))),
    ),
    # Sorani Kurdish writes the vowel ae (U+06D5) also as heh that does not join.
    **dict.fromkeys(("ckb", "ku"), ((re.compile("ه\u200c"), "ە"),)),
}
"""Replacements by language before joiners are removed; "" holds those of all languages."""

LATE: Mapping[str, tuple[Replacement, ...]] = {
    "": (
        # Signs that keyboards put in any order: medial consonants and vowels of Myanmar (16.3) and
        # vowels of Khmer (16.4) in the order of their codes; in Thai and Lao (16.1) tone marks
        # before nikhahit.
        (
            re.compile("[\u103b-\u103e]{2,}|[\u102d\u102f\u1036]{2,}|[\u17b6\u17bb\u17c6]{2,}"),
            lambda match: "".join(sorted(match[0])),
        ),
        (re.compile("([\u0e4d\u0ecd])([\u0e48-\u0e4b\u0ec8-\u0ecb]+)"), r"\2\1"),
        _compile(_SEQUENCES),
        # Stress and pitch marks, which Cyrillic texts have in dictionaries only. NFKC has composed
        # those that belong to letters, as in Macedonian ѓ.
        (re.compile("([\u0400-\u052f])[\u0300\u0301\u030f\u0311]+"), r"\1"),
    ),
    # Catalan l·l, which is also typed with other dots; Occitan n·h and s·h.
    "ca": ((re.compile("(?<=l)[·•‧∙⋅.](?=l)"), ""),),
    "oc": ((re.compile("(?<=[ns])[·•‧∙⋅.](?=h)"), ""),),
    # Ezafe after heh: hamza above it, or yeh behind it.
    "fa": ((re.compile("ه\u0654|[ۀۂ]"), "هی"),),
    "ps": ((re.compile("ه\u0654"), "ۀ"),),
    # Gershayim in abbreviations, and the quotation mark that is typed for it.
    **dict.fromkeys(("he", "iw", "yi"), ((re.compile("(?<=[א-ת])(?:[\"״”“]|'')(?=[א-ת])"), ""),)),
    "vi": (
        (
            re.compile(f"(?:{'|'.join(_VIETNAMESE_TONES)})(?!\\w)"),
            lambda m: _VIETNAMESE_TONES[m[0]],
        ),
    ),
    # The line below vowels, which older print has for the dot.
    "yo": ((re.compile("\u0329"), "\u0323"),),
}
"""Replacements by language in lower case and NFKC form; "" holds those of all languages."""

_ARABIC_SCRIPT_PERSIAN = str.maketrans("كڪيىہە", "ککییهه")
_SORANI = str.maketrans("كيىھ", "کییه")
LETTERS: Mapping[str, Mapping[int, int | str]] = {
    "ar": str.maketrans("کڪیہھە", "ككيههه"),
    "az": str.maketrans("ǝș", "əş"),
    "be": str.maketrans("ѐѝ", "еи"),
    "bs": str.maketrans("ð", "đ"),
    "ckb": _SORANI,
    "fa": _ARABIC_SCRIPT_PERSIAN,
    "hr": str.maketrans("ð", "đ"),
    "ku": {**_SORANI, **str.maketrans("ș", "ş")},
    "ps": str.maketrans("كىگ", "کیګ"),
    "ro": str.maketrans("şţ", "șț"),
    "ru": str.maketrans("ёѐѝ", "ееи"),
    "sr": str.maketrans("ð", "đ"),
    "tr": str.maketrans("ș", "ş"),
    "uk": str.maketrans("ѐѝ", "еи"),
    "ur": str.maketrans("كيىهةە", "کییہۃہ"),
    "vi": str.maketrans("ðɖ", "đđ"),
    **{language: {ord("æ"): "ae"} for language in ("en", "fr", "it", "la")},
}
"""Letters that stand for others in a language, in lower case and NFKC form."""

_LETTER = r"[^\W\d_]"
_LATIN = "[a-zß-ɏ]"
_BETWEEN_LETTERS = re.compile(rf"'(?<={_LETTER}')(?={_LETTER})")
APOSTROPHE_SPLITS = frozenset(
    "br ca co cy en eo fr frp fur ga gd gl ht it lb lij lld lmo mg mt nap oc pms pt rm sc scn sq"
    " vec wa".split()
) | {""}
"""Languages in which the apostrophe stands between two words, one of which is shortened; and the
unknown language."""
APOSTROPHE_LETTERS = {
    # Glottal stops, those of Hawaiian and its relatives before vowels.
    **dict.fromkeys("haw rar sm to ty".split(), re.compile("'(?=[aeiouāēīōū])")),
    **dict.fromkeys("gn so".split(), re.compile(f"(?<={_LATIN})'(?={_LATIN})")),
    # Uzbek o' and g', Swahili ng', Shona n', Hausa 'y, Breton c'h are letters of their own.
    **dict.fromkeys("kaa uz".split(), re.compile(f"(?<=[og])'|(?<={_LATIN})'(?={_LATIN})")),
    **dict.fromkeys("ny sw".split(), re.compile("(?<=ng)'")),
    "sn": re.compile(f"(?<=n)'(?={_LATIN})"),
    "ha": re.compile("'(?=y)"),
    "br": re.compile("(?<=c)'(?=h)"),
}
"""Places where the apostrophe is a letter or part of one, so that words differ by it."""
_ENGLISH_NOT = re.compile(r"(?<=n)'(?=t\b)")


def fold_apostrophes(text: str, language: str) -> str:
    r"""Return a text in which apostrophes are letters, separate words, or are left out.

    What is left of them is punctuation: between two words, at the edges of words, in numbers.

    >>> fold_apostrophes("dell'utente", "it"), fold_apostrophes("м'яч", "uk")
    ("dell'utente", 'мяч')
    >>> fold_apostrophes("we don't", "en"), fold_apostrophes("o'zbek", "uz") == "o\u02bczbek"
    ('we dont', True)
    """
    if language in APOSTROPHE_LETTERS:
        text = APOSTROPHE_LETTERS[language].sub("ʼ", text)
    if language == "en":
        return _ENGLISH_NOT.sub("", text)
    return text if language in APOSTROPHE_SPLITS else _BETWEEN_LETTERS.sub("", text)


_PERSIAN_PREFIX = re.compile(r"(?<!\S)(ن?می) (?=[^\W\d])")
_PERSIAN_SUFFIX = re.compile(
    r"(?<=[^\W\d]) (?=(?:ها|های|هایی|هایم|هایت|هایش|هایمان|هایتان|هایشان|تر|ترین|تری)(?!\S))"
)


def join_affixes(text: str, lang: Language | None) -> str:
    r"""Return a text without spaces between words and affixes that are also written with joiners.

    Persian writes the prefixes mi- and nemi-, the plural and the comparative apart, joined or with
    a zero-width non-joiner.

    >>> join_affixes("\u0645\u06cc \u0631\u0648\u062f", "fa") == "\u0645\u06cc\u0631\u0648\u062f"
    True

    Args:
        text: Text in which words are separated by single spaces.
        lang: Its language.
    """
    if primary_subtag(lang) != "fa":
        return text
    return _PERSIAN_SUFFIX.sub("", _PERSIAN_PREFIX.sub(r"\1", text))


WORD_SIGNS = frozenset(map(ord, "۽۾၌၍၎၏"))
"""Signs that Unicode counts as symbols or punctuation, but which are read as words: Sindhi "and"
and "in", Burmese locative, completed, aforementioned and genitive."""
