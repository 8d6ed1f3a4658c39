"""quaver bench: the inputs and outputs that comparisons rest on."""
import json

import pytest

from .program import ROOT, run

CORRECTOR = ROOT / "models/corrector"


def bench_ids(ids, text, *words, expected=0):
    ids.write_text(text)
    return run("bench", "encoder", "--ids", ids, "--iterations", 1, "--json",
               *words, expected=expected)


def test_the_encoder_takes_sentences_of_ids(tmp_path):
    said, _ = bench_ids(tmp_path / "ids", "101 7592 102\n101 102\n101 1 2 102",
                        "--batch", 2)
    assert json.loads(said)["tokens"] == 3


@pytest.mark.parametrize("text, named", [
    ("101 102\n101 x 102\n", "ids:2: expected ids"),
    ("101 102\n\n", "ids:2: expected ids"),
    ("101 99999999999", "ids:1: expected ids"),
    ("", "holds no sentence"),
    ("101 30522", "id 30522; the model has 30522 words"),
    ("-1", "id -1;"),
    ("5 " * 513, "a sentence of 513 tokens"),
])
def test_what_are_no_ids_is_named(tmp_path, text, named):
    _, complained = bench_ids(tmp_path / "ids", text, expected=1)
    assert named in complained


def test_ids_come_from_one_place(tmp_path):
    bench_ids(tmp_path / "ids", "101 102\n", "--tokens", 2, expected=2)


def test_answers_may_have_a_fixed_number_of_tokens(tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("purple rian\nbeetles\n")
    said, _ = run("bench", "corrector", "--model", CORRECTOR, "--pairs", pairs,
                  "--draft", "none", "--new-tokens", 17, "--rounds", 1,
                  "--json")
    assert json.loads(said)["passes"] == 17
