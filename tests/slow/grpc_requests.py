"""Requests of the gRPC protocol, good and bad, for the models of triton/."""
import struct

from tritonclient.grpc import service_pb2 as pb

INT32, BYTES = "INT32", "BYTES"
TEXTS = [b"a", b"", "é".encode(), b"\xff\x00"]


def raw_strings(*texts):
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def infer(model, *inputs, raw=(), outputs=(), parameters=None, **fields):
    """Each input: name, datatype, shape and contents by field, or None."""
    request = pb.ModelInferRequest(model_name=model, **fields)
    for name, datatype, shape, contents in inputs:
        given = request.inputs.add(name=name, datatype=datatype, shape=shape)
        for field, values in (contents or {}).items():
            getattr(given.contents, field).extend(values)
    request.raw_input_contents.extend(raw)
    for name in outputs:
        request.outputs.add(name=name)
    for key, choice in (parameters or {}).items():
        (field, value), = choice.items()
        setattr(request.parameters[key], field, value)
    return request


def copy(shape=(2, 2), datatype=BYTES, name="INPUT0", raw=raw_strings(*TEXTS),
         **rest):
    return infer("copy", (name, datatype, shape, None), raw=[raw], id="7",
                 **rest)


def sums(*numbers, shape=(2, 2), datatype=INT32, **rest):
    """A tensor of `numbers` as contents for each of the first inputs."""
    return infer("sums", *((f"INPUT{i}", datatype, shape, {
        "int_contents": values}) for i, values in enumerate(numbers)), **rest)


def good_infers():
    yield "strings, raw", copy()
    yield "strings as contents", infer(
        "copy", ("INPUT0", BYTES, (2, 2), {"bytes_contents": TEXTS}))
    yield "numbers", sums([1, 2, 3, -4], [5, 6, 7, 8])
    yield "numbers without the optional", sums([1, 2, 3, -4])
    yield "numbers, raw", infer(
        "sums", ("INPUT0", INT32, (2, 2), None),
        ("INPUT1", INT32, (2, 2), None),
        raw=[struct.pack("<4i", 1, 2, 3, 4)] * 2)
    yield "a version", copy(model_version="1")
    yield "an output", sums([1, 2, 3, -4], outputs=["HALF"])
    yield "outputs in another order", sums([1, 2, 3, 4],
                                           outputs=["HALF", "SUM"])
    yield "other parameters", copy(parameters={
        "own": {"string_param": "x"}, "count": {"int64_param": 3},
        "yes": {"bool_param": True}})
    yield "a double", copy(parameters={"own": {"double_param": 0.5}})
    yield "priority and timeout", copy(parameters={
        "priority": {"uint64_param": 1}, "timeout": {"int64_param": 9_000_000}})
    yield "a sequence", copy(parameters={"sequence_id": {"int64_param": 5}})
    yield "an empty batch of strings", copy((1, 0), raw=b"")
    yield "INT8 in int_contents", sums([1, 2, 3, 4], datatype="INT8")


