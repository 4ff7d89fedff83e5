# Every command that a person or CI needs. Each prepares what it lacks; the first run takes a minute or two.

PYTHON ?= python3
PORT   ?= 4600
STAGE  ?= dev
# Node 20 works; jsii would fill the screen with its age.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION = 20
# Where `make run` keeps its state.
FOLDER ?= .local
PY     := .venv/bin/python
# Torch and transformers live apart: only the engine's tests and benchmarks are held against them.
REF    := .local/reference/bin/python

CONTEXT = $(if $(MOCK),--context mock=$(MOCK))
ENGINE_BENCH = $(filter engine% batch quality cascade,$(NAME))
HOSTED  = $(foreach each,MODEL WEIGHTS CHECKPOINT ENCODEC ENDPOINT,$(if $($(each)),--$(shell echo $(each) | tr A-Z a-z) $($(each))))

.DEFAULT_GOAL := help
.PHONY: help run weights reset test e2e check synth bench image certificate deployable development python

help:  ## list the commands
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):[^#]*## /\1|/' | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

run: development  ## run Cadenza on this machine [PORT=4600] [MOCK=silence]; MODEL=musicgen-small WEIGHTS=dir or MODEL=cascade CHECKPOINT=file ENCODEC=dir [ENDPOINT=gpu|async|serverless]
	@exec $(PY) -m local --port $(PORT) --folder $(FOLDER) $(CONTEXT) $(HOSTED)

weights: development  ## fetch a model's published weights [MODEL=musicgen-small] [WEIGHTS=dir]
	@$(PY) -m local.environments engine
	@.local/engine/bin/python -m model_container.weights $(or $(MODEL),musicgen-small) $(or $(WEIGHTS),$(FOLDER)/weights/$(or $(MODEL),musicgen-small))

reset:  ## forget the jobs and audio that `make run` keeps
	@rm -rf $(addprefix $(FOLDER)/,state tmp bytecode outputs.json emulator.log)
	@echo "Forgotten."

test: development  ## run every test [ARGS=…]
	@$(PY) -m local.environments emulator engine reference deploy
	@$(PY) -m pytest -q -n 3 --dist loadgroup --ignore tests/engine $(ARGS)  # one waits for the emulated cloud
	@$(REF) -m pytest -q -n 2 tests/engine

e2e: development  ## run only the tests of the whole path, on the emulated cloud [ARGS=…]
	@$(PY) -m local.environments emulator
	@$(PY) -m pytest tests/local $(ARGS)

check: development  ## lint, format, types, layers, security
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m mypy --no-error-summary
	@$(PY) -m pytest -q tests/unit/test_layers.py
	@.venv/bin/hadolint model_container/Dockerfile
	@$(PY) -m bandit -q -r -c pyproject.toml app.py infra lambdas local

synth: deployable  ## write the templates that `npx cdk deploy` ships to cdk.out [STAGE=dev]
	@npx --no-install cdk synth --quiet --no-notices -c stage=$(STAGE)

bench: development  ## run one benchmark: NAME=service [ARGS=…]
	@$(PY) -m local.environments emulator $(if $(ENGINE_BENCH),reference)
	@$(if $(ENGINE_BENCH),$(REF),$(PY)) -m bench.$(subst -,_,$(NAME)) $(ARGS)

image: development  ## do what the model container's Dockerfile does, in a new folder, without Docker
	@$(PY) -m local.image

certificate: development  ## put a signing certificate into a deployed stage's secret [STAGE=dev] [ARGS=…]
	@$(PY) -m local.certify --stage $(STAGE) $(ARGS)

deployable: development  ## prepare `npx cdk deploy`
	@$(PY) -m local.environments cdk

development: python
	@$(PYTHON) -m local.environments development

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	|| { echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not that. Try make PYTHON=python3.12 …" >&2; exit 1; }
