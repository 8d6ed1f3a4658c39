"""Typing, results, filters, paging, history."""
import re

from playwright.sync_api import expect

FIRST_PAGE = 6  # hits a section, as app.js asks for


def test_home_shows_examples_and_popular_entities(search):
    expect(search.page.locator("#examples a").first).to_be_visible()
    expect(search.section("track").locator("h2")).to_have_text(
        re.compile("Popular tracks"))
    expect(search.page.locator("#best")).to_be_hidden()
    expect(search.input).to_be_focused()
    search.shoot("home")


def test_typing_shows_results(search, famous):
    search.type(famous["title"])
    best = search.page.locator("#best .title")
    expect(best).to_have_text(famous["title"])
    expect(search.section("track").locator(".hit").first).to_be_visible()
    expect(search.page.locator("#summary .count")).to_have_text(
        re.compile(r"^[\d,]+ results?$"))
    expect(search.page.locator("#summary .timing")).to_have_text(
        re.compile(r"^[\d.]+ ms: ([a-z]+ [\d.]+, )*meaning [\d.]+, "
                   r"([a-z]+ [\d.]+, )*rank [\d.]+$"))
    expect(search.page).to_have_title(f"{famous['title']} · Quaver")


def test_number_of_results_is_announced(search):
    search.type("love")
    count = search.page.locator("#summary .count").inner_text()
    expect(search.page.get_by_role("status")).to_have_text(count)


def test_matches_are_marked(search):
    search.type("love")
    marks = search.section("track").locator(".title mark")
    expect(marks.first).to_be_visible()
    for text in marks.all_inner_texts():
        assert text.casefold() in "love"


def test_example_is_searched(search):
    example = search.page.locator("#examples a").first
    text = example.inner_text()
    example.click()
    search.settle()
    expect(search.input).to_have_value(text)
    expect(search.page.locator("#home")).to_be_hidden()
    expect(search.hits.first).to_be_visible()


def test_brand_leads_to_the_start(make_search):
    search = make_search().open(q="love", type="track")
    search.page.get_by_role("link", name="Quaver, start page").click()
    search.settle()
    expect(search.page.locator("#home")).to_be_visible()
    expect(search.input).to_have_value("")


def test_hit_is_a_link_to_its_own_search(search, famous):
    search.type(famous["title"])
    search.section("track").locator(".hit").first.click()
    search.settle()
    assert famous["title"] in search.input.input_value()
    expect(search.page.locator("#best .title")).to_have_text(famous["title"])


def test_type_chip_leaves_one_section(make_search):
    search = make_search().open(q="love")
    search.chips("type").filter(has_text="Tracks").click()
    search.settle()
    expect(search.page.locator("#sections > section")).to_have_count(1)
    expect(search.section("track")).to_be_visible()
    assert "type=track" in search.page.url
    # One can go on to another type without letting this one go first.
    expect(search.chips("type").filter(has_text="Albums")).to_be_enabled()


def test_genre_chip_filters_and_lets_go(make_search):
    search = make_search().open(q="love", type="track")
    chip = search.chips("genre").first
    genre = chip.locator("span").first.inner_text()
    before = search.page.locator("#summary .count").inner_text()
    chip.click()
    search.settle()
    shown = search.section("track").locator(".genre").all_inner_texts()
    assert shown and {text.casefold() for text in shown} == {genre.casefold()}
    chosen = search.chips("genre").filter(has_text=genre).first
    expect(chosen).to_have_attribute("aria-pressed", "true")
    search.shoot("filtered")
    chosen.click()
    search.settle()
    expect(search.page.locator("#summary .count")).to_have_text(before)


def test_decade_chip_filters_years(make_search):
    search = make_search().open(q="love", type="track")
    chip = search.chips("decade").first
    decade = int(chip.locator("span").first.inner_text()[:4])
    chip.click()
    search.settle()
    years = search.section("track").locator(".year").all_inner_texts()
    assert years
    assert all(decade <= int(year) <= decade + 9 for year in years)
    assert f"decade={decade}" in search.page.url


def test_show_more_appends_without_repeats(make_search):
    search = make_search().open(q="love")
    tracks = search.section("track")
    hits = tracks.locator(".hit")
    expect(hits).to_have_count(FIRST_PAGE)
    first = hits.first.get_attribute("href")
    tracks.get_by_role("button", name="Show more tracks").click()
    expect(hits.nth(FIRST_PAGE)).to_be_focused()
    assert hits.first.get_attribute("href") == first
    keys = tracks.locator("li").evaluate_all(
        "items => items.map((item) => item.dataset.key)")
    assert len(keys) > FIRST_PAGE and len(set(keys)) == len(keys)


def test_nothing_found_offers_to_clear_the_filters(make_search):
    search = make_search().open(q="love", genre="No such genre")
    expect(search.page.locator("#nothing .lede")).to_have_text(
        "Nothing found for “love”")
    expect(search.hits).to_have_count(0)
    search.shoot("nothing")
    search.page.get_by_role("button", name="Clear the filters").click()
    search.settle()
    expect(search.hits.first).to_be_visible()
    expect(search.input).to_have_value("love")


def test_address_can_be_shared(make_search):
    search = make_search().open(q="love", type="track", decade=1980)
    expect(search.input).to_have_value("love")
    for name in ("Tracks", "1980s"):
        chip = search.page.locator("#filters").get_by_role(
            "button", name=re.compile(name))
        expect(chip).to_have_attribute("aria-pressed", "true")


def test_nonsense_in_the_address_is_ignored(make_search):
    search = make_search().open(q="love", type="<b>", decade="12")
    expect(search.hits.first).to_be_visible()
    expect(search.page.locator("[aria-pressed=true]")).to_have_count(0)


def test_back_and_forward(search):
    page = search.page
    search.type("love")
    page.keyboard.press("Enter")
    search.chips("type").filter(has_text="Tracks").click()
    search.settle()
    expect(search.page.locator("#sections > section")).to_have_count(1)
    page.go_back()
    search.settle()
    expect(search.input).to_have_value("love")
    assert "type=" not in page.url
    page.go_back()  # all keys of a word are one step
    search.settle()
    expect(search.input).to_have_value("")
    expect(page.locator("#home")).to_be_visible()
    page.go_forward()
    search.settle()
    expect(search.input).to_have_value("love")
    expect(search.hits.first).to_be_visible()


def test_typing_after_back_does_not_overwrite_the_past(search):
    search.type("love")
    search.page.go_back()
    search.settle()
    search.type("rock")
    search.page.go_back()
    search.settle()
    expect(search.input).to_have_value("")
    expect(search.page.locator("#home")).to_be_visible()
