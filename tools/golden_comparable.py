#!/usr/bin/env python3
"""Writes tests/golden/comparable.tsv: texts and their comparable form.

A row is two JSON strings: a text of random pieces of many scripts (the seed is
below) and what Python's unicodedata and re make of it.
"""
import json
import pathlib
import random
import re
import unicodedata

SEED, ROWS = 7, 1200
PIECES = ["Beyoncé", "AC/DC", "P!nk", "don’t", "rock'n'roll", "ΟΔΥΣΣΕΥΣ", "ΣΑΣ.",
          "İstanbul", "STRASSE", "straße", "ﬁn", "①②", "½", "x²", "Ⅳ", "ٱلْحُبّ",
          "हिन्दी", "ไทย", "한국어", "ﾊﾝｶｸ", "東京", "五", "Ǆ", "ŉ", "🎵", "!!!", "_",
          "a_b", "\u00a0", "\u2003", "\u200b", "\t", "e\u0301", "Å", "Ø", "ł",
          "(Live)", "- 2011", "feat.", "&", "№", "℃", "Ⓐ", "ﷺ", "\u0345", "\ufeff"]
RANGES = [(0x20, 0x7F), (0xA0, 0x250), (0x250, 0x400), (0x400, 0x530),
          (0x590, 0x700), (0x900, 0xE80), (0x1E00, 0x2200), (0x2460, 0x2500),
          (0x3040, 0x3100), (0x4E00, 0x4E80), (0xAC00, 0xAC80),
          (0xFB00, 0xFB50), (0xFF00, 0xFFF0), (0x1D400, 0x1D480)]


def comparable(s):
    s = unicodedata.normalize("NFKD", s).lower()
    s = "".join(c for c in s if not unicodedata.combining(c))
    s = re.sub(r"[^\w ]+", " ", re.sub("['\u2019]", "", s))
    return re.sub(r"\s+", " ", s).strip()


def piece(rng):
    if rng.random() < 0.5:
        return rng.choice(PIECES)
    low, high = rng.choice(RANGES)
    text = [chr(rng.randrange(low, high)) for _ in range(rng.randint(1, 4))]
    return "".join(c for c in text if unicodedata.category(c) != "Cn")


def main():
    rng = random.Random(SEED)
    path = pathlib.Path(__file__).parent.parent / "tests/golden/comparable.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        for _ in range(ROWS):
            glue = rng.choice(["", " ", " ", "-"])
            text = glue.join(piece(rng) for _ in range(rng.randint(1, 5)))
            print(json.dumps(text), json.dumps(comparable(text)), sep="\t", file=out)


main()
