"""How digits, units and Latin letters are read aloud in Korean.

Two systems of numerals: Sino-Korean (일, 이, 삼) and native (하나, 둘, 셋), which some counters
demand. Source for both, and for the names of the letters: National Institute of Korean Language.
Where people say both, as in 3번 (삼 번, 세 번), it is Sino-Korean here.
"""

from __future__ import annotations

import re

from .basic import spell_out_number

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
"""Behind a number, and with no letter after them."""
DIGIT = dict(zip("0123456789", "공일이삼사오육칠팔구", strict=True))
"""One by one, as in telephone numbers."""
ONES = ("", *"하나 둘 셋 넷 다섯 여섯 일곱 여덟 아홉".split())
BEFORE_COUNTER = ("", *"한 두 세 네 다섯 여섯 일곱 여덟 아홉".split())
TENS = ("", *"열 스물 서른 마흔 쉰 예순 일흔 여든 아흔".split())
COUNTER = {
    "시": 12, "시간": 12, "살": 99, "번째": 99,
    **dict.fromkeys(
        "개 명 마리 권 잔 병 그루 송이 켤레 벌 채 척 가지 달 군데 사람 그릇 바퀴".split(), 20
    ),
}  # fmt: skip
"""Up to which number a counter is said with native numerals; above it Sino-Korean is usual."""
NO_COUNTER = {
    "시": "간즌청군도민", "개": "월국년소사교층", "명": "언령", "권": "역한총", "잔": "여",
    "병": "원실사", "벌": "점금", "채": "널", "달": "러", "살": "인", "척": "도",
}  # fmt: skip
"""Syllables that make another word of it: 3개월, 5달러, 7시즌."""

_PHONE = re.compile(r"(?<![\d-])(0\d{1,3})[- ](\d{3,4})[- ](\d{4})(?!\d)", re.ASCII)
_NUMBER = re.compile(
    r"(?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.(?P<rest>\d+))?"
    r"(?:\s?(?P<sign>%|℃|°c|°)|\s?(?P<unit>"
    + "|".join(UNIT)
    + r")(?![a-z])|(?P<gap>\s?)(?P<counter>"
    + "|".join(
        f"{name}(?![{NO_COUNTER[name]}])" if name in NO_COUNTER else name
        for name in sorted(COUNTER, key=len, reverse=True)
    )
    + "))?",
    re.ASCII,
)
_LETTER = re.compile("[a-z]")


def read_aloud(text: str) -> str:
    """The text, in small letters and compatibility form, as it would be read.

    Letters are read one by one, as in 케이비에스; an English word is not told from such a name.
    """
    text = _PHONE.sub(lambda found: " ".join(map(_one_by_one, found.groups())), text)
    text = _NUMBER.sub(_number, text)
    for sign, said in SIGN.items():
        text = text.replace(sign, said)
    return _LETTER.sub(lambda letter: LETTER[letter[0]], text)


def read_sino_korean(digits: str) -> str:
    """A whole number, 만 이천 without its spaces; digits that begin with zero one by one."""
    if len(digits) > 1 and digits.startswith("0"):
        return _one_by_one(digits)
    return spell_out_number(digits, "ko").replace(" ", "")


def read_native_korean(number: int, *, before_counter: bool = True) -> str:
    """From 1 to 99; before a counter some are shorter."""
    if before_counter and number == 20:
        return "스무"
    ones = BEFORE_COUNTER if before_counter else ONES
    return TENS[number // 10] + ones[number % 10]


def _number(found: re.Match[str]) -> str:
    whole = found["whole"].replace(",", "")
    if found["rest"]:
        point = "".join("영" if digit == "0" else DIGIT[digit] for digit in found["rest"])
        said = f"{read_sino_korean(whole)}점{point}"
    elif found["counter"] and not whole.startswith("0") and int(whole) <= COUNTER[found["counter"]]:
        first = found["counter"] == "번째" and whole == "1"
        said = "첫" if first else read_native_korean(int(whole))
    else:
        said = read_sino_korean(whole)
    if found["counter"]:
        return f"{said}{found['gap']}{found['counter']}"
    return said + (SIGN.get(found["sign"] or "") or UNIT.get(found["unit"] or "", ""))


def _one_by_one(digits: str) -> str:
    return "".join(DIGIT[digit] for digit in digits)
