"""The process of a model: runs its script as the server asks."""
import asyncio
import concurrent.futures
import importlib
import inspect
import json
import os
import queue
import resource
import struct
import sys
import threading
import traceback

import numpy

import quaver_wire as wire
import triton_python_backend_utils as utils

# numpy's types in the order of the server's datatypes; BF16 and BYTES follow.
_TYPES = [kind for _, kind in utils._TYPES[1:13]]
_BF16, _BYTES = len(_TYPES), len(_TYPES) + 1


def pack_tensor(tensor):
    array = tensor._array
    if tensor.triton_dtype() == utils._TYPE_BF16:
        kind, data = _BF16, array.tobytes()
    elif tensor.triton_dtype() == utils._TYPE_STRING:
        kind = _BYTES
        data = b"".join(map(wire.pack_string, array.reshape(-1).tolist()))
    else:
        kind, data = tensor.triton_dtype() - 1, array.tobytes()
    return b"".join([
        wire.pack_string(tensor.name()),
        struct.pack(f"<BI{array.ndim}qQ", kind, array.ndim, *array.shape,
                    len(data)), data])


def pack_tensors(tensors):
    return b"".join([struct.pack("<I", len(tensors)),
                     *map(pack_tensor, tensors)])


def pack_answer(response):
    error = response.error()
    if error is None:
        return b"\1" + pack_tensors(response.output_tensors())
    if not isinstance(error, utils.TritonError):
        error = utils.TritonError(str(error))
    return struct.pack("<BB", 0, error.code()) + wire.pack_string(
        error.message())


def read_tensor(reader):
    name, kind = reader.string(), reader.number("B")
    shape = [reader.number("q") for _ in range(reader.number("I"))]
    data = reader.take(reader.number("Q"))
    if kind == _BYTES:
        elements, array = wire.Reader(data), numpy.empty(shape, numpy.object_)
        flat = array.reshape(-1)
        for i in range(flat.size):
            flat[i] = elements.data()
        return utils.Tensor(name, array)
    if kind == _BF16:
        raw = numpy.frombuffer(data, numpy.uint16).reshape(shape).copy()
        return utils.Tensor._from_bf16(name, raw)
    # A copy is aligned, and the script's own.
    return utils.Tensor(
        name, numpy.frombuffer(data, _TYPES[kind]).reshape(shape).copy())


def read_tensors(reader):
    return [read_tensor(reader) for _ in range(reader.number("I"))]


def read_answer(reader):
    if reader.number("B"):
        return utils.InferenceResponse(read_tensors(reader))
    code, message = reader.number("B"), reader.string()
    return utils.InferenceResponse(error=utils.TritonError(message, code))


class Calls:
    """Calls of other models that wait for their answers."""

    def __init__(self):
        self._lock = threading.Lock()
        self._waiting = {}
        self._last = 0
        self.open = False

    def start(self, request):
        names = request.requested_output_names()
        return self._send(wire.CALL, b"".join([
            wire.pack_string(request._model_name),
            struct.pack("<q", request._model_version),
            wire.pack_string(request.request_id()),
            wire.pack_string(request.parameters()),
            struct.pack("<Q", request.timeout()),
            pack_tensors(request.inputs()), struct.pack("<I", len(names)),
            *map(wire.pack_string, names)]))

    def is_ready(self, model, version):
        answer = self._send(wire.READY, wire.pack_string(model)
                            + wire.pack_string(str(version)))
        return not answer.result().has_error()

    def _send(self, kind, payload):
        if not self.open:
            raise utils.TritonModelException(
                "other models can be asked during execute only")
        future = concurrent.futures.Future()
        with self._lock:
            self._last += 1
            number = self._last
            self._waiting[number] = future
        wire.send(kind, struct.pack("<Q", number) + payload)
        return future

    def finish(self, reader):
        with self._lock:
            future = self._waiting.pop(reader.number("Q"))
        answer = read_answer(reader)
        if not future.cancelled():
            try:
                future.set_result(answer)
            except concurrent.futures.InvalidStateError:
                pass  # cancelled meanwhile


