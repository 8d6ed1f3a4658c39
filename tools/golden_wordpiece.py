#!/usr/bin/env python3
"""Writes tests/golden/wordpiece.json: what PyPI's tokenizers makes of 20,000
strings of many scripts, punctuation, control characters and invalid bytes.

The strings are not stored: quaver/text/wordpiece_test.cc makes the same ones
from the seed and the fragments. Kept of each list of ids is its FNV-1a hash.
Needs the package tokenizers (0.22.2 wrote the committed file) and a model
folder: tools/make_golden.py wordpiece --model build/models/minilm
"""
import argparse
import json
import pathlib
import struct

import tokenizers

from splitmix import Random

SEED, STRINGS, HASHES_A_ROW = 20231123, 20_000, 16
LIMITS = [2, 3, 8, 32, 128, 512]
TEXTS = """\
the|music|Rock|PODCAST|unbelievable|antidisestablishmentarianism|don't|won’t
purple rain|AC/DC|P!nk|Ke$ha|deadmau5|3.14|1,000,000|2Pac|feat.|R&B|C++|#1|@home
Beyoncé|Björk|Sigur Rós|Motörhead|naïve|Ångström|straße|ŒUVRE|Łódź|İstanbul|ıI
Ǆ|ŉ|ﬁ|ﬀ|ſ|K|Å|x²|½|Ⅳ|①|№|℃|™|…|–|—|“|”|«|»|¿|¡|·|•|†|§|¶|©|°|±|×|÷|€|£|¥
ΟΔΥΣΣΕΥΣ|Ελλάδα|ΐ|ᾳ|ᾼ|Кино|ЁЖИК|Й|Київ|Ђорђе|Ҕ|შენ|ᲐᲑ|Հայ|Ընկեր|Ꭰꭰ|Ⴀ|Ꙁ
שָׁלוֹם|מוזיקה|״|مَرْحَبًا|موسيقى|أغنية|می‌خواهم|ﷺ|لا|ۀ|؟|،|ـ|ܫܠܡܐ|ސަލާމް
हिन्दी|गाने|क़|বাংলা|ো|தமிழ்|ொ|తెలుగు|ಕನ್ನಡ|മലയാളം|සිංහල|ૐ|ਪੰਜਾਬੀ|ଓଡ଼ିଆ|।|॥
ภาษาไทย|น้ำ|ำ|ລາວ|བོད་ཡིག|မြန်မာ|ខ្មែរ|አማርኛ|፡|ᠮᠣᠩᠭᠣᠯ|ᐃᓄᒃ|ꦗꦮ|ᬩᬮᬶ|᜴|ᢅ
東京|事変|音楽|中文|音乐|㐀|𠀀|𪜀|豈|﨎|丽|ひらがな|カタカナ|がぎぐ|ｶﾞﾝﾊﾞﾚ|ー|、|。|「|」|々|〇
한국어|아이유|각|가|Ｆｕｌｌ|！|～|㈱|㍿|ㄅㄆㄇ|ꀀ|𐍈|𝓗𝓮𝓵𝓵𝓸|𝟘|𐐀|𞤀|🄰
😀|❤️|👍🏽|👨‍👩‍👧‍👦|🇩🇪|🏴󠁧󠁢󠁥󠁮󠁧󠁿|☎|♫|♥|★|→|1️⃣|🎵|🦆
[MASK]|[CLS]|[SEP]|[PAD]|[UNK]|[mask]|[MASK|MASK]|[[MASK]]|[unused0]|##ing|##|#|_|__a
!|"|$|%|&|'|(|)|*|+|,|-|.|/|:|;|<|=|>|?|@|[|\\|]|^|`|{|}|~"""
# Spaces, controls, format and private characters, marks that change places,
# characters newer than Unicode 8, and what is not UTF-8 at all.
BYTES = [chr(c).encode() for c in (
    0x00, 0x01, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x1F, 0x7F, 0x85, 0xA0, 0xAD, 0x1680, 0x180E,
    0x2003, 0x200B, 0x200D, 0x2028, 0x202F, 0x205F, 0x2060, 0x3000, 0xE000, 0xFEFF, 0xFFFD, 0xFFFE,
    0x300, 0x301, 0x323, 0x340, 0x345, 0x5B0, 0x64B, 0x93C, 0x94D, 0x302E, 0x1D165, 0x1D16D, 0xA953,
    0x0378, 0x08D4, 0x166D, 0x1C89, 0x1DF6, 0x2E52, 0xA7DC, 0x10D50, 0x11938, 0x111C9, 0x1E947,
    0x1F300, 0x2FA1D, 0x30000, 0xE0020, 0x10FFFD)] + [
    b"\x80", b"\xbf", b"\xc0\xaf", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xf0\x9f\x98",
    b"\xf4\x90\x80\x80", b"\xf8\x88", b"\xff", b"\xe0\x80\xaf"]
FRAGMENTS = [t.encode() for t in TEXTS.replace("\n", "|").split("|")] + BYTES


def encode_any(code_point):
    return chr(code_point).encode("utf-8", "surrogatepass")


def make_string(index):
    rng = Random(SEED, index)
    text = b""
    for _ in range(rng.below(14)):
        kind = rng.below(10)
        if kind < 6:
            text += FRAGMENTS[rng.below(len(FRAGMENTS))]
        elif kind < 8:
            text += b" "
        elif kind == 8:
            text += encode_any(rng.below(0x20000))
        elif rng.below(4) > 0:
            text += bytes([rng.below(256)])
        else:
            text += FRAGMENTS[rng.below(len(FRAGMENTS))] * rng.below(120)
    return text, LIMITS[rng.below(len(LIMITS))]


def fnv1a(ids):
    value = 0x811C9DC5
    for byte in struct.pack(f"<{len(ids)}i", *ids):
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="folder with tokenizer.json")
    arguments = parser.parse_args()
    tokenizer = tokenizers.Tokenizer.from_file(f"{arguments.model}/tokenizer.json")
    tokenizer.no_padding()
    hashes = []
    for index in range(STRINGS):
        text, limit = make_string(index)
        tokenizer.enable_truncation(limit)
        ids = tokenizer.encode(text.decode("utf-8", "replace")).ids
        hashes.append(f"{fnv1a(ids):08x}")
    rows = ["".join(hashes[i:i + HASHES_A_ROW]) for i in range(0, STRINGS, HASHES_A_ROW)]
    golden = {"written_by": f"tokenizers {tokenizers.__version__}", "seed": SEED,
              "strings": STRINGS, "limits": LIMITS,
              "fragments": [f.hex() for f in FRAGMENTS], "hashes": rows}
    path = pathlib.Path(__file__).parent.parent / "tests/golden/wordpiece.json"
    path.write_text(json.dumps(golden, indent=0) + "\n")
    print(f"{path}: {STRINGS} strings, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
