#!/usr/bin/env python3
"""Writes tests/golden/bart.json: logits of a small BART and the losses of ten
AdamW steps, by transformers in fp32.

Weights and batches are those that quaver/train/torch/trainer_test.cc leaves in
build/golden-bart with QUAVER_WRITE_GOLDEN set. Needs torch and transformers
(4.57.6 wrote the committed file).
"""
import json
import pathlib

import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[1]
LEARNING_RATE, DECAY = 1e-2, 0.1


def padded(ids, offsets, fill):
    texts = [ids[a:b] for a, b in zip(offsets, offsets[1:])]
    longest = max(map(len, texts))
    return torch.tensor([t + [fill] * (longest - len(t)) for t in texts])


def inputs(batch, pad):
    source = padded(batch["source"], batch["source_offsets"], pad)
    counts = torch.tensor(batch["source_offsets"]).diff()
    mask = torch.arange(source.shape[1])[None, :] < counts[:, None]
    return {"input_ids": source, "attention_mask": mask.long(),
            "decoder_input_ids": padded(batch["target"], batch["target_offsets"], pad),
            "labels": padded(batch["labels"], batch["target_offsets"], -100)}


def main():
    folder = ROOT / "build/golden-bart"
    batches = json.loads((folder / "batches.json").read_text())
    model = transformers.BartForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32)
    model.train()  # the configuration drops nothing
    pad = model.config.pad_token_id
    first = inputs(batches[0], pad)
    with torch.no_grad():
        logits = model(**first).logits[first["labels"] != -100]
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": DECAY},
         {"params": others, "weight_decay": 0}],
        lr=LEARNING_RATE, betas=(0.9, 0.98), eps=1e-8)
    losses = []
    for batch in batches:
        loss = model(**inputs(batch, pad)).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    golden = {"written_by": f"transformers {transformers.__version__}",
              "logits": [round(x, 6) for x in logits.flatten().tolist()],
              "losses": losses}
    path = ROOT / "tests/golden/bart.json"
    path.write_text(json.dumps(golden) + "\n")
    print(f"{path}: {logits.shape}, losses {losses}")


main()
