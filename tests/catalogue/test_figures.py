"""Quality on a large catalogue, against the bounds that a release must keep."""
import pytest

from .program import CATALOGUE, ROOT, SETS, evaluate

# Success@1 and @10 in per cent, 1.5 points below what was measured.
BOUNDS = {
    "do nothing": {
        "artist": (93, 97.3), "clean": (82.5, 96.9), "hard": (88.5, 96.1),
        "partial": (87.8, 96.1), "prefix": (84.5, 96.8), "touch": (81.5, 95.5),
        "word": (88, 97.3)},
    "product": {
        "artist": (93.5, 97.3), "clean": (82.5, 96.9), "hard": (88, 96.7),
        "partial": (90.8, 96.8), "prefix": (84.8, 96.5), "touch": (81.8, 96.1),
        "unseen": (83.5, 96.3), "unseen_partial": (89.8, 97.5),
        "word": (89, 97.5)}}
MOST_LOST = 0.002  # of success@10 of right queries, by correcting


@pytest.fixture(scope="module", name="report")
def evaluate_search():
    return evaluate("search", "--sets", SETS, "--corrector",
                    ROOT / "models/corrector")


@pytest.mark.parametrize("variant", BOUNDS)
def test_targets_are_found(report, variant):
    found = {row["set"]: (100 * row["success_at_1"]["value"],
                          100 * row["success_at_10"]["value"])
             for row in report["sets"] if row["variant"] == variant}
    low = {name: found[name] for name, bounds in BOUNDS[variant].items()
           if found[name][0] < bounds[0] or found[name][1] < bounds[1]}
    assert not low, f"below the bounds: {low}"


def test_the_corrector_loses_nothing_of_right_queries(report):
    clean, = [row for row in report["differences"] if row["set"] == "clean"]
    assert clean["success_at_10"]["low"] > -MOST_LOST


def test_vector_index_recalls():
    report = evaluate("index", "--sets", SETS)
    assert report["recall"]["value"] >= 0.98


def test_famous_titles_are_suggested():
    report = evaluate("suggest", "--catalogue", CATALOGUE / "tracks.tsv")
    found = {row["letters"]: row["found"]["value"]
             for row in report}
    assert found[3] >= 0.60
    assert found[6] >= 0.85
