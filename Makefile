# `make audit`, `make learn` and `make test` need Python 3.11 or newer and nothing else: each makes .venv and
# installs there what it needs, at the versions of constraints.txt. An installation is repeated
# only when pyproject.toml or constraints.txt is newer than the stamp it left.

PYTHON ?= python3
JOBS ?= 2
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help audit learn test bench soak mutants lint clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

audit: .venv/.audit  ## every claim of the papers, and the catalogue against its truth table
	$(BIN)/mechkit audit --save audit

learn: .venv/.learn  ## a small table of learners on dmsb beside its optimum, in minutes
	$(BIN)/mechkit learn dmsb --learner ppo --learner sac --learner discrete-sac \
		--learner diffusion --seeds 5 --steps 30000 --save learn
	$(BIN)/mechkit compare learn --plot learn/table.png --html learn/table.html --json > learn/table.json

test: .venv/.test  ## run the tests; skips are printed, warnings are errors
	$(BIN)/python -m pytest -n $(JOBS)

bench: .venv/.test  ## measure speed
	$(BIN)/python -m benchmarks

soak: .venv/.core  ## search what holds ten times as long, with five seeds
	$(BIN)/mechkit audit --soak

mutants: .venv/.test  ## change sound rules by program, and judge every property four ways
	$(BIN)/python -m benchmarks.mutants --jobs $(JOBS)

lint: .venv/.dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## remove .venv, builds and caches
	rm -rf .venv audit learn build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit("mechkit needs Python 3.11 or newer, and $(PYTHON) is %d.%d: run make PYTHON=python3.12" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.core: .venv/.created pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

.venv/.audit: .venv/.created pyproject.toml constraints.txt
	$(PIP) --editable '.[prove,solve]'
	@touch .venv/.core $@

# torch by itself and first: what depends on it must not choose another build of it.
.venv/.learn: .venv/.created pyproject.toml constraints.txt
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[learn,plot,solve]'
	@touch .venv/.core $@

.venv/.test: .venv/.created pyproject.toml constraints.txt
	$(PIP) --editable '.[test]'
	@touch .venv/.core .venv/.audit $@

.venv/.dev: .venv/.created pyproject.toml constraints.txt
	$(PIP) --editable '.[dev]'
	@touch .venv/.core .venv/.audit .venv/.test $@
