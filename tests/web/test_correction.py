"""What became of the query's spelling: said, undone, taken up."""
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from .conftest import PHONE
from .test_looks import CONTRAST, HOSTILE
from .test_order import SEARCH, params_of

SHOWN = "showing_results_for"
ASKED = "did_you_mean"


def correction(text, outcome, *spans):
    return {"text": text, "outcome": outcome, "applied": outcome == SHOWN,
            "confidence": 0.9, "alternatives": [], "completion": None,
            "passes": 1, "gated": False,
            "spans": [dict(zip(("begin", "end", "text"), span))
                      for span in spans]}


class Corrector:
    """Puts a correction into the server's answers to the queries given."""

    def __init__(self, search, **corrections):
        self.search = search
        self.corrections = corrections
        self.asked = []  # (q, spell)
        self.line = search.page.locator("#correction")
        search.page.route(SEARCH, self._answer)

    def _answer(self, route):
        params = params_of(route.request)
        query, spell = params["q"], params.get("spell", "auto")
        self.asked.append((query, spell))
        answer = route.fetch().json()
        if spell == "auto":
            answer["correction"] = self.corrections.get(
                query, correction(query, "none"))
        route.fulfill(json=answer)

    def stop(self):
        self.search.page.unroute_all(behavior="wait")


@pytest.fixture
def correct():
    """Mends "lvoe" to "love"; asks about "rokc"."""
    made = []

    def make(search, **corrections):
        made.append(Corrector(search, **{
            "lvoe": correction("love", SHOWN, (0, 4, "love")),
            "rokc": correction("rock", ASKED, (0, 4, "rock")),
            **corrections}))
        return made[-1]

    yield make
    for corrector in made:
        corrector.stop()


def test_a_correction_is_told(search, correct):
    line = correct(search).line
    search.type("lvoe")
    expect(line).to_have_text(
        "Showing results for loveSearch instead for lvoe")
    expect(line.locator("em")).to_have_text("love")
    expect(search.input).to_have_value("lvoe")
    expect(search.page.get_by_role("status")).to_have_text(re.compile(
        r"^Showing results for love\. Search instead for lvoe\. [\d,]+ result"))
    search.shoot("corrected")


def test_nothing_is_told_of_spaces_or_of_nothing(search, correct):
    line = correct(search, **{"thefall": correction(
        "the fall", "silent", (0, 7, "the fall"))}).line
    for query in ("love", "thefall"):
        search.input.fill(query)
        search.settle()
        expect(line).to_have_text("")


def undo_by_click(search):
    search.page.get_by_role("link", name="Search instead for lvoe").click()


def undo_by_key(search):
    search.page.keyboard.press("Shift+Enter")


def test_the_corrector_itself_is_shown_and_undone(make_search):
    """No answer is replaced here; docs/correction.png is the picture taken."""
    search = make_search(viewport={"width": 1180, "height": 820}).open()
    line = search.page.locator("#correction")
    best = search.page.locator("#best")
    search.type("beetles yesterdy")
    expect(line).to_have_text("Showing results for beatles yesterday"
                              "Search instead for beetles yesterdy")
    expect(line.locator("em")).to_have_text("beatles yesterday")
    expect(best).to_contain_text("Yesterday")
    expect(best).to_contain_text("The Beatles")
    search.page.keyboard.press("Escape")
    expect(search.page.locator("#suggestions")).to_be_hidden()
    search.shoot("correction")
    with search.page.expect_response(SEARCH) as answer:
        search.page.get_by_role(
            "link", name="Search instead for beetles yesterdy").click()
    search.settle()
    assert params_of(answer.value.request)["spell"] == "off"
    expect(line).to_have_text("")
    expect(search.input).to_have_value("beetles yesterdy")


@pytest.mark.parametrize("undo", [undo_by_click, undo_by_key])
def test_a_correction_is_undone(search, correct, undo):
    corrector = correct(search)
    search.type("lvoe")
    expect(corrector.line).to_contain_text("Showing results for")
    undo(search)
    search.settle()
    expect(corrector.line).to_have_text("")
    expect(search.input).to_have_value("lvoe")
    expect(search.input).to_be_focused()
    expect(search.page.locator("#suggestions")).to_be_hidden()
    assert corrector.asked[-1] == ("lvoe", "off")
    assert "spell=off" in search.page.url
    # Typing on brings it back.
    search.page.keyboard.press("Backspace")
    search.page.keyboard.press("e")
    search.settle()
    expect(corrector.line).to_contain_text("Showing results for love")
    assert "spell=" not in search.page.url


