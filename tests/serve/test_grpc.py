"""KServe over gRPC with Triton's own client, in both of its forms."""
import asyncio
import concurrent.futures
import json
import queue
import re
import shutil
import signal
import subprocess

import grpc
import numpy as np
import pytest
import tritonclient.grpc as sync_grpc
import tritonclient.grpc.aio as async_grpc
import tritonclient.http as sync_http
from cli import program
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase)
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException
from web import server as server_process

from .test_repository import ModelServer
from .test_tritonclient import (NUMBERS, addsub_inputs, extremes, model_of,
                                texts, triton_name)

LIMIT_S = 30  # no answer takes so long
SERVICE = "inference.GRPCInferenceService"
UNSERVED = re.compile("SharedMemory|TraceSetting|LogSetting")


@pytest.fixture(scope="module")
def grpc_address(server):
    address = f"127.0.0.1:{server.grpc_port}"
    with grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(timeout=LIMIT_S)
    return address


@pytest.fixture(scope="module")
def client(grpc_address):
    with sync_grpc.InferenceServerClient(grpc_address) as client:
        yield client


@pytest.fixture(scope="module")
def channel(grpc_address):
    with grpc.insecure_channel(grpc_address) as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel):
    return service_pb2_grpc.GRPCInferenceServiceStub(channel)


def input_of(name, array, datatype):
    given = sync_grpc.InferInput(name, list(array.shape), datatype)
    given.set_data_from_numpy(array)
    return given


def output_of(name):
    return sync_grpc.InferRequestedOutput(name)


def numbers_of(number):
    return [input_of("INPUT0", np.array([[number]], np.int64), "INT64")]


def refused(call, *words, **options):
    """The status and the message of what the server refuses."""
    with pytest.raises(InferenceServerException) as caught:
        call(*words, **options)
    return (caught.value.status().removeprefix("StatusCode."),
            caught.value.message())


def test_server_and_models_describe_themselves(client):
    assert client.is_server_live() and client.is_server_ready()
    server = client.get_server_metadata()
    assert server.name == "triton" and server.version
    assert "statistics" in server.extensions
    assert client.is_model_ready("encoder")
    assert client.is_model_ready("encoder", "1")
    assert not client.is_model_ready("encoder", "2")
    assert not client.is_model_ready("nobody")
    metadata = client.get_model_metadata("addsub", "1", as_json=True)
    assert metadata["versions"] == ["1"]
    assert [one["name"] for one in metadata["inputs"]] == ["INPUT0", "INPUT1"]
    assert metadata["inputs"][0]["datatype"] == "INT32"
    assert metadata["inputs"][0]["shape"] == ["-1", "16"]
    config = client.get_model_config("addsub").config
    assert config.name == "addsub" and config.max_batch_size == 8
    assert config.input[0].data_type == model_config_pb2.TYPE_INT32
    assert list(config.input[0].dims) == [16]
    index = client.get_model_repository_index().models
    assert ("encoder", "1", "READY") in [
        (one.name, one.version, one.state) for one in index]


def test_both_protocols_say_the_same_of_a_model(client, address):
    with sync_http.InferenceServerClient(address) as http:
        for model in ("encoder", "corrector", "identity_fp32"):
            found = client.get_model_config(model).config
            config = http.get_model_config(model)
            assert config["name"] == found.name
            assert config["backend"] == found.backend
            assert config["max_batch_size"] == found.max_batch_size
            assert [one["optional"] for one in config["input"]] == [
                one.optional for one in found.input]
            assert [one["dims"] for one in config["output"]] == [
                list(one.dims) for one in found.output]
            metadata = client.get_model_metadata(model)
            assert http.get_model_metadata(model)["outputs"] == [
                {"name": one.name, "datatype": one.datatype,
                 "shape": list(one.shape)} for one in metadata.outputs]


@pytest.mark.parametrize("dtype", ["bool", *NUMBERS])
def test_every_datatype_goes_there_and_back(client, dtype):
    array = extremes(dtype)
    answer = client.infer(model_of(dtype), [
        input_of("INPUT0", array, triton_name(dtype))])
    np.testing.assert_array_equal(answer.as_numpy("OUTPUT0"), array)


