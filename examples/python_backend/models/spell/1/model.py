"""Spelling correction the long way: a script that drives the networks.

tokenizer -> bart_encoder -> bart_decoder, a call a token -> detokenizer. The
backend "corrector" gives the same answers in one call, and much sooner.
"""
import numpy as np
import triton_python_backend_utils as pb_utils

START, END = 2, 2  # decoder_start_token_id, eos_token_id
MAX_TOKENS = 66  # of an answer, start and end included


def ask(model, output_names, **inputs):
    response = pb_utils.InferenceRequest(
        model_name=model, requested_output_names=output_names,
        inputs=[pb_utils.Tensor(*each) for each in inputs.items()]).exec()
    if response.has_error():
        raise pb_utils.TritonModelException(response.error().message())
    return [tensor.as_numpy() for tensor in response.output_tensors()]


class TritonPythonModel:
    def execute(self, requests):
        texts = [pb_utils.get_input_tensor_by_name(request, "TEXT").as_numpy()
                 for request in requests]
        corrected = self.correct(np.concatenate(texts))  # [B, 1]
        ends = np.cumsum([len(text) for text in texts])[:-1]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("CORRECTED", rows)])
                for rows in np.split(corrected, ends)]

    def correct(self, texts):
        ids, mask = ask("tokenizer", ["INPUT_IDS", "ATTENTION_MASK"],
                        TEXT=texts)
        states, = ask("bart_encoder", ["ENCODER_OUTPUT"], INPUT_IDS=ids,
                      ATTENTION_MASK=mask)
        answers = self.decode(states, mask)
        answered = np.cumsum(answers[:, 1:] == END, axis=1) < 1
        answered = np.hstack([np.full((len(texts), 1), True), answered])
        return ask("detokenizer", ["TEXT"], INPUT_IDS=answers,
                   ATTENTION_MASK=answered.astype(np.int64))[0]

    def decode(self, states, mask):
        """The most probable token after each prefix, until all have ended."""
        rows = len(states)
        answers = np.full((rows, 1), START, np.int64)
        ended = np.zeros(rows, bool)
        while not ended.all() and answers.shape[1] < MAX_TOKENS:
            logits, = ask("bart_decoder", ["LOGITS"],
                          DECODER_INPUT_IDS=answers, ENCODER_OUTPUT=states,
                          ENCODER_ATTENTION_MASK=mask,
                          LAST_ONLY=np.ones((rows, 1), bool))
            best = logits[:, -1].argmax(axis=-1)
            best[ended] = END
            ended |= best == END
            answers = np.hstack([answers, best[:, None]])
        return answers
