# Slipway: every command a developer needs. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Node 24, from the machine or from the npm registry; everything below runs on it.
NODE_BIN = $(shell scripts/bootstrap-node.sh)
export PATH := $(NODE_BIN):$(PATH)
# Cluster to use: auto (kind if Docker can run it, else local), kind, local, or current (your kubectl context).
export CLUSTER ?= auto

IN_CLUSTER = eval "$$(node test/cluster/cli.ts env)";

.PHONY: help registry demo test check types lint unit integration e2e bench bench-serving images crds cluster-up cluster-down cluster-status env down format install readme

help: ## List the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

node_modules/.package-lock.json: package-lock.json
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

check: node_modules/.package-lock.json ## Fast inner loop: types, lint, unit tests, layering (no cluster; two minutes and a half on two cores)
	@node scripts/check.ts

format: node_modules/.package-lock.json ## Format and fix what can be fixed
	@node scripts/biome.ts check --write .

crds: node_modules/.package-lock.json ## Regenerate the CRDs from the zod schemas
	@node operator/src/crd/generate.ts

cluster-up: ## Start (or repair) a cluster to work on
	@node test/cluster/cli.ts up

cluster-status: ## Say which cluster is in use and how it is
	@node test/cluster/cli.ts status

cluster-down: ## Stop the cluster and forget its state (binaries stay cached)
	@node test/cluster/cli.ts down

env: ## Print exports for the cluster in use: eval "$$(make -s env)"
	@node test/cluster/cli.ts env

images: node_modules/.package-lock.json cluster-up ## Build the images and load them into the cluster
	@$(IN_CLUSTER) node scripts/images.ts

install: images ## Install (or upgrade) the chart into the cluster
	@$(IN_CLUSTER) node scripts/install.ts

demo: install ## From nothing to a prediction, a second version, a switch and back
	@$(IN_CLUSTER) node scripts/demo.ts

readme: install ## Refresh the outputs shown in README and docs from a live cluster
	@$(IN_CLUSTER) node scripts/readme.ts && node scripts/docs.ts

integration: images ## Tests against real Postgres, MinIO and API server
	@$(IN_CLUSTER) node scripts/tests.ts integration

e2e: install ## End-to-end tests on Kubernetes
	@node test/cluster/cli.ts metrics || echo 'without metrics-server the test of autoscaling is skipped'
	@$(IN_CLUSTER) node scripts/tests.ts e2e

test: ## Everything that must hold
	@$(MAKE) check
	@$(MAKE) integration
	@$(MAKE) e2e

registry: node_modules/.package-lock.json ## The MLflow server alone, on this machine without Kubernetes: http://127.0.0.1:5000
	@node scripts/registry.ts

bench: install ## Measure what the documentation claims; prints figures with the machine they were made on
	@$(IN_CLUSTER) node scripts/bench.ts

bench-serving: node_modules/.package-lock.json ## The model server beside its peers, a quarter of an hour; writes docs/performance.md (ARGS=--grid: the grid, half an hour)
	@node scripts/bundle.ts serving-image
	@node bench/serving/main.ts $(ARGS)

down: cluster-down ## Remove everything that demo and test made
