"""KServe over HTTP with Triton's own client, in both of its forms."""
import asyncio
import concurrent.futures
import json
import urllib.request

import ml_dtypes
import numpy as np
import pytest
import tokenizers
import tritonclient.http as sync_http
import tritonclient.http.aio as async_http
from tritonclient.utils import InferenceServerException

from cli import program

WIDTH = 384  # of the encoder's embeddings
NUMBERS = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32",
           "int64", "float16", "float32", "float64"]
TRITON_NAMES = {"bool": "BOOL", "float16": "FP16", "float32": "FP32",
                "float64": "FP64"}


@pytest.fixture(scope="module")
def client(address):
    with sync_http.InferenceServerClient(address, concurrency=4) as client:
        yield client


def triton_name(dtype):
    return TRITON_NAMES.get(dtype, dtype.upper())


def model_of(dtype):
    return "identity_" + triton_name(dtype).lower()


def extremes(dtype):
    if dtype == "bool":
        return np.array([[True, False]])
    info = np.finfo(dtype) if "float" in dtype else np.iinfo(dtype)
    return np.array([[info.min, 0, 1, info.max]], dtype)


def input_of(name, array, datatype, binary=True):
    given = sync_http.InferInput(name, list(array.shape), datatype)
    given.set_data_from_numpy(array, binary_data=binary)
    return given


def texts(*words):
    return np.array([[word.encode()] for word in words], dtype=object)


def output_of(name, binary=True):
    return sync_http.InferRequestedOutput(name, binary_data=binary)


def refused(call, *words, **options):
    """What the client says of a request that the server refuses."""
    with pytest.raises(InferenceServerException) as caught:
        call(*words, **options)
    return caught.value.status(), caught.value.message()


def test_server_and_models_describe_themselves(client):
    assert client.is_server_live() and client.is_server_ready()
    server = client.get_server_metadata()
    assert server["name"] == "triton" and server["version"]
    assert "statistics" in server["extensions"]
    assert client.is_model_ready("encoder")
    assert client.is_model_ready("encoder", "1")
    assert not client.is_model_ready("encoder", "2")
    assert not client.is_model_ready("nobody")
    metadata = client.get_model_metadata("encoder", "1")
    assert metadata["inputs"] == [
        {"name": "TEXT", "datatype": "BYTES", "shape": [-1, 1]},
        {"name": "INPUT_IDS", "datatype": "INT64", "shape": [-1, -1]},
        {"name": "ATTENTION_MASK", "datatype": "INT64", "shape": [-1, -1]}]
    assert metadata["outputs"] == [
        {"name": "EMBEDDING", "datatype": "FP32", "shape": [-1, WIDTH]},
        {"name": "TOKENS", "datatype": "INT32", "shape": [-1, 1]}]
    config = client.get_model_config("corrector")
    optional = {one["name"] for one in config["input"] if one["optional"]}
    assert optional == {"DRAFTS", "N_BEST"}
    assert config["max_batch_size"] == 0
    index = client.get_model_repository_index()
    assert {"name": "corrector", "version": "1", "state": "READY"} in index


def test_models_cannot_be_loaded_or_unloaded(client):
    for call in (client.load_model, client.unload_model):
        status, message = refused(call, "encoder")
        assert status == "503"
        assert "explicit model load / unload is not allowed" in message
    assert client.is_model_ready("encoder")


@pytest.mark.parametrize("dtype", ["bool", *NUMBERS])
def test_every_datatype_goes_there_and_back_in_binary(client, dtype):
    array = extremes(dtype)
    answer = client.infer(model_of(dtype), [
        input_of("INPUT0", array, triton_name(dtype))])
    np.testing.assert_array_equal(answer.as_numpy("OUTPUT0"), array)


@pytest.mark.parametrize(
    "dtype", ["bool", *(one for one in NUMBERS if one != "float16")])
def test_every_datatype_goes_there_and_back_in_json(client, dtype):
    array = extremes(dtype)
    answer = client.infer(
        model_of(dtype),
        [input_of("INPUT0", array, triton_name(dtype), binary=False)],
        outputs=[output_of("OUTPUT0", binary=False)])
    output = answer.get_output("OUTPUT0")
    assert "data" in output and output["shape"] == list(array.shape)
    np.testing.assert_array_equal(answer.as_numpy("OUTPUT0"), array)


