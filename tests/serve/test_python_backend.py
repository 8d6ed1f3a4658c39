"""Models that are users' scripts, in processes of their own."""
import http.client
import json
import os
import pathlib
import signal
import sys
import time

import numpy as np
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from tritonclient.utils import InferenceServerException

from serve import test_repository
from web import server as server_process

EXAMPLE = server_process.ROOT / "examples/python_backend/models"
CORRECTOR = server_process.ROOT / "models/corrector"
QUERIES = ["bohemain rapsody", "taylor swft", "hey jude", "x", "Beyoncé",
           "sad songs for rainy days", "the quen is ded", "nirvna nevermnd"]

# Does what its text says; answers with its process.
SCRIPT = b"""
import json, os, time
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        config.add_input({"name": "TEXT", "data_type": "TYPE_STRING",
                          "dims": [1]})
        config.add_output({"name": "OUT", "data_type": "TYPE_STRING",
                           "dims": [1]})
        config.add_output({"name": "MORE", "data_type": "TYPE_STRING",
                           "dims": [1]})
        config.set_max_batch_size(4)
        config.set_dynamic_batching()
        return config

    def execute(self, requests):
        return [self.answer(each) for each in requests]

    def answer(self, request):
        text = pb_utils.get_input_tensor_by_name(request, "TEXT").as_numpy()
        todo = text[0, 0].decode()
        if todo == "raise":
            raise ValueError("a script's own words")
        if todo == "slow":
            time.sleep(1)
        if todo == "exit":
            os._exit(3)
        if todo == "print":
            print("printed by a script")
        seen = {"id": request.request_id(), "process": os.getpid(),
                "wanted": request.requested_output_names(),
                "ready": [name for name in ["script", "spell", "absent"]
                          if pb_utils.is_model_ready(name)],
                "parameters": json.loads(request.parameters())}
        return pb_utils.InferenceResponse([pb_utils.Tensor(
            "OUT", np.full(text.shape, json.dumps(seen), object))])
"""

# Leaves a file for each instance that was asked.
WARM_CONFIG = '''
    backend: "python"
    input { name: "TEXT" data_type: TYPE_STRING dims: [1] }
    output { name: "OUT" data_type: TYPE_STRING dims: [1] }
    instance_group { count: 3 kind: KIND_CPU }
    model_warmup { name: "warm" inputs { key: "TEXT" value {
        data_type: TYPE_STRING dims: [1] random_data: true } } }
'''
WARM = b"""
import pathlib
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        config.set_max_batch_size(4)
        config.set_dynamic_batching()
        return config

    def initialize(self, args):
        self.marker = pathlib.Path(args["model_repository"],
                                   "warm_" + args["model_instance_name"])

    def execute(self, requests):
        self.marker.touch()
        return [pb_utils.InferenceResponse([pb_utils.Tensor(
            "OUT", request.inputs()[0].as_numpy())]) for request in requests]
"""


@pytest.fixture(name="server", scope="module")
def serve(tmp_path_factory):
    server = test_repository.ModelServer(
        tmp_path_factory.mktemp("python"), "--model-repository", EXAMPLE)
    server.add("script", 'backend: "python"', files={"model.py": SCRIPT})
    server.add("warm", WARM_CONFIG, files={"model.py": WARM})
    server.add("corrector", 'backend: "corrector"')
    for path in CORRECTOR.iterdir():
        (server.repository / "corrector/1" / path.name).symlink_to(path)
    with pytest.MonkeyPatch.context() as patch:  # python3 with numpy
        folder = pathlib.Path(sys.executable).parent
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        with server:
            yield server


@pytest.fixture(name="client", scope="module")
def connect(server):
    with http_client.InferenceServerClient(server.address,
                                           concurrency=8) as client:
        yield client


def text_input(texts, kind=http_client, shape=None):
    array = np.array([text.encode() for text in texts], object)
    tensor = kind.InferInput("TEXT", shape or [len(texts), 1], "BYTES")
    tensor.set_data_from_numpy(array.reshape(tensor.shape()))
    return [tensor]


def expected(client, text):
    answer = client.infer("corrector", text_input([text], shape=[1]))
    return answer.as_numpy("CORRECTED")[0].decode()


def test_a_script_that_drives_networks_gives_the_correctors_answers(client):
    wanted = [expected(client, text) for text in QUERIES]
    answer = client.infer("spell", text_input(QUERIES))
    together = answer.as_numpy("CORRECTED")
    assert together.shape == (len(QUERIES), 1)
    assert [text.decode().strip() for text in together[:, 0]] == wanted
    pending = [client.async_infer("spell", text_input([text]))
               for text in QUERIES]
    alone = [each.get_result().as_numpy("CORRECTED") for each in pending]
    assert [text[0, 0].decode().strip() for text in alone] == wanted


