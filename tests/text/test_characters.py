"""Spellings of one word that `basic` must make equal, and words that must stay different.

Sources, by the word in the last column: "core N" is chapter N of The Unicode Standard 15.0; "UAX"
and "UTS" are its annexes and technical standards; other names are articles of Wikipedia on the
writing of the language.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from twister_loop.evaluation import metrics
from twister_loop.text.normalizers._base import Normalizer
from twister_loop.text.normalizers.basic import PUNCTUATION, Basic

EQUAL = [
    # Digits of every script.
    ("hi", "१२३४५ ६७८९०", "12345 67890", "core 12.1"),
    ("mr", "२४ तास", "24 तास", "core 12.1"),
    ("ne", "२०८१ साल", "2081 साल", "core 12.1"),
    ("bn", "১৯৭১ সালে", "1971 সালে", "core 12.2"),
    ("as", "২৪", "24", "core 12.2"),
    ("pa", "੧੨", "12", "core 12.3"),
    ("gu", "૧૨", "12", "core 12.4"),
    ("ta", "௧௨", "12", "core 12.6"),
    ("te", "౧౨", "12", "core 12.7"),
    ("kn", "೧೨", "12", "core 12.8"),
    ("ml", "൧൨", "12", "core 12.9"),
    ("ar", "٣٤٥", "345", "core 9.2"),
    ("fa", "۳۴۵", "345", "core 9.2"),
    ("ur", "۳۴۵", "٣٤٥", "core 9.2"),
    ("th", "๑๒", "12", "core 16.1"),
    ("lo", "໑໒", "12", "core 16.2"),
    ("my", "၁၂", "12", "core 16.3"),
    ("km", "១២", "12", "core 16.4"),
    ("bo", "༡༢", "12", "core 13.4"),
    ("am", "፲፱፻፺፯", "1997", "Geʽez script"),
    ("am", "፪፼፫", "20003", "Geʽez script"),
    ("en", "room １２", "room 12", "UAX 15"),
    ("en", "CO₂", "CO2", "UAX 15"),
    ("en", "① one ② two", "1 one 2 two", "UAX 15"),
    ("en", "❶❷⓷", "1 2 3", "core 22.3"),
    ("en", "𝟏𝟐", "12", "UAX 15"),
    # Emoji are no words, whatever they are made of.
    ("en", "yes ❤️", "yes", "UTS 51"),
    ("en", "yes ❤ 👍🏽", "yes", "UTS 51"),
    ("en", "👨‍👩‍👧‍👦 family", "family", "UTS 51"),
    ("en", "🇮🇹 Italy 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "Italy", "UTS 51"),
    ("en", "press 1️⃣ #️⃣", "press", "UTS 51"),
    ("en", "word™ ℹ️ Ⓜ️ ©", "word", "UTS 51"),
    ("ja", "㊗️ 🈁 はい", "はい", "UTS 51"),
    ("en", "\U0001f170\ufe0f ok", "ok", "UTS 51"),
    # Characters without a shape neither split nor are words.
    ("de", "Donau\u00addampf", "Donaudampf", "core 6.2"),
    ("en", "\ufeffone\u2060word", "oneword", "core 23.2"),
    ("he", "\u200fשלום\u200e", "שלום", "UAX 9"),
    ("ar", "\u202bمرحبا\u202c \u2067بك\u2069", "مرحبا بك", "UAX 9"),
    ("si", "ශ්‍රී ලංකාව", "ශ්රී ලංකාව", "core 13.2"),
    ("hi", "क्‍या", "क्या", "core 12.1"),
    ("hi", "क्‌या", "क्या", "core 12.1"),
    ("bn", "র‍্যাব", "র্যাব", "core 12.2"),
    ("kn", "ರ‍್ಯ", "ರ್ಯ", "core 12.8"),
    ("ja", "葛\U000e0100城", "葛城", "UTS 37"),
    ("km", "ខ្ញុំ\u200bទៅ", "ខ្ញុំទៅ", "core 16.4"),
    ("th", "ไป\u200bไหน", "ไปไหน", "core 16.1"),
    ("en", "one\u200btwo", "one two", "UAX 29"),
    # Case.
    ("tr", "İSTANBUL IŞIK", "istanbul ışık", "core 5.18"),
    ("az", "BAKI İL", "bakı il", "core 5.18"),
    ("tr-TR", "ILIK", "ılık", "core 5.18"),
    ("de", "İstanbul", "istanbul", "core 5.18"),
    ("tr", "I\u0307stanbul", "İstanbul", "UAX 15"),
    ("de", "STRASSE", "Straße", "core 5.18"),
    ("el", "ΣΟΦΟΣ", "σοφος", "core 5.18"),
    ("lt", "i\u0307\u0301", "í", "core 5.18"),
    ("ka", "ᲡᲐᲥᲐᲠᲗᲕᲔᲚᲝ", "საქართველო", "core 7.7"),
    # Arabic script.
    ("ar", "مُحَمَّدٌ رَسُولُ", "محمد رسول", "core 9.2"),
    ("ar", "هٰذا الرَّحْمٰن", "هذا الرحمن", "core 9.2"),
    ("ar", "الســـلام", "السلام", "core 9.2"),
    ("ar", "ﻣﺮﺣﺒﺎ", "مرحبا", "UAX 15"),
    ("ar", "ﻻ ﷲ", "لا الله", "UAX 15"),
    ("ar", "ٱلسلام", "السلام", "core 9.2"),
    ("ar", "الیوم کتاب", "اليوم كتاب", "core 9.2"),
    ("fa", "كتاب علي", "کتاب علی", "Persian alphabet"),
    ("fa", "می\u200cخواهم", "میخواهم", "Zero-width non-joiner"),
    ("fa", "نمی خواهم", "نمی\u200cخواهم", "Zero-width non-joiner"),
    ("fa", "کتاب\u200cهای بزرگ تر", "کتاب های بزرگ\u200cتر", "Zero-width non-joiner"),
    ("fa", "خانهٔ ما", "خانه\u200cی ما", "Ezāfe"),
    ("ur", "كيا هے", "کیا ہے", "Urdu alphabet"),
    ("ur", "گئے", "گیٔے", "core 9.2"),
    ("ps", "كتاب", "کتاب", "Pashto alphabet"),
    ("ckb", "كوردي", "کوردی", "Sorani"),
    ("ckb", "ئه\u200cمه\u200c", "ئەمە", "Sorani"),
    # Hebrew script.
    ("he", "שָׁלוֹם", "שלום", "core 9.1"),
    ("he", "בְּרֵאשִׁ֖ית", "בראשית", "core 9.1"),
    ("he", 'ארה"ב', "ארה״ב", "core 9.1"),
    ("he", "ג׳ירפה", "ג'ירפה", "core 9.1"),
    ("yi", "ייִדיש װאָס", "יידיש וואס", "core 9.1"),
    ("he", "בית־ספר", "בית-ספר", "core 9.1"),
    # Armenian, Ethiopic, Tibetan.
    ("hy", "ինչո՞ւ", "ինչու", "core 7.6"),
    ("hy", "Այո՛, եւ", "այո, և", "core 7.6"),
    ("am", "ሰላም፡ለዓለም።", "ሰላም ለዓለም", "core 19.1"),
    ("bo", "བཀྲ་ཤིས༌བདེ", "བཀྲ ཤིས བདེ", "core 13.4"),
    # Scripts of India and their relatives.
    ("hi", "\u0958लम", "क\u093cलम", "UAX 15"),
    ("hi", "अाम", "आम", "core 12.1"),
    ("mr", "दर्\u200dया", "दऱ्या", "core 12.1"),
    ("sa", "अ॒ग्निमी॑ळे", "अग्निमीळे", "core 12.1"),
    ("bn", "সময\u09bc", "সম\u09df", "UAX 15"),
    ("bn", "সত্\u200d", "সৎ", "core 12.2"),
    ("pa", "\u0a36ਹਿਰ", "ਸ\u0a3cਹਿਰ", "UAX 15"),
    ("pa", "ੲਿਹ", "ਇਹ", "core 12.3"),
    ("gu", "અાજ", "આજ", "core 12.4"),
    ("ta", "ஶ்ரீ", "ஸ்ரீ", "core 12.6"),
    ("ml", "അവന്\u200d", "അവൻ", "core 12.9"),
    ("ml", "എന്റെ", "എൻ്റെ", "core 12.9"),
    ("ml", "കൗതുകം", "കൌതുകം", "core 12.9"),
    ("si", "අාදරය", "ආදරය", "core 13.2"),
    # Southeast Asia.
    ("th", "น้ำ", "น\u0e4d\u0e49า", "core 16.1"),
    ("th", "เเม่", "แม่", "core 16.1"),
    ("lo", "ນ້ຳ", "ນ\u0ecd\u0ec9າ", "core 16.2"),
    ("lo", "ໜັງສື", "ຫນັງສື", "UAX 15"),
    ("my", "၂၀၁ဝ", "၂၀၁၀", "Burmese numerals"),
    ("my", "၀ယ်", "ဝယ်", "Burmese numerals"),
    ("my", "ကုိ", "ကို", "core 16.3"),
    ("km", "េី", "ើ", "core 16.4"),
    ("km", "ប្ដី", "ប្តី", "core 16.4"),
    ("vi", "hòa thúy khỏe", "hoà thuý khoẻ", "Vietnamese alphabet"),
    ("vi", unicodedata.normalize("NFD", "tiếng Việt"), "tiếng việt", "UAX 15"),
    ("vi", "ÐÀ NẴNG", "Đà Nẵng", "D with stroke"),
    # Chinese, Japanese, Korean.
    ("ja", "ｶﾞｷﾞ", "ガギ", "UAX 15"),
    ("ja", "か゛", "が", "core 18.4"),
    ("ja", "㍿", "株式会社", "UAX 15"),
    ("zh", "⾕", "谷", "UAX 15"),
    ("ko", unicodedata.normalize("NFD", "한글"), "한글", "UAX 15"),
    # Latin and Cyrillic.
    ("ro", "şi ţară", "și țară", "Romanian alphabet"),
    ("hr", "Ǆep ǉubav", "džep ljubav", "UAX 15"),
    ("sr", "ðak", "đak", "D with stroke"),
    ("ca", "col·lecció", "coŀlecció", "Interpunct"),
    ("ca", "col•lecció", "COL·LECCIÓ", "Interpunct"),
    ("oc", "in·hèrn", "inhèrn", "Interpunct"),
    ("fr", "cœur Œuvre", "coeur œuvre", "Œ"),
    ("en", "encyclopædia", "encyclopaedia", "Æ"),
    ("nl", "ĳsberg", "ijsberg", "UAX 15"),
    ("az", "ǝn", "ən", "Ə"),
    ("yo", "e\u0329", "ẹ", "Yoruba language"),
    ("ru", "Ёлка за\u0301мок", "елка замок", "Yo (Cyrillic)"),
    ("uk", "за\u0301мок", "замок", "Stress in Ukrainian"),
    ("bg", "и\u0306", "й", "UAX 15"),
    ("pl", unicodedata.normalize("NFD", "zażółć"), "zażółć", "UAX 15"),
    ("en", "ﬁne ﬂow", "fine flow", "UAX 15"),
    # Apostrophes.
    ("en", "don't", "don’t", "Apostrophe"),
    ("en", "don`t won´t", "dont wont", "Apostrophe"),
    ("en", "it's we'll", "it’s we＇ll", "Apostrophe"),
    ("en", "‘quoted’ words'", "quoted words", "Apostrophe"),
    ("it", "dell’utente", "dell'utente", "Apostrophe"),
    ("it", "dell'utente", "dell' utente", "Apostrophe"),
    ("fr", "l’homme", "l' homme", "Apostrophe"),
    ("uk", "м'яч", "мʼяч", "Apostrophe"),
    ("uk", "п’ять", "п`ять", "Apostrophe"),
    ("be", "сям'я", "сям’я", "Apostrophe"),
    ("haw", "Hawaiʻi", "Hawai'i", "ʻOkina"),
    ("haw", "‘okina", "ʻokina", "ʻOkina"),
    ("uz", "oʻzbek togʻ", "o'zbek tog‘", "Uzbek alphabet"),
    ("sw", "ng'ombe", "ng’ombe", "Swahili language"),
    ("br", "c'hoar", "c’hoar", "Breton language"),
    ("mt", "b'hekk", "b’hekk", "Maltese alphabet"),
    ("hy", "մ՚", "մ'", "core 7.6"),
    ("nl", "foto's", "foto’s", "Apostrophe"),
    ("tr", "Türkiye'nin", "Türkiye’nin", "Apostrophe"),
    # Hyphens, dashes and other punctuation.
    ("en", "well\u2011known", "well-known", "core 6.2"),
    ("en", "well\u2010known", "well - known", "core 6.2"),
    ("de", "Hin— und –her", "hin und her", "core 6.2"),
    ("es", "¿Qué? «Sí»…", "qué sí", "core 6.2"),
    ("el", "ναι· τι;", "ναι τι", "core 7.2"),
    ("ur", "کیا۔ ہے؟", "کیا ہے", "core 9.2"),
    ("hi", "है। नहीं॥", "है नहीं", "core 12.1"),
]
DIFFERENT = [
    ("en", "we're", "were", "Apostrophe"),
    ("en", "she'll", "shell", "Apostrophe"),
    ("haw", "paʻu", "pau", "ʻOkina"),
    ("uz", "oʻt", "ot", "Uzbek alphabet"),
    ("uz", "togʻ", "tog", "Uzbek alphabet"),
    ("sw", "ng'oa", "ngoa", "Swahili language"),
    ("br", "c'hi", "chi", "Breton language"),
    ("so", "ba'", "ka'", "Somali alphabet"),
    ("tr", "IŞIK", "işik", "Dotless I"),
    ("tr", "kız", "kiz", "Dotless I"),
    ("be", "мёд", "мед", "Yo (Cyrillic)"),
    ("mn", "өдөр", "одор", "Mongolian Cyrillic"),
    ("uk", "її", "іі", "Ukrainian alphabet"),
    ("mk", "ѝ", "и", "Macedonian alphabet"),
    ("ru", "мой", "мои", "Short I"),
    ("ar", "علي", "على", "Arabic alphabet"),
    ("ar", "أمل", "امل", "Arabic alphabet"),
    ("ar", "مدرسة", "مدرسه", "Arabic alphabet"),
    ("ps", "سړي", "سړی", "Pashto alphabet"),
    ("sd", "ڪم", "کم", "Sindhi language"),
    ("sd", "هو ۽ اها", "هو اها", "core 9.2"),
    ("ur", "کہا", "کھا", "Urdu alphabet"),
    ("he", "שלום", "שלם", "Hebrew alphabet"),
    ("hi", "कि", "की", "core 12.1"),
    ("hi", "जरा", "ज़रा", "core 12.1"),
    ("mr", "दर्या", "दऱ्या", "Eyelash reph"),
    ("bn", "হল", "হাল", "core 12.2"),
    ("ta", "கல்", "கால்", "core 12.6"),
    ("ml", "അവൻ", "അവന", "core 12.9"),
    ("th", "เข้า", "เขา", "core 16.1"),
    ("lo", "ມ້າ", "ມາ", "core 16.2"),
    ("my", "ကို", "ကု", "core 16.3"),
    ("my", "အိမ်၏", "အိမ်", "core 16.3"),
    ("km", "កា", "ការ", "core 16.4"),
    ("vi", "ma", "mà", "Vietnamese alphabet"),
    ("vi", "hoa", "hoà", "Vietnamese alphabet"),
    ("ja", "か", "が", "core 18.4"),
    ("ja", "びょういん", "びよういん", "core 18.4"),
    ("ko", "각", "간", "core 18.6"),
    ("de", "schon", "schön", "Umlaut"),
    ("da", "æ", "ae", "Æ"),
    ("es", "año", "ano", "Ñ"),
    ("sv", "får", "far", "Å"),
    ("ro", "sa", "șa", "Romanian alphabet"),
    ("pl", "kąt", "kat", "Polish alphabet"),
    ("yo", "ọkọ", "oko", "Yoruba language"),
    ("hy", "տուն", "դուն", "Armenian alphabet"),
    ("ka", "თარი", "ტარი", "Georgian scripts"),
    ("el", "πότε", "ποτέ", "Greek diacritics"),
    ("am", "ሰማ", "ሰመ", "Geʽez script"),
    ("zh", "我", "俄", "UAX 38"),
    ("en", "10⁵", "105", "UAX 15"),
    ("en", "3½", "31/2", "UAX 15"),
]
SCRIPTS = {
    "ARABIC": (0x600, 0x6FF),
    "ARABIC FORMS": (0xFB50, 0xFEFF),
    "ARMENIAN": (0x530, 0x58F),
    "BENGALI": (0x980, 0x9FF),
    "CYRILLIC": (0x400, 0x52F),
    "DEVANAGARI": (0x900, 0x97F),
    "EMOJI": (0x1F100, 0x1F6FF),
    "ENCLOSED": (0x2460, 0x24FF),
    "ETHIOPIC": (0x1200, 0x139F),
    "GEORGIAN": (0x10A0, 0x10FF),
    "GREEK": (0x370, 0x3FF),
    "GUJARATI": (0xA80, 0xAFF),
    "GURMUKHI": (0xA00, 0xA7F),
    "HALF WIDTH": (0xFF00, 0xFFEF),
    "HAN": (0x4E00, 0x9FFF),
    "HANGUL": (0x1100, 0x11FF),
    "HEBREW": (0x590, 0x5FF),
    "JAVANESE": (0xA980, 0xA9DF),
    "KANA": (0x3040, 0x33FF),
    "KANNADA": (0xC80, 0xCFF),
    "KHMER": (0x1780, 0x17FF),
    "LAO": (0xE80, 0xEFF),
    "LATIN": (0x20, 0x24F),
    "LETTERLIKE": (0x2000, 0x218F),
    "MALAYALAM": (0xD00, 0xD7F),
    "MONGOLIAN": (0x1800, 0x18AF),
    "MYANMAR": (0x1000, 0x109F),
    "SINHALA": (0xD80, 0xDFF),
    "SYRIAC": (0x700, 0x74F),
    "TAMIL": (0xB80, 0xBFF),
    "TELUGU": (0xC00, 0xC7F),
    "THAI": (0xE00, 0xE7F),
    "TIBETAN": (0xF00, 0xFFF),
}
SHARED = (
    "'’ʼ`\"״ -.,·liIİ٫1\u00ad\u0301\u0307\u0654\u094d\u09cd\u0d4d\u200b\u200c\u200d\u20e3\ufe0f"
)
LANGUAGES = [*sorted({lang for lang, *_ in EQUAL}), None]


@pytest.mark.parametrize(("lang", "first", "second", "source"), EQUAL)
def test_spellings_of_one_word_are_equal(lang: str, first: str, second: str, source: str) -> None:
    for normalize in (Basic().normalize, Basic(numbers=False).normalize):
        assert normalize(first, lang) == normalize(second, lang) != ""
    assert source


@pytest.mark.parametrize(("lang", "first", "second", "source"), DIFFERENT)
def test_different_words_stay_different(lang: str, first: str, second: str, source: str) -> None:
    for normalize in (Basic().normalize, Basic(numbers=False).normalize):
        assert normalize(first, lang) != normalize(second, lang)
    assert source


def test_apostrophes_split_in_an_unknown_language() -> None:
    assert Basic().normalize("Merci d’avoir l'air", None) == "merci d avoir l air"


def test_the_cases_are_of_at_least_sixty_languages() -> None:
    assert len({lang.split("-")[0] for lang, *_ in EQUAL + DIFFERENT}) >= 60


def test_every_decimal_digit_of_unicode_is_its_ascii_digit() -> None:
    digits = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Nd"]
    assert len(digits) > 600
    for digit in digits:
        assert (
            Basic(numbers=False).normalize(f"a {digit}", "xx") == f"a {unicodedata.decimal(digit)}"
        )


def test_no_character_without_a_shape_is_a_word_or_splits_one() -> None:
    """Default_Ignorable_Code_Point: all of format, variation selectors, fillers."""
    invisible = [
        chr(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) == "Cf"
        and not 0x600 <= code <= 0x605
        and code not in (0x200B, 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)
    ]
    invisible += map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), 0x34F, 0x3164, 0x180B))
    assert len(invisible) > 400
    for char in invisible:
        assert Basic(numbers=False).normalize(f"on{char}e {char}", None) == "one", ascii(char)


def test_no_symbol_leaves_a_mark_as_a_word() -> None:
    """Every punctuation mark and symbol by itself is no word, with a variation selector or not."""
    read_as_words = set("۽۾၌၍၎၏")
    signs = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code))[0] in "PSZ"]
    assert len(signs) > 8000
    for sign in set(signs) - read_as_words:
        # Compatibility characters such as ㎏ and № are abbreviations, made of letters.
        if not unicodedata.normalize("NFKC", sign).translate(PUNCTUATION).split():
            assert Basic(numbers=False).normalize(f"{sign} {sign}\ufe0f\u20e3", None) == "", ascii(
                sign
            )


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(
    "spec",
    [
        {"use": "basic", "numbers": False},
        {"use": "korean", "readings": True},
        {"use": "mandarin"},
        {"use": "mixed"},
    ],
    ids=str,
)
@settings(max_examples=60, deadline=None)
@given(sample=some.data())
def test_normalizing_random_text_of_any_script_twice_changes_nothing(
    script: str, spec: dict[str, Any], sample: some.DataObject
) -> None:
    if spec["use"] in ("mandarin", "mixed"):
        pytest.importorskip("opencc")
    first, last = map(chr, SCRIPTS[script])
    letters = some.characters(min_codepoint=ord(first), max_codepoint=ord(last))
    text = sample.draw(some.text(some.sampled_from(SHARED) | letters | letters, max_size=10))
    lang = sample.draw(some.sampled_from(LANGUAGES))
    normalize = Normalizer.build(spec).normalize
    once = normalize(text, lang)
    assert normalize(once, lang) == once == " ".join(once.split())


@pytest.mark.parametrize(
    ("taiwan", "hong_kong", "mainland"),
    [
        ("走著", "走着", "走着"),
        ("裡面", "裏面", "里面"),
        ("臺灣", "台灣", "台湾"),
        ("因為", "因爲", "因为"),
        ("路線", "路綫", "路线"),
        ("人群", "人羣", "人群"),
        ("衛生", "衞生", "卫生"),
        ("說話", "説話", "说话"),
        ("化妝", "化粧", "化妆"),
        ("啟動", "啓動", "启动"),
        ("計畫", "計劃", "计划"),
        ("甚麼", "甚麼", "甚么"),
        ("怎麼", "怎麼", "怎么"),
        ("牠們", "牠們", "它们"),
        ("吃飯", "喫飯", "吃饭"),
        ("溫度", "温度", "温度"),
        ("床單", "牀單", "床单"),
        ("大砲", "大炮", "大炮"),
        ("污染", "汚染", "污染"),
        ("乾隆", "乾隆", "乾隆"),
        ("乾燥", "乾燥", "干燥"),
        ("上顎", "上顎", "上颚"),
        ("頭髮", "頭髮", "头发"),
        ("發展", "發展", "发展"),
    ],
)
def test_characters_of_taiwan_hong_kong_and_the_mainland_are_equal(
    taiwan: str, hong_kong: str, mainland: str
) -> None:
    pytest.importorskip("opencc")
    normalize = Normalizer.build({"use": "mandarin"}).normalize
    normal = normalize(mainland, "zh")
    assert normalize(taiwan, "zh") == normalize(hong_kong, "zh") == normal
    assert normalize(normal, "zh") == normal


def test_mandarin_exchanges_characters_and_no_words() -> None:
    pytest.importorskip("opencc")
    normalize = Normalizer.build({"use": "mandarin"}).normalize
    for taiwan, mainland in (
        ("軟體", "软件"),
        ("計程車", "出租车"),
        ("滑鼠", "鼠标"),
        ("網路", "网络"),
    ):
        assert normalize(taiwan, "zh") != normalize(mainland, "zh")
        assert len(normalize(taiwan, "zh")) == len(taiwan)


def test_every_han_character_has_one_form_in_all_standards() -> None:
    """All characters and their forms in the standards of Taiwan, Hong Kong and the mainland."""
    opencc = pytest.importorskip("opencc")
    standards = [opencc.OpenCC(name) for name in ("t2s", "t2tw", "t2hk")]
    normalize = Normalizer.build({"use": "mandarin"}).normalize
    for char in map(chr, (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000))):
        normal = normalize(char, "zh")
        forms = {normal, *(normalize(standard.convert(char), "zh") for standard in standards)}
        assert {normalize(form, "zh") for form in forms} == {normal}, char


@pytest.mark.parametrize(
    "text", ["สวัสดีครับ", "ສະບາຍດີ", "ជំរាបសួរ", "မင်္ဂလာပါ", "東京タワー", "你好", "ꦲꦏ꧀ꦱꦫ"]
)
def test_unspaced_scripts_are_counted_by_character_in_the_mixed_error_rate(text: str) -> None:
    for hypothesis in ("", text[1:], text + " ok", f"{text[:2]} {text[2:]}"):
        mixed = metrics.count_mixed_errors(text, hypothesis)
        if "ok" in hypothesis:
            assert (mixed.errors, mixed.length) == (1, len(text))  # the word counts once
        else:
            assert mixed == metrics.count_character_errors(text, hypothesis)
    mixed = Normalizer.build({"use": "mixed"})
    normal = mixed.normalize(f"{text} ok", None)
    assert normal.split()[-1] == "ok" and all(len(unit) == 1 for unit in normal.split()[:-1])


def test_syllables_are_the_words_of_tibetan() -> None:
    assert Basic().normalize("བཀྲ་ཤིས་བདེ་ལེགས།", "bo") == "བཀྲ ཤིས བདེ ལེགས"
