"""The same requests over gRPC, good and bad, to a Triton server and to Quaver.

Codes, messages and answers have to be the same, but for the differences that
DIFFERENCES and triton_messages.py explain.
"""
import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from tritonclient.grpc import service_pb2_grpc

from . import grpc_requests, triton_messages

LIMIT_S = 30

# By the request's name, and why.
DIFFERENCES = {
    "ServerMetadata": "another version; no extensions for sequences, "
        "classification, shared memory, traces, logs and rate limits",
    **dict.fromkeys(("SystemSharedMemoryStatus", "CudaSharedMemoryStatus",
                     "TraceSetting", "LogSettings"), "not served"),
    **dict.fromkeys(("ModelConfig of 'copy' ", "ModelConfig of 'sums' 1"),
        "no field for GPUs' memory (optimization); instances and file names of "
        "what was not configured are left out"),
    "no required input": "a required input that is missing is refused",
    "strings of shape (4611686018427387904, 4)": "2^64 elements are not none",
    "more raw than inputs": "data that belongs to no input is refused",
    "an output twice": "refused, as later Tritons do",
    "timeout -1": "as a priority below 0",
}


@pytest.fixture(name="stubs")
def connect(servers):
    channels = [grpc.insecure_channel(f"127.0.0.1:{one.grpc_port}")
                for one in servers]
    yield [service_pb2_grpc.GRPCInferenceServiceStub(one) for one in channels]
    for channel in channels:
        channel.close()


def fields(message):
    return MessageToDict(message, preserving_proto_field_name=True)


def call(ask):
    """(code, answer or message)"""
    try:
        answer = ask()
        return "OK", ([fields(one) for one in answer]
                      if isinstance(answer, list) else fields(answer))
    except grpc.RpcError as error:
        return error.code().name, error.details()


def without_times(value):
    """Statistics count what both were asked before: no two runs' are alike."""
    if isinstance(value, list):
        return [without_times(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "model_stats" in value:
        return {"model_stats": [
            {"name": one["name"], "version": one["version"],
             "fields": sorted(one), "stats": sorted(one["inference_stats"])}
            for one in value["model_stats"]]}
    return value


def compare_stream(theirs, ours, messages):
    if len(theirs) != len(ours):
        return f"{len(theirs)} answers there, {len(ours)} here"
    for one, other in zip(theirs, ours):
        pair = [answer.pop("error_message", "") for answer in (one, other)]
        difference = messages.differ(*pair)
        if difference is None and one != other:
            difference = f"{one} there, {other} here"
        if difference is not None:
            return difference
    return None


def compare(theirs, ours, messages):
    """What differs, in words, or None."""
    if theirs[0] != ours[0]:
        return f"{theirs[0]} {theirs[1]} there, {ours[0]} {ours[1]} here"
    if theirs[0] != "OK":
        return messages.differ(theirs[1], ours[1])
    if isinstance(theirs[1], list):
        return compare_stream(theirs[1], ours[1], messages)
    theirs, ours = without_times(theirs[1]), without_times(ours[1])
    return None if theirs == ours else f"{theirs} there, {ours} here"


def calls():
    """(name, what asks a stub)"""
    for name, method, request in grpc_requests.requests():
        yield name, lambda stub, method=method, request=request: getattr(
            stub, method)(request, timeout=LIMIT_S)
    for name, requests in grpc_requests.streams():
        yield f"stream of {name}", lambda stub, requests=requests: list(
            stub.ModelStreamInfer(iter(requests), timeout=LIMIT_S))


def test_requests_over_grpc_are_answered_alike(stubs):
    messages = triton_messages.Messages(triton_messages.GRPC)
    findings = triton_messages.Findings(DIFFERENCES, messages)
    for name, ask in calls():
        theirs, ours = (call(lambda stub=stub: ask(stub)) for stub in stubs)
        findings.add(name, compare(theirs, ours, messages))
    findings.check(least=100)
