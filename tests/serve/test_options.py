"""Options as Triton's users and tools give them."""
import json
import re
import urllib.error
import urllib.request

import pytest

from .test_repository import LIMIT_S, ModelServer

WITHOUT_EFFECT = """
    --trace-config=mode=triton --trace-config level=OFF
    --reuse-http-port=true --reuse-grpc-port 1 --http-thread-count=8
    --metrics-config summary_latencies=true --metrics-interval-ms=2000
    --rate-limit=off --allow-cpu-metrics=true --allow-gpu-metrics false
    --allow-client-shm=false --pinned-memory-pool-byte-size=268435456
    --cuda-memory-pool-byte-size=0:67108864 --grpc-infer-thread-count=2
    --min-supported-compute-capability=6.0 --buffer-manager-thread-count=0
    --model-namespacing=false --http-header-forward-pattern=.*
""".split()
FOLLOWED = """
    --exit-on-error=true --strict-readiness 0 --allow-http=1 --allow-grpc TRUE
    --allow-metrics=False --strict-model-config=off --log-verbose=1
    --log-info=true --log-warning on --log-error=1 --http-address=127.0.0.1
    --grpc-address 127.0.0.1 --metrics-address=127.0.0.1
    --http-max-input-size 67108864 --id=triton
""".split()


def complaint(folder, *options):
    server = ModelServer(folder, *options)
    server.launch()
    assert server.process.wait(timeout=LIMIT_S) in (1, 2)
    return server.log.read_text()


def test_options_without_an_effect_are_taken_with_a_warning(tmp_path):
    with ModelServer(tmp_path, *WITHOUT_EFFECT, *FOLLOWED) as server:
        with urllib.request.urlopen(f"http://{server.address}/v2") as answer:
            assert json.load(answer)["name"] == "triton"
        log = server.log.read_text()
    names = {word.partition("=")[0] for word in WITHOUT_EFFECT
             if word.startswith("--")}
    warned = re.findall(r"warning (--\S+) is not followed", log)
    assert sorted(warned) == sorted(names)
    assert "Metrics" not in log


@pytest.mark.parametrize("option", [
    "--http-restricted-api=health:key=value",
    "--grpc-restricted-protocol=health:key=value"])
def test_what_protects_is_not_taken_without_an_effect(tmp_path, option):
    said = complaint(tmp_path, option)
    assert option.partition("=")[0] in said
    assert "can be restricted" in said


def test_a_boolean_is_one(tmp_path):
    assert "--allow-grpc: expected true or false, not 'maybe'" in complaint(
        tmp_path, "--allow-grpc=maybe")


@pytest.mark.parametrize("option", [
    "--strict-model-config=true", "--strict-model-config",
    "--disable-auto-complete-config"])
def test_a_strict_configuration_is_not_completed(tmp_path, option):
    server = ModelServer(tmp_path, option)
    server.add("add", 'backend: "addsub"')
    server.launch()
    assert server.process.wait(timeout=LIMIT_S) == 1
    assert "must specify 'input'" in server.log.read_text()


def test_addresses_are_of_their_ports(tmp_path):
    def refused(*options):
        return complaint(tmp_path, *options)

    # TEST-NET-1 is no address of this machine.
    assert "--http-port" in refused("--http-address=192.0.2.1")
    assert "--grpc-port" in refused("--grpc-address=192.0.2.1")
    assert "--metrics-port" in refused("--metrics-address=192.0.2.1")


def test_a_request_has_as_many_bytes_as_is_said(tmp_path):
    with ModelServer(tmp_path, "--test-models",
                     "--http-max-input-size=1000") as server:
        def status(size):
            body = json.dumps({"inputs": [{
                "name": "INPUT0", "datatype": "BYTES", "shape": [1, 1],
                "data": ["x" * size]}]}).encode()
            try:
                with urllib.request.urlopen(
                        f"http://{server.address}/v2/models/identity/infer",
                        body) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                return error.code

        assert status(800) == 200
        assert status(1000) == 413


def test_lines_of_the_log_are_objects(tmp_path):
    with ModelServer(tmp_path, "--log-format=json", "--access-log",
                     "--trace-config=level=OFF") as server:
        with urllib.request.urlopen(
                f"http://{server.address}/v2/health/live?secret"):
            pass
    lines = [json.loads(line) for line in server.log.read_text().splitlines()
             if line.startswith("{")]
    assert all({"time", "level", "message"} <= line.keys() for line in lines)
    assert any("--trace-config" in line["message"] and
               line["level"] == "warning" for line in lines)
    access = [line for line in lines
              if line.get("route") == "/v2/health/live"]
    assert access
    assert access[0]["method"] == "GET" and access[0]["status"] == 200
    assert access[0]["seconds"] >= 0
    assert "secret" not in server.log.read_text()


def test_levels_are_tritons(tmp_path):
    def lines(*options):
        with ModelServer(tmp_path, "--access-log", "--trace-config=x",
                         *options) as server:
            with urllib.request.urlopen(
                    f"http://{server.address}/v2/health/live"):
                pass
        log = server.log.read_text()
        server.log.unlink()
        return "/v2/health/live" in log, "--trace-config" in log

    assert lines() == (True, True)
    assert lines("--log-info=false") == (False, True)
    assert lines("--log-info=false", "--log-warning=0") == (False, False)
