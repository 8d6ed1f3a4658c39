"""quaver-train from the command line: runs, resumes, kills, bad input.

Needs build/release/quaver-train. Every run is of the preset tiny.
"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest
import tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build/release/quaver-train"
CATALOGUE = ROOT / "data/demo/tracks.tsv"
TIMEOUT = 120


def recipe(folder, **fields):
    """A file of recipe fields: forty steps of a few pairs unless told else."""
    path = folder / "recipe.json"
    path.write_text(json.dumps({
        "steps": 40, "batch_pairs": 32, "evaluate_every": 20,
        "checkpoint_every": 20, "held_out_rows": 10, "dropout": 0.1, **fields}))
    return path


def command(out, config, *more, catalogue=CATALOGUE):
    return [PROGRAM, "corrector", "--catalogue", catalogue, "--out", out,
            "--preset", "tiny", "--config", config, *more]


def run(*arguments, status=0, environment=None, **options):
    done = subprocess.run(
        [str(a) for a in arguments], capture_output=True, text=True,
        timeout=TIMEOUT, env={**os.environ, **(environment or {})}, **options)
    assert done.returncode == status, done.stderr[-2000:]
    return done


def metrics(out):
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def losses(out):
    return [m["loss"] for m in metrics(out)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of forty steps at once."""
    folder = tmp_path_factory.mktemp("whole")
    out = folder / "out"
    run(*command(out, recipe(folder)))
    return out


def test_leaves_a_model_and_its_story(whole):
    names = {path.name for path in whole.iterdir()}
    assert names >= {
        "config.json", "generation_config.json", "model.safetensors",
        "tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json",
        "training.json", "README.md", "report.html", "metrics.jsonl",
        "checkpoint.safetensors"}
    story = json.loads((whole / "training.json").read_text())
    assert story["recipe"]["batch_pairs"] == 32
    assert story["data"]["texts"] > 1000 and len(story["data"]["hash"]) == 16
    assert set(story["figures"]["exact_fix"]) >= {"touch", "clean", "artist"}
    last = metrics(whole)[-1]
    assert last["step"] == 40 and 0 <= last["exact_fix"]["clean"] <= 1
    assert "<svg" in (whole / "report.html").read_text()


def test_the_last_judgement_has_figures_wherever_the_run_ends(tmp_path):
    out = tmp_path / "out"
    run(*command(out, recipe(tmp_path, steps=3, evaluate_every=1000)))
    last = metrics(out)[-1]
    assert last["step"] == 3 and last["loss"] > 0 and last["tokens_per_s"] > 0
    assert json.loads((out / "training.json").read_text())["hours"] > 0


def test_the_tokenizer_is_read_by_tokenizers(whole):
    tokenizer = tokenizers.Tokenizer.from_file(str(whole / "tokenizer.json"))
    encoded = tokenizer.encode("smells like teen spirit")
    assert encoded.tokens[0] == "<s>" and encoded.tokens[-1] == "</s>"
    assert tokenizer.decode(encoded.ids).strip() == "smells like teen spirit"


