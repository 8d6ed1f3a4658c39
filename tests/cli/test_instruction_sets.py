"""Every instruction set that this machine has, from a shell: the same answers,
and weights that are in memory once."""
import json
import re

import numpy as np
import pytest

from .program import ROOT, run
from .test_sharing import Generating

CORRECTOR = ROOT / "models/corrector"
LINES = ("beetles yesterdy\npurple rian\nsad songs for rany days\n"
         "bohemian rapsody queen\n").encode()


@pytest.fixture(name="names", scope="module")
def there_are(tmp_path_factory):
    _, complained = run("compile", CORRECTOR, "--isa", "none", "--out",
                        tmp_path_factory.mktemp("names") / "plan", expected=2)
    names = re.search(r"scalar(,[a-z0-9_]+)*", complained)[0].split(",")
    assert len(names) > 1
    return names


@pytest.fixture(name="plan", scope="module")
def compiled(tmp_path_factory):
    path = tmp_path_factory.mktemp("sets") / "corrector.plan"
    run("compile", CORRECTOR, "--out", path, "--precision", "int8")
    return path


def lines(said):
    return [json.loads(line) for line in said.splitlines()]


def test_corrections_are_the_same(names, plan, monkeypatch):
    answers = {}
    for name in names:
        monkeypatch.setenv("QUAVER_ISA", name)
        said, _ = run("generate", "--model", plan, "--json", given=LINES)
        answers[name] = lines(said)
    for answer in answers.values():
        for found, expected in zip(answer, answers["scalar"], strict=True):
            assert found["output_ids"] == expected["output_ids"]
            assert found["passes"] == expected["passes"]
            assert found["score"] == pytest.approx(expected["score"], abs=0.05)


def test_embeddings_are_the_same(names, monkeypatch):
    embeddings = {}
    for name in names:
        monkeypatch.setenv("QUAVER_ISA", name)
        said, _ = run("embed", given=LINES)
        embeddings[name] = np.array(lines(said))
    for found in embeddings.values():
        # Sums in int8 are exact; norms and softmax are rounded in their order.
        cosines = (found * embeddings["scalar"]).sum(axis=1)
        assert cosines.min() > 0.9995


def test_processes_share_a_plan(names, plan, monkeypatch):
    for name in names:
        monkeypatch.setenv("QUAVER_ISA", name)
        with Generating(plan) as one, Generating(plan) as other:
            for process in (one, other):
                found = process.mapped(plan)
                assert found["Private_Dirty"] == 0, name
                assert found["Pss"] < 0.55 * found["Rss"], name
