# Everything builds on `make install`, which makes .venv.
BIN := .venv/bin
SCREEN := bash tools/with_screen.sh

.PHONY: install demo test lint bench sample clean

install: .venv/installed

# Loops over pixels are compiled once here, for all types of counts.
.venv/installed: pyproject.toml constraints.txt tools/system_libraries.sh tools/find_python.sh \
  tools/compile_loops.py
	bash tools/system_libraries.sh
	"$$(bash tools/find_python.sh)" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[all,dev]"
	$(BIN)/python tools/compile_loops.py .venv/first
	touch .venv/installed

demo: install
	$(BIN)/lithium-alloy demo --out demo-output

# Two at a time, the tests of a module together: they share what they were made from.
test: install
	$(SCREEN) $(BIN)/python -m pytest -n 2 --dist loadscope

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate napari-lithium-alloy

# SEEDS=200 shortens the tables that run over 2000 seeds.
bench: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench]"
	$(SCREEN) $(BIN)/python -m benchmarks

# Makes sample_data anew; its bytes are the same on every run.
sample: install
	$(BIN)/python -m napari_lithium_alloy.sample_data sample_data

clean:
	rm -rf .venv demo-output build dist
