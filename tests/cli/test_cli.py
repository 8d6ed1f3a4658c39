"""The command line: help, exit status, files in, lines out, refusals."""
import gzip
import http.client
import json
import math
import os
import re
import shutil
import signal
import subprocess

import pytest

from .program import LIMIT_S, ROOT, Server, command, ingest, run

TSV = (b"id\ttitle\tartist\talbum\tgenre\tyear\tpopularity\n"
       b"1\tBlue Train\tJohn Coltrane\tBlue Train\tJazz\t1957\t5\n"
       b"2\tGiant Steps\tJohn Coltrane\tGiant Steps\tJazz\t1960\t7\n"
       b"too\tfew\n"
       b"3\tNo Such Year\tNobody\t\t\tlong ago\t1\n"
       b"4\tD\xc3\xa9j\xc3\xa0 Vu\tBeyonc\xc3\xa9\tB'Day\tPop\t2006\t6\n")
CSV = (b"show,publisher,category,description\r\n"
       b'"Night, and Day",Studio,News,"Says ""good morning""\nevery day"\r\n')
JSONL = (b'{"type": "playlist", "id": "p", "title": "Rain", '
         b'"description": "slow songs", "tracks": ["1", "2"]}\n'
         b"not json\n")
CORRECTOR = ROOT / "models/corrector"
HIT_KEYS = {"type", "id", "title", "artist", "album", "score"}


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "tracks.tsv").write_bytes(TSV)
    (folder / "shows.csv").write_bytes(CSV)
    (folder / "lists.jsonl.gz").write_bytes(gzip.compress(JSONL))
    said, _ = ingest(folder / "index", folder / "tracks.tsv",
                     folder / "shows.csv", folder / "lists.jsonl.gz")
    assert b"5 rows read" in said
    assert b"3 bad lines" in said
    return folder / "index"


@pytest.fixture
def own_index(index, tmp_path):
    """A copy that the test may damage."""
    return shutil.copytree(index, tmp_path / "index")


def search(index, *words, given=b""):
    """The objects that `search --json` prints, one a line."""
    said, _ = run("search", "--index", index, "--json", *words, given=given)
    assert said.endswith(b"\n")
    answers = [json.loads(line) for line in said.decode().split("\n")[:-1]]
    for answer in answers:
        assert set(answer) == {"query", "searched_for", "hits", "timing_us"}
        for hit in answer["hits"]:
            assert set(hit) == HIT_KEYS
        scores = [hit["score"] for hit in answer["hits"]]
        assert scores == sorted(scores, reverse=True)
        assert answer["timing_us"]["total"] >= 0
    return answers


@pytest.mark.parametrize("name", ["ingest", "serve", "search", "correct",
                                  "embed", "eval", "bench", "compile",
                                  "inspect"])
def test_each_subcommand_explains_itself(name):
    said, _ = run(name, "--help")
    assert b"--help" in said
    everything, _ = run("--help")
    assert name.encode() in everything
    assert b"Exit status: 0" in everything


def test_version():
    said, _ = run("--version")
    assert re.fullmatch(rb"quaver \d+\.\d+\.\d+\n", said)


@pytest.mark.parametrize("words", [
    ["no-such-command"],
    ["search"],                                   # --index is missing
    ["search", "--index", "x", "--no-such-flag"],
    ["search", "--index", "x", "--limit", "many"],
    ["search", "--index", "x", "--limit", "0"],
    ["search", "--index", "x", "--types", "track,song"],
    ["ingest", "--out", "x"],                     # no file
    ["ingest", "--out", "x", "--type", "song", "f.tsv"],
    ["ingest", "--out", "x", "--popularity", "much", "f.tsv"],
    ["ingest", "--out", "x", "--threads", "-1", "f.tsv"],
    ["serve", "--index", "x", "--port", "65536"],
    ["correct"],                                  # --index is missing
    ["correct", "--index", "x", "hey jude"],      # queries are lines
    ["embed", "--model"],
])
def test_a_command_line_that_is_not_understood_exits_with_2(words):
    _, complaint = run(*words, expected=2)
    assert complaint


