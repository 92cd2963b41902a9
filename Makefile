# Two commands matter: `make run` opens the dashboard, `make test` checks everything.
# All paths are relative, so that the project may live in a folder whose name has spaces.
PYTHON ?= python3.11
PY := .venv/bin/python
STAMP := .venv/.installed
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false
# Waiting threads leave the cores to others; spinning ones made training many times slower on a busy machine.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: run install test quick lint browser bench peers screenshots sample clean

run: install
	$(PY) -m recsys_core.cli run

install: $(STAMP)

# torch goes in first and pinned: left to itself, pip would bring gigabytes of CUDA along.
$(STAMP): constraints.txt pyproject.toml
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[samples,test]"
	touch $(STAMP)

# A process a core; the tests of one file stay in one process, for what they share.
PYTEST := $(PY) -m pytest --numprocesses auto --dist loadfile

test: install browser lint
	$(PYTEST)

quick: install
	$(PYTEST) -m "not slow and not browser"

lint: install
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m pyright
	.venv/bin/lint-imports

# Debian's Chromium and a font with Chinese characters, for the tests in a real browser.
browser:
	@command -v chromium >/dev/null && fc-list | grep -qi cjk || \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-noto-cjk fontconfig) || \
	  (sudo apt-get update -qq && sudo apt-get install -y -qq chromium fonts-noto-cjk fontconfig)

screenshots: install browser
	$(PY) docs/screenshots.py --out docs/images

# The sample shop and its model, made again from the seed.
sample: install
	$(PY) -m recsys_core.actions.samples

# Without PARTS the quick benchmarks, which need no data: minutes. make bench PARTS=list says what there is, PARTS=all
# takes hours. Some need MovieLens, which may not be passed on: make bench PARTS="training cohort" ML100K=FOLDER ML1M=FILE
ML100K ?= ../shared/data/ml-100k
ML1M ?= ../shared/data/ml-1m/ml-1m.txt.gz
BENCH_HOME ?= .bench-home
PARTS ?=
bench: install $(if $(filter all training scoring metrics,$(PARTS)),peers)
	$(PY) -m benchmarks.run $(PARTS) --ml-100k "$(ML100K)" --ml-1m "$(ML1M)" --home "$(BENCH_HOME)"

# What speeds are compared with, in an environment of its own; torch first, or pip brings CUDA along.
PEERS := .venv-peers
peers: $(PEERS)/.installed

$(PEERS)/.installed: benchmarks/peers/requirements.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers/requirements.txt
	touch $(PEERS)/.installed

clean:
	rm -rf .venv .venv-peers .pytest_cache .ruff_cache .import_linter_cache *.egg-info
