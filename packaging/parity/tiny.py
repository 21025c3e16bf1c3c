"""Tiny seeded GGUFs for every architecture and tensor type that llama.cpp reads, and its logits for them.

Writes three files into the folder given: `tiny.json` (cases and where their parts lie), `tiny.heads` (everything of each GGUF up to
its tensor data, as the package `gguf` writes it) and `tiny.f32` (logits). The tensor data comes from `weights.py`; the Rust test
makes it again and checks the CRC-32 of the whole file.

llama.cpp refuses the architecture `bitnet-b1.58`: that graph is covered by the starter model's golden values.

usage: tiny.py OUTPUT_FOLDER
"""

import dataclasses
import json
import pathlib
import sys
import tempfile
import zlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

import forward
import llama
import weights

VOCAB = 64
N_TOKENS = 20
ALL_TYPES = "F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q5_K Q6_K TQ1_0 TQ2_0".split()


@dataclasses.dataclass
class Case:
    """One file. Widths are multiples of 256, the block of the K-quants."""

    name: str
    arch: str
    kind: str
    layers: int = 2
    hidden: int = 256
    ffn: int = 512
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    rope_dims: int = 64
    theta: float = 10000.0
    eps: float = 1e-5
    tied: bool = False
    scaling: str = ""
    factor: float = 1.0
    original_context: int = 0
    rope_freqs: bool = False
    linear_scales: bool = False
    special_kinds: dict = dataclasses.field(default_factory=dict)
    version: int = 3
    alignment: int = 32

    def matrices(self):
        """(name, rows, cols) of a block's linears."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return [
            ("attn_q", q, self.hidden),
            ("attn_k", kv, self.hidden),
            ("attn_v", kv, self.hidden),
            ("attn_output", self.hidden, q),
            ("ffn_gate", self.ffn, self.hidden),
            ("ffn_up", self.ffn, self.hidden),
            ("ffn_down", self.hidden, self.ffn),
        ]

    def norms(self):
        """(name, length) of a block's norms."""
        yield "attn_norm", self.hidden
        yield "ffn_norm", self.hidden
        if self.arch == "qwen3":
            yield "attn_q_norm", self.head_dim
            yield "attn_k_norm", self.head_dim
        if self.arch == "bitnet":
            yield "attn_sub_norm", self.heads * self.head_dim
            yield "ffn_sub_norm", self.ffn


def cases():
    for index, kind in enumerate(ALL_TYPES):
        name = kind.lower()
        yield Case(f"llama-{name}", "llama", kind, tied=index % 2 == 1, theta=[10000.0, 100000.0, 500000.0][index % 3])
        # Bonsai-4B's shape in small: the heads together are wider than the residual stream.
        yield Case(f"qwen3-{name}", "qwen3", kind, head_dim=128, rope_dims=128, theta=1e6, eps=1e-6, tied=index % 2 == 0)
        yield Case(f"bitnet-{name}", "bitnet", kind, tied=True, kv_heads=4 if index % 2 else 2)
    yield Case("llama-f32-rope-freqs", "llama", "F32", theta=500000.0, rope_freqs=True)
    yield Case("llama-f32-linear", "llama", "F32", scaling="linear", factor=4.0, alignment=64)
    yield Case("llama-f32-yarn", "llama", "F32", scaling="yarn", factor=4.0, original_context=64)
    yield Case("qwen3-f32-yarn", "qwen3", "F32", scaling="yarn", factor=2.0, original_context=32, theta=1e6, tied=True)
    yield Case("qwen3-f32-one-kv-head", "qwen3", "F32", kv_heads=1)
    yield Case("bitnet-tq2_0-scales", "bitnet", "TQ2_0", tied=True, linear_scales=True)
    yield Case("bitnet-f32-scales", "bitnet", "F32", tied=True, linear_scales=True)
    yield Case("bitnet-tq1_0-f16", "bitnet", "TQ1_0", tied=True, special_kinds={"token_embd": "F16"})
    mixed = {"attn_v": "Q6_K", "ffn_down": "Q5_K", "token_embd": "Q4_0", "output": "Q8_0"}
    yield Case("llama-mixed-v2", "llama", "Q4_K", special_kinds=mixed, version=2)


