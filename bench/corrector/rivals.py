"""The corrector against CTranslate2 and Transformers: greedy, one core, by turns,
on the same weights.

usage: rivals.py [--model DIR] [--queries FILE] [--rounds N] [--out DIR]
By default bart-base's shape over-fitted to bench/corrector/pairs.tsv (`make
bench-checkpoint`): weights that correct those hundred queries and nothing else.
Checks that all answer alike before anything is timed. Text in, text out, batch
1 and 16. Writes a Markdown table and JSON.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUAVER = os.environ.get("QUAVER_BIN", str(ROOT / "build/release/quaver"))
WORK = ROOT / "build/bench"
MAX_TOKENS = 40
BATCH = 16
TRANSFORMERS_QUERIES = 32  # it is slow


def percentile(times, share):
    return sorted(times)[int(share * (len(times) - 1))]


def timed(answer, queries, batch):
    """Milliseconds of each batch, and queries a second."""
    times = []
    for i in range(0, len(queries), batch):
        start = time.perf_counter()
        answer(queries[i:i + batch])
        times.append(1e3 * (time.perf_counter() - start))
    return {"p50_ms": percentile(times, 0.5), "p90_ms": percentile(times, 0.9),
            "p99_ms": percentile(times, 0.99),
            "queries_per_s": 1e3 * len(queries) / sum(times)}


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
         str(MAX_TOKENS), "--json"], input="\n".join(queries) + "\n", text=True,
        capture_output=True, check=True).stdout.splitlines()
    return [json.loads(line)["text"] for line in lines]


def ours_timed(plan, queries, batch, draft):
    line = subprocess.run(
        [QUAVER, "bench", "corrector", "--model", plan, "--rounds", "2",
         "--batch", str(batch), "--draft", draft, "--json"],
        input="\n".join(queries) + "\n", text=True, capture_output=True,
        check=True).stdout
    return json.loads(line)


def ctranslate2_model(folder, precision):
    import ctranslate2
    import transformers
    converted = ROOT / "build/bench" / f"{folder.name}-ct2"
    newest = (folder / "model.safetensors").stat().st_mtime
    made = converted / "model.bin"
    if not made.exists() or made.stat().st_mtime < newest:
        # Its converter asks for what configurations of today leave out.
        with tempfile.TemporaryDirectory() as copy:
            shutil.copytree(folder, copy, dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("checkpoint*"))
            config = pathlib.Path(copy) / "config.json"
            config.write_text(json.dumps({
                **json.loads(config.read_text()), "normalize_before": False,
                "normalize_embedding": True,
                "static_position_embeddings": False}))
            # And for a word for every row of the table.
            loader = ctranslate2.converters.transformers.BartLoader
            words = loader.get_vocabulary
            loader.get_vocabulary = lambda self, model, tokenizer: (
                (known := words(self, model, tokenizer)) + [
                    f"<unused{i}>"
                    for i in range(len(known), model.config.vocab_size)])
            ctranslate2.converters.TransformersConverter(copy).convert(
                str(converted), force=True)
    translator = ctranslate2.Translator(
        str(converted), compute_type=precision, inter_threads=1,
        intra_threads=1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def answer(queries):
        said = translator.translate_batch(
            [tokenizer.convert_ids_to_tokens(tokenizer(query)["input_ids"])
             for query in queries],
            beam_size=1, max_decoding_length=MAX_TOKENS)
        return [tokenizer.decode(
            tokenizer.convert_tokens_to_ids(one.hypotheses[0]),
            skip_special_tokens=True).strip() for one in said]
    return answer


def transformers_model(folder):
    import torch
    import transformers
    torch.set_num_threads(1)
    model = transformers.BartForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def answer(queries):
        given = tokenizer(queries, return_tensors="pt", padding=True)
        with torch.inference_mode():
            said = model.generate(
                given["input_ids"], attention_mask=given["attention_mask"],
                num_beams=1, do_sample=False, max_new_tokens=MAX_TOKENS)
        return [text.strip() for text in
                tokenizer.batch_decode(said, skip_special_tokens=True)]
    return answer


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
    rivals = {"CTranslate2 fp32": ctranslate2_model(args.model, "float32"),
              "CTranslate2 int8": ctranslate2_model(args.model, "int8"),
              "Transformers fp32": transformers_model(args.model)}
    wanted = ours(plans["fp32"], queries)
    same = {"Quaver int8": sum(map(str.__eq__, ours(plans["int8"], queries),
                                   wanted))}
    for name, answer in rivals.items():
        some = queries[:TRANSFORMERS_QUERIES] if "Tr" in name[:2] else queries
        same[name] = sum(answer([query])[0] == text
                         for query, text in zip(some, wanted))
        print(f"{name}: {same[name]} of {len(some)} answers are ours in fp32",
              flush=True)
    print(f"Quaver int8: {same['Quaver int8']} of {len(queries)}", flush=True)
    runs = {}
    for _ in range(args.rounds):
        for batch in (1, BATCH):
            for precision, plan in plans.items():
                for draft in ("input", "none"):
                    name = f"Quaver {precision}" + (
                        "" if draft == "input" else ", one token a pass")
                    runs.setdefault((name, batch), []).append(
                        ours_timed(plan, queries, batch, draft))
            for name, answer in rivals.items():
                some = (queries[:TRANSFORMERS_QUERIES] if "Tr" in name[:2]
                        else queries)
                runs.setdefault((name, batch), []).append(
                    timed(answer, some, batch))
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


main()
