# Two commands on a fresh machine: `make demo` and `make test`.
# Each makes its own virtual environment first; nothing else is needed.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo test lint format docs bench clean

demo: $(VENV)/.demo  ## analyse VGG16
	$(BIN)/archscope analyze specs/vgg16.yaml

test: $(VENV)/.dev  ## run all tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4

lint: $(VENV)/.dev  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## put the code into the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.dev  ## make the pages that are made from code
	$(BIN)/archscope ops --all --format markdown -o docs/ops.md
	printf '# Operators\n\nMade by `make docs`.\n\n' | cat - docs/ops.md > docs/ops.tmp
	mv docs/ops.tmp docs/ops.md
	$(BIN)/archscope zoo --format markdown -o docs/zoo.md
	printf '# The zoo\n\nMade by `make docs`.\n\n' | cat - docs/zoo.md > docs/zoo.tmp
	mv docs/zoo.tmp docs/zoo.md
	$(BIN)/archscope rule --all --format markdown -o docs/rules.md
	printf '# Rules\n\nMade by `make docs`.\n\n' | cat - docs/rules.md > docs/rules.tmp
	mv docs/rules.tmp docs/rules.md

bench: $(VENV)/.dev  ## time archscope against other counters, in one run
	$(PIP) --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks.analyze

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --constraint constraints.txt --editable .
	$(BIN)/python -m compileall -q archscope
	@touch $@

# torchvision, a judge of our networks, is taken without its wish for a torch of its own.
$(VENV)/.dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	$(PIP) --constraint constraints.txt --no-deps torchvision
	$(BIN)/python -m compileall -q archscope
	@touch $@
