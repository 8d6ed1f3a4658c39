#!/usr/bin/env python3
"""Writes golden files: tools/make_golden.py PART [its arguments].

PART is one of the files tools/golden_PART.py. Parts need Python packages (each
names its own) that neither the build nor the tests do.
"""
import pathlib
import runpy
import sys

TOOLS = pathlib.Path(__file__).parent
PARTS = {p.stem.removeprefix("golden_"): p for p in sorted(TOOLS.glob("golden_*.py"))}


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in PARTS:
        sys.exit(f"usage: {sys.argv[0]} {{{','.join(PARTS)}}} [ARGUMENTS]")
    part = PARTS[sys.argv.pop(1)]
    sys.path.insert(0, str(TOOLS))
    runpy.run_path(str(part), run_name="__main__")


main()
