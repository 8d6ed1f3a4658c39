"""NVIDIA's perf_analyzer drives the model server over HTTP and gRPC.

Its time windows are short and any spread of the results is stable enough: it
says whether the server answers what that client sends, not how fast. Needs
build/release/quaver, and build/perf-analyzer of tools/setup.sh slow.
"""
import csv
import json
import os
import re
import subprocess
import urllib.request

import pytest

from web import server as server_process

FOLDER = server_process.ROOT / "build/perf-analyzer"
FAILED = 99  # its exit status
WINDOWS = ["--measurement-interval", "500", "--max-trials", "3",
           "--stability-percentage", "99999"]
MODELS = ["identity_fp32", "encoder", "corrector"]

# What --input-data takes, by the name that FILE below is filled in with.
DATA = {
    "texts": [{"TEXT": ["sad songs for rainy days"]}, {"TEXT": ["Beyoncé"]}],
    "ids": [{"INPUT_IDS": {"content": [101, 2000, 102], "shape": [3]},
             "ATTENTION_MASK": {"content": [1, 1, 1], "shape": [3]}}],
    "queries": [{"TEXT": ["bohemian rapsody"]}, {"TEXT": ["taylor swft"]}],
    "drafts": [{"TEXT": ["bohemian rapsody"], "N_BEST": [2],
                "DRAFTS": {"content": ["bohemian rhapsody", "bohemia"],
                           "shape": [2]}}],
}
INPUTS = {"identity_fp32": "--shape INPUT0:1",
          "encoder": "--input-data {texts}",
          "corrector": "--input-data {queries}"}

STREAM = "--async --streaming --concurrency-range 4"
LOADS = [
    ("http", "identity_fp32", "--shape INPUT0:10000 --concurrency-range 4"),
    ("http", "identity_fp32", "--shape INPUT0:16 --async "
     "--concurrency-range 4"),
    ("http", "identity_fp32", "--shape INPUT0:16 --request-rate-range 100"),
    ("http", "identity_fp32", "--shape INPUT0:16 -b 8 "
     "--input-tensor-format json --output-tensor-format json"),
    ("http", "identity_fp32", "--shape INPUT0:16 --verbose-csv "
     "--collect-metrics --metrics-url 127.0.0.1:{metrics_port}/metrics"),
    ("http", "encoder", "--input-data {ids}"),
    ("http", "encoder", "--input-data {texts} -b 4 --concurrency-range 4"),
    ("grpc", "identity_fp32", "--shape INPUT0:10000 --concurrency-range 4"),
    ("grpc", "identity_fp32", "--shape INPUT0:16 --async "
     "--concurrency-range 4"),
    ("grpc", "identity_fp32", "--shape INPUT0:16 "
     "--grpc-compression-algorithm gzip"),
    ("grpc", "identity_fp32", f"--shape INPUT0:16 {STREAM}"),
    ("grpc", "encoder", f"--input-data {{texts}} -b 4 {STREAM}"),
    ("grpc", "corrector", f"--input-data {{queries}} {STREAM}"),
    ("grpc", "corrector", "--input-data {drafts}"),
]


@pytest.fixture(scope="module", name="server")
def start(tmp_path_factory):
    process = server_process.Server(tmp_path_factory.mktemp("analyzed"),
                                    "--test-models", "--server-name", "triton")
    process.start()
    yield process
    alive = process.is_ready()
    process.stop()
    assert alive
    assert process.process.returncode == 0


@pytest.fixture(scope="module", name="data")
def write_data(tmp_path_factory):
    """Paths by the names of DATA."""
    folder = tmp_path_factory.mktemp("data")
    paths = {name: folder / f"{name}.json" for name in DATA}
    for name, path in paths.items():
        path.write_text(json.dumps({"data": DATA[name]}))
    return paths


class Analyzer:
    """Runs against one server; keeps the file of the last run."""

    def __init__(self, server, data, table):
        self.server, self.data, self.table = server, data, table

    def run(self, protocol, model, options):
        """Exit status and output."""
        words = options.format(metrics_port=self.server.metrics_port,
                               **self.data).split()
        port = {"http": self.server.http_port, "grpc": self.server.grpc_port}
        done = subprocess.run(
            [FOLDER / "perf_analyzer", "-m", model, "-i", protocol,
             "-u", f"127.0.0.1:{port[protocol]}", "-f", self.table,
             *WINDOWS, *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=60, check=False,
            env={**os.environ, "LD_LIBRARY_PATH": str(FOLDER)})
        return done.returncode, done.stdout

    def counts(self, model):
        """The server's: requests that succeeded and that failed, inferences."""
        url = f"http://127.0.0.1:{self.server.http_port}/v2/models/{model}/stats"
        with urllib.request.urlopen(url) as answer:
            stats = json.load(answer)["model_stats"][0]
        return (stats["inference_stats"]["success"]["count"],
                stats["inference_stats"]["fail"]["count"],
                stats["inference_count"])


@pytest.fixture(name="analyzer")
def make_analyzer(server, data, tmp_path):
    return Analyzer(server, data, tmp_path / "table.csv")


def check(analyzer, protocol, model, options):
    """Every request of a run succeeds, and the server has counted them all."""
    before = analyzer.counts(model)
    status, output = analyzer.run(protocol, model, options)
    succeeded, failed, inferences = (
        new - old for new, old in zip(analyzer.counts(model), before))
    assert status == 0, output
    # It warns of late requests on a busy machine, and of missing GPUs.
    assert not re.search("error|fail", output, re.I), output

    batch_size = int(re.search(r"Batch size: (\d+)", output)[1])
    requests = int(re.search(r"Request count: (\d+)", output)[1])
    assert failed == 0
    assert succeeded >= requests > 0
    assert inferences >= requests * batch_size
    # It has found the server's statistics, and they have moved.
    assert int(re.search(r"Successful request count: (\d+)", output)[1]) > 0

    with analyzer.table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1
    assert float(rows[0]["Inferences/Second"]) > 0


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_keeps_requests_in_flight(analyzer, protocol, model, concurrency):
    check(analyzer, protocol, model,
          f"{INPUTS[model]} --concurrency-range {concurrency}")


@pytest.mark.parametrize("protocol, model, options", LOADS,
                         ids=map(" ".join, LOADS))
def test_sends_what_else_it_can(analyzer, protocol, model, options):
    check(analyzer, protocol, model, options)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_says_what_the_server_refuses(analyzer, protocol):
    before = analyzer.counts("identity_fp32")
    status, output = analyzer.run(protocol, "identity_fp32",
                                  "--shape INPUT0:1 -b 9")
    assert status == FAILED
    assert ("inference request batch-size must be <= 8 for 'identity_fp32'"
            in output)
    after = analyzer.counts("identity_fp32")
    assert after == (before[0], before[1] + 1, before[2])
