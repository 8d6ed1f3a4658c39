"""The fp32 sentence encoder against ONNX Runtime: batch 1, one core, by turns.

usage: onnxruntime_fp32.py [--model DIR] [--tokens N] [--rounds N]
Exports the checkpoint once, checks that both give the same embeddings, then
times one after the other `rounds` times. Prints a line a round and medians.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import time

import numpy
import onnxruntime
import tokenizers
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUAVER = ROOT / "build/release/quaver"
TEXTS = ["hey jude", "sad songs for rainy days", "Björk", "news podcasts",
         "the quick brown fox jumps over the lazy dog " * 5]
TOLERANCE = 1e-5
WARM, TIMED = 30, 300


class MeanPooled(torch.nn.Module):
    """Last hidden states, averaged: what the checkpoint's modules.json says."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        states = self.model(input_ids=input_ids,
                            attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        return (states * weights).sum(1) / weights.sum(1)


def export(model_folder, path):
    model = transformers.AutoModel.from_pretrained(
        model_folder, attn_implementation="eager").eval()
    example = torch.ones((1, 8), dtype=torch.int64)
    axes = {0: "batch", 1: "tokens"}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        MeanPooled(model), (example, example), path, opset_version=17,
        dynamo=False, input_names=["input_ids", "attention_mask"],
        output_names=["embedding"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes})


def open_session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options,
                                        providers=["CPUExecutionProvider"])


def run(session, ids):
    ids = numpy.asarray([ids], dtype=numpy.int64)
    return session.run(None, {"input_ids": ids,
                              "attention_mask": numpy.ones_like(ids)})[0][0]


def check_answers(session, model_folder):
    tokenizer = tokenizers.Tokenizer.from_file(
        str(model_folder / "tokenizer.json"))
    tokenizer.no_padding()
    said = subprocess.run([QUAVER, "embed", "--model", model_folder],
                          input="\n".join(TEXTS), text=True, check=True,
                          capture_output=True).stdout
    for text, line in zip(TEXTS, said.splitlines(), strict=True):
        theirs = run(session, tokenizer.encode(text).ids)
        theirs /= numpy.linalg.norm(theirs)
        error = numpy.abs(theirs - numpy.asarray(json.loads(line))).max()
        if error > TOLERANCE:
            raise SystemExit(f"'{text}' differs by {error:.2g}")


def time_rival(session, tokens):
    ids = numpy.random.default_rng(1).integers(1000, 30000, tokens)
    times = []
    for i in range(WARM + TIMED):
        start = time.perf_counter()
        run(session, ids)
        if i >= WARM:
            times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def time_quaver(model_folder, tokens):
    said = subprocess.run(
        [QUAVER, "bench", "encoder", "--model", model_folder, "--threads", "1",
         "--batch", "1", "--tokens", str(tokens), "--json"],
        text=True, check=True, capture_output=True).stdout
    return json.loads(said.splitlines()[-1])["p50_ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path,
                        default=ROOT / "build/models/minilm")
    parser.add_argument("--tokens", type=int, default=11)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    path = ROOT / "build/bench/encoder.onnx"
    if not path.exists():
        export(options.model, path)
    session = open_session(path)
    check_answers(session, options.model)
    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(time_quaver(options.model, options.tokens))
        theirs.append(time_rival(session, options.tokens))
        print(f"quaver {ours[-1]:.2f} ms, ONNX Runtime {theirs[-1]:.2f} ms")
    ratio = statistics.median(b / a for a, b in zip(ours, theirs))
    print(f"medians of {options.rounds}: quaver {statistics.median(ours):.2f} "
          f"ms, ONNX Runtime {statistics.median(theirs):.2f} ms; "
          f"{ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
