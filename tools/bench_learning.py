#!/usr/bin/env python3
"""How much sooner the full recipe learns what the reference recipe learns.

Trains the shape of `quaver-train bench --preset small` on a catalogue with the
reference recipe (fp32, 32 pairs, padding, AdamW; fused loops, with which it is
as fast as PyTorch's) and with the full one, each for a while at every learning
rate, then goes on with the reference's best until --hours. Prints when the full
recipe's best passed the exact fix that the reference had at the end, and both
curves. Runs are kept in --out and go on where they stopped.

Run nothing else meanwhile.
"""
import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
RATES = [0.0005, 0.001, 0.002]
COMMON = {"steps": 100_000_000, "schedule": "constant", "warmup": 200,
          "held_out_rows": 300, "patience": 0, "checkpoint_every": 100_000_000}
RECIPES = {
    "reference": {"precision": "fp32", "padding": True, "batch_pairs": 32,
                  "micro_tokens": 1_000_000, "optimizer": "adamw",
                  "average": 0, "bpe_dropout": 0, "evaluate_every": 1000},
    "full": {"batch_pairs": 256, "optimizer": "muon", "average": 0.998,
             "bpe_dropout": 0.1, "evaluate_every": 200}}


def curve(folder):
    """(minutes, mean exact fix of misspelled sets) of every evaluation."""
    points = []
    path = folder / "metrics.jsonl"
    for line in path.read_text().splitlines() if path.exists() else []:
        point = json.loads(line)
        fix = point.get("exact_fix")
        if fix:
            fix = [v for k, v in fix.items() if k != "clean"]
            points.append((point["seconds"] / 60, 100 * sum(fix) / len(fix)))
    return points


def train(args, name, rate, minutes):
    folder = args.out / f"{name}-{rate}"
    done = curve(folder)
    if done and done[-1][0] >= 0.98 * minutes:
        return folder
    config = args.out / f"{name}-{rate}.json"
    config.write_text(json.dumps({**COMMON, **RECIPES[name],
                                  "learning_rate": rate}))
    workers = ["--workers", "1"] if name == "reference" else []
    resume = (["--resume"] if (folder / "checkpoint.safetensors").exists()
              else ["--force"])
    subprocess.run(
        [ROOT / "build/release/quaver-train", "corrector", "--preset", "bench",
         "--config", config, "--catalogue", *args.catalogue, "--out", folder,
         "--minutes", str(minutes), *workers, *resume], check=True)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--catalogue", nargs="+", required=True)
    parser.add_argument("--out", type=pathlib.Path,
                        default=ROOT / "build/bench-learning")
    parser.add_argument("--pilot", type=float, default=10, help="minutes a rate")
    parser.add_argument("--hours", type=float, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    best = {}
    for name in RECIPES:
        for rate in RATES:
            folder = train(args, name, rate, args.pilot)
            reached = curve(folder)[-1][1]
            print(f"{name} at {rate}: {reached:.1f} % after "
                  f"{args.pilot:g} minutes", file=sys.stderr)
            if name not in best or reached > best[name][0]:
                best[name] = (reached, rate)
    for name, (_, rate) in best.items():
        print(f"best rate of {name}: {rate}")
    reference = curve(train(args, "reference", best["reference"][1],
                            60 * args.hours))
    level = reference[-1][1]
    minutes = args.pilot
    while True:
        full = curve(train(args, "full", best["full"][1], minutes))
        passed = next((m for m, fix in full if fix >= level), None)
        if passed is not None or minutes >= 60 * args.hours:
            break
        minutes += args.pilot
    print(f"reference: {level:.1f} % after {reference[-1][0]:.1f} minutes")
    if passed is None:
        sys.exit(f"the full recipe has not reached it after {minutes} minutes")
    print(f"full: the same after {passed:.1f} minutes, "
          f"{reference[-1][0] / passed:.1f} times sooner")
    for name, points in (("reference", reference), ("full", full)):
        print(name, " ".join(f"{m:.1f}:{fix:.1f}" for m, fix in points))


main()
