"""KServe over HTTP by hand: raw and chunked bodies, OpenAI's route, lies."""
import base64
import gzip
import http.client
import json
import shutil
import struct
import zlib

import pytest

from cli import program
from web import server as server_process

INFER = "/v2/models/identity_int32/infer"
JSON_BYTES = "Inference-Header-Content-Length"


class Wire:
    """One kept connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, 60)

    def send(self, method, path, body=None, headers=(), chunked=False):
        self.connection.request(method, path, body, dict(headers),
                                encode_chunked=chunked)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def post(self, path, body, headers=()):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        return self.send("POST", path, body, headers)

    def error(self, path, body, headers=(), expected=400):
        status, _, content = self.post(path, body, headers)
        assert status == expected, content
        answer = json.loads(content)
        assert list(answer) == ["error"]
        return answer["error"]


@pytest.fixture(name="wire")
def connect(server):
    wire = Wire(server.http_port)
    yield wire
    status, _, _ = wire.send("GET", "/v2/health/live")
    assert status == 200, "the server and the connection outlive every test"


def tensor(data, shape=(1, 1), datatype="INT32", **more):
    one = {"name": "INPUT0", "shape": list(shape), "datatype": datatype}
    if data is not None:
        one["data"] = data
    return {"inputs": [{**one, **more}]}


def nested(depth):
    return '{"inputs":[{"name":"INPUT0","shape":[1,1],"datatype":"INT32",' \
        '"data":' + "[" * depth + "7" + "]" * depth + "}]}"


def test_raw_binary(wire):
    answers = []
    for sent, more in ((b"songs about rain", {}),
                       (iter([b"songs ", b"about rain"]),
                        {"Transfer-Encoding": "chunked"})):
        status, fields, content = wire.send(
            "POST", "/v2/models/encoder/infer", sent, {JSON_BYTES: "0", **more},
            chunked=bool(more))
        assert status == 200, content
        assert fields["Content-Type"] == "application/octet-stream"
        json_bytes = int(fields[JSON_BYTES])
        output, tokens = json.loads(content[:json_bytes])["outputs"]
        binary = content[json_bytes:]
        assert output["shape"] == [1, 384]
        assert output["parameters"] == {"binary_data_size": 4 * 384}
        assert tokens["parameters"] == {"binary_data_size": 4}
        answers.append(struct.unpack("<384fi", binary))
    assert answers[0] == answers[1]
    _, fields, content = wire.post(INFER, b"12345678", {JSON_BYTES: "0"})
    assert content[int(fields[JSON_BYTES]):] == b"12345678"
    assert json.loads(content[:int(fields[JSON_BYTES])])["outputs"][0][
        "shape"] == [1, 2]
    for model, complaint in (
            ("identity", "the model must have input shape [1]"),
            ("addsub", "Raw request must only have 1 input (found 1) to be "
                       "deduced but got 2 inputs in")):
        assert complaint in wire.error(f"/v2/models/{model}/infer", b"1234",
                                       {JSON_BYTES: "0"})


def test_json_only_clients_may_have_binary_outputs(wire):
    body = tensor([7])
    body["parameters"] = {"binary_data_output": True}
    body["outputs"] = [{"name": "OUTPUT0"}]
    _, fields, content = wire.post(INFER, body)
    assert content[int(fields[JSON_BYTES]):] == struct.pack("<i", 7)
    body["outputs"][0]["parameters"] = {"binary_data": False}
    _, fields, content = wire.post(INFER, body)
    assert JSON_BYTES not in fields
    assert json.loads(content)["outputs"][0]["data"] == [7]


def test_answers_say_how_long_they_took(wire):
    status, fields, _ = wire.post(INFER, tensor([7]))
    assert status == 200
    total, queue, infer = (float(fields[f"X-{name}-Time"])
                           for name in ("Total", "Queue", "Inference"))
    assert total >= queue + infer - 0.002  # of rounding


@pytest.mark.parametrize("body, complaint", [
    ("", "failed to parse the request JSON"),
    ("{", "failed to parse the request JSON"),
    ("\xff", "failed to parse the request JSON"),
    ("[]", "not an object"),
    ("{}", "'inputs'"),
    ('{"inputs":[]} x', "failed to parse the request JSON"),
    ({"inputs": []}, "expected 1 inputs but got 0 inputs"),
    ({"inputs": [7]}, "'inputs'"),
    ({"inputs": [{}]}, "'name'"),
    (tensor([7], datatype="INT33"), "invalid datatype"),
    (tensor([7], datatype="FP32"), "data-type is 'FP32'"),
    (tensor([7], shape=[1]), "unexpected shape for input 'INPUT0'"),
    (tensor([7], shape=[2, -5]), "contains one or more invalid dimensions"),
    (tensor([7], shape=[16, 2 ** 60 + 2]), "causes total element count"),
    (tensor([7], shape=[4, 2 ** 60 + 2]), "byte size overflow for input"),
    (tensor([7], shape=[2 ** 64, 1]), "integers of 63 bits"),
    (tensor([7], shape=[1, "1"]), "Unable to parse 'shape'"),
    (tensor([7, 8]), "does not match true shape"),
    (tensor([7], shape=[1, 2_000_000_000]), "does not match true shape"),
    (tensor(["7"]), "not in the range of INT32"),
    (tensor([2 ** 31]), "not in the range of INT32"),
    (tensor([1e400]), "failed to parse"),
    (tensor(None), "must have either 'data' or"),
    (tensor(None, parameters={"binary_data_size": 4}),
     "expecting 4 additional"),
    (tensor(None, parameters={"binary_data_size": 2 ** 63}), "unexpected size"),
    (tensor([7], parameters=7), "'parameters'"),
    ({**tensor([7]), "id": 7}, "'id'"),
    ({**tensor([7]), "parameters": {"triton_x": 1}}, "reserved"),
    ({**tensor([7]), "outputs": 7}, "'outputs'"),
    ({"inputs": tensor([7])["inputs"] * 2}, "already exists in request"),
    (nested(101), "JSON nesting depth exceeds maximum allowed limit (100)"),
    (nested(200), "JSON nesting depth exceeds maximum allowed limit (100)"),
    (nested(250_000), "JSON nesting depth exceeds maximum allowed limit (100)"),
])
def test_bad_bodies_are_400_and_say_why(wire, body, complaint):
    assert complaint in wire.error(INFER, body)


def test_nesting_within_the_limit_is_read(wire):
    status, _, content = wire.post(INFER, nested(100))
    assert status == 200, content


@pytest.mark.parametrize("length, complaint", [
    ("99999999999", "inference header size should be in range (0, "),
    ("9" * 40, "inference header size should be in range (0, "),
    ("-1", "inference header size should be in range (0, "),
    ("x", "Unable to parse Inference-Header-Content-Length, got: x"),
    ("1.5", "Unable to parse"),
    ("20", "failed to parse the request JSON"),
])
def test_header_lengths_that_lie(wire, length, complaint):
    assert complaint in wire.error(INFER, tensor([7]), {JSON_BYTES: length})


def test_binary_tensors_that_lie(wire):
    def complaint(claimed, sent, shape=(1, 1)):
        head = json.dumps(tensor(None, shape, parameters={
            "binary_data_size": claimed})).encode()
        return wire.error(INFER, head + sent, {JSON_BYTES: str(len(head))})

    assert "expecting 4 additional bytes" in complaint(8, b"1234")
    assert "unexpected additional input data" in complaint(4, b"12345")
    assert "Expected 8, got 4" in complaint(4, b"1234", (1, 2))
    assert "Expected 4, got 0" in complaint(0, b"")


def test_compressed_bodies(wire):
    body = json.dumps(tensor([7])).encode()
    for coding, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
        status, _, content = wire.post(INFER, pack(body),
                                       {"Content-Encoding": coding})
        assert status == 200, content
        for bad in (b"", body, pack(body)[:-1], pack(body) + b"x"):
            assert coding in wire.error(INFER, bad,
                                        {"Content-Encoding": coding})
    assert "unsupported Content-Encoding" in wire.error(
        INFER, body, {"Content-Encoding": "br"}, expected=501)
    bomb = gzip.compress(bytes(65 << 20))
    assert "exceeds the maximum allowed input size of 67108864 bytes" in \
        wire.error(INFER, bomb, {"Content-Encoding": "gzip"})
    assert "request JSON size" in wire.error(
        INFER, gzip.compress(b" " * (17 << 20)), {"Content-Encoding": "gzip"})


def test_answers_are_compressed_where_that_is_accepted(wire):
    array = list(range(1_000))
    body = tensor(array, shape=[1, 1_000])
    for accepted, coding, unpack in (
            ("gzip, deflate, br", "gzip", gzip.decompress),
            ("gzip;q=0.5, deflate", "deflate", zlib.decompress),
            ("br", None, bytes), ("identity, gzip;q=0", None, bytes)):
        _, fields, content = wire.post(INFER, body,
                                       {"Accept-Encoding": accepted})
        assert fields["Content-Encoding"] == coding
        assert json.loads(unpack(content))["outputs"][0]["data"] == array


def test_bodies_over_the_limit_are_refused_unread(server):
    wire = Wire(server.http_port)
    wire.connection.putrequest("POST", INFER)
    wire.connection.putheader("Content-Length", str((64 << 20) + 1))
    wire.connection.endheaders()
    answer = wire.connection.getresponse()
    assert (answer.status, json.loads(answer.read())) == (413, {
        "error": "a body is at most 67108864 bytes: send it in parts"})


def test_chunked_bodies_count_with_what_has_come(server):
    body = json.dumps(tensor([7])).encode()
    wires = [Wire(server.http_port) for _ in range(10)]
    for wire in wires:
        wire.connection.putrequest("POST", INFER)
        wire.connection.putheader("Transfer-Encoding", "chunked")
        wire.connection.putheader("Expect", "100-continue")
        wire.connection.endheaders()
        assert wire.connection.sock.recv(64).startswith(b"HTTP/1.1 100 ")
    for wire in wires:
        wire.connection.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert wire.connection.getresponse().status == 200


def test_models_that_wait_keep_nobody_waiting(tmp_path):
    slow = server_process.Server(tmp_path, "--test-models", "--test-delay-ms",
                                 "2000")
    slow.start()
    try:
        wires = [Wire(slow.http_port) for _ in range(400)]
        for wire in wires:
            wire.connection.request("POST", INFER, json.dumps(tensor([7])))
        status, _, _ = Wire(slow.http_port).send("GET", "/v2/health/live")
        assert status == 200
        for wire in wires:
            assert wire.connection.getresponse().status == 200
    finally:
        slow.stop()


def test_routes_and_methods_that_are_none(wire):
    for method, path, status, message in (
            ("GET", "/v2/models/encoder/no", 404, "Not Found"),
            ("GET", "/v1/search", 404, "Not Found"),
            ("GET", "/v2/models/encoder/versions/x", 404, "Not Found"),
            ("GET", INFER, 405, "Method Not Allowed"),
            ("POST", "/v2/health/live", 405, "Method Not Allowed"),
            ("GET", "/v2/models/..%2F..%2Fetc", 404,
             "Request for unknown model: '../../etc' is not found")):
        answer = wire.send(method, path)
        assert (answer[0], json.loads(answer[2])) == (status,
                                                      {"error": message})


def test_health_has_the_protocols_bodies(wire):
    for path, body in (("/v2/health/live", {"live": True}),
                       ("/v2/health/ready", {"ready": True}),
                       ("/v2/models/encoder/ready",
                        {"name": "encoder", "ready": True})):
        status, _, content = wire.send("GET", path)
        assert (status, json.loads(content)) == (200, body)


def test_the_index_takes_a_choice(wire):
    status, _, content = wire.post("/v2/repository/index", {"ready": True})
    assert status == 200
    assert "encoder" in {one["name"] for one in json.loads(content)}
    assert wire.error("/v2/repository/index", {"ready": 1}) \
        == "Invalid value for 'ready': expected a boolean"
    assert "nesting" in wire.error("/v2/repository/index",
                                   '{"ready":' + "[" * 250_000 + "]" * 250_000
                                   + "}")


def test_generate(wire):
    path = "/v2/models/corrector/generate"
    status, _, content = wire.post(path, {"text_input": "taylor swft",
                                          "N_BEST": 3, "id": "7"})
    assert status == 200, content
    answer = json.loads(content)
    assert answer["model_name"] == "corrector" and answer["id"] == "7"
    answers = answer["CORRECTED"]
    first = answers[0] if isinstance(answers, list) else answers
    assert answer["text_output"] == first
    assert isinstance(answer["PASSES"], int)
    assert "missing required input(s) ['TEXT']" in wire.error(path, {})
    assert "not in the range of INT32" in wire.error(
        path, {"TEXT": "a", "N_BEST": "two"})
    assert "'id'" in wire.error(path, {"TEXT": "a", "id": 7})


def test_openai_embeddings(wire):
    def embed(**body):
        status, fields, content = wire.post("/v1/embeddings",
                                            {"model": "encoder", **body})
        assert status == 200, content
        assert "X-Inference-Time" in fields
        answer = json.loads(content)
        assert answer["object"] == "list" and answer["model"] == "encoder"
        given = body["input"]
        least = 3 * (1 if isinstance(given, str) else len(given))
        assert answer["usage"]["prompt_tokens"] >= least
        assert answer["usage"]["total_tokens"] \
            == answer["usage"]["prompt_tokens"]
        assert [one["index"] for one in answer["data"]] \
            == list(range(len(answer["data"])))
        return [one["embedding"] for one in answer["data"]]

    rows = embed(input=["rain", "sun", "rain"])
    assert rows[0] == rows[2] != rows[1]
    assert embed(input="rain", dimensions=384, encoding_format="float") \
        == rows[:1]
    (packed,) = embed(input="rain", encoding_format="base64")
    numbers = struct.unpack("<384f", base64.b64decode(packed, validate=True))
    assert list(numbers) == [struct.unpack("<f", struct.pack("<f", one))[0]
                             for one in rows[0]]
    assert len(embed(input=["a"] * 100)) == 100, "more than infer's batch"


def test_tei_embeds(wire):
    status, fields, content = wire.post("/embed", {"inputs": ["rain", "sun"]})
    assert status == 200 and "X-Inference-Time" in fields, content
    _, _, openai = wire.post("/v1/embeddings", {
        "model": "encoder", "input": ["rain", "sun"]})
    rows = json.loads(content)
    assert rows == [one["embedding"] for one in json.loads(openai)["data"]]
    _, _, content = wire.post("/embed", {"inputs": "sun", "truncate": True})
    assert json.loads(content) == rows[1:]
    for body, complaint in (({}, "'inputs'"), ({"inputs": []}, "empty"),
                            ({"inputs": "a", "normalize": False}, "normalize")):
        status, _, content = wire.post("/embed", body)
        error = json.loads(content)
        assert status == 422 and error["error_type"] == "Validation"
        assert complaint in error["error"]


@pytest.mark.parametrize("body, expected, complaint", [
    ({"input": "a"}, 400, "'model'"),
    ({"model": "nobody", "input": "a"}, 404, "does not exist"),
    ({"model": "corrector", "input": "a"}, 400, "makes no embeddings"),
    ({"model": "encoder"}, 400, "'input'"),
    ({"model": "encoder", "input": []}, 400, "empty"),
    ({"model": "encoder", "input": [1, 2]}, 400, "token ids are not taken"),
    ({"model": "encoder", "input": ["a"] * 2049}, 400, "too long"),
    ({"model": "encoder", "input": "a", "dimensions": 8}, 400, "'dimensions'"),
    ({"model": "encoder", "input": "a", "encoding_format": "x"}, 400,
     "'encoding_format'"),
])
def test_bad_requests_for_embeddings(wire, body, expected, complaint):
    status, _, content = wire.post("/v1/embeddings", body)
    assert status == expected, content
    error = json.loads(content)["error"]
    assert complaint in error["message"]
    assert error["type"] == "invalid_request_error"


def test_both_addresses_are_printed(tmp_path):
    index = shutil.copytree(server_process.INDEX, tmp_path / "index")
    with program.Server(index) as server:
        line = server.process.stdout.readline()
        port = int(line.split(":")[-1].split("/")[0])
        assert port != server.port
        wire = Wire(port)
        assert json.loads(wire.send("GET", "/v2")[2])["name"] == "quaver"
        models = json.loads(wire.post("/v2/repository/index", b"")[2])
        assert {one["name"] for one in models} == {"corrector", "encoder",
                                                    "search"}


def test_the_protocol_is_left_out_where_it_is_not_wanted(tmp_path):
    index = shutil.copytree(server_process.INDEX, tmp_path / "index")
    with program.Server(index, "--no-kserve", "--no-metrics") as server:
        assert Wire(server.port).send("GET", "/v2")[0] == 404
        server.process.terminate()
        assert server.process.stdout.read() == "", "one address is printed"


def test_a_port_that_is_taken_is_named(server, tmp_path):
    index = shutil.copytree(server_process.INDEX, tmp_path / "index")
    _, complaint = program.run("serve", "--index", index, "--port", 0,
                               "--no-metrics", "--http-port", server.http_port,
                               expected=1)
    assert "--http-port" in complaint and str(server.http_port) in complaint
