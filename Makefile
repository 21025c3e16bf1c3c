# The front door. `make run` opens the application, `make test` runs everything that CI runs; both do their own set-up.
# `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
CARGO_BUILD_JOBS ?=
export PATH := $(HOME)/.cargo/bin:$(PATH)

.PHONY: help run test check e2e desktop-report soak fuzz parity bench bench-peers clean-root screenshots

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: ## Set up what is missing, build, and open the window with the starter model
	@packaging/setup.sh run
	cargo run --release --locked --package onebit

test: ## Set up what is missing, then run every check and test that CI runs
	@packaging/setup.sh test
	packaging/test.sh

check: ## Formatting, lints and structure only
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo xtask tidy

e2e: ## The whole program under a private display and session bus: window, tray, kill, restart (a part of make test)
	packaging/e2e.sh

desktop-report: ## Start, idle cost and memory of the release build; writes packaging/reports/desktop.md
	packaging/desktop.sh

soak: ## 10,000 short requests with random cancels, then ten minutes of mixed load; writes packaging/reports/soak.md
	packaging/soak.sh

fuzz: ## Ten minutes per parser with libFuzzer (needs a nightly toolchain and cargo-fuzz); writes packaging/reports/fuzz.md
	packaging/fuzz.sh

parity: ## Remake the golden files with llama.cpp (builds it, about 8 minutes) and compare; writes packaging/reports/parity.md
	packaging/parity/run.sh

bench: ## This engine's speeds: the starter, SmolLM2 and the BitNet 2B-4T shape in every packing, one thread and two
	packaging/bench/own.sh

bench-peers: ## llama.cpp (built from source, about 8 minutes) and onebit in turns on the same files; writes packaging/reports/bench.md
	packaging/bench/run.sh

clean-root: ## As root: prove `make run` and `make test` in a fresh Debian (debootstrap); writes packaging/reports/clean-root.md
	packaging/clean-root.sh

screenshots: ## Draw every pane in both themes and two sizes into assets/screenshots (needs imagemagick)
	packaging/screenshots.sh
