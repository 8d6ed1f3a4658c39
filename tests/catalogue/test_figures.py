"""Quality on a large catalogue, against the bounds that a release must keep."""
import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = os.environ.get("QUAVER_BIN", str(ROOT / "build/release/quaver"))
CATALOGUE = pathlib.Path(os.environ["QUAVER_CATALOGUE"])
INDEX = os.environ["QUAVER_INDEX"]
# Success@1 and @10 in per cent, without a corrector.
BOUNDS = {"artist": (90, 96), "clean": (81, 96), "hard": (87, 95),
          "partial": (88, 96.5), "prefix": (81, 95.5), "touch": (80, 95.5),
          "word": (86, 95)}


def evaluate(*arguments):
    run = subprocess.run([BIN, "eval", *map(str, arguments), "--json"],
                         capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    subprocess.run([BIN, "eval", "make-sets", "--catalogue",
                    CATALOGUE / "tracks.tsv", "--out", folder, "--rows", "300",
                    "--seed", "20"], check=True, stdout=subprocess.DEVNULL)
    return folder


def test_targets_are_found(sets):
    report = evaluate("search", "--index", INDEX, "--sets", sets)
    found = {row["set"]: (100 * row["success_at_1"]["value"],
                          100 * row["success_at_10"]["value"])
             for row in report["sets"]}
    low = {name: found[name] for name, bounds in BOUNDS.items()
           if found[name][0] < bounds[0] or found[name][1] < bounds[1]}
    assert not low, f"below the bounds: {low}"


def test_vector_index_recalls(sets):
    report = evaluate("index", "--index", INDEX, "--sets", sets)
    assert report["recall"]["value"] >= 0.98


def test_famous_titles_are_suggested():
    report = evaluate("suggest", "--index", INDEX, "--catalogue",
                      CATALOGUE / "tracks.tsv")
    found = {row["letters"]: row["found"]["value"]
             for row in report}
    assert found[3] >= 0.60
    assert found[6] >= 0.85
