"""llama.cpp and onebit on the same files, in turns; called by `make bench-peers` (run.sh).

usage: compare.py --onebit BINARY --models FOLDER [--only NAME,...] [--threads 1,2] [--rounds 3] [--report FILE] [--command TEXT]

Each round measures llama.cpp and then onebit, both freshly loaded, for each thread count; the report has medians over the rounds.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import statistics
import subprocess

import gguf
from gguf import GGMLQuantizationType as T

import geometry
import llama_cpp_speed as llama

# name: (text, file, prompt tokens, new tokens, how to make the file)
MODELS = {
    "smollm2": ("SmolLM2-135M Q4_1", "smollm2-135m-instruct-q4_1.gguf", 512, 128, None),
    "tq2_0": ("2B-4T shape, TQ2_0, Q6_K head", "2b-tq2_0-q6_k.gguf", 512, 32, (T.TQ2_0, T.Q6_K)),
    "tq2_0-q4_0": ("2B-4T shape, TQ2_0, Q4_0 head", "2b-tq2_0-q4_0.gguf", 512, 32, (T.TQ2_0, T.Q4_0)),
    "tq1_0": ("2B-4T shape, TQ1_0, Q6_K head", "2b-tq1_0-q6_k.gguf", 512, 32, (T.TQ1_0, T.Q6_K)),
}


def find(folder, name):
    """The model's file, made up where it is a shape."""
    text, file, _, _, parts = MODELS[name]
    path = folder / file
    if not path.exists():
        if parts is None:
            raise SystemExit(f"compare: {path} is missing; packaging/fetch-test-models.sh fetches it")
        print(f"compare: making {path}, which stays there until you delete it", flush=True)
        geometry.write(path, "bitnet", *parts)
    return path


def run(command):
    """Output of a command; its error text in the exception when it fails."""
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode != 0:
        raise SystemExit(f"compare: {command[0]} ended with {found.returncode}: {found.stderr.strip()}")
    return found.stdout


def onebit(binary, path, prompt, new, threads):
    """Its runs of the prompt and of the answer, and its lane."""
    command = [binary, "bench", "-m", path, "-p", str(prompt), "-n", str(new), "-r", "1", "--threads", str(threads), "--json"]
    found = json.loads(run(list(map(str, command))))
    runs = {run["test"][:2]: run for run in found["runs"]}
    return (runs["pp"], runs["tg"]), found["lane"]


def faster_flash(path, threads):
    """Whether llama.cpp is faster with flash attention on this file: the sum of the times of a short prompt and answer."""
    cost = {}
    for flash in (False, True):
        prompt, answer = llama.measure(path, 128, 8, threads, flash)
        cost[flash] = 128 / prompt + 8 / answer
    return min(cost, key=cost.get)


def compare(options, name):
    """Rows of the report for one model."""
    text, _, prompt, new, _ = MODELS[name]
    path = find(options.models, name)
    flash = faster_flash(path, max(options.threads))
    found, lane = {}, ""
    for number in range(options.rounds):
        for threads in options.threads:
            theirs = llama.measure(path, prompt, new, threads, flash)
            ours, lane = onebit(options.onebit, path, prompt, new, threads)
            for test, their, our in zip((f"pp{prompt}", f"tg{new}"), theirs, ours):
                share = our["gb_per_sec"] / our["read_gb_per_sec_ceiling"]
                found.setdefault((threads, test), []).append((their, our["median_tok_per_sec"], our["gb_per_sec"], share))
            speeds = ", ".join(f"{run['test']} {their:.1f} against {run['median_tok_per_sec']:.1f} tok/s" for their, run in zip(theirs, ours))
            print(f"compare: {name}, round {number + 1} of {options.rounds}, {threads} threads: {speeds}", flush=True)
    rows = []
    for (threads, test), measured in found.items():
        their, our, gigabytes, share = (statistics.median(side) for side in zip(*measured))
        # A prompt is arithmetic: what it reads says nothing.
        reads = f"{gigabytes:.1f} | {100 * share:.0f} %" if test.startswith("tg") else "|"
        rows.append(f"| {text} | {threads} | {test} | {their:.1f} | {our:.1f} | {our / their:.2f} | {reads} | {llama.FLASH[flash]} | {lane} |")
    return rows


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = next((line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")), "unknown processor")
    return f"{model}, {os.cpu_count()} hardware threads"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--onebit", type=pathlib.Path, required=True)
    parser.add_argument("--models", type=pathlib.Path, required=True)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(MODELS))
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--command", default="compare.py")
    options = parser.parse_args()
    for name in options.only:
        if name not in MODELS:
            parser.error(f"no model is called {name}; there are {', '.join(MODELS)}")
    version = run([str(options.onebit), "--version"]).strip()
    lines = [
        "| model | threads | test | llama.cpp, tok/s | onebit, tok/s | ratio | onebit, GB/s | of the read ceiling | llama.cpp with | lane |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    failed = []
    for name in options.only:
        try:
            lines += compare(options, name)
        except (SystemExit, Exception) as error:
            # What was measured already must not be lost with it.
            print(f"compare: {name} failed: {error}", flush=True)
            failed.append(f"{name} is missing, because it failed: {error}")
        if options.report:
            write_report(options, version, lines, failed)
    print("\n" + "\n".join(lines))
    if options.report:
        print(f"\ncompare: {options.report}")
    if failed:
        raise SystemExit("compare: " + "; ".join(failed))


def write_report(options, version, lines, failed):
    """The report with the rows there are; called after each model, so that none is lost."""
    peer = f"llama.cpp through llama-cpp-python {importlib.metadata.version('llama-cpp-python')}, built here from source"
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    table = "\n".join(lines + [""] + failed) if failed else "\n".join(lines)
    options.report.write_text(
        "# Beside llama.cpp\n\n"
        f"Written by `{options.command}` on {datetime.date.today()} at commit {commit}; {machine()}.\n"
        f"{version}; {peer}. Medians of {options.rounds} rounds; each round measures both engines in turn, freshly loaded,\n"
        "f16 KV cache, the same files, batches of 512 for llama.cpp. Of flash attention on and off, what is faster for llama.cpp.\n"
        "GB/s are the weights and the KV cache that an answer must read, beside what the memory delivers when it is only read.\n"
        f"The 2B-4T shapes have made-up weights (`packaging/bench/geometry.py`). llama.cpp says of itself: `{llama.system_info()}`.\n\n"
        f"{table}\n"
    )


if __name__ == "__main__":
    main()
