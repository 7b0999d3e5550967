# Everything one does with a clone. `make demo` and `make test` set up what they need.
.PHONY: setup build demo serve test test-llm test-readers test-simulators test-clients test-page test-python wheel site check bench docs pack web

POPULACE_MODELS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/populace/models
export POPULACE_MODELS

setup:
	@scripts/setup.sh

build: setup
	cargo build --workspace

# The model is fetched while the program is compiled.
demo:
	@scripts/setup.sh --build
	@python3 scripts/models.py & models=$$!; cargo build --bin populace && wait $$models
	@scripts/demo.sh

# The people of the demo, over HTTP, until Ctrl-C.
serve: demo
	cargo run --bin populace -- serve

test: setup
	cargo test --workspace --all-targets
	cargo test --workspace --doc
	@# Who is drawn does not depend on how the crate was compiled: it is at level 3 above.
	cargo test --workspace --config 'profile.dev.package.populace-population.opt-level=0' --test people
	python3 -m unittest discover -s scripts

# A real model behind a real server: fetches a small one, and has it write four people (some minutes).
test-llm: setup
	python3 scripts/models.py llm
	POPULACE_REQUIRE_LLM=1 cargo test --workspace --test llm -- --nocapture

# Other programs read what Populace writes: pylance, DuckDB, Polars, pandas, datasets (installed once, into the cache).
test-readers: build
	python3 scripts/readers.py "$${CARGO_TARGET_DIR:-target}/debug/populace"

# Simulators and evaluation frameworks load the people that are exported for them (installed once, into the cache).
test-simulators: build
	python3 scripts/simulators.py "$${CARGO_TARGET_DIR:-target}/debug/populace"

# Other programs' clients get what they ask the server for: MCP's own, schemathesis, those of PostgreSQL (installed once, into the cache).
test-clients: build
	python3 scripts/clients.py "$${CARGO_TARGET_DIR:-target}/debug/populace"

# A headless Chromium uses each view of the page; screenshots come into target/page (Node's packages are installed once).
test-page: build
	python3 scripts/page.py "$${CARGO_TARGET_DIR:-target}/debug/populace" "$${CARGO_TARGET_DIR:-target}/page"

# The Python module, with the engine inside, into target/wheels.
wheel: setup
	python3 scripts/python.py wheel

# The same as a debug build, installed into a fresh environment, and used from Python (pandas and others are installed once).
test-python: setup
	python3 scripts/python.py test

# The documentation as a site, into target/site, with three notebooks that are run for it (mkdocs and others are installed once).
site: setup
	python3 scripts/site.py

# The files of the page, from web/src; they are committed, so that nothing else needs Node.
web:
	python3 scripts/page.py --build

check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# The references of the functions and of the server, from what they say of themselves; tests hold them to that.
docs:
	POPULACE_WRITE_DOCS=1 cargo test --workspace --lib the_reference
	POPULACE_WRITE_DOCS=1 cargo test --test serve what_may_be_asked

bench: setup
	cargo bench --workspace

# Refits the packs to their figures.
pack:
	for country in datasets/*/; do cargo run -p populace-population --example compile -- $$country || exit 1; done
