"""2,000 idle connections, mixed load, models that come and go: no error, right
answers, no growth. SOAK_SECONDS (default 600) long.

SOAK_MAX_GROWTH: of resident memory, 1.1; SOAK_GRPC=0 leaves gRPC out: of a
server under TSan, which sees nothing of the gRPC library.
"""
import http.client
import json
import os
import pathlib
import random
import resource
import shutil
import socket
import sys
import threading
import time

import numpy as np
import pytest
import tritonclient.grpc as grpc_client

from web import server as server_process

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
MAX_GROWTH = float(os.environ.get("SOAK_MAX_GROWTH", "1.1"))
WITH_GRPC = os.environ.get("SOAK_GRPC", "1") != "0"
IDLE = 2000
WORKERS = 8
PAUSE_S = 0.04  # of a worker, in the mean: some 150 requests a second
MAX_MORE = 16  # threads and open files, which come and go
PLAN = server_process.ROOT / "build/models/minilm/int8.plan"
TEXTS = ["sad songs for rainy days", "bohemian rapsody queen", "久石譲", "x",
         "beetles yesterdy", "a podcast about the history of the roman empire"]
# A target, what is sent, the status that it has to get.
REFUSED = [("/v2/models/nobody/infer", "{}", 404),
           ("/v2/models/encoder/infer", "{", 400),
           ("/v2/models/encoder/infer", '{"inputs": []}', 400),
           ("/v2/models/encoder/versions/9/infer", "{}", 404),
           ("/v1/embeddings", '{"model": "encoder"}', 400)]


def text_input(text):
    return json.dumps({"inputs": [{"name": "TEXT", "datatype": "BYTES",
                                   "shape": [1, 1], "data": [text]}]})


def numbers_input():
    data = list(range(16))
    return json.dumps({"inputs": [
        {"name": name, "datatype": "INT32", "shape": [1, 16], "data": data}
        for name in ("INPUT0", "INPUT1")]})


class Connection:
    """A kept connection to one port."""

    def __init__(self, port):
        self.http = http.client.HTTPConnection("127.0.0.1", port, 60)

    def send(self, method, target, body=None):
        self.http.request(method, target, body)
        answer = self.http.getresponse()
        return answer.status, answer.read()

    def ask(self, method, target, body=None):
        status, content = self.send(method, target, body)
        assert status == 200, (target, status, content[:300])
        return content

    def infer(self, model, body):
        content = self.ask("POST", f"/v2/models/{model}/infer", body)
        return {one["name"]: one["data"]
                for one in json.loads(content)["outputs"]}


class Worker(threading.Thread):
    """Steps until told to stop; the first wrong answer stops all."""

    def __init__(self, number, server, stop):
        super().__init__(daemon=True)
        self.server, self.stop = server, stop
        self.random = random.Random(number)
        self.models = Connection(server.http_port)
        self.requests, self.failure = 0, None

    def run(self):
        try:
            while not self.stop.is_set():
                self.step()
                self.requests += 1
                self.stop.wait(self.random.uniform(0, 2 * self.pause()))
        except Exception as error:  # reported by the test
            self.failure = f"{type(self).__name__}: {error!r}"
            self.stop.set()

    def pause(self):
        return PAUSE_S


class Asker(Worker):
    """All that the protocol has, good and bad."""

    def __init__(self, number, server, stop, embeddings):
        super().__init__(number, server, stop)
        self.embeddings = embeddings
        self.product = Connection(server.port)
        self.metrics = Connection(server.metrics_port)

    def step(self):
        text = self.random.choice(TEXTS)
        kind = self.random.random()
        if kind < 0.4:
            outputs = self.models.infer("encoder", text_input(text))
            assert outputs["EMBEDDING"] == self.embeddings[text], text
        elif kind < 0.55:
            body = text_input(text).replace("[1, 1]", "[1]")
            outputs = self.models.infer("corrector", body)
            assert outputs["CORRECTED"] and outputs["PASSES"][0] >= 1
        elif kind < 0.7:
            outputs = self.models.infer("addsub", numbers_input())
            assert outputs["OUTPUT0"] == [2 * i for i in range(16)]
        elif kind < 0.8:
            content = self.product.ask("GET", "/v1/search?q=hey+jude+beatles")
            assert json.loads(content)["best"]["title"] == "Hey Jude"
        elif kind < 0.9:
            target, body, wanted = self.random.choice(REFUSED)
            status, content = self.models.send("POST", target, body)
            assert status == wanted, (target, status, content)
            assert json.loads(content)["error"]
        elif kind < 0.95:
            self.models.ask("GET", "/v2/models/stats")
        else:
            assert b"nv_inference_count" in self.metrics.ask("GET", "/metrics")


