# Headwater. `make` alone prints this help.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# Shared by all clones, so that a fresh one builds only what is its own.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/headwater/target
export CARGO_TERM_COLOR ?= auto
# lld links our large debug binaries in a fraction of the default linker's time.
export RUSTFLAGS ?= -Clink-arg=-fuse-ld=lld
ARTIFACTS := $(CURDIR)/test-artifacts

.PHONY: environments first-steps mutants chaos drill latency outages soak waiters help setup run demo test check all-tests e2e-tests other-tests unit e2e sources browser interop conform api-test bench fuzz licenses fmt clean \
  build image push doctor deploy rotate delete drop-peer validate deploy-local-proof image-test

help: ## Print this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what is missing on this machine (run, test)
	@scripts/setup.sh test

run: ## Start both regions on this machine; Ctrl-C stops them (PORT_BASE=n moves the ports)
	@scripts/setup.sh run
	@cargo build --locked --workspace --bins
	@exec "$(CARGO_TARGET_DIR)/debug/headwater-local" run

first-steps: ## Do what a newcomer does, make run and make demo, and judge what plays
	@scripts/first-steps.sh

demo: ## Publish a test picture with clock and tone to the running stack
	@exec "$(CARGO_TARGET_DIR)/debug/headwater-local" demo

# Most tests wait for media, so two lanes fill two cores. The linters of the template read what the end-to-end tests called.
test: ## Everything CI runs: lints, unit and end-to-end tests, browser, proofs of the deployment (LANES=2 side by side)
	@scripts/setup.sh test && scripts/setup.sh deploy && scripts/setup.sh image
	@scripts/venv.sh deploy tests/deploy/requirements.txt >/dev/null && scripts/venv.sh aws-cli tests/deploy/aws-cli/requirements.txt >/dev/null
	@$(MAKE) --no-print-directory check
	cargo test --locked --workspace --no-run
	cargo build --locked --workspace --bins
	@EXAMPLES=$(or $(EXAMPLES),10) scripts/lanes.sh "e2e-tests validate" "other-tests" deploy-local-proof browser image-test api-test

check: licenses ## Formatting, lints, and what the crates are
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

# Always the whole workspace: with fewer packages cargo picks other features and builds the SDKs again.
all-tests: other-tests e2e-tests

e2e-tests:
	HEADWATER_ARTIFACTS=$(ARTIFACTS) cargo test --locked --workspace --no-fail-fast --test e2e

# All but e2e, which is the only one whose name begins so (local/stack/tests/architecture.rs).
other-tests:
	HEADWATER_ARTIFACTS=$(ARTIFACTS) cargo test --locked --workspace --no-fail-fast --lib --bins --examples --test '[!e]*'
	cargo test --locked --workspace --no-fail-fast --doc

unit: ## Quick tests: beside the code, and of the crates
	cargo test --locked --workspace --lib --bins

chaos: ## Simulate both regions with trouble drawn from SEEDS seeds (5000); a failing one is told and can be replayed
	HEADWATER_SEEDS=$(or $(SEEDS),5000) cargo test --locked --workspace --test simulation -- --nocapture

e2e: ## Tests of the running platform: real encoders, both regions, failures
	@scripts/setup.sh test
	cargo test --locked --workspace --no-run
	HEADWATER_ARTIFACTS=$(ARTIFACTS) cargo test --locked --workspace --test e2e

environments: ## The tests below e2e under another locale and time zone, as nobody, without IPv6 and network, on a busy machine (ONLY=name)
	@scripts/setup.sh test
	@scripts/environments.sh $(ONLY)

sources: ## Send odd sources through the product and print what viewers get of each; writes docs/sources.md
	@scripts/setup.sh test
	@scripts/sources.sh

browser: ## Tests of the player page in Chromium
	cd web && npm test --silent
	cd tests/browser && npm test --silent

