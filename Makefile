# Every target sets up what it needs first; `make help` lists them.
#
# Three environments, since their pins clash (docs/decisions.md): .venv for the code and its tests,
# .tools/sam for aws-sam-cli, .tools/emulator for the local AWS. `bench-detector` makes a fourth,
# .tools/bench, for the detectors that it compares with. .tools/python holds pip and uv, which fill
# the others from uv.lock. `fuzz` makes a fifth, .tools/fuzz, for the fuzzer.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BASE := .tools/python
UV := $(BASE)/bin/uv
BIN := .venv/bin
SAM := .tools/sam/bin/sam
STAMPS := .tools/stamps
LOCKED := pyproject.toml uv.lock
PYTHON_SOURCES := layers functions cli local tests benchmarks

# AWS tools must not wait for a metadata service or report home; sam's builds need this Python.
export AWS_EC2_METADATA_DISABLED := true
export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= eu-west-1
export UV_NO_PROGRESS := 1
export PLAYWRIGHT_BROWSERS_PATH := $(CURDIR)/.tools/browsers
export PATH := $(CURDIR)/$(BASE)/bin:$(PATH)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ------------------------------------------------------------------ setting up

$(UV):
	@command -v git >/dev/null || { echo "Weir needs git: install it." >&2; exit 1; }
	@python=$$(tools/find_python.sh) && echo "setup: with $$python" && \
		"$$python" -m venv --clear $(BASE) && \
		$(BASE)/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9

$(STAMPS)/venv: $(UV) $(LOCKED)
	@echo "setup: .venv"
	@$(UV) sync --quiet --frozen --python $(BASE)/bin/python
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/sam: $(UV) $(LOCKED)
	@echo "setup: aws-sam-cli"
	@UV_PROJECT_ENVIRONMENT=.tools/sam $(UV) sync --quiet --frozen --no-default-groups \
		--only-group sam --python $(BASE)/bin/python
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/emulator: $(UV) $(LOCKED)
	@echo "setup: the AWS emulator"
	@UV_PROJECT_ENVIRONMENT=.tools/emulator $(UV) sync --quiet --frozen --no-default-groups \
		--only-group emulator --python $(BASE)/bin/python
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/bench: $(UV) $(LOCKED)
	@echo "setup: the detectors to compare with"
	@UV_PROJECT_ENVIRONMENT=.tools/bench $(UV) sync --quiet --frozen --no-default-groups \
		--group peers --python $(BASE)/bin/python
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/fuzz: $(UV) $(LOCKED)
	@echo "setup: the fuzzer"
	@UV_PROJECT_ENVIRONMENT=.tools/fuzz $(UV) sync --quiet --frozen --group fuzz \
		--python $(BASE)/bin/python
	@mkdir -p $(STAMPS) && touch $@

# Where no browser can be had, the console's tests say so and skip.
$(STAMPS)/browser: $(STAMPS)/venv
	@if tools/install_browser.sh; then mkdir -p $(STAMPS) && touch $@; \
		else echo "setup: no browser could be installed; the console's tests will skip" >&2; fi

layers/weir/requirements.txt: $(LOCKED) $(STAMPS)/venv
	@$(UV) export --quiet --frozen --only-group layer --no-hashes --no-annotate --no-header \
		--output-file $@

.PHONY: setup
setup: $(STAMPS)/venv $(STAMPS)/sam $(STAMPS)/emulator ## Prepare .venv (with weir in its bin) and the tools

# ------------------------------------------------------------------ the main things

.PHONY: run
run: setup ## Start the local stack, stream a simulated fleet (or DATA=path.csv), show alerts; Ctrl-C ends
	@exec $(BIN)/weir run $(if $(DATA),--data "$(DATA)") $(RUN_OPTIONS)

.PHONY: up down status
up: setup ## Start the local stack and leave it running
	@$(BIN)/weir up
down: $(STAMPS)/venv ## Stop the local stack
	@$(BIN)/weir down
