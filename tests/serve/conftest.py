"""One server for the tests of its protocols, with the models made for tests."""
import pytest

from web import server as server_process


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    process = server_process.Server(tmp_path_factory.mktemp("serve"),
                                    "--test-models", "--server-name", "triton")
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def address(server):
    return f"127.0.0.1:{server.http_port}"
