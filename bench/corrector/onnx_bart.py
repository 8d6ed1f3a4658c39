"""BART as two ONNX graphs, made for greedy decoding with ONNX Runtime.

The encoder's graph ends in the keys and values that every decoder layer keeps
of the source; the decoder's takes one token a sequence and ends in the next.
B batch, S source, T tokens so far, H heads, K head. Layers come in order, a
layer's keys before its values; all are [B, H, S or T, K].
encoder.onnx: ids [B, S], bias [B or 1, 1, 1, S or 1] (what is added to the
scores: 0, or far below for padding) -> the source's keys and values.
decoder.onnx: ids [B, 1], position [1], bias, the source's keys and values, the
past's -> token [B], the past's with this token's.
"""
import pathlib

import torch
import transformers
from torch.nn import functional

POSITIONS_BEFORE = 2  # rows of BART's table of positions that stay unused


def packed(*layers, scale):
    """One layer for several, the first of them scaled."""
    scales = [scale] + [1] * (len(layers) - 1)
    return tuple(torch.nn.Parameter(torch.cat(
        [getattr(layer, part) * by for layer, by in zip(layers, scales)]))
        for part in ("weight", "bias"))


def split(states, width, size):
    """[B, T, width] to [B, width / size, T, size]."""
    return states.reshape(states.size(0), -1, width // size, size).transpose(
        1, 2)


class Attention(torch.nn.Module):
    """Keys and values are made apart from the queries, or with them."""

    def __init__(self, layer, alone):
        super().__init__()
        names = ["q_proj"] if alone else ["q_proj", "k_proj", "v_proj"]
        self.weight, self.bias = packed(
            *(getattr(layer, name) for name in names), scale=layer.scaling)
        self.width, self.size = self.bias.numel(), layer.head_dim
        self.out = layer.out_proj

    def project(self, states):
        return split(functional.linear(states, self.weight, self.bias),
                     self.width, self.size)

    def forward(self, queries, keys, values, bias=None):
        scores = queries @ keys.transpose(2, 3)
        if bias is not None:
            scores = scores + bias
        seen = (scores.softmax(-1) @ values).transpose(1, 2)
        return self.out(seen.reshape(seen.size(0), -1, self.out.in_features))


class Layers(torch.nn.Module):
    """What encoder and decoder share."""

    def __init__(self, part):
        super().__init__()
        self.part = part
        self.attention = torch.nn.ModuleList(
            Attention(layer.self_attn, alone=False) for layer in part.layers)

    def embed(self, ids, positions):
        part = self.part
        return part.layernorm_embedding(
            part.embed_tokens(ids) + functional.embedding(
                positions + POSITIONS_BEFORE, part.embed_positions.weight))

    @staticmethod
    def feed_forward(layer, states):
        inner = layer.fc2(functional.gelu(layer.fc1(states)))
        return layer.final_layer_norm(states + inner)


class Encoder(Layers):
    def __init__(self, model):
        super().__init__(model.model.encoder)
        self.sources = torch.nn.ModuleList(
            layer.encoder_attn for layer in model.model.decoder.layers)

    def forward(self, ids, bias):
        states = self.embed(ids, torch.arange(ids.size(1)))
        for layer, attention in zip(self.part.layers, self.attention):
            three = attention.project(states).chunk(3, 1)
            states = layer.self_attn_layer_norm(
                states + attention(*three, bias))
            states = self.feed_forward(layer, states)
        return tuple(
            split(project(states), project.out_features, source.head_dim)
            for source in self.sources
            for project in (source.k_proj, source.v_proj))


class Decoder(Layers):
    def __init__(self, model):
        super().__init__(model.model.decoder)
        self.sources = torch.nn.ModuleList(
            Attention(layer.encoder_attn, alone=True)
            for layer in self.part.layers)
        self.head, self.head_bias = model.lm_head, model.final_logits_bias

    def forward(self, ids, position, bias, *kept):
        states, count = self.embed(ids, position), 2 * len(self.sources)
        source, past, now = kept[:count], kept[count:], []
        for i, layer in enumerate(self.part.layers):
            queries, *both = self.attention[i].project(states).chunk(3, 1)
            now += [torch.cat(pair, 2)
                    for pair in zip(past[2 * i:2 * i + 2], both)]
            states = layer.self_attn_layer_norm(
                states + self.attention[i](queries, *now[-2:]))
            states = layer.encoder_attn_layer_norm(
                states + self.sources[i](self.sources[i].project(states),
                                         *source[2 * i:2 * i + 2], bias))
            states = self.feed_forward(layer, states)
        logits = self.head(states[:, 0]) + self.head_bias
        return logits.argmax(-1), *now


def export(folder, encoder_file, decoder_file):
    """Writes both graphs of a checkpoint's folder, in fp32."""
    model = transformers.BartForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32).eval()
    config = model.config
    if config.scale_embedding or config.activation_function != "gelu":
        raise ValueError(f"{folder}: not of bart-base's form")
    heads = config.decoder_attention_heads
    names = [f"{kind}{i}" for i in range(config.decoder_layers)
             for kind in ("keys", "values")]
    sources = [f"source_{name}" for name in names]
    pasts = [f"past_{name}" for name in names]
    states = torch.zeros(2, heads, 3, config.d_model // heads)
    bias = torch.zeros(2, 1, 1, 3)
    axes = {"ids": {0: "B", 1: "S"}, "bias": {0: "B or 1", 3: "S or 1"},
            **{name: {0: "B", 2: "S"} for name in sources}}
    write(Encoder(model), (torch.zeros(2, 3, dtype=torch.int64), bias),
          encoder_file, ["ids", "bias"], sources, axes)
    axes = {**axes, "ids": {0: "B"}, "token": {0: "B"},
            **{name: {0: "B", 2: "T"} for name in pasts},
            **{f"now_{name}": {0: "B", 2: "T + 1"} for name in pasts}}
    write(Decoder(model), (torch.zeros(2, 1, dtype=torch.int64),
                           torch.zeros(1, dtype=torch.int64), bias,
                           *[states] * (2 * len(names))),
          decoder_file, ["ids", "position", "bias", *sources, *pasts],
          ["token", *(f"now_{name}" for name in pasts)], axes)


def write(module, inputs, path, names, outputs, axes):
    """Whole, or not at all."""
    part = pathlib.Path(f"{path}.part")
    with torch.inference_mode():
        torch.onnx.export(module, inputs, part, opset_version=17, dynamo=False,
                          input_names=names, output_names=outputs,
                          dynamic_axes=axes)
    part.replace(path)


def quantise(path, quantised):
    """Dynamic, int8, a scale for each column of every weight."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    part = pathlib.Path(f"{quantised}.part")
    quantize_dynamic(
        str(path), str(part), op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True, weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})
    part.replace(quantised)
