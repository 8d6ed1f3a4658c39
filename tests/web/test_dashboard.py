"""The dashboard: what it shows of the models, and that it does not break."""
import itertools
import json
import re
import urllib.request

import pytest
from playwright.sync_api import expect

from .conftest import SCREENSHOTS

FORMAT = """# HELP requests Some.
# TYPE requests counter
requests{model="a \\"b\\" \\\\ c",version="1"} 12
up 1
seconds_bucket{le="0.1"} 5
seconds_bucket{le="+Inf"} 6
"""


@pytest.fixture(name="dashboard")
def open_dashboard(server, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 700})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"http://127.0.0.1:{server.metrics_port}/")
    yield page
    page.close()
    assert not errors


def call(page, name, *arguments):
    """A function of exposition.js; pairs become a Map."""
    return page.evaluate(
        """async ([name, arguments_]) => {
          const module = await import(
              new URL('dashboard/exposition.js', document.baseURI));
          const value = module[name](...arguments_.map(
              (one) => Array.isArray(one) ? new Map(one.map(
                  ([bound, count]) => [Number(bound), count])) : one));
          return Number.isNaN(value) ? 'NaN' : value;
        }""", [name, list(arguments)])


def test_reads_the_format(dashboard):
    series = call(dashboard, "parse", FORMAT)
    assert [one["name"] for one in series] == [
        "requests", "up", "seconds_bucket", "seconds_bucket"]
    assert series[0]["labels"] == {"model": 'a "b" \\ c', "version": "1"}
    assert [one["value"] for one in series] == [12, 1, 5, 6]


@pytest.mark.parametrize("before, after, q, expected", [
    ([], [], 0.5, "NaN"),
    ([["1", 4]], [["1", 4]], 0.5, "NaN"),
    ([], [["1", 10], ["2", 10], ["Infinity", 10]], 0.5, 0.5),
    ([], [["1", 0], ["2", 10], ["Infinity", 10]], 0.9, 1.9),
    ([["1", 5], ["Infinity", 5]], [["1", 5], ["Infinity", 9]], 0.5, 1),
    ([["1", 5], ["2", 5], ["Infinity", 5]],
     [["1", 7], ["2", 9], ["Infinity", 9]], 0.75, 1.5),
])
def test_quantiles_are_of_what_came_between(dashboard, before, after, q,
                                            expected):
    assert call(dashboard, "quantile", before, after, q) == expected


def embed(server, text):
    body = json.dumps({"inputs": [{"name": "TEXT", "shape": [1, 1],
                                   "datatype": "BYTES", "data": [text]}]})
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.http_port}/v2/models/encoder/infer",
        body.encode())
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def test_shows_models_as_they_are_asked(dashboard, server):
    row = dashboard.locator("#models tr", has_text="encoder")
    expect(row).to_be_visible()
    expect(dashboard.locator("#state")).to_have_text("ready")
    for i in range(40):
        embed(server, f"song {i}")
    urllib.request.urlopen(f"{server.url}/v1/search?q=song").close()
    expect(row.locator("td").nth(1)).not_to_have_text("0")
    expect(dashboard.locator("#searches")).to_have_text(re.compile("[1-9]"))
    for column in (3, 4, 5):
        expect(row.locator("td").nth(column)).to_have_text(
            re.compile(r"^[\d.,]+$"))
    expect(dashboard.locator("#memory")).to_have_text(re.compile(r"^\d+"))
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    dashboard.screenshot(path=SCREENSHOTS / "dashboard.png")


def close_batches(page):
    """From now on the encoder's are closed for three reasons of many letters.
    """
    counts = itertools.count(100, 100)

    def add_reasons(route):
        answer, count = route.fetch(), next(counts)
        lines = [f'quaver_batch_close_total{{model="encoder",'
                 f'reason="{reason}",version="1"}} {count}\n'
                 for reason in ("preferred_size", "token_budget", "other_kind")]
        route.fulfill(response=answer, body=answer.text() + "".join(lines))

    page.route("**/metrics", add_reasons)
    expect(page.locator("#models tr", has_text="encoder").locator("td").last
           ).to_have_text(re.compile(r"(\d+\s%.*){3}"))


CUT = """() => {
  const box = document.querySelector('.scroll').getBoundingClientRect();
  return [...document.querySelectorAll('th, td')].filter((cell) => {
    const {left, right} = cell.getBoundingClientRect();
    return left < box.left || right > box.right ||
        cell.scrollWidth > cell.clientWidth;
  }).map((cell) => cell.textContent);
}"""


def test_no_column_is_cut(dashboard):
    close_batches(dashboard)
    for width in (1000, 1180, 1280, 1400):
        dashboard.set_viewport_size({"width": width, "height": 800})
        assert dashboard.evaluate(CUT) == [], width
        if width == 1180:
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            dashboard.screenshot(path=SCREENSHOTS / "dashboard-1180.png")


def test_on_a_narrow_window_the_table_scrolls_in_its_box(dashboard):
    close_batches(dashboard)
    dashboard.set_viewport_size({"width": 600, "height": 800})
    assert dashboard.evaluate("document.documentElement.scrollWidth") == 600
    assert dashboard.evaluate(CUT)
    box = dashboard.locator(".scroll")
    box.evaluate("(box) => { box.scrollLeft = box.scrollWidth; }")
    assert "Batches closed by" not in dashboard.evaluate(CUT)


def test_says_when_nobody_answers(own_server, browser):
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{own_server.metrics_port}/")
    expect(page.locator("#state")).to_have_text("ready")
    own_server.stop()
    expect(page.locator("#state")).to_contain_text("no answer")
    page.close()
