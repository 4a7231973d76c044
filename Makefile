# Everything a reader runs. Each target makes .venv first if it is missing; nothing outside this folder is touched.

PYTHON  ?= python3
PROFILE ?= embedded
SWEEP   ?= config/sweep.yml
CORES   ?= 2
PORT    ?= 8000
# GPU build of torch: detected, or say TORCH=gpu / TORCH=cpu.
TORCH   ?= $(shell command -v nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
# PyTorch's own index of CPU builds, for systems whose default build brings CUDA.
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu

VENV  ?= .venv
LOCK  ?= requirements.lock

BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
TORCH_VERSION = $(shell sed -n 's/^torch==//p' $(LOCK))
PIP   := $(BIN)/python -m pip --disable-pip-version-check
# What a user wrote, as one word of the shell whatever it holds.
quoted = '$(subst ','\'',$(1))'
# Parameters that reach every chapter which knows them: make book SUBJECT=gpt2 DEVICE=cuda DTYPE=bfloat16
GIVEN := $(foreach p,SUBJECT DEVICE DTYPE,$(if $($(p)),--set $(call quoted,$(shell echo $(p) | tr A-Z a-z)=$($(p)))))
SOME = $(if $(ONLY),--only $(foreach one,$(ONLY),$(call quoted,$(one))))
# On a cluster: a folder of profiles/ says how (EXECUTOR=slurm).
CLUSTER := $(if $(EXECUTOR),--executor $(call quoted,$(EXECUTOR)))

.DEFAULT_GOAL := help
.PHONY: help book sweep pdf chapter test minimum bench reference verify readme check audit format serve lock clean env

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null || sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1   \2/p' Makefile
	@echo "  options: PROFILE=embedded|norms|paper|smoke  SUBJECT=...  DEVICE=cuda  DTYPE=bfloat16  CORES=2  EXECUTOR=slurm"

env: $(STAMP)  ## make .venv from requirements.lock

$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than Python 3.11; say PYTHON=python3.11"; exit 2; }
	@test -x $(BIN)/python || { echo "making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "installing torch $(TORCH_VERSION) ($(TORCH)) and the packages of $(LOCK); a few minutes"
ifeq ($(TORCH),gpu)
	@$(PIP) install --quiet torch==$(TORCH_VERSION)
else
	@# The CPU build by its exact name, from wherever pip already looks, then from PyTorch; other systems have no other.
	@$(PIP) install --quiet --no-deps "torch==$(TORCH_VERSION)+cpu" 2>/dev/null \
	  || $(PIP) install --quiet --no-deps "torch==$(TORCH_VERSION)+cpu" --extra-index-url $(TORCH_CPU_INDEX) 2>/dev/null \
	  || $(PIP) install --quiet torch==$(TORCH_VERSION)
endif
	@$(PIP) install --quiet --no-deps --requirement $(LOCK)
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable . 2>/dev/null || $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

book: $(STAMP)  ## execute the chapters and build the book (SUBJECT=... builds another beside it, in _build/books)
	@exec $(BIN)/python scripts/book.py --tied --profile $(call quoted,$(PROFILE)) --cores $(call quoted,$(CORES)) $(CLUSTER) $(GIVEN)

sweep: $(STAMP)  ## run chapters for every subject, norm set and seed of config/sweep.yml (SWEEP=..., EXECUTOR=slurm)
	@exec $(BIN)/python scripts/sweep.py $(if $(SWEEP),$(call quoted,$(SWEEP))) --cores $(call quoted,$(CORES)) $(CLUSTER) $(if $(KEEP),--keep) --tied $(GIVEN)

pdf: $(STAMP)  ## print the built book into one file, _build/pdf/book.pdf (needs chromium)
	@$(BIN)/python scripts/pdf.py

chapter: $(STAMP)  ## execute one chapter: make chapter CHAPTER=residual-mixing SUBJECT=gpt2
	@$(BIN)/interp chapter $(call quoted,$(CHAPTER)) --profile $(call quoted,$(PROFILE)) $(GIVEN)

test: $(STAMP)  ## run the test suite
	@OMP_NUM_THREADS=1 INTERP_LOCK=$(LOCK) $(BIN)/python -m pytest -n $(CORES) --dist loadgroup $(ARGS)

# Old versions say what is out of date in their own dependencies; a warning of any other kind stays an error. In the
# environment, so that tests which run pytest themselves say the same.
OLD := -W ignore::DeprecationWarning -W ignore::SyntaxWarning
minimum:  ## run the test suite on the lowest versions pyproject.toml allows, in .venv-minimum
	@PYTEST_ADDOPTS="$(OLD)" $(MAKE) --no-print-directory test VENV=.venv-minimum LOCK=requirements-minimum.lock

bench: $(STAMP)  ## run the benchmarks that are not done yet: benchmarks/results.md (ARGS="--fresh", ARGS="--threads 2")
	@$(BIN)/python -m benchmarks.run $(ARGS)

reference: $(STAMP)  ## compute the committed results anew (hours; ONLY=minilm-mcrae-plsr or ONLY=chapter-residual-mixing for one)
	@exec $(BIN)/python scripts/reference.py --tied $(SOME)

verify: $(STAMP)  ## compute a sample of the committed results anew and compare (minutes; ALL=1 for everything, ONLY=... for one)
	@$(BIN)/python scripts/verify.py $(if $(ALL),--all) $(SOME)

readme: $(STAMP)  ## write what came out in the built book into README.md
	@$(BIN)/python scripts/readme.py

check: $(STAMP)  ## lint, format, types, chapters in their canonical form
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python scripts/canonical.py --check

audit: $(STAMP)  ## known vulnerabilities of the locked packages (asks PyPI; exceptions in docs/audit.md)
	@$(BIN)/python scripts/audit.py

format: $(STAMP)  ## bring code and chapters into their canonical form
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .
	@$(BIN)/python scripts/canonical.py

serve: $(STAMP)  ## look at the built book in a browser (PORT=8000, SUBJECT=... for that subject's)
	@case $(call quoted,$(PORT)) in ''|*[!0-9]*) echo "error: PORT is no number"; exit 2;; esac; \
	html=$$($(BIN)/python scripts/pages.py --where $(if $(SUBJECT),--subject $(call quoted,$(SUBJECT)))) || exit 2; \
	test -f "$$html/index.html" || { echo "error: there is no book in $$html yet; run make book$(if $(SUBJECT), with this SUBJECT)"; exit 2; }; \
	echo "http://localhost:$(PORT)  (Ctrl-C ends)"; $(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory "$$html" >/dev/null 2>&1

lock: $(STAMP)  ## resolve pyproject.toml anew into requirements.lock and environment.yml
	@$(BIN)/python scripts/lock.py

clean:  ## remove the built book, executed chapters and caches; keep .venv and the stored results
	@rm -rf _build book/chapters book/_static/views .snakemake .pytest_cache .mypy_cache .ruff_cache build *.egg-info
	@echo "kept: .venv, results (remove them by hand to start from nothing)"
