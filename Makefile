# Everything starts here; each target sets up what it needs. `make help` lists them.
.DEFAULT_GOAL := help
BIN := .venv/bin
STAMP := .venv/set-up-$(firstword $(shell cat requirements.txt pyproject.toml deploy/local/kafka.lock | cksum))

.PHONY: browser help setup up down status logs clean test test-fast lint bench drills demo doctor docs

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## Virtual environment and jars, from the lock; instant when nothing changed

$(STAMP):
	@PYTHON="$(PYTHON)" deploy/local/setup.sh $(STAMP)

up: setup ## Start the whole stack; idempotent
	@$(BIN)/evergreen up

down: ## Stop make up's stack and the demo's; leaves no process
	@[ ! -x $(BIN)/evergreen ] || $(BIN)/evergreen down $(if $(EVERGREEN_HOME),,--all)

status: setup ## State of every part, addresses, logins
	@$(BIN)/evergreen status

logs: setup ## Follow every log (SERVICES="kafka intake" for some)
	@$(BIN)/evergreen logs --follow $(SERVICES)

clean: setup ## Stop the stack and delete its data (asks; YES=1 does not)
	@$(BIN)/evergreen clean $(if $(YES),--yes)

doctor: setup ## Name what is wrong and the remedy
	@$(BIN)/evergreen doctor

lint: setup ## Linter, formatter, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

browser: ## A Chromium for the browser tests, where this account may install one
	@deploy/local/browser.sh

test: lint browser ## Linters and every test
	$(BIN)/pytest --ignore=tests/faults --durations=20

test-fast: setup ## Tests that need no service, in under a minute
	$(BIN)/pytest -m 'not connected and not slow and not browser'

bench: setup ## Measure serving beside its peers, intake and the policy (ONLY=single,video for some)
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only "$(ONLY)") $(if $(JSON),--json)

drills: setup ## Fault drills on real parts: kill -9 of every process during the story and promotions
	$(BIN)/pytest -s tests/faults

demo: setup ## The story from nothing: drift found, retrained, promoted (DATA=folder plays real lists; DRILL=bad-model)
	@$(BIN)/evergreen demo $(if $(DATA),--data "$(DATA)") $(if $(DRILL),--drill $(DRILL))

docs: setup ## Generated references: topics, payload schemas, OpenAPI
	$(BIN)/python -m evergreen.contracts.schemas docs/reference
	$(BIN)/python -m serving.openapi docs/reference/openapi.json
