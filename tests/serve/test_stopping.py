"""How the server ends: drained, with its last answers, or by force."""
import http.client
import json
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from web import server as server_process

BODY = json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 1],
                               "datatype": "BYTES", "data": ["a"]}]})
LONG_MS = 1500


class Call(threading.Thread):
    """One request to a model that takes LONG_MS."""

    def __init__(self, server):
        super().__init__()
        self.connection = http.client.HTTPConnection("127.0.0.1",
                                                     server.http_port, 60)
        self.connection.connect()
        self.status = None
        self.begun = threading.Event()

    def run(self):
        self.connection.request("POST", "/v2/models/identity/infer", BODY)
        self.begun.set()
        try:
            self.status = self.connection.getresponse().status
        except (http.client.HTTPException, ConnectionError) as error:
            self.status = type(error).__name__


@pytest.fixture(name="make_server")
def make(tmp_path):
    made = []

    def start(*options, delay_ms=LONG_MS):
        server = server_process.Server(tmp_path / str(len(made)),
                                       "--test-models", "--test-delay-ms",
                                       delay_ms, *options)
        made.append(server)
        server.start()
        return server

    yield start
    for server in made:
        server.process.kill()
        server.process.wait()


def status_of(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, 10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (http.client.HTTPException, ConnectionError):
        return None
    finally:
        connection.close()


def called(server):
    call = Call(server)
    call.start()
    call.begun.wait()
    time.sleep(0.2)  # it is with the model
    return call


def test_readiness_drops_first_and_what_is_in_flight_is_answered(make_server):
    server = make_server("--drain-secs", "1")
    before = called(server)
    server.process.send_signal(signal.SIGTERM)
    while status_of(server.http_port, "/v2/health/ready") == 200:
        assert server.process.poll() is None
    assert status_of(server.http_port, "/v2/health/ready") == 400
    assert status_of(server.port, "/health/ready") == 503
    assert status_of(server.http_port, "/v2/health/live") == 200
    while_draining = called(server)
    before.join()
    while_draining.join()
    assert (before.status, while_draining.status) == (200, 200)
    assert server.process.wait(timeout=30) == 0
    assert status_of(server.http_port, "/v2/health/live") is None


def test_ctrl_c_drains_nothing_but_answers_what_is_in_flight(make_server):
    server = make_server("--drain-secs", "600")
    call = called(server)
    server.process.send_signal(signal.SIGINT)
    call.join()
    assert call.status == 200
    assert server.process.wait(timeout=30) == 0


def test_a_second_signal_ends_the_drain(make_server):
    server = make_server("--drain-secs", "600")
    server.process.send_signal(signal.SIGTERM)
    while status_of(server.http_port, "/v2/health/ready") == 200:
        assert server.process.poll() is None
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=30) == 0


def test_what_takes_longer_than_the_exit_timeout_is_dropped(make_server):
    server = make_server("--exit-timeout-secs", "0")
    call = called(server)
    server.process.send_signal(signal.SIGTERM)
    call.join()
    assert call.status != 200
    assert server.process.wait(timeout=30) == 0


def test_a_model_that_never_returns_does_not_keep_the_process(make_server):
    server = make_server("--exit-timeout-secs", "1", delay_ms=60_000)
    call = called(server)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=30) == 0
    call.join()
    assert call.status != 200


# Says where its process is, and never is ready.
ENDLESS_START = """
import os, pathlib, time

class TritonPythonModel:
    def initialize(self, args):
        pathlib.Path(__file__).with_name("pid").write_text(str(os.getpid()))
        time.sleep(1e6)

    def execute(self, requests):
        return []
"""


def test_a_signal_while_models_load_ends_the_start(tmp_path):
    version = tmp_path / "models/endless/1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(ENDLESS_START)
    (version.parent / "config.pbtxt").write_text(f'''backend: "python"
        input {{ name: "IN" data_type: TYPE_INT32 dims: [1] }}
        output {{ name: "OUT" data_type: TYPE_INT32 dims: [1] }}
        parameters {{ key: "EXECUTION_ENV_PATH"
                      value: {{ string_value: "{sys.prefix}" }} }}''')
    process = subprocess.Popen(
        [server_process.BIN, "serve", "--model-repository",
         tmp_path / "models", "--no-metrics", "--port", "0", "--http-port",
         "0", "--grpc-port", "0"], stdout=subprocess.DEVNULL)
    try:
        while not (version / "pid").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
    script = pathlib.Path("/proc", (version / "pid").read_text())
    while script.exists() and "Z" not in state_of(script):
        time.sleep(0.02)


def state_of(process):
    try:
        return (process / "stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "Z"
