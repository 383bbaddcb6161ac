# Two commands on a fresh machine: `make demo` and `make test`.
# Each makes its own virtual environment first; nothing else is needed.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# `make check BASE=main` checks all that a branch changes.
BASE ?= HEAD

.PHONY: help demo test check lint format docs docs-site example dist release bench chaos prior timm-prior latency-profiles clean
.DEFAULT_GOAL := demo

help:  ## show these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.demo  ## analyse VGG16, find a network of 300 M macs within a minute, lint it, write the report
	$(BIN)/archscope analyze specs/vgg16.yaml
	$(BIN)/archscope search --budget 300MFLOPs --name demo
	$(BIN)/archscope lint studies/demo/winner.yaml --exit-zero
	$(BIN)/archscope report studies/demo vgg16 resnet50 mobilenet_v2 shufflenet_v2_x1_0 -o reports/demo.html

test: $(VENV)/.dev  ## run all tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4

check: lint  ## check style and types, and run the tests of what changed since the last commit
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 $$($(BIN)/python tests/changed.py $(BASE))

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

docs-site: $(VENV)/.dev  ## build the manual as a site in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

example: $(VENV)/.dev  ## write the committed report of the zoo, and the pictures of the manual
	$(BIN)/archscope report $$($(BIN)/archscope zoo --format csv | tail -n +2 | cut -d, -f1) --title "The zoo" --plotlyjs cdn --date none -o reports/zoo.html
	$(BIN)/python docs/screenshots.py

dist: $(VENV)/.dev  ## build the wheel and the source distribution, and try both in empty environments
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(BIN)/python release.py try dist/*

release: dist  ## check version, changelog, tag and packages before a release
	$(BIN)/python release.py check

chaos: $(VENV)/.dev  ## kill trainings and searches at random moments, and compare what they come to
	$(BIN)/python benchmarks/chaos.py

timm-prior: $(VENV)/.dev  ## fit the prior for any CNN: TABLE=timm.csv, perhaps TORCHVISION=its.csv
	$(BIN)/python -m benchmarks.fit_timm_prior $(TABLE) $(if $(TORCHVISION),--torchvision $(TORCHVISION))

bench: $(VENV)/.dev  ## time archscope against other counters, in one run
	$(BIN)/python -m benchmarks.analyze

# TABLE has speeds that timm publishes, a row for each network and side, a column for each device.
latency-profiles: $(VENV)/.dev  ## fit the latency profiles that ship: TABLE=speeds.csv
	$(BIN)/python -m benchmarks.fit_latency_profiles $(TABLE)

# TABLE is nasbench results of Accel-NASBench, with a digit for each decision of the space `mnas`.
prior: $(VENV)/.dev  ## fit the prior of the search anew: make prior TABLE=table.csv
	$(BIN)/python -m benchmarks.fit_imagenet_prior $(TABLE)

clean:  ## remove the environment, builds and caches
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --constraint constraints.txt --editable '.[all]'
	$(BIN)/python -m compileall -q archscope
	@touch $@

# torchvision and timm, judges of our networks, come without their wish for a torch of their own.
$(VENV)/.dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	$(PIP) --constraint constraints.txt --no-deps torchvision timm
	$(BIN)/python -m compileall -q archscope
	@touch $@
