# Disco: build, test, demo. Sources are found by pattern: a new file needs no line here.
#
#   make            build/disco            make check      all tests
#   make demo       the 8-VM cluster       make bench      the figures of the README (bench-peers: beside QEMU)
#   make lab        disco on emulated NUMA hosts with KVM (LAB='boot share': these scripts of tests/lab alone)
#   make papers     the experiments of papers/, small (papers-readme: what they made becomes papers/NAME/README.md)
#   make fuzz       each fuzzer of tests/fuzz for FUZZ_SECONDS
#   make SAN=1 ...  the same with address and undefined-behaviour sanitizers, under build/san
#   make CC=clang B=build/clang ...        another compiler beside the first

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
DATA    ?= $(CURDIR)
CPPFLAGS += -I. -I$(B) -D_GNU_SOURCE -DDISCO_GUESTS_DIR='"$(DATA)/guests"' \
            -DDISCO_MACHINES_DIR='"$(DATA)/numa/machine/machines"' -DDISCO_PAPERS_DIR='"$(DATA)/papers"'
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

all: $(B)/disco

$(B)/disco: $(B)/monitor/cli/main.o $(B)/libdisco.a
	@echo "  LD  $@"; $(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/libdisco.a: $(OBJ)
	@echo "  AR  $@"; rm -f $@; ar rcs $@ $^

$(B)/%.o: %.c
	@mkdir -p $(@D); echo "  CC  $<"; $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/%: $(B)/tests/%.o $(B)/libdisco.a
	@echo "  LD  $@"; $(CC) $(LDFLAGS) -o $@ $^ -lcheck -lsubunit -lrt $(LDLIBS)

REFERENCE := $(patsubst %,$(B)/tests/memsys-%.o,reference reference-tables compare)
$(B)/tests/test-memsys-random: $(REFERENCE)

# disco with the slow memory-system model beside the fast one, for tests/test-memsys-live.sh: what the engine calls
# inline is renamed in its sources (tests/memsys-live.h), all other functions are wrapped by the linker.
LIVE    := $(B)/tests/disco-live
LIVE_OBJ := $(patsubst %.c,$(B)/tests/live/%.o,$(notdir $(wildcard monitor/engine/sim/*.c)))
LIVE_WRAP := create destroy walk copy_page zero_page read_page dma tlb_access tlb_flush tlb_flush_context \
           tlb_flush_page boundary quantum own frame_moved flush frame_reset frames_reset hot_clear
$(B)/tests/live/%.o: monitor/engine/sim/%.c
	@mkdir -p $(@D); echo "  CC  $< (live)"; $(CC) $(CPPFLAGS) $(CFLAGS) -include tests/memsys-live.h -MMD -MP -c -o $@ $<
$(LIVE): $(B)/monitor/cli/main.o $(LIVE_OBJ) $(B)/tests/memsys-live.o $(REFERENCE) $(B)/libdisco.a
	@echo "  LD  $@"; $(CC) $(LDFLAGS) $(patsubst %,-Wl$(comma)--wrap=memsys_%,$(LIVE_WRAP)) -o $@ $^ $(LDLIBS)

# Writes the programs of the differential test; stands by itself, so that it can judge the rest.
$(DIFFGEN): $(patsubst %.c,$(B)/%.o,$(wildcard tests/diff/*.c))
	@echo "  LD  $@"; $(CC) $(LDFLAGS) -o $@ $^

$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(B)/libdisco.a
	@echo "  LD  $@"; $(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ -lcheck -lsubunit -lrt $(LDLIBS)

$(B)/bench/%: $(B)/bench/%.o $(B)/libdisco.a
	@echo "  LD  $@"; $(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

tests: $(TESTS) $(DIFFGEN) $(LIVE)

check: deps
	@$(MAKE) --no-print-directory all tests
	@tests/run $(B)

# The scripts of tests/lab on emulated hosts of two and of four NUMA nodes whose CPUs have SVM. What they print, and the hosts' consoles,
# stay in build/lab.
LAB     ?= $(filter-out lib,$(patsubst tests/lab/%.sh,%,$(wildcard tests/lab/*.sh)))
lab: deps
	@$(MAKE) --no-print-directory all
	@failed=; for s in $(LAB); do for n in 2 4; do \
	  echo "$$s on $$n nodes"; B=$(B) tests/lab/run $$n tests/lab/$$s.sh || [ $$? -eq 77 ] || failed="$$failed $$s-$$n"; \
	done; done; [ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

# Each harness by libFuzzer, under the sanitizers, for so long. The engines are left out: harnesses have one of their own, and the CPUs'
# big functions take the sanitizers minutes to compile. Inputs found interesting stay in build/fuzz/NAME.corpus for the next time,
# and one that fails in build/fuzz/NAME.failed-*.
FUZZ_SECONDS ?= 60
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
fuzz: fuzz-deps
	@$(MAKE) --no-print-directory CC=clang B=build/fuzz SRC='$(filter-out monitor/engine/%,$(SRC))' SANFLAGS='-fsanitize=fuzzer-no-link,address,undefined \
	  -fno-sanitize-recover=undefined -fno-omit-frame-pointer' $(FUZZERS:%=build/fuzz/tests/fuzz/%)
	@for f in $(FUZZERS); do \
	  mkdir -p build/fuzz/$$f.corpus; echo "$$f: $(FUZZ_SECONDS) s"; \
	  build/fuzz/tests/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=20 -verbosity=0 -print_final_stats=1 \
	    -artifact_prefix=build/fuzz/$$f.failed- build/fuzz/$$f.corpus >build/fuzz/$$f.log 2>&1 || \
	    { tail -n 40 build/fuzz/$$f.log; exit 1; }; \
	  grep 'number_of_executed_units' build/fuzz/$$f.log; \
	done

# Debian packages needed to build, to test and to make the guest, and to measure; installed only when missing.
DEPS    := gcc make libc6-dev libfdt-dev libjansson-dev libconfig-dev libxxhash-dev libhwloc-dev \
           libnuma-dev libseccomp-dev libslirp-dev check gnuplot-nox e2fsprogs cpio xz-utils zstd ca-certificates debian-archive-keyring \
           qemu-system-misc qemu-system-x86 opensbi u-boot-qemu binutils-riscv64-linux-gnu gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf jq acpica-tools
FUZZ_DEPS := clang libclang-rt-dev
deps fuzz-deps:
	@missing=$$(for p in $(DEPS) $(if $(filter fuzz-deps,$@),$(FUZZ_DEPS)); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | \
	  grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then echo "installing:" $$missing; \
	  sudo=; [ $$(id -u) -eq 0 ] || sudo=sudo; \
	  $$sudo apt-get update -q && \
	  DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -q --no-install-recommends $$missing; fi

# The Debian guest, in the user's cache directory; prints where.
guest: deps
	@guests/debian/fetch

# A program of guests/workloads for SPLASHOS: make build/splashos/radix/kernel. What is up to date, its Makefile knows.
$(B)/splashos/%/kernel: FORCE
	@$(MAKE) -s -C guests/splashos PROGRAM=$* OUT=$(abspath $(@D))

# Eight VMs compile a program each; the results stay under build/demo.
demo: deps
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
bench: deps
	@$(MAKE) --no-print-directory all
	@B=$(B) bench/run

bench-peers: deps
	@$(MAKE) --no-print-directory all
	@B=$(B) bench/peers.sh

# The README's pictures of sharing and page placement, from their runs; a quarter of an hour.
pictures: deps
	@$(MAKE) --no-print-directory all
	@guests/debian/fetch >/dev/null
	@B=$(B) bench/pictures.sh

# The experiments of the papers, small; under 20 minutes on two CPUs, and goes on where it was if interrupted.
papers: deps
	@$(MAKE) --no-print-directory all
	@guests/debian/fetch >/dev/null
	@for p in $(patsubst papers/%/paper.json,%,$(wildcard papers/*/paper.json)); do \
	  $(B)/disco reproduce $$p --quick --jobs 2 -o $(B)/papers/$$p || exit 1; done

# What `make papers` made, kept beside the data: a paper's README.md is its report, with the same figures.
papers-readme: papers
	@for p in $(patsubst papers/%/paper.json,%,$(wildcard papers/*/paper.json)); do \
	  cp $(B)/papers/$$p/report.md papers/$$p/README.md && cp $(B)/papers/$$p/*.png papers/$$p/ || exit 1; done

# The installed program looks for its data under PREFIX, so it is compiled for that.
install:
	@$(MAKE) --no-print-directory B=build/install DATA=$(PREFIX)/share/disco all
	install -D -m 755 build/install/disco $(DESTDIR)$(PREFIX)/bin/disco
	install -D -m 644 monitor/cli/disco.1 $(DESTDIR)$(PREFIX)/share/man/man1/disco.1
	install -d $(DESTDIR)$(PREFIX)/share/disco/numa/machine
	cp -R numa/machine/machines $(DESTDIR)$(PREFIX)/share/disco/numa/machine/
	cp -R guests papers $(DESTDIR)$(PREFIX)/share/disco/

clean:
	rm -rf build

FORCE:
.PHONY: all check lab tests deps fuzz-deps fuzz guest demo bench bench-peers pictures papers papers-readme install clean FORCE
.SECONDARY:
-include $(wildcard $(B)/*/*.d $(B)/*/*/*.d $(B)/*/*/*/*.d)
