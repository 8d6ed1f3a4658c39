#!/usr/bin/env python3
"""How much sooner the full recipe learns what the reference recipe learns.

Trains the shape of `quaver-train bench --preset small` on a catalogue with the
reference recipe (fp32, 32 pairs, AdamW) and with the full one at the same three
learning rates for a while, then goes on with the best of each: the reference's
until it has seen what it sees in --hours, the full one's until it has passed
the best exact fix that the reference had by then. Both curves are drawn to
curves.svg in --out.

What is learned depends on the tokens that were seen, not on how busy the
machine is; so that curves are kept by tokens, here computed without padding,
which the mathematics does not see, and minutes follow from the speeds that
`quaver-train bench` and bench_train.py measure. Runs are kept in --out and go
on where they stopped.
"""
import argparse
import json
import math
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
RATES = [0.0005, 0.001, 0.002]
COMMON = {"steps": 100_000_000, "schedule": "constant", "warmup": 200,
          "held_out_rows": 300, "patience": 0}
RECIPES = {
    "reference": {"precision": "fp32", "batch_pairs": 32, "optimizer": "adamw",
                  "average": 0, "bpe_dropout": 0, "evaluate_every": 1000,
                  "checkpoint_every": 1000},
    "full": {"batch_pairs": 256, "optimizer": "muon", "average": 0.998,
             "bpe_dropout": 0.1, "evaluate_every": 200,
             "checkpoint_every": 200}}


def curve(folder):
    """(tokens, mean exact fix of misspelled sets in %, held-out loss) of every
    evaluation."""
    points, tokens, seconds = [], 0, 0
    path = folder / "metrics.jsonl"
    for line in path.read_text().splitlines() if path.exists() else []:
        point = json.loads(line)
        tokens += point["tokens_per_s"] * (point["seconds"] - seconds)
        seconds = point["seconds"]
        fix = point.get("exact_fix")
        if fix:
            fix = [v for k, v in fix.items() if k != "clean"]
            points.append((tokens, 100 * sum(fix) / len(fix),
                           point["held_out_loss"]))
    return points


def train(args, name, rate, tokens):
    """The curve of a run that has seen so many tokens."""
    folder = args.out / f"{name}-{rate}"
    config = args.out / f"{name}-{rate}.json"
    config.write_text(json.dumps({**COMMON, **RECIPES[name],
                                  "learning_rate": rate}))
    points = curve(folder)
    if points and points[-1][0] >= tokens:
        return points
    goes_on = (folder / "checkpoint.safetensors").exists()
    run = subprocess.Popen(
        [ROOT / "build/release/quaver-train", "corrector", "--preset", "bench",
         "--config", config, "--catalogue", *args.catalogue, "--out", folder,
         "--resume" if goes_on else "--force"])
    try:
        while run.poll() is None:
            time.sleep(5)
            points = curve(folder)
            if points and points[-1][0] >= tokens:
                break
    finally:
        run.send_signal(signal.SIGINT)  # it writes a checkpoint
        run.wait()
    if not points or points[-1][0] < tokens:
        sys.exit(f"{folder}: the training ended too soon")
    print(f"{name} at {rate}: {points[-1][0] / 1e6:.2f} million tokens, loss "
          f"{points[-1][2]:.3f}, exact fix {points[-1][1]:.1f} %",
          file=sys.stderr)
    return points


def draw(curves, path):
    """An SVG of exact fix over minutes, on a logarithmic scale."""
    width, height, left, bottom = 640, 360, 50, 40
    last = max(m for points in curves.values() for m, _ in points)
    top = 5 * (int(max(f for points in curves.values() for _, f in points))
               // 5 + 1)
    first = min(m for points in curves.values() for m, _ in points) / 1.2

    def x(minutes):
        share = math.log(minutes / first) / math.log(1.1 * last / first)
        return left + share * (width - left - 90)

    def y(fix):
        return height - bottom - fix / top * (height - bottom - 20)

    def text(at, to, content, more=""):
        return f'<text x="{at:.0f}" y="{to:.0f}" {more}>{content}</text>'

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} '
             f'{height}" font-family="sans-serif" font-size="12">'
             '<rect width="100%" height="100%" fill="white"/>']
    for fix in range(0, top + 1, 5):
        parts.append(f'<path d="M{left} {y(fix):.1f}H{width - 90}" '
                     'stroke="#ddd"/>')
        parts.append(text(left - 8, y(fix) + 4, f"{fix} %",
                          'text-anchor="end"'))
    for minutes in (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200):
        if first < minutes < 1.1 * last:
            parts.append(text(x(minutes), height - bottom + 18, f"{minutes:g}",
                              'text-anchor="middle"'))
    parts.append(text((left + width - 90) / 2, height - 6,
                      "minutes of training", 'text-anchor="middle"'))
    for (name, points), colour in zip(curves.items(), ("#a33", "#27c")):
        line = "L".join(f"{x(m):.1f} {y(f):.1f}" for m, f in points)
        parts.append(f'<path d="M{line}" fill="none" stroke="{colour}" '
                     'stroke-width="2"/>')
        parts.append(text(x(points[-1][0]) + 6, y(points[-1][1]) + 4, name,
                          f'fill="{colour}"'))
    path.write_text("\n".join(parts) + "\n</svg>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--catalogue", nargs="+", required=True)
    parser.add_argument("--out", type=pathlib.Path,
                        default=ROOT / "build/bench-learning")
    parser.add_argument("--reference-tokens-per-s", type=float, required=True,
                        help="of the reference recipe, the faster of ours and "
                             "PyTorch's")
    parser.add_argument("--tokens-per-s", type=float, required=True,
                        help="of the full recipe")
    parser.add_argument("--hours", type=float, default=2)
    parser.add_argument("--pilot", type=float, default=0.1,
                        help="share of it after which rates are compared")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    speeds = {"reference": args.reference_tokens_per_s,
              "full": args.tokens_per_s}
    all_tokens = args.hours * 3600 * speeds["reference"]
    best = {}
    for name in RECIPES:
        pilots = {rate: train(args, name, rate, args.pilot * all_tokens)
                  for rate in RATES}
        best[name] = min(pilots, key=lambda rate: pilots[rate][-1][2])
        print(f"best rate of {name}: {best[name]}")
    reference = train(args, "reference", best["reference"], all_tokens)
    level = max(fix for _, fix, _ in reference)
    reached = next(t for t, fix, _ in reference if fix == level)
    tokens = args.pilot * all_tokens
    while True:
        full = train(args, "full", best["full"], tokens)
        passed = next((t for t, fix, _ in full if fix >= level), None)
        if passed is not None or tokens > 4 * all_tokens:
            break
        tokens *= 1.1

    def minutes(name, count):
        return count / speeds[name] / 60

    slow = minutes("reference", reached)
    print(f"reference: {level:.1f} % at best, after {reached / 1e6:.1f} million "
          f"tokens, {slow:.1f} minutes")
    if passed is None:
        sys.exit(f"the full recipe has not reached it after {tokens} tokens")
    fast = minutes("full", passed)
    print(f"full: the same after {passed / 1e6:.1f} million tokens, {fast:.1f} "
          f"minutes: {slow / fast:.1f} times sooner")
    curves = {name: [(minutes(name, t), fix) for t, fix, _ in points]
              for name, points in (("reference", reference), ("full", full))}
    for name, points in curves.items():
        print(name, "minutes:exact fix",
              " ".join(f"{m:.1f}:{fix:.1f}" for m, fix in points))
    draw(curves, args.out / "curves.svg")


if __name__ == "__main__":
    main()
