"""Korean readings of digits, units and Latin letters.

There are two systems of numerals: Sino-Korean (일, 이, 삼) and native (하나, 둘, 셋), which some
counters require. Source for both, and for the names of the letters: National Institute of Korean
Language. Where both are in use, as in 3번 (삼 번, 세 번), Sino-Korean is taken.
"""

from __future__ import annotations

import re

from ._spelling import spell_out_number

LETTER = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        "에이 비 씨 디 이 에프 지 에이치 아이 제이 케이 엘 엠 엔 오 피 큐 알 에스 티 유 브이 "
        "더블유 엑스 와이 제트".split(),
        strict=True,
    )
)
SIGN = {"%": "퍼센트", "℃": "도", "°c": "도", "°": "도"}
UNIT = {
    "km": "킬로미터", "cm": "센티미터", "mm": "밀리미터", "kg": "킬로그램", "mg": "밀리그램",
    "ml": "밀리리터", "gb": "기가바이트", "mb": "메가바이트", "m": "미터", "g": "그램", "l": "리터",
}  # fmt: skip
"""Units, read only between a number and anything but a Latin letter."""
DIGIT = dict(zip("0123456789", "공일이삼사오육칠팔구", strict=True))
"""Digits read one by one, as in telephone numbers."""
# Native numerals in the forms that stand before a counter: 한 개, not 하나 개.
ONES = ("", *"한 두 세 네 다섯 여섯 일곱 여덟 아홉".split())
TENS = ("", *"열 스물 서른 마흔 쉰 예순 일흔 여든 아흔".split())
COUNTER = {
    "시": 12, "시간": 12, "살": 99, "번째": 99,
    **dict.fromkeys(
        "개 명 마리 권 잔 병 그루 송이 켤레 벌 채 척 가지 달 군데 사람 그릇 바퀴".split(), 20
    ),
}  # fmt: skip
"""Largest number that is read in native numerals with a counter; Sino-Korean is usual above it."""
NO_COUNTER = {
    "시": "간즌청군도민", "개": "월국년소사교층", "명": "언령", "권": "역한총", "잔": "여",
    "병": "원실사", "벌": "점금", "채": "널", "달": "러", "살": "인", "척": "도",
}  # fmt: skip
"""Next syllables with which a counter is part of another word: 3개월, 5달러, 7시즌."""

MONTH = {"6": "유", "10": "시"}
"""Months whose numeral loses its last consonant: 유월, 시월, not 육월, 십월 (National Institute of
Korean Language, Hangul Orthography, article 52)."""

_PHONE = re.compile(r"(?<![\d-])(0\d{1,3})[- ](\d{3,4})[- ](\d{4})(?!\d)", re.ASCII)
# As many parts as there are below, or fewer: 3/4, but neither 24/7 nor a date with a year.
_FRACTION = re.compile(r"(?<![\d/.,])([1-9]\d?)\s?[/\u2044]\s?([1-9]\d?)(?![\d/]|[.,]\d)", re.ASCII)
# Two digits of a date or a time, where the zero is not read: 05월 09일, 08시 05분.
_PADDED = re.compile(r"(?<![\d.,:/-])0(\d)(?=\s?(?:월|일|시|분|초))", re.ASCII)
_MONTH = re.compile(r"(?<![\d.,:])(6|10)(\s?)월(?![요드급세남계])", re.ASCII)
_NUMBER = re.compile(
    r"(?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.(?P<rest>\d+))?"
    r"(?:\s?(?P<sign>%|℃|°c|°)|\s?(?P<unit>"
    + "|".join(UNIT)
    + r")(?![a-z])|(?P<gap>\s?)(?P<counter>"
    + "|".join(
        f"{name}(?![{NO_COUNTER[name]}])" if name in NO_COUNTER else name
        for name in sorted(COUNTER, key=len, reverse=True)  # 시간 before 시
    )
    + "))?",
    re.ASCII,
)
_LETTER = re.compile("[a-z]")


def read_aloud(text: str) -> str:
    """Return the text with digits, units and Latin letters as they are read aloud.

    Letters are read one by one, as in 케이비에스, and so are English words, which cannot be told
    from such names.

    Args:
        text: Text in lower case and NFKC form.
    """
    text = _PHONE.sub(lambda match: " ".join(map(_read_digits, match.groups())), text)
    text = _PADDED.sub(r"\1", text)
    text = _FRACTION.sub(_read_fraction, text)
    text = _MONTH.sub(lambda match: f"{MONTH[match[1]]}{match[2]}월", text)
    text = _NUMBER.sub(_read_number, text)
    # Signs without a number before them.
    for sign, reading in SIGN.items():
        text = text.replace(sign, reading)
    return _LETTER.sub(lambda letter: LETTER[letter[0]], text)


def read_sino_korean(digits: str) -> str:
    """Return a whole number without spaces; digits that begin with zero are read one by one.

    >>> read_sino_korean("12000")
    '만이천'
    """
    if len(digits) > 1 and digits.startswith("0"):
        return _read_digits(digits)
    return spell_out_number(digits, "ko").replace(" ", "")


def read_native_korean(number: int) -> str:
    """Return a number from 1 to 99 in native numerals as they stand before a counter."""
    if number == 20:
        return "스무"
    return TENS[number // 10] + ONES[number % 10]


def _read_number(match: re.Match[str]) -> str:
    """Return a matched number with its sign, unit or counter."""
    whole, counter = match["whole"].replace(",", ""), match["counter"]
    if match["rest"]:
        # Zero is 영 after the point and 공 in telephone numbers.
        decimals = "".join("영" if digit == "0" else DIGIT[digit] for digit in match["rest"])
        reading = f"{read_sino_korean(whole)}점{decimals}"
    elif counter and not whole.startswith("0") and int(whole) <= COUNTER[counter]:
        is_first = counter == "번째" and whole == "1"
        reading = "첫" if is_first else read_native_korean(int(whole))
    else:
        reading = read_sino_korean(whole)
    if counter:
        return f"{reading}{match['gap']}{counter}"
    return reading + (SIGN.get(match["sign"] or "") or UNIT.get(match["unit"] or "", ""))


def _read_fraction(match: re.Match[str]) -> str:
    """Return a proper fraction as it is read, denominator first; anything else as it was."""
    numerator, denominator = match.groups()
    if int(numerator) >= int(denominator):
        return match[0]
    return f"{read_sino_korean(denominator)}분의 {read_sino_korean(numerator)}"


def _read_digits(digits: str) -> str:
    return "".join(DIGIT[digit] for digit in digits)
