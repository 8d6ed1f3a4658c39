"""Messages between the server and this process; see python_protocol.h."""
import os
import struct
import sys
import threading

START, COMPLETE, EXECUTE, CANCEL, ANSWER, FINALIZE = 1, 2, 3, 4, 5, 6
DONE, FAILED, EXECUTED, CALL, READY = 16, 17, 18, 19, 20

DESCRIPTOR = 3  # our end of the socket
MAX_BYTES = 1 << 30
HEADER = struct.Struct("<IB")

_sending = threading.Lock()


def receive():
    """The next message's type and payload; ends the process at its end."""
    size, kind = HEADER.unpack(_receive_bytes(HEADER.size))
    return kind, _receive_bytes(size)


def _receive_bytes(size):
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = os.readv(DESCRIPTOR, [view])
        if count == 0:  # the server is gone
            os._exit(1)
        view = view[count:]
    return data


def send(kind, payload=b""):
    if len(payload) > MAX_BYTES:
        raise ValueError(
            f"a message of {len(payload)} bytes; at most {MAX_BYTES}")
    view = memoryview(HEADER.pack(len(payload), kind) + payload)
    with _sending:
        while view:
            view = view[os.write(DESCRIPTOR, view):]


def describe(error):
    """The last line of its traceback."""
    kind, text = type(error).__name__, str(error)
    return f"{kind}: {text}" if text else kind


def refuse(error):
    """Says why this process cannot work, and ends it."""
    if isinstance(error, ModuleNotFoundError) and error.name == "numpy":
        text = f"the Python environment of {sys.executable} has no numpy"
    else:
        text = describe(error)
    send(FAILED, pack_string(text))
    sys.exit(1)


def pack_string(text):
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    return struct.pack("<I", len(data)) + data


class Reader:
    """Takes parts off a payload."""

    def __init__(self, payload):
        self._left = memoryview(payload)

    def take(self, size):
        part, self._left = self._left[:size], self._left[size:]
        return part

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]

    def data(self):
        return bytes(self.take(self.number("I")))

    def string(self):
        return self.data().decode("utf-8", "replace")

    def __bool__(self):
        return bool(self._left)
