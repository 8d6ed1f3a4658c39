"""What a model's script imports: the interface of Triton's Python backend."""
import asyncio
import json
import sys

import numpy

# By the numbers of Triton's data types.
_TYPES = [
    ("TYPE_INVALID", None), ("TYPE_BOOL", numpy.bool_),
    ("TYPE_UINT8", numpy.uint8), ("TYPE_UINT16", numpy.uint16),
    ("TYPE_UINT32", numpy.uint32), ("TYPE_UINT64", numpy.uint64),
    ("TYPE_INT8", numpy.int8), ("TYPE_INT16", numpy.int16),
    ("TYPE_INT32", numpy.int32), ("TYPE_INT64", numpy.int64),
    ("TYPE_FP16", numpy.float16), ("TYPE_FP32", numpy.float32),
    ("TYPE_FP64", numpy.float64), ("TYPE_STRING", numpy.object_)]
_TYPE_STRING, _TYPE_BF16 = 13, 14

TRITONSERVER_REQUEST_FLAG_SEQUENCE_START = 1
TRITONSERVER_REQUEST_FLAG_SEQUENCE_END = 2
TRITONSERVER_RESPONSE_COMPLETE_FINAL = 1
TRITONSERVER_REQUEST_RELEASE_ALL = 1
TRITONSERVER_REQUEST_RELEASE_RESCHEDULE = 2
TRITONSERVER_MEMORY_GPU, TRITONSERVER_MEMORY_CPU = 0, 1

# Set by quaver_child: how to ask and find other models, where the script lies.
_call = None
_is_ready = None
_model_folder = None


class TritonModelException(Exception):
    pass


def triton_to_numpy_type(data_type):
    return _TYPES[data_type][1] if 0 < data_type < len(_TYPES) else None


def numpy_to_triton_type(data_type):
    kind = numpy.dtype(data_type)
    if kind.kind in "SUO":
        return _TYPE_STRING
    for number, (_, known) in enumerate(_TYPES):
        if known is not None and kind == known:
            return number
    return None


def triton_string_to_numpy(name):
    return dict(_TYPES[1:])[name]


def get_model_dir():
    return _model_folder


def is_model_ready(model_name, model_version=""):
    return _is_ready(model_name, model_version)


def _find(tensors, name):
    return next((each for each in tensors if each.name() == name), None)


def get_input_tensor_by_name(inference_request, name):
    return _find(inference_request.inputs(), name)


def get_output_tensor_by_name(inference_response, name):
    return _find(inference_response.output_tensors(), name)


def _find_config(model_config, key, name):
    return next((each for each in model_config.get(key, [])
                 if each["name"] == name), None)


def get_input_config_by_name(model_config, name):
    return _find_config(model_config, "input", name)


def get_output_config_by_name(model_config, name):
    return _find_config(model_config, "output", name)


def using_decoupled_model_transaction_policy(model_config):
    policy = model_config.get("model_transaction_policy", {})
    return policy.get("decoupled", False)


def _as_bytes(element):
    return element if isinstance(element, bytes) else str(element).encode()


class Tensor:
    def __init__(self, name, numpy_array):
        array = numpy.asarray(numpy_array)
        self._name = name
        self._dtype = numpy_to_triton_type(array.dtype)
        if self._dtype is None:
            raise TritonModelException(
                f"tensor {name}: there is no data type for {array.dtype}")
        if self._dtype == _TYPE_STRING:
            shape = array.shape
            elements = [_as_bytes(each) for each in array.reshape(-1).tolist()]
            array = numpy.empty(len(elements), numpy.object_)
            array[:] = elements
            array = array.reshape(shape)
        # ascontiguousarray would make a scalar one-dimensional.
        self._array = numpy.require(array, requirements="C")

    @classmethod
    def _from_bf16(cls, name, raw):
        """Of a data type that numpy lacks: handed on, not read."""
        tensor = cls(name, raw)
        tensor._dtype = _TYPE_BF16
        return tensor

    @classmethod
    def from_dlpack(cls, name, tensor):
        return cls(name, numpy.from_dlpack(tensor))

    def name(self):
        return self._name

    def triton_dtype(self):
        return self._dtype

    def shape(self):
        return list(self._array.shape)

    def as_numpy(self):
        if self._dtype == _TYPE_BF16:
            raise TritonModelException(
                f"tensor {self._name}: numpy has no BF16")
        return self._array

    def is_cpu(self):
        return True

    def to_dlpack(self):
        return self.as_numpy().__dlpack__()

    def __dlpack__(self, **options):
        return self.as_numpy().__dlpack__(**options)

    def __dlpack_device__(self):
        return self.as_numpy().__dlpack_device__()


