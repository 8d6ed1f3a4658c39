"""The evaluations of `quaver eval`, on the index and sets of tools/test_catalogue.sh."""
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = os.environ.get("QUAVER_BIN", str(ROOT / "build/release/quaver"))
CATALOGUE = pathlib.Path(os.environ["QUAVER_CATALOGUE"])
INDEX = os.environ["QUAVER_INDEX"]
SETS = os.environ["QUAVER_SETS"]


def evaluate(*arguments):
    run = subprocess.run(
        [BIN, "eval", *map(str, arguments), "--index", INDEX, "--model",
         ROOT / "build/models/minilm", "--json"],
        capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"eval {arguments[0]}: {run.stderr[-2000:]}"
    return json.loads(run.stdout.splitlines()[-1])
