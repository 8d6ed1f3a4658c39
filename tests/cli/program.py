"""The program `quaver` as a shell runs it."""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("QUAVER_BIN", ROOT / "build/release/quaver"))
MODEL = os.environ.get("QUAVER_MODEL")  # of a program without one beside it
LIMIT_S = 120  # shared builders are slow at times
TAKES_MODEL = {"ingest", "search", "correct", "embed", "serve"}


def command(name, *words):
    model = []
    if MODEL and name in TAKES_MODEL and "--model" not in words:
        model = ["--model", MODEL]
    return [str(word) for word in (BIN, name, *model, *words)]


def run(name, *words, given=b"", expected=0):
    """Runs a subcommand to its end; returns what it printed and complained."""
    done = subprocess.run(command(name, *words), input=given,
                          capture_output=True, timeout=LIMIT_S, check=False)
    assert done.returncode == expected, (done.returncode, done.stderr[-2000:])
    return done.stdout, done.stderr.decode()


def ingest(folder, *files, expected=0):
    return run("ingest", "--quiet", "--out", folder, *files,
               expected=expected)


class Server:
    """`quaver serve` on a free port, until the end of the block."""

    def __init__(self, index, *options):
        self.process = subprocess.Popen(
            command("serve", "--index", index, "--port", 0,
                    "--http-port", 0, "--grpc-port", 0, "--metrics-port", 0,
                    "--drain-secs", 0, *options),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def __enter__(self):
        self.greeting = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", self.greeting)
        assert found, self.greeting
        self.port = int(found[1])
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=LIMIT_S)
        self.process.stdout.close()
