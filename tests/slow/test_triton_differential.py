"""The same requests, good and bad, to a Triton server and to Quaver.

Both serve the repository tests/slow/triton. Statuses, the JSON of what succeeds
and what is said of what does not have to be the same, but for the differences
that DIFFERENCES and triton_messages.py explain; an explanation that explains
nothing fails, too.
"""
import copy
import json
import struct

from . import triton_messages

LENGTH = "Inference-Header-Content-Length"
COPY, SUMS = "/v2/models/copy/infer", "/v2/models/sums/infer"

STRINGS = {"id": "7", "inputs": [{"name": "INPUT0", "shape": [2, 2],
                                  "datatype": "BYTES",
                                  "data": ["a", "", "é", "久石譲"]}]}
NUMBERS = {"inputs": [
    {"name": "INPUT0", "shape": [2, 2], "datatype": "INT32",
     "data": [1, 2, 3, -4]},
    {"name": "INPUT1", "shape": [2, 2], "datatype": "INT32",
     "data": [[5, 6], [7, 2147483647 - 9]]}],
    "outputs": [{"name": "SUM"}, {"name": "HALF"}]}
WRONG = [None, True, -1, 0, 1.5, 1e99, "x", [], {}, [[1]], 2 ** 63]


def places(value, path=()):
    """Paths to everything within a JSON value."""
    items = (value.items() if isinstance(value, dict) else
             enumerate(value) if isinstance(value, list) else ())
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(value, path, new):
    value = copy.deepcopy(value)
    at = value
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return value


def without(value, path):
    value = copy.deepcopy(value)
    at = value
    for key in path[:-1]:
        at = at[key]
    del at[path[-1]]
    return value


def binary(request, data, **output):
    """A request whose first input is binary, and its headers."""
    request = copy.deepcopy(request)
    del request["inputs"][0]["data"]
    request["inputs"][0]["parameters"] = {"binary_data_size": len(data)}
    if output:
        request["outputs"] = [{"name": "OUTPUT0", "parameters": output}]
    head = json.dumps(request).encode()
    return head + data, {LENGTH: str(len(head))}


def strings(*texts):
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def requests():
    """(name, method, path, body, headers)"""
    for path in ("/v2", "/v2/health/live", "/v2/health/ready",
                 "/v2/models/copy", "/v2/models/copy/versions/1",
                 "/v2/models/copy/ready", "/v2/models/copy/versions/1/ready",
                 "/v2/models/sums", "/v2/models/copy/config",
                 "/v2/models/nothing", "/v2/models/nothing/ready",
                 "/v2/models/nothing/config", "/v2/models/nothing/stats",
                 "/v2/models/copy/versions/2", "/v2/models/copy/versions/x",
                 "/v2/models/copy/versions/2/ready", "/v2/nothing", "/v3",
                 "/", "/v2/models", "/v2/models/copy/nothing"):
        yield f"get {path}", "GET", path, None, {}
        yield f"post {path}", "POST", path, b"{}", {}
    for path in ("/v2/models/nothing/infer", "/v2/models/copy/versions/2/infer",
                 "/v2/models/copy/versions/1/infer",
                 "/v2/models/copy/versions/x/infer",
                 "/v2/models/nothing/versions/1/infer"):
        yield f"infer at {path}", "POST", path, json.dumps(STRINGS).encode(), {}
    for path in ("/v2/models/copy/versions/2/config",
                 "/v2/models/copy/versions/2/stats",
                 "/v2/models/nothing/versions/1",
                 "/v2/models/nothing/versions/1/ready"):
        yield f"get {path}", "GET", path, None, {}
    for body in (b"", b"{}", b'{"ready":true}', b'{"ready":1}', b"[", b"nope"):
        yield f"index {body}", "POST", "/v2/repository/index", body, {}
    yield ("load without control", "POST", "/v2/repository/models/copy/load",
           b"{}", {})
    yield ("unload without control", "POST",
           "/v2/repository/models/copy/unload", b"{}", {})
    for name, path, base in (("strings", COPY, STRINGS),
                             ("numbers", SUMS, NUMBERS)):
        yield name, "POST", path, json.dumps(base).encode(), {}
        yield f"get {name}", "GET", path, None, {}
        for place in places(base):
            if "data" in place[:-1]:
                continue
            label = "/".join(map(str, place))
            yield (f"{name} without {label}", "POST", path,
                   json.dumps(without(base, place)).encode(), {})
            for wrong in WRONG:
                if name == "numbers" and place[:2] == ("inputs", 1):
                    continue
                yield (f"{name} {label}={json.dumps(wrong)}", "POST", path,
                       json.dumps(changed(base, place, wrong)).encode(), {})
    for name, text in (("nothing", b""), ("half", b'{"inputs":['),
                       ("list", b"[]"), ("text", b'"a"'), ("null", b"null"),
                       ("nan", b'{"inputs":NaN}'), ("latin", b'{"id":"\xe9"}'),
                       ("two", b"{}{}"), ("deep", b"[" * 200 + b"]" * 200)):
        yield f"body {name}", "POST", COPY, text, {}
    data = strings(b"a", b"", b"\xff\x00", b"b")
    for name, output in (("binary in", {}),
                         ("binary out", {"binary_data": True}),
                         ("json out", {"binary_data": False})):
        body, headers = binary(STRINGS, data, **output)
        yield name, "POST", COPY, body, headers
        yield f"{name}, cut", "POST", COPY, body[:-1], headers
        yield f"{name}, more", "POST", COPY, body + b"x", headers
    body, _ = binary(STRINGS, data)
    for length in ("0", "-1", "1", "x", "", "99999", str(2 ** 64),
                   f"{len(body)}", f" {len(body) - len(data)}"):
        yield f"header length {length!r}", "POST", COPY, body, {LENGTH: length}
    yield "raw", "POST", COPY, strings(b"only"), {LENGTH: "0"}
    for coding in ("gzip", "deflate", "br", "identity", "x"):
        yield (f"content coding {coding} of plain bytes", "POST", COPY,
               json.dumps(STRINGS).encode(), {"Content-Encoding": coding})
    for parameters in ({"binary_data_output": True},
                       {"binary_data_output": False},
                       {"binary_data_output": 1}, {"priority": 0},
                       {"priority": 1}, {"priority": -1}, {"priority": "x"},
                       {"timeout": 1_000_000}, {"timeout": "x"},
                       {"triton_x": 1}, {"own": "x"}, {"own": 1.5},
                       {"own": None}, {"own": []}, {"sequence_id": 0},
                       {"headers": 1}, {"": 1}):
        yield (f"parameters {json.dumps(parameters)}", "POST", COPY,
               json.dumps({**STRINGS, "parameters": parameters}).encode(), {})
    for outputs in ([], [{"name": "OUTPUT0"}], [{"name": "OTHER"}],
                    [{"name": "OUTPUT0"}, {"name": "OUTPUT0"}],
                    [{"name": "OUTPUT0", "parameters": {"binary_data": 1}}]):
        yield (f"outputs {json.dumps(outputs)}", "POST", COPY,
               json.dumps({**STRINGS, "outputs": outputs}).encode(), {})
    for shape in ([1, 4], [4, 1], [4], [2, 2, 1], [5, 1], [0, 2], [2, 0],
                  [2 ** 62, 4], [-1, 4]):
        request = changed(STRINGS, ("inputs", 0, "shape"), shape)
        yield (f"shape {shape}", "POST", COPY, json.dumps(request).encode(), {})