def bad_infers():
    yield "unknown model", infer("nothing", ("INPUT0", BYTES, (1, 1), None))
    yield "no model", infer("")
    for version in ("2", "x", "0", "-1"):
        yield f"version {version}", copy(model_version=version)
    yield "no input", infer("copy", id="7")
    yield "no required input", infer(
        "sums", ("INPUT1", INT32, (2, 2), {"int_contents": [1, 2, 3, 4]}))
    yield "none of two", infer("sums")
    yield "another input", copy(name="X")
    yield "an input twice", infer(
        "sums", *[("INPUT0", INT32, (2, 2), {"int_contents": [1] * 4})] * 2)
    for datatype in ("UINT8", "x", ""):
        yield f"datatype {datatype!r}", copy(datatype=datatype)
    yield "another datatype", sums([1, 2, 3, 4], datatype="UINT32")
    for shape in ((4,), (2, 2, 1), (), (5, 1), (0, 2), (-1, 4), (2 ** 62, 4),
                  (2, 3), (1, 2)):
        yield f"strings of shape {shape}", copy(shape)
    for shape in ((4,), (), (2, 3), (1, 4), (0, 0), (-2, -2)):
        yield f"numbers of shape {shape}", sums([1, 2, 3, 4], shape=shape)
    for count in (0, 3, 5):
        yield f"{count} numbers", sums([1] * count)
    yield "another contents field", infer(
        "sums", ("INPUT0", INT32, (2, 2), {"fp32_contents": [1] * 4}))
    yield "FP16 as contents", infer(
        "sums", ("INPUT0", "FP16", (2, 2), {"fp32_contents": [1] * 4}))
    yield "raw and contents", infer(
        "copy", ("INPUT0", BYTES, (1, 1), {"bytes_contents": [b"a"]}),
        raw=[raw_strings(b"a")])
    yield "more raw than inputs", infer(
        "copy", ("INPUT0", BYTES, (1, 1), None), raw=[raw_strings(b"a")] * 2)
    yield "less raw than inputs", infer(
        "sums", ("INPUT0", INT32, (2, 2), None),
        ("INPUT1", INT32, (2, 2), None), raw=[bytes(16)])
    yield "raw numbers cut", infer(
        "sums", ("INPUT0", INT32, (2, 2), None), raw=[bytes(15)])
    whole = raw_strings(*TEXTS)
    for name, raw in (("cut", whole[:-1]), ("cut in a length", whole[:-3]),
                      ("more", whole + b"x"), ("one more", whole + bytes(4)),
                      ("none", b"")):
        yield f"raw strings, {name}", copy(raw=raw)
    yield "another output", copy(outputs=["X"])
    yield "an output twice", copy(outputs=["OUTPUT0"] * 2)
    for key in ("priority", "timeout"):
        yield f"{key} -1", copy(parameters={key: {"int64_param": -1}})
        yield f"{key} x", copy(parameters={key: {"string_param": "x"}})
    yield "a reserved parameter", copy(
        parameters={"triton_x": {"int64_param": 1}})


def others():
    for name in ("ServerLive", "ServerReady", "ServerMetadata"):
        yield name, name, getattr(pb, f"{name}Request")()
    for method in ("ModelReady", "ModelMetadata", "ModelConfig",
                   "ModelStatistics"):
        for model, version in (("copy", ""), ("sums", "1"), ("copy", "2"),
                               ("copy", "x"), ("nothing", ""),
                               ("nothing", "1"), ("", "")):
            yield (f"{method} of {model!r} {version}", method,
                   getattr(pb, f"{method}Request")(name=model,
                                                   version=version))
    for fields in ({}, {"ready": True}, {"repository_name": "x"}):
        yield (f"index {fields}", "RepositoryIndex",
               pb.RepositoryIndexRequest(**fields))
    for verb in ("Load", "Unload"):
        method = f"RepositoryModel{verb}"
        make = getattr(pb, f"{method}Request")
        yield f"{verb} without control", method, make(model_name="copy")
        yield (f"{verb} in a repository", method,
               make(model_name="copy", repository_name="x"))
    for name in ("SystemSharedMemoryStatus", "CudaSharedMemoryStatus",
                 "TraceSetting", "LogSettings"):
        yield name, name, getattr(pb, f"{name}Request")()


def requests():
    """(name, method, request)"""
    for infers in (good_infers(), bad_infers()):
        for name, request in infers:
            yield name, "ModelInfer", request
    yield from others()


def streams():
    """(name, requests of one stream)"""
    yield "good ones", [copy(), sums([1, 2, 3, 4])]
    yield "an empty final answer", [copy(parameters={
        "triton_enable_empty_final_response": {"bool_param": True}})]
    yield "good after bad", [infer("nothing"), copy((5, 1)), copy()]