def test_texts_go_there_and_back(client):
    array = texts("abba", "", "Motörhead \"x\"\n\\", "\U0001f3b5")
    array[1][0] = b"\xff\x00"
    answer = client.infer("identity", [input_of("INPUT0", array, "BYTES")],
                          request_id="of mine")
    assert answer.get_response().id == "of mine"
    np.testing.assert_array_equal(answer.as_numpy("OUTPUT0"), array)


CONTENTS = {"bool": "bool_contents", "int8": "int_contents",
            "int16": "int_contents", "int32": "int_contents",
            "int64": "int64_contents", "uint8": "uint_contents",
            "uint16": "uint_contents", "uint32": "uint_contents",
            "uint64": "uint64_contents", "float32": "fp32_contents",
            "float64": "fp64_contents"}


@pytest.mark.parametrize("dtype", CONTENTS)
def test_every_datatype_is_taken_as_contents(stub, dtype):
    array = extremes(dtype)
    request = service_pb2.ModelInferRequest(model_name=model_of(dtype))
    given = request.inputs.add(name="INPUT0", datatype=triton_name(dtype),
                               shape=array.shape)
    getattr(given.contents, CONTENTS[dtype]).extend(array.ravel().tolist())
    answer = stub.ModelInfer(request, timeout=LIMIT_S)
    (raw,) = answer.raw_output_contents
    np.testing.assert_array_equal(np.frombuffer(raw, dtype), array.ravel())


@pytest.mark.parametrize("algorithm", [None, "gzip", "deflate"])
def test_outputs_are_chosen_and_parameters_taken(client, algorithm):
    left, right, _ = addsub_inputs()
    answer = client.infer(
        "addsub", [input_of("INPUT0", left, "INT32"),
                   input_of("INPUT1", right, "INT32")], model_version="1",
        outputs=[output_of("OUTPUT1")], priority=1, timeout=60_000_000,
        compression_algorithm=algorithm,
        parameters={"mine": "x", "count": 3, "yes": True, "half": 0.5})
    assert answer.as_numpy("OUTPUT0") is None
    np.testing.assert_array_equal(answer.as_numpy("OUTPUT1"), left - right)


def test_both_protocols_give_the_same_embeddings(client, address):
    array = texts("songs about rain", "", "songs about rain")
    rows = client.infer("encoder", [
        input_of("TEXT", array, "BYTES")]).as_numpy("EMBEDDING")
    with sync_http.InferenceServerClient(address) as http:
        given = sync_http.InferInput("TEXT", list(array.shape), "BYTES")
        given.set_data_from_numpy(array)
        same = http.infer("encoder", [given]).as_numpy("EMBEDDING")
    np.testing.assert_array_equal(rows, same)


def test_corrector_answers(client):
    text = input_of("TEXT", np.array([b"taylor swft"], object), "BYTES")
    answer = client.infer("corrector", [text])
    assert answer.as_numpy("PASSES")[0] >= 1


def test_requests_side_by_side(client):
    answers = queue.Queue()
    for number in range(20):
        client.async_infer("identity_int64", numbers_of(number),
                           lambda result, error: answers.put((result, error)))
    found = set()
    for _ in range(20):
        result, error = answers.get(timeout=LIMIT_S)
        assert error is None
        found.add(int(result.as_numpy("OUTPUT0")[0][0]))
    assert found == set(range(20))


