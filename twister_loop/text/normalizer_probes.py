"""Texts that tell normalizers apart, and versions of the packages that they use."""

from __future__ import annotations

from ..core.types import Language

# Each line holds what normalizers are known to treat differently: quotes, currency, ordinals,
# digits, half width, combining marks, jamo, brackets, joiners, emoji. Changing a line changes every
# digest, and scores that were counted before can then not be compared with new ones.
PROBES: tuple[tuple[Language | None, str], ...] = (
    ("en", "Mr. O'Brien won't pay $20.50 for the 3rd colour; twenty-one, he'd say 1,000!"),
    ("it", "Dell’utente n° 21: premi 2, perché l'e-mail è «vuota»… 1.000 €"),
    ("fr", "Aujourd’hui, 80 œufs; ça coûte 1 000,50 € — n'est-ce pas?"),
    ("de", "Straße, ÄRGER und 71 % am 3. Mai"),
    ("ko", "3시에 KBS 뉴스, 70% 봤어요. 안녕하세요!"),
    ("zh", "我2024年在臺灣買iPhone，乾淨的頭髮；ＮＢＡ發展"),
    ("ja", "東京タワーは333メートル、ﾊﾝｶｸです。"),
    ("hi", "नमस्ते, 12 बजे"),
    ("ru", "Ёлка — 5 шт."),
    ("tr", "İSTANBUL’da IŞIK"),
    ("fa", "كتاب\u200cهای ۱۲٬۵۰۰ می خواهم"),
    ("ar", "مُحَمَّد الـسلام ٣"),
    ("he", "שָׁלוֹם ארה״ב"),
    ("hy", "ինչո՞ւ"),
    ("uk", "м’яч за\u0301мок"),
    ("vi", "hòa"),
    ("ml", "അവന്\u200d കൗ"),
    ("th", "น้ำ เเม่ ๑๒"),
    ("my", "၂၀၁ဝ ကုိ"),
    ("km", "ប្ដី\u200bទៅ"),
    ("zh", "走著 裏綫 計畫 衞生"),
    ("en", "don`t 👍🏽 1\ufe0f\u20e3 ❤\ufe0f co\u00adop CO₂ ①"),
    (None, "[noise] (uh) <unk> 7_8 ﬁne NAÏVE 2"),
)
"""(language, text) pairs that every normalizer digest is computed on."""
