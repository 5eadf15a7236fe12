# Every target sets up first: a .venv from constraints.txt, by uv when it is there, by pip otherwise. Safe to repeat.
PYTHON ?= python3
WORKERS ?= 2
QUESTIONS ?= 1050
BENCHES ?=
BIN := .venv/bin
READY := .venv/.ready
install = if command -v uv >/dev/null 2>&1; then \
	  uv pip install --quiet --python $(BIN)/python --constraints constraints.txt --editable '$(1)'; \
	else $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '$(1)'; fi

.PHONY: setup demo chat test coverage lint bench results docs constraints audit sbom clean

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

coverage: setup  ## the suite once more, counting the lines it runs in each room; slower, so CI does not
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov --cov-report=
	@for room in agent tools models imaging evals ui; do \
	  printf '%-8s ' $$room; $(BIN)/coverage report --format=total --include="$$room/*"; done

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup  ## the speed benches anew (BENCHES="ask cold" for some), into docs/performance.md with machine and date
	$(BIN)/python -m evals.speed suite $(BENCHES) --out docs/bench.json
	$(BIN)/hilum docs

results: setup  ## the agent's quality tables anew: planning, lies, passages, PhantomBench with its baselines; minutes to hours
	$(BIN)/hilum eval planning --part held-out --json
	$(BIN)/python -m evals.lying
	$(BIN)/python -m evals.knowledge
	$(BIN)/hilum eval phantombench --n $(QUESTIONS) --log-dir logs/results --json
	$(BIN)/hilum eval phantombench --n $(QUESTIONS) --log-dir logs/results --baseline chance --json
	$(BIN)/hilum eval phantombench --n $(QUESTIONS) --log-dir logs/results --baseline majority --json
	$(BIN)/hilum eval report $$(ls -tr logs/results/phantombench-*/run.json | tail -n 3 | xargs -n 1 dirname) --out logs/results/report
	cp logs/results/report/results.md docs/results.md
	$(BIN)/hilum eval report docs/runs/* --out docs

docs: setup  ## the pages as a site in out/site, API reference from docstrings; no network
	$(BIN)/hilum docs --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

constraints:  ## resolve the pins anew (needs uv)
	uv pip compile --quiet pyproject.toml --extra dev --extra audit --output-file constraints.txt --python-version 3.11 --upgrade \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links

audit: sbom  ## bandit over the code, the packages' licences, the pinned packages against the advisories (needs a network)
	@$(BIN)/bandit --quiet --configfile pyproject.toml --severity-level medium --recursive \
	  app.py agent evals imaging models prompts tools ui && echo 'code: bandit has no finding of medium or high severity.'
	@rm -f out/advisories.json
	@$(BIN)/pip-audit --disable-pip --no-deps --requirement constraints.txt --format json --progress-spinner off \
	  --output out/advisories.json >/dev/null || true
	@$(BIN)/python deploy/packages.py out/sbom.json out/advisories.json

sbom: setup  ## what is installed, as CycloneDX JSON: out/sbom.json
	@$(call install,.[audit])
	mkdir -p out
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file out/sbom.json $(BIN)/python

clean:
	rm -rf .venv out
