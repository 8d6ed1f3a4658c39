"""The sentence encoder against PyTorch, ONNX Runtime, OpenVINO and CTranslate2.

usage: rivals.py [--model DIR] [--rounds N] [--only NAME ...] [--out DIR]
Same weights, same texts, one core, each contestant in a process of its own, by
turns. Embeddings are compared with PyTorch's in fp32 before anything is timed.
Times are of token ids, the same files for all: batch 1 and 32 of 11 tokens, and
512 sentences of 3 to 24 tokens (mean 9) in batches of 32, as they come and
sorted by length. Writes a Markdown table and JSON: of each figure the median of
the rounds, with the least and the greatest.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUAVER = os.environ.get("QUAVER_BIN", str(ROOT / "build/release/quaver"))
WORK = ROOT / "build/bench"
TEXTS = ["hey jude", "sad songs for rainy days", "Björk", "news podcasts",
         "beetles yesterdy", "calm guitar for a podcast intro", "a",
         "the quick brown fox jumps over the lazy dog " * 2]
TOKENS, BATCH, SENTENCES = 11, 32, 512
LEAST_COSINE = 0.9  # ONNX Runtime's int8 has 0.935; a wrong graph is far below
FIGURES = ["batch 1, ms", "batch 32, /s", "mix as it comes, /s",
           "mix sorted, /s"]
INPUTS = [WORK / f"encoder-{name}.ids"
          for name in ("one", "many", "mix", "sorted")]


def random_ids(draw, count):
    return [101, *(draw.randrange(1000, 30000) for _ in range(count - 2)), 102]


def write_inputs():
    """A file for each figure, a sentence of ids a line."""
    draw = random.Random(1)
    lengths = [3 + min(21, int(draw.expovariate(1 / 6.6)))
               for _ in range(SENTENCES)]
    mix = [random_ids(draw, count) for count in lengths]
    many = [random_ids(draw, TOKENS) for _ in range(BATCH)]
    for path, sentences in zip(
            INPUTS, (many[:1], many, mix, sorted(mix, key=len)), strict=True):
        path.write_text("".join(
            " ".join(map(str, ids)) + "\n" for ids in sentences))


def read_inputs():
    return [[list(map(int, line.split()))
             for line in path.read_text().splitlines()] for path in INPUTS]


def timed(call, least=30, seconds=1.5):
    """Median milliseconds of a call, warmed up."""
    for _ in range(5):
        call()
    times, end = [], time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


# --- each returns a function from a list of lists of ids to a [B, 384] array


def torch_encoder(model, precision):
    import torch
    import transformers
    torch.set_num_threads(1)
    net = transformers.AutoModel.from_pretrained(model).eval()

    def run(ids, mask):
        ids, mask = torch.from_numpy(ids), torch.from_numpy(mask)
        with torch.inference_mode(), torch.autocast(
                "cpu", torch.bfloat16, enabled=precision == "bf16"):
            states = net(input_ids=ids, attention_mask=mask)
        weights = mask.unsqueeze(-1).float()
        states = states.last_hidden_state.float()
        return ((states * weights).sum(1) / weights.sum(1)).numpy()
    return padded(run)


def onnx_file(model):
    import torch
    import transformers
    path = WORK / "encoder.onnx"
    if path.exists():
        return path

    class MeanPooled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = transformers.AutoModel.from_pretrained(
                model, attn_implementation="eager").eval()

        def forward(self, input_ids, attention_mask):
            states = self.net(input_ids=input_ids,
                              attention_mask=attention_mask).last_hidden_state
            weights = attention_mask.unsqueeze(-1).to(states.dtype)
            return (states * weights).sum(1) / weights.sum(1)

    example = torch.ones((1, 8), dtype=torch.int64)
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(
        MeanPooled(), (example, example), path, opset_version=17, dynamo=False,
        input_names=["input_ids", "attention_mask"],
        output_names=["embedding"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes,
                      "embedding": {0: "batch"}})
    return path


def onnxruntime_encoder(model, precision):
    import onnxruntime
    path = onnx_file(model)
    if precision == "int8":
        quantised = WORK / "encoder-int8.onnx"
        if not quantised.exists():
            import onnx
            from onnxruntime.quantization import QuantType, quantize_dynamic
            from onnxruntime.transformers import optimizer
            fused = WORK / "encoder-fused.onnx"
            optimizer.optimize_model(
                str(path), model_type="bert", num_heads=12,
                hidden_size=384).save_model_to_file(str(fused))
            quantize_dynamic(
                str(fused), str(quantised), weight_type=QuantType.QInt8,
                extra_options={
                    "DefaultTensorType": onnx.TensorProto.FLOAT})
        path = quantised
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"])
    return padded(lambda ids, mask: session.run(
        None, {"input_ids": ids, "attention_mask": mask})[0])


def openvino_encoder(model, precision):
    import openvino
    core = openvino.Core()
    net = core.read_model(str(onnx_file(model)))
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT":
                    "bf16" if precision == "bf16" else "f32"}
    if precision == "int8":
        import nncf
        settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = "32"
        net = nncf.compress_weights(net)
    request = core.compile_model(net, "CPU", settings).create_infer_request()
    return padded(lambda ids, mask: request.infer(
        {"input_ids": ids, "attention_mask": mask})[0].copy())


def ctranslate2_encoder(model, precision):
    import ctranslate2
    import numpy
    folder = WORK / "encoder-ct2"
    if not folder.exists():
        ctranslate2.converters.TransformersConverter(str(model)).convert(
            str(folder))
    encoder = ctranslate2.Encoder(
        str(folder), compute_type="int8" if precision == "int8" else "float32",
        inter_threads=1, intra_threads=1)

    def run(batch):
        states = numpy.asarray(encoder.forward_batch(batch).last_hidden_state)
        return numpy.stack([rows[:len(ids)].mean(0)
                            for rows, ids in zip(states, batch)])
    return run


def padded(run):
    import numpy

    def call(batch):
        longest = max(map(len, batch))
        ids = numpy.zeros((len(batch), longest), numpy.int64)
        mask = numpy.zeros_like(ids)
        for i, row in enumerate(batch):
            ids[i, :len(row)] = row
            mask[i, :len(row)] = 1
        return run(ids, mask)
    return call


RIVALS = {
    "PyTorch fp32": (torch_encoder, "fp32"),
    "PyTorch bf16": (torch_encoder, "bf16"),
    "ONNX Runtime fp32": (onnxruntime_encoder, "fp32"),
    "ONNX Runtime int8": (onnxruntime_encoder, "int8"),
    "OpenVINO fp32": (openvino_encoder, "fp32"),
    "OpenVINO bf16": (openvino_encoder, "bf16"),
    "OpenVINO int8": (openvino_encoder, "int8"),
    "CTranslate2 fp32": (ctranslate2_encoder, "fp32"),
    "CTranslate2 int8": (ctranslate2_encoder, "int8"),
}
OURS = {"Quaver fp32": "fp32", "Quaver bf16": "bf16", "Quaver int8": "int8"}


def work(name, model):
    """One rival in this process: prints embeddings and times as JSON."""
    import tokenizers
    make, precision = RIVALS[name]
    run = make(model, precision)
    tokenizer = tokenizers.Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    answers = [run([tokenizer.encode(text).ids])[0].tolist() for text in TEXTS]
    one, many, *mixes = read_inputs()
    figures = [timed(lambda: run(one), 200),
               1e3 * BATCH / timed(lambda: run(many))]
    for sentences in mixes:
        batches = [sentences[i:i + BATCH]
                   for i in range(0, SENTENCES, BATCH)]
        ms = timed(lambda batches=batches: [run(b) for b in batches], 3)
        figures.append(1e3 * SENTENCES / ms)
    print(json.dumps({"answers": answers, "figures": figures}))


def our_figures(plan):
    def bench(path, batch, iterations):
        said = subprocess.run(
            [QUAVER, "bench", "encoder", "--model", plan, "--threads", "1",
             "--ids", path, "--batch", str(batch), "--iterations",
             str(iterations), "--json"], check=True, text=True,
            capture_output=True).stdout
        return json.loads(said.splitlines()[-1])
    one, many, *mixes = INPUTS
    figures = [bench(one, 1, 500)["p50_ms"],
               bench(many, BATCH, 60)["sentences_per_s"]]
    figures += [bench(mix, BATCH, 5)["sentences_per_s"] for mix in mixes]
    said = subprocess.run([QUAVER, "embed", "--model", plan],
                          input="\n".join(TEXTS), text=True, check=True,
                          capture_output=True).stdout
    return {"answers": [json.loads(line) for line in said.splitlines()],
            "figures": figures}


def our_plan(name, model):
    plan = WORK / f"encoder-{OURS[name]}.plan"
    subprocess.run([QUAVER, "compile", model, "--out", plan, "--force",
                    "--precision", OURS[name]], check=True,
                   capture_output=True)
    return plan


def measure(name, model):
    if name in OURS:
        return our_figures(our_plan(name, model))
    done = subprocess.run(
        [sys.executable, __file__, "--model", model, "--worker", name],
        text=True, capture_output=True, check=False)
    lines = [line for line in done.stdout.splitlines()
             if line.startswith('{"answers"')]
    if not lines:
        last = done.stderr.strip().splitlines()[-1:]
        print(f"{name}: left out: {' '.join(last)}", file=sys.stderr)
        return None
    return json.loads(lines[-1])


def cosine(a, b):
    product = sum(x * y for x, y in zip(a, b, strict=True))
    return product / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5


def with_spread(median, spread, form):
    """0.83 (0.81-0.90): the median of the rounds, the least, the greatest."""
    least, most = (format(value, form) for value in spread)
    return f"{median:{form}} ({least}-{most})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path,
                        default=ROOT / "build/models/minilm")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=[*OURS, *RIVALS])
    parser.add_argument("--out", type=pathlib.Path, default=WORK)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    WORK.mkdir(parents=True, exist_ok=True)
    if options.worker:
        work(options.worker, options.model)
        return
    write_inputs()
    names = list(dict.fromkeys(["PyTorch fp32", *options.only]))
    found = {name: [] for name in names}
    for turn in range(options.rounds):
        for name in names:
            print(f"round {turn + 1} of {options.rounds}: {name}",
                  file=sys.stderr, flush=True)
            if (result := measure(name, options.model)) is not None:
                found[name].append(result)
    (options.out / "encoder-rounds.json").write_text(json.dumps(found))
    wanted = found["PyTorch fp32"][0]["answers"]
    report = []
    for name, rounds in found.items():
        if not rounds:
            continue
        least = min(cosine(a, b)
                    for a, b in zip(rounds[0]["answers"], wanted, strict=True))
        if least < LEAST_COSINE:
            raise SystemExit(f"{name}: an embedding's cosine is {least:.3f}")
        runs = list(zip(*(one["figures"] for one in rounds), strict=True))
        report.append({"name": name, "least_cosine": least,
                       **{figure: statistics.median(values)
                          for figure, values in zip(FIGURES, runs)},
                       "spread": [[min(v), max(v)] for v in runs]})
    (options.out / "encoder.json").write_text(json.dumps(report, indent=1))
    table = ["| one core | least cosine | " + " | ".join(FIGURES) + " |",
             "|---|---|" + "---|" * len(FIGURES)]
    for row in report:
        cells = [with_spread(row[figure], spread, ".2f" if i == 0 else ",.0f")
                 for i, (figure, spread) in enumerate(
                     zip(FIGURES, row["spread"], strict=True))]
        table.append(f"| {row['name']} | {row['least_cosine']:.4f} | "
                     + " | ".join(cells) + " |")
    (options.out / "encoder.md").write_text("\n".join(table) + "\n")
    print("\n".join(table))


if __name__ == "__main__":
    main()