def test_no_subcommand_exits_with_2():
    done = subprocess.run(command("--help")[:1], capture_output=True,
                          timeout=LIMIT_S, check=False)
    assert done.returncode == 2
    assert b"subcommand" in done.stderr


@pytest.mark.parametrize("words, named", [
    (["search", "--index", "/nowhere", "x"], "/nowhere"),
    (["serve", "--index", "/nowhere"], "/nowhere"),
    (["correct", "--index", "/nowhere"], "/nowhere"),
    (["embed", "--model", "/nowhere"], "/nowhere"),
    (["ingest", "--out", "/dev/null/x", "f.tsv"], "/dev/null/x"),
    (["bench", "encoder", "--model", "/nowhere"], "/nowhere"),
])
def test_a_command_that_fails_exits_with_1_and_says_why(words, named):
    said, complaint = run(*words, expected=1)
    assert said == b""
    assert complaint.startswith("quaver: ")
    assert named in complaint


def test_ingest_lists_bad_lines(index):
    lines = (index / "rejected.tsv").read_text().splitlines()
    assert lines[0] == "file\tline\treason\ttext"
    rows = [line.split("\t") for line in lines[1:]]
    places = [(os.path.basename(row[0]), int(row[1])) for row in rows]
    assert places == [("tracks.tsv", 4), ("tracks.tsv", 5),
                      ("lists.jsonl.gz", 2)]
    assert "year" in rows[1][2]
    assert all(row[2] and row[3] for row in rows)


def test_ingest_keeps_what_is_there_and_embeds_only_news(own_index, tmp_path):
    more = tmp_path / "more.tsv"
    more.write_bytes(b"id\ttitle\n9\tNaima\n")
    said, _ = ingest(own_index, more)
    assert b"1 rows read" in said
    assert b"1 texts embedded, 5 reused" in said
    titles = {answer["hits"][0]["title"] for answer in
              search(own_index, "naima", "giant steps")}
    assert titles == {"Naima", "Giant Steps"}


def test_ingest_names_a_file_that_is_missing(own_index, tmp_path):
    before = (own_index / "index.json").read_bytes()
    _, complaint = ingest(own_index, tmp_path / "none.tsv", expected=1)
    assert "none.tsv" in complaint
    assert (own_index / "index.json").read_bytes() == before
    assert search(own_index, "giant steps")[0]["hits"]


def test_ingest_can_map_columns(tmp_path):
    songs = tmp_path / "songs.tsv"
    songs.write_bytes(b"what\tby\tsecret\nOne\tMetallica\tx\n")
    ingest(tmp_path / "index", "--id-prefix", "s-", "--map", "what=title",
           "--map", "by=artist", "--map", "secret=-", songs)
    hit = search(tmp_path / "index", "--types", "track", "one")[0]["hits"][0]
    assert (hit["title"], hit["artist"]) == ("One", "Metallica")
    _, complaint = ingest(tmp_path / "index", "--map", "what", songs,
                          expected=1)
    assert "--map what" in complaint


def test_search_finds_every_kind(index):
    found = {answer["query"]: answer["hits"][0] for answer in search(
        index, "giant steps", "coltrane blue", "deja vu", "night and day", "rain")}
    assert found["giant steps"]["title"] == "Giant Steps"
    assert found["giant steps"]["artist"] == "John Coltrane"
    assert found["coltrane blue"]["artist"] == "John Coltrane"
    assert found["deja vu"]["id"] == "track:4"
    assert found["night and day"]["type"] == "show"
    assert found["rain"]["id"] == "playlist:p"


