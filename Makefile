# Disco: build, test, demo. Sources are found by pattern: a new file needs no line here. `make help` lists the
# targets: a comment of two signs at the end of a target's line is its help, at the start of a line a variable's.
#
# Objects depend on this file and on $(B)/flags, which changes when the compiler or a flag does: a build directory
# never mixes two sets of flags, and each variant (sanitizers, coverage, installation) has a directory of its own.

## V=1            show the commands
## SAN=1          address and undefined-behaviour sanitizers, under build/san
## CC=clang B=build/clang   another compiler beside the first
## OPT=-O0        other optimisation
## PREFIX=/usr/local DESTDIR=   where install puts things

CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
OPT     ?= -O2
WARN    := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wpointer-arith -Wundef -Wvla -Wwrite-strings
ifdef SAN
B       ?= build/san
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
B       ?= build
PREFIX  ?= /usr/local
COMPLETIONS := $(PREFIX)/share/bash-completion/completions
CPPFLAGS += -I. -I$(B) -D_GNU_SOURCE -DINSTRUMENTED=$(if $(SANFLAGS),1,0)
CFLAGS  += -std=gnu17 -g $(OPT) $(WARN) $(SANFLAGS) -ffp-contract=off -fno-strict-aliasing -pthread
LDFLAGS += $(SANFLAGS) -pthread
LDLIBS  += -lnuma -lseccomp -lfdt -ljansson -lconfig -lxxhash -lhwloc -lslirp -lm

