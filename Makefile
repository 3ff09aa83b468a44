# Everything a person needs: `make demo` runs the main job, `make test` the tests. Each does its own set-up.
PYTHON ?= python3.11
VENV := .venv
AIRFLOW_VENV := .venv-airflow
KUBERNETES_VENV := .venv-kubernetes
UV := $(VENV)/bin/uv
RUN := $(VENV)/bin/python -m
# Two processes: tests of one file share fixtures, so they stay together.
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder
# Compiles the pins: hashed, and without naming where packages come from.
COMPILE := $(UV) pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11
CONTAINER_TOOL ?= $(if $(shell command -v podman),podman,docker)
VERSION = $(shell sed -n 's/^__version__.*"\(.*\)"$$/\1/p' darwin_core/__init__.py)
ACCELERATOR ?= cpu
IMAGE ?= darwin-mlops:$(VERSION)$(if $(filter gpu,$(ACCELERATOR)),-gpu)

.DEFAULT_GOAL := help
.PHONY: help demo test test-core test-airflow test-slow test-kubernetes test-container test-rgw compatibility check lint types imports format pins image golden clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.engine ## retrain a bank's credit-risk network, compact, prove, explain and publish it
	$(VENV)/bin/darwin demo $(DEMO_ARGS)

test: test-core test-airflow ## all tests but the slow ones

test-core: $(VENV)/.dev
	$(RUN) pytest $(PARALLEL) $(PYTEST_ARGS)

test-airflow: $(AIRFLOW_VENV)/.airflow $(VENV)/.dev ## tests of the Airflow provider, in an environment without TensorFlow
	DARWIN_PYTHON=$(CURDIR)/$(VENV)/bin/python $(AIRFLOW_VENV)/bin/python -m pytest -m "not slow and not airflow" tests/operators tests/pipelines/airflow $(PYTEST_ARGS)

test-slow: $(VENV)/.dev $(AIRFLOW_VENV)/.airflow ## tests that take minutes: browser, Kubeflow's local runner, a real Airflow
	$(RUN) pytest -m "slow or browser" $(PYTEST_ARGS)
	DARWIN_PYTHON=$(CURDIR)/$(VENV)/bin/python $(AIRFLOW_VENV)/bin/python -m pytest -m "slow or airflow" tests/operators tests/pipelines/airflow $(PYTEST_ARGS)

test-kubernetes: $(KUBERNETES_VENV)/.kubernetes ## tests of the launcher that drives Airflow's Kubernetes provider
	$(KUBERNETES_VENV)/bin/python -m pytest tests/operators/launchers/test_kubernetes.py $(PYTEST_ARGS)

compatibility: $(UV) ## load the provider under every Airflow and Python at hand, and write operators/COMPATIBILITY.md
	$(UV) tool run nox -s compatibility table

test-rgw: $(VENV)/.dev ## tests against a Ceph object gateway, where one is installed
	$(RUN) pytest -m rgw $(PYTEST_ARGS)

test-container: $(VENV)/.dev ## tests of the image and of pipelines on it, where podman runs; builds the image first
	$(RUN) pytest -m container -o timeout=900 $(PYTEST_ARGS)

check: lint types imports test ## all of the above: what a change must pass

lint: $(VENV)/.dev
	$(RUN) ruff format --check .
	$(RUN) ruff check .

types: $(VENV)/.dev
	$(RUN) mypy

imports: $(VENV)/.dev
	$(VENV)/bin/lint-imports

format: $(VENV)/.dev ## format the code and fix what can be fixed
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

pins: $(UV) ## make the hashed pins under requirements/ anew
	$(COMPILE) requirements/uv.in -o requirements/uv.txt
	$(COMPILE) pyproject.toml --extra engine --extra onnx --extra kfp --group dev -o requirements/dev.txt
	$(COMPILE) pyproject.toml --extra engine -c requirements/dev.txt -o requirements/engine.txt
	$(COMPILE) pyproject.toml --extra kfp -o requirements/kfp.txt
	$(COMPILE) pyproject.toml --extra airflow --group airflow-test -o requirements/airflow.txt
	$(COMPILE) pyproject.toml --extra airflow-kubernetes --group airflow-test -o requirements/kubernetes.txt
	$(COMPILE) requirements/image-tools.in -o requirements/image-tools.txt
	$(COMPILE) requirements/image-cpu.in pyproject.toml --extra engine -c requirements/engine.txt --overrides requirements/image.overrides --overrides requirements/image-cpu.overrides -o requirements/image-cpu.txt
	$(COMPILE) requirements/image-gpu.in pyproject.toml --extra engine -c requirements/engine.txt --overrides requirements/image.overrides -o requirements/image-gpu.txt

golden: $(VENV)/.dev ## make anew what tests hold still: compiled pipelines, the components' catalogue
	for name in compaction compaction-fan-out train-and-compact; do \
		$(RUN) darwin_pipelines.kubeflow_pipelines $$name tests/pipelines/kubeflow/$$name.yaml; done
	$(RUN) darwin_components.catalogue components/catalogue

image: ## build the image for Kubeflow, Docker and Kubernetes; ACCELERATOR=gpu, BASE_IMAGE=...
	$(CONTAINER_TOOL) build -f Containerfile -t $(IMAGE) --build-arg VERSION=$(VERSION) --build-arg ACCELERATOR=$(ACCELERATOR) \
		$(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) .

clean: ## remove environments and what the demo wrote
	rm -rf $(VENV) $(AIRFLOW_VENV) $(KUBERNETES_VENV) .nox .demo .cache

# One environment serves demo and tests; the test pins contain the engine's.
$(UV): requirements/uv.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(VENV)/.engine: requirements/engine.txt pyproject.toml $(UV)
	$(UV) pip install --quiet --python $(VENV)/bin/python --require-hashes -r requirements/engine.txt
	$(UV) pip install --quiet --python $(VENV)/bin/python --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.engine
	$(UV) pip install --quiet --python $(VENV)/bin/python --require-hashes -r requirements/dev.txt
	@touch $@

$(AIRFLOW_VENV)/.airflow: requirements/airflow.txt pyproject.toml $(UV)
	$(PYTHON) -m venv $(AIRFLOW_VENV)
	$(UV) pip install --quiet --python $(AIRFLOW_VENV)/bin/python --require-hashes -r requirements/airflow.txt
	$(UV) pip install --quiet --python $(AIRFLOW_VENV)/bin/python --no-deps --editable .
	@touch $@

$(KUBERNETES_VENV)/.kubernetes: requirements/kubernetes.txt pyproject.toml $(UV)
	$(PYTHON) -m venv $(KUBERNETES_VENV)
	$(UV) pip install --quiet --python $(KUBERNETES_VENV)/bin/python --require-hashes -r requirements/kubernetes.txt
	$(UV) pip install --quiet --python $(KUBERNETES_VENV)/bin/python --no-deps --editable .
	@touch $@
