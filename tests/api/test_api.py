"""The started binary against its own description, with a client not ours."""
import concurrent.futures
import http.client
import json
import time
import urllib.parse

import jsonschema
import pytest

from web import server as server_process

KEY = "key of the API's tests"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    keys = folder / "keys"
    keys.write_text(f"# for tests\n{KEY}\n")
    process = server_process.Server(folder, "--api-key-file", keys,
                                    "--cors-origin", "https://example.org")
    process.start()
    yield process
    process.stop()


class Api:
    """One kept connection; answers are held against the description."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, 30)
        self.spec = json.loads(self.send("GET", "/v1/openapi.json")[2])

    def send(self, method, target, body=None, **headers):
        names = {name.replace("_", "-"): value
                 for name, value in headers.items()}
        self.connection.request(method, target, body, names)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def call(self, method, path, expected=200, params=None, body=None,
             route=None, **headers):
        """The answer's JSON, checked by what the route says of the status."""
        target = path
        if params:
            target += "?" + urllib.parse.urlencode(params)
        status, fields, content = self.send(method, target, body, **headers)
        assert status == expected, content
        described = self.described(route or path, method, status)
        if "content" not in described:
            assert content == b""
            return None
        assert fields["Content-Type"] == "application/json"
        answer = json.loads(content)
        self.check(described["content"]["application/json"]["schema"], answer)
        return answer

    def described(self, route, method, status):
        operation = self.spec["paths"][route][method.lower()]
        described = operation["responses"][str(status)]
        if "$ref" in described:
            name = described["$ref"].rsplit("/", 1)[1]
            described = self.spec["components"]["responses"][name]
        return described

    def check(self, schema, value):
        jsonschema.Draft202012Validator(
            {**schema, "components": self.spec["components"]}).validate(value)

    def write(self, *documents, key=KEY):
        lines = "\n".join(json.dumps(document) for document in documents)
        return self.call("POST", "/v1/documents", body=lines, X_API_Key=key)


@pytest.fixture
def api(server):
    api = Api(server.port)
    yield api
    api.connection.close()


