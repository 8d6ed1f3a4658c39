"""Answers stay in order, results do not flicker, failures are mended."""
import re
import urllib.parse

from playwright.sync_api import expect

SEARCH = re.compile(r"/v1/search\?")


def params_of(request):
    return dict(urllib.parse.parse_qsl(
        urllib.parse.urlsplit(request.url).query, keep_blank_values=True))


def query_of(request):
    return params_of(request)["q"]


def test_late_answer_does_not_replace_a_newer_one(search, famous):
    held = []

    def hold_first(route):
        if query_of(route.request) == "love":
            held.append(route)
        else:
            route.continue_()

    search.page.route(SEARCH, hold_first)
    search.input.fill("love")
    search.page.wait_for_function("document.title.startsWith('love')")
    # Sooner than the page's own limit for an answer, 10 s.
    with search.page.expect_event("requestfailed", timeout=8000) as aborted:
        search.input.fill(famous["title"])
        search.settle()
    assert query_of(aborted.value) == "love"
    best = search.page.locator("#best .title")
    expect(best).to_have_text(famous["title"])
    assert len(held) == 1
    held[0].continue_()
    search.page.unroute_all(behavior="wait")
    expect(best).to_have_text(famous["title"])


def test_lane_drops_old_answers_that_ignore_their_abort(search):
    shown = search.page.evaluate("""async () => {
      const {Lane} = await import(new URL('lane.js', document.baseURI));
      const answers = new Map();
      const shown = [];
      let sent;
      const lane = new Lane(
          (question) => new Promise((resolve) => {
            answers.set(question, resolve);
            sent?.();
          }),
          (question, answer) => shown.push(answer),
          (question, error) => shown.push(String(error)));
      lane.ask('old');
      const newSent = new Promise((resolve) => sent = resolve);
      lane.ask('new');
      await newSent;  // patience with the old one is at an end
      answers.get('new')('new answer');
      answers.get('old')('old answer');
      await new Promise((resolve) => setTimeout(resolve));
      return shown;
    }""")
    assert shown == ["new answer"]


def test_lane_keeps_one_in_flight_and_sends_the_newest(search):
    log = search.page.evaluate("""async () => {
      const {Lane} = await import(new URL('lane.js', document.baseURI));
      const log = [];
      const finish = [];
      const lane = new Lane(
          (question) => {
            log.push(`send ${question}`);
            return new Promise((resolve) => finish.push(resolve));
          },
          (question) => log.push(`show ${question}`), () => {});
      for (const question of ['q', 'qu', 'que']) lane.ask(question);
      finish[0]();
      await new Promise((resolve) => setTimeout(resolve));
      finish[1]();
      await new Promise((resolve) => setTimeout(resolve));
      return log;
    }""")
    assert log == ["send q", "show q", "send que", "show que"]


def test_lane_reports_only_the_newest_failure(search):
    log = search.page.evaluate("""async () => {
      const {Lane} = await import(new URL('lane.js', document.baseURI));
      const log = [];
      const lane = new Lane(
          (question) => Promise.reject(new Error(question)),
          () => log.push('shown'),
          (question, error) => log.push(error.message));
      lane.ask('old');
      lane.ask('new');
      for (let i = 0; i < 3; ++i) {
        await new Promise((resolve) => setTimeout(resolve));
      }
      return log;
    }""")
    assert log == ["new"]


def test_typing_does_not_flicker(search):
    search.type("l")
    search.page.evaluate("""() => {
      window.frames_ = [];
      const record = () => {
        window.frames_.push({
          hits: document.querySelectorAll('#sections .hit').length,
          bar: document.querySelector('#search').getBoundingClientRect().top,
          best: document.querySelector('#best').getBoundingClientRect().top,
        });
        requestAnimationFrame(record);
      };
      requestAnimationFrame(record);
    }""")
    search.input.press_sequentially("ove", delay=40)
    search.settle()
    search.page.wait_for_function("window.frames_.length > 8")
    frames = search.page.evaluate("window.frames_")
    assert min(frame["hits"] for frame in frames) > 0
    assert len({frame["bar"] for frame in frames}) == 1
    assert len({frame["best"] for frame in frames}) == 1


def test_old_results_stay_until_the_new_are_in(search):
    search.type("love")
    held = []
    search.page.route(SEARCH, lambda route: held.append(route))
    before = search.hits.all_inner_texts()
    search.input.press("s")
    expect(search.page.locator("#results")).to_have_attribute(
        "data-stale", "")
    assert search.hits.all_inner_texts() == before
    held[0].continue_()
    search.settle()
    expect(search.input).to_have_value("loves")


def test_elements_of_lasting_hits_are_kept(search, famous):
    search.type(famous["title"][:-1])
    title = search.page.locator("#best .hit")
    title.evaluate("node => node.seen = true")
    search.input.press_sequentially(famous["title"][-1])
    search.settle()
    assert title.evaluate("node => node.seen === true")


def test_server_error_is_told_and_mended(search):
    def fail(route):
        route.fulfill(status=500, json={"error": "disk is full", "status": 500})

    search.page.route(SEARCH, fail)
    search.input.fill("love")
    expect(search.banner).to_contain_text(
        "The server failed: disk is full.")
    expect(search.hits.first).to_be_visible()
    search.page.unroute_all()
    expect(search.banner).to_be_hidden()  # by itself
    search.settle()
    expect(search.page.locator("#best")).to_be_visible()
    search.errors.clear()


def test_retry_waits_as_long_as_the_server_asks(search):
    search.page.route(SEARCH, lambda route: route.fulfill(
        status=503, headers={"Retry-After": "60"},
        json={"error": "queue is full", "status": 503}))
    search.input.fill("love")
    expect(search.banner).to_contain_text(
        re.compile(r"queue is full.*Trying again in [67]\d s", re.S))
    search.page.unroute_all()
    search.page.get_by_role("button", name="Try now").click()
    expect(search.banner).to_be_hidden()
    search.settle()
    search.errors.clear()


def test_refusal_shows_the_message_and_no_retry(search):
    asked = []

    def refuse(route):
        asked.append(route.request.url)
        route.fulfill(status=400, json={"error": "q: too odd", "status": 400})

    search.page.route(SEARCH, refuse)
    search.input.fill("love")
    expect(search.banner).to_contain_text(
        "The server refused this: q: too odd.")
    expect(search.banner.get_by_role("button")).to_be_hidden()
    assert len(asked) == 1
    search.page.unroute_all()
    search.input.fill("lover")
    expect(search.banner).to_be_hidden()
    search.errors.clear()


def test_answer_that_is_not_json_is_told(search):
    search.page.route(SEARCH, lambda route: route.fulfill(body="<html>"))
    search.input.fill("love")
    expect(search.banner).to_contain_text("The answer is not JSON.")
    search.page.unroute_all()
    expect(search.banner).to_be_hidden()


def test_page_survives_a_restart_of_the_server(make_search, own_server):
    search = make_search(base=own_server.url).open(q="love")
    own_server.stop()
    search.input.press_sequentially(" song")
    expect(search.banner).to_contain_text("The server cannot be reached.")
    expect(search.banner).to_contain_text("Trying again in")
    expect(search.hits.first).to_be_visible()
    search.shoot("server-down")
    own_server.start()
    expect(search.banner).to_be_hidden(timeout=30_000)
    search.settle()
    expect(search.input).to_have_value("love song")
    expect(search.page.locator("#best")).to_be_visible()
    search.errors.clear()
