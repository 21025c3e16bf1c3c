"""Golden values of SmolLM2-135M-Instruct (Q4_1) from llama.cpp.

Writes `smollm2.json` (greedy continuations with the best logits of each step, and the perplexity of the first 16,384 tokens of
Moby Dick) and `moby-16384.u16` (those tokens) into the folder given.

llama.cpp rounds activations to int8 before it multiplies them with Q4_1 weights. So it is also run on the same weights unpacked to
f32 (`unpacked`, with the same ids fed in), which shows what the file says without that rounding.

usage: smollm2.py MODEL.gguf MOBY_DICK_DATA_FOLDER OUTPUT_FOLDER
"""

import hashlib
import json
import pathlib
import sys
import tempfile

import gguf
import numpy as np

import llama

NEW_TOKENS = 48
TOP = 4
PERPLEXITY_TOKENS = 16384
CONTEXT = 1024

PROMPTS = [
    "The capital of France is",
    "Once upon a time, in a small village by the sea, there lived",
    "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n",
    "<|im_start|>user\nWhat is the boiling point of water?<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nList three primary colors."
    "<|im_end|>\n<|im_start|>assistant\n",
    "The three laws of thermodynamics state that",
    "1, 1, 2, 3, 5, 8, 13,",
    "Dear Sir or Madam,\n\nI am writing to",
    "SELECT name, COUNT(*) FROM orders",
    "In the year 2050, caf\u00e9s in Z\u00fcrich \u2014 and elsewhere \u2014 will",
]


def best(logits):
    # A stable sort of the negated values keeps the lowest index first among ties.
    order = np.argsort(-logits, kind="stable")[:TOP]
    return {"ids": order.tolist(), "logits": [round(float(logits[i]), 4) for i in order]}


def greedy(session, prompt):
    """The continuation of one prompt: at each step the best ids and logits, then the best one is fed."""
    ids = session.tokenize(prompt)
    logits = session.start(ids)[-1]
    steps = []
    for _ in range(NEW_TOKENS):
        steps.append(best(logits))
        logits = session.step(steps[-1]["ids"][0])
    return {"prompt": prompt, "prompt_ids": ids, "steps": steps}


def follow(session, continuation):
    """What another model of the same vocabulary finds best at each step of a continuation."""
    logits = [session.start(continuation["prompt_ids"])[-1]]
    logits += [session.step(step["ids"][0]) for step in continuation["steps"][:-1]]
    return [best(row) for row in logits]


def unpack(model, target):
    """Writes `model` again with all weights in f32."""
    reader = gguf.GGUFReader(model)
    writer = gguf.GGUFWriter(target, "llama")
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        if field.types[0] == gguf.GGUFValueType.ARRAY:
            writer.add_array(name, field.contents())
        else:
            writer.add_key_value(name, field.contents(), field.types[0])
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def negative_log_likelihoods(logits, next_ids):
    logits = logits.astype(np.float64)
    top = logits.max(axis=1)
    log_sum = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return log_sum - logits[np.arange(len(next_ids)), next_ids]


def perplexity(session, ids):
    """Windows that each start afresh, without BOS (the file asks for none); every token after the first is scored."""
    total, scored = 0.0, 0
    for start in range(0, len(ids), CONTEXT):
        window = ids[start : start + CONTEXT]
        losses = negative_log_likelihoods(session.start(window)[:-1], window[1:])
        total += float(losses.sum())
        scored += len(losses)
        print(f"  {start + len(window)} tokens: {np.exp(total / scored):.4f}", flush=True)
    return {"context": CONTEXT, "scored": scored, "mean_nll": total / scored, "perplexity": float(np.exp(total / scored))}


def moby_ids(session, folder):
    chapters = (folder / f"chapter_{n}.txt" for n in range(1, 20))
    text = "\n\n".join(c.read_text(encoding="utf-8").strip() for c in chapters)
    ids = session.tokenize(text)[:PERPLEXITY_TOKENS]
    assert len(ids) == PERPLEXITY_TOKENS
    return ids


def main():
    model, moby, out = (pathlib.Path(a) for a in sys.argv[1:4])
    session = llama.Session(model, CONTEXT)
    golden = {
        "command": "make parity",
        "settings": llama.SETTINGS,
        "model_sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "greedy": [greedy(session, p) for p in PROMPTS],
    }
    with tempfile.TemporaryDirectory() as folder:
        unpacked = pathlib.Path(folder) / "unpacked.gguf"
        unpack(model, unpacked)
        other = llama.Session(unpacked, CONTEXT)
        for continuation in golden["greedy"]:
            continuation["unpacked"] = follow(other, continuation)
        ids = moby_ids(session, moby)
        golden["unpacked_perplexity"] = perplexity(other, np.array(ids))
        other.close()
    golden["perplexity"] = perplexity(session, np.array(ids))
    (out / "moby-16384.u16").write_bytes(np.array(ids, "<u2").tobytes())
    lines = [json.dumps(golden[k], ensure_ascii=False) for k in ("command", "settings", "model_sha256")]
    prompts = ",\n".join("  " + json.dumps(g, ensure_ascii=False, separators=(",", ":")) for g in golden["greedy"])
    (out / "smollm2.json").write_text(
        f'{{"command": {lines[0]},\n"settings": {lines[1]},\n"model_sha256": {lines[2]},\n'
        f'"perplexity": {json.dumps(golden["perplexity"])},\n'
        f'"unpacked_perplexity": {json.dumps(golden["unpacked_perplexity"])},\n"greedy": [\n{prompts}\n]}}\n',
        encoding="utf-8",
    )
    session.close()


if __name__ == "__main__":
    main()
