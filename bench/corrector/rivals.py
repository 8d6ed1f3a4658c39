"""The corrector against CTranslate2, ONNX Runtime and Transformers: greedy, one
core, each in a process of its own, by turns, on the same weights.

usage: rivals.py [--model DIR | --random] [--queries FILE] [--rounds N]
         [--only NAME ...] [--out DIR]
By default bart-base's shape over-fitted to bench/corrector/pairs.tsv (`make
bench-checkpoint`): weights that correct those hundred queries and nothing else.
Before anything is timed it says how many answers of each are ours in fp32; the
fp32 rivals' all have to be. Text in, text out, batch 1 and 16. With --random:
bart-base's shape with random weights, each answer of ten tokens whatever the
model says, one a pass, for timing only; answers are not compared but for their
length. Writes a Markdown table and JSON: of each figure the median of the
rounds, with the least and the greatest.
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
PRECISIONS = ["fp32", "bf16", "int8"]
FIGURES = ["p50_ms", "p90_ms", "p99_ms", "queries_per_s"]
RANDOM_TOKENS = 10
RANDOM_QUERIES = 32  # random weights are slow: no drafts


def percentile(times, share):
    return sorted(times)[int(share * (len(times) - 1))]


class Rival:
    """A rival in a process of its own on our core; it sleeps until asked."""

    def __init__(self, name, model, tokens):
        self.name = name
        words = [str(tokens)] if tokens else []
        self.process = subprocess.Popen(
            [sys.executable, models.__file__, name, model, *words], text=True,
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


def our_plan(model, precision, queries, *words):
    """Quality is agreement with fp32 on the queries."""
    plan = WORK / f"{model.name}-{precision}.plan"
    lines = WORK / "calibration.txt"
    lines.write_text("\n".join(queries) + "\n")
    subprocess.run([QUAVER, "compile", model, "--out", plan, "--force",
                    "--precision", precision, "--calibration", lines, *words],
                   check=True, capture_output=True)
    return plan


def ours(plan, queries, *words):
    lines = subprocess.run(
        [QUAVER, "generate", "--model", plan, "--json", *words],
        input="\n".join(queries) + "\n", text=True, capture_output=True,
        check=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def our_texts(plan, queries):
    return [one["text"] for one in ours(plan, queries, "--max-new-tokens",
                                        str(models.MAX_TOKENS))]


def ours_timed(plan, queries, batch, draft, tokens):
    line = subprocess.run(
        [QUAVER, "bench", "corrector", "--model", plan, "--rounds", "2",
         "--batch", str(batch), "--draft", draft, "--new-tokens",
         str(tokens or 0), "--json"],
        input="\n".join(queries) + "\n", text=True, capture_output=True,
        check=True).stdout
    return json.loads(line)


def check_our_length(plan, queries):
    """The rivals check theirs themselves."""
    count = str(RANDOM_TOKENS)
    for one in ours(plan, queries[:2], "--draft", "none", "--max-new-tokens",
                    count, "--min-new-tokens", count):
        models.check_length([one["output_ids"][1:]], RANDOM_TOKENS)


def compare(plans, rivals, queries):
    """Says how many answers are ours in fp32; in fp32 all must be."""
    wanted = our_texts(plans["fp32"], queries)

    def count(name, answers):
        same = sum(map(str.__eq__, answers, wanted))
        print(f"{name}: {same} of {len(answers)} answers are ours in fp32",
              flush=True)
        if "fp32" in name and same < len(answers):
            raise SystemExit(f"{name} answers otherwise")

    for precision in ("bf16", "int8"):
        count(f"Quaver {precision}", our_texts(plans[precision], queries))
    for rival in rivals:
        for batch in (1, BATCH):
            count(f"{rival.name}, batch {batch}",
                  rival.answers(queries, batch))


def one_turn(plans, rivals, queries, batch, tokens):
    """Each contestant's name and figures, one after the other."""
    for precision, plan in plans.items():
        for draft in ("none",) if tokens else ("input", "none"):
            name = f"Quaver {precision}" + (
                "" if draft == "input" else ", one token a pass")
            yield name, ours_timed(plan, queries, batch, draft, tokens)
    for rival in rivals:
        yield rival.name, rival.timed(queries, batch)


