"""The corrector against CTranslate2, ONNX Runtime and Transformers: greedy, one
core, each in a process of its own, by turns, on the same weights.

usage: rivals.py [--model DIR] [--queries FILE] [--rounds N] [--out DIR]
By default bart-base's shape over-fitted to bench/corrector/pairs.tsv (`make
bench-checkpoint`): weights that correct those hundred queries and nothing else.
Before anything is timed it says how many answers of each are ours in fp32; the
fp32 rivals' all have to be. Text in, text out, batch 1 and 16. Writes a
Markdown table and JSON.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

import models

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUAVER = os.environ.get("QUAVER_BIN", str(ROOT / "build/release/quaver"))
WORK = models.WORK
BATCH = 16
TRANSFORMERS_QUERIES = 32  # it is slow


def percentile(times, share):
    return sorted(times)[int(share * (len(times) - 1))]


class Rival:
    """A rival in a process of its own on our core; it sleeps until asked."""

    def __init__(self, name, model):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, models.__file__, name, model], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.reply()

    def reply(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name}: its process has ended")
        return json.loads(line)

    def some(self, queries):
        slow = self.name.startswith("Transformers")
        return queries[:TRANSFORMERS_QUERIES] if slow else queries

    def ask(self, queries, batch):
        asked = {"queries": self.some(queries), "batch": batch}
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        return self.reply()

    def answers(self, queries, batch):
        return self.ask(queries, batch)["answers"]

    def timed(self, queries, batch):
        times = self.ask(queries, batch)["times_ms"]
        return {"p50_ms": percentile(times, 0.5),
                "p90_ms": percentile(times, 0.9),
                "p99_ms": percentile(times, 0.99),
                "queries_per_s": 1e3 * len(self.some(queries)) / sum(times)}

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def our_plan(model, precision, queries):
    """Quality is agreement with fp32 on the queries."""
    plan = WORK / f"{model.name}-{precision}.plan"
    lines = WORK / "calibration.txt"
    lines.write_text("\n".join(queries) + "\n")
    subprocess.run([QUAVER, "compile", model, "--out", plan, "--force",
                    "--precision", precision, "--calibration", lines],
                   check=True, capture_output=True)
    return plan


def ours(plan, queries):
    lines = subprocess.run(
        [QUAVER, "generate", "--model", plan, "--max-new-tokens",
         str(models.MAX_TOKENS), "--json"], input="\n".join(queries) + "\n",
        text=True, capture_output=True, check=True).stdout.splitlines()
    return [json.loads(line)["text"] for line in lines]


def ours_timed(plan, queries, batch, draft):
    line = subprocess.run(
        [QUAVER, "bench", "corrector", "--model", plan, "--rounds", "2",
         "--batch", str(batch), "--draft", draft, "--json"],
        input="\n".join(queries) + "\n", text=True, capture_output=True,
        check=True).stdout
    return json.loads(line)


def compare(plans, rivals, queries):
    """Says how many answers are ours in fp32; in fp32 all must be."""
    wanted = ours(plans["fp32"], queries)

    def count(name, answers):
        same = sum(map(str.__eq__, answers, wanted))
        print(f"{name}: {same} of {len(answers)} answers are ours in fp32",
              flush=True)
        if "fp32" in name and same < len(answers):
            raise SystemExit(f"{name} answers otherwise")

    count("Quaver int8", ours(plans["int8"], queries))
    for rival in rivals:
        for batch in (1, BATCH):
            count(f"{rival.name}, batch {batch}",
                  rival.answers(queries, batch))


def one_turn(plans, rivals, queries, batch):
    """Each contestant's name and figures, one after the other."""
    for precision, plan in plans.items():
        for draft in ("input", "none"):
            name = f"Quaver {precision}" + (
                "" if draft == "input" else ", one token a pass")
            yield name, ours_timed(plan, queries, batch, draft)
    for rival in rivals:
        yield rival.name, rival.timed(queries, batch)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path,
                        default=ROOT / "build/models/bench-base")
    parser.add_argument("--queries", type=pathlib.Path,
                        default=ROOT / "bench/corrector/pairs.tsv")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=pathlib.Path, default=WORK)
    args = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    WORK.mkdir(parents=True, exist_ok=True)
    queries = [line.split("\t")[0]
               for line in args.queries.read_text().splitlines()]
    plans = {precision: our_plan(args.model, precision, queries)
             for precision in ("fp32", "int8")}
    rivals = [Rival(name, args.model) for name in models.RIVALS]
    compare(plans, rivals, queries)
    runs = {}
    for turn in range(args.rounds):
        print(f"round {turn + 1} of {args.rounds}", flush=True)
        for batch in (1, BATCH):
            for name, figures in one_turn(plans, rivals, queries, batch):
                runs.setdefault((name, batch), []).append(figures)
    for rival in rivals:
        rival.stop()
    report = []
    for (name, batch), rounds in runs.items():
        row = {"name": name, "batch": batch}
        for figure in ("p50_ms", "p90_ms", "p99_ms", "queries_per_s"):
            row[figure] = statistics.median(r[figure] for r in rounds)
        row["passes"] = rounds[0].get("passes")
        report.append(row)
    table = ["| one core | batch | p50 ms | p90 ms | queries/s | passes |",
             "|---|---|---|---|---|---|"]
    for row in sorted(report, key=lambda row: row["batch"]):
        passes = "" if row["passes"] is None else f"{row['passes']:.2f}"
        table.append(f"| {row['name']} | {row['batch']} | {row['p50_ms']:.2f} "
                     f"| {row['p90_ms']:.2f} | {row['queries_per_s']:.1f} | "
                     f"{passes} |")
    (args.out / "corrector.json").write_text(json.dumps(report, indent=1))
    (args.out / "corrector.md").write_text("\n".join(table) + "\n")
    print("\n".join(table))


if __name__ == "__main__":
    main()
