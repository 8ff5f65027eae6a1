# The whole build: one file, non-recursive. A new .c in a listed folder needs no edit here.
#
#   make              programs into build/bin            make demo     deploy and run the examples
#   make check        every test, one closing line       make image    Python root file systems
#   make lint         format, layers, banned calls       make bench    tables against peers
#   SAN=address,undefined   the same into build/san      FAST=1        leave out User-Mode Linux
#   make fuzz FUZZ=policy SECONDS=60                     libFuzzer; seeds in tests/fuzz/corpus
#   make install DESTDIR= PREFIX=/usr/local              programs, policies, manuals, unit file
#   make install-images DESTDIR=                         the images of runtimed.service
#
# Local settings go into config.mk.
-include config.mk

CC ?= gcc
PREFIX ?= /usr/local
PYTHON := /usr/bin/python3.11
B := build$(if $(SAN),/san)
null :=

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
	-Wformat=2 -Wvla -Wundef -Wswitch-enum
HARD := -fPIE -fstack-protector-strong -fcf-protection $(if $(SAN),,-D_FORTIFY_SOURCE=2)
CFLAGS ?= -O2 -g
# Sanitizers hide from gcc what bounds a string, so its guesses about truncation are off with them.
SAN_FLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer \
	-Wno-format-truncation -Wno-stringop-overflow -Wno-maybe-uninitialized)
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -Iinclude -I. $(WARN) $(FRAME) $(HARD) $(SAN_FLAGS) $(CFLAGS) -MMD -MP
# What is larger belongs into an arena or the heap: callers limit our stack (ulimit -s), and the child half has no other.
FRAME := $(if $(SAN),,-Wframe-larger-than=12288)
LINK := -pie
ALL_LDFLAGS = $(LINK) -Wl,-z,relro,-z,now $(SAN_FLAGS) $(LDFLAGS)

# pkg-config is asked when a program is linked: on a bare machine its packages come with the first rule.

