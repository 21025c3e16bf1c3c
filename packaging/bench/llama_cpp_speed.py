"""llama.cpp's speed through its C API, as its own llama-bench measures it: one decode call for a prompt, one a token for an answer."""

import time

import llama_cpp
import numpy as np

# GGML_LOG_LEVEL_ERROR.
ERROR = 4
# What the settings of a row in the report are called.
FLASH = {True: "flash attention", False: "no flash attention"}


@llama_cpp.llama_log_callback
def log(level, text, _):
    """Passes errors on and drops the chatter of loading."""
    if level == ERROR:
        print(text.decode(errors="replace"), end="", flush=True)


class Model:
    """A loaded file."""

    def __init__(self, path):
        llama_cpp.llama_log_set(log, None)
        llama_cpp.llama_backend_init()
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = 0
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            raise SystemExit(f"compare: llama.cpp does not load {path}")
        self.vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))

    def close(self):
        llama_cpp.llama_model_free(self.model)


class Context:
    """A sequence of a model."""

    def __init__(self, model, positions, threads, flash):
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = positions
        params.n_batch = 2048
        params.n_ubatch = 512
        params.n_threads = threads
        params.n_threads_batch = threads
        params.flash_attn_type = (
            llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash else llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        self.random = np.random.default_rng(1)
        self.vocab = model.vocab
        self.context = llama_cpp.llama_init_from_model(model.model, params)
        if not self.context:
            raise SystemExit("compare: llama.cpp made no context")

    def decode(self, count):
        ids = self.random.integers(0, self.vocab, count)
        tokens = (llama_cpp.llama_token * count)(*map(int, ids))
        if llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(tokens, count)) != 0:
            raise SystemExit("compare: llama.cpp failed to decode")
        llama_cpp.llama_synchronize(self.context)

    def clear(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), False)

    def prompt(self, tokens):
        """Tokens a second of a prompt."""
        self.clear()
        start = time.perf_counter()
        self.decode(tokens)
        return tokens / (time.perf_counter() - start)

    def answer(self, tokens):
        """Tokens a second of an answer from an empty context."""
        self.clear()
        start = time.perf_counter()
        for _ in range(tokens):
            self.decode(1)
        return tokens / (time.perf_counter() - start)

    def close(self):
        llama_cpp.llama_free(self.context)


def system_info():
    """What it was built with."""
    return llama_cpp.llama_print_system_info().decode().strip(" |")


def measure(path, prompt, new, threads, flash):
    """(prompt, answer) in tokens a second, after a warm-up; the file is loaded for it and freed."""
    model = Model(path)
    context = Context(model, prompt + new + 64, threads, flash)
    context.decode(16)
    context.decode(1)
    speeds = context.prompt(prompt), context.answer(new)
    context.close()
    model.close()
    return speeds
