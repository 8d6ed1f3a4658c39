"""Success@1 and @10 of Tantivy's fuzzy search on query sets.

usage: tantivy_fuzzy.py CATALOGUE SETS [ROWS]
CATALOGUE is a TSV file with the columns title and artist, SETS a folder of
`quaver eval make-sets`. One or two edits a word by its length, any word may
match, exact matches count double. Compare with `quaver eval search`.
"""
import csv
import pathlib
import statistics
import sys
import time
import unicodedata

import tantivy


def comparable(text):
    """As quaver/text/compare.h: accents, case and punctuation do not count."""
    text = unicodedata.normalize("NFKD", text).lower()
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = text.replace("'", "").replace("’", "")
    return " ".join("".join(c if c.isalnum() or c == "_" else " "
                            for c in text).split())


def build(names):
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("place", stored=True)
    builder.add_text_field("title")
    builder.add_text_field("artist")
    schema = builder.build()
    index = tantivy.Index(schema)
    writer = index.writer()
    for place, (title, artist) in enumerate(names):
        writer.add_document(tantivy.Document(place=place, title=title,
                                             artist=artist))
    writer.commit()
    index.reload()
    return schema, index.searcher()


def make_query(schema, text):
    query, should = tantivy.Query, tantivy.Occur.Should
    clauses = []
    for word in text.split():
        edits = 0 if len(word) < 4 else 1 if len(word) < 8 else 2
        for field in ("title", "artist"):
            exact = query.term_query(schema, field, word)
            clauses.append((should, query.boost_query(exact, 2.0)))
            if edits:
                clauses.append((should, query.fuzzy_term_query(
                    schema, field, word, distance=edits,
                    transposition_cost_one=True)))
    return query.boolean_query(clauses)


def is_right(name, title, artist):
    return name[1] == artist and (not title or name[0] == title)


def main():
    catalogue, folder = sys.argv[1:3]
    limit = int(sys.argv[3]) if len(sys.argv) > 3 else None
    with open(catalogue, encoding="utf-8") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        names = [(comparable(row["title"]), comparable(row["artist"]))
                 for row in rows]
    schema, searcher = build(names)
    times = []
    for path in sorted(pathlib.Path(folder).glob("*.tsv")):
        first = tenth = 0
        lines = path.read_text(encoding="utf-8").splitlines()[:limit]
        for line in lines:
            text, _, title, artist = (comparable(part)
                                      for part in line.split("\t"))
            start = time.perf_counter()
            hits = searcher.search(make_query(schema, text), 10).hits
            found = [names[searcher.doc(hit)["place"][0]] for _, hit in hits]
            times.append(1e3 * (time.perf_counter() - start))
            right = [is_right(name, title, artist) for name in found]
            first += bool(right and right[0])
            tenth += any(right)
        print(f"{path.stem:8} {len(lines)} rows: success@1 "
              f"{100 * first / len(lines):.1f} %, success@10 "
              f"{100 * tenth / len(lines):.1f} %", flush=True)
    print(f"{statistics.median(times):.1f} ms a query at the median")


if __name__ == "__main__":
    main()