def test_resumes_bit_for_bit(whole, tmp_path):
    config = recipe(tmp_path)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [str(a) for a in command(out, config)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + TIMEOUT
    while not (out / "checkpoint.safetensors").exists():
        assert time.monotonic() < deadline and process.poll() in (None, 0)
        time.sleep(0.01)
    process.kill()  # after step 20, wherever it is now
    process.wait()
    run(*command(out, config, "--resume"))
    assert losses(out) == losses(whole)
    assert ((out / "model.safetensors").read_bytes() ==
            (whole / "model.safetensors").read_bytes())


def test_a_signal_stops_it_with_a_checkpoint(tmp_path):
    out = tmp_path / "out"
    process = subprocess.Popen(
        [str(a) for a in command(out, recipe(tmp_path, steps=100_000))],
        stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + TIMEOUT
    while not (out / "metrics.jsonl").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 3
    assert "--resume goes on after step" in errors
    assert (out / "checkpoint.safetensors").exists()


def test_refuses_other_settings_and_full_folders(whole, tmp_path):
    other = run(*command(whole, recipe(tmp_path, learning_rate=0.5), "--resume"),
                status=1)
    assert "other settings: learning_rate" in other.stderr
    full = run(*command(whole, recipe(tmp_path)), status=1)
    assert "is not empty" in full.stderr and "--force" in full.stderr
    empty = run(*command(tmp_path / "new", recipe(tmp_path), "--resume"),
                status=1)
    assert "no checkpoint.safetensors" in empty.stderr


def test_fine_tunes_a_folder(whole, tmp_path):
    out = tmp_path / "out"
    config = recipe(tmp_path, steps=2, evaluate_every=2)
    run(*command(out, config, "--from", whole))
    assert json.loads((out / "training.json").read_text())["from"] == str(whole)
    assert ((out / "tokenizer.json").read_bytes() ==
            (whole / "tokenizer.json").read_bytes())


BAD_CATALOGUES = {
    "empty": ("title\tartist\n", "holds nothing to search for"),
    "spaces": ("title\tartist\n   \t  \n", "holds nothing to search for"),
    "signs": ("title\tartist\n!!!\t???\n", "with a letter in it"),
    "columns": ("name_of_song\tx\nA\tB\n", "title"),
}


@pytest.mark.parametrize("name", BAD_CATALOGUES)
def test_bad_catalogues_are_named(tmp_path, name):
    content, expected = BAD_CATALOGUES[name]
    path = tmp_path / "bad.tsv"
    path.write_text(content)
    done = run(*command(tmp_path / "out", recipe(tmp_path), catalogue=path),
               status=1)
    assert expected in done.stderr
    assert not (tmp_path / "out").exists()


def test_odd_catalogues_are_trained_on(tmp_path):
    path = tmp_path / "odd.tsv"
    path.write_text(f"title\tartist\n{'long ' * 300}\tX\nOne\t\n")
    run(*command(tmp_path / "out", recipe(tmp_path, steps=2), catalogue=path))


def change(folder, name, **fields):
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**content, **fields}))


def test_bad_checkpoints_are_named(whole, tmp_path):
    broken = tmp_path / "broken"
    subprocess.run(["cp", "-r", whole, broken], check=True)
    config = recipe(tmp_path)

    def message(*more):
        return run(*command(tmp_path / "out", config, "--from", broken, *more),
                   status=1).stderr

    change(broken, "config.json", model_type="t5")
    assert "model_type is" in message()
    change(broken, "config.json", model_type="bart", vocab_size=300)
    assert "tokens, the model knows 300" in message()
    change(broken, "config.json", vocab_size=512, encoder_ffn_dim=64)
    assert "config.json says" in message()
    assert "no preset" in run(
        PROGRAM, "corrector", "--catalogue", CATALOGUE, "--out",
        tmp_path / "out", "--preset", "huge", status=1).stderr


def test_what_the_machine_lacks_is_named(tmp_path):
    done = run(*command(tmp_path / "out", recipe(tmp_path), "--device", "cuda"),
               status=1)
    assert "CUDA" in done.stderr
    done = run(*command(tmp_path / "out", recipe(tmp_path, precision="fp16")),
               status=1)
    assert "fp16" in done.stderr
    done = run(*command("/dev/full/out", recipe(tmp_path)), status=1)
    assert "/dev/full" in done.stderr
    done = run(*command(tmp_path / "out", recipe(tmp_path, bach_pairs=3)),
               status=1)
    assert "no field 'bach_pairs'" in done.stderr
    assert run(PROGRAM, "corrector", status=2).stderr


def two_processes(out, config, *more):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return [subprocess.Popen(
        [str(a) for a in command(out, config, *more)], stderr=subprocess.PIPE,
        text=True, env={**os.environ, "RANK": str(rank), "WORLD_SIZE": "2",
                        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)})
        for rank in range(2)]


def test_two_processes_train_as_one(tmp_path):
    # Dropout differs between processes by design.
    config = recipe(tmp_path, dropout=0, precision="fp32")
    run(*command(tmp_path / "one", config, "--workers", 1))
    for process in two_processes(tmp_path / "two", config, "--workers", 1):
        _, errors = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, errors
    assert losses(tmp_path / "two") == pytest.approx(
        losses(tmp_path / "one"), rel=1e-3)


