"""Weights are in memory once: for all processes and all instances of a plan."""
import json
import os
import re
import subprocess

import pytest

from .program import LIMIT_S, ROOT, command, run

QUERIES = b"beetles yesterdy\npurple rian\n"


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    path = tmp_path_factory.mktemp("sharing") / "corrector.plan"
    run("compile", ROOT / "models/corrector", "--out", path, "--precision",
        "int8")
    return path


class Generating:
    """`quaver generate` that has answered a line and waits for the next."""

    def __init__(self, plan):
        self.process = subprocess.Popen(
            command("generate", "--model", plan, "--draft", "none"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)

    def __enter__(self):
        self.process.stdin.write(b"purple rian\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"purple rain\n"
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=LIMIT_S)
        self.process.stdout.close()

    def mapped(self, path):
        """Sums over the mappings of a file, in bytes."""
        sums = dict.fromkeys(("Size", "Rss", "Pss", "Private_Dirty"), 0)
        inside = False
        with open(f"/proc/{self.process.pid}/smaps", encoding="utf-8") as file:
            for line in file:
                if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                    inside = line.rstrip().endswith(str(path))
                    continue
                name, _, rest = line.partition(":")
                if inside and name in sums:
                    sums[name] += int(rest.split()[0]) * 1024
        return sums


def test_processes_share_a_plan(plan):
    size = plan.stat().st_size
    with Generating(plan) as alone:
        before = alone.mapped(plan)
        assert before["Pss"] == before["Rss"] > size / 2
        with Generating(plan) as other:
            for one in (alone, other):
                found = one.mapped(plan)
                assert found["Size"] < size + 4096  # mapped once
                assert found["Private_Dirty"] == 0
                assert found["Rss"] > size / 2
                assert found["Pss"] < 0.55 * found["Rss"]


def most_memory(plan, instances):
    """The most that a process with so many instances has resident, bytes."""
    with subprocess.Popen(
            command("bench", "corrector", "--model", plan, "--draft", "none",
                    "--threads", instances, "--rounds", 1, "--json"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL) as process:
        process.stdin.write(QUERIES)
        process.stdin.close()
        assert json.loads(process.stdout.read())["threads"] == instances
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


CORES = len(os.sched_getaffinity(0))


@pytest.mark.skipif(CORES < 2, reason="one core has one instance")
def test_instances_share_a_plan(plan):
    # Each further instance would be a further plan; what all of them write is
    # less than one.
    more = most_memory(plan, min(4, CORES)) - most_memory(plan, 1)
    assert more < plan.stat().st_size
