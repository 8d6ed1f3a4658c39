#!/usr/bin/env python3
"""Writes tests/golden/encoder.json: what sentence-transformers makes of 1,000
texts of 1 to 256 tokens.

The texts are not stored: quaver/engine/golden_test.cc draws the same token ids
from the seed. Kept are the bits of some fp32 components of each embedding, and
all components of every 25th. Needs sentence-transformers (5.7.0, PyTorch 2.15
wrote the committed file): tools/make_golden.py encoder --model build/models/minilm
"""
import argparse
import json
import pathlib

import torch
from sentence_transformers import SentenceTransformer

from splitmix import Random

SEED, TEXTS, COMPONENTS, WHOLE_EVERY = 20231124, 1000, 8, 25
CLS, SEP, VOCABULARY, LONGEST, DIMENSION = 101, 102, 30522, 256, 384


def make_ids(rng, index):
    """Few long texts, many short ones: 1 + 256 u^4 tokens, 52 on average."""
    u = rng.below(1 << 16)
    length = LONGEST if index == 0 else 1 + (u * u * u * u * LONGEST >> 64)
    ids = [rng.below(VOCABULARY) for _ in range(length)]
    ids[0] = CLS
    if length > 1:
        ids[-1] = SEP
    return ids


def embed(model, ids):
    ids = torch.tensor([ids])
    features = {"input_ids": ids, "attention_mask": torch.ones_like(ids),
                "token_type_ids": torch.zeros_like(ids)}
    with torch.no_grad():
        return model(features)["sentence_embedding"][0]


def to_hex(vector):
    return "".join(f"{bits & 0xFFFFFFFF:08x}" for bits in vector.view(torch.int32).tolist())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", default="tests/golden/encoder.json")
    arguments = parser.parse_args()
    model = SentenceTransformer(arguments.model, device="cpu")
    some, whole = [], []
    for index in range(TEXTS):
        rng = Random(SEED, index)
        embedding = embed(model, make_ids(rng, index))
        picks = [rng.below(DIMENSION) for _ in range(COMPONENTS)]
        some.append(to_hex(embedding[picks]))
        if index % WHOLE_EVERY == 0:
            whole.append(to_hex(embedding))
    golden = {"seed": SEED, "texts": TEXTS, "components": COMPONENTS,
              "whole_every": WHOLE_EVERY, "some": some, "whole": whole}
    pathlib.Path(arguments.out).write_text(json.dumps(golden, indent=0) + "\n")


main()
