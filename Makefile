# Two commands need nothing but make and Python 3.11: `make lab` runs the main job, `make test` the tests.
# `make bench` measures ours beside the libraries of the extra `bench`; `make bench ARGS=--quick` does so roughly.
# `make growth` shows how its figures grow with the handsets that share a process.
# `make fuzz` attacks the parsers for a while; `make fuzz ARGS="--seconds 60 sip_message"` one of them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
FUZZ_STAMP := $(VENV)/.installed-fuzz
ARGS ?=

# A lab behind a proxy has certificates of its own: trust what the system trusts.
export UV_SYSTEM_CERTS := 1
export UV_NATIVE_TLS := 1

.PHONY: lab test check format bench growth fuzz clean

lab: $(STAMP)
	$(BIN)/rcslab run $(ARGS)

test: $(STAMP)
	$(BIN)/pytest $(ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/robocop check robot tests/robot
	$(BIN)/robocop format --check --no-overwrite robot tests/robot

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/robocop format robot tests/robot

bench: $(BENCH_STAMP)
	$(BIN)/python -m benchmarks $(ARGS)

growth: $(BENCH_STAMP)
	$(BIN)/python -m benchmarks.growth $(ARGS)

fuzz: $(FUZZ_STAMP)
	cd tests && ../$(BIN)/python -m fuzz.run $(ARGS)

# $(1): the extra to install
define install
@if command -v uv >/dev/null 2>&1; then \
  [ -x $(BIN)/python ] || uv venv --quiet --python '>=3.11' $(VENV); \
  uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[$(1)]'; \
else \
  [ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV); \
  $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(1)]'; \
fi
@touch $@
endef

$(STAMP): pyproject.toml constraints.txt
	$(call install,dev)

$(BENCH_STAMP): pyproject.toml constraints.txt
	$(call install,bench)

$(FUZZ_STAMP): pyproject.toml constraints.txt
	$(call install,fuzz)

clean:
	rm -rf $(VENV) results .mypy_cache .ruff_cache .pytest_cache