def test_what_does_not_fit_is_said(client):
    def complaint(model, *given, **options):
        return refused(client.infer, model, list(given), **options)

    left, right, _ = addsub_inputs()
    given = [input_of("INPUT0", left, "INT32"),
             input_of("INPUT1", right, "INT32")]
    assert complaint("nobody", *given) == (
        "NOT_FOUND",
        "Request for unknown model: 'nobody' is not found")
    assert complaint("addsub", *given, model_version="9") == (
        "NOT_FOUND",
        "Request for unknown model: 'addsub' version 9 is not found")
    status, message = complaint("addsub", given[0])
    assert status == "INVALID_ARGUMENT"
    assert "missing required input(s) ['INPUT1']" in message
    assert "data-type is 'INT64', but model 'addsub' expects 'INT32'" in \
        complaint("addsub", input_of("INPUT0", left.astype(np.int64), "INT64"),
                  given[1])[1]
    assert "Expected [-1,16], got [2,8]" in complaint(
        "addsub", given[0], input_of("INPUT1", left[:, :8], "INT32"))[1]
    assert "unexpected inference output 'X'" in complaint(
        "addsub", *given, outputs=[output_of("X")])[1]
    status, message = complaint("addsub", *given, outputs=[
        sync_grpc.InferRequestedOutput("OUTPUT0", class_count=2)])
    assert status == "UNIMPLEMENTED" and "classification" in message
    assert complaint("addsub", *given, timeout=1) == (
        "UNAVAILABLE", "Request timeout expired")


def test_what_is_not_served_is_said(client):
    for call in (client.get_system_shared_memory_status,
                 client.get_cuda_shared_memory_status,
                 client.unregister_system_shared_memory):
        assert refused(call) == ("UNIMPLEMENTED",
                                 "shared memory is not supported")
    assert refused(client.register_system_shared_memory, "r", "/r", 64)[0] \
        == "UNIMPLEMENTED"
    assert refused(client.get_trace_settings)[0] == "UNIMPLEMENTED"
    assert refused(client.get_log_settings)[0] == "UNIMPLEMENTED"


def test_models_cannot_be_loaded_or_unloaded(client):
    for call in (client.load_model, client.unload_model):
        status, message = refused(call, "encoder")
        assert status == "UNAVAILABLE"
        assert "explicit model load / unload is not allowed" in message
    assert client.is_model_ready("encoder")


def test_what_was_asked_is_counted(client):
    model = "identity_uint64"

    def statistics():
        (stats,) = client.get_inference_statistics(model).model_stats
        return stats

    before = statistics()
    given = [input_of("INPUT0", np.zeros((3, 5), np.uint64), "UINT64")]
    for _ in range(4):
        client.infer(model, given)
    refused(client.infer, model, numbers_of(1))
    after = statistics()
    assert after.inference_count - before.inference_count == 12
    assert after.execution_count - before.execution_count == 4
    stats, earlier = after.inference_stats, before.inference_stats
    assert stats.success.count - earlier.success.count == 4
    assert stats.fail.count - earlier.fail.count == 1
    assert stats.success.ns > earlier.success.ns
    assert after.last_inference > 0
    names = {one.name for one in client.get_inference_statistics().model_stats}
    assert {"encoder", "corrector", model} <= names


def test_models_come_and_go(tmp_path):
    with ModelServer(tmp_path, "--model-control-mode=explicit") as own:
        own.add("mine", 'backend: "identity"')
        with sync_grpc.InferenceServerClient(own.grpc_address) as client:
            def index():
                return [(one.name, one.version, one.state) for one in
                        client.get_model_repository_index().models]

            given = [input_of("INPUT0", texts("abba"), "BYTES")]
            assert not client.is_model_ready("mine")
            client.load_model("mine")
            assert client.is_model_ready("mine")
            assert index() == [("mine", "1", "READY")]
            answer = client.infer("mine", given)
            assert answer.as_numpy("OUTPUT0").tolist() == [[b"abba"]]
            client.load_model(
                "mine", config=json.dumps({"backend": "identity",
                                           "max_batch_size": 3}),
                files={"file:2/any": b"content"})
            assert client.get_model_config("mine").config.max_batch_size == 3
            assert client.infer("mine", given).get_response().model_version \
                == "2"
            status, message = refused(client.load_model, "nobody")
            assert status == "INVALID_ARGUMENT" and "nobody" in message
            status, message = refused(client.load_model, "mine", config="{")
            assert status == "INVALID_ARGUMENT"
            assert client.is_model_ready("mine")
            client.unload_model("mine", unload_dependents=True)
            assert not client.is_model_ready("mine")
            assert "READY" not in {state for _, _, state in index()}
            assert "unknown model: 'mine'" in refused(
                client.infer, "mine", given)[1]


