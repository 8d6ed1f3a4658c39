"""The search bar's own models: what the product asks is seen, and cached."""
import json
import re
import urllib.error
import urllib.parse
import urllib.request

import pytest

from web import server as server_process


@pytest.fixture(scope="module", name="cached")
def cached_server(tmp_path_factory):
    process = server_process.Server(tmp_path_factory.mktemp("own"),
                                    "--cache-config", "local,size=1000000")
    process.start()
    yield process
    process.stop()


def search(server, query):
    target = f"{server.url}/v1/search?q={urllib.parse.quote(query)}"
    with urllib.request.urlopen(target) as answer:
        found = json.load(answer)
    return {key: value for key, value in found.items()
            if not key.startswith(("took", "timing"))}


def value(server, name, model):
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        text = answer.read().decode()
    found = re.search(rf'^{name}{{model="{model}",version="1"}} (\S+)$', text,
                      re.M)
    assert found, (name, model)
    return float(found[1])


@pytest.mark.parametrize("model", ["encoder", "corrector"])
def test_what_the_product_asks_of_its_models_is_counted(server, model):
    name = "nv_inference_request_success"
    before = value(server, name, model)
    for i in range(5):
        search(server, f"becuase of the nigth {i}")
    assert value(server, name, model) >= before + 5
    assert value(server, "nv_inference_pending_request_count", model) == 0


def test_what_the_product_is_asked_counts_as_the_model_search(server):
    def counts():
        url = f"http://127.0.0.1:{server.http_port}/v2/models/search/stats"
        with urllib.request.urlopen(url) as answer:
            of = json.load(answer)["model_stats"][0]["inference_stats"]
        assert value(server, "nv_inference_request_success", "search") == \
            of["success"]["count"]
        return of["success"]["count"], of["fail"]["count"]

    succeeded, failed = counts()
    for i in range(3):
        search(server, f"yesterday {i}")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(f"{server.url}/v1/search?limit=0")
    assert counts() == (succeeded + 3, failed + 1)


def test_a_query_that_comes_again_is_not_computed_again(cached):
    first = search(cached, "becuase of the nigth")
    computed = [value(cached, "nv_inference_exec_count", "encoder"),
                value(cached, "quaver_decoder_passes_total", "corrector")]
    assert search(cached, "becuase of the nigth") == first
    assert computed == [
        value(cached, "nv_inference_exec_count", "encoder"),
        value(cached, "quaver_decoder_passes_total", "corrector")]
    for model in ("encoder", "corrector"):
        assert value(cached, "nv_cache_num_hits_per_model", model) >= 1