# The engine that is there. buildah needs no daemon and no base images (scripts/image.sh).
ENGINE ?= $(firstword $(foreach engine,docker podman,$(shell command -v $(engine) >/dev/null && echo $(engine))) buildah)
IMAGE_TAG ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
# What this machine builds without help: its own processor's.
ARCHITECTURE ?= $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)
export ENGINE IMAGE_TAG ARCHITECTURE

image: ## Build the media container (IMAGE_TAG, ARCHITECTURE; with docker, podman or buildah)
	@python3 scripts/deployment check-engine
ifeq ($(ENGINE),buildah)
	@scripts/setup.sh image
	@scripts/image.sh headwater-transcoder:$(IMAGE_TAG)
else
	$(ENGINE) build --platform linux/$(if $(filter x86_64,$(ARCHITECTURE)),amd64,arm64) --file transcoder/Dockerfile \
	  --build-arg VERSION=$(IMAGE_TAG) --build-arg REVISION=$$(git rev-parse HEAD) --tag headwater-transcoder:$(IMAGE_TAG) .
endif

push: ## Push it to ECR in both regions (IMAGE_REPOSITORY, IMAGE_TAG, PRIMARY, SECONDARY)
	@python3 scripts/deployment push

image-test: ## Build the media container rootless, look into it, and run it as Fargate would
	@scripts/setup.sh image
	tests/image/run.sh

build: ## Build the functions for deployment (ARCHITECTURE=arm64|x86_64; default: this machine's)
	@scripts/setup.sh page
	sam build

doctor: ## Look at this machine and the AWS account before a deploy; changes nothing (IMAGE_TAG, PRIMARY, SECONDARY)
	@python3 scripts/deployment doctor

deploy: ## Deploy both regions (PRIMARY, SECONDARY, IMAGE_TAG, ARCHITECTURE, PARAMETERS; see docs/operations.md)
	@python3 scripts/deployment deploy

rotate: ## Rotate a secret of the deployment (SECRET=admin-token|origin-secret|signing-key)
	@python3 scripts/deployment rotate

delete: ## End all streams and delete both stacks, the secondary first (PRIMARY, SECONDARY); says what is left
	@python3 scripts/deployment delete

drop-peer: ## Go back to one region: leave and delete the secondary (PRIMARY, SECONDARY)
	@python3 scripts/deployment drop-peer

validate: ## Lint template.yaml and hold it against the code: sam validate, cfn-lint, checkov, tests/deploy
	@scripts/setup.sh deploy
	@[ -e $(ARTIFACTS)/calls.json ] || { cargo build --locked --workspace --bins && HEADWATER_ARTIFACTS=$(ARTIFACTS) cargo test --locked --workspace --test e2e access; }
	@HEADWATER_ARTIFACTS=$(ARTIFACTS) PATH="$$(scripts/venv.sh deploy tests/deploy/requirements.txt)/bin:$$PATH" tests/deploy/validate.sh

deploy-local-proof: ## Deploy both regions into an emulator and use them: real functions, gateway, transcoder
	@scripts/setup.sh deploy
	cargo build --locked --workspace --bins
	@deploy=$$(scripts/venv.sh deploy tests/deploy/requirements.txt) && cli=$$(scripts/venv.sh aws-cli tests/deploy/aws-cli/requirements.txt) && \
	  PATH="$$deploy/bin:$$cli/bin:$$PATH" "$$deploy/bin/python3" tests/deploy/proof.py

interop: ## Publish with OBS, play with ffmpeg, mpv, GStreamer, streamlink, VLC, hls.js and Shaka Player
	@scripts/setup.sh test
	cargo build --locked --workspace --bins
	scripts/interop.sh "$(CARGO_TARGET_DIR)/debug/headwater-local"