SRC     := $(wildcard numa/*.c numa/*/*.c sharing/*.c monitor/*/*.c monitor/engine/*/*.c)
# The kvm engine is for VMs of this architecture.
ifneq ($(shell uname -m),x86_64)
SRC     := $(wildcard numa/*.c numa/*/*.c sharing/*.c monitor/*/*.c monitor/engine/*/*.c)
endif
MAIN    := monitor/cli/main.c
OBJ     := $(patsubst %.c,$(B)/%.o,$(filter-out $(MAIN),$(SRC)))
TESTS   := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/test-*.c))
ifneq ($(shell uname -m),x86_64)
TESTS   := $(filter-out $(B)/tests/test-kvm-%,$(TESTS))
endif

DIFFGEN := $(B)/tests/diff/generate
comma   := ,

all: $(B)/disco ## build/disco (default)

# Commands are shown with V=1, and else what they make: $(call say,KIND,NAME).
Q       := $(if $(filter-out 0,$(V)),,@)
say     = @mkdir -p $(@D); $(if $(Q),echo "  $1  $2")

# What a build directory was made with; written only when that changes, so what depends on it is made anew then.
$(B)/flags: export NOW = $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LDLIBS)
$(B)/objects: export NOW = $(OBJ)
$(B)/flags $(B)/objects: FORCE
	@mkdir -p $(@D); echo "$$NOW" | cmp -s - $@ || echo "$$NOW" >$@
BUILT_WITH := Makefile $(B)/flags

# What `disco --version` and the statistics say of this tree; written only when that changes.
$(B)/version-made.h: FORCE
	@mkdir -p $(@D); monitor/base/version.sh >$@.now; cmp -s $@.now $@ && rm $@.now || mv $@.now $@
$(B)/monitor/base/version.o: $(B)/version-made.h

$(B)/disco: $(B)/monitor/cli/main.o $(B)/libdisco.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/libdisco.a: $(OBJ) $(B)/objects
	$(call say,AR,$@)
	$(Q)rm -f $@; ar rcs $@ $(OBJ)

$(B)/%.o: %.c $(BUILT_WITH)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/%: $(B)/tests/%.o $(B)/tests/timeout.o $(B)/libdisco.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcheck -lsubunit -lrt $(LDLIBS)

REFERENCE := $(patsubst %,$(B)/tests/memsys-%.o,reference reference-tables compare)
$(B)/tests/test-memsys-random: $(REFERENCE)

# disco with the slow memory-system model beside the fast one, for tests/test-memsys-live.sh: what the engine calls
# inline is renamed in its sources (tests/memsys-live.h), all other functions are wrapped by the linker.
LIVE    := $(B)/tests/disco-live
LIVE_OBJ := $(patsubst %.c,$(B)/tests/live/%.o,$(notdir $(wildcard monitor/engine/sim/*.c)))
LIVE_WRAP := create destroy walk copy_page zero_page read_page dma tlb_access tlb_flush tlb_flush_context \
           tlb_flush_page boundary quantum own frame_moved flush frame_reset frames_reset hot_clear
$(B)/tests/live/%.o: monitor/engine/sim/%.c $(BUILT_WITH)
	$(call say,CC,$< (live))
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -include tests/memsys-live.h -MMD -MP -c -o $@ $<
$(LIVE): $(B)/monitor/cli/main.o $(LIVE_OBJ) $(B)/tests/memsys-live.o $(REFERENCE) $(B)/libdisco.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(patsubst %,-Wl$(comma)--wrap=memsys_%,$(LIVE_WRAP)) -o $@ $^ $(LDLIBS)

# Clang's sanitizers take a minute for the interpreter's one function; without optimisation, seconds.
ifneq ($(findstring fuzzer,$(SANFLAGS)),)
$(B)/monitor/engine/sim/exec.o $(B)/tests/live/exec.o: CFLAGS += -O0
endif

# Writes the programs of the differential test; stands by itself, so that it can judge the rest.
$(DIFFGEN): $(patsubst %.c,$(B)/%.o,$(wildcard tests/diff/*.c))
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^

$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(B)/libdisco.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ -lcheck -lsubunit -lrt $(LDLIBS)

$(B)/bench/%: $(B)/bench/%.o $(B)/libdisco.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

tests: $(TESTS) $(DIFFGEN) $(LIVE) ## the test programs

check: check-deps ## all tests but the long ones: what CI runs
	@$(MAKE) --no-print-directory all tests
	@tests/run $(B)

check-long: check-deps ## the tests that take up to half an hour each, tests/long-*.sh
	@$(MAKE) --no-print-directory all tests
	@SET=long tests/run $(B)

# The scripts of tests/lab on emulated hosts of two and of four NUMA nodes whose CPUs have SVM. What they print, and the hosts' consoles,
# stay in build/lab.
LAB     ?= $(filter-out lib,$(patsubst tests/lab/%.sh,%,$(wildcard tests/lab/*.sh)))
lab: deps ## disco on emulated NUMA hosts with KVM (LAB='boot share': these scripts of tests/lab alone)
	@$(MAKE) --no-print-directory all
	@failed=; for s in $(LAB); do for n in 2 4; do \
	  echo "$$s on $$n nodes"; B=$(B) tests/lab/run $$n tests/lab/$$s.sh || [ $$? -eq 77 ] || failed="$$failed $$s-$$n"; \
	done; done; [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

# One build by clang, under the sanitizers, serves the test that clang has no warning, the C unit tests and the fuzzers.
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
fuzzers: FORCE
	@$(MAKE) --no-print-directory CC='$(filter ccache,$(CC)) clang' B=build/fuzz OPT=-O1 SANFLAGS='-fsanitize=fuzzer-no-link,address,undefined \
	  -fno-sanitize-recover=undefined -fno-omit-frame-pointer' all tests $(FUZZERS:%=build/fuzz/tests/fuzz/%)

# Inputs found interesting stay in build/fuzz/NAME.corpus for the next time, and one that fails in build/fuzz/NAME.failed-*.
FUZZ_SECONDS ?= 60
fuzz: check-deps fuzzers ## each fuzzer of tests/fuzz for FUZZ_SECONDS
	@for f in $(FUZZERS); do tests/fuzz/run $$f $(FUZZ_SECONDS) || exit 1; done

# The smallest set of inputs that reaches all that the inputs found so far reach, to be committed.
fuzz-corpus: check-deps fuzzers ## tests/fuzz/corpus, made of what fuzz has found
	@for f in $(FUZZERS); do tests/fuzz/run $$f merge || exit 1; done

# --- what looks at the sources ---

SOURCES := $(patsubst ./%,%,$(shell find . -path ./build -prune -o -name '*.[ch]' -print))
format: ## sources as .clang-format has them
	@clang-format -i $(SOURCES)
format-check: ## ... or say where they are not
	@clang-format --dry-run -Werror $(SOURCES)

# All of the build: objects of the program, the tests and the measurements.
COMPILED := $(sort $(MAIN) $(SRC) $(wildcard tests/*.c tests/diff/*.c tests/fuzz/*.c bench/*.c))
escape  = $(subst ",\",$(subst \,\\,$1))
command = {"directory": "$(CURDIR)", "file": "$1", "command": "$(call escape,$(CC) $(CPPFLAGS) $(CFLAGS) -c $1)"}
compdb: ## compile_commands.json, for editors
	$(file >compile_commands.json,[)
	$(foreach c,$(COMPILED),$(file >>compile_commands.json,$(call command,$c)$(if $(filter-out $(lastword $(COMPILED)),$c),$(comma))))
	$(file >>compile_commands.json,])
	@echo compile_commands.json

# clang-tidy looks only at what has changed since it was clean; cppcheck keeps its own books.
TIDY    := $(patsubst %.c,$(B)/tidy/%.ok,$(MAIN) $(SRC))
tidy: tidy-deps ## clang-tidy and cppcheck, with the checks of .clang-tidy and .cppcheck; 3 minutes, then what changed
	@$(MAKE) --no-print-directory -s -k -j$(shell nproc) $(TIDY)
	@mkdir -p $(B)/tidy/cppcheck; cppcheck -q -j$(shell nproc) --enable=warning,performance,portability --inline-suppr \
	  --std=c11 --platform=unix64 --library=gnu --library=.cppcheck.cfg --error-exitcode=1 --suppressions-list=.cppcheck \
	  --cppcheck-build-dir=$(B)/tidy/cppcheck $(filter-out -I% -std%,$(CPPFLAGS)) -I. $(MAIN) $(SRC)
$(B)/tidy/%.ok: %.c .clang-tidy $(B)/%.o
	$(call say,TIDY,$<)
	$(Q)clang-tidy --quiet $< -- $(CPPFLAGS) $(filter-out -W%,$(CFLAGS)) 2>$(@:.ok=.log) || { cat $(@:.ok=.log); exit 1; }
	@touch $@

coverage: coverage-deps ## lines that the C unit tests reach: build/coverage/index.html
	@$(MAKE) --no-print-directory B=build/coverage OPT=-O0 SANFLAGS=--coverage all tests
	@find build/coverage -name '*.gcda' -delete
	@SET=programs tests/run build/coverage
	@gcovr -j $(shell nproc) --root . --object-directory build/coverage --filter numa/ --filter sharing/ --filter monitor/ \
	  --exclude-unreachable-branches --txt build/coverage/table.txt --html-details build/coverage/index.html --print-summary build/coverage >build/coverage/summary.txt
	@cat build/coverage/table.txt; grep '^lines' build/coverage/summary.txt

# --- packages ---

# Debian packages needed to build, to make the guest and to measure; to check; and for two targets. Installed only when missing.
DEPS    := gcc make libc6-dev libfdt-dev libjansson-dev libconfig-dev libxxhash-dev libhwloc-dev \
           libnuma-dev libseccomp-dev libslirp-dev check gnuplot-nox e2fsprogs cpio xz-utils zstd ca-certificates debian-archive-keyring \
           qemu-system-misc qemu-system-x86 opensbi u-boot-qemu binutils-riscv64-linux-gnu gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf jq acpica-tools
check-deps    : MORE := clang clang-format libclang-rt-dev
tidy-deps     : MORE := clang-tidy cppcheck
coverage-deps : MORE := gcovr
deps check-deps tidy-deps coverage-deps: ## the Debian packages that are missing (check-deps: those for check, too)
	@missing=$$(for p in $(DEPS) $(MORE); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | \
	  grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then echo "installing:" $$missing; \
	  sudo=; [ $$(id -u) -eq 0 ] || sudo=sudo; \
	  $$sudo apt-get update -q && \
	  DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -q --no-install-recommends $$missing; fi

# --- what it is for ---

# The Debian guest, in the user's cache directory; prints where.
guest: deps ## the Debian guest
	@guests/debian/fetch

# A program of guests/workloads for SPLASHOS: make build/splashos/radix/kernel. What is up to date, its Makefile knows.
$(B)/splashos/%/kernel: FORCE
	@$(MAKE) -s -C guests/splashos PROGRAM=$* OUT=$(abspath $(@D))

# Eight VMs compile a program each; the results stay under build/demo.
demo: deps ## eight VMs compile a program each
	@$(MAKE) --no-print-directory all
	@guests/debian/fetch >/dev/null
	@mkdir -p $(B)/demo
	@echo "Booting eight Debian VMs; each compiles and runs a program."
	$(B)/disco run --config bench/demo.conf --stats $(B)/demo/stats.json --console-log $(B)/demo
	@$(B)/disco plot $(B)/demo/stats.json -o $(B)/demo/memory.png >/dev/null
	@echo; echo "In $(B)/demo:"
	@echo "  memory.png   virtual (V) against machine (M) memory: the difference is what sharing saves"
	@echo "  stats.json   everything counted, described in monitor/report/STATS.md"
	@echo "  vmN.log      the console of each VM"

# The figures of the README, raw runs under build/bench; bench-peers: only those beside QEMU. PAIRS=N: how many pairs.
bench: deps ## the figures of bench/README.md
	@$(MAKE) --no-print-directory all
	@B=$(B) bench/run

bench-peers: deps ## those beside QEMU
	@$(MAKE) --no-print-directory all
	@B=$(B) bench/peers.sh

# The README's pictures of sharing and page placement, from their runs; a quarter of an hour.
pictures: deps ## the pictures of the documents
	@$(MAKE) --no-print-directory all
	@guests/debian/fetch >/dev/null
	@B=$(B) bench/pictures.sh

# The experiments of the papers, small; under 20 minutes on two CPUs, and goes on where it was if interrupted.
papers: deps ## the experiments of papers/, small
	@$(MAKE) --no-print-directory all
	@guests/debian/fetch >/dev/null
	@for p in $(patsubst papers/%/paper.json,%,$(wildcard papers/*/paper.json)); do \
	  $(B)/disco reproduce $$p --quick --jobs 2 -o $(B)/papers/$$p || exit 1; done