def test_bf16_goes_there_and_back(client):
    array = np.array([[1.5, -2, 0]], ml_dtypes.bfloat16)
    answer = client.infer("identity_bf16",
                          [input_of("INPUT0", array, "BF16")])
    np.testing.assert_array_equal(answer.as_numpy("OUTPUT0"), array)


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_strings_go_there_and_back(client, binary_in, binary_out):
    array = texts("abba", "", "Motörhead \"x\"\n\\", "\U0001f3b5")
    answer = client.infer(
        "identity", [input_of("INPUT0", array, "BYTES", binary_in)],
        request_id="of mine", outputs=[output_of("OUTPUT0", binary_out)])
    assert answer.get_response()["id"] == "of mine"
    found = answer.as_numpy("OUTPUT0").ravel()
    assert [one.decode() if isinstance(one, bytes) else one
            for one in found] == [one.decode() for one in array.ravel()]


def test_bytes_that_are_no_text_need_binary(client):
    array = np.array([[b"\xff\x00"]], dtype=object)
    given = [input_of("INPUT0", array, "BYTES")]
    assert client.infer("identity", given).as_numpy("OUTPUT0")[0][0] \
        == b"\xff\x00"
    status, message = refused(client.infer, "identity", given,
                              outputs=[output_of("OUTPUT0", binary=False)])
    assert status == "400" and "not UTF-8" in message


def addsub_inputs(rows=2):
    left = np.arange(16 * rows, dtype=np.int32).reshape(rows, 16)
    right = np.full((rows, 16), 3, np.int32)
    return left, right, [input_of("INPUT0", left, "INT32"),
                         input_of("INPUT1", right, "INT32", binary=False)]


@pytest.mark.parametrize("sent", [None, "gzip", "deflate"])
@pytest.mark.parametrize("accepted", [None, "gzip", "deflate"])
def test_compressed_both_ways(client, sent, accepted):
    left, right, given = addsub_inputs(rows=8)
    answer = client.infer("addsub", given, request_compression_algorithm=sent,
                          response_compression_algorithm=accepted)
    np.testing.assert_array_equal(answer.as_numpy("OUTPUT0"), left + right)
    np.testing.assert_array_equal(answer.as_numpy("OUTPUT1"), left - right)


def test_outputs_are_chosen_and_parameters_taken(client):
    left, right, given = addsub_inputs()
    answer = client.infer(
        "addsub", given, model_version="1", outputs=[output_of("OUTPUT1")],
        sequence_id=5, priority=1, timeout=60_000_000,
        parameters={"mine": "x", "count": 3, "yes": True})
    assert answer.as_numpy("OUTPUT0") is None
    np.testing.assert_array_equal(answer.as_numpy("OUTPUT1"), left - right)


def test_requests_side_by_side(client):
    handles = []
    for number in range(20):
        array = np.array([[number]], np.int64)
        handles.append(client.async_infer(
            "identity_int64", [input_of("INPUT0", array, "INT64")]))
    for number, handle in enumerate(handles):
        assert handle.get_result().as_numpy("OUTPUT0").tolist() == [[number]]


def test_encoder_embeds(client):
    array = texts("songs about rain", "", "songs about rain")
    answer = client.infer("encoder", [input_of("TEXT", array, "BYTES")])
    rows = answer.as_numpy("EMBEDDING")
    assert rows.shape == (3, WIDTH)
    np.testing.assert_allclose((rows ** 2).sum(axis=1), 1, rtol=1e-4)
    np.testing.assert_array_equal(rows[0], rows[2])
    in_json = client.infer(
        "encoder", [input_of("TEXT", array, "BYTES", binary=False)],
        outputs=[output_of("EMBEDDING", binary=False)])
    np.testing.assert_array_equal(in_json.as_numpy("EMBEDDING"), rows)


def test_encoder_takes_token_ids(client):
    array = texts("songs about rain", "hey jude, don't be afraid")
    answer = client.infer("encoder", [input_of("TEXT", array, "BYTES")])
    model = program.MODEL or program.ROOT / "build/models/minilm"
    tokenizer = tokenizers.Tokenizer.from_file(f"{model}/tokenizer.json")
    tokenizer.no_truncation()
    tokenizer.enable_padding()
    rows = tokenizer.encode_batch([one.decode() for one in array.ravel()])
    ids = np.array([row.ids for row in rows], np.int64)
    mask = np.array([row.attention_mask for row in rows], np.int64)
    assert mask.min() == 0, "one is shorter"
    same = client.infer("encoder", [
        input_of("INPUT_IDS", ids, "INT64"),
        input_of("ATTENTION_MASK", mask, "INT64", binary=False)])
    np.testing.assert_array_equal(same.as_numpy("EMBEDDING"),
                                  answer.as_numpy("EMBEDDING"))
    np.testing.assert_array_equal(same.as_numpy("TOKENS").ravel(),
                                  mask.sum(axis=1))
    for given, complaint in (
            ([input_of("TEXT", array, "BYTES"),
              input_of("INPUT_IDS", ids, "INT64")], "either input 'TEXT' or"),
            ([input_of("INPUT_IDS", ids - 1000, "INT64")], "ids are 0 to"),
            ([input_of("INPUT_IDS", ids, "INT64"),
              input_of("ATTENTION_MASK", 1 - mask, "INT64")], "ones, then")):
        status, message = refused(client.infer, "encoder", given)
        assert status == "400" and complaint in message


