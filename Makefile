# One entry for people and for CI. `make` alone lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo demo-down demo-failover demo-failover-down test lint generate tools bench soak simulate docs ready

CARGO ?= cargo
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/xiangyun
BIN := $(or $(CARGO_TARGET_DIR),target)/debug

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: ready ## Start a real three-centre cloud and walk through a request and an application
	@BIN=$(BIN) examples/demo.sh

demo-down: ## Remove every trace of the demo's cloud
	@BIN=$(BIN) examples/demo.sh down

demo-failover: ready ## Lose a centre under load: proof, measured RTO, the way back, and no double write
	@BIN=$(BIN) examples/demo-failover.sh

demo-failover-down: ## Remove every trace of that cloud
	@BIN=$(BIN) examples/demo-failover.sh down

test: ready tools ## Build everything and run every test: unit, property, scenario (root)
	@CARGO=$(CARGO) .ci/test

lint: ready ## Format, clippy, licences and sources of dependencies, stale generated files
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	@CARGO=$(CARGO) CACHE=$(CACHE) .ci/deny
	@CARGO=$(CARGO) .ci/stale

generate: ## Write what is generated from the code: definitions, boards, alerts, reference
	$(CARGO) run --quiet -p xiangyun -- crds --dir charts/xiangyun/crds
	$(CARGO) run --quiet -p xiangyun -- dashboards --dir dashboards/generated
	$(CARGO) run --quiet -p xiangyun -- reference --dir docs/reference

tools: ready ## Build the cloud's programs (Kubernetes, etcd, kwok) from the Go module proxy, once
	$(CARGO) build -p playground
	@$(BIN)/playground tools

bench: ready tools ## Measure on a real cloud, all or NAME=…; writes tests/bench/report.md (root)
	$(CARGO) build --release -p xiangyun
	$(CARGO) run --release -p tests --bin bench -- $(NAME)

soak: ready tools ## Random faults against a real cloud, 200 or RUNS=…; goes on where it was ended (root)
	$(CARGO) build --workspace --all-targets
	$(BIN)/soak $(or $(RUNS),200)

simulate: ready ## Look at a hundred thousand simulated provinces of the arbiter, or SEEDS=…
	SEEDS=$(or $(SEEDS),100000) $(CARGO) test --release -p arbiter --test simulation -- --nocapture

docs: ## Build the API documentation of the crates
	$(CARGO) doc --workspace --no-deps

ready: # What the machine must have; installed by apt where that is possible
	@.ci/ready
