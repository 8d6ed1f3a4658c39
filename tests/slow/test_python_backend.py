"""The encoder as teams deploy it in Triton, run by Quaver without a change: a
Python model that runs ONNX Runtime. Needs the environment of the benchmarks."""
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

from web import server as server_process

ROOT = server_process.ROOT
MODEL = ROOT / "build/models/minilm"
BENCH = ROOT / "build/venv-bench/bin"
TEXTS = ["sad songs for rainy days", "x", "Beyoncé", "", "a podcast about the "
         "history of the roman empire, told slowly", "bohemian rhapsody"]

EXPORT = """
import sys, torch, transformers
model = transformers.AutoModel.from_pretrained(
    sys.argv[1], attn_implementation="eager").eval()
class Pooled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model
    def forward(self, input_ids, attention_mask):
        states = self.model(input_ids=input_ids,
                            attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        return (states * mask).sum(1) / mask.sum(1)
example = torch.ones((2, 8), dtype=torch.int64)
axes = {name: {0: "B", 1: "T"} for name in ("input_ids", "attention_mask")}
torch.onnx.export(Pooled(), (example, example), sys.argv[2], dynamo=False,
                  input_names=list(axes), output_names=["embedding"],
                  dynamic_axes={**axes, "embedding": {0: "B"}})
"""

# One text at a time, in this process: no batches, no padding, no server.
ALONE = """
import json, sys, numpy, onnxruntime, tokenizers
tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
tokenizer.no_truncation()
tokenizer.no_padding()
session = onnxruntime.InferenceSession(sys.argv[2],
                                       providers=["CPUExecutionProvider"])
rows = []
for text in json.load(sys.stdin):
    ids = numpy.array([tokenizer.encode(text).ids], numpy.int64)
    rows += session.run(None, {"input_ids": ids, "attention_mask":
                               numpy.ones_like(ids)})[0].tolist()
json.dump(rows, sys.stdout)
"""


def run_python(program, *arguments, text=""):
    done = subprocess.run([BENCH / "python", "-c", program, *arguments],
                          input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(name="onnx", scope="module")
def export(tmp_path_factory):
    probe = [BENCH / "python", "-c", "import onnxruntime, transformers"]
    if not BENCH.exists() or subprocess.run(probe, check=False).returncode:
        pytest.skip("build/venv-bench is not there: tools/setup.sh bench")
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    run_python(EXPORT, MODEL, path)
    return path


@pytest.fixture(name="port")
def serve(onnx, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{BENCH}{os.pathsep}{os.environ['PATH']}")
    repository = tmp_path / "models"
    shutil.copytree(ROOT / "bench/serving/triton", repository)
    config = repository / "embed/config.pbtxt"
    config.write_text(
        config.read_text().replace('"MODEL"', f'"{onnx}"').replace(
            '"TOKENIZER"', f'"{MODEL / "tokenizer.json"}"'))
    server = server_process.Server(tmp_path, "--model-repository", repository)
    server.start()
    wait_until_ready(server)
    yield server.http_port
    server.stop()


def wait_until_ready(server):
    """Until the models are there, too."""
    limit = time.monotonic() + server_process.START_LIMIT_S
    url = f"http://127.0.0.1:{server.http_port}/v2/health/ready"
    while True:
        try:
            with urllib.request.urlopen(url):
                return
        except urllib.error.URLError:
            assert time.monotonic() < limit, server.log.read_text()
            time.sleep(0.1)


def test_an_unchanged_python_model_answers_as_its_libraries_do(onnx, port):
    body = {"inputs": [{"name": "TEXT", "shape": [len(TEXTS), 1],
                        "datatype": "BYTES", "data": TEXTS}]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v2/models/embed/infer",
        json.dumps(body).encode())
    with urllib.request.urlopen(request) as answer:
        output, = json.load(answer)["outputs"]
    assert output["name"] == "EMBEDDING" and output["datatype"] == "FP32"
    assert output["shape"] == [len(TEXTS), 384]
    embeddings = np.array(output["data"]).reshape(output["shape"])
    alone = json.loads(run_python(ALONE, MODEL / "tokenizer.json", onnx,
                                  text=json.dumps(TEXTS)))
    np.testing.assert_allclose(embeddings, alone, atol=1e-4)
