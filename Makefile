# pacsutils. `make demo` and `make check` do everything, from a fresh machine on.
#
#   make            build into build/            make demo       an archive with sample studies in it
#   make check      every test                   make check SAN=1   the same under ASan and UBSan
#   make bench      the table of figures         make soak       fault tests, the long form
#   make fuzz       FUZZ_SECONDS=60 each         make lint       format, static analysis, sh, man pages
#   make install    PREFIX, DESTDIR              make uninstall, make clean
#
# SAN=1 builds into a folder of its own; WERROR=1 makes warnings errors; V=1 shows whole commands.

comma   := ,
VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= gcc
CXX     ?= g++
B       := build$(if $(SAN),-san)

WARN     := -Wall -Wextra -Wshadow -Wpointer-arith -Wvla -Wno-missing-field-initializers $(if $(WERROR),-Werror)
CWARN    := $(WARN) -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings
SANFLAGS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
OPT      ?= -O2 -g
CPPFLAGS += -Ilibcore -I$(B)/gen -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DPACS_VERSION='"$(VERSION)"'
CFLAGS   += -std=c17 $(OPT) $(CWARN) $(SANFLAGS) -fstack-protector-strong
CXXFLAGS += -std=c++17 $(OPT) $(WARN) $(SANFLAGS) -fstack-protector-strong
LDFLAGS  += $(SANFLAGS) -Wl,--as-needed
LIBS     := -lsqlite3 -larchive -lz -linih -ljansson -lxxhash -lcrypto -lpthread -lm
DCMTK    := -ldcmtls -ldcmnet -ldcmdata -loflog -lofstd -lssl
# The codecs, with what only they need.
CODECS   := -ldcmjpeg -lijg8 -lijg12 -lijg16 -ldcmimage -ldcmimgle -lcharls -lopenjp2

# Commands that need DCMTK are linked with it; all others stay clear of it and start in a millisecond.
DCMTK_COMMANDS := pacs-recv pacs-echo pacs-move

