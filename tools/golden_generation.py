#!/usr/bin/env python3
"""Writes tests/golden/generation.json: what transformers' generate() answers
with two small random BARTs, greedily and by beams, and some logits.

Models and sources are those that engine_test leaves in build/golden-generation
with QUAVER_WRITE_GOLDEN set. Needs torch and transformers (4.57.6 wrote the
committed file).
"""
import json
import pathlib

import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build/golden-generation"
CASES = [
    ("plain", 500, {"max_new_tokens": 20}),
    ("forced", 300, {"max_new_tokens": 12, "min_new_tokens": 6,
                     "no_repeat_ngram_size": 2}),
    ("plain", 200, {"max_new_tokens": 15, "num_beams": 4,
                    "num_return_sequences": 2}),
    ("forced", 200, {"max_new_tokens": 10, "num_beams": 3,
                     "length_penalty": 0.6, "early_stopping": True}),
    ("plain", 100, {"max_new_tokens": 12, "num_beams": 5,
                    "length_penalty": 2.0, "early_stopping": "never",
                    "num_return_sequences": 3, "no_repeat_ngram_size": 3}),
    ("forced", 100, {"max_new_tokens": 9, "num_beams": 2,
                     "length_penalty": -1.0, "min_new_tokens": 3}),
]


def answers(model, source, options):
    given = dict(options)
    out = model.generate(
        input_ids=torch.tensor([source]), do_sample=False,
        return_dict_in_generate=True, output_scores=True, **given)
    # Only what comes before padding, which ends at the first end.
    found = []
    for i, row in enumerate(out.sequences.tolist()):
        end = row.index(2, 1) + 1 if 2 in row[1:] else len(row)
        one = {"tokens": row[:end]}
        if given.get("num_beams", 1) > 1:
            one["score"] = round(out.sequences_scores[i].item(), 6)
        found.append(one)
    return found


def main():
    sources = json.loads((FOLDER / "sources.json").read_text())
    models = {}
    for name in ("plain", "forced"):
        models[name] = transformers.BartForConditionalGeneration.from_pretrained(
            FOLDER / name, dtype=torch.float32).eval()
    golden = {"written_by": f"transformers {transformers.__version__}",
              "cases": [], "logits": []}
    with torch.no_grad():
        for name, count, options in CASES:
            golden["cases"].append({
                "model": name, "options": options,
                "answers": [answers(models[name], source, options)
                            for source in sources[:count]]})
        for name, model in models.items():
            for index in (0, 1, 2):
                target = [2] + sources[index + 10][:9]
                logits = model(
                    input_ids=torch.tensor([sources[index]]),
                    decoder_input_ids=torch.tensor([target])).logits
                golden["logits"].append({
                    "model": name, "source": index, "target": target,
                    "values": [round(x, 6) for x in logits.flatten().tolist()]})
    path = ROOT / "tests/golden/generation.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes")


main()
