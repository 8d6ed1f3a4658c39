"""quaver compile and inspect, and the plans that other commands make."""
import json
import shutil

import pytest

from .program import ROOT, run

CORRECTOR = ROOT / "models/corrector"
ENCODER = ROOT / "build/models/minilm"


@pytest.fixture(scope="module")
def times(tmp_path_factory):
    """A timing cache that the module's plans share."""
    return tmp_path_factory.mktemp("times") / "times.tsv"


@pytest.fixture(scope="module")
def plan(tmp_path_factory, times):
    path = tmp_path_factory.mktemp("plans") / "corrector.plan"
    said, complained = run("compile", CORRECTOR, "--out", path,
                           "--timing-cache", times)
    assert b"39 products in int8;" in said
    assert "quality of int8" in complained
    return path


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(CORRECTOR, tmp_path / "corrector",
                           ignore=shutil.ignore_patterns("*.plan"))


def answers(model, *texts):
    said, _ = run("generate", "--model", model, "--json",
                  given="\n".join(texts).encode())
    return [json.loads(line)["text"] for line in said.splitlines()]


def test_a_plan_stands_for_its_folder(plan):
    texts = ["beetles yesterdy", "purple rain", "metalica one"]
    assert answers(plan, *texts) == answers(CORRECTOR, *texts)


def test_inspect_lists_every_product(plan):
    said, _ = run("inspect", plan, "--json")
    found = json.loads(said)
    assert found["kind"] == "corrector"
    assert {one["precision"] for one in found["products"]} == {"int8"}
    assert found["metadata"]["model"] == "corrector"
    output = found["products"][-1]
    assert (output["name"], output["outputs"]) == ("output", 8192)
    said, _ = run("inspect", CORRECTOR)
    assert b"| encoder.0.qkv" in said and b"fp32" in said


def test_a_search_of_precisions_ranks_products(tmp_path):
    lines = tmp_path / "queries"
    lines.write_text("beetles yesterdy\npurple rain\n")
    said, _ = run("compile", CORRECTOR, "--out", tmp_path / "plan", "--level",
                  4, "--calibration", lines, "--json")
    report = json.loads(said)
    assert len(report["ranked"]) == len(report["products"]) == 39
    assert report["quality_drop"] == 0


