"""Seeded tensors that a Rust test makes again byte by byte (`engine/tests/support/tiny.rs`), so that no weights are committed.

Stream: splitmix64 whose state starts at crc32("CASE/TENSOR"), plus 2**32 for the stream of scales. Unit value: the top 24 bits of a
draw, as `n / 2**23 - 1`, in [-1, 1).

* norm weights: `1 + unit / 4`, f32
* F32, F16, BF16: `unit / 8`, rounded to nearest even; BF16 is the upper half of the f32 bits
* blocks: the bytes of the draws in little-endian order, then scale fields overwritten: f16 (by way of f32) of `base * (sign + unit) / 2` where the
  sign is that of the unit value, without its sign for the K-quants' `d` and `dmin`
* Q8_0: byte 0x80 becomes 0x81, since no quantiser writes -128
* TQ1_0: a random byte `b` becomes `ceil(256 * (b mod 243) / 243)`, with `b mod 81 * 3` in the four bytes that hold four trits each
* TQ2_0: code 3 becomes 1
* `flat` tensors: every block has the scale `base`, as BitNet's converters write
"""

import zlib

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T

GAMMA = 0x9E3779B97F4A7C15
FLOATS = (T.F32, T.F16, T.BF16)
# (byte offset, base) of each f16 field of a block.
SCALE_FIELDS = {
    T.Q8_0: [(0, 0.001)],
    T.Q4_0: [(0, 0.016)],
    T.Q4_1: [(0, 0.016), (2, 0.03)],
    T.Q5_0: [(0, 0.008)],
    T.Q5_1: [(0, 0.008), (2, 0.03)],
    T.Q4_K: [(0, 0.0005), (2, 0.004)],
    T.Q5_K: [(0, 0.00025), (2, 0.004)],
    T.Q6_K: [(208, 0.00006)],
    T.TQ1_0: [(52, 0.1)],
    T.TQ2_0: [(64, 0.1)],
}


def draws(seed, count):
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GAMMA)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def units(seed, count):
    return (draws(seed, count) >> np.uint64(40)).astype(np.float64) / 2**23 - 1.0


def seed_of(case, tensor):
    return zlib.crc32(f"{case}/{tensor}".encode())


def norm(case, tensor, length):
    return (1.0 + units(seed_of(case, tensor), length) / 4.0).astype(np.float32)


def scale_values(kind, seed, count, base, flat):
    if flat:
        return np.full(count, base, np.float32).astype(np.float16)
    unit = units(seed, count)
    value = base * (np.where(unit < 0, -1.0, 1.0) + unit) / 2.0
    if kind in (T.Q4_K, T.Q5_K):
        value = np.abs(value)
    return value.astype(np.float32).astype(np.float16)


def matrix(case, tensor, kind, rows, cols, flat=False):
    """Raw bytes [rows, row_bytes] of a matrix."""
    seed = seed_of(case, tensor)
    if kind in FLOATS:
        values = (units(seed, rows * cols) / 8.0).astype(np.float32)
        if kind == T.F16:
            values = values.astype(np.float16)
        if kind == T.BF16:
            values = (values.view(np.uint32) >> 16).astype(np.uint16)
        return values.view(np.uint8).reshape(rows, -1)
    block_cols, block_bytes = GGML_QUANT_SIZES[kind]
    blocks = rows * cols // block_cols
    raw = draws(seed, (blocks * block_bytes + 7) // 8).astype("<u8").view(np.uint8)
    raw = raw[: blocks * block_bytes].reshape(blocks, block_bytes).copy()
    if kind == T.Q8_0:
        raw[raw == 0x80] = 0x81
    elif kind == T.TQ1_0:
        wide = raw.astype(np.uint32)
        wide[:, 48:52] = wide[:, 48:52] % 81 * 3
        raw = ((wide % 243 * 256 + 242) // 243).astype(np.uint8)
    elif kind == T.TQ2_0:
        # Both bits of a code set: clear the upper one.
        both = raw & (raw >> 1) & 0x55
        raw = raw & ~(both << 1)
    fields = SCALE_FIELDS[kind]
    for index, (offset, base) in enumerate(fields):
        values = scale_values(kind, seed + 2**32 * (index + 1), blocks, base, flat)
        raw[:, offset : offset + 2] = values.view(np.uint8).reshape(blocks, 2)
    return raw.reshape(rows, -1)