def test_an_undone_correction_stays_undone(make_search, correct):
    search = make_search()
    corrector = correct(search)
    search.open(q="lvoe", spell="off")
    search.chips("type").filter(has_text="Tracks").click()
    search.settle()
    assert corrector.asked[-1] == ("lvoe", "off")
    search.page.keyboard.press("Enter")
    search.settle()
    expect(corrector.line).to_have_text("")
    assert "spell=off" in search.page.url


def test_back_brings_the_correction_back(search, correct):
    line = correct(search).line
    search.type("lvoe")
    undo_by_click(search)
    search.settle()
    expect(line).to_have_text("")
    search.page.go_back()
    search.settle()
    expect(line).to_contain_text("Showing results for love")


def test_more_results_are_of_the_same_search(make_search, correct):
    search = make_search()
    corrector = correct(search)
    for spell in ("", "off"):
        search.open(q="love", spell=spell)
        hits = search.section("track").locator(".hit")
        before = hits.count()
        search.page.get_by_role("button", name="Show more tracks").click()
        expect(hits.nth(before)).to_be_visible()
        assert corrector.asked[-1] == ("love", spell or "auto")


def test_did_you_mean_is_one_click_away(search, correct):
    corrector = correct(search)
    search.type("rokc")
    expect(corrector.line).to_have_text("Did you mean rock?")
    expect(corrector.line.locator("em")).to_have_text("rock")
    search.shoot("did-you-mean")
    search.page.get_by_role("link", name="Did you mean rock?").click()
    search.settle()
    expect(search.input).to_have_value("rock")
    expect(search.input).to_be_focused()
    expect(corrector.line).to_have_text("")
    assert corrector.asked[-1] == ("rock", "auto")
    assert "q=rock" in search.page.url


@pytest.mark.parametrize("looks", [{}, PHONE])
def test_results_stay_where_they_are(make_search, correct, looks):
    search = make_search(**looks)
    correct(search)
    search.open(q="lov")
    head = search.page.locator(".head")
    tops = set()
    for query in ("love", "lvoe", "rokc", "rock"):
        search.input.fill(query)
        search.settle()
        expect(head).to_be_visible()
        tops.add(search.page.locator("#best").bounding_box()["y"])
    search.open(q="lvoe", spell="off")
    tops.add(search.page.locator("#best").bounding_box()["y"])
    assert len(tops) == 1


def test_an_older_correction_does_not_replace_a_newer_answer(search, correct):
    corrector = correct(search)
    held = []

    def hold(route):
        if params_of(route.request)["q"] == "lvoe":
            held.append(route)
        else:
            route.fallback()

    search.page.route(SEARCH, hold)
    search.input.fill("lvoe")
    search.page.wait_for_function("document.title.startsWith('lvoe')")
    with search.page.expect_event("requestfailed", timeout=8000):
        search.input.fill("rokc")
        search.settle()
    expect(corrector.line).to_have_text("Did you mean rock?")
    held[0].fallback()
    corrector.stop()
    expect(corrector.line).to_have_text("Did you mean rock?")


def test_a_hostile_correction_stays_text(search, correct):
    for outcome in (SHOWN, ASKED):
        corrector = correct(search, **{HOSTILE: correction(
            HOSTILE + "!", outcome, (0, 4, HOSTILE), (-7, 9999, "!"))})
        search.input.fill(HOSTILE)
        search.settle()
        expect(corrector.line).to_contain_text(HOSTILE + "!")
        search.input.fill("love")
        search.settle()
        corrector.stop()
    assert search.page.evaluate("window.hacked") is None
    assert search.page.locator("#results img, #results script").count() == 0


def test_long_texts_do_not_widen_a_phone(make_search, correct):
    search = make_search(**PHONE)
    query = "lvoe " * 40
    corrector = correct(search, **{query.strip(): correction(
        "love " * 40, SHOWN, (0, 4, "love"))})
    search.open(q=query.strip())
    expect(corrector.line).to_contain_text("Search instead for")
    assert search.page.evaluate("document.documentElement.scrollWidth") == 360
    search.shoot("phone-corrected-long")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("looks", [{}, PHONE])
def test_the_line_can_be_read(make_search, correct, scheme, looks):
    search = make_search(color_scheme=scheme, **looks)
    correct(search, **{"lvoe songs": correction(
        "love songs", SHOWN, (0, 4, "love"))})
    device = "phone-" if looks else ""
    for query in ("lvoe songs", "rokc"):
        search.open(q=query)
        names = ["#correction strong", "#correction em", "#correction a"]
        assert min(search.page.evaluate(CONTRAST, names).values()) >= 4.5
        results = Axe().run(search.page)
        assert results.violations_count == 0, results.generate_report()
        search.shoot(f"{device}correction-{query[:4]}-{scheme}")
