"""Written numbers as they are read aloud: grouping, decimals, currencies, percent, ordinals.

`read_numbers` writes numbers in words, and `unify_number_words` then brings these and the words of
a transcript to one form. Where a language has no number words, digits stay, in one form.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from ...core.types import UNSPACED, Language
from ._number_parsing import Number, split_numbers
from ._number_words import CURRENCIES_OF_SECOND_CENTS, SIGNS, NumberWords, find_number_words
from ._ordinals import read_denominator, read_ordinal
from ._spelling import (
    MAX_DIGITS,
    find_euro_name,
    find_percent_phrase,
    find_plural_category,
    find_separators,
    has_number_words,
    list_months,
    spell_out_number,
)

Reading = Callable[[re.Match[str]], str]
_NO_NUMBER = re.compile(r"[^\d]*")
_FRACTION = re.compile(
    r"(?<![\d.,:/⁄-])(?:(?P<whole>\d{1,3}) )?(?P<above>\d{1,2})(?P<bar>[/⁄])(?P<below>\d{1,2})"
    r"(?![\d/⁄:]|[.,-]\d)"
)
_CLOCK = re.compile(r"(?<![\d:.,])0?(\d{1,2}):(\d\d)(?![\d:])")
_NAMED_FRACTIONS = ((1, 2), (1, 3), (2, 3), (1, 4), (3, 4))
"""Fractions with names in `number_words.toml`, in its order."""
_BESIDE = " .,;:!?()\"'"
"""Characters beside a number that become spaces or are some."""
_PLURALS = {2: ("one",), 3: ("one", "few"), 4: ("one", "two", "few")}
"""Plural categories by the number of forms; the last form is for all others."""
_MANY = "1000000"
"""Number whose plural form stands after "million"."""


def read_numbers(text: str, lang: Language) -> str:
    """Return the text with its numbers as they are read aloud.

    >>> read_numbers("it's $3.50, or 1,000 at 50%, on the 3rd", "en")
    "it's three dollars fifty, or one thousand at fifty percent, on the third"
    >>> read_numbers("costa 1.000 €", "it"), read_numbers("κοστίζει 1.000 €", "el")
    ('costa mille euro', 'κοστίζει 1000 ευρώ')

    Args:
        text: Text with folded characters and with its punctuation.
        lang: Language in which the numbers are read.
    """
    return text if _NO_NUMBER.fullmatch(text) else load_reader(lang).read(text)


@lru_cache(maxsize=128)
def load_reader(lang: Language) -> NumberReader:
    """Return the reader of a language; one that keeps digits if it has no number words."""
    return NumberReader(lang)


class NumberReader:
    """Reader of the written numbers of one language."""

    def __init__(self, lang: Language) -> None:
        self.lang = lang
        self.primary = re.split("[-_]", lang)[0]
        self.words = find_number_words(lang) if has_number_words(lang) else None
        self.decimal, self.group = find_separators(lang)
        self.space = "" if self.primary in UNSPACED or self.primary == "ko" else " "
        self.money = self.words.money if self.words else {"eur": ""}
        self.signs = {sign: name for name in self.money for sign in SIGNS[name].split()}
        self.names = {form: name for name in self.money for form in self._forms(name)}
        self.abbreviations = self.words.abbreviations if self.words else {}
        self.patterns: list[tuple[re.Pattern[str], Reading]] = [(_CLOCK, self._read_clock)]
        if self.words:
            self._add_patterns(self.words)
        self.patterns.append((self._compile_amount(), self._read_amount))

    def read(self, text: str) -> str:
        """Return a text with its numbers in words."""
        for pattern, reading in self.patterns:
            text = pattern.sub(reading, text)
        return text

    def _add_patterns(self, words: NumberWords) -> None:
        """Add what is read before single numbers: hours, fractions, ordinals with a full stop."""
        if words.hour:
            names = "|".join(words.hour.split())
            self.patterns.insert(
                0,
                (
                    re.compile(rf"(?<![\d:.,])0?(\d{{1,2}})[:.](\d\d) ?(?:{names})(?!\w)"),
                    self._read_hour,
                ),
            )
            if "h" in words.hour.split():
                pattern = re.compile(r"(?<![\d:.,])0?(\d{1,2}) ?h ?(\d\d)?(?!\w)")
                self.patterns.insert(0, (pattern, self._read_hour))
        if self.decimal == ".":
            # ".5" is read without zero.
            point = words.point.split()[0]
            self.patterns.append((re.compile(r"(?<![^\s(\[])\.(?=\d)"), lambda _: f"{point} "))
        self.patterns.append((_FRACTION, self._read_fraction))
        if words.ordinal_before:
            pattern = re.compile(rf"\b{words.ordinal_before}-?(\d{{1,3}})(?!\w|[.,]\d)")
            self.patterns.append((pattern, self._read_prefixed_ordinal))
        if words.ordinal_after:
            before = "|".join(words.ordinal_after.split())
            pattern = re.compile(rf"\b((?:{before}) )(\d{{1,3}})\. ?(?=[^\W\d])")
            self.patterns.append((pattern, self._read_ordinal_after))

    def _compile_amount(self) -> re.Pattern[str]:
        """Compile a pattern of a number with its sign, currency, ordinal ending and percent."""
        before = [
            ("(?<!\\w)" if sign[0].isalpha() else "") + re.escape(sign) for sign in self.signs
        ]
        after = [
            re.escape(name) + ("(?!\\w)" if name[-1].isalpha() else "")
            for name in sorted((*self.signs, *self.names), key=len, reverse=True)
        ]
        before.sort(key=len, reverse=True)
        phrase = find_percent_phrase("50", self.lang) or "{}"
        before += [] if phrase.startswith("{}") else ["%"]
        ordinal = self.words.ordinal if self.words else ""
        months = "|".join(re.escape(name) for name in list_months(self.lang))
        ordinal = ordinal.replace("MONTH", f"(?:{months})")
        scales = "|".join(
            [
                *map(re.escape, self._list_scales()),
                *(rf"{short}\.?" for short in self.abbreviations),
            ]
        )
        return re.compile(
            r"(?:(?<![^\s(\[{'\"])(?P<sign>[-+]))?"
            rf"(?:(?P<before>{'|'.join(before)}) ?)?"
            r"(?P<digits>\d+(?:[.,' ]\d+)*)"
            rf"(?:(?P<ordinal>{ordinal or '(?!)'})(?!\w))?"
            rf"(?: ?(?P<scale>{scales or '(?!)'})(?!\w))?"
            rf"(?: ?(?P<after>{'|'.join(['%', *after])}))?"
        )

    def _list_scales(self) -> list[str]:
        """Return words such as "million", which stand between digits and a currency."""
        if not self.words or not self.space:
            return []
        numbers = (n * scale for scale in (1000, 10**6, 10**9) for n in (1, 2, 5))
        spelled = (spell_out_number(str(number), self.lang).split() for number in numbers)
        return sorted({phrase[-1] for phrase in spelled if len(phrase) == 2})

    def _read_amount(self, match: re.Match[str]) -> str:
        """Read a number with what stands around it; digits in other groups one after another."""
        unit = match["after"] or match["before"] or ""
        scale = (match["scale"] or "").removesuffix(".")
        # "5m" may be a length; "$5m" is none.
        is_letter = len(scale) == 1 and scale in self.abbreviations and not match["before"]
        *leading, number = split_numbers(match["digits"], self.decimal, self.group, bool(unit))
        words = []
        if match["ordinal"] is None:
            if scale in self.abbreviations and not is_letter:
                scale = self._choose(self.abbreviations[scale].split(), number.quantity)
            words.append(self._read_with_unit(number, unit, scale))
        else:
            ending = match["ordinal"].strip(".-:'")
            word = None if number.decimals else read_ordinal(number.whole, ending, self.primary)
            words += [word] if word else [self._read_number(number), ending]
            words += [scale, match["after"] or ""]
        sign = match["sign"] if self.words and not leading else None
        if self.words and sign:
            names = self.words.minus if sign == "-" else self.words.plus
            words.insert(0, names.split()[0])
        numbers = [self._read_number(other) for other in leading]
        spoken = (self.space if self.words else " ").join(filter(None, words))
        return self._pad(match, " ".join((*numbers, spoken)))

    def _read_number(self, number: Number) -> str:
        """Return the words of a number, its decimals digit by digit."""
        words = [self._read_digits(number.whole)]
        if number.decimals:
            words += [self.words.point.split()[0]] if self.words else []
            words += self._spell_digits(number.decimals)
        # Decimals that are no words stay apart, or they would become another number.
        return (self.space if self.words else " ").join(words)

    def _read_digits(self, digits: str) -> str:
        """Return a whole number in words; digits that begin with zero are read one by one."""
        if self.words and len(digits) > 1 and digits.startswith("0"):
            return self.space.join(self._spell_digits(digits))
        return spell_out_number(digits, self.lang)

    def _spell_digits(self, digits: str) -> list[str]:
        if self.words and len(digits) > MAX_DIGITS:
            return [digits]
        return [spell_out_number(digit, self.lang) for digit in digits]

    def _read_with_unit(self, number: Number, unit: str, scale: str) -> str:
        """Return a number with its percent or currency."""
        spoken = self.space.join(filter(None, (self._read_number(number), scale)))
        if unit == "%":
            return self._read_percent(number, spoken, scale)
        name = self.signs.get(unit) or self.names.get(unit)
        if name is None:
            return spoken
        cents = number.decimals if len(number.decimals) == 2 and not scale and self.words else ""
        is_named = unit in self.names
        if not cents:
            money = (
                unit
                if is_named
                else self._choose_currency(name, _MANY if scale else number.quantity)
            )
            return self.space.join((spoken, money))
        whole, minor = Number(number.whole), cents.lstrip("0")
        money = unit if is_named else self._choose_currency(name, whole.quantity)
        if whole.whole.strip("0") or not minor or not self.words or not self.words.cents:
            return self.space.join(
                filter(None, (self._read_number(whole), money, minor and self._read_digits(minor)))
            )
        names = self.words.cents.split("|")
        forms = names[-1 if name in CURRENCIES_OF_SECOND_CENTS else 0].split()
        return self.space.join((self._read_digits(minor), self._choose(forms, minor)))

    def _read_percent(self, number: Number, spoken: str, scale: str) -> str:
        if self.words and self.words.percent:
            forms = self.words.percent.split()
            return self.space.join((spoken, self._choose(forms, number.quantity)))
        phrase = find_percent_phrase(_MANY if scale else number.quantity, self.lang)
        if not phrase:
            return f"{spoken}%"
        prefix, _, suffix = (part.strip() for part in phrase.partition("{}"))
        return self.space.join(filter(None, (prefix, spoken, suffix)))

    def _forms(self, name: str) -> list[str]:
        return [form.replace("_", " ") for form in self.money[name].split()]

    def _choose_currency(self, name: str, quantity: str) -> str:
        if not self.money[name]:
            return find_euro_name(quantity, self.lang)
        return self._choose(self.money[name].split(), quantity)

    def _choose(self, forms: list[str], quantity: str) -> str:
        """Return the plural form that goes with a number, by the rules of CLDR."""
        category = find_plural_category(quantity, self.lang)
        # Slavic decimals take the form of "few".
        if "." in quantity and self.primary in ("be", "cs", "pl", "ru", "sk", "uk"):
            category = "few"
        names = _PLURALS.get(len(forms), ())
        index = names.index(category) if category in names else len(forms) - 1
        return forms[index].replace("_", " ")

    def _read_clock(self, match: re.Match[str]) -> str:
        """Return hour and minutes as two numbers, a full hour as one."""
        hour, minute = match[1], match[2]
        return hour if minute == "00" else f"{hour} {minute}"

    def _read_hour(self, match: re.Match[str]) -> str:
        """Return hour and minutes with the word between them."""
        assert self.words is not None
        minute = "" if match[2] in (None, "00") else match[2]
        words = (self._read_digits(match[1]), self.words.hour.split()[0], minute.lstrip("0"))
        return f" {' '.join(filter(None, words))} "

    def _read_fraction(self, match: re.Match[str]) -> str:
        """Return a fraction in words, or its numbers one after another."""
        assert self.words is not None
        above, below = int(match["above"]), int(match["below"])
        names = self.words.fractions.split("|") if self.words.fractions else []
        words = None
        # "9/11" and "24/7" are no fractions; the bar of "⅚" is.
        if 0 < above < below <= 10 or (match["bar"] == "⁄" and below):
            if names and (above, below) in _NAMED_FRACTIONS:
                words = names[_NAMED_FRACTIONS.index((above, below))]
            elif (name := read_denominator(above, below, self.primary)) and below > 4:
                words = f"{self._read_digits(str(above))} {name}"
        if words is None:
            return match[0].replace("⁄", " ").replace("/", " / ")
        whole = [self._read_digits(match["whole"]), self.words.mixed] if match["whole"] else []
        return self._pad(match, self.space.join(filter(None, [*whole, words])))

    def _read_ordinal_after(self, match: re.Match[str]) -> str:
        ordinal = read_ordinal(match[2], "", self.primary)
        return f"{match[1]}{ordinal} " if ordinal else match[0]

    def _read_prefixed_ordinal(self, match: re.Match[str]) -> str:
        return read_ordinal(match[1], "", self.primary) or match[0]

    def _pad(self, match: re.Match[str], words: str) -> str:
        """Separate words from what is beside the digits, in languages with spaces."""
        before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
        if not self.space:
            return words
        return " ".join(
            (
                *([""] if before.strip(_BESIDE) else ()),
                words,
                *([""] if after.strip(_BESIDE) else ()),
            )
        )
