"""What a configuration asks for around a model, as clients see it: caches
before members of ensembles, priorities and queue policies, warm-up."""
import concurrent.futures
import re
import urllib.request

import numpy as np
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from tritonclient.utils import InferenceServerException

from .test_repository import LIMIT_S, ModelServer, wait_for

CLIENTS = {"http": http_client, "grpc": grpc_client}
BOTH = pytest.mark.parametrize("protocol", CLIENTS)
UNAVAILABLE = {"http": "503", "grpc": "UNAVAILABLE"}

# Answers X + ADDED, and how many requests came before; waits while the model's
# folder has a file that says so.
SCRIPT = """
import pathlib, time
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    turn = -1

    def initialize(self, args):
        self.folder = pathlib.Path(args["model_repository"])

    def execute(self, requests):
        (self.folder / "asked").touch()
        while (self.folder / "wait").exists():
            time.sleep(0.001)
        self.turn += 1
        x = pb_utils.get_input_tensor_by_name(requests[0], "X").as_numpy()
        if x.max() > 9000:
            raise ValueError("too cold")
        return [pb_utils.InferenceResponse([
            pb_utils.Tensor("Y", x + ADDED),
            pb_utils.Tensor("TURN", np.full(x.shape, self.turn, np.int32))])]
"""
CONFIG = """
    backend: "python" max_batch_size: 1
    input { name: "X" data_type: TYPE_INT32 dims: 1 }
    output { name: "Y" data_type: TYPE_INT32 dims: 1 }
    output { name: "TURN" data_type: TYPE_INT32 dims: 1 }
    instance_group { count: 1 kind: KIND_CPU } """
ENSEMBLE = """
    platform: "ensemble" max_batch_size: 1
    input { name: "IN" data_type: TYPE_INT32 dims: 1 }
    output { name: "OUT" data_type: TYPE_INT32 dims: 1 }
    ensemble_scheduling { step { model_name: "%s" model_version: -1
        input_map { key: "X" value: "IN" }
        output_map { key: "Y" value: "OUT" } } } """
CACHED = "response_cache { enable: true }"


@pytest.fixture(scope="module", name="server")
def serve(tmp_path_factory):
    with ModelServer(tmp_path_factory.mktemp("scheduling"),
                     "--model-control-mode=explicit",
                     "--cache-config=local,size=1048576") as server:
        yield server


@pytest.fixture(scope="module", name="client")
def connect(server):
    with http_client.InferenceServerClient(server.address) as client:
        yield client


@pytest.fixture(name="aside")
def threads():
    """Runs what waits."""
    with concurrent.futures.ThreadPoolExecutor(8) as executor:
        yield executor


def add(server, model, config="", added=0):
    server.add(model, CONFIG + config, files={
        "model.py": SCRIPT.replace("ADDED", str(added)).encode()})


def ask(server, protocol, model, number=0, given="X", **options):
    """The outputs by name, a number each."""
    kind, address = CLIENTS[protocol], server.address  # HTTP's limit is 60 s
    if protocol == "grpc":
        address, options["client_timeout"] = server.grpc_address, LIMIT_S
    tensor = kind.InferInput(given, [1, 1], "INT32")
    tensor.set_data_from_numpy(np.array([[number]], np.int32))
    with kind.InferenceServerClient(address) as client:
        result = client.infer(model, [tensor], **options)
    return {name: int(result.as_numpy(name)[0, 0])
            for name in ("Y", "TURN", "OUT")
            if result.as_numpy(name) is not None}


def refusal(call, *words, **options):
    with pytest.raises(InferenceServerException) as caught:
        call(*words, **options)
    return caught.value.status().split(".")[-1], caught.value.message()


def counts(client, model):
    (stats,) = client.get_inference_statistics(model)["model_stats"]
    return {name: one["count"] for name, one in
            stats["inference_stats"].items()}


def waiting(server, model):
    """How many requests wait for an instance."""
    with urllib.request.urlopen(
            f"http://127.0.0.1:{server.ports[0]}/metrics") as answer:
        return int(re.search(
            r"^nv_inference_pending_request_count\{[^}]*" f'model="{model}"'
            r"[^}]*\} (\d+)$", answer.read().decode(), re.MULTILINE)[1])


class Occupied:
    """A model whose one instance is busy until it is let go."""

    def __init__(self, server, aside, model):
        self.server, self.aside, self.model = server, aside, model
        self.wait = server.repository / model / "wait"

    def __enter__(self):
        self.wait.touch()
        self.first = self.send("http")
        wait_for((self.wait.parent / "asked").exists, self.server)
        return self

    def __exit__(self, *_):
        self.wait.unlink()

    def send(self, protocol, **options):
        return self.aside.submit(ask, self.server, protocol, self.model,
                                 **options)

    def queue(self, protocol, *levels):
        """Sends one after the other, each when those before it wait."""
        sent = []
        for level in levels:
            sent.append(self.send(protocol, priority=level))
            wait_for(lambda: waiting(self.server, self.model) == len(sent),
                     self.server)
        return sent