def test_search_keeps_to_types_filter_and_limit(index):
    hits = search(index, "--types", "artist,album", "coltrane")[0]["hits"]
    assert hits and {hit["type"] for hit in hits} <= {"artist", "album"}
    hits = search(index, "--types", "track", "--filter", "year:1960..1969",
                  "coltrane")[0]["hits"]
    assert [hit["id"] for hit in hits] == ["track:2"]
    hits = search(index, "--types", "track", "--limit", "1",
                  "coltrane")[0]["hits"]
    assert len(hits) == 1
    _, complaint = run("search", "--index", index, "--filter", "mood:calm",
                       "x", expected=1)
    assert "mood" in complaint


def test_search_reads_queries_line_by_line(index):
    answers = search(index, given=b"giant steps\n\nblue train")
    assert [answer["query"] for answer in answers] == [
        "giant steps", "", "blue train"]
    assert answers[2]["hits"][0]["title"] == "Blue Train"
    assert search(index, given=b"\n")[0]["query"] == ""
    said, _ = run("search", "--index", index, "--json")
    assert said == b""


def test_search_takes_any_bytes(index):
    every = bytes(byte for byte in range(256) if byte != ord("\n"))
    answers = search(index, given=every + b"\n\xff\xfe\x00\xc3\ngiant steps\n")
    assert len(answers) == 3
    assert answers[2]["hits"][0]["title"] == "Giant Steps"


def test_search_takes_a_line_of_10_mb(index):
    answers = search(index, given=b"giant " * 1_750_000 + b"\ngiant steps\n")
    assert len(answers) == 2
    assert answers[1]["hits"][0]["title"] == "Giant Steps"


def test_search_without_json_is_for_people(index):
    said, _ = run("search", "--index", index, "giant steps")
    assert b'"giant steps"' in said
    assert b"Giant Steps  -  John Coltrane" in said


def test_explain_tells_legs_and_features(index):
    said, _ = run("search", "--index", index, "--json", "--explain",
                  "giant steps")
    hit = json.loads(said)["hits"][0]
    assert hit["legs"] and hit["features"]


def test_embed_prints_one_array_a_line():
    said, _ = run("embed", given="calm piano\n\n日本語\n".encode() +
                  b"\xff\xfe\nno line end")
    rows = [json.loads(line) for line in said.splitlines()]
    assert len(rows) == 5
    for row in rows:
        assert len(row) == len(rows[0])
        assert math.isclose(math.hypot(*row), 1, abs_tol=1e-4)
    again, _ = run("embed", given=b"calm piano")
    assert json.loads(again) == rows[0]


def test_a_full_output_is_an_error(index):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command("search", "--index", index, "--json", "giant"),
            stdout=full, stderr=subprocess.PIPE, timeout=LIMIT_S, check=False)
    assert done.returncode == 1
    assert b"standard output" in done.stderr


def test_serve_answers_where_it_says_and_stops_on_sigterm(own_index):
    with Server(own_index) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port,
                                                timeout=LIMIT_S)
        connection.request("GET", "/v1/search?q=giant+steps")
        answer = connection.getresponse()
        assert answer.status == 200
        assert b"Giant Steps" in answer.read()
        connection.close()
    assert server.process.returncode == 0


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2,
                    reason="one core has no team")