class Stream:
    """A stream whose answers come in the order of the requests."""

    def __init__(self, client, **options):
        self.client = client
        self.answers = queue.Queue()
        client.start_stream(lambda result, error:
                            self.answers.put((result, error)), **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.stop_stream()

    def ask(self, model, given, **options):
        self.client.async_stream_infer(model, given, **options)

    def next(self):
        return self.answers.get(timeout=LIMIT_S)


def test_a_stream_answers_in_order(client):
    with Stream(client) as stream:
        for number in range(200):
            stream.ask("identity_int64", numbers_of(number),
                       request_id=str(number),
                       enable_empty_final_response=True)
        for number in range(200):
            result, error = stream.next()
            assert error is None
            assert result.get_response().id == str(number)
            assert result.as_numpy("OUTPUT0").tolist() == [[number]]


def test_an_error_is_a_message_of_the_stream(client):
    with Stream(client) as stream:
        stream.ask("nobody", numbers_of(1))
        stream.ask("identity_int64", numbers_of(2))
        _, error = stream.next()
        assert error.message() == \
            "Request for unknown model: 'nobody' is not found"
        result, error = stream.next()
        assert error is None and result.as_numpy("OUTPUT0")[0][0] == 2


def test_an_error_ends_the_stream_where_the_client_wants_it(client):
    with Stream(client, headers={"triton_grpc_error": "true"}) as stream:
        stream.ask("identity_int64", numbers_of(1))
        stream.ask("nobody", numbers_of(2))
        assert stream.next()[1] is None
        _, error = stream.next()
        assert error.status() == "StatusCode.NOT_FOUND"
        assert "unknown model: 'nobody'" in error.message()


def test_the_asyncio_client(grpc_address):
    async def ask():
        async with async_grpc.InferenceServerClient(grpc_address) as client:
            assert await client.is_server_live()
            assert await client.is_server_ready()
            assert await client.is_model_ready("encoder")
            assert not await client.is_model_ready("nobody")
            assert (await client.get_server_metadata()).name == "triton"
            assert (await client.get_model_metadata("addsub")).platform
            config = (await client.get_model_config("addsub")).config
            assert config.max_batch_size == 8
            index = await client.get_model_repository_index()
            assert {one.state for one in index.models} == {"READY"}
            stats = await client.get_inference_statistics("addsub", "1")
            assert stats.model_stats[0].name == "addsub"
            answers = await asyncio.gather(*(
                client.infer("identity_int64", numbers_of(number))
                for number in range(20)))
            assert [one.as_numpy("OUTPUT0")[0][0] for one in answers] \
                == list(range(20))
            with pytest.raises(InferenceServerException, match="nobody"):
                await client.infer("nobody", numbers_of(1))

            async def requests():
                for number in range(5):
                    yield {"model_name": "identity_int64",
                           "inputs": numbers_of(number)}

            found = []
            async for result, error in client.stream_infer(requests()):
                assert error is None
                found.append(int(result.as_numpy("OUTPUT0")[0][0]))
            assert found == list(range(5))

    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, ask()).result()


