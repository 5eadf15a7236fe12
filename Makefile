# Every target sets up first: a .venv from constraints.txt, by uv when it is there, by pip otherwise. Safe to repeat.
PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup demo chat test lint bench constraints audit sbom clean

setup: $(READY)

$(READY): constraints.txt pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python ">=3.11" .venv && \
	  uv pip install --python $(BIN)/python --constraints constraints.txt --editable '.[dev]'; \
	else \
	  $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'; \
	fi
	@touch $(READY)

demo: setup  ## two questions about a synthetic film with known truth; writes to out/
	$(BIN)/hilum demo --out out

chat: setup  ## the chat on http://127.0.0.1:7860
	$(BIN)/hilum chat

test: setup  ## the whole suite, by WORKERS processes of one thread each; what it leaves out is listed with the reason
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m evals.speed ask --json

constraints:  ## resolve the pins anew (needs uv)
	uv pip compile pyproject.toml --extra dev --output-file constraints.txt --python-version 3.11 --upgrade \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links

audit: setup  ## bandit over the code, then the pinned packages against the advisories (needs a network)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[audit]'
	$(BIN)/bandit --quiet --configfile pyproject.toml --severity-level medium --recursive \
	  app.py agent evals imaging models prompts tools ui
	$(BIN)/pip-audit --disable-pip --no-deps --requirement constraints.txt

sbom: setup  ## what is installed, as CycloneDX JSON: out/sbom.json
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[audit]'
	mkdir -p out
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file out/sbom.json $(BIN)/python

clean:
	rm -rf .venv out
