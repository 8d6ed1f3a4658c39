"""A model server without an index: models come, change and go while it runs."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from tritonclient.utils import InferenceServerException

from web import server as server_process

PLAN = server_process.ROOT / "build/models/minilm/int8.plan"
CORRECTOR = server_process.ROOT / "models/corrector"
MEBIBYTE = 1 << 20
LIMIT_S = 60


class ModelServer:
    """A process over a folder of models, on ports of its own."""

    def __init__(self, folder, *options):
        self.repository = folder / "repository"
        self.repository.mkdir(exist_ok=True)
        self.options = options
        self.log = folder / "server.log"
        self.ports = [server_process.free_port() for _ in range(3)]
        self.address = f"127.0.0.1:{self.ports[1]}"
        self.grpc_address = f"127.0.0.1:{self.ports[2]}"
        self.process = None

    def __enter__(self):
        self.launch()
        with http_client.InferenceServerClient(self.address) as client:
            wait_for(lambda: ready(client), self)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)

    def launch(self):
        port, http_port, grpc_port = self.ports
        command = [server_process.BIN, "serve", "--model-repository",
                   self.repository, "--port", port, "--http-port", http_port,
                   "--grpc-port", grpc_port, "--metrics-port", 0,
                   "--drain-secs", 0, *self.options]
        # Scripts run in the tests' own environment.
        path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(word) for word in command],
                                            env=os.environ | {"PATH": path},
                                            stdout=log, stderr=log)

    def add(self, model, config, version=1, files=None):
        folder = self.repository / model
        (folder / str(version)).mkdir(parents=True, exist_ok=True)
        (folder / "config.pbtxt").write_text(config)
        for name, content in (files or {}).items():
            (folder / str(version) / name).write_bytes(content)

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(one for one in status.splitlines() if "VmRSS" in one)
        return int(line.split()[1]) * 1024


def ready(client):
    try:
        return client.is_server_ready()
    except (ConnectionError, OSError):
        return False


def wait_for(happens, server):
    limit = time.monotonic() + LIMIT_S
    while not happens():
        assert server.process.poll() is None, server.log.read_text()
        assert time.monotonic() < limit, server.log.read_text()
        time.sleep(0.02)


@pytest.fixture
def explicit(tmp_path):
    with ModelServer(tmp_path, "--model-control-mode=explicit") as server:
        with http_client.InferenceServerClient(server.address,
                                               concurrency=4) as client:
            yield server, client


def add_one(client, model, version="", **options):
    """What the model makes of two rows of numbers, and by which version."""
    numbers = np.arange(32, dtype=np.int32).reshape(2, 16)
    inputs = []
    for name in ("INPUT0", "INPUT1"):
        given = http_client.InferInput(name, numbers.shape, "INT32")
        given.set_data_from_numpy(numbers)
        inputs.append(given)
    result = client.infer(model, inputs, model_version=version, **options)
    assert (result.as_numpy("OUTPUT0") == numbers * 2).all()
    return result.get_response()["model_version"]


def embed(client, model):
    texts = np.array([[b"a song about rain"]], dtype=object)
    given = http_client.InferInput("TEXT", texts.shape, "BYTES")
    given.set_data_from_numpy(texts)
    return client.infer(model, [given]).as_numpy("EMBEDDING")


def correct(client, model):
    given = http_client.InferInput("TEXT", [1], "BYTES")
    given.set_data_from_numpy(np.array([b"bohemain rapsody"], dtype=object))
    return client.infer(model, [given]).as_numpy("CORRECTED")


def refused(call, *words, **options):
    with pytest.raises(InferenceServerException) as caught:
        call(*words, **options)
    return caught.value.message()


def test_models_come_and_go(explicit):
    server, client = explicit
    server.add("add", 'backend: "addsub"')
    assert client.get_model_repository_index() == [{"name": "add"}]
    assert not client.is_model_ready("add")
    client.load_model("add")
    assert client.get_model_repository_index() == [
        {"name": "add", "version": "1", "state": "READY"}]
    assert add_one(client, "add") == "1"
    assert client.get_model_metadata("add")["versions"] == ["1"]

    server.add("add", 'backend: "addsub" version_policy { all { } }', 3)
    client.load_model("add")
    assert client.get_model_metadata("add")["versions"] == ["1", "3"]
    assert add_one(client, "add") == "3"
    assert add_one(client, "add", "1") == "1"
    stats = client.get_inference_statistics("add")["model_stats"]
    assert [one["version"] for one in stats] == ["1", "3"]

    client.unload_model("add")
    assert not client.is_model_ready("add")
    assert "Request for unknown model" in refused(add_one, client, "add")
    states = {one["version"]: one["state"]
              for one in client.get_model_repository_index()}
    assert states == {"1": "UNAVAILABLE", "3": "UNAVAILABLE"}


def test_a_load_may_bring_configuration_and_files(explicit):
    server, client = explicit
    server.add("add", 'backend: "addsub" max_batch_size: 2')
    config = {"backend": "addsub", "max_batch_size": 5,
              "parameters": {"delay_us": {"string_value": "1"}}}
    client.load_model("add", config=json.dumps(config))
    assert client.get_model_config("add")["max_batch_size"] == 5
    assert add_one(client, "add") == "1"
    client.load_model("fresh", config=json.dumps(config),
                      files={"file:4/anything": bytes(range(256))})
    assert add_one(client, "fresh") == "4"
    client.load_model("add")
    assert client.get_model_config("add")["max_batch_size"] == 2
    assert "failed to load 'add'" in refused(client.load_model, "add",
                                             config="{")


def test_http_and_grpc_say_the_same(explicit):
    server, client = explicit
    server.add("add", """backend: "addsub" max_batch_size: 4
        dynamic_batching { max_queue_delay_microseconds: 100 }
        instance_group { count: 2 kind: KIND_CPU }""")
    with grpc_client.InferenceServerClient(server.grpc_address) as other:
        other.load_model("add")
        assert client.is_model_ready("add")
        over_grpc = other.get_model_config("add", as_json=True)["config"]
        over_http = client.get_model_config("add")
        assert over_grpc["name"] == over_http["name"] == "add"
        assert over_grpc["max_batch_size"] == over_http["max_batch_size"] == 4
        assert int(over_grpc["dynamic_batching"]
                   ["max_queue_delay_microseconds"]) == 100
        assert over_http["dynamic_batching"][
            "max_queue_delay_microseconds"] == 100
        index = other.get_model_repository_index(as_json=True)["models"]
        assert index == client.get_model_repository_index()
        other.unload_model("add")
    assert not client.is_model_ready("add")


def test_what_is_wrong_is_said_and_the_server_stays(explicit):
    server, client = explicit
    server.add("broken", "max_batch: 3")
    server.add("stranger", 'backend: "tensorrt"')
    server.add("gpu", 'backend: "addsub" instance_group { kind: KIND_GPU }')
    (server.repository / "empty").mkdir()
    message = refused(client.load_model, "broken")
    assert "failed to load 'broken'" in message
    assert "config.pbtxt:1:" in message and "max_batch" in message
    assert "there is no backend" in refused(client.load_model, "stranger")
    assert "GPU" in refused(client.load_model, "gpu")
    assert "version folder" in refused(client.load_model, "empty")
    for name in ("nobody", "..", "%2e%2e"):
        assert "failed to load" in refused(client.load_model, name)
    refused(client.load_model, "../repository/broken")  # no route
    assert "failed to unload" in refused(client.unload_model, "..")
    reasons = {one["name"]: one["reason"]
               for one in client.get_model_repository_index()}
    assert set(reasons) == {"broken", "stranger", "gpu", "empty"}
    assert client.is_server_live()


def test_a_reload_disturbs_nobody(explicit):
    server, client = explicit
    server.add("add", 'backend: "addsub"')
    client.load_model("add")
    stop = threading.Event()
    failures, answered = [], [0, 0]

    def ask(thread):
        with http_client.InferenceServerClient(server.address) as own:
            while not stop.is_set():
                try:
                    add_one(own, "add")
                    answered[thread] += 1
                except Exception as failure:  # any is one too many
                    failures.append(failure)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for round_number in range(20):
        server.add("add", f'backend: "addsub" max_batch_size: '
                          f'{8 + round_number}', 1 + round_number % 2)
        client.load_model("add")
        server.add("add", "nonsense: 1")
        refused(client.load_model, "add")
    wait_for(lambda: min(answered) > 20, server)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_an_unload_gives_memory_back(explicit):
    server, client = explicit
    (server.repository / "encoder/1").mkdir(parents=True)
    shutil.copy(PLAN, server.repository / "encoder/1/model.plan")

    def round_trip():
        client.load_model("encoder")
        assert embed(client, "encoder").shape == (1, 384)
        loaded = server.resident_bytes()
        client.unload_model("encoder")
        return loaded, server.resident_bytes()

    _, first = round_trip()  # what is loaded once stays: threads, tables
    sizes = [round_trip() for _ in range(5)]
    for loaded, unloaded in sizes:
        assert loaded - unloaded > 20 * MEBIBYTE, sizes
        assert unloaded - first < 8 * MEBIBYTE, sizes


def test_a_changed_number_of_instances_needs_no_reload(explicit):
    server, client = explicit
    server.add("encoder", 'backend: "encoder"')
    (server.repository / "encoder/1/model.plan").symlink_to(PLAN)
    server.add("corrector", 'backend: "corrector"')
    for path in CORRECTOR.iterdir():
        (server.repository / "corrector/1" / path.name).symlink_to(path)
    for model, ask in (("encoder", embed), ("corrector", correct)):
        client.load_model(model)
        wanted = ask(client, model)
        for count in (3, 1):
            server.add(model, f'backend: "{model}" instance_group '
                              f'{{ count: {count} kind: KIND_CPU }}')
            client.load_model(model)
            groups = client.get_model_config(model)["instance_group"]
            assert [group["count"] for group in groups] == [count]
            assert (ask(client, model) == wanted).all()
        log = server.log.read_text()
        assert f"model '{model}' has 3 instances now" in log
        assert f"model '{model}' has 1 instances now" in log
        assert log.count(f"model '{model}' version 1 is ready") == 1


def test_networks_have_the_queue_that_their_policy_says(explicit):
    server, client = explicit
    server.add("encoder", """backend: "bart_encoder"
        instance_group { count: 1 } dynamic_batching {
          max_queue_delay_microseconds: 100
          default_queue_policy { max_queue_size: 1 } }""")
    for path in CORRECTOR.iterdir():
        (server.repository / "encoder/1" / path.name).symlink_to(path)
    client.load_model("encoder")
    assert ("backend 'bart_encoder' does not follow "
            "'max_queue_delay_microseconds'") in server.log.read_text()
    refusals = []
    limit = time.monotonic() + LIMIT_S

    def ask():
        ids = http_client.InferInput("INPUT_IDS", [16, 64], "INT64")
        ids.set_data_from_numpy(np.full((16, 64), 7))
        with http_client.InferenceServerClient(server.address) as own:
            while not refusals and time.monotonic() < limit:
                try:
                    own.infer("encoder", [ids])
                except InferenceServerException as refusal:
                    refusals.append(refusal.message())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refusals and all("Exceeds maximum queue size of 1" in one
                            for one in refusals)


@pytest.mark.parametrize("policy, answers", [
    ("", False),
    ("default_queue_policy { max_queue_size: 9 }", True),
    ("default_queue_policy { timeout_action: DELAY "
     "allow_timeout_override: true }", True)])
def test_a_queue_policy_decides_on_timeouts(explicit, policy, answers):
    server, client = explicit
    server.add("add", 'backend: "addsub" max_batch_size: 4 '
                      f"dynamic_batching {{ {policy} }}")
    client.load_model("add")
    assert add_one(client, "add") == "1"
    if answers:
        assert add_one(client, "add", timeout=1) == "1"
    else:
        assert "Request timeout expired" in refused(add_one, client, "add",
                                                    timeout=1)


AFFINITY = b"""
import os
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        cores = np.array(sorted(os.sched_getaffinity(0)), np.int32)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("CORES", cores)])
                for _ in requests]
