# pacsutils. `make demo` and `make check` do everything, from a fresh machine on.
#
# SAN=1 builds with AddressSanitizer and UBSan into a folder of its own; WERROR=1 makes warnings errors.

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= gcc
CXX     ?= g++
B       := build$(if $(SAN),-san)

WARN     := -Wall -Wextra -Wshadow -Wpointer-arith -Wvla -Wno-missing-field-initializers $(if $(WERROR),-Werror)
CWARN    := $(WARN) -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings
SANFLAGS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
comma    := ,
OPT      ?= -O2 -g
CPPFLAGS += -Ilibcore -I$(B)/gen -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DPACS_VERSION='"$(VERSION)"'
CFLAGS   += -std=c17 $(OPT) $(CWARN) $(SANFLAGS) -fstack-protector-strong
CXXFLAGS += -std=c++17 $(OPT) $(WARN) $(SANFLAGS) -fstack-protector-strong
LDFLAGS  += $(SANFLAGS) -Wl,--as-needed
LIBS     := -lsqlite3 -larchive -lz -linih -ljansson -lcrypto -lpthread -lm
DCMTK    := -ldcmnet -ldcmdata -loflog -lofstd

# Commands that need DCMTK are linked with it; all others stay clear of it and start in a millisecond.
DCMTK_COMMANDS := pacs-recv

COMMANDS := $(patsubst cmd/%.c,%,$(wildcard cmd/pacs-*.c))
CORE_SRC := $(wildcard libcore/base/*.c libcore/dicom/*.c libcore/store/*.c libcore/index/*.c \
              libcore/state/*.c libcore/net/*.c libcore/export/*.c)
CORE_OBJ := $(CORE_SRC:%.c=$(B)/%.o) $(if $(wildcard libcore/dicom/dict.awk),$(B)/gen/dict_table.o)
CXX_OBJ  := $(patsubst %.cc,$(B)/%.o,$(wildcard libcore/dcmtk/*.cc))
UNIT     := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
TOOLS    := $(patsubst tests/tools/%.c,$(B)/tests/%,$(wildcard tests/tools/*.c))

.PHONY: all
all: $(COMMANDS:%=$(B)/%)

# ---- objects ----

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(B)/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<
$(B)/gen/%.o: $(B)/gen/%.c
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The dictionary of PS3.6 as a C table, from the one that DCMTK's package installs.
DICTIONARY := $(lastword $(sort $(wildcard /usr/share/libdcmtk*/dicom.dic /usr/share/dcmtk*/dicom.dic)))
$(B)/gen/dict_table.c: libcore/dicom/dict.awk $(DICTIONARY)
	@mkdir -p $(@D)
	awk -f libcore/dicom/dict.awk $(DICTIONARY) > $@.new && mv $@.new $@

$(B)/libcore.a: $(CORE_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^
$(B)/libdcmbridge.a: $(CXX_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

# ---- programs ----

$(DCMTK_COMMANDS:%=$(B)/%): $(B)/%: $(B)/cmd/%.o $(B)/libcore.a $(B)/libdcmbridge.a
	$(CXX) $(LDFLAGS) -o $@ $^ $(DCMTK) $(LIBS)
$(filter-out $(DCMTK_COMMANDS:%=$(B)/%),$(COMMANDS:%=$(B)/%)): $(B)/%: $(B)/cmd/%.o $(B)/libcore.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

# tests/unit/test_dcmtk_*.c may use the bridge.
$(B)/tests/test_dcmtk_%: $(B)/tests/unit/test_dcmtk_%.o $(B)/libcore.a $(B)/libdcmbridge.a
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) -o $@ $^ $(DCMTK) $(LIBS) -lcmocka
$(B)/tests/test_%: $(B)/tests/unit/test_%.o $(B)/libcore.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
# argv of a test is written with literals.
$(B)/tests/unit/%.o: CFLAGS += -Wno-write-strings
# Programs that tests use: senders, generators, references.
$(B)/tests/%: $(B)/tests/tools/%.o $(B)/libcore.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)

.PHONY: unit
unit: $(UNIT)
	CMOCKA_MESSAGE_OUTPUT=TAP prove -e '' $(UNIT)

.PHONY: clean
clean:
	rm -rf build build-san
