"""Korean normalizer: jamo, spaces, numbers, units, letters."""

from __future__ import annotations

import unicodedata

import pytest

from twister_loop.evaluation import metrics
from twister_loop.text.normalizers.korean import Korean

SPELLED = [
    ("안녕, 하세요.", "안녕 하세요"),
    ("  띄어   쓰기\t\n ", "띄어 쓰기"),
    ("\u1112\u1161\u11ab\u1100\u1173\u11af", "한글"),  # decomposed, as macOS names files
    (unicodedata.normalize("NFD", "값을 읽었다"), "값을 읽었다"),
    ("ㅋㅋㅋ", "ㅋㅋㅋ"),
    ("\u110f\u110f", "ㅋㅋ"),  # leading consonants that lead nothing
    ("\u11ab", "ㄴ"),  # a trailing one
    ("ㅠㅠ 안돼ㅜ", "ㅠㅠ 안돼ㅜ"),
    ("\uffa1\uffc2", "가"),  # half width
    ("ㄱㅏ", "가"),
    ("가ㄳ", "갃"),
    ("ㄱ ㅏ", "ㄱ ㅏ"),
    ("３시에 ＫＢＳ", "3시에 kbs"),
    ("KBS 뉴스", "kbs 뉴스"),
    ("“그래?” 하고", "그래 하고"),
    ("그래…", "그래"),
    ("가·나·다", "가 나 다"),
    ("아이-폰", "아이 폰"),
    ("㈜한국", "주 한국"),
    ("70%", "70"),
    ("서울(Seoul)", "서울 seoul"),
    ("漢字와 한글", "漢字와 한글"),
    ("♥ 하트", "하트"),
    ("", ""),
]
READ = [
    ("3시", "세시"),
    ("3시에 KBS", "세시에 케이비에스"),
    ("12시 30분 5초", "열두시 삼십분 오초"),
    ("15시", "십오시"),
    ("2시간", "두시간"),
    ("24시간", "이십사시간"),
    ("7시즌", "칠시즌"),
    ("1개 2개 3개", "한개 두개 세개"),
    ("20개", "스무개"),
    ("25개", "이십오개"),
    ("3개월", "삼개월"),
    ("3개국", "삼개국"),
    ("4명", "네명"),
    ("20살", "스무살"),
    ("35살", "서른다섯살"),
    ("99살", "아흔아홉살"),
    ("100살", "백살"),
    ("1번째", "첫번째"),
    ("2번째", "두번째"),
    ("3번", "삼번"),
    ("11 마리", "열한 마리"),
    ("5달러", "오달러"),
    ("2달", "두달"),
    ("3잔", "세잔"),
    ("2024년 5월 3일", "이천이십사년 오월 삼일"),
    ("6월 10일", "유월 십일"),
    ("10월 6일", "시월 육일"),
    ("6 월 초", "유 월 초"),
    ("06월 05일 08시 00분", "유월 오일 여덟시 영분"),
    ("16월 110월", "십육월 백십월"),
    ("11월 12월", "십일월 십이월"),
    ("10개월 6개월", "십개월 육개월"),
    ("6월요일", "육월요일"),
    ("2026월드컵", "이천이십육월드컵"),
    ("3/4", "사분의 삼"),
    ("½컵", "이분의 일컵"),
    ("24/7", "이십사 칠"),
    ("2024/5/3", "이천이십사 오 삼"),
    ("10", "십"),
    ("0", "영"),
    ("10000원", "만원"),
    ("12,345원", "만이천삼백사십오원"),
    ("1,000,000명", "백만명"),
    ("1, 2, 3", "일 이 삼"),
    ("3.5", "삼점오"),
    ("3.05%", "삼점영오퍼센트"),
    ("0.1초", "영점일초"),
    ("70%", "칠십퍼센트"),
    ("70 % 확률", "칠십퍼센트 확률"),
    ("-3℃", "삼도"),
    ("5km", "오킬로미터"),
    ("5 ㎏", "오킬로그램"),
    ("170cm", "백칠십센티미터"),
    ("100m 달리기", "백미터 달리기"),
    ("3mp", "삼엠피"),
    ("010-1234-5678", "공일공 일이삼사 오육칠팔"),
    ("02-123-4567", "공이 일이삼 사오육칠"),
    ("007", "공공칠"),
    ("112에 신고", "백십이에 신고"),
    ("ARS", "에이알에스"),
    ("W", "더블유"),
    ("Z", "제트"),
    ("LG전자 TV", "엘지전자 티브이"),
    ("A4 용지", "에이사 용지"),
    ("B2B", "비이비"),
    ("café", "씨에이에프é"),
    ("1" * 17, "1" * 17),
    ("٣시", "세시"),
    ("삼시 세끼", "삼시 세끼"),
]


@pytest.mark.parametrize(("text", "normal"), SPELLED)
def test_texts_are_normalized_as_written(text: str, normal: str) -> None:
    assert Korean().normalize(text, "ko") == normal
    assert Korean().normalize(normal, "ko") == normal


@pytest.mark.parametrize(("text", "normal"), READ)
def test_texts_are_normalized_as_read_aloud(text: str, normal: str) -> None:
    reading = Korean(readings=True)
    assert reading.normalize(text, "ko") == normal
    assert reading.normalize(normal, "ko") == normal


def test_there_are_at_least_sixty_cases() -> None:
    assert len(SPELLED) + len(READ) >= 60


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors", "length"),
    [
        ("아무 것도 아니에요", "아무것도 아니예요", 1, 8),
        ("할 수 있다", "할수있다", 0, 4),
        ("어제 비가 왔어요", "어제 비 왔어요", 1, 7),
        ("나는 학교에 간다", "", 7, 7),
    ],
)
def test_spaces_do_not_count_in_the_character_error_rate(
    reference: str, hypothesis: str, errors: int, length: int
) -> None:
    normalize = Korean().normalize
    count = metrics.count_character_errors(normalize(reference, "ko"), normalize(hypothesis, "ko"))
    assert (count.errors, count.length) == (errors, length)


def test_jamo_can_be_counted_instead_of_syllables() -> None:
    normalize = Korean(jamo=True).normalize
    count = metrics.count_character_errors(normalize("각도", "ko"), normalize("간도", "ko"))
    assert (count.errors, count.length) == (1, 5)
    assert normalize(normalize("각도 ㅋㅋ", "ko"), "ko") == normalize("각도 ㅋㅋ", "ko")


def test_the_digest_depends_on_jamo_and_on_readings_of_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    normalizers = [Korean(), Korean(readings=True), Korean(jamo=True)]
    before = [normalizer.digest() for normalizer in normalizers]
    assert len(set(before)) == 3
    monkeypatch.setattr("twister_loop.text.normalizers._korean_readings.TENS", ("",) * 10)
    assert [
        normalizer.digest() != old for normalizer, old in zip(normalizers, before, strict=True)
    ] == [
        False,
        True,
        False,
    ]
    monkeypatch.setattr("twister_loop.text.normalizers.korean.LONE_JAMO", {})
    assert all(
        normalizer.digest() != old for normalizer, old in zip(normalizers, before, strict=True)
    )