# Libraries by layer; each links against those before it (docs/ARCHITECTURE.md).
BASE := $(wildcard sandbox/base/*.c)
POLICY := $(wildcard policy/*.c)
IMAGES := $(wildcard images/*.c)
SANDBOX := $(wildcard sandbox/*.c)
CLI := $(filter-out sandbox/cli/main.c,$(wildcard sandbox/cli/*.c))
DAEMON := $(filter-out runtimed/main.c,$(wildcard runtimed/*.c))
FNCTL := $(wildcard runtimed/fnctl/*.c)
LLHTTP := $(addprefix /usr/share/llhttp/,api.c http.c llhttp.c)
# One for all variants: it is never sanitised.
GUEST := build/guest/_guest.so
TESTLIB := $(wildcard tests/lib/*.c tests/fuzz/fuzz_*.c)

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
LIBS = $(shell pkg-config --libs libseccomp libcap jansson inih libcrypto libnl-route-3.0 libmd 2>/dev/null) -lm
DAEMON_LIBS = $(shell pkg-config --libs libuv sqlite3 libarchive 2>/dev/null)
CORE_OBJ := $(call obj,$(SANDBOX) $(IMAGES) $(POLICY) $(BASE))
DAEMON_OBJ := $(call obj,$(DAEMON)) $(patsubst /usr/share/llhttp/%.c,$(B)/obj/llhttp/%.o,$(LLHTTP))

PROGRAMS := $(addprefix $(B)/bin/,sandbox runtimed fnctl)
UNIT := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
PRIV := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/priv/test_*.c))
E2E := $(filter-out $(if $(FAST),tests/e2e/test_systemd.py),$(wildcard tests/e2e/test_*.py tests/e2e/test_*.sh))

.PHONY: all deps demo check check-unit check-priv check-e2e check-unified lint image bench install install-images clean compdb
.DELETE_ON_ERROR:
.SECONDARY:
all: $(PROGRAMS) $(GUEST)

# Both without dynamic linker, which would be a fifth of a start, and every mapping of a library is copied with
# each fork (docs/BENCH.md). Sanitizers need it. (Of libnl, libuv and their look-ups of names, which we never call,
# the linker would warn.)
STATIC := $(if $(SAN),-pie,-static-pie -Wl,--no-warnings)
$(B)/bin/sandbox $(B)/bin/runtimed: LINK := $(STATIC)
$(B)/bin/sandbox: $(call obj,sandbox/cli/main.c $(CLI) $(SANDBOX) $(POLICY) $(BASE))
$(B)/bin/sandbox: LIBS = $(shell pkg-config --static --libs libseccomp libcap jansson \
	libnl-route-3.0 libmd 2>/dev/null) -lm
$(B)/bin/runtimed: $(call obj,runtimed/main.c) $(DAEMON_OBJ) $(CORE_OBJ)
# libarchive's pkg-config asks for all its formats; of zip's kind are these.
$(B)/bin/runtimed: LIBS = $(shell pkg-config --static --libs libseccomp libcap jansson inih libcrypto \
	libnl-route-3.0 libmd sqlite3 2>/dev/null) -luv_a -larchive -lnettle -llzma -lbz2 -lz -lm
$(B)/bin/fnctl: $(call obj,$(FNCTL) $(addprefix runtimed/,outcome.c imgmount.c) \
	$(addprefix sandbox/,mount.c sys.c) $(IMAGES) $(BASE))
$(B)/bin/fnctl: LIBS += $(shell pkg-config --libs libcurl libarchive 2>/dev/null)
$(PROGRAMS):
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# The load generator of bench, and of tests that need load.
$(B)/tools/bench_load: $(call obj,tools/bench_load.c $(BASE))
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^

# The guest extension: the child half and the guest, libc and Python's ABI alone, never sanitised.
GUEST_SRC := $(wildcard images/python/*.c) $(addprefix sandbox/,drop.c landlock.c sys.c) \
	$(addprefix sandbox/base/,err.c fd.c clk.c sock.c)
$(GUEST): $(GUEST_SRC) $(wildcard include/*/*.h images/python/*.h sandbox/*.h) | deps-build
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) -std=gnu17 -D_GNU_SOURCE -Iinclude -I. $(filter-out -Wundef,$(WARN)) $(FRAME) -O2 -g -fPIC -shared \
		-fstack-protector-strong $(shell pkg-config --cflags python-3.11) -o $@ $(GUEST_SRC)

# What the isolation tests run inside a sandbox: static, since the root file system there is empty.
PROBE_SRC := tests/priv/probe.c $(addprefix sandbox/,drop.c landlock.c sys.c) \
	$(addprefix sandbox/base/,err.c fd.c clk.c str.c)
$(B)/tests/probe: $(PROBE_SRC) $(wildcard include/*/*.h sandbox/*.h)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) -std=gnu17 -D_GNU_SOURCE -Iinclude -I. $(WARN) -O2 -g -static -o $@ $(PROBE_SRC)

# Not a prerequisite: on a bare machine the source comes with the packages.
$(patsubst /usr/share/llhttp/%.c,$(B)/obj/llhttp/%.o,$(LLHTTP)): $(B)/obj/llhttp/%.o: | deps-build
	@mkdir -p $(@D)
	@$(CC) -O2 -g -fPIE -w -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp $(SAN_FLAGS) -c -o $@ /usr/share/llhttp/$*.c
$(B)/obj/sandbox/net_move.o: ALL_CFLAGS += -isystem /usr/include/libnl3
$(B)/obj/tests/%.o: ALL_CFLAGS += -Wno-frame-larger-than
$(B)/obj/runtimed/%.o: ALL_CFLAGS += -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp
$(B)/obj/%.o: %.c | deps-build $(if $(filter check%,$(MAKECMDGOALS)),deps-test)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Every test program links everything but main(): a test may reach any module.
$(B)/tests/%: $(B)/obj/tests/%.o $(call obj,$(TESTLIB) $(CLI)) $(DAEMON_OBJ) $(CORE_OBJ)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) $(DAEMON_LIBS) $(shell pkg-config --libs check)

# A test's output is its stamp: it runs again when its program, script or subject changed.
$(B)/tap/unit/%.tap: $(B)/tests/unit/%
	@tools/tap-run $@ $<
$(B)/tap/priv/%.tap: $(B)/tests/priv/% $(B)/tests/probe | $(PROGRAMS)
	@tools/tap-run $@ $<
$(B)/tap/e2e/%.tap: tests/e2e/% $(PROGRAMS) $(GUEST) $(B)/tools/bench_load \
		tools/daemon.py $(wildcard tests/e2e/lib.py tests/e2e/engines*.py tests/e2e/functions/*/*.py) | image
	@BIN=$(CURDIR)/$(B)/bin tools/tap-run $@ $<
