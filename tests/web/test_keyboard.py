"""The keys / ↑ ↓ Enter Esc, and the suggestion list they move in."""
import re

from playwright.sync_api import expect


def test_suggestions_are_chosen_by_keyboard(search, famous):
    search.type(famous["title"][:4])
    expect(search.options.first).to_be_visible()
    expect(search.input).to_have_attribute("aria-expanded", "true")
    search.page.keyboard.press("ArrowDown")
    expect(search.input).to_have_attribute(
        "aria-activedescendant", "suggestion-0")
    expect(search.options.first).to_have_attribute("aria-selected", "true")
    search.shoot("suggestions")
    title = search.options.first.locator(".title").inner_text()
    search.page.keyboard.press("Enter")
    search.settle()
    expect(search.page.locator("#suggestions")).to_be_hidden()
    expect(search.input).to_have_attribute("aria-expanded", "false")
    assert title.casefold() in search.input.input_value().casefold()
    expect(search.hits.first).to_be_visible()


def test_arrows_go_around_through_the_input(search, famous):
    search.type(famous["title"][:4])
    expect(search.options.first).to_be_visible()
    last = search.options.count() - 1
    search.page.keyboard.press("ArrowUp")
    expect(search.input).to_have_attribute(
        "aria-activedescendant", f"suggestion-{last}")
    search.page.keyboard.press("ArrowDown")
    assert search.input.get_attribute("aria-activedescendant") is None
    search.page.keyboard.press("ArrowDown")
    expect(search.input).to_have_attribute(
        "aria-activedescendant", "suggestion-0")
    expect(search.input).to_have_value(famous["title"][:4])


def test_suggestion_is_chosen_by_click(search, famous):
    search.type(famous["title"][:4])
    search.options.first.click()
    search.settle()
    expect(search.page.locator("#suggestions")).to_be_hidden()
    expect(search.input).to_be_focused()
    assert len(search.input.input_value()) >= 4


def test_escape_closes_then_clears(search, famous):
    search.type(famous["title"][:4])
    expect(search.options.first).to_be_visible()
    search.page.keyboard.press("Escape")
    expect(search.page.locator("#suggestions")).to_be_hidden()
    expect(search.input).to_have_value(famous["title"][:4])
    search.page.keyboard.press("Escape")
    search.settle()
    expect(search.input).to_have_value("")
    expect(search.page.locator("#home")).to_be_visible()


def test_closed_list_opens_with_alt_down(search, famous):
    search.type(famous["title"][:4])
    expect(search.options.first).to_be_visible()
    search.page.keyboard.press("Escape")
    search.page.keyboard.press("Alt+ArrowDown")
    expect(search.options.first).to_be_visible()


def test_enter_closes_the_list_for_good(search, famous):
    search.type(famous["title"][:4])
    expect(search.options.first).to_be_visible()
    search.page.keyboard.press("Enter")
    search.settle()
    expect(search.page.locator("#suggestions")).to_be_hidden()
    assert re.search(r"[?&]q=", search.page.url)


def test_slash_reaches_the_search_bar(make_search):
    search = make_search().open(q="love")
    search.hits.nth(2).focus()
    search.page.keyboard.press("/")
    expect(search.input).to_be_focused()
    expect(search.input).to_have_value("love")
    search.page.keyboard.type("a/b")  # the old text is selected; / is typed
    search.settle()
    expect(search.input).to_have_value("a/b")


def test_arrows_move_among_hits(make_search):
    search = make_search().open(q="love")
    press = search.page.keyboard.press
    expect(search.input).to_be_focused()
    press("ArrowDown")
    expect(search.hits.nth(0)).to_be_focused()
    press("ArrowDown")
    expect(search.hits.nth(1)).to_be_focused()
    press("ArrowUp")
    press("ArrowUp")
    expect(search.input).to_be_focused()
    press("ArrowDown")
    press("Escape")
    expect(search.input).to_be_focused()


def test_enter_follows_a_hit(make_search):
    search = make_search().open(q="love")
    expect(search.input).to_be_focused()
    search.page.keyboard.press("ArrowDown")
    query = search.hits.first.get_attribute("data-query")
    search.page.keyboard.press("Enter")
    search.settle()
    expect(search.input).to_have_value(query)
    expect(search.input).to_be_focused()


def test_clear_button(make_search):
    search = make_search().open(q="love")
    search.page.get_by_role("button", name="Clear the search").click()
    search.settle()
    expect(search.input).to_have_value("")
    expect(search.input).to_be_focused()
    expect(search.page.locator("#clear")).to_be_hidden()
