"""What schemathesis makes of open_inference.yaml, valid and not, to a server.

Every answer has a status, a type, headers and a body that are written there.
"""
import json
import pathlib
import urllib.request

import pytest
import requests
import schemathesis
from schemathesis.config import SchemathesisConfig

from web import server as server_process

DOCUMENT = pathlib.Path(__file__).with_name("open_inference.yaml")

SCHEMA = schemathesis.openapi.from_path(
    DOCUMENT, config=SchemathesisConfig.from_dict({
        "seed": 2026,
        "generation": {"deterministic": True, "max-examples": 50},
        "phases": {
            "stateful": {"enabled": False},
            # No two runs learn the same from answers.
            "fuzzing": {"extra-data-sources": {"responses": False},
                        "error-feedback": {"enabled": False}},
            # Others are not known: 501.
            "coverage": {"unexpected-methods": ["get", "put", "post", "delete",
                                                "patch"]},
        },
        "operations": [{
            # A model that is not there is 400.
            "include-path-regex": "{model}.*/(ready|stats|load|unload)$",
            "checks": {"positive_data_acceptance": {"enabled": False}},
        }, {
            # So are tensors of other models; where the header is 0, every body
            # is the bytes of a tensor.
            "include-path-regex": "{model}.*/infer$",
            "checks": {"positive_data_acceptance": {"enabled": False},
                       "negative_data_rejection": {"enabled": False}},
        }],
    }))


@SCHEMA.hook
def filter_path_parameters(_, path_parameters):
    """Lists in paths are not escaped: what follows is no path then."""
    return "?" not in str(path_parameters)


@SCHEMA.hook
def map_body(_, body):
    """Numbers as clients write them: JSON Schema takes 1.0 for an integer."""
    if isinstance(body, dict):
        return {key: map_body(_, value) for key, value in body.items()}
    if isinstance(body, list):
        return [map_body(_, value) for value in body]
    if isinstance(body, float) and body.is_integer() and abs(body) < 2 ** 53:
        return int(body)
    return body


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("open_inference")
    model = folder / "models/add"
    (model / "1").mkdir(parents=True)
    (model / "config.pbtxt").write_text('backend: "addsub"')
    process = server_process.Server(
        folder, "--test-models", "--model-repository", model.parent,
        "--model-control-mode", "explicit")
    process.start()
    yield process
    if process.process.poll() is None:
        process.stop()


@pytest.fixture(scope="module")
def session():
    with requests.Session() as kept:
        yield kept


@SCHEMA.parametrize()
def test_answers_are_as_written(case, server, session):
    case.call_and_validate(base_url=f"http://127.0.0.1:{server.http_port}",
                           session=session)


def test_too_large_a_body_is_refused_as_written(server, session):
    operation = SCHEMA["/v2/models/{model}/infer"]["POST"]
    request = requests.Request(
        "POST", f"http://127.0.0.1:{server.http_port}/v2/models/addsub/infer",
    ).prepare()
    request.headers["Content-Length"] = str((64 << 20) + 1)  # that do not come
    answer = session.send(request)
    assert answer.status_code == 413
    operation.validate_response(answer)


def test_the_server_outlives_it(server):
    with urllib.request.urlopen(
            f"http://127.0.0.1:{server.http_port}/v2/health/ready") as answer:
        assert json.load(answer) == {"ready": True}
    server.stop()
    assert server.process.returncode == 0, server.log.read_text()