def eventually(check, limit_s=2):
    """What is promised within two seconds."""
    deadline = time.monotonic() + limit_s
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_every_schema_is_one(api):
    for schema in api.spec["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for item in api.spec["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", []) \
                    if isinstance(operation, dict) else []:
                jsonschema.Draft202012Validator.check_schema(
                    parameter["schema"])


def test_examples_fit_their_schemas(api):
    def examples(node):
        if isinstance(node, dict):
            if "schema" in node and "example" in node:
                yield node["schema"], node["example"]
            for child in node.values():
                yield from examples(child)
        elif isinstance(node, list):
            for child in node:
                yield from examples(child)
    found = list(examples({"paths": api.spec["paths"],
                           "responses": api.spec["components"]["responses"]}))
    assert len(found) > 12
    for schema, example in found:
        api.check(schema, example)


@pytest.mark.parametrize("query", [
    "", "a", "love", "sad songs for rainy days", "beatles yesterday", "日本",
    "🎵", "\x00", "' OR 1=1 --", "x" * 5000])
def test_search_answers_as_described(api, query):
    answer = api.call("GET", "/v1/search",
                      params={"q": query, "facets": "true",
                              "explain": "true", "limit": 100})
    assert answer["timing_us"]["total"] > 0
    for section in answer["sections"]:
        scores = [hit["score"] for hit in section["hits"]]
        assert scores == sorted(scores, reverse=True)
        assert section["num_matches"] >= len(scores) > 0
        assert {hit["type"] for hit in section["hits"]} == {section["type"]}


def test_spelling_is_corrected_unless_it_is_off(api):
    params = {"q": "beetels yesterday"}
    answer = api.call("GET", "/v1/search", params=params)
    assert answer["query"] == "beetels yesterday"
    assert answer["correction"]["text"] == "beatles yesterday"
    assert answer["correction"]["applied"]
    assert answer["best"]["title"] == "Yesterday"
    for name in ("correct", "correct_gate"):
        assert name in answer["timing_us"]
    answer = api.call("GET", "/v1/search", params={**params, "spell": "off"})
    assert answer["correction"] is None


def test_the_model_is_asked_always_where_the_query_says_so(api):
    for spell, asks in (("auto", False), ("always", True)):
        params = {"q": "yesterday", "spell": spell}
        answer = api.call("GET", "/v1/correct", params=params)
        correction = api.call("GET", "/v1/search", params=params)["correction"]
        assert answer["gated"] == correction["gated"] == (not asks)
        assert (answer["passes"] > 0) == (correction["passes"] > 0) == asks
        assert answer["text"] == "yesterday"


@pytest.mark.parametrize("query, text", [
    ("beetels yesterday", "beatles yesterday"), ("yesterday", "yesterday"),
    ("", ""), ("🎵 é \x00", None), ("x" * 5000, None)])
def test_correct_answers_as_described(api, query, text):
    answer = api.call("GET", "/v1/correct", params={"q": query})
    search = api.call("GET", "/v1/search", params={"q": query})
    if text is not None:
        assert answer["text"] == text
    for name, value in search["correction"].items():
        if name != "text":
            assert answer[name] == value, name
    assert search["query"] == answer["query"]
    units = answer["query"].encode("utf-16-le")
    ends = [0]
    for span in answer["spans"]:
        ends += [span["begin"], span["end"]]
        units[2 * span["begin"]:2 * span["end"]].decode("utf-16-le")
    assert ends == sorted(ends) and ends[-1] <= len(units) // 2
    api.call("GET", "/v1/correct", 400, params={"q": query, "spell": "off"})


def test_highlights_are_utf16_offsets(api):
    for hit in api.call("GET", "/v1/search",
                        params={"q": "love", "types": "track"}
                        )["sections"][0]["hits"]:
        units = hit["title"].encode("utf-16-le")
        for begin, end in hit["highlights"].get("title", []):
            assert 0 <= begin < end <= len(units) // 2
            units[2 * begin:2 * end].decode("utf-16-le")  # whole letters


def test_bytes_that_are_no_utf8_are_a_query(api):
    status, _, content = api.send("GET", "/v1/search?q=%ff%fe%c3")
    assert status == 200
    json.loads(content)


@pytest.mark.parametrize("prefix", ["", "b", "bea", "the beat"])
def test_suggestions_are_as_described(api, prefix):
    answer = api.call("GET", "/v1/suggest", params={"q": prefix})
    assert bool(answer["suggestions"]) == bool(prefix)


def test_pages_of_a_section_do_not_overlap(api):
    seen = []
    for offset in range(0, 40, 10):
        sections = api.call("GET", "/v1/search",
                            params={"q": "", "types": "track", "limit": 10,
                                    "offset": offset})["sections"]
        seen += [hit["id"] for hit in sections[0]["hits"]]
    assert len(seen) == len(set(seen)) == 40


@pytest.mark.parametrize("params, field", [
    ({"limit": 0}, "limit"), ({"limit": 101}, "limit"),
    ({"limit": "ten"}, "limit"), ({"limit": "9" * 50}, "limit"),
    ({"offset": 1001}, "offset"), ({"types": "song"}, "types"),
    ({"filter": "colour:red"}, "filter"), ({"facets": "maybe"}, "facets"),
    ({"spell": "on"}, "spell"), ({"spell": ""}, "spell"),
    ({"quarry": "x"}, "quarry"),
])
def test_wrong_parameters_are_named(api, params, field):
    answer = api.call("GET", "/v1/search", 400, params=params)
    assert answer["field"] == field
    assert field in answer["error"]


def test_a_document_lives_and_dies(api):
    written = api.write(
        {"id": "track:api test/1", "type": "track", "title": "Quokka Serenade",
         "artist": "The API Testers", "year": 2024})
    assert written["accepted"] == 1 and written["rejected"] == []

    def best():
        best = api.call("GET", "/v1/search",
                        params={"q": "quokka serenade"})["best"]
        return best and best["id"]
    eventually(lambda: best() == "track:api test/1")
    path = "/v1/documents/" + urllib.parse.quote("track:api test/1", safe="")
    route = "/v1/documents/{id}"
    assert api.call("GET", path, route=route)["year"] == 2024
    api.call("DELETE", path, 403, route=route)
    api.call("DELETE", path, 204, route=route,
             Authorization=f"Bearer {KEY}")
    api.call("DELETE", path, 404, route=route, X_API_Key=KEY)
    api.call("GET", path, 404, route=route)
    eventually(lambda: best() != "track:api test/1")


def test_good_lines_are_kept_and_bad_ones_reported(api):
    body = '{"title": "Kept One"}\n{"title"\n\nnull\n{"title": "Kept Two"}\n'
    answer = api.call("POST", "/v1/documents", body=body, X_API_Key=KEY)
    assert answer["accepted"] == 2
    assert [bad["line"] for bad in answer["rejected"]] == [2, 4]
    eventually(lambda: api.call("GET", "/v1/stats")["sequence"] >=
               answer["sequence"])


@pytest.mark.parametrize("body", [b"", b"\n", b"{", b"\xff\x00" * 100,
                                  b"[" * 100_000, b'{"title": ""}'])
def test_a_body_without_a_good_line_is_400(api, body):
    api.call("POST", "/v1/documents", 400, body=body, X_API_Key=KEY)


def test_huge_bodies_are_413_and_the_server_lives(server, api):
    sender = Api(server.port)
    try:
        sender.connection.request("POST", "/v1/documents", b"x" * 10_000_000,
                                  {"X-API-Key": KEY})
        answer = sender.connection.getresponse()
        assert answer.status == 413
        sender.check({"$ref": "#/components/schemas/Error"},
                     json.loads(answer.read()))
    except (BrokenPipeError, ConnectionResetError):
        pass  # it was told while still sending and could not listen
    api.call("POST", "/v1/documents", 413, body=b"x\n" * 10_001,
             X_API_Key=KEY)
    assert api.send("GET", "/health/live")[0] == 200


@pytest.mark.parametrize("headers", [
    {}, {"X_API_Key": "wrong"}, {"Authorization": "Bearer wrong"},
    {"Authorization": KEY}])
def test_writing_needs_a_key(api, headers):
    before = api.call("GET", "/v1/stats")["last_sequence"]
    api.call("POST", "/v1/documents", 403, body='{"title": "No"}', **headers)
    assert api.call("GET", "/v1/stats")["last_sequence"] == before


def test_stats_and_health_are_as_described(api):
    stats = api.call("GET", "/v1/stats")
    assert stats["num_documents"] == sum(stats["documents"].values()) > 1000
    api.call("GET", "/health/live")
    api.call("GET", "/health/ready")


def test_metrics_tell_routes_stages_and_corrections(api):
    api.call("GET", "/v1/search", params={"q": "love"})
    text = api.send("GET", "/metrics")[2].decode()
    for part in ('quaver_http_requests_total{code="200",method="GET",'
                 'route="/v1/search"}',
                 'quaver_http_request_seconds_bucket{route="/v1/search"',
                 'quaver_search_stage_seconds_count{stage="meaning"}',
                 'quaver_search_stage_seconds_count{stage="correct_gate"}',
                 'quaver_correction_outcomes_total{outcome="did_you_mean"}',
                 'quaver_correction_passes_bucket{le="1"}'):
        assert part in text


def test_cors_lets_one_origin_in(api):
    allow = "Access-Control-Allow-Origin"
    ours = api.send("GET", "/v1/search", Origin="https://example.org")[1]
    assert ours[allow] == "https://example.org"
    assert allow not in api.send("GET", "/v1/search",
                                 Origin="https://evil.org")[1]
    status, fields, _ = api.send(
        "OPTIONS", "/v1/documents", Origin="https://example.org",
        Access_Control_Request_Method="POST")
    assert status == 204
    assert "POST" in fields["Access-Control-Allow-Methods"]


def test_what_is_not_there_says_so(api):
    status, _, content = api.send("GET", "/v2/search")
    assert status == 404
    api.check({"$ref": "#/components/schemas/Error"}, json.loads(content))
    status, fields, _ = api.send("PUT", "/v1/search", body="x")
    assert status == 405
    assert "GET" in fields["Allow"]


def test_clients_at_once_get_their_own_answers(server):
    def ask(number):
        api = Api(server.port)
        for repeat in range(10):
            query = f"client {number} asks {repeat}"
            answer = api.call("GET", "/v1/search", params={"q": query})
            assert answer["query"] == query
        api.connection.close()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(16)))


def test_writes_survive_a_stop(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(KEY)
    process = server_process.Server(tmp_path, "--api-key-file", keys)
    process.start()
    try:
        Api(process.port).write({"id": "track:survivor", "title": "Survivor"})
        process.stop()
        process.start()
        Api(process.port).call("GET", "/v1/documents/track%3Asurvivor",
                               route="/v1/documents/{id}")
    finally:
        process.stop()
