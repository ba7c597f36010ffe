# Siren. `make run` starts a node, `make test` installs what the tests need and runs them all.

GO       ?= go
FUZZTIME ?= 30s
ADDR     ?= :3000
PREFIX   ?= /usr/local
# VCS=false builds without the commit, where git refuses to tell it.
VCS      ?= auto
# Binaries are static, stripped and reproducible: no C, no paths of this machine, and the commit if there is one.
BUILD    := CGO_ENABLED=0 $(GO) build -buildvcs=$(VCS) -trimpath -ldflags "-s -w"
# The e2e tests use Debian's Chromium, where there is one; npm keeps its packages in e2e/node_modules.
FIXTURE  := bin/fixture
SIREN    := bin/siren
NETHTTP  := bin/nethttp

.PHONY: run build siren install dist test unit race soak e2e lint bench fuzz cover clean

run: siren ## start a node on :3000 with the demo page
	@$(SIREN) serve --addr $(ADDR)

build: siren ## bin/siren and what the tests need: static, stripped, reproducible
	$(BUILD) -o $(FIXTURE) ./cmd/fixture
	$(BUILD) -o $(NETHTTP) ./examples/nethttp
	$(BUILD) -o bin/ ./examples/chat ./examples/livelist

siren:
	$(BUILD) -o $(SIREN) ./cmd/siren

install: siren ## the command, its manual page and completions, below DESTDIR and PREFIX
	install -D -m 755 $(SIREN) $(DESTDIR)$(PREFIX)/bin/siren
	mkdir -p $(addprefix $(DESTDIR)$(PREFIX)/share/,man/man1 bash-completion/completions zsh/site-functions fish/vendor_completions.d)
	$(SIREN) man > $(DESTDIR)$(PREFIX)/share/man/man1/siren.1
	$(SIREN) completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/siren
	$(SIREN) completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_siren
	$(SIREN) completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/siren.fish

dist: siren ## archives for linux, amd64 and arm64, with checksums and bills of materials, in dist/
	rm -rf dist && mkdir -p dist/build/files/man dist/build/files/completions
	cp -r LICENSE CHANGELOG.md README.md deploy dist/build/files
	$(SIREN) man > dist/build/files/man/siren.1
	$(SIREN) config init > dist/build/files/siren.yaml
	for shell in bash zsh fish; do $(SIREN) completion $$shell > dist/build/files/completions/siren.$$shell || exit 1; done
	for arch in amd64 arm64; do \
	  GOOS=linux GOARCH=$$arch $(BUILD) -o dist/build/linux_$$arch/siren ./cmd/siren || exit 1; done
	$(GO) run ./cmd/dist -out dist -files dist/build/files dist/build/linux_*/siren
	rm -rf dist/build && cat dist/SHA256SUMS

test: lint race e2e ## everything that must pass

unit:
	$(GO) test ./...

race:
	$(GO) test -race -timeout 10m ./...

# The tests that SIREN_SOAK repeats or makes longer, by a part of their name, and their packages.
SOAK_TESTS := Close|Terminate|DrainUnderTraffic|TestRestart$$|ScrapeOfManyClients|DeafScrape
SOAK_TESTS := $(SOAK_TESTS)|Survives|SlowReader|BlockedConnections|HostileClients
SOAK_TESTS := $(SOAK_TESTS)|RecoverySoak|TestModelOf
SOAK_TESTS := $(SOAK_TESTS)|FrozenBroker|FailuresSoak
SOAK_PACKAGES := ./poller ./server ./cmd/siren ./room/cluster/nats

soak: ## 20 times each: nothing is lost at an end, a restart, or when connections are cut; little memory is enough; slow connections are served as soon as net/http's
	SIREN_SOAK=20 $(GO) test -count=1 -timeout 90m -v -run '$(SOAK_TESTS)' $(SOAK_PACKAGES)
	SIREN_SOAK=20 $(GO) test -count=20 -timeout 60m -run 'Log|Cut|Lost|Frozen|Restart|Kill|Down|Redis|Slot|Sentinel' ./room/cluster/redis

e2e: build
	cd e2e && npm ci --no-progress
	cd e2e && SIREN_BIN=$(CURDIR)/$(SIREN) FIXTURE_BIN=$(CURDIR)/$(FIXTURE) NETHTTP_BIN=$(CURDIR)/$(NETHTTP) npm test

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not formatted: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags assert ./...
	GOARCH=arm64 $(GO) vet ./...
	GOOS=darwin $(GO) vet ./...

bench: ## micro benchmarks of every package
	$(GO) test -run '^$$' -bench . -benchmem ./...

fuzz: ## each fuzz test for FUZZTIME
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg; \
	  done; done

cover:
	$(GO) test -coverpkg=./codec/...,./poller/...,./room/...,./server/...,./session/... -coverprofile=coverage.out ./...
	$(GO) tool cover -func=coverage.out | tail -1

clean:
	rm -rf bin dist coverage.out
