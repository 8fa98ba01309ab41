# On a fresh machine `make run` and `make test` need Python 3.11 or newer, make and git; no more.
# ARGS is passed on: make run ARGS="--set edge.gateway.port=0", make test ARGS="-k mailbox --seed 7"

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# The first one that runs (a pyenv shim may exist and fail), is new enough and can make a venv.
PROBE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	"$$python" -c "$(PROBE)" >/dev/null 2>&1 && echo "$$python" && break; done)

.DEFAULT_GOAL := run
.NOTPARALLEL:
.PHONY: run test simulate simulate-plants simulate-determinism \
	simulate-coverage framing fuzz setup check bench lock clean

run: $(VENV)/installed
	@exec $(BIN)/python runtime.py $(ARGS)

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest $(ARGS)

# Until something breaks, or for as long as ARGS say: make simulate ARGS="--hours 24"
simulate: $(VENV)/installed
	@exec $(BIN)/python runtime.py simulate $(ARGS)

# The long versions of what `make test` looks at: every planted bug from twenty starting seeds; a
# thousand seeds in two processes; five hundred whose kills strike at every crash point.
simulate-plants: $(VENV)/installed-dev
	@exec $(BIN)/python -m tests.simulation.planting $(ARGS)

simulate-determinism: $(VENV)/installed
	@exec $(BIN)/python runtime.py simulate --seeds 1000 --faults chaos --check-determinism $(ARGS)

simulate-coverage: $(VENV)/installed
	@exec $(BIN)/python runtime.py simulate --seeds 500 --cover $(ARGS)

# Where a request ends, some 250 cases at a real process; and some minutes of anything at one:
# make fuzz ARGS="--seconds 600 --seed 7"
framing: $(VENV)/installed-dev
	@exec $(BIN)/python -m tests.http_edge.framing $(ARGS)

fuzz: $(VENV)/installed-dev
	@exec $(BIN)/python -m tests.http_edge.fuzz $(ARGS)

setup: $(VENV)/installed-dev

check: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .

bench: $(VENV)/installed-bench
	$(BIN)/python -m tests.benchmarks $(ARGS)

# A stamp, and not the venv's folder, marks a finished installation: an interrupted one starts over.
# requirements-dev.txt holds all of requirements.txt, so that `make test` installs once.
$(VENV)/installed: $(BIN)/python requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/installed-dev: $(BIN)/python requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/installed

# And requirements-bench.txt all of requirements-dev.txt.
$(VENV)/installed-bench: $(BIN)/python requirements-bench.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt
	@touch $@ $(VENV)/installed-dev $(VENV)/installed

$(BIN)/python:
	@test -n "$(PYTHON)" || { \
		echo "Python 3.11 or newer with its venv module is needed, and none was found."; \
		echo "Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.13;"; \
		echo "or say where it is: make PYTHON=/path/to/python3.13"; exit 1; } >&2
	@"$(PYTHON)" -c "$(PROBE)" || { \
		echo "$(PYTHON) is not Python 3.11 or newer with its venv module."; exit 1; } >&2
	"$(PYTHON)" -m venv --clear $(VENV)

# Pins what pyproject.toml asks for. The index is PyPI's own and no pip configuration counts, so
# that the hashes are those of every file PyPI holds and run on every platform.
LOCK_OPTIONS := --quiet --generate-hashes --strip-extras --no-emit-index-url \
	--no-emit-trusted-host --no-emit-find-links
LOCK_ENVIRONMENT := env -u PIP_FIND_LINKS -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL \
	PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND="make lock"
lock:
	"$(PYTHON)" -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet pip-tools
	$(LOCK_ENVIRONMENT) $(VENV)/lock/bin/pip-compile $(LOCK_OPTIONS) -o requirements.txt pyproject.toml
	$(LOCK_ENVIRONMENT) $(VENV)/lock/bin/pip-compile $(LOCK_OPTIONS) --extra dev -c requirements.txt \
		-o requirements-dev.txt pyproject.toml
	$(LOCK_ENVIRONMENT) $(VENV)/lock/bin/pip-compile $(LOCK_OPTIONS) --extra dev --extra bench \
		-c requirements-dev.txt -o requirements-bench.txt pyproject.toml

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