# What `make papers` made, kept beside the data: a paper's README.md is its report, with the same figures.
papers-readme: papers ## what papers made becomes papers/NAME/README.md
	@for p in $(patsubst papers/%/paper.json,%,$(wildcard papers/*/paper.json)); do \
	  cp $(B)/papers/$$p/report.md papers/$$p/README.md && cp $(B)/papers/$$p/*.png papers/$$p/ || exit 1; done

# The program looks for its data in ../share/disco from where it is.
install: $(B)/disco ## to PREFIX, or below DESTDIR
	install -D -m 755 $(B)/disco $(DESTDIR)$(PREFIX)/bin/disco
	install -D -m 644 monitor/cli/disco.1 $(DESTDIR)$(PREFIX)/share/man/man1/disco.1
	install -d $(DESTDIR)$(PREFIX)/share/disco/numa/machine $(DESTDIR)$(COMPLETIONS)
	$(B)/disco completion bash >$(DESTDIR)$(COMPLETIONS)/disco
	cp -R numa/machine/machines $(DESTDIR)$(PREFIX)/share/disco/numa/machine/
	cp -R guests papers $(DESTDIR)$(PREFIX)/share/disco/

uninstall: ## what install put there
	rm -rf $(DESTDIR)$(PREFIX)/share/disco
	rm -f $(DESTDIR)$(PREFIX)/bin/disco $(DESTDIR)$(PREFIX)/share/man/man1/disco.1 $(DESTDIR)$(COMPLETIONS)/disco

clean: ## remove what was built, but what fuzzers have found
	rm -rf $(filter-out build/fuzz,$(wildcard build/*)) $(filter-out %.corpus,$(wildcard build/fuzz/*))

distclean: ## remove all that is not a source
	rm -rf build compile_commands.json

help: ## this
	@echo "Targets:"; sed -n 's/^\([a-z-]*\)[a-z -]*:.* ## \(.*\)/  \1\t\2/p' Makefile | expand -t 18
	@echo "Variables:"; sed -n 's/^## /  /p' Makefile

FORCE:
.PHONY: all tests check check-long lab fuzzers fuzz fuzz-corpus format format-check compdb tidy coverage deps check-deps tidy-deps \
        coverage-deps guest demo bench bench-peers pictures papers papers-readme install uninstall clean distclean help FORCE
.SECONDARY:
-include $(wildcard $(B)/*/*.d $(B)/*/*/*.d $(B)/*/*/*/*.d)