def test_quality_may_be_exact_fix(tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("query\tcorrected\npurple rian\tpurple rain\n")
    said, _ = run("compile", CORRECTOR, "--out", tmp_path / "plan",
                  "--quality-data", pairs, "--precision", "int8", "--json")
    assert json.loads(said)["quality_drop"] == 0


def test_a_plan_may_be_bf16(tmp_path):
    said, _ = run("compile", CORRECTOR, "--out", tmp_path / "plan",
                  "--precision", "bf16")
    assert b"39 products in bf16;" in said
    said, _ = run("inspect", tmp_path / "plan", "--json")
    products = json.loads(said)["products"]
    assert {one["precision"] for one in products} == {"bf16"}
    assert answers(tmp_path / "plan", "purple rain") == ["purple rain"]


def test_scales_may_be_fixed_and_are_kept_as_text(tmp_path):
    cache = tmp_path / "ranges.txt"
    options = ["--scales", "min-max", "--max-quality-drop", 100, "--level", 0,
               "--calibration-cache", cache, "--force"]
    run("compile", CORRECTOR, "--out", tmp_path / "plan", *options)
    first = (tmp_path / "plan").read_bytes()
    lines = cache.read_text().splitlines()
    assert lines[2] == "method min-max"
    assert len(lines) == 3 + 39
    run("compile", CORRECTOR, "--out", tmp_path / "plan", *options)
    assert (tmp_path / "plan").read_bytes() == first
    said, _ = run("inspect", tmp_path / "plan", "--json")
    low, high = json.loads(said)["products"][0]["range"]
    assert low < 0 < high
    cache.write_text(cache.read_text().replace("model ", "model 0", 1))
    _, complained = run("compile", CORRECTOR, "--out", tmp_path / "plan",
                        *options, expected=1)
    assert "ranges.txt: was found for the model 0" in complained


QUICK = ["--level", 1, "--isa", "avx2"]


def compile_quickly(plan, *options, expected=0):
    return run("compile", CORRECTOR, "--out", plan, *QUICK, *options,
               expected=expected)


def test_a_full_timing_cache_gives_equal_plans(tmp_path):
    times = tmp_path / "times.tsv"
    first, again = tmp_path / "first.plan", tmp_path / "again.plan"
    compile_quickly(first, "--timing-cache", times)
    text = times.read_text()
    lines = text.splitlines()[1:]
    assert lines and all(line.count("\t") == 5 for line in lines)
    assert {line.split("\t")[4] for line in lines} == {"avx2", "avx2.far"}
    times.write_text(text + text)  # merged by concatenation
    compile_quickly(again, "--timing-cache", times, "--timing-cache-miss",
                    "error")
    assert again.read_bytes() == first.read_bytes()
    assert times.read_text() == text + text


def test_a_time_that_is_missing_may_be_an_error(tmp_path):
    times = tmp_path / "times.tsv"
    compile_quickly(tmp_path / "plan", "--timing-cache", times)
    lines = times.read_text().splitlines()
    _, precision, shape, rows, tactic, _ = lines.pop().split("\t")
    times.write_text("\n".join(lines) + "\n")
    lost = tmp_path / "lost.plan"
    _, complained = compile_quickly(lost, "--timing-cache", times,
                                    "--timing-cache-miss", "error", expected=1)
    assert f"{precision} {shape}, {rows} rows, {tactic}" in complained
    assert not lost.exists()
    compile_quickly(lost, "--timing-cache", times)  # measures it
    assert len(times.read_text().splitlines()) == len(lines) + 1


def test_a_line_that_is_no_time_is_named(tmp_path):
    times = tmp_path / "times.tsv"
    times.write_text("# times\nx\n")
    _, complained = compile_quickly(tmp_path / "plan", "--timing-cache", times,
                                    expected=1)
    assert "times.tsv:2:" in complained
    assert times.read_text() == "# times\nx\n"


def test_an_unknown_instruction_set_lists_those_there_are(tmp_path):
    _, complained = run("compile", CORRECTOR, "--out", tmp_path / "plan",
                        "--isa", "avx2,sse9", expected=2)
    assert "sse9" in complained and "scalar,avx2" in complained


def test_a_plan_for_one_instruction_set_runs_on_others(tmp_path, monkeypatch):
    plan = tmp_path / "plan"
    compile_quickly(plan, "--precision", "fp32")
    monkeypatch.setenv("QUAVER_ISA", "scalar")
    said, complained = run("inspect", plan, "--json")
    assert json.loads(said)["isa"] == "scalar"
    assert "plan: is not tuned for scalar" in complained
    assert "packed anew" in complained
    monkeypatch.setenv("QUAVER_ISA", "avx2")
    said, complained = run("inspect", plan, "--json")
    assert json.loads(said)["isa"] == "avx2"
    assert complained == ""


def test_inspect_predicts_and_measures(plan, times):
    said, _ = run("inspect", plan, "--json", "--measure", "--rows", 1,
                  "--timing-cache", times)
    found = json.loads(said)
    assert found["rows"] == 1
    assert found["peaks"]["from"] == "timing cache"
    peaks = found["peaks"]["int8_gops"], found["peaks"]["gbytes_per_s"]
    for one in found["products"]:
        assert one["kernel"] == one["tactics"][0]["tactic"]
        assert one["tactics"][-1]["rows"] == 512
        operations = 2 * one["outputs"] * one["inputs"]
        least = max(operations / peaks[0], one["bytes"] / peaks[1]) / 1000
        assert one["predicted_us"] == pytest.approx(least)
        assert one["measured_us"] > 0
    said, _ = run("inspect", plan)
    assert b"measured now" in said and b"11 rows of each" in said


def test_inspect_lists_all_steps_of_a_call(plan, times):
    said, _ = run("inspect", plan, "--json", "--measure", "--rows", 3,
                  "--timing-cache", times)
    found = json.loads(said)
    steps = found["steps"]
    assert (sorted(one["name"] for one in steps if one["kind"] == "product")
            == sorted(one["name"] for one in found["products"]))
    names = [one["name"] for one in steps]
    assert names[:5] == ["encoder.embedding", "encoder.embedding_norm",
                         "encoder.0.qkv", "encoder.0.attention",
                         "encoder.0.attention_output.input"]
    assert steps[1]["kernel"] == "dense.layer_norm_codes"
    assert names[-2:] == ["output", "output_summary"]
    assert names[-3].endswith(".output_norm")  # makes the codes
    for one in steps:
        assert one["rows"] == 3
        has_kernel = one["kind"] != "embedding"
        assert (one["kernel"] is not None) == has_kernel
        assert (one["measured_us"] is not None) == has_kernel
    for sum_of in ("predicted_us", "measured_us"):
        assert found[sum_of] == pytest.approx(
            sum(one[sum_of] or 0 for one in steps))
    assert found["arena_bytes"] > 0
    assert found["call_measured_us"] is None  # a corrector's has many shapes


def test_inspect_times_an_encoders_call_as_a_whole():
    said, _ = run("inspect", ENCODER, "--json", "--measure", "--rows", 5)
    found = json.loads(said)
    assert found["steps"][-1]["name"] == "pooling"
    assert found["call_measured_us"] > 0
    attention = [one for one in found["steps"]
                 if one["name"] == "layers.0.attention"]
    assert attention[0]["bytes"] == 0
    assert attention[0]["predicted_us"] > 0  # fp32's peak was measured
    said, _ = run("inspect", ENCODER, "--measure", "--rows", 5)
    assert b"| layers.5.output_norm" in said and b"a whole call" in said
    assert b"an instance's arena of" in said


def test_inspect_refuses_more_rows_than_positions():
    _, complained = run("inspect", CORRECTOR, "--rows", 129, expected=1)
    assert "--rows 129: the model has 128 positions" in complained


def test_verify_compares_every_product_with_fp32(tmp_path):
    said, _ = compile_quickly(tmp_path / "plan", "--verify", "--json")
    errors = json.loads(said)["verify"]
    assert len(errors) == 39
    assert errors[0]["whole"] == errors[0]["own"]
    for one in errors:
        assert one["precision"] == "int8" and one["rows"] > 100
        assert 0 < one["own"] < 0.1 and 0 < one["whole"] < 0.3
        assert 0.9 < one["least_cosine"] < 1
    said, _ = compile_quickly(tmp_path / "plan", "--verify", "--force")
    assert said.count(b" worst ") == 1


@pytest.mark.parametrize("words, named", [
    (["none"], "none: is no folder"),
    ([CORRECTOR, "--calibration", "none"], "none"),
    ([CORRECTOR, "--calibration", "/dev/null"], "one a line"),
    ([CORRECTOR, "--quality-data", "/dev/null"], "no queries"),
    ([CORRECTOR, "--calibration-cache", "none"], "choose --scales"),
    ([CORRECTOR, "--timing-cache", "none", "--level", 0], "choose --level"),
])
def test_what_cannot_be_compiled_is_named(tmp_path, words, named):
    _, complained = run("compile", *words, "--out", tmp_path / "plan",
                        expected=1)
    assert named in complained
    assert not (tmp_path / "plan").exists()


@pytest.mark.parametrize("scores, named", [
    ([0, 5] * 14, "30 at least are needed"),
    ([3] * 40, "have one score"),
    ([0, "nan"] * 20, "'nan' is not a number"),
])
def test_pairs_that_judge_nothing_are_refused(tmp_path, scores, named):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("score\tsentence1\tsentence2\n" + "".join(
        f"{score}\ta song {i}\ta tune {i}\n"
        for i, score in enumerate(scores)))
    _, complained = run("compile", ENCODER, "--quality-data", pairs, "--out",
                        tmp_path / "plan", expected=1)
    assert named in complained
    assert not (tmp_path / "plan").exists()


def test_a_plan_is_replaced_only_by_force(plan, times):
    before = plan.read_bytes()
    _, complained = run("compile", CORRECTOR, "--out", plan, expected=1)
    assert "--force" in complained
    run("compile", CORRECTOR, "--out", plan, "--force", "--timing-cache",
        times)
    assert plan.read_bytes() == before  # from the same folder and times


@pytest.mark.parametrize("damage", [
    lambda data: data[:1000],
    lambda data: data[:-1],
    lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
    lambda data: b"",
])
def test_a_damaged_plan_is_refused(plan, tmp_path, damage):
    bad = tmp_path / "bad.plan"
    bad.write_bytes(damage(plan.read_bytes()))
    _, complained = run("inspect", bad, expected=1)
    assert "bad.plan" in complained


def correct(folder, index):
    return run("correct", "--index", index, "--corrector", folder,
               given=b"purple rian\n")


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compile")
    (folder / "tracks.tsv").write_text(
        "id\ttitle\tartist\n1\tPurple Rain\tPrince\n")
    run("ingest", "--quiet", "--out", folder / "index", folder / "tracks.tsv")
    return folder / "index"


def test_a_folder_is_compiled_once_and_anew_when_damaged(folder, index):
    said, complained = correct(folder, index)
    assert said == b"purple rain\n"
    assert "compiling" in complained
    kept = folder / "int8.plan"
    good = kept.read_bytes()
    _, complained = correct(folder, index)
    assert "compiling" not in complained
    kept.write_bytes(good[:5000])
    said, complained = correct(folder, index)
    assert said == b"purple rain\n"
    assert "compiling" in complained
    assert kept.read_bytes() == good


def test_a_folder_that_cannot_be_written_is_kept_elsewhere(folder, index,
                                                           tmp_path,
                                                           monkeypatch):
    (folder / "int8.plan").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    said, complained = correct(folder, index)
    assert said == b"purple rain\n"
    assert len(list((tmp_path / "cache/quaver").glob("*.plan"))) == 1
    _, complained = correct(folder, index)
    assert "compiling" not in complained