def tensors(case):
    """(name, type, data) in file order; data is f32 for vectors, raw bytes [rows, row_bytes] for matrices."""

    def matrix(name, rows, cols):
        short = name.split(".")[-1]
        kind = T[case.special_kinds.get(short, case.kind)]
        flat = case.arch == "bitnet" and kind in forward.TERNARY
        return name + ".weight", kind, weights.matrix(case.name, name + ".weight", kind, rows, cols, flat)

    def vector(name, length):
        return name, T.F32, weights.norm(case.name, name, length)

    yield matrix("token_embd", VOCAB, case.hidden)
    if case.rope_freqs:
        # Factors between 3/4 and 5/4 stand for Llama 3's.
        yield vector("rope_freqs.weight", case.rope_dims // 2)
    for layer in range(case.layers):
        block = f"blk.{layer}."
        for name, length in case.norms():
            yield vector(block + name + ".weight", length)
        for name, rows, cols in case.matrices():
            yield matrix(block + name, rows, cols)
            if case.linear_scales:
                yield vector(block + name + ".scale", 1)
    yield vector("output_norm.weight", case.hidden)
    if not case.tied:
        yield matrix("output", VOCAB, case.hidden)


def add_metadata(writer, case):
    if case.alignment != 32:
        writer.add_custom_alignment(case.alignment)
    writer.add_name(case.name)
    writer.add_context_length(256)
    writer.add_embedding_length(case.hidden)
    writer.add_block_count(case.layers)
    writer.add_feed_forward_length(case.ffn)
    writer.add_head_count(case.heads)
    writer.add_head_count_kv(case.kv_heads)
    writer.add_layer_norm_rms_eps(case.eps)
    writer.add_rope_freq_base(case.theta)
    writer.add_rope_dimension_count(case.rope_dims)
    writer.add_vocab_size(VOCAB)
    if case.head_dim * case.heads != case.hidden:
        writer.add_key_length(case.head_dim)
        writer.add_value_length(case.head_dim)
    if case.scaling:
        writer.add_rope_scaling_type(gguf.RopeScalingType(case.scaling))
        writer.add_rope_scaling_factor(case.factor)
    if case.original_context:
        writer.add_rope_scaling_orig_ctx_len(case.original_context)
    # The tokenizer is never used: letters, and the newline that llama.cpp looks for.
    letters = [chr(33 + i) for i in range(VOCAB - 2)] + ["\u010a", "ab"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(letters)
    writer.add_token_types([gguf.TokenType.NORMAL] * VOCAB)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)


def write(case, parts, path):
    """Writes the file and returns its bytes and the length of the part before the tensor data."""
    writer = gguf.GGUFWriter(path, case.arch)
    add_metadata(writer, case)
    for name, kind, data in parts:
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    blob = bytearray(path.read_bytes())
    blob[4:8] = case.version.to_bytes(4, "little")
    path.write_bytes(blob)
    padded = sum(-(-data.nbytes // case.alignment) * case.alignment for _, _, data in parts)
    return bytes(blob), len(blob) - padded


def tokens_of(case):
    return [int(z % np.uint64(VOCAB)) for z in weights.draws(weights.seed_of(case.name, "tokens"), N_TOKENS)]


def run(case, folder):
    parts = list(tensors(case))
    path = folder / f"{case.name}.gguf"
    blob, head_bytes = write(case, parts, path)
    tokens = tokens_of(case)
    session = llama.Session(path, 64)
    theirs = session.start(tokens)
    session.close()
    exact = forward.Model(case, parts).logits(np.array(tokens)).astype(np.float32)
    entry = {
        "name": case.name,
        "crc32": zlib.crc32(blob),
        "file_bytes": len(blob),
        "alignment": case.alignment,
        "head_bytes": head_bytes,
        "tokens": tokens,
        "flat": case.arch == "bitnet",
        "tensors": [[name, kind.name, data.nbytes] for name, kind, data in parts],
        # How far llama.cpp's rounding of activations takes it from the f64 pass: the measure of what can be asked of us.
        "llama_cpp_nmse": float(f"{llama.nmse(theirs, exact):.3e}"),
    }
    print(f"{case.name:24} llama.cpp against f64: nmse {entry['llama_cpp_nmse']:.2e}", flush=True)
    return entry, blob[:head_bytes], theirs, exact


def main():
    out = pathlib.Path(sys.argv[1])
    entries, heads, logits = [], b"", b""
    with tempfile.TemporaryDirectory() as folder:
        for case in cases():
            entry, head, theirs, exact = run(case, pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else folder))
            entries.append(entry)
            heads += head
            # Per case: llama.cpp's logits, then those of the f64 pass, each [tokens, vocab].
            logits += theirs.astype("<f4").tobytes() + exact.astype("<f4").tobytes()
    lines = ",\n".join("  " + json.dumps(e, separators=(",", ":")) for e in entries)
    (out / "tiny.json").write_text(
        f'{{"command": "make parity",\n"settings": {json.dumps(llama.SETTINGS)},\n"vocab": {VOCAB},\n"cases": [\n{lines}\n]}}\n'
    )
    (out / "tiny.heads").write_bytes(heads)
    (out / "tiny.f32").write_bytes(logits)


if __name__ == "__main__":
    main()