# What differs, by the request's name, and why. Left out: an output that asks
# for classification ends Triton 2.51 with a segmentation fault.
DIFFERENCES = {
    "get /v2/models/copy/config": "no field for GPUs' memory (optimization); "
        "instances and file names of what was not configured are left out",
    "get /v2": "another version; no extensions for sequences, classification, "
        "shared memory, traces, logs and rate limits",
    "post /v2/models/copy/versions/x": "405, as for every route's wrong method",
    "strings inputs/0/shape/1=0": "data that a shape has no room for is refused",
    "shape [2, 0]": "the same",
    "strings inputs/0/shape/1=9223372036854775808":
        "a dimension beyond 63 bits is refused",
    "numbers without inputs/0": "a required input that is missing is refused",
    "binary in": "bytes that are no UTF-8 are no JSON: binary output has them",
    "json out": "the same",
    "header length ' 121'": "the same",
    "outputs [{\"name\": \"OUTPUT0\"}, {\"name\": \"OUTPUT0\"}]":
        "an output that is asked for twice is refused, as later Tritons do",
}


def split(body, headers):
    """An answer's JSON, and its binary tensors."""
    length = headers.get(LENGTH)
    head = body if length is None else body[:int(length)]
    try:
        return json.loads(head), body[len(head):]
    except ValueError:
        return None, body


def round_floats(value):
    """FP32 is the shortest decimal here, and the double's there."""
    if isinstance(value, list):
        return [round_floats(one) for one in value]
    if not isinstance(value, dict):
        return value
    value = {key: round_floats(one) for key, one in value.items()}
    if value.get("datatype") == "FP32" and "data" in value:
        value["data"] = [struct.unpack("f", struct.pack("f", one))[0]
                         for one in value["data"]]
    return value


def compare(theirs, ours, messages):
    """What differs, in words, or None. A bad body is 400 here, where Triton says
    500: that is the client's fault, and balancers try again after a 500."""
    if (theirs[0], ours[0]) == (500, 400):
        theirs = (400, *theirs[1:])
    if theirs[0] != ours[0]:
        return f"status {theirs[0]} there, {ours[0]} here"
    (their_json, their_bytes), (our_json, our_bytes) = (
        split(theirs[1], theirs[2]), split(ours[1], ours[2]))
    if theirs[0] != 200:
        if isinstance(their_json, dict) and "error" in their_json:
            if not (isinstance(our_json, dict) and "error" in our_json):
                return "no error in JSON here"
            return messages.differ(their_json["error"], our_json["error"])
        return None
    if round_floats(their_json) == round_floats(our_json):
        return None
    if their_json is None or isinstance(our_json, dict) and set(our_json) <= {
            "live", "ready", "name"}:
        return None  # no body there: KServe's is here
    if their_bytes != our_bytes:
        return "other bytes"
    return (f"{json.dumps(their_json)[:300]} there, "
            f"{json.dumps(our_json)[:300]} here")


def test_three_hundred_requests_are_answered_alike(servers):
    triton, quaver = servers
    messages = triton_messages.Messages(triton_messages.HTTP)
    findings = triton_messages.Findings(DIFFERENCES, messages)
    for name, method, path, body, headers in requests():
        theirs = triton.ask(method, path, body, headers)
        ours = quaver.ask(method, path, body, headers)
        difference = compare(theirs, ours, messages)
        if difference is not None:
            difference += (f"; {theirs[1][:150]!r} there, {ours[1][:150]!r} "
                           "here")
        findings.add(name, difference)
    findings.check(least=300)
    for server in servers:
        assert server.ask("GET", "/v2/health/ready", None, {})[0] == 200
