"""Checks the demo catalogue: counts, ids, references, and plain fields."""
import pathlib
import unicodedata
import unittest

DEMO = pathlib.Path(__file__).resolve().parents[1] / "data" / "demo"
TRACK_COLUMNS = "id title artist album genre year popularity".split()
PODCAST_COLUMNS = "id show episode publisher category description".split()
PLAYLIST_COLUMNS = "id title description tracks".split()
# What the project promises of its demo, as (file's rows, smallest count).
MIN_TRACKS, MIN_SHOWS, MIN_EPISODES, MIN_PLAYLISTS = 1000, 150, 30, 30
PLAYLIST_SIZES = range(10, 31)
LAST_YEAR = 2026


def read(name, columns):
    """Returns the rows of a file as dicts; its header must be `columns`."""
    text = (DEMO / name).read_bytes().decode("utf-8")
    head, *lines = text.removesuffix("\n").split("\n")
    if head.split("\t") != columns:
        raise ValueError(f"{name}: header is {head!r}")
    rows = [line.split("\t") for line in lines]
    for number, row in enumerate(rows, 2):
        if len(row) != len(columns):
            raise ValueError(f"{name}:{number}: {len(row)} fields")
    return [dict(zip(columns, row)) for row in rows]


class DemoDataTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tracks = read("tracks.tsv", TRACK_COLUMNS)
        cls.podcasts = read("podcasts.tsv", PODCAST_COLUMNS)
        cls.playlists = read("playlists.tsv", PLAYLIST_COLUMNS)

    def assert_unique(self, keys):
        keys = list(keys)
        seen = set()
        twice = {key for key in keys if key in seen or seen.add(key)}
        self.assertEqual(twice, set())

    def test_counts(self):
        shows = [row for row in self.podcasts if not row["episode"]]
        self.assertGreaterEqual(len(self.tracks), MIN_TRACKS)
        self.assertGreaterEqual(len(shows), MIN_SHOWS)
        self.assertGreaterEqual(len(self.podcasts) - len(shows), MIN_EPISODES)
        self.assertGreaterEqual(len(self.playlists), MIN_PLAYLISTS)

    def test_ids_are_unique(self):
        rows = self.tracks + self.podcasts + self.playlists
        self.assert_unique(row["id"] for row in rows)

    def test_names_are_unique_whatever_their_case(self):
        for rows, columns in ((self.tracks, ("title", "artist")),
                              (self.podcasts, ("show", "episode")),
                              (self.playlists, ("title",))):
            self.assert_unique(tuple(row[c].casefold() for c in columns)
                               for row in rows)

    def test_required_fields_are_filled(self):
        for rows, columns in (
                (self.tracks, ("id", "title", "artist")),
                (self.podcasts, ("id", "show", "publisher", "category",
                                 "description")),
                (self.playlists, ("id", "title", "description"))):
            for row in rows:
                for column in columns:
                    self.assertTrue(row[column], row)

    def test_fields_hold_no_controls_and_no_outer_spaces(self):
        for row in self.tracks + self.podcasts + self.playlists:
            for text in row.values():
                self.assertEqual(text, text.strip(), row)
                self.assertEqual(text, unicodedata.normalize("NFC", text))
                self.assertFalse(
                    any(unicodedata.category(c) == "Cc" for c in text), row)

    def test_years_are_empty_or_plausible(self):
        for row in self.tracks:
            if row["year"]:
                self.assertIn(int(row["year"]), range(1900, LAST_YEAR + 1))

    def test_tracks_are_sorted_by_popularity(self):
        scores = [int(row["popularity"]) for row in self.tracks]
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertLessEqual(scores[0], 100)
        self.assertGreaterEqual(scores[-1], 0)

    def test_episodes_belong_to_shows(self):
        shows = {row["show"] for row in self.podcasts if not row["episode"]}
        for row in self.podcasts:
            self.assertIn(row["show"], shows)

    def test_playlists_name_known_tracks_once(self):
        known = {row["id"] for row in self.tracks}
        for row in self.playlists:
            ids = row["tracks"].split("|")
            self.assertIn(len(ids), PLAYLIST_SIZES, row["title"])
            self.assert_unique(ids)
            self.assertLessEqual(set(ids), known, row["title"])


if __name__ == "__main__":
    unittest.main()
