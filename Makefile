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
.PHONY: run test test-long test-busy test-pythons simulate simulate-plants simulate-determinism \
	simulate-coverage simulate-lines mutants kills framing fuzz setup check bench bench-growth bench-peers lock clean

run: $(VENV)/installed
	@exec $(BIN)/python runtime.py $(ARGS)

# Side by side, four worker processes on two cores: much of a test's time is waiting for another
# process. A file's tests go to one worker, which makes what they share
# once; tests/conftest.py says in which order. A worker that had to be ended, with all of its stacks,
# ends the run.
WORKERS ?= $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) * 2 )))
# Compiled modules are kept, in the environment's folder and not beside the sources, whatever the
# shell says of them: hundreds of tests start a process, and each would compile all of it again.
CACHED = PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(abspath $(VENV))/pycache
PYTEST = $(CACHED) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
	--max-worker-restart 0

test: $(VENV)/installed-dev
	$(PYTEST) $(ARGS)

# What is too long for `make test`: most is the long version of what is there, Hypothesis with more
# examples. Some may take as long as half an hour on a busy machine: the backstop comes behind their
# own limit.
test-long: $(VENV)/installed-dev
	$(PYTEST) -m "long or hypothesis or sampled" --hypothesis-profile thorough \
		-o faulthandler_timeout=2000 $(ARGS)

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

# Which lines five hundred seeds run, of what they can run: at least 93 %, and the rest by name.
simulate-lines: $(VENV)/installed-dev
	@exec $(BIN)/python -m tests.simulation.line_coverage $(ARGS)

# The code with one safeguard or rule changed at a time, each searched for in 2,000 schedules: hours.
# What was found, and what was not, goes into docs/SIMULATION.md.
mutants: $(VENV)/installed-dev
	@exec $(BIN)/python -m tests.mutants $(ARGS)

# SIGKILLs under load for some minutes, then what was acknowledged against the files, by plain SQL.
kills: $(VENV)/installed-dev
	@exec $(BIN)/python -m tests.campaigns.kills $(ARGS)

# Where a request ends, some 250 cases at a real process; and some minutes of anything at one:
# make fuzz ARGS="--seconds 600 --seed 7"
framing: $(VENV)/installed-dev
	@exec $(BIN)/python -m tests.http_edge.framing $(ARGS)

fuzz: $(VENV)/installed-dev
	@exec $(BIN)/python -m tests.http_edge.fuzz $(ARGS)

# Beside eight busy loops, twice in a row: what passes only where nothing else runs is mended.
BUSY := import time; end = time.monotonic() + 7200\nwhile time.monotonic() < end: pass
test-busy: $(VENV)/installed-dev
	@pids=""; trap 'kill $$pids 2>/dev/null' EXIT; trap 'exit 1' INT TERM; \
	for _ in 1 2 3 4 5 6 7 8; do $(BIN)/python -c "$$(printf '$(BUSY)')" & pids="$$pids $$!"; done; \
	for _ in 1 2; do $(PYTEST) $(ARGS) || exit 1; done

# On every Python from 3.11 on that is on the path or pyenv's, but for EXCEPT=3.12, each in an
# environment of its own. Once these are there, a test compares what a seed comes to on all of them.
PYTHONS = $(shell for minor in 11 12 13 14; do \
	for python in python3.$$minor $(HOME)/.pyenv/versions/3.$$minor.*/bin/python; do \
	"$$python" -c "$(PROBE)" >/dev/null 2>&1 && echo "3.$$minor=$$python" && break; done; done; true)
test-pythons:
	@for each in $(filter-out $(EXCEPT)=%,$(PYTHONS)); do \
		$(MAKE) setup VENV=.venv-$${each%%=*} PYTHON="$${each#*=}" || exit 1; done
	@failed=""; for each in $(filter-out $(EXCEPT)=%,$(PYTHONS)); do \
		echo "== Python $${each%%=*}"; \
		$(MAKE) test VENV=.venv-$${each%%=*} PYTHON="$${each#*=}" || failed="$$failed $${each%%=*}"; \
	done; test -z "$$failed" || { echo "failed on Python$$failed" >&2; exit 1; }

setup: $(VENV)/installed-dev

check: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .

bench: $(VENV)/installed-bench
	$(BIN)/python -m tests.benchmarks $(ARGS)

# A thousand services, ten million rows, a million waiting messages: some twenty minutes, and 3 GB
# of disk.
bench-growth: $(VENV)/installed-bench
	$(BIN)/python -m tests.benchmarks.growth $(ARGS)

# What the benchmarks' peer is built of and runs on: the database's program alone, and no service of
# the machine's. Without them `make bench` says of its rows that they were not measured.
bench-peers:
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends golang-go golang-github-gorilla-mux-dev \
		golang-github-go-sql-driver-mysql-dev mariadb-server-core mariadb-client-core

# A stamp, and not the venv's folder, marks a finished installation: an interrupted one starts over.
# requirements-dev.txt holds all of requirements.txt, so that `make test` installs once.
$(VENV)/installed: $(BIN)/python requirements.txt
	@echo "Installing into $(VENV), once: $$(grep -c == $(filter %.txt,$^)) packages, some twenty seconds ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/installed-dev: $(BIN)/python requirements-dev.txt
	@echo "Installing into $(VENV), once: $$(grep -c == $(filter %.txt,$^)) packages, some twenty seconds ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/installed

# And requirements-bench.txt all of requirements-dev.txt.
$(VENV)/installed-bench: $(BIN)/python requirements-bench.txt
	@echo "Installing into $(VENV), once: $$(grep -c == $(filter %.txt,$^)) packages, some twenty seconds ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt
	@touch $@ $(VENV)/installed-dev $(VENV)/installed

$(BIN)/python:
	@test -n "$(PYTHON)" || { \
		echo "Python 3.11 or newer with its venv module is needed, and none was found."; \
		echo "Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.13;"; \
		echo "or say where it is: make PYTHON=/path/to/python3.13"; exit 1; } >&2
	@"$(PYTHON)" -c "$(PROBE)" || { \
		echo "$(PYTHON) is not Python 3.11 or newer with its venv module."; exit 1; } >&2
	@echo "Making $(VENV) with $(PYTHON), once: some five seconds ..."
	@"$(PYTHON)" -m venv --clear $(VENV)

# Pins what pyproject.toml asks for. The index is PyPI's own and no pip configuration counts, so
# that the hashes are those of every file PyPI holds and run on every platform. setuptools, which pip
# takes for unsafe to pin, is asked for by a package: with hashes all must be pinned.
LOCK_OPTIONS := --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url \
	--no-emit-trusted-host --no-emit-find-links
LOCK_ENVIRONMENT := env -u PIP_FIND_LINKS -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL \
	PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND="make lock"
lock:
	"$(PYTHON)" -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet pip-tools
	$(LOCK_ENVIRONMENT) $(VENV)/lock/bin/pip-compile $(LOCK_OPTIONS) --extra load --extra tweets -o requirements.txt \
		pyproject.toml
	$(LOCK_ENVIRONMENT) $(VENV)/lock/bin/pip-compile $(LOCK_OPTIONS) --extra load --extra tweets --extra dev -c requirements.txt \
		-o requirements-dev.txt pyproject.toml
	$(LOCK_ENVIRONMENT) $(VENV)/lock/bin/pip-compile $(LOCK_OPTIONS) --extra load --extra tweets --extra dev --extra bench \
		-c requirements-dev.txt -o requirements-bench.txt pyproject.toml

clean:
	rm -rf $(VENV) .venv-3.* .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
