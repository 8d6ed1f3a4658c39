"""What Triton and Quaver say of one wrong request: the same words, or what a
table sets against each other, with the reason."""
import re
import sys

ANOTHER_PARSER = "simdjson's words instead of RapidJSON's"
NAMES_IT = "says which one"
FIRST = "of two faults the other one is told"

# (Triton's, Quaver's, why): regular expressions of whole messages; Quaver's may
# refer to groups of Triton's.
BOTH = [
    (r"explicit model load / unload is not allowed if polling is enabled",
     r"explicit model load / unload is not allowed: the server was started "
     r"with another --model-control-mode",
     "true of every mode but explicit"),
    (r"parameter keys starting with 'triton_' are reserved .*",
     r"parameter keys starting with 'triton_' are reserved: 'triton_x' should "
     r"not be specified", NAMES_IT),
]
HTTP = BOTH + [
    (r"Unable to parse '(\w+)': attempt to access JSON .*",
     r"Unable to parse '\1': The JSON (element|number) .*", ANOTHER_PARSER),
    (r"Unable to parse '(\w+)': attempt to access non-existing .*",
     r"Unable to parse '\1': it is missing", ANOTHER_PARSER),
    (r"failed to parse the request JSON buffer: .*",
     r"failed to parse the request JSON: .*", ANOTHER_PARSER),
    (r"attempt to access JSON non-boolean as boolean",
     r"Invalid value for 'ready': expected a boolean", NAMES_IT),
    (r"Unable to parse 'shape': attempt to access JSON .*",
     r"Unable to parse 'shape': its dimensions have to be integers of 63 bits",
     NAMES_IT),
    (r"Unable to parse 'shape': attempt to access JSON .*",
     r"invalid shape for input '.*': shape .*-1.* contains one or more invalid "
     r"dimensions", NAMES_IT),
    (r"Unable to parse 'data': attempt to access JSON non-array as array",
     r"Unable to parse 'data': that of input '.*' is not an array", NAMES_IT),
    (r"Unable to parse JSON bytes array: attempt to access JSON .*",
     r"Unable to parse 'data': element 0 of input '.*' is no string", NAMES_IT),
    (r"Unable to parse 'data': Shape does not match true shape of 'data' field",
     r"Unable to parse 'data': shape .* of input '.*' does not match true shape "
     r"of 'data' field", NAMES_IT),
    (r"Input must set only one of the following fields: .* no field is set",
     r"input '.*' must have either 'data' or the parameter "
     r"'binary_data_size'", NAMES_IT),
    (r"Input must set only one of the following fields: .* no field is set",
     r"Unable to parse ('inputs': each has to be an object|"
     r"'name': it is missing)", "says what is there instead of an input"),
    (r"Unable to parse 'name': attempt to access non-existing .*",
     r"Unable to parse 'outputs': each has to be an object",
     "says what is there instead of an output"),
    (r"invalid datatype for input (.*)",
     r'invalid datatype ".*" for input \1', NAMES_IT),
    (r"Model version not ready", r"Request for unknown model: .* is not found",
     NAMES_IT),
    (r"Unsupported compression type",
     r'unsupported Content-Encoding "\w+": it has to be gzip, deflate or '
     r"identity", NAMES_IT),
    (r"(unexpected size for input .*)",
     r"\1; the header Inference-Header-Content-Length has to say where the "
     r"JSON ends", "the likely reason"),
    (r"(unexpected additional input data for model .*)",
     r"\1: 1 bytes belong to no input", "says how many"),
    (r"parameter 'own' has invalid type\. It should be either 'int', 'bool', "
     r"or 'string'\.",
     r"parameter 'own' has invalid type\. It should be either a number, a "
     r"bool, or a string\.", "floats are taken"),
    # The body is not JSON, but Triton looks no further than the first value
    # that it needs, or takes what it cannot read for a raw request.
    (r"Unable to parse 'inputs': attempt to access .*",
     r"(the request JSON is not an object|failed to parse the request JSON: "
     r".*|JSON nesting depth exceeds maximum allowed limit \(100\))",
     "the body is checked whole"),
    (r"For BYTE datatype raw input .*",
     r"(failed to parse the request JSON: .*|the body is no complete "
     r"(gzip|deflate) data|Unable to parse Inference-Header-Content-Length, "
     r"got: x)", "raw requests are those whose header says 0"),
    (r"input 'INPUT0' has no shape .*|unexpected shape for input .*|"
     r"inference request batch-size must be <= 4 .*",
     r"(unexpected number of|expected \d+) string elements .*|Unable to parse "
     r"('data': shape .* does not match true shape .*|'shape': its dimensions "
     r".*)", FIRST),
    (r"expected \d string elements for .*, got 0",
     r"unexpected number of string elements 1 .*|Unable to parse 'shape': .*|"
     r"invalid shape for .* exceed maximum size .*",
     "the shape's own elements are counted"),
]
GRPC = BOTH + [
    (r"failed to get model version from specified version string '(.*)' "
     r"\(details: stol\), (.*)|invalid model version specified '(.*)' , (.*)",
     r"failed to get model version from specified version string '.*': version "
     r"should be an integral value > 0", "one sentence for all versions"),
    (r"inference input '(.*)' data-type is '<invalid>', .*",
     r'invalid datatype ".*" for input \1', NAMES_IT),
    (r"unexpected explicit tensor data for input tensor '(.*)' for model "
     r"'(.*)' of type .*",
     r"contents of input '\1' for model '\2' have elements in a field that is "
     r"not that of its datatype .*|inference input '\1' data-type is '.*', but "
     r"model '\2' expects .*", "says which datatype is wrong"),
    (r"unexpected number of string elements 3 .*, expecting 2",
     r"inference request batch-size must be >= 1 for 'copy'",
     "an empty batch has no elements"),
    (r"expected 17179869180 string elements .*",
     r"inference request batch-size must be >= 1 for 'copy'",
     "a negative dimension is no number of elements"),
    (r"input byte size mismatch for input '(.*)' for model '(.*)'\. "
     r"Expected .*",
     r"expected 4 elements for inference input '\1' for model '\2', got \d",
     "contents are elements, not bytes"),
    (r"unable to find data for input tensor 'INPUT1' for model '(.*)' in "
     r"request\.",
     r"expected 2 of raw_input_contents for model '\1', one for each input, "
     r"got 1", "says where the data should be"),
    (r"incomplete string data for inference input '(.*)', expecting string of "
     r"length (\d+) but only (.*)",
     r"incomplete string data for inference input '\1' for model '.*', "
     r"expecting \2 bytes but only \3", "as for a length indicator"),
    (r"(incomplete string length indicator .*)\. Please make sure the string "
     r"length indicator is in one buffer\.", r"\1", "there is one buffer"),
    (r"invalid value (for|type for) '(.*)'.*",
     r"invalid value for '\2' parameter: expected int64_param or uint64_param, "
     r"at least 0", "one sentence for all of both parameters"),
]


