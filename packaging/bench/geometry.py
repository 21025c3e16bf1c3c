"""A GGUF of the BitNet b1.58 2B-4T shape with seeded ternary weights, that other engines read too. Needs numpy and gguf only.

usage: geometry.py OUTPUT [--arch bitnet|bitnet-b1.58] [--linear tq2_0|tq1_0|f32] [--head q6_k|q4_0|q8_0|f16] [--layers 30]

llama.cpp reads `bitnet`, ik_llama.cpp quantises `bitnet-b1.58` from f32. Speed does not depend on the values, so a matrix repeats a pool
of distinct rows; all weights of a matrix are -s, 0 or s. The tokenizer is 256 bytes and fillers.
"""

import argparse
import os
import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

HIDDEN, FFN, HEADS, KV_HEADS, HEAD_DIM, VOCAB, CONTEXT = 2560, 6912, 20, 5, 128, 128256, 4096
POOL = 61


def pack_q6_k(values):
    """Rows of Q6_K, which the package only reads: each 16 weights scaled by their largest, these scales by the largest of them."""
    rows, cols = values.shape
    block = values.reshape(rows, cols // 256, 16, 16)
    largest = np.abs(block).max(-1)
    d = (largest.max(-1) / 31 / 127).astype(np.float16)
    scales = np.ceil(largest / 31 / d[..., None].astype(np.float32)).clip(0, 127)
    step = d.astype(np.float32)[..., None, None] * scales[..., None]
    codes = (np.rint(block / step).clip(-32, 31) + 32).astype(np.uint8).reshape(rows, -1, 2, 4, 32)
    low = (codes[:, :, :, :2] & 15) | (codes[:, :, :, 2:] & 15) << 4
    high = sum((codes[:, :, :, g] >> 4) << (2 * g) for g in range(4))
    parts = [low.reshape(rows, -1, 128), high.reshape(rows, -1, 64), scales.astype(np.int8).view(np.uint8), d[..., None].view(np.uint8)]
    return np.concatenate(parts, -1).reshape(rows, -1)


def pack(values, kind):
    """Rows of f32 as rows of bytes."""
    if kind == T.F32:
        return values.view(np.uint8)
    if kind == T.F16:
        return values.astype(np.float16).view(np.uint8)
    return pack_q6_k(values) if kind == T.Q6_K else gguf.quants.quantize(values, kind)


def tensors(layers, linear, head):
    """(name, type, rows, cols) in file order; a vector has 0 rows."""
    q, kv = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
    yield "token_embd.weight", head, VOCAB, HIDDEN
    yield "output_norm.weight", T.F32, 0, HIDDEN
    for layer in range(layers):
        block = f"blk.{layer}."
        for name, length in [("attn_norm", HIDDEN), ("ffn_norm", HIDDEN), ("attn_sub_norm", q), ("ffn_sub_norm", FFN)]:
            yield f"{block}{name}.weight", T.F32, 0, length
        for name, rows, cols in [
            ("attn_q", q, HIDDEN),
            ("attn_k", kv, HIDDEN),
            ("attn_v", kv, HIDDEN),
            ("attn_output", HIDDEN, q),
            ("ffn_gate", FFN, HIDDEN),
            ("ffn_up", FFN, HIDDEN),
            ("ffn_down", HIDDEN, FFN),
        ]:
            yield f"{block}{name}.weight", linear, rows, cols


def data(kind, rows, cols, is_head, random):
    """Bytes of a tensor `[rows, row_bytes]`, or f32 of a vector."""
    if rows == 0:
        return (1 + 0.2 * random.uniform(-1, 1, cols)).astype(np.float32)
    if is_head:
        pool = random.normal(0, cols**-0.5, (min(rows, 997), cols)).astype(np.float32)
    else:
        pool = random.integers(-1, 2, (POOL, cols)).astype(np.float32) * np.float32(1.2 * cols**-0.5)
    packed = pack(pool, kind)
    return np.tile(packed, (-(-rows // len(packed)), 1))[:rows]


def add_keys(writer, layers):
    writer.add_name("Synthetic 2B-4T shape")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_DIM)
    writer.add_value_length(HEAD_DIM)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(500000.0)
    writer.add_rope_dimension_count(HEAD_DIM)
    writer.add_vocab_size(VOCAB)
    # GPT-2's bytes, then fillers; the one merge is there because readers want some.
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    mapped = {byte: byte for byte in printable}
    for byte in range(256):
        mapped.setdefault(byte, 0x100 + len(mapped) - len(printable))
    tokens = [chr(mapped[byte]) for byte in range(256)] + ["ab"]
    tokens += [f"<|filler_{i}|>" for i in range(VOCAB - len(tokens))]
    types = [gguf.TokenType.NORMAL] * 257 + [gguf.TokenType.UNUSED] * (VOCAB - 257)
    types[-1] = gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(VOCAB - 1)
    writer.add_eos_token_id(VOCAB - 1)
    writer.add_add_bos_token(False)


def write(path, arch, linear, head, layers=30):
    """Writes the file, under another name until it is whole."""
    unfinished = pathlib.Path(f"{path}.{os.getpid()}.part")
    writer = gguf.GGUFWriter(unfinished, arch)
    add_keys(writer, layers)
    parts = list(tensors(layers, linear, head))
    for name, kind, rows, cols in parts:
        size = max(rows, 1) * cols // gguf.GGML_QUANT_SIZES[kind][0] * gguf.GGML_QUANT_SIZES[kind][1]
        shape = (cols,) if rows == 0 else (rows, cols)
        writer.add_tensor_info(name, shape, np.dtype(np.float32), size, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    random = np.random.default_rng(1)
    for name, kind, rows, cols in parts:
        writer.write_tensor_data(np.ascontiguousarray(data(kind, rows, cols, name == "token_embd.weight", random)))
    writer.close()
    unfinished.rename(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--arch", choices=["bitnet", "bitnet-b1.58"], default="bitnet")
    parser.add_argument("--linear", choices=["tq2_0", "tq1_0", "f32"], default="tq2_0")
    parser.add_argument("--head", choices=["q6_k", "q4_0", "q8_0", "f16"], default="q6_k")
    parser.add_argument("--layers", type=int, default=30)
    options = parser.parse_args()
    write(options.output, options.arch, T[options.linear.upper()], T[options.head.upper()], options.layers)


if __name__ == "__main__":
    main()
