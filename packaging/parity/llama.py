"""llama.cpp as the other implementation: logits of given tokens, on the CPU, with fixed settings.

Every golden file names these settings, so that a difference can be traced to one of them.
"""

import importlib.metadata
import os

import llama_cpp
import numpy as np

N_THREADS = 2

# The package's own defaults, written out: f16 KV cache and no flash attention.
SETTINGS = {
    "implementation": "llama.cpp through llama-cpp-python "
    + importlib.metadata.version("llama-cpp-python"),
    "device": "cpu",
    "n_threads": N_THREADS,
    "kv_cache": "f16",
    "flash_attention": False,
}


class Session:
    """A model and one sequence."""

    def __init__(self, path, context):
        self.model = llama_cpp.Llama(
            str(path),
            n_gpu_layers=0,
            n_ctx=context,
            n_batch=context,
            n_ubatch=min(context, 512),
            n_threads=N_THREADS,
            n_threads_batch=N_THREADS,
            logits_all=True,
            verbose=bool(os.environ.get("PARITY_VERBOSE")),
        )

    def tokenize(self, text):
        return self.model.tokenize(text.encode(), add_bos=False, special=True)

    def start(self, tokens):
        """Forgets everything, runs `tokens` in one batch, returns logits [len(tokens), vocab]."""
        self.model.reset()
        self.model.eval(list(tokens))
        return self.model.scores[: len(tokens)].copy()

    def step(self, token):
        """Runs one more token, returns its logits."""
        self.model.eval([int(token)])
        return self.model.scores[self.model.n_tokens - 1].copy()

    def close(self):
        self.model.close()


def nmse(ours, theirs):
    """Mean square error over the mean square of the reference."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    return float(((ours - theirs) ** 2).sum() / (theirs**2).sum())


