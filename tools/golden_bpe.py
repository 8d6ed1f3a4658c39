#!/usr/bin/env python3
"""Writes tests/golden/bpe.json: what PyPI's tokenizers makes of 20,000 strings
of many scripts, punctuation, control characters and invalid bytes.

The strings are those of golden_wordpiece.py, which quaver/text/bpe_test.cc
makes from the seed and the fragments of tests/golden/wordpiece.json. The
tokenizer, tests/golden/bpe_tokenizer.json, is trained and written by that test
with QUAVER_WRITE_GOLDEN set. Kept of each list of ids is its
FNV-1a hash; odd strings are encoded with a space before the first word. Needs the package tokenizers (0.22.2 wrote the committed file).
"""
import json
import pathlib

import tokenizers

import golden_wordpiece as strings

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "tests/golden"


def main():
    content = (GOLDEN / "bpe_tokenizer.json").read_text()
    by_prefix = []  # without a space before the first word, with one
    for prefix in (False, True):
        config = json.loads(content)
        config["pre_tokenizer"]["add_prefix_space"] = prefix
        by_prefix.append(tokenizers.Tokenizer.from_str(json.dumps(config)))
    hashes = []
    for index in range(strings.STRINGS):
        text = strings.make_string(index)[0].decode("utf-8", "replace")
        hashes.append(f"{strings.fnv1a(by_prefix[index % 2].encode(text).ids):08x}")
    rows = ["".join(hashes[i:i + 16]) for i in range(0, len(hashes), 16)]
    golden = {"written_by": f"tokenizers {tokenizers.__version__}", "hashes": rows}
    (GOLDEN / "bpe.json").write_text(json.dumps(golden, indent=0) + "\n")


main()