COMMANDS := $(patsubst cmd/%.c,%,$(wildcard cmd/pacs-*.c))
# Programs that commands start, with DCMTK in them: libcore/base/helper.h.
HELPERS  := $(filter-out pacs-%,$(patsubst cmd/%.c,%,$(wildcard cmd/*.c)))
CORE_SRC := $(wildcard libcore/base/*.c libcore/dicom/*.c libcore/store/*.c libcore/index/*.c \
              libcore/state/*.c libcore/net/*.c libcore/export/*.c)
CORE_OBJ := $(CORE_SRC:%.c=$(B)/%.o) $(if $(wildcard libcore/dicom/dict.awk),$(B)/gen/dict_table.o)
CXX_OBJ  := $(patsubst %.cc,$(B)/%.o,$(filter-out libcore/dcmtk/transcode%,$(wildcard libcore/dcmtk/*.cc)))
TRANSCODE_OBJ := $(patsubst %.cc,$(B)/%.o,$(wildcard libcore/dcmtk/transcode*.cc))
UNIT     := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
TOOLS    := $(patsubst tests/tools/%.c,$(B)/tests/%,$(wildcard tests/tools/*.c)) $(B)/tests/rawscu

.PHONY: all
all: $(COMMANDS:%=$(B)/%) $(HELPERS:%=$(B)/helpers/%)

ifeq ($(wildcard /usr/include/dcmtk/config/osconfig.h /usr/include/*/dcmtk/config/osconfig.h),)
all: no-packages
.PHONY: no-packages
no-packages:
	@echo "The libraries to build with are missing: scripts/bootstrap installs them." >&2; exit 1
endif

Q    := $(if $(V),,@)
# First line of a recipe: makes the folder, names what is made.
step  = @mkdir -p $(@D)$(if $(V),,; echo "  $(1) $@")

# ---- objects ----

$(B)/%.o: %.c
	$(call step,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(B)/%.o: %.cc
	$(call step,CXX)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<
$(B)/gen/%.o: $(B)/gen/%.c
	$(call step,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The dictionary of PS3.6 as a C table, from the one that DCMTK's package installs.
DICTIONARY := $(lastword $(sort $(wildcard /usr/share/libdcmtk*/dicom.dic /usr/share/dcmtk*/dicom.dic)))
$(B)/gen/dict_table.c: libcore/dicom/dict.awk $(DICTIONARY)
	@mkdir -p $(@D)
	awk -f libcore/dicom/dict.awk $(DICTIONARY) > $@.new && mv $@.new $@

$(B)/libcore.a: $(CORE_OBJ)
	$(call step,AR)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^
$(B)/libdcmbridge.a: $(CXX_OBJ)
	$(call step,AR)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# The transcoder, for programs that may have to: its codecs cost start-up time.
$(TRANSCODE_OBJ): CPPFLAGS += $(patsubst %,-isystem %,$(lastword $(sort $(wildcard /usr/include/openjpeg-2.*))))
$(B)/libdcmtranscode.a: $(TRANSCODE_OBJ)
	$(call step,AR)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

# ---- programs ----

# libcore/net calls the bridge, the bridge calls libcore/base.
GROUP = -Wl,--start-group $^ -Wl,--end-group

$(DCMTK_COMMANDS:%=$(B)/%): $(B)/%: $(B)/cmd/%.o $(B)/libcore.a $(B)/libdcmbridge.a
	$(call step,LD)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $(GROUP) $(DCMTK) $(LIBS)
$(HELPERS:%=$(B)/helpers/%): $(B)/helpers/%: $(B)/cmd/%.o $(B)/libcore.a $(B)/libdcmbridge.a
	$(call step,LD)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $(GROUP) $(DCMTK) $(LIBS)
# The codecs have a program of their own.
$(B)/pacs-transcode: $(B)/cmd/pacs-transcode.o $(B)/libdcmtranscode.a $(B)/libcore.a
	$(call step,LD)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(CODECS) $(DCMTK) $(LIBS)
$(filter-out $(DCMTK_COMMANDS:%=$(B)/%) $(B)/pacs-transcode,$(COMMANDS:%=$(B)/%)): $(B)/%: $(B)/cmd/%.o $(B)/libcore.a
	$(call step,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

# tests/unit/test_dcmtk_transcode.c may use the transcoder, other test_dcmtk_*.c the bridge.
$(B)/tests/test_dcmtk_transcode: $(B)/tests/unit/test_dcmtk_transcode.o $(B)/libdcmtranscode.a $(B)/libcore.a
	$(call step,LD)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(CODECS) $(DCMTK) $(LIBS) -lcmocka
$(B)/tests/test_dcmtk_%: $(B)/tests/unit/test_dcmtk_%.o $(B)/libcore.a $(B)/libdcmbridge.a
	$(call step,LD)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $(GROUP) $(DCMTK) $(LIBS) -lcmocka
$(B)/tests/test_%: $(B)/tests/unit/test_%.o $(B)/libcore.a
	$(call step,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
# argv of a test is written with literals.
$(B)/tests/unit/%.o: CFLAGS += -Wno-write-strings
# Programs that tests use: senders, generators, references.
$(B)/tests/transcode: $(B)/tests/tools/transcode.o $(B)/libdcmtranscode.a $(B)/libcore.a
	$(call step,LD)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(CODECS) $(DCMTK) $(LIBS)
$(B)/tests/%: $(B)/tests/tools/%.o $(B)/libcore.a
	$(call step,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

# The raw sender, in several files.
$(B)/tests/rawscu: $(patsubst %.c,$(B)/%.o,$(wildcard tests/raw/*.c)) $(B)/libcore.a
	$(call step,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

.SECONDARY:
-include $(shell find $(B) build-fuzz -name '*.d' 2>/dev/null)

# ---- tests ----

# Installs missing packages; BOOTSTRAP=true leaves that out.
BOOTSTRAP ?= scripts/bootstrap
JOBS      ?= $(shell nproc 2>/dev/null || echo 2)
SUBMAKE    = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))
# A test that hangs is stopped, with all that it started.
TEST_TIMEOUT ?= 600
PROVE = B=$(CURDIR)/$(B) SAN=$(SAN) CMOCKA_MESSAGE_OUTPUT=TAP \
    prove --norc -e 'timeout -k 10 $(TEST_TIMEOUT)'
# The slow ones first, so that two at a time end together.
SCRIPTS := $(wildcard tests/fault/*.t) $(wildcard tests/e2e/*.t)
# Inputs that made a fuzz target fail once, and seeds: replayed by tests/fuzz/replay.c.
FUZZ    := $(if $(and $(wildcard libcore/dicom/scan.c),$(wildcard libcore/dicom/charset.c),$(wildcard \
               libcore/dicom/dict.awk)),$(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c)))

$(B)/tests/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(B)/libcore.a
	$(call step,LD)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

.PHONY: tests unit check soak bench demo
# All that the tests run.
tests: all $(UNIT) $(TOOLS) $(FUZZ:%=$(B)/tests/fuzz_%)

unit: $(UNIT)
	$(PROVE) $(UNIT)

check:
	@$(BOOTSTRAP)
	+@$(SUBMAKE) WERROR=1 tests
	@$(PROVE) -j$(JOBS) $(SCRIPTS) $(UNIT)

soak: TEST_TIMEOUT := 86400
soak:
	@$(BOOTSTRAP)
	+@$(SUBMAKE) tests
	@SOAK=1 $(PROVE) -v $(wildcard tests/fault/*.t)

bench:
	@$(BOOTSTRAP)
	+@$(SUBMAKE) tests
	@B=$(CURDIR)/$(B) tests/bench/run

demo:
	@$(BOOTSTRAP)
	+@$(SUBMAKE) all
	@B=$(B) scripts/demo

# ---- fuzzing: libFuzzer, each target for FUZZ_SECONDS; what it finds stays in build-fuzz/ ----

FUZZ_SECONDS ?= 60
FUZZ_CC    ?= clang
FUZZ_FLAGS := -std=c17 -O1 -g -fno-omit-frame-pointer \
    -fsanitize=fuzzer-no-link$(comma)address$(comma)undefined -fno-sanitize-recover=undefined
FUZZ_OBJ   := $(CORE_SRC:%.c=build-fuzz/%.o) \
    $(if $(wildcard libcore/dicom/dict.awk),build-fuzz/gen/dict_table.o)

build-fuzz/%.o: %.c
	$(call step,CC)
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<
build-fuzz/gen/dict_table.o: $(B)/gen/dict_table.c
	$(call step,CC)
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -c -o $@ $<
build-fuzz/libcore.a: $(FUZZ_OBJ)
	$(call step,AR)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^
build-fuzz/fuzz_%: build-fuzz/tests/fuzz/fuzz_%.o build-fuzz/libcore.a
	$(call step,LD)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS)

.PHONY: fuzz fuzz-targets
fuzz-targets: $(FUZZ:%=build-fuzz/fuzz_%)
fuzz:
	@$(BOOTSTRAP)
	+@$(SUBMAKE) fuzz-targets
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run $(FUZZ)

# ---- lint ----

C_FILES  := $(sort $(wildcard cmd/*.c libcore/*/*.c libcore/*/*.cc libcore/*/*.h tests/*/*.c tests/*/*.h))
TIDY     := $(filter %.c,$(C_FILES))
MAN      := $(wildcard man/*.[1-9])
SH_FILES := $(wildcard tests/*/*.sh tests/*/*.t) .ci/run \
    $(shell grep -lE '^\#!/bin/(ba)?sh' scripts/* scripts/*/* tests/*/* 2>/dev/null)

.PHONY: lint lint-format lint-tidy lint-sh lint-man
lint:
	@$(BOOTSTRAP)
	+@$(SUBMAKE) -k lint-format lint-tidy lint-sh lint-man
lint-format:
	clang-format --dry-run -Werror $(C_FILES)
lint-sh:
	shellcheck -S warning -x $(sort $(SH_FILES))
lint-man:
	$(if $(MAN),mandoc -Tlint -Wwarning $(MAN))
# clang-tidy takes a second a file: one at a time, as many at once as there are cores.
lint-tidy: $(TIDY:%=$(B)/lint/%.ok)
$(B)/lint/%.ok: % .clang-tidy $(wildcard libcore/*/*.h)
	@mkdir -p $(@D)
	@echo clang-tidy $<
	@clang-tidy --quiet $< -- -std=c17 $(CPPFLAGS) 2>$@.err || { cat $@.err; exit 1; }
	@touch $@

# ---- installation ----

BINDIR   ?= $(PREFIX)/bin
# Where the commands look for it: libcore/base/helper.c.
HELPERDIR = $(BINDIR)/../lib/pacsutils
MANDIR   ?= $(PREFIX)/share/man
DOCDIR   ?= $(PREFIX)/share/doc/pacsutils
COMPDIR  ?= $(PREFIX)/share/bash-completion/completions
UNITDIR  ?= $(PREFIX)/lib/systemd/system
EXAMPLES := $(wildcard scripts/examples/*)

.PHONY: install uninstall
install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(COMPDIR) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(DOCDIR)/examples
	install -m 755 $(COMMANDS:%=$(B)/%) $(DESTDIR)$(BINDIR)
	install -d $(DESTDIR)$(HELPERDIR)
	install -m 755 $(HELPERS:%=$(B)/helpers/%) $(DESTDIR)$(HELPERDIR)
	for page in $(MAN); do \
	    install -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} || exit 1; done
	install -m 644 scripts/completions/pacs.bash $(DESTDIR)$(COMPDIR)/pacs
	for command in $(COMMANDS); do ln -sf pacs $(DESTDIR)$(COMPDIR)/$$command || exit 1; done
	sed 's|@BINDIR@|$(BINDIR)|' scripts/systemd/pacs-recv.service > $(DESTDIR)$(UNITDIR)/pacs-recv.service
	chmod 644 $(DESTDIR)$(UNITDIR)/pacs-recv.service
	install -m 644 README.md LICENSE $(DESTDIR)$(DOCDIR)
	for example in $(EXAMPLES); do install -m 755 $$example $(DESTDIR)$(DOCDIR)/examples || exit 1; done

uninstall:
	rm -f $(COMMANDS:%=$(DESTDIR)$(BINDIR)/%) $(COMMANDS:%=$(DESTDIR)$(COMPDIR)/%) $(DESTDIR)$(COMPDIR)/pacs
	rm -f $(HELPERS:%=$(DESTDIR)$(HELPERDIR)/%)
	for page in $(MAN); do rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; done
	rm -f $(DESTDIR)$(UNITDIR)/pacs-recv.service
	rm -rf $(DESTDIR)$(DOCDIR)

.PHONY: clean
clean:
	rm -rf build build-san build-fuzz