def run(plans, rivals, queries, rounds, tokens):
    """Of each contestant and batch the figures of every round."""
    runs = {}
    for turn in range(rounds):
        print(f"round {turn + 1} of {rounds}", flush=True)
        for batch in (1, BATCH):
            for name, figures in one_turn(plans, rivals, queries, batch,
                                          tokens):
                runs.setdefault((name, batch), []).append(figures)
    return runs


def report_of(runs):
    report = []
    for (name, batch), rounds in runs.items():
        row = {"name": name, "batch": batch, "rounds": len(rounds),
               "passes": rounds[0].get("passes"), "spread": {}}
        for figure in FIGURES:
            values = [one[figure] for one in rounds]
            row[figure] = statistics.median(values)
            row["spread"][figure] = [min(values), max(values)]
        report.append(row)
    return report


def table_of(report, title):
    def cell(row, figure, form):
        least, most = (format(value, form) for value in row["spread"][figure])
        return f"{row[figure]:{form}} ({least}-{most})"

    table = [f"| {title} | batch | p50 ms | p90 ms | queries/s | passes |",
             "|---|---|---|---|---|---|"]
    for row in sorted(report, key=lambda row: row["batch"]):
        passes = "" if row["passes"] is None else f"{row['passes']:.2f}"
        table.append(
            f"| {row['name']} | {row['batch']} | {cell(row, 'p50_ms', '.2f')} "
            f"| {cell(row, 'p90_ms', '.2f')} "
            f"| {cell(row, 'queries_per_s', '.1f')} | {passes} |")
    return "\n".join(table)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--model", type=pathlib.Path,
                       default=ROOT / "build/models/bench-base")
    model.add_argument("--random", action="store_true",
                       help="random weights: timing only")
    parser.add_argument("--queries", type=pathlib.Path,
                        default=ROOT / "bench/corrector/pairs.tsv")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[*models.RIVALS],
                        help="the rivals")
    parser.add_argument("--out", type=pathlib.Path, default=WORK)
    return parser.parse_args()


def random_model():
    folder = ROOT / "build/models/bench-random"
    if not (folder / "model.safetensors").exists():
        print(f"making {folder}", flush=True)
        subprocess.run([sys.executable,
                        pathlib.Path(__file__).with_name("random_bart.py"),
                        folder], check=True)
    return folder


def main():
    args = arguments()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    WORK.mkdir(parents=True, exist_ok=True)
    queries = [line.split("\t")[0]
               for line in args.queries.read_text().splitlines()]
    if args.random:
        name = "corrector-random"
        title = "one core; random weights: timing only"
        model, tokens = random_model(), RANDOM_TOKENS
        queries = queries[:RANDOM_QUERIES]
        # Whatever they answer: random weights have no quality to keep.
        plans = {precision: our_plan(model, precision, queries[:2],
                                     "--max-quality-drop", "100")
                 for precision in PRECISIONS}
    else:
        name, title = "corrector", "one core"
        model, tokens = args.model, None
        plans = {precision: our_plan(model, precision, queries)
                 for precision in PRECISIONS}
    rivals = [Rival(rival, model, tokens) for rival in args.only]
    if args.random:
        for plan in plans.values():
            check_our_length(plan, queries)
        for rival in rivals:  # as compare() warms them up
            for batch in (1, BATCH):
                rival.answers(queries[:BATCH], batch)
    else:
        compare(plans, rivals, queries)
    report = report_of(run(plans, rivals, queries, args.rounds, tokens))
    for rival in rivals:
        rival.stop()
    table = table_of(report, title)
    (args.out / f"{name}.json").write_text(json.dumps(report, indent=1))
    (args.out / f"{name}.md").write_text(table + "\n")
    print(table)


if __name__ == "__main__":
    main()