$(B)/tap/e2e/test_systemd.py.tap: tools/runtimed.service tools/uml-boot tests/e2e/service_checks.py
$(B)/tap/unified.tap: $(PROGRAMS) $(PRIV) $(B)/tests/probe tools/uml-run tests/e2e/test_oci_lifecycle.py
	@tools/tap-run $@ tools/uml-run $(B)
UNIT_TAP := $(patsubst $(B)/tests/%,$(B)/tap/%.tap,$(UNIT))
PRIV_TAP := $(patsubst $(B)/tests/%,$(B)/tap/%.tap,$(PRIV))
E2E_TAP := $(patsubst tests/%,$(B)/tap/%.tap,$(E2E))
UNIFIED_TAP := $(if $(FAST),,$(B)/tap/unified.tap)

check-unit: $(UNIT_TAP) ; @tools/tap-sum $^
check-priv: $(PRIV_TAP) ; @tools/tap-sum $^
check-e2e: $(E2E_TAP) ; @tools/tap-sum $^
check-unified: $(B)/tap/unified.tap ; @tools/tap-sum $^
check: deps-test $(UNIT_TAP) $(PRIV_TAP) $(E2E_TAP) $(UNIFIED_TAP)
	@tools/tap-sum $(filter %.tap,$^)

# libFuzzer over one entry point. New inputs stay in build/fuzz; one that found something belongs into
# tests/fuzz/corpus/NAME, which `make check` replays.
SECONDS ?= 60
FUZZ_SRC = tests/fuzz/fuzz_$(FUZZ).c $(DAEMON) $(SANDBOX) $(IMAGES) $(POLICY) $(BASE)
.PHONY: fuzz
fuzz: deps-fuzz
	@test -f tests/fuzz/fuzz_$(FUZZ).c || { echo "usage: make fuzz FUZZ=NAME SECONDS=N" >&2; exit 2; }
	@mkdir -p build/fuzz/$(FUZZ).corpus
	@echo "  CC      build/fuzz/$(FUZZ)"
	@clang-14 -std=gnu17 -D_GNU_SOURCE -Iinclude -I. -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp \
		-isystem /usr/include/libnl3 -g -O1 -w -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-DFUZZ_RUN=fuzz_$(FUZZ) -o build/fuzz/$(FUZZ) \
		tests/fuzz/main.c $(FUZZ_SRC) $(LLHTTP) $(LIBS) $(DAEMON_LIBS)
	@build/fuzz/$(FUZZ) -max_total_time=$(SECONDS) -print_final_stats=1 -timeout=10 \
		$(patsubst %,-dict=%,$(wildcard tests/fuzz/$(FUZZ).dict)) \
		-artifact_prefix=build/fuzz/$(FUZZ)- build/fuzz/$(FUZZ).corpus tests/fuzz/corpus/$(FUZZ)

# Packages: installed when missing, then remembered by a stamp that depends on the list.
DEPS := deps-build deps-test deps-bench deps-fuzz
.PHONY: $(DEPS)
$(DEPS): deps-%: ; @tools/deps $*
demo: all image ; @BIN=$(CURDIR)/$(B)/bin tools/demo
image: $(GUEST) ; @images/build $(GUEST) build/images
bench: all image deps-bench $(B)/tools/bench_load ; @BIN=$(CURDIR)/$(B)/bin tools/bench && \
	BIN=$(CURDIR)/$(B)/bin tools/bench_oci
lint: ; @tools/lint
compdb: ; @tools/compdb '$(CC) $(ALL_CFLAGS)'
clean: ; rm -rf build

install: all
	install -Dm755 -t $(DESTDIR)$(PREFIX)/bin $(PROGRAMS)
	install -Dm644 -t $(DESTDIR)$(PREFIX)/share/runtimed/policy policy/profiles/*.policy
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)/etc
	sed 's,/usr/local,$(PREFIX),' tools/runtimed.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/runtimed.service
	test -e $(DESTDIR)/etc/runtimed.conf || install -m644 tools/runtimed.conf $(DESTDIR)/etc/runtimed.conf
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(B)/bin/sandbox completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/sandbox
	tools/man docs/man $(B)/bin $(DESTDIR)$(PREFIX)/share/man
install-images: $(GUEST)
	IMAGE_CACHE=build/images.cache images/build $(GUEST) $(DESTDIR)/var/lib/runtimed/images

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