def plain(message):
    """Without the request's id and the advice on batches, which is longer
    there."""
    message = re.sub(r"\s+", " ", message).strip()
    message = re.sub(r"^\[request id: [^]]*\] ", "", message)
    message = re.sub(r" NOTE: Setting a non-zero max_batch_size .*$", "",
                     message)
    return message.removesuffix(" The first dimension is the batch.")


class Messages:
    """Compares messages, and knows which reasons were never needed."""

    def __init__(self, table):
        self.unused = set(range(len(table)))
        self.patterns = [re.compile(f"(?:{theirs})\n(?:{ours})")
                         for theirs, ours, _ in table]

    def differ(self, theirs, ours):
        """What differs, in words, or None."""
        theirs, ours = plain(theirs), plain(ours)
        if theirs == ours:
            return None
        for place, pattern in enumerate(self.patterns):
            if pattern.fullmatch(f"{theirs}\n{ours}"):
                self.unused.discard(place)
                return None
        return f"{theirs!r} there, {ours!r} here"


class Findings:
    """What the requests differ in, beside what has a reason."""

    def __init__(self, reasons, messages):
        self.reasons, self.messages = reasons, messages
        self.count, self.used, self.unexplained = 0, set(), []

    def add(self, name, difference):
        self.count += 1
        if difference is None:
            return
        if name in self.reasons:
            self.used.add(name)
        else:
            self.unexplained.append(f"{name}: {difference}")

    def check(self, least):
        print(f"{self.count} requests, {len(self.unexplained)} unexplained "
              "differences", file=sys.stderr)
        assert self.count >= least
        assert not self.unexplained, "\n".join(self.unexplained)
        assert self.used == set(self.reasons), "reasons without a difference"
        assert not self.messages.unused, "the same of messages"