@pytest.mark.parametrize("threads", [1, 2])
def test_models_compute_by_teams(own_index, threads):
    with Server(own_index, "--threads", 2,
                "--threads-per-instance", threads) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port,
                                                timeout=LIMIT_S)
        connection.request("GET", "/v1/search?q=gaint+stpes")
        assert b"Giant Steps" in connection.getresponse().read()
        connection.request("GET", "/metrics")
        metrics = connection.getresponse().read().decode()
        connection.close()
    # As many instances as there are cores for, two at most.
    wanted = min(2, len(os.sched_getaffinity(0)) // threads)
    for model in ("encoder", "corrector"):
        assert re.search(rf'^quaver_instances{{model="{model}".*}} {wanted}$',
                         metrics, re.M), metrics


def test_serve_stops_on_sigint(own_index):
    with Server(own_index) as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(timeout=LIMIT_S) == 0


def test_a_folder_has_one_writer(own_index, tmp_path):
    more = tmp_path / "more.tsv"
    more.write_bytes(b"title\nNaima\n")
    with Server(own_index) as server:
        holder = f"process {server.process.pid}"
        _, complaint = run("serve", "--index", own_index, "--port", 0,
                           expected=1)
        assert str(own_index) in complaint and holder in complaint
        _, complaint = ingest(own_index, more, expected=1)
        assert str(own_index) in complaint and holder in complaint
        assert search(own_index, "giant steps")[0]["hits"], "readers may"
    ingest(own_index, more)


def test_a_port_that_is_taken_is_named(own_index, index, tmp_path):
    other = shutil.copytree(index, tmp_path / "other")
    with Server(own_index) as server:
        _, complaint = run("serve", "--index", other, "--port", server.port,
                           expected=1)
        assert str(server.port) in complaint


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "remove"])
@pytest.mark.parametrize("pattern", ["segment-*.qvs", "index.json"])
def test_a_damaged_index_is_refused_by_name(own_index, pattern, damage):
    (path,) = own_index.glob(pattern)
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes({"flip": content[:half] + b"\xff" + content[half + 1:],
                      "cut": content[:half]}.get(damage, b""))
    if damage == "remove":
        path.unlink()
    for words in (["search", "--index", own_index, "x"],
                  ["serve", "--index", own_index, "--port", 0]):
        _, complaint = run(*words, expected=1)
        assert path.name in complaint


def test_a_damaged_catalogue_is_refused_by_name(own_index):
    (own_index / "catalogue.db").write_bytes(b"id\ttitle\n1\tnot a database")
    _, complaint = run("serve", "--index", own_index, "--port", 0, expected=1)
    assert "catalogue.db" in complaint


def test_an_index_of_another_encoder_is_refused(own_index):
    path = own_index / "index.json"
    index = json.loads(path.read_bytes())
    index["model"], index["model_hash"] = "other", "0123456789abcdef"
    path.write_text(json.dumps(index))
    for name in ("search", "correct", "serve"):
        _, complaint = run(name, "--index", own_index, expected=1)
        assert "other (0123456789abcdef)" in complaint
        assert "run quaver ingest" in complaint


def correct(index, *words, given):
    said, _ = run("correct", "--index", index, *words, given=given)
    assert said.count(b"\n") == len(given.splitlines())
    return said.decode()


def correct_json(index, *words, given):
    return [json.loads(line) for line in
            correct(index, "--json", *words, given=given).splitlines()]


@pytest.mark.parametrize("corrector", [[], ["--corrector", "none"]])
def test_correct_prints_a_line_for_each(index, corrector):
    given = "giant steps\n\ngiant stepps\n  \nБлюз, no match!\n\nblue train\n"
    assert correct(index, *corrector, given=given.encode()) == given.replace(
        "stepps", "steps")
    assert correct(index, *corrector, given=b"") == ""
    assert correct(index, *corrector, given=b"\n") == "\n"
    assert correct(index, *corrector, given=b"blue train") == "blue train\n"


def test_correct_takes_any_bytes(index):
    every = bytes(range(256)).replace(b"\n", b"")
    separators = "春\u2028夏\u2029秋\u0085冬\r"
    given = b"\n".join([b"\xff\xfe giant steps", every, separators.encode(),
                       b"blue train\r", b"x" * 5_000_000, b"\x00", b"rain"])
    said, _ = run("correct", "--index", index, given=given)
    lines = said.decode().split("\n")
    assert len(lines) == 8 and lines[7] == ""
    assert lines[0] == "\ufffd\ufffd giant steps"
    assert lines[1].isascii() is False
    assert lines[2:] == ["春 夏 秋 冬", "blue train", "x" * 5_000_000, "\x00",
                         "rain", ""]
    assert said.decode().splitlines() == lines[:-1]
    objects, _ = run("correct", "--index", index, "--json", given=given)
    assert len([json.loads(line) for line in objects.splitlines()]) == 7


@pytest.mark.parametrize("words", [[], ["--no-gate"],
                                   ["--corrector", "none"]])
