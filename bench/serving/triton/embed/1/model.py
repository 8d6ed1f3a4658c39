"""Tokenises a batch, pads it, and runs the int8 encoder in ONNX Runtime."""
import json

import numpy
import onnxruntime
import triton_python_backend_utils as pb_utils
from tokenizers import Tokenizer


class TritonPythonModel:
    def initialize(self, args):
        parameters = json.loads(args["model_config"])["parameters"]
        self.tokenizer = Tokenizer.from_file(
            parameters["tokenizer"]["string_value"])
        self.tokenizer.no_truncation()
        self.tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            parameters["onnx"]["string_value"], options,
            providers=["CPUExecutionProvider"])

    def execute(self, requests):
        batches = [pb_utils.get_input_tensor_by_name(one, "TEXT").as_numpy()
                   for one in requests]
        texts = [text.decode() for batch in batches
                 for text in batch.reshape(-1)]
        encoded = self.tokenizer.encode_batch(texts)
        ids = numpy.array([one.ids for one in encoded], numpy.int64)
        mask = numpy.array([one.attention_mask for one in encoded], numpy.int64)
        embeddings = self.session.run(None, {"input_ids": ids,
                                             "attention_mask": mask})[0]
        answers, begin = [], 0
        for batch in batches:
            end = begin + len(batch)
            answers.append(pb_utils.InferenceResponse(
                [pb_utils.Tensor("EMBEDDING", embeddings[begin:end])]))
            begin = end
        return answers
