"""quaver compile and inspect, and the plans that other commands make."""
import json
import shutil

import pytest

from .program import ROOT, run

CORRECTOR = ROOT / "models/corrector"


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    path = tmp_path_factory.mktemp("plans") / "corrector.plan"
    said, complained = run("compile", CORRECTOR, "--out", path)
    assert b"39 products in int8, 0 in fp32" in said
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


@pytest.mark.parametrize("words, named", [
    (["none"], "none: is no folder"),
    ([CORRECTOR, "--calibration", "none"], "none"),
    ([CORRECTOR, "--calibration", "/dev/null"], "one a line"),
    ([CORRECTOR, "--quality-data", "/dev/null"], "no queries"),
])
def test_what_cannot_be_compiled_is_named(tmp_path, words, named):
    _, complained = run("compile", *words, "--out", tmp_path / "plan",
                        expected=1)
    assert named in complained
    assert not (tmp_path / "plan").exists()


def test_a_plan_is_replaced_only_by_force(plan):
    before = plan.read_bytes()
    _, complained = run("compile", CORRECTOR, "--out", plan, expected=1)
    assert "--force" in complained
    run("compile", CORRECTOR, "--out", plan, "--force")
    assert plan.read_bytes() == before  # the same bytes from the same folder


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