status: $(STAMPS)/venv ## Say what runs
	@$(BIN)/weir status

.PHONY: test test-fast
test: setup $(STAMPS)/browser ## Run every test: unit, integration (moto), end to end (the local stack)
	@$(BIN)/pytest $(PYTEST_OPTIONS)
test-fast: $(STAMPS)/venv ## Run the unit and integration tests
	@$(BIN)/pytest tests/unit tests/integration $(PYTEST_OPTIONS)

.PHONY: soak
soak: setup ## Post for minutes while everything fails in turn, and count (READINGS=n SEED=n JSON=path)
	@$(BIN)/python -m tests.soak $(if $(READINGS),--readings "$(READINGS)") \
		$(if $(SEED),--seed "$(SEED)") $(if $(JSON),--json "$(JSON)")

.PHONY: check
check: setup ## Formatting, lint, types, the template, and the committed requirements
	@echo "check: format" && $(BIN)/ruff format --quiet --check .
	@echo "check: lint" && $(BIN)/ruff check --quiet .
	@echo "check: types" && tools/check_types.sh
	@echo "check: layer requirements" && $(UV) export --quiet --frozen --only-group layer --no-hashes \
		--no-annotate --no-header | diff - layers/weir/requirements.txt
	@echo "check: lock file" && $(UV) lock --quiet --check
	@echo "check: template (sam validate)" && $(SAM) validate --region $(AWS_DEFAULT_REGION) >/dev/null
	@echo "check: template (sam validate --lint)" && \
		$(SAM) validate --lint --region $(AWS_DEFAULT_REGION) >/dev/null
	@echo "check: template (translated, cfn-lint)" && $(BIN)/python tools/lint_translated.py template.yaml

.PHONY: bench
bench: setup ## Measure the hot paths, with ratios against a floor and a peer (JSON=path writes figures)
	@$(BIN)/python -m benchmarks $(if $(JSON),--json "$(JSON)")

.PHONY: bench-alerts
bench-alerts: setup ## Measure alerts: how soon seen, told once, a storm, a week's chart (JSON=path)
	@$(BIN)/python -m benchmarks.alerts $(if $(JSON),--json "$(JSON)")

.PHONY: bench-detector
bench-detector: $(STAMPS)/bench ## Measure detection: NAB, peers, µs a point (DATA=../shared/data, JSON=path)
	@.tools/bench/bin/python -m benchmarks.detector "$(or $(DATA),../shared/data)" \
		$(if $(JSON),--json "$(JSON)")

.PHONY: fuzz
fuzz: $(STAMPS)/fuzz ## Fuzz all that reads what came from outside (SECONDS=600 each, ONLY="native influx")
	@.tools/fuzz/bin/python -m tests.fuzz --seconds $(or $(SECONDS),600) \
		$(if $(ONLY),--only $(ONLY)) $(if $(INPUT),--input "$(INPUT)")

.PHONY: screenshots
screenshots: $(STAMPS)/browser ## Take the pictures of the console for the documentation
	@$(BIN)/python -m tools.screenshots

.PHONY: invoke
invoke: setup ## Run one event: FUNCTION=ingest EVENT=events/ingest/array.json (in Docker if it answers)
	@$(BIN)/python tools/invoke.py "$(FUNCTION)" "$(EVENT)"

# ------------------------------------------------------------------ production

.PHONY: build deploy
build: $(STAMPS)/sam layers/weir/requirements.txt ## Build for AWS (sam build)
	@$(SAM) build --cached --parallel
deploy: build ## Deploy to AWS: CONFIG=default names an environment in samconfig.toml
	@$(SAM) deploy --config-env "$(or $(CONFIG),default)"

.PHONY: format clean
format: $(STAMPS)/venv ## Format the code and mend what ruff can
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --quiet --fix .
clean: ## Remove what was built and installed, and stop the local stack
	@test ! -x $(BIN)/weir || $(BIN)/weir down
	@rm -rf .aws-sam .weir .tools .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
