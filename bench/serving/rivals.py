"""The model server under load, beside Triton.

usage: rivals.py --triton VENV [--onnx FILE] [--index DIR] [--queries FILE]
                 [--bart PLAN] [--pairs FILE] [--seconds S] [--out DIR]
Both servers hold the same encoder and are asked by the same open-loop generator
on the same machine (`quaver bench load`), one after the other at each rate;
answers are compared first. Then what only Quaver does: the shipped corrector,
the whole search over --index, and bart-base's shape from --bart. Writes a
Markdown table and JSON. Run nothing else meanwhile.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
QUAVER = os.environ.get("QUAVER_BIN", str(ROOT / "build/release/quaver"))
MINILM = ROOT / "build/models/minilm"
RATES = [200, 400, 600, 800, 900, 1000, 1200, 1500, 1800, 2100, 2400, 2700,
         3000]
LIMIT_MS = 25  # of p99, for the highest rate
LEAST_MEAN_COSINE = 0.9  # the rival's int8 is rough on short texts


def wait_until_ready(port, process, path="/v2/health/ready"):
    limit = time.monotonic() + 180
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}"):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > limit:
                sys.exit(f"no server on port {port}")
            time.sleep(0.2)


class Server:
    def __init__(self, name, port, command, log, environment=None):
        self.name, self.port = name, port
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdout=out, stderr=out,
                env={**os.environ, **(environment or {})})
        wait_until_ready(port, self.process)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)

    def load(self, rate, seconds, *request):
        done = subprocess.run(
            [QUAVER, "bench", "load", "--port", str(self.port), "--rate",
             str(rate), "--seconds", str(seconds), "--warmup-seconds", "2",
             "--connections", "128", "--json", *map(str, request)],
            check=True, capture_output=True, text=True)
        return {"server": self.name, **json.loads(done.stdout)}


def start_triton(venv, onnx, work):
    site = next((venv / "lib").glob("python3*/site-packages"))
    home = site / "pytriton/tritonserver"
    version = site.parent.name.removeprefix("python")
    stub = home / "backends/python/triton_python_backend_stub"
    if not stub.exists():
        shutil.copy(home / f"python_backend_stubs/{version}/{stub.name}", stub)
    repository = work / "triton"
    shutil.rmtree(repository, ignore_errors=True)
    shutil.copytree(HERE / "triton", repository)
    config = repository / "embed/config.pbtxt"
    config.write_text(config.read_text()
                      .replace('"MODEL"', json.dumps(str(onnx)))
                      .replace('"TOKENIZER"',
                               json.dumps(str(MINILM / "tokenizer.json"))))
    library = subprocess.run(
        [venv / "bin/python", "-c",
         "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))"],
        check=True, capture_output=True, text=True).stdout.strip()
    return Server("Triton", 8100, [
        home / "bin/tritonserver", f"--model-repository={repository}",
        f"--backend-directory={home / 'backends'}", "--http-address=127.0.0.1",
        "--http-port=8100", "--allow-grpc=false", "--allow-metrics=false"],
        work / "triton.log",
        {"LD_LIBRARY_PATH": f"{home / 'external_libs'}:{library}",
         "PYTHONPATH": str(site),
         "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
         "VIRTUAL_ENV": str(venv)})


def start_quaver(work, index=None, repository=None):
    command = [QUAVER, "serve", "--port", "8180", "--http-port", "8181",
               "--no-grpc", "--no-metrics", "--model", MINILM]
    if index:
        command += ["--index", index, "--corrector", ROOT / "models/corrector"]
    if repository:
        command += ["--model-repository", repository]
    return Server("Quaver", 8181, command, work / "quaver.log")


def read_queries(path):
    """Titles of a catalogue, or the first column of a file without a header."""
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    if "title" not in rows[0]:
        return [row[0] for row in rows[:2000]]
    place = rows[0].index("title")
    return [row[place] for row in rows[1:2001]]


def infer_body(name, text):
    return json.dumps({"inputs": [{"name": name, "shape": [1, 1],
                                   "datatype": "BYTES", "data": [text]}]})


def embedding(server, model, text):
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/v2/models/{model}/infer",
        infer_body("TEXT", text).encode())
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["outputs"][0]["data"]


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b))
    return dot / (sum(x * x for x in a) * sum(x * x for x in b)) ** 0.5


def compare_encoders(triton, quaver, queries, args):
    cosines = [cosine(embedding(triton, "embed", text),
                      embedding(quaver, "encoder", text))
               for text in queries[:50]]
    mean = sum(cosines) / len(cosines)
    print(f"cosine of the answers: mean {mean:.4f}, least {min(cosines):.4f}",
          file=sys.stderr)
    if mean < LEAST_MEAN_COSINE:
        sys.exit("the answers differ")
    bodies = args.out / "embed.jsonl"
    bodies.write_text("".join(infer_body("TEXT", text) + "\n"
                              for text in queries))
    rows, beaten = [], {"Triton": 0, "Quaver": 0}
    for rate in RATES:
        for server, model in ((triton, "embed"), (quaver, "encoder")):
            if beaten[server.name] >= 2:  # two rates in a row were too much
                continue
            row = server.load(rate, args.seconds, "--target",
                              f"/v2/models/{model}/infer", "--bodies", bodies)
            rows.append({"what": "encoder", **row})
            print(f"{server.name} {rate}/s: p50 {row['p50_ms']:.2f} p90 "
                  f"{row['p90_ms']:.2f} p99 {row['p99_ms']:.2f}",
                  file=sys.stderr)
            good = row["succeeded"] == row["sent"] and (
                row["p99_ms"] <= LIMIT_MS)
            beaten[server.name] = 0 if good else beaten[server.name] + 1
    return mean, rows


def measure(server, what, rates, seconds, *request):
    rows = []
    for rate in rates:
        row = server.load(rate, seconds, *request)
        rows.append({"what": what, **row})
        print(f"{what} {rate}/s: p50 {row['p50_ms']:.2f} p99 "
              f"{row['p99_ms']:.2f}", file=sys.stderr)
    return rows


def quaver_alone(args, queries):
    rows = []
    if args.index:
        server = start_quaver(args.out, index=args.index)
        bodies = args.out / "correct.jsonl"
        bodies.write_text("".join(
            json.dumps({"inputs": [{"name": "TEXT", "shape": [1],
                                    "datatype": "BYTES", "data": [text]}]})
            + "\n" for text in queries))
        rows += measure(server, "corrector", [300, 500, 700], args.seconds,
                        "--target", "/v2/models/corrector/infer", "--bodies",
                        bodies)
        targets = args.out / "search.txt"
        targets.write_text("".join(
            f"/v1/search?q={urllib.parse.quote(text)}\n" for text in queries))
        server.port = 8180
        rows += measure(server, "search", [100, 200, 300, 400], args.seconds,
                        "--targets", targets)
        server.stop()
    if args.bart:
        repository = args.out / "bart"
        shutil.rmtree(repository, ignore_errors=True)
        version = repository / "bart/1"
        version.mkdir(parents=True)
        (repository / "bart/config.pbtxt").write_text('backend: "corrector"\n')
        (version / "model.plan").symlink_to(pathlib.Path(args.bart).resolve())
        server = start_quaver(args.out, repository=repository)
        typed = [line.split("\t")[0] for line in
                 pathlib.Path(args.pairs).read_text().splitlines()]
        bodies = args.out / "bart.jsonl"
        bodies.write_text("".join(
            json.dumps({"inputs": [{"name": "TEXT", "shape": [1],
                                    "datatype": "BYTES", "data": [text]}]})
            + "\n" for text in typed))
        rows += measure(server, "bart-base's shape", [10, 20, 30, 40, 50],
                        args.seconds, "--target", "/v2/models/bart/infer",
                        "--bodies", bodies)
        server.stop()
    return rows


def table(rows):
    lines = ["| | requests/s | p50 ms | p90 ms | p99 ms | answered well |",
             "|---|---|---|---|---|---|"]
    for row in rows:
        lines.append(
            f"| {row['server']}, {row['what']} | {row['rate']:.0f} | "
            f"{row['p50_ms']:.2f} | {row['p90_ms']:.2f} | {row['p99_ms']:.2f} "
            f"| {row['succeeded']} of {row['sent']} |")
    return "\n".join(lines) + "\n"


def highest(rows, server):
    good = [row["rate"] for row in rows
            if row["server"] == server and row["what"] == "encoder"
            and row["p99_ms"] <= LIMIT_MS and row["succeeded"] == row["sent"]]
    return max(good, default=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--triton", type=pathlib.Path)
    parser.add_argument("--onnx", type=pathlib.Path,
                        default=ROOT / "build/bench/encoder-int8.onnx")
    parser.add_argument("--index")
    parser.add_argument("--queries", type=pathlib.Path,
                        default=ROOT / "data/demo/tracks.tsv")
    parser.add_argument("--bart")
    parser.add_argument("--pairs", default=ROOT / "bench/corrector/pairs.tsv")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--out", type=pathlib.Path,
                        default=ROOT / "build/bench/serving")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    queries = read_queries(args.queries)
    rows, mean = [], None
    if args.triton:
        triton = start_triton(args.triton.absolute(), args.onnx, args.out)
        quaver = start_quaver(args.out, repository=encoder_repository(args.out))
        mean, rows = compare_encoders(triton, quaver, queries, args)
        triton.stop()
        quaver.stop()
    rows += quaver_alone(args, queries)
    text = table(rows)
    if mean is not None:
        text += (f"\nMean cosine of the answers: {mean:.4f}. Highest rate "
                 f"with p99 of at most {LIMIT_MS} ms: Triton "
                 f"{highest(rows, 'Triton'):.0f}/s, Quaver "
                 f"{highest(rows, 'Quaver'):.0f}/s.\n")
    (args.out / "serving.md").write_text(text)
    (args.out / "serving.json").write_text(json.dumps(rows, indent=1))
    print(text)


def encoder_repository(work):
    repository = work / "encoder"
    shutil.rmtree(repository, ignore_errors=True)
    version = repository / "encoder/1"
    version.mkdir(parents=True)
    (repository / "encoder/config.pbtxt").write_text(
        'backend: "encoder"\nmax_batch_size: 32\n')
    for file in MINILM.iterdir():
        (version / file.name).symlink_to(file.resolve())
    return repository


if __name__ == "__main__":
    main()
