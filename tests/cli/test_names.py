"""Rare names that look misspelled, before the shipped corrector."""
import json

import pytest

from .program import ROOT, ingest, run

CORRECTOR = ROOT / "models/corrector"
# Artist, title, and the title with a mistake.
TRACKS = [("deadmau5", "Strobe", "strobee"),
          ("CHVRCHES", "Recover", "recoverr"),
          ("6LACK", "Balenciaga", "balencaiga"),
          ("Sunn O)))", "Monoliths", "monolihts"),
          ("Ke$ha", "Tik Tok", "tik tokk"),
          ("MGMT", "Electric Feel", "electrc feel"),
          ("alt-J", "Breezeblocks", "breezblocks"),
          ("P!nk", "So What", "soo what"),
          ("†††", "Sensation", "sensatoin"),
          ("久石譲", "Summer", "summmer")]
# What a catalogue that lacks it may take for a slip of "deadmaus".
LIKE_A_SLIP = "deadmau5"
OTHERS = [("The Beatles", "Yesterday"), ("Kesha", "Praying"),
          ("Pink", "Try"), ("Churches", "Recovery"),
          ("Black", "Wonderful Life"),
          ("Deadmaus", "Dead Mouse"), ("Sun", "Sun No"), ("Alt", "Alto"),
          ("Clippin'", "Clapping")]


@pytest.fixture(scope="module", params=["in the catalogue", "elsewhere"])
def index(request, tmp_path_factory):
    """Names that are near, and the rare ones themselves or not."""
    known = request.param == "in the catalogue"
    rows = [(title, artist if known else "Various")
            for artist, title, _ in TRACKS] + [row[::-1] for row in OTHERS]
    if known:
        rows.append(("Body & Blood", "clipping."))
    folder = tmp_path_factory.mktemp("names")
    (folder / "tracks.tsv").write_text("title\tartist\n" + "".join(
        f"{title}\t{artist}\n" for title, artist in rows))
    ingest(folder / "index", folder / "tracks.tsv")
    return known, folder / "index"


def correct(index, *queries):
    given = "".join(f"{query}\n" for query in queries).encode()
    said, _ = run("correct", "--index", index, "--corrector", CORRECTOR,
                  "--json", given=given)
    return [json.loads(line) for line in said.splitlines()]


def test_a_rare_name_stays(index):
    known, folder = index
    names = [name for name, _, _ in TRACKS if known or name != LIKE_A_SLIP]
    for answer in correct(folder, *names):
        assert answer["text"] == answer["query"], answer
        assert not known or answer["outcome"] == "none", answer


def test_a_rare_name_stays_beside_a_mistake(index):
    known, folder = index
    tracks = [row for row in TRACKS if known or row[0] != LIKE_A_SLIP]
    queries = [f"{name} {typed} " for name, _, typed in tracks]
    for (name, title, _), answer in zip(tracks, correct(folder, *queries),
                                        strict=True):
        if answer["applied"]:
            assert answer["text"].lower().startswith(name.lower()), answer
        if known:
            assert answer["text"] == f"{name} {title.lower()}", answer


def test_a_name_with_its_sign_stays(index):
    known, folder = index
    alone, beside = correct(folder, "clipping.", "clipping. body blod ")
    assert alone["text"] == "clipping."
    if known:
        assert alone["outcome"] == "none"
        assert beside["text"] == "clipping. body blood"
