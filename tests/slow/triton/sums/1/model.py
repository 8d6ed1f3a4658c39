"""Sums of two tensors, the second of which may be left out, and half of it."""
import numpy
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            total = 0
            for name in ("INPUT0", "INPUT1"):
                tensor = pb_utils.get_input_tensor_by_name(request, name)
                if tensor is not None:
                    total = total + tensor.as_numpy()
            half = (total / 2).astype(numpy.float32)
            answers.append(pb_utils.InferenceResponse([
                pb_utils.Tensor("SUM", total.astype(numpy.int32)),
                pb_utils.Tensor("HALF", half)]))
        return answers
