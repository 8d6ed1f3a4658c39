"""Quality on a large catalogue, against the bounds that a release must keep."""
from .program import CATALOGUE, SETS, evaluate

# Success@1 and @10 in per cent, without a corrector.
BOUNDS = {"artist": (90, 96), "clean": (81, 96), "hard": (87, 95),
          "partial": (88, 96.5), "prefix": (81, 95.5), "touch": (80, 95.5),
          "word": (86, 95)}


def test_targets_are_found():
    report = evaluate("search", "--sets", SETS)
    found = {row["set"]: (100 * row["success_at_1"]["value"],
                          100 * row["success_at_10"]["value"])
             for row in report["sets"]}
    low = {name: found[name] for name, bounds in BOUNDS.items()
           if found[name][0] < bounds[0] or found[name][1] < bounds[1]}
    assert not low, f"below the bounds: {low}"


def test_vector_index_recalls():
    report = evaluate("index", "--sets", SETS)
    assert report["recall"]["value"] >= 0.98


def test_famous_titles_are_suggested():
    report = evaluate("suggest", "--catalogue", CATALOGUE / "tracks.tsv")
    found = {row["letters"]: row["found"]["value"]
             for row in report}
    assert found[3] >= 0.60
    assert found[6] >= 0.85
