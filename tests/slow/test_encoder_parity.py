"""`quaver embed` against sentence-transformers, live, text to vector.

Needs build/release/quaver, build/models/minilm and sentence-transformers.
"""
import json
import pathlib
import random
import subprocess

import numpy
import pytest
from sentence_transformers import SentenceTransformer

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUAVER = ROOT / "build" / "release" / "quaver"
MODEL = ROOT / "build" / "models" / "minilm"
TEXTS, LONGEST = 1000, 256


@pytest.fixture(scope="module")
def texts():
    """Random words of the vocabulary: 1 to 256 tokens with [CLS] and [SEP]."""
    rng = random.Random(20231124)
    vocabulary = (MODEL / "vocab.txt").read_text(encoding="utf-8").split("\n")
    words = [w for w in vocabulary if w.isalpha() and w.isascii()]
    counts = [int(LONGEST * rng.random() ** 4) for _ in range(TEXTS - 2)]
    return [" ".join(rng.choices(words, k=n)) for n in [0, LONGEST, *counts]]


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """In fp32; the folder itself would be run in int8."""
    path = tmp_path_factory.mktemp("plan") / "fp32.plan"
    subprocess.run([QUAVER, "compile", MODEL, "--out", path, "--precision",
                    "fp32", "--level", "0"], check=True, capture_output=True)
    return path


def embed(plan, texts, isa=None):
    out = subprocess.run(
        [QUAVER, "embed", "--model", plan], input="\n".join(texts) + "\n",
        capture_output=True, text=True, check=True,
        env={"QUAVER_ISA": isa} if isa else None)
    return numpy.array([json.loads(line) for line in out.stdout.splitlines()])


@pytest.fixture(scope="module")
def expected(texts):
    model = SentenceTransformer(str(MODEL), device="cpu")
    # One by one: padding to a batch's longest changes the last digits.
    return model.encode(texts, batch_size=1)


def test_every_text(plan, texts, expected):
    found = embed(plan, texts)
    assert found.shape == expected.shape
    assert numpy.abs(found - expected).max() <= 1e-5


def test_avx2(plan, texts, expected):
    found = embed(plan, texts[:200], isa="avx2")
    assert numpy.abs(found - expected[:200]).max() <= 1e-5