# What headwater-check needs more (--record, --decode, --json, --require RULE) goes into ARGS.
conform: ## Judge the stream at URL by the rules for HLS, watching it for WATCH seconds (PROFILE=live|watched|low-latency|recording)
	@cargo build --locked --workspace --bins --quiet
	@"$(CARGO_TARGET_DIR)/debug/headwater-check" "$(URL)" --watch $(or $(WATCH),10) $(if $(PROFILE),--profile $(PROFILE)) $(ARGS)

latency: ## Glass to glass: a clock in the picture, read back in Chromium for SECONDS (180); the limit is 3 s
	@scripts/setup.sh test
	cargo build --locked --workspace --bins
	tests/browser/latency.sh "$(CARGO_TARGET_DIR)/debug/headwater-local" $(or $(SECONDS),180)

drill: ## Break one part after the other in front of a person, in three minutes (ARGS="--only kill-gateway", ARGS=--json)
	@scripts/setup.sh run
	@cargo build --locked --workspace --bins
	@exec "$(CARGO_TARGET_DIR)/debug/headwater-drill" $(ARGS)

waiters: ## Let VIEWERS (2000) wait at the edge for each part of a low-latency stream, and count what the region is asked
	@scripts/setup.sh test
	cargo build --locked --workspace --bins
	HEADWATER_VIEWERS=$(or $(VIEWERS),2000) cargo test --locked --workspace --test e2e -- --nocapture waiters::

outages: ## Slow task starts, buckets and a table that are gone for SECONDS (60): what is lost, and what memory it costs
	@scripts/setup.sh test
	cargo test --locked --workspace --no-run
	HEADWATER_OUTAGE_SECONDS=$(or $(SECONDS),60) cargo test --locked --workspace --test e2e -- --nocapture --test-threads 1 \
	  stores::without hangs::both_buckets tasks::after_a_start_that_takes_long

soak: ## 1080p to four rungs for MINUTES (30), the encoder comes back 20 times: nothing may grow (ARGS="--reconnects 5")
	@scripts/setup.sh run
	cargo build --locked --release --workspace --bins
	"$(CARGO_TARGET_DIR)/release/headwater-soak" --minutes $(or $(MINUTES),30) $(ARGS)

api-test: ## Property-based test of the REST API against the running stack
	@scripts/setup.sh test
	cargo build --locked --workspace --bins
	tests/api/run.sh "$(CARGO_TARGET_DIR)/debug/headwater-local"

bench: ## Measure against peers in one run; writes docs/BENCHMARKS.md (PART=id measures one part again)
	@scripts/setup.sh bench
	cargo build --locked --release --workspace --bins
	"$(CARGO_TARGET_DIR)/release/headwater-bench" $(if $(PART),--only $(PART) --write)

fuzz: ## Fuzz all that reads what strangers send, for SECONDS (60) in all; by coverage with nightly and cargo-fuzz
	@scripts/fuzz.sh $(or $(SECONDS),60)

mutants: ## Measure the tests of CRATE (hls, rtmp, domain, task) by changing its code, or a part of it (SHARD=0/12); docs/mutants.md
	@HEADWATER_ARTIFACTS=$(ARTIFACTS) scripts/mutants.sh $(or $(CRATE),hls) $(SHARD)

# Advisories need RustSec's database from the network, so they are no part of `make test`.
licenses: ## Check licences, sources and duplicates of the crates by deny.toml; ADVISORIES=1 for known vulnerabilities, too
	@PATH="$$(scripts/venv.sh supply tests/supply/requirements.txt)/bin:$$PATH" \
	  cargo deny --locked check --hide-inclusion-graph $(if $(ADVISORIES),,bans licenses sources)

# What `sam build` calls for each function of template.yaml (BuildMethod: makefile).
build-LowLatencyFunction: # the program of PlaylistFunction, in places of its own
	@scripts/build-function.sh playlist

build-%Function:
	@scripts/build-function.sh "$$(echo $* | tr A-Z a-z)"

fmt: ## Format the code
	cargo fmt --all

clean: ## Remove build output and the local stack's data
	cargo clean
	rm -rf .headwater test-artifacts web/dist
