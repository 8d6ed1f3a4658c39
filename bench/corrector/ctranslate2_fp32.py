"""The corrector against CTranslate2 and Transformers: fp32, greedy, batch 1, one
core, by turns, on the same weights.

usage: ctranslate2_fp32.py [--model DIR] [--queries FILE] [--rounds N]
By default bart-base's shape over-fitted to bench/corrector/pairs.tsv (`make
bench-checkpoint`): weights that correct those hundred queries and nothing else.
Checks that all answer alike before anything is timed. Text in, text out.
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
MAX_TOKENS = 40
TRANSFORMERS_QUERIES = 20  # it is slow


def percentile(times, share):
    return sorted(times)[int(share * (len(times) - 1))]


def timed(answer, queries):
    times = []
    for query in queries:
        start = time.perf_counter()
        answer(query)
        times.append(1e3 * (time.perf_counter() - start))
    return times


def ours(model, queries):
    lines = subprocess.run(
        [QUAVER, "generate", "--model", model, "--max-new-tokens",
         str(MAX_TOKENS), "--json"], input="\n".join(queries) + "\n", text=True,
        capture_output=True, check=True).stdout.splitlines()
    return [json.loads(line)["text"] for line in lines]


def ours_timed(model, queries, *flags):
    line = subprocess.run(
        [QUAVER, "bench", "corrector", "--model", model, "--rounds", "1",
         "--json", *flags], input="\n".join(queries) + "\n", text=True,
        capture_output=True, check=True).stdout
    return json.loads(line)


def ctranslate2_model(folder):
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
        str(converted), compute_type="float32", inter_threads=1,
        intra_threads=1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def answer(query):
        tokens = tokenizer.convert_ids_to_tokens(tokenizer(query)["input_ids"])
        said = translator.translate_batch(
            [tokens], beam_size=1, max_decoding_length=MAX_TOKENS)
        ids = tokenizer.convert_tokens_to_ids(said[0].hypotheses[0])
        return tokenizer.decode(ids, skip_special_tokens=True).strip()
    return answer


def transformers_model(folder):
    import torch
    import transformers
    torch.set_num_threads(1)
    model = transformers.BartForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def answer(query):
        with torch.inference_mode():
            ids = model.generate(
                torch.tensor([tokenizer(query)["input_ids"]]), num_beams=1,
                do_sample=False, max_new_tokens=MAX_TOKENS)
        return tokenizer.decode(ids[0], skip_special_tokens=True).strip()
    return answer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path,
                        default=ROOT / "build/models/bench-base")
    parser.add_argument("--queries", type=pathlib.Path,
                        default=ROOT / "bench/corrector/pairs.tsv")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    queries = [line.split("\t")[0]
               for line in args.queries.read_text().splitlines()]
    rivals = {"CTranslate2 fp32": ctranslate2_model(args.model),
              "Transformers fp32": transformers_model(args.model)}
    said = ours(args.model, queries)
    for name, answer in rivals.items():
        some = queries if "CT" in name else queries[:TRANSFORMERS_QUERIES]
        same = sum(answer(query) == text for query, text in zip(some, said))
        print(f"{name}: {same} of {len(some)} answers are ours")
    times = {name: [] for name in rivals}
    results = {"ours": [], "ours, one token a pass": []}
    for _ in range(args.rounds):
        results["ours"].append(ours_timed(args.model, queries))
        results["ours, one token a pass"].append(
            ours_timed(args.model, queries, "--no-drafts"))
        times["CTranslate2 fp32"].append(
            timed(rivals["CTranslate2 fp32"], queries))
        times["Transformers fp32"].append(
            timed(rivals["Transformers fp32"], queries[:TRANSFORMERS_QUERIES]))
    for name, rounds in results.items():
        p50 = statistics.median(r["p50_ms"] for r in rounds)
        p99 = statistics.median(r["p99_ms"] for r in rounds)
        print(f"{name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, "
              f"{rounds[0]['passes']:.2f} passes")
    best = statistics.median(r["p50_ms"] for r in results["ours"])
    for name, rounds in times.items():
        p50 = statistics.median(percentile(r, 0.5) for r in rounds)
        p99 = statistics.median(percentile(r, 0.99) for r in rounds)
        print(f"{name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, "
              f"{p50 / best:.1f} times ours")


main()
