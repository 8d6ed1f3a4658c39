"""Phone width, dark mode, contrast, accessibility, hostile data."""
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from .conftest import PHONE

HOSTILE = ("<img src=x onerror='window.hacked=1'>"
           "<script>window.hacked=1</script>")

TEXTS = [
    ".brand a", ".keys", "#query", "#filters h2", ".chip:enabled",
    ".chip:enabled .count", "#summary .count", "#summary .timing",
    "#best .kind", "#best .title", ".rows .title", ".rows .by", ".rows .year",
    ".rows mark", ".section h2", ".section h2 .count", ".more",
]

# WCAG's contrast of a text against the nearest opaque ground behind it.
CONTRAST = """(selectors) => {
  const rgba = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => {
    const [r, g, b] = rgba(color).map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 :
                                ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    const color = getComputedStyle(node).backgroundColor;
    return (rgba(color)[3] ?? 1) === 1 ? color : ground(node.parentElement);
  };
  const contrast = (node, pseudo) => {
    const pair = [getComputedStyle(node, pseudo).color, ground(node)];
    const [low, high] = pair.map(luminance).sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const result = {placeholder: contrast(
      document.querySelector('#query'), '::placeholder')};
  for (const selector of selectors) {
    const nodes = [...document.querySelectorAll(selector)];
    result[selector] = Math.min(...nodes.map((node) => contrast(node)));
  }
  return result;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast(make_search, scheme):
    search = make_search(color_scheme=scheme).open(q="love")
    search.shoot(f"results-{scheme}")
    contrasts = search.page.evaluate(CONTRAST, TEXTS)
    low = {name: value for name, value in contrasts.items()
           if value is None or not 4.5 <= value <= 21}
    assert low == {}
    pressed = make_search(color_scheme=scheme).open(q="love", type="track")
    name = ".chip[aria-pressed=true]"
    assert pressed.page.evaluate(CONTRAST, [name])[name] >= 4.5


def test_dark_mode_is_dark(make_search):
    grounds = [
        make_search(color_scheme=scheme).open().page.evaluate(
            "getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")]
    light, dark = ([int(part) for part in ground[4:-1].split(",")]
                   for ground in grounds)
    assert min(light) > 220 and max(dark) < 40


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_does_not_scroll_sideways(make_search, famous, scheme):
    search = make_search(color_scheme=scheme, **PHONE).open()

    def width():  # innerWidth would grow with what overflows
        return search.page.evaluate("document.documentElement.scrollWidth")

    assert width() == 360
    search.shoot(f"phone-home-{scheme}")
    search.type(famous["title"][:4])
    expect(search.options.first).to_be_visible()
    assert width() == 360
    search.shoot(f"phone-suggestions-{scheme}")
    search.page.keyboard.press("Enter")
    search.settle()
    expect(search.page.locator("#suggestions")).to_be_hidden()
    assert width() == 360
    search.shoot(f"phone-results-{scheme}")


def test_phone_keyboard_is_not_raised_unasked(make_search):
    search = make_search(**PHONE).open()
    expect(search.input).not_to_be_focused()
    search.page.locator("#examples a").first.tap()
    search.settle()
    expect(search.input).not_to_be_focused()


def test_touch_targets_of_the_list_are_large(make_search, famous):
    search = make_search(**PHONE).open()
    search.type(famous["title"][:4])
    expect(search.options.first).to_be_visible()
    assert search.options.first.bounding_box()["height"] >= 44


def test_reduced_motion(make_search):
    search = make_search(reduced_motion="reduce").open()
    search.page.locator("#results").evaluate(
        "node => node.toggleAttribute('data-stale', true)")
    assert search.page.locator("#sections").evaluate(
        "node => getComputedStyle(node).transitionDuration") == "0s"


@pytest.mark.parametrize("state", [{}, {"q": "love"}, {
    "q": "love", "genre": "No such genre"}])
def test_axe_finds_nothing(make_search, state):
    search = make_search().open(**state)
    results = Axe().run(search.page)
    assert results.violations_count == 0, results.generate_report()


def test_axe_finds_nothing_in_open_suggestions(search, famous):
    search.type(famous["title"][:4])
    expect(search.options.first).to_be_visible()
    search.page.keyboard.press("ArrowDown")
    results = Axe().run(search.page)
    assert results.violations_count == 0, results.generate_report()


def test_accessible_names(search, famous):
    page = search.page
    search.type(famous["title"])
    expect(page.get_by_role(
        "combobox", name="Search songs, artists and podcasts")).to_be_visible()
    expect(page.get_by_role("search")).to_be_visible()
    expect(page.get_by_role("main", name="Results")).to_be_visible()
    expect(page.get_by_role("complementary", name="Filters")).to_be_visible()
    expect(page.get_by_role("listbox", name="Suggestions")).to_be_visible()
    expect(page.get_by_role("region", name="Best match")).to_be_visible()
    link = page.get_by_role("region", name="Tracks").get_by_role("link").first
    # The letter of the cover is not read out.
    expect(link).to_have_accessible_name(re.compile(
        rf"^{re.escape(famous['title'])}\s*{re.escape(famous['artist'])}"))


def test_hostile_query_stays_text(make_search):
    search = make_search().open(q=HOSTILE, genre="No such genre")
    expect(search.page.locator("#nothing .lede")).to_have_text(
        f"Nothing found for “{HOSTILE}”")
    search.input.fill(HOSTILE + "!")
    search.settle()
    assert search.page.evaluate("window.hacked") is None
    assert search.page.locator("#results img, #results script").count() == 0


def test_hostile_catalogue_stays_text(search):
    def poison(route):
        answer = route.fetch().json()
        hits = [hit for part in answer["sections"] for hit in part["hits"]]
        for hit in [*hits, answer["best"]]:
            for field in ("title", "artist", "album", "genre", "description"):
                hit[field] = HOSTILE
            hit["id"] = f"{hit['id']}\"><script>window.hacked=1</script>"
            # Ranges from beyond the text, crossed and repeated.
            hit["highlights"] = {"title": [[2, 9999], [9, 3], [-4, 1], [2, 5]]}
        for counts in answer["facets"].values():
            counts[:] = [{"value": HOSTILE, "count": 1}]
        route.fulfill(json=answer)

    search.page.route("**/v1/search?*", poison)
    search.input.fill("love")
    search.settle()
    expect(search.page.locator("#best .title")).to_have_text(HOSTILE)
    assert search.page.evaluate("window.hacked") is None
    assert search.page.locator("#results img, #results script").count() == 0
    search.page.unroute_all()


def test_inline_script_is_refused(search):
    search.page.evaluate("""() => {
      const script = document.createElement('script');
      script.textContent = 'window.hacked = 1';
      document.body.append(script);
    }""")
    assert search.page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in text for text in search.errors)
    search.errors.clear()