def test_health(channel):
    health = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    for service in ("", SERVICE):
        asked = health_pb2.HealthCheckRequest(service=service)
        assert health.Check(asked, timeout=LIMIT_S).status == serving
    watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=LIMIT_S)
    assert next(watch).status == serving
    watch.cancel()
    with pytest.raises(grpc.RpcError) as caught:
        health.Check(health_pb2.HealthCheckRequest(service="no"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def fields_of(message):
    return {(one.number, one.name, one.type, one.is_repeated)
            for one in message.fields}


def all_messages(of):
    for message in of:
        yield message
        yield from all_messages(message.nested_types)


def test_reflection_tells_tritons_protocol(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    assert {SERVICE, "grpc.health.v1.Health"} <= set(database.get_services())
    pool = descriptor_pool.DescriptorPool(database)
    methods = {one.name: one for one in pool.FindServiceByName(SERVICE).methods}
    theirs = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    assert methods.keys() == {one.name for one in theirs.methods}
    assert methods["ModelStreamInfer"].client_streaming
    assert methods["ModelStreamInfer"].server_streaming
    count = 0
    for file in (service_pb2, model_config_pb2):
        for message in all_messages(
                file.DESCRIPTOR.message_types_by_name.values()):
            if UNSERVED.search(message.full_name):
                continue
            ours = pool.FindMessageTypeByName(message.full_name)
            # The client may be a little older or newer than what we follow.
            assert fields_of(message) <= fields_of(ours), message.full_name
            count += 1
    assert count > 80


def send_bytes(channel, content, method="ModelInfer"):
    """What the server says of a request of any bytes."""
    call = channel.unary_unary(f"/{SERVICE}/{method}")
    with pytest.raises(grpc.RpcError) as caught:
        call(content, timeout=LIMIT_S)
    return caught.value.code().name, caught.value.details()


def test_bytes_that_are_no_request(channel):
    for content in (b"\xff", b"\x0a\x05ab", b"\x0b" * 70_000,
                    b"\x0a\x02\xff\xfe"):
        code, details = send_bytes(channel, content)
        assert code == "INVALID_ARGUMENT"
        assert details == "the request is no inference.ModelInferRequest"
    code, details = send_bytes(channel, b"\x2a\x00" * (2 << 20))
    assert code == "INVALID_ARGUMENT" and "strings and messages" in details
    code, details = send_bytes(channel, b"\x0a\x01x" * 30_000, "ModelReady")
    assert code == "INVALID_ARGUMENT" and "65536 bytes" in details
    code, _ = send_bytes(channel, b"", "NoSuchMethod")
    assert code == "UNIMPLEMENTED"


def test_large_requests_have_a_limit(channel, stub):
    code, details = send_bytes(channel, bytes((64 << 20) + 1))
    assert code == "RESOURCE_EXHAUSTED" and "larger than max" in details
    call = channel.unary_unary(f"/{SERVICE}/ModelInfer")
    with pytest.raises(grpc.RpcError) as caught:
        call(bytes(65 << 20), compression=grpc.Compression.Gzip)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "exceeds the maximum" in caught.value.details()
    rows = np.ones((8, 1 << 20), np.float32)
    request = service_pb2.ModelInferRequest(model_name="identity_fp32")
    request.inputs.add(name="INPUT0", datatype="FP32", shape=rows.shape)
    request.raw_input_contents.append(rows.tobytes())
    with pytest.raises(grpc.RpcError) as caught:  # the client's own limit
        stub.ModelInfer(request, timeout=LIMIT_S)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def make_certificates(folder):
    """An authority, and a server and a client that it signed."""
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, cwd=folder,
                       capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=root")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for name in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout",
                f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "root.pem",
                "-CAkey", "root.key", "-CAcreateserial", "-days", "2",
                "-extfile", "names", "-out", f"{name}.pem")


def grpc_port(running):
    for line in running.process.stdout:
        found = re.search(r"grpc://127\.0\.0\.1:(\d+)", line)
        if found:
            return int(found[1])
    raise AssertionError("no gRPC port is printed")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


@pytest.fixture(scope="module")
def own_index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grpc") / "index"
    return shutil.copytree(server_process.INDEX, folder)


@pytest.fixture(scope="module")
def slow_server(own_index, certificates):
    """Over mutual TLS; its test models take a second."""
    with program.Server(
            own_index, "--test-models", "--test-delay-ms", "1000",
            "--grpc-use-ssl", "--grpc-use-ssl-mutual",
            "--grpc-server-cert", certificates / "server.pem",
            "--grpc-server-key", certificates / "server.key",
            "--grpc-root-cert", certificates / "root.pem",
            "--grpc-infer-response-compression-level", "low") as running:
        running.grpc_port = grpc_port(running)
        yield running


def tls_client(port, folder, name="client"):
    keys = {} if name is None else {
        "private_key": folder / f"{name}.key",
        "certificate_chain": folder / f"{name}.pem"}
    return sync_grpc.InferenceServerClient(
        f"localhost:{port}", ssl=True,
        root_certificates=str(folder / "root.pem"),
        **{key: str(path) for key, path in keys.items()})


def test_mutual_tls(slow_server, certificates):
    with tls_client(slow_server.grpc_port, certificates) as client:
        assert client.is_server_ready()
        assert client.get_model_config("addsub").config.name == "addsub"
    with tls_client(slow_server.grpc_port, certificates, None) as stranger:
        assert refused(stranger.is_server_live)[0] == "UNAVAILABLE"
    with sync_grpc.InferenceServerClient(
            f"localhost:{slow_server.grpc_port}") as plain:
        assert refused(plain.is_server_live)[0] == "UNAVAILABLE"


def test_deadlines_and_cancelled_calls(slow_server, certificates):
    with tls_client(slow_server.grpc_port, certificates) as client:
        assert refused(client.infer, "identity_int64", numbers_of(1),
                       client_timeout=0.2)[0] == "DEADLINE_EXCEEDED"
        answers = queue.Queue()
        call = client.async_infer(
            "identity_int64", numbers_of(1),
            lambda result, error: answers.put((result, error)))
        call.cancel()
        result, error = answers.get(timeout=LIMIT_S)
        assert result is None and "CANCELLED" in str(error.status())
        answer = client.infer("identity_int64", numbers_of(2))
        assert answer.as_numpy("OUTPUT0")[0][0] == 2


def test_stopping_answers_what_was_asked(slow_server, certificates):
    """The last test of that server."""
    with tls_client(slow_server.grpc_port, certificates) as client, \
            tls_client(slow_server.grpc_port, certificates) as idle:
        with Stream(idle) as stream:
            stream.ask("encoder", [input_of("TEXT", texts("a"), "BYTES")])
            assert stream.next()[1] is None  # it is there
            answers = queue.Queue()
            client.async_infer(
                "identity_int64", numbers_of(7),
                lambda result, error: answers.put((result, error)))
            # Asked after it on the same connection: it is being worked on.
            assert client.is_server_live()
            slow_server.process.send_signal(signal.SIGTERM)
            result, error = answers.get(timeout=LIMIT_S)
            assert error is None
            assert result.as_numpy("OUTPUT0")[0][0] == 7
            assert slow_server.process.wait(timeout=LIMIT_S) == 0
            assert "the server is stopping" in stream.next()[1].message()


@pytest.mark.parametrize("options, complaint", [
    (["--grpc-use-ssl"], "--grpc-use-ssl needs --grpc-server-cert"),
    (["--grpc-use-ssl-mutual", "--grpc-server-cert", "server.pem",
      "--grpc-server-key", "server.key"], "needs --grpc-root-cert"),
    (["--grpc-use-ssl", "--grpc-server-cert", "client.key",
      "--grpc-server-key", "server.key"], "no certificate in PEM"),
    (["--grpc-use-ssl", "--grpc-server-cert", "server.pem",
      "--grpc-server-key", "client.key"], "no key in PEM that belongs"),
])
def test_wrong_certificates_are_named(own_index, certificates, options,
                                      complaint):
    words = [certificates / word if word.endswith((".pem", ".key")) else word
             for word in options]
    _, said = program.run("serve", "--index", own_index, "--port", 0,
                          "--no-metrics", "--http-port", 0, "--grpc-port", 0,
                          *words, expected=1)
    assert complaint in said


def test_a_port_that_is_taken_is_named(server, own_index):
    _, said = program.run("serve", "--index", own_index, "--port", 0,
                          "--no-metrics", "--http-port", 0,
                          "--grpc-port", server.grpc_port, expected=1)
    assert "--grpc-port" in said and str(server.grpc_port) in said


def test_grpc_is_left_out_where_it_is_not_wanted(own_index):
    with program.Server(own_index, "--no-grpc") as running:
        assert "http://" in running.process.stdout.readline()
        running.process.terminate()
        assert "grpc" not in running.process.stdout.read()
