"""The forward pass in numpy, f64, over the weights as the package `gguf` unpacks them.

Third opinion beside llama.cpp and the engine: no rounding of activations (except BitNet's own, and the f16 KV cache that all three
have), so it says how much of a difference is llama.cpp's rounding.
"""

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize

TERNARY = (T.TQ1_0, T.TQ2_0)


def rms_norm(x, weight, eps):
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps) * weight


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def silu(x):
    return x / (1.0 + np.exp(-x))


def int8_rows(x):
    """W1.58A8: one scale a row, ties to even."""
    top = np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1e-5)
    return np.clip(np.rint(x * (127.0 / top)), -127, 127) * (top / 127.0)


class Model:
    """Weights by name, and the case's shape."""

    def __init__(self, case, tensors):
        self.case = case
        self.kinds = {name: kind for name, kind, _ in tensors}
        self.weights = {name: self.unpack(kind, data) for name, kind, data in tensors}

    @staticmethod
    def unpack(kind, data):
        return (data if data.dtype == np.float32 else dequantize(data, kind)).astype(np.float64)

    def linear(self, name, x):
        if self.case.arch == "bitnet" and self.kinds[name + ".weight"] in TERNARY:
            x = int8_rows(x)
        return x @ self.weights[name + ".weight"].T * self.weights.get(name + ".scale", np.ones(1))[0]

    def norm(self, name, x):
        return rms_norm(x, self.weights[name + ".weight"], self.case.eps)

    def inverse_frequencies(self):
        case = self.case
        pairs = case.rope_dims // 2
        plain = case.theta ** (-np.arange(pairs) / pairs)
        if "rope_freqs.weight" in self.weights:
            return plain / self.weights["rope_freqs.weight"], 1.0
        if case.scaling == "linear":
            return plain / case.factor, 1.0
        if case.scaling != "yarn":
            return plain, 1.0

        def dimension(rotations):
            turns = case.original_context / (rotations * 2 * np.pi)
            return case.rope_dims * np.log(turns) / (2 * np.log(case.theta))

        low = max(0.0, np.floor(dimension(32.0)))
        high = min(case.rope_dims - 1.0, np.ceil(dimension(1.0)))
        keep = 1.0 - np.clip((np.arange(pairs) - low) / max(0.001, high - low), 0.0, 1.0)
        return plain / case.factor * (1 - keep) + plain * keep, 1.0 + 0.1 * np.log(case.factor)

    def rope(self, x):
        """x [tokens, heads, head_dim]"""
        inverse, magnitude = self.inverse_frequencies()
        angle = np.arange(len(x))[:, None, None] * inverse
        cos, sin = np.cos(angle) * magnitude, np.sin(angle) * magnitude
        dims = self.case.rope_dims
        if self.case.arch == "llama":
            first, second = slice(0, dims, 2), slice(1, dims, 2)
        else:
            first, second = slice(0, dims // 2), slice(dims // 2, dims)
        out = x.copy()
        out[..., first] = x[..., first] * cos - x[..., second] * sin
        out[..., second] = x[..., first] * sin + x[..., second] * cos
        return out

    def attention(self, block, n):
        case, count = self.case, len(n)
        q = self.linear(block + "attn_q", n).reshape(count, case.heads, case.head_dim)
        k = self.linear(block + "attn_k", n).reshape(count, case.kv_heads, case.head_dim)
        v = self.linear(block + "attn_v", n).reshape(count, case.kv_heads, case.head_dim)
        if case.arch == "qwen3":
            q, k = self.norm(block + "attn_q_norm", q), self.norm(block + "attn_k_norm", k)
        q, k = self.rope(q), self.rope(k)
        k, v = (np.repeat(t.astype(np.float16).astype(np.float64), case.heads // case.kv_heads, axis=1) for t in (k, v))
        scores = np.einsum("thd,shd->hts", q, k) / np.sqrt(case.head_dim)
        scores = np.where(np.tril(np.ones((count, count), bool)), scores, -np.inf)
        return np.einsum("hts,shd->thd", softmax(scores), v).reshape(count, -1)

    def logits(self, tokens):
        x = self.weights["token_embd.weight"][tokens]
        for layer in range(self.case.layers):
            block = f"blk.{layer}."
            a = self.attention(block, self.norm(block + "attn_norm", x))
            if self.case.arch == "bitnet":
                a = self.norm(block + "attn_sub_norm", a)
            x = x + self.linear(block + "attn_output", a)
            n = self.norm(block + "ffn_norm", x)
            f = silu(self.linear(block + "ffn_gate", n)) * self.linear(block + "ffn_up", n)
            if self.case.arch == "bitnet":
                f = self.norm(block + "ffn_sub_norm", f)
            x = x + self.linear(block + "ffn_down", f)
        head = self.weights.get("output.weight", self.weights["token_embd.weight"])
        return self.norm("output_norm", x) @ head.T
