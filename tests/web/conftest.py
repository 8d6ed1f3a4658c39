"""Fixtures of the page's tests: server, browser, and a watched page."""
import json
import os
import urllib.parse
import urllib.request

import pytest
from playwright.sync_api import expect, sync_playwright

from . import server as server_process

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SCREENSHOTS = server_process.ROOT / "build/screenshots"
CHROMIUM_ARGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
    "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]
PHONE = {"viewport": {"width": 360, "height": 780}, "is_mobile": True,
         "has_touch": True, "device_scale_factor": 2}
DESKTOP = {"viewport": {"width": 1280, "height": 900}}

expect.set_options(timeout=15_000)  # shared builders are slow at times


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    process = server_process.Server(tmp_path_factory.mktemp("server"))
    process.start()
    yield process
    process.stop()


@pytest.fixture
def own_server(tmp_path):
    """One that the test may stop."""
    process = server_process.Server(tmp_path)
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


class Search:
    """A search page under watch: what it asks for and what goes wrong."""

    def __init__(self, page, base):
        self.page = page
        self.base = base
        self.errors = []   # a test that provokes errors clears them
        self.foreign = []  # requests to other hosts
        self.input = page.locator("#query")
        self.hits = page.locator("#results .hit")
        self.options = page.locator("#suggestions [role=option]")
        self.banner = page.locator("#banner")
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._on_request)

    def _on_console(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _on_request(self, request):
        if not request.url.startswith(self.base):
            self.foreign.append(request.url)

    def open(self, **state):
        self.page.goto(f"{self.base}/?{urllib.parse.urlencode(state)}")
        self.settle()
        return self

    def settle(self):
        """Waits until the page shows the answer to what is asked."""
        self.page.wait_for_selector(
            "#results[aria-busy=false]:not([data-stale])", state="attached")

    def type(self, text):
        self.input.press_sequentially(text)
        self.settle()

    def section(self, type):
        return self.page.locator(f"#sections > [data-key={type}]")

    def chips(self, group):
        return self.page.locator(f"#filters [data-key={group}] .chip")

    def shoot(self, name):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@pytest.fixture
def make_search(server, browser):
    """Opens search pages; afterwards nothing may have gone wrong in them."""
    opened = []

    def make(base=server.url, **options):
        context = browser.new_context(**{**DESKTOP, **options})
        opened.append(Search(context.new_page(), base))
        return opened[-1]

    yield make
    for search in opened:
        search.page.context.close()
        assert search.errors == []
        assert search.foreign == []


@pytest.fixture
def search(make_search):
    return make_search().open()


@pytest.fixture(scope="session")
def ask(server):
    """Asks the server itself: ask("search", q="love")."""
    def ask_server(route, **params):
        address = f"{server.url}/v1/{route}?{urllib.parse.urlencode(params)}"
        with urllib.request.urlopen(address) as answer:
            return json.load(answer)
    return ask_server


@pytest.fixture(scope="session")
def famous(ask):
    """The best-known track whose title one can type on any keyboard."""
    tracks = ask("search", q="", types="track", limit=100)["sections"][0]
    return next(hit for hit in tracks["hits"]
                if len(hit["title"]) > 7 and
                hit["title"].replace(" ", "").isascii() and
                hit["title"].replace(" ", "").isalpha())
