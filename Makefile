# waybill: `make` builds the extension (server headers only), `make world` the shipper too. `make help` lists the rest.
#
# Called from another directory, as `make -f …/Makefile`, it builds the extension there: one for each server version.

EXTENSION = extension/waybill
DATA = extension/waybill--1.0.sql
MODULE_big = waybill
ROOT := $(patsubst %/,%,$(dir $(firstword $(MAKEFILE_LIST))))
SOURCES = $(patsubst $(ROOT)/%,%,$(sort $(wildcard $(ROOT)/extension/*.cpp)))
OBJS = $(SOURCES:.cpp=.o)

MAJOR_VERSION = $(shell $(PG_CONFIG) --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
REGRESS = $(shell $(ROOT)/scripts/tests-for-version.sh $(MAJOR_VERSION) $(ROOT)/sql/*.sql)
REGRESS_OPTS = --load-extension=waybill
ISOLATION = $(shell $(ROOT)/scripts/tests-for-version.sh $(MAJOR_VERSION) $(ROOT)/test/isolation/specs/*.spec)
ISOLATION_OPTS = --inputdir=test/isolation --load-extension=waybill

EXTRA_CLEAN = $(SOURCES:.cpp=.d) $(BUILT_FOR) build output_iso

PG_CONFIG ?= pg_config
# PostgreSQL's headers as system headers, so that our warnings stay ours.
PG_CPPFLAGS = -isystem $(shell $(PG_CONFIG) --includedir-server) -MMD -MP
# PGXS adds flags of the compiler that it was built with; PostgreSQL's macros expand to GNU C.
CLANG_FLAGS = -Wno-unknown-warning-option -Wno-gnu-statement-expression -Wno-c99-extensions
PG_CXXFLAGS = -std=c++20 -fno-exceptions -fno-rtti -fvisibility=hidden -Wall -Wextra -Wpedantic -Wshadow \
	-Wconversion -Wold-style-cast -Wno-unused-parameter \
	-Wno-missing-field-initializers $(if $(WERROR),-Werror) \
	$(if $(findstring clang,$(CXX)),$(CLANG_FLAGS))

override with_llvm = no
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# From elsewhere only the sources are looked for here: objects may be another server's.
override VPATH =
vpath %.cpp $(ROOT)
vpath %.control $(ROOT)
vpath %.sql $(ROOT)

-include $(SOURCES:.cpp=.d)

# Which server the objects are for: those for another are made anew.
BUILT_FOR = extension/built_for
$(OBJS): $(BUILT_FOR)
SERVER := $(shell $(PG_CONFIG) --version) $(shell $(PG_CONFIG) --includedir-server)
ifneq ($(SERVER),$(file <$(BUILT_FOR)))
$(shell mkdir -p extension)
$(file >$(BUILT_FOR),$(SERVER))
endif

SHIPPER_MAKE = +$(MAKE) -f shipper/Makefile

.PHONY: world shipper format lint lint-boundary help

world: all ## the extension, the shipper and its tests
	$(SHIPPER_MAKE) all

shipper: ## build/waybill-shipper, build/waybill-mock-broker; RDKAFKA=bundled: with a current librdkafka, in build/bundled
	$(SHIPPER_MAKE) programs

.PHONY: fuzz
fuzz: ## build/fuzz/change_decoder, format, shape_parser and toml, with libFuzzer
	$(SHIPPER_MAKE) fuzz

clean: clean-shipper
.PHONY: clean-shipper
clean-shipper:
	$(SHIPPER_MAKE) clean

format: ## lay out all C++ files
	clang-format-14 -i $(SOURCES) $(wildcard extension/*.hpp)
	$(SHIPPER_MAKE) format

lint: lint-boundary lint-format lint-tidy ## all checks on the source

.PHONY: lint-format lint-tidy
lint-format:
	clang-format-14 --dry-run --Werror $(SOURCES) $(wildcard extension/*.hpp)
	$(SHIPPER_MAKE) lint-format

lint-tidy: $(SOURCES:%=lint-tidy-%)
	$(SHIPPER_MAKE) lint-tidy

# Without what PostgreSQL's macros and its longjmp make of the analysis.
TIDY_CHECKS = -clang-analyzer-*,-bugprone-sizeof-expression,-bugprone-implicit-widening-of-multiplication-result,$\
	-bugprone-narrowing-conversions
.PHONY: $(SOURCES:%=lint-tidy-%)
$(SOURCES:%=lint-tidy-%): lint-tidy-%:
	clang-tidy-14 --quiet --warnings-as-errors='*' --checks='$(TIDY_CHECKS)' $* -- $(PG_CPPFLAGS) \
		-std=c++20 -fno-exceptions -fno-rtti

lint-boundary: waybill.so ## prove on the object code that no PostgreSQL error can skip a destructor
	$(ROOT)/scripts/lint-boundary.sh "$(CXX)" "$(filter-out -MMD -MP,$(CXXFLAGS) $(CPPFLAGS))" $(SOURCES:%=$(ROOT)/%)

.PHONY: plain-producer
plain-producer: ## build/bench/raw_producer, with which the shipper is compared
	$(SHIPPER_MAKE) build/bench/raw_producer

.PHONY: bench
bench: ## all benchmarks, for hours: docs/benchmarks.md; scripts/bench.sh NAME runs one
	scripts/bench.sh

.PHONY: check-cassert
check-cassert: ## run the extension under a PostgreSQL with assertions, Valgrind and injected errors; not in scripts/test.sh
	scripts/check-cassert.sh

.PHONY: check-neighbours
check-neighbours: ## run PostgreSQL's own regression and isolation tests with every table captured; not in scripts/test.sh
	scripts/check-neighbours.sh

.PHONY: check-toolchains
check-toolchains: ## build and test with each compiler that is promised, arm64 too; not in scripts/test.sh
	scripts/check-toolchains.sh

help: ## this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24