def test_two_processes_stop_in_the_same_step_when_time_is_up(tmp_path):
    config = recipe(tmp_path, steps=1_000_000, evaluate_every=1_000_000,
                    checkpoint_every=1_000_000)
    for process in two_processes(tmp_path / "out", config, "--workers", 1,
                                 "--minutes", 0.02):
        _, errors = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, errors
    assert 0 < metrics(tmp_path / "out")[-1]["step"] < 1_000_000


def test_a_killed_process_ends_the_run_with_a_checkpoint(tmp_path):
    out = tmp_path / "out"
    config = recipe(tmp_path, steps=100_000, precision="fp32")
    first, second = two_processes(out, config, "--workers", 1)
    deadline = time.monotonic() + TIMEOUT
    while not (out / "metrics.jsonl").exists():
        assert time.monotonic() < deadline and first.poll() is None
        time.sleep(0.01)
    second.kill()
    _, errors = first.communicate(timeout=TIMEOUT)
    second.communicate()
    assert first.returncode == 3
    assert "failed" in errors and "--resume goes on after step" in errors
    assert (out / "checkpoint.safetensors").exists()


def test_learns_given_pairs_by_heart(tmp_path):
    """What `make bench-checkpoint` does, at the smallest shape."""
    pairs = [("teh cat", "the cat"), ("a dgo", "a dog"), ("bule sky", "blue sky")]
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{typed}\t{meant}\n" for typed, meant in pairs))
    config = recipe(tmp_path, steps=2_000, batch_pairs=3, dropout=0, average=0,
                    learning_rate=0.003, held_out_rows=3, checkpoint_every=2_000,
                    enough=1, patience=0, vocab_size=300)
    out = tmp_path / "out"
    run(PROGRAM, "corrector", "--pairs", path, "--out", out, "--preset", "tiny",
        "--config", config)
    assert metrics(out)[-1]["step"] < 2_000
    answers = run(PROGRAM, "answer", "--model", out,
                  input="".join(typed + "\n" for typed, _ in pairs))
    assert answers.stdout.splitlines() == [meant for _, meant in pairs]
    bad = tmp_path / "bad.tsv"
    bad.write_text("no tab\n")
    done = run(PROGRAM, "corrector", "--pairs", bad, "--out", tmp_path / "bad",
               status=1)
    assert "bad.tsv:1:" in done.stderr


def test_answers_as_many_lines_as_it_is_asked(whole):
    lines = ["hey jude", "", "!!!", "x" * 5_000, "東京", "a"]
    done = run(PROGRAM, "answer", "--model", whole,
               input="\n".join(lines) + "\n")
    assert len(done.stdout.splitlines()) == len(lines)
    assert done.stdout.splitlines()[2] == "!!!"


def test_bench_prints_one_object():
    done = run(PROGRAM, "bench", "--rounds", 1, "--seconds", 0.01, "--json",
               "--rival-tokens-per-s", 10_000_000)
    report = json.loads(done.stdout.splitlines()[-1])
    assert set(report) == {"preset", "reference_tokens_per_s", "tokens_per_s",
                           "speedup", "mfu", "gemm_peak_gflops", "ladder"}
    assert report["reference_tokens_per_s"] == 10_000_000
    assert report["speedup"] < 1
    rates = [rung["tokens_per_s"] for rung in report["ladder"]]
    assert len(rates) == 9 and min(rates) > 0
    assert report["tokens_per_s"] == rates[-1]


def test_noise_prints_pairs():
    done = run(PROGRAM, "noise", "--catalogue", CATALOGUE, "--show", 200)
    lines = done.stdout.splitlines()
    assert len(lines) == 200
    clean = [line for line in lines if line.startswith("= ")]
    assert 70 <= len(clean) <= 130
    assert all("\t" in line for line in lines if line not in clean)
    assert run(PROGRAM, "noise", "--catalogue", CATALOGUE, "--show",
               200).stdout == done.stdout