def test_corrector_answers_and_scores(client):
    text = input_of("TEXT", np.array([b"taylor swft"], object), "BYTES")
    answer = client.infer("corrector", [text])
    assert answer.as_numpy("CORRECTED").size == 1
    assert answer.as_numpy("SCORE").size == 1
    assert answer.as_numpy("PASSES")[0] >= 1
    drafts = input_of("DRAFTS", np.array(
        [b"taylor swift", b"zzzz"], object), "BYTES")
    n_best = input_of("N_BEST", np.array([4], np.int32), "INT32")
    answer = client.infer("corrector", [text, drafts, n_best])
    scores = answer.as_numpy("DRAFT_SCORE")
    assert scores[0] > scores[1]
    assert 1 <= answer.as_numpy("CORRECTED").size <= 4
    for number in (0, 10):
        status, message = refused(client.infer, "corrector", [text, input_of(
            "N_BEST", np.array([number], np.int32), "INT32")])
        assert status == "400" and f"N_BEST is {number}" in message


def test_search_is_that_of_the_product(client, server):
    assert client.get_model_config("search")["max_batch_size"] == 0
    query = input_of("QUERY", np.array([b"beatels yesterday"], object), "BYTES")
    limit = input_of("LIMIT", np.array([2], np.int32), "INT32")
    answer = client.infer("search", [query, limit])
    found = json.loads(answer.as_numpy("RESULT")[0])
    with urllib.request.urlopen(
            f"{server.url}/v1/search?q=beatels+yesterday&limit=2") as page:
        wanted = json.load(page)
    assert found.pop("timing_us").keys() == wanted.pop("timing_us").keys()
    assert found == wanted and found["sections"]
    assert json.loads(client.infer("search", [query]).as_numpy("RESULT")[0])[
        "query"] == "beatels yesterday"
    for number in (0, 101):
        status, message = refused(client.infer, "search", [query, input_of(
            "LIMIT", np.array([number], np.int32), "INT32")])
        assert status == "400" and f"limit is {number}" in message


def test_what_does_not_fit_is_said(client):
    def complaint(model, *given, outputs=None, version=""):
        return refused(client.infer, model, list(given), outputs=outputs,
                       model_version=version)

    left, _, given = addsub_inputs()
    assert complaint("nobody", *given) == (
        "404", "Request for unknown model: 'nobody' is not found")
    assert complaint("addsub", *given, version="9") == (
        "404", "Request for unknown model: 'addsub' version 9 is not found")
    status, message = complaint("addsub", given[0])
    assert status == "400" and "missing required input(s) ['INPUT1']" in message
    assert "unexpected inference input 'X' for model 'addsub'" in complaint(
        "addsub", *given, input_of("X", left, "INT32"))[1]
    assert "data-type is 'INT64', but model 'addsub' expects 'INT32'" in \
        complaint("addsub", input_of("INPUT0", left.astype(np.int64), "INT64"),
                  given[1])[1]
    assert "Expected [-1,16], got [2,8]" in complaint(
        "addsub", given[0], input_of("INPUT1", left[:, :8], "INT32"))[1]
    big = np.zeros((9, 16), np.int32)
    assert "batch-size must be <= 8" in complaint(
        "addsub", input_of("INPUT0", big, "INT32"),
        input_of("INPUT1", big, "INT32"))[1]
    assert "batch size does not match" in complaint(
        "addsub", input_of("INPUT0", left[:1], "INT32"), given[1])[1]
    assert "unexpected inference output 'X'" in complaint(
        "addsub", *given, outputs=[output_of("X")])[1]
    assert "output 'OUTPUT0' already exists" in complaint(
        "addsub", *given, outputs=[output_of("OUTPUT0")] * 2)[1]
    status, message = complaint("addsub", *given, outputs=[
        sync_http.InferRequestedOutput("OUTPUT0", class_count=2)])
    assert status == "501" and "classification" in message