"""


def test_models_of_a_host_policy_share_its_cores(tmp_path):
    cores = sorted(os.sched_getaffinity(0))
    with ModelServer(tmp_path, "--model-control-mode=explicit",
                     f"--host-policy=p,cpu-cores=0-{len(cores) - 1}") \
            as server, \
            http_client.InferenceServerClient(server.address) as client:
        found = []
        for model in ("one", "two"):
            server.add(model, """backend: "python"
                input { name: "X" data_type: TYPE_INT32 dims: 1 }
                output { name: "CORES" data_type: TYPE_INT32 dims: -1 }
                instance_group { count: 1 host_policy: "p" }""",
                       files={"model.py": AFFINITY})
            client.load_model(model)
            given = http_client.InferInput("X", [1], "INT32")
            given.set_data_from_numpy(np.zeros(1, np.int32))
            found += client.infer(model, [given]).as_numpy("CORES").tolist()
        assert found == [cores[0], cores[1 % len(cores)]]


def test_the_backend_is_found_by_the_files(explicit):
    server, client = explicit
    (server.repository / "encoder/1").mkdir(parents=True)
    shutil.copy(PLAN, server.repository / "encoder/1/model.plan")
    (server.repository / "script/1").mkdir(parents=True)
    (server.repository / "script/1/model.py").write_text("raise ValueError(7)")
    client.load_model("encoder")
    config = client.get_model_config("encoder")
    assert config["backend"] == "encoder" and config["max_batch_size"] > 1
    assert "ValueError" in refused(client.load_model, "script")


def test_polling_sees_what_changes(tmp_path):
    with ModelServer(tmp_path, "--model-control-mode=poll",
                     "--repository-poll-secs=1") as server:
        with http_client.InferenceServerClient(server.address) as client:
            server.add("add", 'backend: "addsub"')
            wait_for(lambda: client.is_model_ready("add"), server)
            assert "not allowed" in refused(client.load_model, "add")
            shutil.rmtree(server.repository / "add")
            wait_for(lambda: not client.is_model_ready("add"), server)


def test_a_model_that_fails_ends_the_start_unless_told(tmp_path):
    server = ModelServer(tmp_path)
    server.add("good", 'backend: "addsub"')
    server.add("broken", "max_batch: 3")
    server.launch()
    assert server.process.wait(timeout=LIMIT_S) == 1
    assert "failed to load 'broken'" in server.log.read_text()
    server.options = ("--exit-on-error=false", "--strict-readiness=false")
    with server:
        with http_client.InferenceServerClient(server.address) as client:
            wait_for(lambda: client.is_model_ready("good"), server)
            assert not client.is_model_ready("broken")


def test_options_are_checked(tmp_path):
    def complaint(*options):
        server = ModelServer(tmp_path, *options)
        server.launch()
        assert server.process.wait(timeout=LIMIT_S) in (1, 2)
        return server.log.read_text()

    assert "--load-model" in complaint("--load-model=m")
    assert "--host-policy" in complaint("--host-policy=a,cpu-cores=x")
    assert "--cache-config" in complaint("--cache-config=redis,size=1")
    assert "--model-control-mode" in complaint("--model-control-mode=magic")