class Loader(Worker):
    """Loads, replaces and unloads models and asks them."""

    def pause(self):
        return 5 * PAUSE_S

    def load(self, name, config=None):
        parameters = {} if config is None else {"config": json.dumps(config)}
        return self.models.send("POST", f"/v2/repository/models/{name}/load",
                                json.dumps({"parameters": parameters}))

    def step(self):
        config = {"backend": "addsub",
                  "max_batch_size": self.random.randrange(1, 64),
                  "instance_group": [{"count": self.random.randrange(1, 5)}]}
        status, content = self.load("add", config)
        assert status == 200, content
        outputs = self.models.infer("add", numbers_input())
        assert outputs["OUTPUT1"] == [0] * 16
        status, content = self.load("add", {"max_batch_size": -1})
        assert status == 400, (status, content)
        if self.requests % 10 == 0:
            self.change_encoder()

    def change_encoder(self):
        status, content = self.load("second")
        assert status == 200, content
        both = [self.models.infer(name, text_input(TEXTS[0]))["EMBEDDING"]
                for name in ("encoder", "second")]
        assert both[0] == both[1]
        for name in ("second", "add"):
            self.models.ask("POST", f"/v2/repository/models/{name}/unload",
                            "{}")


class GrpcAsker(Worker):
    def __init__(self, number, server, stop, embeddings):
        super().__init__(number, server, stop)
        self.embeddings = embeddings
        self.client = grpc_client.InferenceServerClient(
            f"127.0.0.1:{server.grpc_port}")

    def step(self):
        text = self.random.choice(TEXTS)
        given = grpc_client.InferInput("TEXT", [1, 1], "BYTES")
        given.set_data_from_numpy(np.array([[text.encode()]], dtype=object))
        embedding = self.client.infer("encoder", [given]).as_numpy("EMBEDDING")
        wanted = np.array(self.embeddings[text], np.float32)
        assert (embedding[0] == wanted).all(), text


class Idle:
    """Connections that say a word at the start and one at the end."""

    WORD = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def __init__(self, port):
        self.sockets = [socket.create_connection(("127.0.0.1", port), 60)
                        for _ in range(IDLE)]

    def say(self):
        for one in self.sockets:
            one.sendall(self.WORD)
            answer = one.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200"), answer


class Use:
    """What the process holds."""

    def __init__(self, pid):
        folder = pathlib.Path(f"/proc/{pid}")
        self.files = len(os.listdir(folder / "fd"))
        self.threads = len(os.listdir(folder / "task"))
        status = (folder / "status").read_text().splitlines()
        line = next(one for one in status if one.startswith("VmRSS"))
        self.mebibytes = int(line.split()[1]) / 1024

    def __str__(self):
        return (f"{self.mebibytes:.0f} MiB, {self.files} files, "
                f"{self.threads} threads")


@pytest.fixture
def server(tmp_path):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert hard > IDLE + 200, "ulimit -Hn is too low for idle connections"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    repository = tmp_path / "repository"
    (repository / "second/1").mkdir(parents=True)
    shutil.copy(PLAN, repository / "second/1/model.plan")
    (repository / "add/1").mkdir(parents=True)
    options = ["--test-models", "--model-repository", repository,
               "--model-control-mode", "explicit", "--idle-timeout-secs",
               86400] + ([] if WITH_GRPC else ["--no-grpc"])
    process = server_process.Server(tmp_path, *options)
    process.start()
    yield process
    if process.process.poll() is None:
        process.stop()


def test_serves_for_long(server):
    first = Connection(server.http_port)
    embeddings = {text: first.infer("encoder", text_input(text))["EMBEDDING"]
                  for text in TEXTS}
    idle = Idle(server.http_port)
    idle.say()
    stop = threading.Event()
    workers = [Asker(i, server, stop, embeddings) for i in range(WORKERS)]
    workers.append(Loader(WORKERS, server, stop))
    if WITH_GRPC:
        workers.append(GrpcAsker(WORKERS + 1, server, stop, embeddings))
    for worker in workers:
        worker.start()
    stop.wait(SECONDS / 10)
    early = Use(server.process.pid)
    stop.wait(SECONDS * 9 / 10)
    stop.set()
    for worker in workers:
        worker.join(timeout=60)
    failures = [worker.failure for worker in workers if worker.failure]
    assert not failures, failures
    assert not any(worker.is_alive() for worker in workers)
    late = Use(server.process.pid)
    print(f"{sum(worker.requests for worker in workers)} steps in "
          f"{SECONDS:.0f} s, {workers[WORKERS].requests} of them loads; {early}"
          f"; at the end {late}", file=sys.stderr)
    idle.say()
    assert late.mebibytes < early.mebibytes * MAX_GROWTH
    assert late.files <= early.files + MAX_MORE
    assert late.threads <= early.threads + MAX_MORE
    server.process.terminate()
    assert server.process.wait(timeout=60) == 0, server.log.read_text()
