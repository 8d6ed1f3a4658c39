"""Models of quaver-train in transformers: they load, and answer alike.

Needs build/release/quaver-train, torch and transformers.
"""
import json
import pathlib
import subprocess

import pytest
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build/release/quaver-train"
QUERIES = ["smells like teen spirit", "bohemain rapsody", "hey jude beatles",
           "a", "love", "sultans of swing dire straits", "tke on me", "q ueen"]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "forced"])
def model(request, tmp_path_factory):
    """A little trained; then whether answers are made to begin with <s>."""
    folder = tmp_path_factory.mktemp("model")
    config = folder / "recipe.json"
    config.write_text(json.dumps({"steps": 400, "evaluate_every": 400,
                                  "held_out_rows": 10}))
    first = folder / "first"
    train = [PROGRAM, "corrector", "--catalogue", ROOT / "data/demo/tracks.tsv",
             "--preset", "tiny", "--config", config]
    subprocess.run([*train, "--out", first], check=True)
    if not request.param:
        return first
    content = json.loads((first / "config.json").read_text())
    (first / "config.json").write_text(
        json.dumps({**content, "forced_bos_token_id": 0}))
    subprocess.run([*train, "--out", folder / "out", "--from", first], check=True)
    return folder / "out"


def test_greedy_answers_are_equal(model):
    ours = subprocess.run([PROGRAM, "answer", "--model", model], text=True,
                          input="\n".join(QUERIES) + "\n", check=True,
                          capture_output=True).stdout.splitlines()
    theirs = transformers.BartForConditionalGeneration.from_pretrained(
        model, dtype=torch.float32)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    for query, answer in zip(QUERIES, ours, strict=True):
        ids = tokenizer(query, return_tensors="pt")
        generated = theirs.generate(
            input_ids=ids["input_ids"], attention_mask=ids["attention_mask"],
            max_length=65, num_beams=1, do_sample=False)
        assert tokenizer.decode(
            generated[0], skip_special_tokens=True).strip() == answer, query