def ask(client, todo="", **options):
    answer = client.infer("script", text_input([todo]), **options)
    return json.loads(answer.as_numpy("OUT")[0, 0])


def process_of(client):
    """Asks until there is one."""
    limit = time.monotonic() + test_repository.LIMIT_S
    while True:
        try:
            return ask(client)["process"]
        except InferenceServerException as error:
            assert "Python process" in error.message(), error
            assert time.monotonic() < limit


def test_the_script_completes_its_configuration(client):
    config = client.get_model_config("script")
    assert config["max_batch_size"] == 4
    assert "dynamic_batching" in config
    assert config["input"][0]["data_type"] == "TYPE_STRING"
    metadata = client.get_model_metadata("script")
    assert metadata["platform"] == "python"
    assert metadata["outputs"] == [
        {"name": "OUT", "datatype": "BYTES", "shape": [-1, 1]},
        {"name": "MORE", "datatype": "BYTES", "shape": [-1, 1]}]


def test_the_script_completes_what_names_its_tensors(client):
    config = client.get_model_config("warm")
    assert config["max_batch_size"] == 4
    assert "dynamic_batching" in config
    assert config["output"][0]["dims"] == [1]
    metadata = client.get_model_metadata("warm")
    assert metadata["outputs"][0]["shape"] == [-1, 1]


def test_every_instance_is_warm(server):
    warm = [path.name for path in (server.repository / "warm").glob("warm_*")]
    assert sorted(warm) == ["warm_warm_0_0", "warm_warm_0_1", "warm_warm_0_2"]


def test_the_script_sees_the_request(server, client):
    seen = ask(client, request_id="q7", parameters={"lang": "en"})
    assert seen["id"] == "q7" and seen["parameters"]["lang"] == "en"
    assert seen["wanted"] == ["OUT", "MORE"]
    assert seen["ready"] == ["script", "spell"]
    seen = ask(client, outputs=[http_client.InferRequestedOutput("OUT")])
    assert seen["wanted"] == ["OUT"]
    with grpc_client.InferenceServerClient(server.grpc_address) as other:
        answer = other.infer("script", text_input([""], grpc_client))
    assert str(seen["process"]) in answer.as_numpy("OUT")[0, 0].decode()


def test_what_a_script_raises_is_the_callers_error(server, client):
    process = process_of(client)
    with pytest.raises(InferenceServerException) as raised:
        ask(client, "raise")
    assert "ValueError: a script's own words" in raised.value.message()
    assert process_of(client) == process
    assert "Traceback" in server.log.read_text()


@pytest.mark.parametrize("todo", ["exit", "killed"])
def test_a_process_that_dies_is_started_again(client, todo):
    process = process_of(client)
    if todo == "killed":
        os.kill(process, signal.SIGKILL)
    else:
        with pytest.raises(InferenceServerException) as died:
            ask(client, todo)
        assert "exited with status 3" in died.value.message()
    assert process_of(client) != process


def test_a_caller_does_not_wait_longer_than_it_says(client):
    process = process_of(client)
    with pytest.raises(InferenceServerException) as late:
        ask(client, "slow", timeout=200_000)
    assert "timeout" in late.value.message().lower()
    assert process_of(client) == process


def test_a_process_outlives_a_client_that_leaves(server, client):
    process = process_of(client)
    host, port = server.address.split(":")
    connection = http.client.HTTPConnection(host, int(port), 10)
    connection.request("POST", "/v2/models/script/infer", json.dumps(
        {"inputs": [{"name": "TEXT", "shape": [1, 1], "datatype": "BYTES",
                     "data": ["slow"]}]}))
    time.sleep(0.2)
    connection.close()
    assert process_of(client) == process


def test_what_a_script_prints_is_logged(server, client):
    ask(client, "print")
    test_repository.wait_for(
        lambda: "script_0_0: printed by a script" in server.log.read_text(),
        server)


def test_processes_end_with_the_server(tmp_path):
    server = test_repository.ModelServer(tmp_path)
    server.add("script", f'''backend: "python"
        parameters {{ key: "EXECUTION_ENV_PATH"
                      value: {{ string_value: "{sys.prefix}" }} }}''',
               files={"model.py": SCRIPT})
    for end in (signal.SIGTERM, signal.SIGKILL):
        with server:
            with http_client.InferenceServerClient(server.address) as client:
                process = process_of(client)
            server.process.send_signal(end)
            server.process.wait(timeout=30)
        limit = time.monotonic() + test_repository.LIMIT_S
        while is_alive(process):
            assert time.monotonic() < limit
            time.sleep(0.01)


def is_alive(process):
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return "State:\tZ" not in status
