"""How each rival of the corrector is loaded and asked.

usage: models.py NAME FOLDER [TOKENS]
Loads one rival, says {} and then answers each JSON line {"queries", "batch"}
with {"answers", "times_ms"}, a time for each batch: text in, text out, greedy,
each answer of exactly TOKENS tokens where that is given. Between the lines it
sleeps. rivals.py starts it.
"""
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

WORK = pathlib.Path(__file__).resolve().parents[2] / "build/bench"
MAX_TOKENS = 40
PADDING_BIAS = -1e9  # far below any score


def outdated(made, folder):
    """Whether a file is missing or older than its checkpoint."""
    newest = (folder / "model.safetensors").stat().st_mtime
    return not made.exists() or made.stat().st_mtime < newest


def tokenizer_of(folder):
    import transformers
    return transformers.AutoTokenizer.from_pretrained(folder)


def check_length(rows, tokens):
    """Of answers that must have so many tokens."""
    if tokens and any(len(row) != tokens for row in rows):
        raise SystemExit(f"answers of {[*map(len, rows)]} tokens")


# --- each returns a function from a list of queries to a list of answers, of
# --- `tokens` tokens each, or, where it is None, as the model ends them


def ctranslate2_model(folder, precision, tokens):
    import ctranslate2
    converted = WORK / f"{folder.name}-ct2"
    if outdated(converted / "model.bin", folder):
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
    tokenizer = tokenizer_of(folder)

    def answer(queries):
        said = translator.translate_batch(
            [tokenizer.convert_ids_to_tokens(tokenizer(query)["input_ids"])
             for query in queries],
            beam_size=1, min_decoding_length=tokens or 1,
            max_decoding_length=tokens or MAX_TOKENS)
        check_length([one.hypotheses[0] for one in said], tokens)
        return [tokenizer.decode(
            tokenizer.convert_tokens_to_ids(one.hypotheses[0]),
            skip_special_tokens=True).strip() for one in said]
    return answer


def transformers_model(folder, _, tokens):
    import torch
    import transformers
    torch.set_num_threads(1)
    model = transformers.BartForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32).eval()
    tokenizer = tokenizer_of(folder)

    def answer(queries):
        given = tokenizer(queries, return_tensors="pt", padding=True)
        with torch.inference_mode():
            said = model.generate(
                given["input_ids"], attention_mask=given["attention_mask"],
                num_beams=1, do_sample=False, min_new_tokens=tokens,
                max_new_tokens=tokens or MAX_TOKENS)
        check_length(said[:, 1:], tokens)  # the first is the decoder's start
        return [text.strip() for text in
                tokenizer.batch_decode(said, skip_special_tokens=True)]
    return answer


def onnx_session(folder, part, precision):
    """A session of the encoder's graph, or of the decoder's."""
    import onnxruntime
    made = WORK / f"{folder.name}-onnx"
    path, quantised = made / f"{part}.onnx", made / f"{part}-int8.onnx"
    if outdated(path, folder):
        import onnx_bart
        made.mkdir(exist_ok=True)
        onnx_bart.export(folder, made / "encoder.onnx", made / "decoder.onnx")
    if precision == "int8" and outdated(quantised, folder):
        import onnx_bart
        onnx_bart.quantise(path, quantised)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = (
        onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
    return onnxruntime.InferenceSession(
        str(quantised if precision == "int8" else path), options,
        providers=["CPUExecutionProvider"])


def onnxruntime_model(folder, precision, tokens):
    import numpy
    encoder = onnx_session(folder, "encoder", precision)
    decoder = onnx_session(folder, "decoder", precision)
    tokenizer = tokenizer_of(folder)
    config = json.loads((folder / "config.json").read_text())
    start, end = config["decoder_start_token_id"], config["eos_token_id"]
    _, _, _, *kept = [given.name for given in decoder.get_inputs()]
    sources, pasts = kept[:len(kept) // 2], kept[len(kept) // 2:]
    _, heads, _, size = decoder.get_inputs()[-1].shape

    # Without IO binding: with it, this takes as long.
    def decode(batch, given):
        token = numpy.full(batch, start)
        going = numpy.ones(batch, bool)
        past = [numpy.zeros((batch, heads, 0, size), numpy.float32)] * len(
            pasts)
        for step in range(tokens or MAX_TOKENS):
            token, *past = decoder.run(None, {
                "ids": token[:, None], "position": numpy.array([step]),
                **given, **dict(zip(pasts, past))})
            token = numpy.where(going, token, end)
            yield token
            if not tokens:
                going &= token != end
            if not going.any():
                return

    def answer(queries):
        given = tokenizer(queries, return_tensors="np", padding=True)
        mask = given["attention_mask"][:, None, None]
        bias = numpy.where(mask, 0, PADDING_BIAS).astype(numpy.float32)
        if mask.all():
            bias = bias[:1, ..., :1]
        states = encoder.run(None, {"ids": given["input_ids"], "bias": bias})
        said = numpy.stack([*decode(
            len(queries), {"bias": bias, **dict(zip(sources, states))})], 1)
        return [text.strip() for text in
                tokenizer.batch_decode(said, skip_special_tokens=True)]
    return answer


RIVALS = {
    "CTranslate2 fp32": (ctranslate2_model, "float32"),
    "CTranslate2 int8": (ctranslate2_model, "int8"),
    "ONNX Runtime fp32": (onnxruntime_model, "fp32"),
    "ONNX Runtime int8": (onnxruntime_model, "int8"),
    "Transformers fp32": (transformers_model, "fp32"),
}


def timed(answer, queries, batch):
    """Answers, and milliseconds of each batch."""
    answers, times = [], []
    for i in range(0, len(queries), batch):
        start = time.perf_counter()
        answers += answer(queries[i:i + batch])
        times.append(1e3 * (time.perf_counter() - start))
    return {"answers": answers, "times_ms": times}


def main():
    name, folder, *tokens = sys.argv[1:]
    # What libraries print must not come between the answers.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    make, precision = RIVALS[name]
    answer = make(pathlib.Path(folder), precision,
                  int(tokens[0]) if tokens else None)
    print("{}", file=replies, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(timed(answer, asked["queries"], asked["batch"])),
              file=replies, flush=True)


if __name__ == "__main__":
    main()
