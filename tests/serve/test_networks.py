"""Tokenizer, the corrector's two networks and detokenizer, each a model of its
own, put together by a client."""
import numpy as np
import pytest
import tritonclient.http as http_client

from serve import test_repository
from web import server as server_process

CORRECTOR = server_process.ROOT / "models/corrector"
BACKENDS = ("tokenizer", "detokenizer", "bart_encoder", "bart_decoder",
            "corrector")
START, END = 2, 2  # of the decoder
MAX_TOKENS = 64


@pytest.fixture(name="client", scope="module")
def serve(tmp_path_factory):
    server = test_repository.ModelServer(tmp_path_factory.mktemp("networks"))
    for backend in BACKENDS:
        server.add(backend, f'backend: "{backend}"')
        folder = server.repository / backend / "1"
        for path in CORRECTOR.iterdir():
            (folder / path.name).symlink_to(path)
    with server, http_client.InferenceServerClient(server.address) as client:
        yield client


def ask(client, model, **tensors):
    inputs = []
    for name, array in tensors.items():
        datatype = {"O": "BYTES", "b": "BOOL", "f": "FP32",
                    "i": "INT64"}[array.dtype.kind]
        inputs.append(http_client.InferInput(name, list(array.shape), datatype))
        inputs[-1].set_data_from_numpy(array)
    return client.infer(model, inputs)


def decode(client, states, mask):
    """Greedily, a token a call, until all rows have ended."""
    target = np.full((len(states), 1), START, np.int64)
    has_ended = np.zeros(len(states), bool)
    while not has_ended.all() and target.shape[1] < MAX_TOKENS:
        logits = ask(client, "bart_decoder", DECODER_INPUT_IDS=target,
                     ENCODER_OUTPUT=states, ENCODER_ATTENTION_MASK=mask,
                     LAST_ONLY=np.ones((len(states), 1), bool)
                     ).as_numpy("LOGITS")
        assert logits.shape[:2] == (len(states), 1)
        best = np.where(has_ended, END, logits[:, 0].argmax(axis=1))
        target = np.concatenate([target, best[:, None]], axis=1)
        has_ended |= best == END
    return target


def test_the_parts_give_the_correctors_answers(client):
    texts = ["bohemain rapsody", "taylor swft", "hey jude",
             "sad songs for rainy days"]
    tokens = ask(client, "tokenizer",
                 TEXT=np.array([[one.encode()] for one in texts], object))
    ids, mask = tokens.as_numpy("INPUT_IDS"), tokens.as_numpy("ATTENTION_MASK")
    assert ids.shape == mask.shape and mask.min() == 0
    states = ask(client, "bart_encoder", INPUT_IDS=ids,
                 ATTENTION_MASK=mask).as_numpy("ENCODER_OUTPUT")
    assert states.shape[:2] == ids.shape
    assert not states[mask == 0].any()
    target = decode(client, states, mask)
    found = ask(client, "detokenizer", INPUT_IDS=target).as_numpy("TEXT")
    wanted = [ask(client, "corrector", TEXT=np.array([one.encode()], object)
                  ).as_numpy("CORRECTED")[0] for one in texts]
    assert [one.strip() for one in found.ravel()] == wanted


def test_texts_go_there_and_back(client):
    texts = np.array([[b"hey jude"], ["Motörhead".encode()], [b""]], object)
    tokens = ask(client, "tokenizer", TEXT=texts)
    back = ask(client, "detokenizer", INPUT_IDS=tokens.as_numpy("INPUT_IDS"),
               ATTENTION_MASK=tokens.as_numpy("ATTENTION_MASK"))
    # Its vocabulary writes the first word with a space, too.
    assert [one.strip() for one in back.as_numpy("TEXT").ravel()] \
        == texts.ravel().tolist()


def test_the_networks_say_what_they_take(client):
    metadata = client.get_model_metadata("bart_decoder")
    assert [one["name"] for one in metadata["inputs"]] == [
        "DECODER_INPUT_IDS", "ENCODER_OUTPUT", "ENCODER_ATTENTION_MASK",
        "LAST_ONLY"]
    (logits,) = metadata["outputs"]
    assert logits["shape"][:2] == [-1, -1] and logits["shape"][2] > 8000
    config = client.get_model_config("bart_encoder")
    assert config["input"][0]["dims"] == [-1]
    assert config["input"][1]["optional"]
