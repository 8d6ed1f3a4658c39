"""64 connections of mixed queries and writes: no error, no growth, right
answers. SOAK_SECONDS (default 600) long.

Needs build/release/quaver; QUAVER_INDEX names another index than the demo's.
"""
import http.client
import json
import os
import random
import sys
import threading
import time
import urllib.parse

import pytest

from web import server as server_process

KEY = "key of the soak test"
CONNECTIONS = 64
SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
# Of resident memory after the first tenth of the run, when the caches of the
# allocator are filled and the delta has been flushed.
MAX_GROWTH = 1.10
# Titles of the demo catalogue with what finds them.
KNOWN = [("bohemian rapsody queen", "Bohemian Rhapsody", "Queen"),
         ("smels like teen spirit", "Smells Like Teen Spirit", "Nirvana"),
         ("hay jude beatles", "Hey Jude", "The Beatles"),
         ("bilie jean jackson", "Billie Jean", "Michael Jackson")]
NOISE = ["", "a", "th", "sad songs for rainy days", "news podcasts", "久石譲",
         "🔥", "x" * 3000, "%00\x01", "!!!", "queen greatest", "the the the"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("soak")
    keys = folder / "keys"
    keys.write_text(KEY)
    process = server_process.Server(folder, "--api-key-file", keys)
    process.start()
    yield process
    process.stop()


class Client(threading.Thread):
    """One kept connection; stops at the first wrong answer and says which."""

    def __init__(self, number, port, stop):
        super().__init__(daemon=True)
        self.number, self.stop = number, stop
        self.random = random.Random(number)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, 30)
        self.requests, self.writes, self.failure = 0, 0, None
        self.slowest_write = 0.0

    def run(self):
        try:
            while not self.stop.is_set():
                self.step()
        except Exception as error:  # reported by the test
            self.failure = f"client {self.number}: {error!r}"
            self.stop.set()

    def step(self):
        kind = self.random.random()
        if kind < 0.45:
            query, title, artist = self.random.choice(KNOWN)
            hit = self.get("/v1/search", q=query)["best"]
            assert (hit["title"], hit["artist"]) == (title, artist), query
        elif kind < 0.70:
            self.get("/v1/search", q=self.random.choice(NOISE), facets="true")
        elif kind < 0.97:
            title = self.random.choice(KNOWN)[1]
            answer = self.get("/v1/suggest", q=title[:5])
            assert len(answer["suggestions"]) <= 8
        else:
            self.write()

    def send(self, method, target, body=None):
        self.connection.request(method, target, body, {"X-API-Key": KEY})
        answer = self.connection.getresponse()
        content = answer.read()
        self.requests += 1
        assert answer.status in (200, 204), (target, answer.status, content)
        return json.loads(content) if content else None

    def get(self, path, **params):
        return self.send("GET", path + "?" + urllib.parse.urlencode(params))

    def write(self):
        """A new name is found, and after its deletion no more."""
        self.writes += 1
        # Unlike any other: a hash of client and write in letters.
        seed = random.Random(f"{self.number} {self.writes}")
        title = "".join(seed.choice("bcdfghklmnpqrstvwxz") for _ in range(14))
        identity = f"track:soak-{self.number}-{self.writes}"
        document = {"type": "track", "id": identity.split(":")[1],
                    "title": title, "artist": f"Soak {self.number}"}
        start = time.monotonic()
        self.send("POST", "/v1/documents", json.dumps(document))
        while not self.finds(title, identity):
            assert time.monotonic() - start < 10, f"{title} is not found"
            time.sleep(0.05)
        self.slowest_write = max(self.slowest_write,
                                 time.monotonic() - start)
        if self.writes % 2:
            self.send("DELETE", f"/v1/documents/{identity}")
            while self.finds(title, identity):
                assert time.monotonic() - start < 20, f"{title} is still found"
                time.sleep(0.05)

    def finds(self, title, identity):
        sections = self.get("/v1/search", q=title, types="track")["sections"]
        return any(hit["id"] == identity for section in sections
                   for hit in section["hits"])


def resident_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def test_serves_64_connections(server):
    stop = threading.Event()
    clients = [Client(i, server.port, stop) for i in range(CONNECTIONS)]
    for client in clients:
        client.start()
    stop.wait(SECONDS / 10)
    early = resident_bytes(server.process.pid)
    stop.wait(SECONDS * 9 / 10)
    stop.set()
    for client in clients:
        client.join(timeout=60)
    late = resident_bytes(server.process.pid)
    requests = sum(client.requests for client in clients)
    slowest = max(client.slowest_write for client in clients)
    print(f"{requests} requests, {sum(c.writes for c in clients)} writes in "
          f"{SECONDS:.0f} s; a write is found within {slowest:.2f} s; resident "
          f"{early >> 20} MiB, at the end {late >> 20} MiB", file=sys.stderr)
    failures = [client.failure for client in clients if client.failure]
    assert not failures, failures
    assert not any(client.is_alive() for client in clients)
    assert late < early * MAX_GROWTH