@pytest.mark.parametrize("cached", ["member", "ensemble", "both"])
def test_a_cache_lasts_until_a_member_is_new(server, client, cached):
    member, whole = f"{cached}_part", f"{cached}_whole"
    server.add(whole, ENSEMBLE % member + CACHED * (cached != "member"))
    for round_number, added in enumerate((1, 100), 1):
        add(server, member, CACHED * (cached != "ensemble"), added)
        for model in (member, whole)[:3 - round_number]:
            client.load_model(model)
        for protocol, number in (("http", 5), ("http", 5), ("grpc", 5),
                                 ("grpc", 6)):
            assert ask(server, protocol, whole, number, "IN") == {
                "OUT": number + added}
        inner, outer = counts(client, member), counts(client, whole)
        assert inner["compute_infer"] == 2  # the member is new each time
        assert outer["success"] == 4 * round_number
        if cached == "member":
            assert inner["cache_hit"] == inner["cache_miss"] == 2
            assert inner["success"] == 4 and outer["cache_hit"] == 0
        else:
            assert outer["cache_hit"] == outer["cache_miss"] == 2 * round_number
            assert inner["success"] == 2 and inner["cache_hit"] == 0


@BOTH
def test_who_has_priority_goes_first(server, client, aside, protocol):
    model = f"levels_{protocol}"
    add(server, model, "dynamic_batching { priority_levels: 3 "
                       "default_priority_level: 2 }")
    client.load_model(model)
    with Occupied(server, aside, model) as busy:
        sent = busy.queue(protocol, 3, 3, 0, 1, 2, 1)
    assert busy.first.result(LIMIT_S)["TURN"] == 0
    assert [one.result(LIMIT_S)["TURN"] for one in sent] == [5, 6, 3, 1, 4, 2]


@BOTH
def test_a_queue_policy_refuses(server, client, aside, protocol):
    model = f"policy_{protocol}"
    policies = ("max_queue_size: 2", "max_queue_size: 1",
                "default_timeout_microseconds: 1000",
                "default_timeout_microseconds: 1000 timeout_action: DELAY",
                "allow_timeout_override: true")
    add(server, model, "dynamic_batching { priority_levels: 5 "
        "default_priority_level: 2" + "".join(
            f" priority_queue_policy {{ key: {level} value {{ {policy} }} }}"
            for level, policy in enumerate(policies, 1)) + "}")
    client.load_model(model)
    with Occupied(server, aside, model) as busy:
        sent = busy.queue(protocol, 0, 1, 1, 4, 5)
        for options, message in (
                ({"priority": 0}, "Exceeds maximum queue size of 1"),
                ({"priority": 1}, "Exceeds maximum queue size of 2"),
                ({"priority": 3}, "Request timeout expired"),
                ({"priority": 5, "timeout": 1000}, "Request timeout expired")):
            status, said = refusal(ask, server, protocol, model, **options)
            assert status == UNAVAILABLE[protocol]
            assert said.split(";")[0] == message
    assert {one.result(LIMIT_S)["Y"] for one in sent} == {0}
    assert counts(client, model)["fail"] == 4


def add_warmed(server, model, number, added=0):
    """To be asked for the number three times before it is ready."""
    add(server, model, """model_warmup { name: "w" count: 3 inputs { key: "X"
        value { data_type: TYPE_INT32 dims: 1 input_data_file: "x" } } }""",
        added)
    folder = server.repository / model / "warmup"
    folder.mkdir(exist_ok=True)
    (folder / "x").write_bytes(np.int32(number).tobytes())


def test_a_model_is_ready_once_it_is_warm(server, client, aside):
    add_warmed(server, "warm", 1)
    wait = server.repository / "warm/wait"
    wait.touch()
    with http_client.InferenceServerClient(server.address) as other:
        load = aside.submit(other.load_model, "warm")
        wait_for((server.repository / "warm/asked").exists, server)
        assert not client.is_model_ready("warm")
        assert refusal(ask, server, "http", "warm")[0] == "503"
        assert {"name": "warm", "version": "1", "state": "LOADING"} in \
            client.get_model_repository_index()
        wait.unlink()
        load.result(LIMIT_S)
    assert client.is_model_ready("warm")
    # As nobody has asked yet; who asks is the fourth.
    assert counts(client, "warm")["success"] == 0
    assert ask(server, "http", "warm")["TURN"] == 3
    assert counts(client, "warm")["success"] == 1


def test_a_model_that_cannot_get_warm_leaves_the_old_one(server, client):
    add_warmed(server, "cold", 1, added=1)
    client.load_model("cold")
    add_warmed(server, "cold", 9999, added=2)
    status, message = refusal(client.load_model, "cold")
    assert status == "500" and message.startswith("failed to load 'cold'")
    assert "model_warmup 'w'" in message and "too cold" in message
    assert client.is_model_ready("cold")
    assert ask(server, "grpc", "cold", 5)["Y"] == 6
