"""A Triton server and Quaver over the same models, tests/slow/triton. Needs
build/venv-serving."""
import http.client
import os
import pathlib
import shutil
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
VENV = ROOT / "build/venv-serving"
REPOSITORY = pathlib.Path(__file__).parent / "triton"


class Server:
    def __init__(self, port, command, log, environment):
        self.port, self.grpc_port = port, port + 10
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdout=out, stderr=out,
                env={**os.environ, **environment})
        limit = time.monotonic() + 120
        while self.ask("GET", "/v2/health/ready", None, {})[0] != 200:
            assert self.process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < limit, log.read_text()[-2000:]
            time.sleep(0.2)

    def ask(self, method, path, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, 30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__, b"", {}
        finally:
            connection.close()


@pytest.fixture(scope="session", name="servers")
def start(tmp_path_factory):
    """(Triton, Quaver)"""
    folder = tmp_path_factory.mktemp("differential")
    site = next((VENV / "lib").glob("python3*/site-packages"))
    home = site / "pytriton/tritonserver"
    version = site.parent.name.removeprefix("python")
    stub = home / "backends/python/triton_python_backend_stub"
    if not stub.exists():
        shutil.copy(home / f"python_backend_stubs/{version}/{stub.name}", stub)
    library = subprocess.run(
        [VENV / "bin/python", "-c",
         "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))"],
        check=True, capture_output=True, text=True).stdout.strip()
    path = {"PATH": f"{VENV / 'bin'}:{os.environ['PATH']}"}
    triton = Server(8300, [
        home / "bin/tritonserver", f"--model-repository={REPOSITORY}",
        f"--backend-directory={home / 'backends'}", "--http-address=127.0.0.1",
        "--http-port=8300", "--grpc-address=127.0.0.1", "--grpc-port=8310",
        "--allow-metrics=false"],
        folder / "triton.log",
        {**path, "LD_LIBRARY_PATH": f"{home / 'external_libs'}:{library}",
         "PYTHONPATH": str(site), "VIRTUAL_ENV": str(VENV)})
    quaver = Server(8301, [
        ROOT / "build/release/quaver", "serve", "--model-repository",
        REPOSITORY, "--port", "0", "--http-port", "8301", "--grpc-port", "8311",
        "--no-metrics", "--server-name", "triton"],
        folder / "quaver.log", path)
    yield triton, quaver
    for server in (triton, quaver):
        server.process.terminate()
        server.process.wait(timeout=60)