def test_what_is_not_served_is_said(client):
    for call in (client.get_system_shared_memory_status,
                 client.get_cuda_shared_memory_status,
                 client.unregister_system_shared_memory):
        status, message = refused(call)
        assert status == "501" and "shared memory" in message
    status, message = refused(client.register_system_shared_memory, "r", "/r",
                              64)
    assert status == "501" and "shared memory" in message
    assert refused(client.get_trace_settings) == ("404", "Not Found")
    assert refused(client.get_log_settings) == ("404", "Not Found")


def statistics(client, model):
    (stats,) = client.get_inference_statistics(model)["model_stats"]
    return stats


def metric(server, name, model, **labels):
    names = {"model": model, "version": "1", **labels}
    line = name + "{" + ",".join(
        f'{key}="{names[key]}"' for key in sorted(names)) + "} "
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        for one in answer.read().decode().splitlines():
            if one.startswith(line):
                return float(one.removeprefix(line))
    raise AssertionError(f"no {line}")


def test_what_was_asked_is_counted(client, server):
    model = "identity_uint16"  # which no other test asks meanwhile
    before = statistics(client, model)
    array = np.zeros((3, 5), np.uint16)
    given = [input_of("INPUT0", array, "UINT16")]
    for _ in range(4):
        client.infer(model, given)
    refused(client.infer, model, [input_of(
        "INPUT0", array.astype(np.uint8), "UINT8")])
    after = statistics(client, model)
    assert after["version"] == "1" and after["last_inference"] > 0
    assert after["inference_count"] - before["inference_count"] == 12
    assert after["execution_count"] - before["execution_count"] == 4
    stats, earlier = after["inference_stats"], before["inference_stats"]
    for name, count in (("success", 4), ("fail", 1), ("queue", 4),
                        ("compute_input", 4), ("compute_infer", 4),
                        ("compute_output", 4), ("cache_hit", 0)):
        assert stats[name]["count"] - earlier[name]["count"] == count, name
        assert stats[name]["ns"] >= earlier[name]["ns"]
    assert stats["success"]["ns"] >= sum(
        stats[name]["ns"] for name in ("queue", "compute_input",
                                       "compute_infer", "compute_output"))
    assert after["batch_stats"][-1]["batch_size"] == 3
    names = {one["name"] for one in
             client.get_inference_statistics()["model_stats"]}
    assert {"encoder", "corrector", model} <= names
    assert metric(server, "nv_inference_request_success", model) \
        == stats["success"]["count"]
    assert metric(server, "nv_inference_count", model) \
        == after["inference_count"]
    assert metric(server, "nv_inference_exec_count", model) \
        == after["execution_count"]
    assert metric(server, "nv_inference_request_failure", model,
                  reason="OTHER") == stats["fail"]["count"]
    assert metric(server, "nv_inference_request_duration_us", model) * 1000 \
        == stats["success"]["ns"]


def run_async(coroutine):
    """In a thread of its own: another test may have left its loop in this."""
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, coroutine).result()


def test_the_asyncio_client(address):
    async def ask():
        async with async_http.InferenceServerClient(address) as client:
            assert await client.is_server_live()
            assert await client.is_server_ready()
            assert await client.is_model_ready("encoder")
            assert not await client.is_model_ready("nobody")
            assert (await client.get_server_metadata())["name"] == "triton"
            assert (await client.get_model_metadata("addsub"))["name"] \
                == "addsub"
            config = await client.get_model_config("addsub", "1")
            assert config["max_batch_size"] == 8
            index = await client.get_model_repository_index()
            assert {one["state"] for one in index} == {"READY"}
            stats = await client.get_inference_statistics("addsub", "1")
            assert stats["model_stats"][0]["name"] == "addsub"
            left, right, given = addsub_inputs(rows=8)
            answers = await asyncio.gather(*(
                client.infer("addsub", given, request_id=str(number),
                             request_compression_algorithm=coding,
                             response_compression_algorithm=coding)
                for number, coding in enumerate(["gzip", "deflate", None] * 4)))
            for number, answer in enumerate(answers):
                assert answer.get_response()["id"] == str(number)
                np.testing.assert_array_equal(answer.as_numpy("OUTPUT0"),
                                              left + right)
            for call in (client.load_model, client.unload_model):
                with pytest.raises(InferenceServerException,
                                   match="load / unload is not allowed"):
                    await call("addsub")
            with pytest.raises(InferenceServerException,
                               match="unknown model: 'nobody'"):
                await client.infer("nobody", given)

    run_async(ask())