class TritonError(Exception):
    UNKNOWN, INTERNAL, NOT_FOUND, INVALID_ARG = 0, 1, 2, 3
    UNAVAILABLE, UNSUPPORTED, ALREADY_EXISTS, CANCELLED = 4, 5, 6, 7

    def __init__(self, message, code=INTERNAL):
        super().__init__(message)
        self._message, self._code = message, code

    def message(self):
        return self._message

    def code(self):
        return self._code


class PreferredMemory:
    """Where answers of other models lie is not chosen: there is one memory."""

    def __init__(self, preferred_memory_type, preferred_device_id=0):
        pass


class InferenceRequest:
    def __init__(self, request_id="", correlation_id=0, inputs=(),
                 requested_output_names=(), model_name="", model_version=-1,
                 flags=0, timeout=0, preferred_memory=None, trace=None,
                 parameters=None):
        self._id, self._correlation_id = request_id, correlation_id
        self._inputs = list(inputs)
        self._wanted = list(requested_output_names)
        self._model_name, self._model_version = model_name, model_version
        self._flags, self._timeout, self._trace = flags, timeout, trace
        if not isinstance(parameters, str):
            parameters = json.dumps(parameters or {})
        self._parameters = parameters
        self._cancelled = False

    def request_id(self):
        return self._id

    def correlation_id(self):
        return self._correlation_id

    def inputs(self):
        return self._inputs

    def requested_output_names(self):
        return self._wanted

    def parameters(self):
        """A JSON object, as text."""
        return self._parameters

    def flags(self):
        return self._flags

    def set_flags(self, flags):
        self._flags = flags

    def timeout(self):
        """In microseconds; 0: none."""
        return self._timeout

    def trace(self):
        return self._trace

    def is_cancelled(self):
        return self._cancelled

    def get_response_sender(self):
        raise TritonModelException("decoupled answers are not supported")

    def _ask(self, decoupled):
        if decoupled:
            raise TritonModelException("decoupled answers are not supported")
        return _call(self)

    def exec(self, decoupled=False):
        return self._ask(decoupled).result()

    def async_exec(self, decoupled=False):
        asyncio.get_running_loop()  # raises where there is none
        return asyncio.wrap_future(self._ask(decoupled))


class InferenceResponse:
    def __init__(self, output_tensors=(), error=None, parameters=None):
        self._output_tensors = list(output_tensors)
        self._error, self._parameters = error, parameters

    def output_tensors(self):
        return self._output_tensors

    def has_error(self):
        return self._error is not None

    def error(self):
        return self._error

    def parameters(self):
        return json.dumps(self._parameters or {})


class Logger:
    INFO, WARNING, ERROR, VERBOSE = "I", "W", "E", "V"

    @classmethod
    def log(cls, message, level=INFO):
        lines = "".join(f"\x01{level}{line}\n"
                        for line in str(message).splitlines())
        sys.__stderr__.write(lines)

    @classmethod
    def log_info(cls, message):
        cls.log(message, cls.INFO)

    @classmethod
    def log_warn(cls, message):
        cls.log(message, cls.WARNING)

    @classmethod
    def log_error(cls, message):
        cls.log(message, cls.ERROR)

    @classmethod
    def log_verbose(cls, message):
        cls.log(message, cls.VERBOSE)


class ModelConfig:
    """What auto_complete_config may complete."""

    def __init__(self, model_config):
        self._config = json.loads(model_config)

    def as_dict(self):
        return self._config

    def set_max_batch_size(self, max_batch_size):
        configured = self._config.get("max_batch_size", 0)
        if configured > max_batch_size:
            raise ValueError(f"max_batch_size is configured as {configured}, "
                             f"the model allows {max_batch_size}")
        self._config["max_batch_size"] = max_batch_size

    def set_dynamic_batching(self):
        for other in ("sequence_batching", "ensemble_scheduling"):
            if other in self._config:
                raise ValueError(f"{other} is configured, the model asks for "
                                 "dynamic_batching")
        self._config.setdefault("dynamic_batching", {})

    def set_model_transaction_policy(self, policy):
        if policy.get("decoupled"):
            raise ValueError("decoupled answers are not supported")

    def add_input(self, properties):
        self._add("input", properties, {"optional"})

    def add_output(self, properties):
        self._add("output", properties, set())

    def _add(self, kind, properties, may):
        must = {"name", "data_type", "dims"}
        if not must <= set(properties) <= must | may:
            raise ValueError(f"an {kind} has {sorted(must)} and may have "
                             f"{sorted(may)}, not {sorted(properties)}")
        tensors = self._config.setdefault(kind, [])
        known = _find_config(self._config, kind, properties["name"])
        if known is None:
            tensors.append(dict(properties))
            return
        for key, value in properties.items():
            configured = known.get(key)
            if configured not in (None, [], "TYPE_INVALID", value):
                raise ValueError(
                    f"{kind} {properties['name']}: {key} is configured as "
                    f"{configured}, the model has {value}")
            known[key] = value
