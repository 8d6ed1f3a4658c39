"""A Quaver server process of a test's own, over a copy of the demo index."""
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = os.environ.get("QUAVER_BIN", ROOT / "build/release/quaver")
INDEX = os.environ.get("QUAVER_INDEX", ROOT / "build/demo-index")
START_LIMIT_S = 60  # a second run starts in under 3; sanitizers are slower


class Server:
    """Start, stop and start again, always on the same port."""

    def __init__(self, folder, *options):
        self.options = options
        self.index = folder / "index"
        shutil.copytree(INDEX, self.index)
        self.log = folder / "server.log"
        self.port = free_port()
        self.http_port = free_port()  # of KServe's protocol
        self.grpc_port = free_port()
        self.metrics_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        command = [BIN, "serve", "--index", self.index, "--port", self.port,
                   "--http-port", self.http_port,
                   "--grpc-port", self.grpc_port,
                   "--metrics-port", self.metrics_port, *self.options]
        if "--drain-secs" not in self.options:
            command += ["--drain-secs", "0"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        limit = time.monotonic() + START_LIMIT_S
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > limit:
                self.stop()
                raise RuntimeError(f"no server:\n{self.log.read_text()}")
            time.sleep(0.02)

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready") as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