def test_correct_explains_itself_in_json(index, words):
    given = ["giant stepps", "", "blue train", "caf\u00e9 🎵 jazz"]
    answers = correct_json(index, *words, given="\n".join(given).encode())
    assert [answer["query"] for answer in answers] == given
    assert [answer["text"] for answer in answers[:2]] == ["giant steps", ""]
    assert answers[2]["gated"] == (words != ["--no-gate"])
    for answer in answers:
        assert set(answer) == {
            "query", "text", "did_you_mean", "outcome", "applied",
            "confidence", "spans", "alternatives", "completion", "passes",
            "gated", "timing_us"}
        assert 0 <= answer["confidence"] <= 1
        assert answer["timing_us"]["total"] >= 0
        assert answer["applied"] == (answer["outcome"] in (
            "silent", "showing_results_for"))
        assert (answer["did_you_mean"] is not None) == (
            answer["outcome"] == "did_you_mean")
        if not answer["applied"]:
            assert answer["text"] == answer["query"]
        if "none" in words:
            assert answer["passes"] == 0
    fixed = answers[0]
    assert fixed["outcome"] == "showing_results_for"
    assert fixed["spans"] == [{"begin": 6, "end": 12, "text": "steps"}]


def test_correct_answers_each_line_at_once(index):
    with subprocess.Popen(command("correct", "--index", index),
                          stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        for _ in range(2):
            process.stdin.write(b"giant stepps\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"giant steps\n"


def test_search_corrects_unless_told_not_to(index):
    (answer,) = search(index, "giant stepps")
    assert answer["query"] == "giant stepps"
    assert answer["searched_for"] == "giant steps"
    (answer,) = search(index, "--no-correct", "giant stepps")
    assert answer["searched_for"] == "giant stepps"
    (answer,) = search(index, "--no-gate", "giant stepps")
    assert answer["searched_for"] == "giant steps"
    said, _ = run("search", "--index", index, "giant stepps")
    assert b'"giant stepps": results for "giant steps"\n' in said


@pytest.mark.parametrize("words", [["search", "x"], ["correct"],
                                   ["serve", "--port", 0]])
def test_a_corrector_that_is_named_must_be_there(own_index, tmp_path, words):
    name, *others = words
    _, complaint = run(name, "--index", own_index, "--corrector", tmp_path,
                       *others, expected=1)
    assert str(tmp_path) in complaint


def generate(*words, given, expected=0):
    return run("generate", "--model", CORRECTOR, *words, given=given,
               expected=expected)


def test_generate_answers_every_line():
    given = "beetles yesterdy\n\nqueen\n".encode()
    said, _ = generate(given=given)
    assert said.decode().split("\n")[::2] == ["beatles yesterday", "queen"]
    objects = [json.loads(line)
               for line in generate("--json", given=given)[0].splitlines()]
    assert [o["text"] for o in objects] == said.decode().split("\n")[:3]
    for drafted, plain in zip(
            objects, generate("--json", "--draft", "none", given=given)[0]
            .splitlines(), strict=True):
        one_by_one = json.loads(plain)
        assert one_by_one["passes"] == len(drafted["output_ids"]) - 1
        assert drafted.pop("passes") <= one_by_one.pop("passes")
        assert drafted == one_by_one


@pytest.mark.parametrize("penalty", ["nan", "inf", "-inf", "-1e30", "11", "x"])
def test_generate_refuses_a_length_penalty_that_makes_no_sense(penalty):
    said, complaint = generate("--beams", 4, "--length-penalty", penalty,
                               given=b"beetles\n", expected=2)
    assert said == b""
    assert "--length-penalty" in complaint
    assert f"from -10 to 10, not {penalty}" in complaint


@pytest.mark.parametrize("penalty", ["-10", "0", "10"])
def test_generate_takes_a_length_penalty(penalty):
    said, _ = generate("--beams", 4, "--length-penalty", penalty,
                       given=b"beetles yesterdy\n")
    assert said.strip()


def test_generate_drafts_from_a_dictionary(index):
    given = b"beetels yesterday\n\ngiant stepps\n"
    plain = generate("--json", given=given)[0].splitlines()
    guessed = generate("--json", "--draft", "dictionary", "--index", index,
                       given=given)[0].splitlines()
    for one, other in zip(plain, guessed, strict=True):
        one, other = json.loads(one), json.loads(other)
        assert other["output_ids"] == one["output_ids"]
        assert other["passes"] <= one["passes"]
    _, message = generate("--draft", "dictionary", given=given, expected=1)
    assert "--index" in message
    _, message = generate("--index", index, given=given, expected=1)
    assert "--draft dictionary" in message


def test_generate_takes_ids_and_beams():
    given = b' { "input_ids" : [0, 900, 800, 2]}\n'
    greedy = json.loads(generate("--json", given=given)[0])
    assert set(greedy) == {"output_ids", "score", "passes"}
    found = json.loads(generate("--json", "--beams", 4, "--n-best", 3,
                                given=given)[0])
    scores = [answer["score"] for answer in found["answers"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert found["output_ids"] == found["answers"][0]["output_ids"]


@pytest.mark.parametrize("given, message", [
    (b"x\n" + b"queen " * 200 + b"\n", None),
    (b"\xff\xfe \x00 \xe2\x82\n", None),
    (b'x\n{"input_ids": [0, 99999]}\n', "line 2: .*99999 is no id"),
    (b'{"input_ids": []}\n', "line 1: the source has 0 tokens"),
    (b'{"input_ids": "x"}\n', "line 1: expected text or"),
    (b'{"ids": [0]}\n', "line 1: expected text or"),
    (b'{queen\n', None),
    (b'{"input_ids": [0.5]}\n', "line 1: .*something else")])
def test_generate_survives_bad_input(given, message):
    said, complaint = generate(given=given, expected=0 if message is None else 1)
    if message is None:
        assert said.count(b"\n") == given.count(b"\n")
        said.decode()
    else:
        assert re.search(message, complaint)


def test_generate_names_a_missing_model(tmp_path):
    _, complaint = run("generate", "--model", tmp_path, given=b"", expected=1)
    assert "config.json" in complaint


def test_bench_takes_lengths_and_batches(tmp_path):
    lengths = tmp_path / "lengths"
    lengths.write_text("3\n9\n12\n")
    said, _ = run("bench", "encoder", "--lengths", lengths, "--batch", 2,
                  "--iterations", 1, "--json")
    assert json.loads(said)["tokens"] == 8
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("purple rian\tpurple rain\nbeetles\tbeatles\n")
    said, complaint = run("bench", "corrector", "--model", CORRECTOR,
                          "--pairs", pairs, "--batch", 2, "--threads", 2,
                          "--threads-per-instance", 64, "--rounds", 1,
                          "--json")
    found = json.loads(said)
    assert found["queries"] == 2 and found["queries_per_s"] > 0
    assert found["passes"] >= 1
    cores = len(os.sched_getaffinity(0))
    assert 1 <= found["threads_per_instance"] <= max(1, cores // 2)
    assert cores >= 128 or "are more than there may be" in complaint


def test_more_threads_than_cores_are_not_started():
    cores = len(os.sched_getaffinity(0))
    said, complaint = run("bench", "encoder", "--threads", 1000,
                          "--iterations", 1, "--json")
    assert json.loads(said)["threads"] <= cores
    assert "--threads 1000: there are" in complaint
    _, complaint = run("bench", "encoder", "--threads", 0, expected=2)
    assert "--threads" in complaint


@pytest.mark.parametrize("content, named", [
    ("", "one a line"), ("3\nx\n", "one a line"), ("0\n", "0 tokens"),
    ("9999\n", "9999 tokens")])
def test_bench_names_lengths_that_cannot_be(tmp_path, content, named):
    lengths = tmp_path / "lengths"
    lengths.write_text(content)
    _, complaint = run("bench", "encoder", "--lengths", lengths, expected=1)
    assert named in complaint
