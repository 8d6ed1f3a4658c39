"""The encoder as teams deploy it in Triton, run by Quaver without a change: a
Python model that runs ONNX Runtime."""
import json
import os
import pathlib
import shutil
import sys
import time
import urllib.error
import urllib.request

import numpy as np
import onnxruntime
import pytest
import tokenizers
import torch
import transformers

from web import server as server_process

ROOT = server_process.ROOT
MODEL = ROOT / "build/models/minilm"
TEXTS = ["sad songs for rainy days", "x", "Beyoncé", "", "a podcast about the "
         "history of the roman empire, told slowly", "bohemian rhapsody"]


class Pooled(torch.nn.Module):
    """Token ids to the mean of their states."""

    def __init__(self):
        super().__init__()
        self.model = transformers.AutoModel.from_pretrained(
            MODEL, attn_implementation="eager").eval()

    def forward(self, input_ids, attention_mask):
        states = self.model(input_ids=input_ids,
                            attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        return (states * mask).sum(1) / mask.sum(1)


@pytest.fixture(name="onnx", scope="module")
def export(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    example = torch.ones((2, 8), dtype=torch.int64)
    axes = {name: {0: "B", 1: "T"} for name in ("input_ids", "attention_mask")}
    torch.onnx.export(Pooled(), (example, example), path, dynamo=False,
                      input_names=list(axes), output_names=["embedding"],
                      dynamic_axes={**axes, "embedding": {0: "B"}})
    return path


@pytest.fixture(name="port")
def serve(onnx, tmp_path, monkeypatch):
    packages = pathlib.Path(sys.executable).parent  # of the models' python3
    monkeypatch.setenv("PATH", f"{packages}{os.pathsep}{os.environ['PATH']}")
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


def embed_alone(onnx):
    """One text at a time, in this process: no batches, no padding, no server.
    """
    tokenizer = tokenizers.Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    session = onnxruntime.InferenceSession(onnx,
                                           providers=["CPUExecutionProvider"])
    for text in TEXTS:
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        yield session.run(None, {"input_ids": ids,
                                 "attention_mask": np.ones_like(ids)})[0][0]


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
    np.testing.assert_allclose(embeddings, list(embed_alone(onnx)), atol=1e-4)
