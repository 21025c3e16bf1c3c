"""Remakes golden/quant/*.bin with the Python package `gguf` (0.19) and numpy: python3 engine/tests/golden/quant.py

One file a tensor type. With B the bytes and N the weights of two rows of 256:
  quantisable types    N float32 inputs | B packed by gguf.quants.quantize | N float32 by gguf.quants.dequantize
  read-only types      B random packed bytes (finite scales)               | N float32 by gguf.quants.dequantize
"""

import pathlib

import gguf
import numpy as np

TYPE = gguf.GGMLQuantizationType
COLS = 256
OUT = pathlib.Path(__file__).parent / "quant"


def inputs(rng):
    rows = rng.normal(0.0, 0.02, (2, COLS)).astype(np.float32)
    rows[0, :64] = 0.0
    rows[0, 7] = -0.5
    rows[1, 32:64] = 0.25
    return rows


def quantisable(ty, rng):
    values = inputs(rng)
    if ty in (TYPE.TQ1_0, TYPE.TQ2_0):
        values = np.sign(values) * (np.abs(values) > 0.01) * np.float32(0.03125)
    values = values.astype(np.float32)
    packed = gguf.quants.quantize(values, ty)
    return values.tobytes() + packed.tobytes(), packed


def read_only(ty, rng):
    block, size = gguf.GGML_QUANT_SIZES[ty]
    packed = rng.integers(0, 256, (2, COLS // block * size), dtype=np.uint8)
    halves = {TYPE.Q4_K: (0, 2), TYPE.Q5_K: (0, 2), TYPE.Q6_K: (208,)}[ty]
    for at in halves:
        scale = rng.normal(0.0, 0.01, 2).astype(np.float16)
        packed[:, at : at + 2] = scale.view(np.uint8).reshape(2, 2)
    return packed.tobytes(), packed


def main():
    OUT.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    types = [
        (quantisable, (TYPE.F16, TYPE.BF16, TYPE.Q8_0, TYPE.Q4_0, TYPE.Q4_1, TYPE.Q5_0, TYPE.Q5_1, TYPE.TQ1_0, TYPE.TQ2_0)),
        (read_only, (TYPE.Q4_K, TYPE.Q5_K, TYPE.Q6_K)),
    ]
    for make, names in types:
        for ty in names:
            data, packed = make(ty, rng)
            values = gguf.quants.dequantize(packed, ty).astype(np.float32)
            (OUT / f"{ty.name.lower()}.bin").write_bytes(data + values.tobytes())


main()