class Model:
    """The script's class and its only object."""

    def __init__(self):
        self._class = self._model = self._output_names = None
        self._arguments = {}
        self._loop = None  # one for all calls, made when needed

    def load(self, reader):
        folder, version, script = (reader.string() for _ in range(3))
        max_memory = reader.number("Q")
        for _ in range(reader.number("I")):
            key = reader.string()
            self._arguments[key] = reader.string()
        if max_memory:
            resource.setrlimit(resource.RLIMIT_AS, (max_memory, max_memory))
        version_folder = os.path.join(folder, version)
        utils._model_folder = version_folder
        sys.path += [version_folder, folder]
        stem = os.path.splitext(script)[0]
        module = importlib.import_module(f"{version}.{stem}")
        self._class = getattr(module, "TritonPythonModel", None)
        if self._class is None:
            raise utils.TritonModelException(
                f"{script} has no class TritonPythonModel")

    def initialize(self):
        config = utils.ModelConfig(self._arguments["model_config"]).as_dict()
        self._output_names = [each["name"] for each in config.get("output", [])]
        self._model = self._class()
        if not hasattr(self._model, "execute"):
            raise utils.TritonModelException(
                "TritonPythonModel has no method execute")
        if hasattr(self._model, "initialize"):
            self._model.initialize(self._arguments)

    def complete(self):
        """The configuration, completed."""
        config = utils.ModelConfig(self._arguments["model_config"])
        if hasattr(self._class, "auto_complete_config"):
            completed = self._class.auto_complete_config(config)
            if not isinstance(completed, utils.ModelConfig):
                raise utils.TritonModelException(
                    "auto_complete_config returned no model configuration")
            config = completed
        return json.dumps(config.as_dict())

    def execute(self, requests):
        for request in requests:
            request._wanted = request._wanted or list(self._output_names)
        responses = self._model.execute(requests)
        if inspect.isawaitable(responses):
            self._loop = self._loop or asyncio.new_event_loop()
            responses = self._loop.run_until_complete(responses)
        if not isinstance(responses, (list, tuple)):
            raise utils.TritonModelException(
                f"execute returned {type(responses).__name__}, not a list")
        if len(responses) != len(requests):
            raise utils.TritonModelException(
                f"execute got {len(requests)} requests and returned "
                f"{len(responses)} responses")
        for response in responses:
            if not isinstance(response, utils.InferenceResponse):
                raise utils.TritonModelException(
                    f"execute returned a {type(response).__name__}, not an "
                    "InferenceResponse")
        return responses

    def finalize(self):
        if hasattr(self._model, "finalize"):
            self._model.finalize()


class Child:
    """Reads in a thread of its own, so that cancellations and answers come
    through while the script works in the main thread."""

    def __init__(self):
        self._work = queue.SimpleQueue()
        self._requests = []
        self._calls = Calls()
        self._model = Model()
        utils._call = self._calls.start
        utils._is_ready = self._calls.is_ready

    def read(self):
        try:
            while True:
                kind, payload = wire.receive()
                self._read_message(kind, wire.Reader(payload))
        except BaseException:  # no memory, for example: nobody would listen
            traceback.print_exc()
            os._exit(1)

    def _read_message(self, kind, reader):
        if kind == wire.ANSWER:
            self._calls.finish(reader)
        elif kind == wire.CANCEL:
            self._requests[reader.number("I")]._cancelled = True
        elif kind == wire.EXECUTE:
            self._requests = [self._read_request(reader)
                              for _ in range(reader.number("I"))]
            self._work.put((kind, self._requests))
        else:
            self._work.put((kind, reader))

    @staticmethod
    def _read_request(reader):
        request_id, parameters = reader.string(), reader.string()
        timeout, inputs = reader.number("Q"), read_tensors(reader)
        wanted = [reader.string() for _ in range(reader.number("I"))]
        return utils.InferenceRequest(
            request_id, inputs=inputs, requested_output_names=wanted,
            timeout=timeout, parameters=parameters or None)

    def work(self):
        """One thing after the other, until the model was finalized."""
        kind = None
        while kind != wire.FINALIZE:
            kind, content = self._work.get()
            try:
                answer = self._do(kind, content)
            except Exception as error:
                traceback.print_exc()
                answer = wire.FAILED, wire.pack_string(wire.describe(error))
            wire.send(*answer)

    def _do(self, kind, content):
        if kind == wire.EXECUTE:
            self._calls.open = True
            try:
                responses = self._model.execute(content)
            finally:
                self._calls.open = False
            return wire.EXECUTED, b"".join(
                [struct.pack("<I", len(responses)),
                 *map(pack_answer, responses)])
        text = ""
        if kind == wire.FINALIZE:
            self._model.finalize()
        else:
            self._model.load(content)
            if kind == wire.COMPLETE:
                text = self._model.complete()
            else:
                self._model.initialize()
        return wire.DONE, wire.pack_string(text)


def prefer_to_be_killed():
    """When memory runs out, rather than the server."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("500")
    except OSError:
        pass


def main():
    prefer_to_be_killed()
    os.set_inheritable(wire.DESCRIPTOR, False)
    sys.path[:] = [each for each in sys.path if each]  # no current folder
    sys.argv[:] = [""]
    child = Child()
    threading.Thread(target=child.read, daemon=True).start()
    child.work()
    # Threads that the script left behind do not delay the end.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
