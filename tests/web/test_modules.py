"""The page's pure functions, called in the browser they run in."""
import pytest


@pytest.fixture(scope="module")
def module(server, browser):
    """module("dom.js", "pieces")(arguments...)"""
    page = browser.new_page()
    page.goto(server.url)

    def pick(file, name):
        def call(*arguments):
            return page.evaluate(
                """async ([file, name, arguments_]) => {
                  const module = await import(new URL(file, document.baseURI));
                  return module[name](...arguments_);
                }""", [file, name, list(arguments)])
        return call

    yield pick
    page.close()


@pytest.mark.parametrize("text, ranges, marked", [
    ("Hey Jude", [[0, 3]], "[Hey] Jude"),
    ("Hey Jude", [[4, 8], [0, 3]], "[Hey] [Jude]"),
    ("Hey Jude", [[0, 5], [2, 6]], "[Hey J][u]de"),
    ("Hey Jude", [], "Hey Jude"),
    ("Hey", [[1, 99]], "H[ey]"),
    ("Hey", [[-5, 1]], "[H]ey"),
    ("Hey", [[2, 1]], "Hey"),
    ("", [[0, 1]], ""),
    ("😀 Smile", [[3, 8]], "😀 [Smile]"),  # the smiley is two UTF-16 units
    ("宇多田ヒカル", [[3, 6]], "宇多田[ヒカル]"),
])
def test_pieces(module, text, ranges, marked):
    pieces = module("dom.js", "pieces")(text, ranges)
    assert "".join(piece["text"] for piece in pieces) == text
    assert "".join(f"[{piece['text']}]" if piece["isMarked"] else piece["text"]
                   for piece in pieces) == marked
    assert all(piece["text"] for piece in pieces)


@pytest.mark.parametrize("state, address, filter", [
    ({"query": "", "type": "", "genre": "", "decade": 0, "spell": ""}, ".", ""),
    ({"query": "a&b=c #1", "type": "", "genre": "", "decade": 0,
      "spell": "off"}, "?q=a%26b%3Dc+%231&spell=off", ""),
    ({"query": "é😀", "type": "show", "genre": "R&B/Soul", "decade": 1990,
      "spell": ""},
     "?q=%C3%A9%F0%9F%98%80&type=show&genre=R%26B%2FSoul&decade=1990",
     "type:show;genre:R&B/Soul;year:1990..1999"),
])
def test_state_and_address(module, state, address, filter):
    assert module("state.js", "addressOf")(state) == address
    search = "" if address == "." else address
    assert module("state.js", "readState")(search) == state
    assert module("state.js", "filterOf")(state) == filter


@pytest.mark.parametrize("search", [
    "?type=song", "?genre=a;b", "?genre=a|b", "?decade=1985", "?decade=x",
    "?decade=19900", "?spell=on", "?unknown=1"])
def test_nonsense_is_no_filter(module, search):
    assert module("state.js", "readState")(search) == {
        "query": "", "type": "", "genre": "", "decade": 0, "spell": ""}


def test_long_query_is_cut(module):
    state = module("state.js", "readState")("?q=" + "x" * 5000)
    assert len(state["query"]) == 512


@pytest.mark.parametrize("timing, text", [
    ({"encode": 4120, "rank": 310, "total": 4890},
     "4.9 ms: encode 4.1, rank 0.3"),
    ({"encode": 12_000, "total": 12_345}, "12 ms: encode 12.0"),
    ({"correct": 100, "total": 200, "correct_gate": 90},
     "0.2 ms: correct 0.1"),
    ({}, ""), (None, "")])
def test_timing_text(module, timing, text):
    assert module("results.js", "timingText")(timing) == text


@pytest.mark.parametrize("text, spans, mended", [
    ("beatles yesterday", [[0, 7, "beatles"]], "[beatles] yesterday"),
    ("hey jude the beatles", [[4, 8, "jude"], [13, 19, "beatles"]],
     "hey [jude] the [beatles]"),
    ("the the", [[4, 7, "the"]], "the [the]"),
    ("daydream", [[0, 9, "daydream"]], "[daydream]"),
    ("cafe love", [[8, 11, "love"]], "cafe [love]"),  # of " Café luv"
    ("love", [[0, 4, "hate"]], "love"),
    ("a b", [[1, 2, ""]], "a b"),
    ("love", [], "love"),
])
def test_mended_ranges(module, text, spans, mended):
    ranges = module("correction.js", "mendedRanges")(
        text, [dict(zip(("begin", "end", "text"), span)) for span in spans])
    assert ranges == sorted(ranges)
    for begin, end in reversed(ranges):
        text = f"{text[:begin]}[{text[begin:end]}]{text[end:]}"
    assert text == mended


@pytest.mark.parametrize("title, letter", [
    ("queen", "Q"), ("'74-'75", "7"), ("…Baby", "B"), ("!!!", "!"),
    ("élan", "É"), ("😀", "😀"), ("𝒜bc", "𝒜"), ("", "")])
def test_initial(module, title, letter):
    assert module("art.js", "initial")(title) == letter


def test_hash_is_fnv_1a(module):
    hash = module("art.js", "hash")
    assert hash("") == 0x811C9DC5
    assert hash("a") == 0xE40C292C
    assert hash("foobar") == 0xBF9CF968
