#!/bin/sh
# Each folder of libcore is a floor that includes only floors below it; DCMTK is seen by
# libcore/dcmtk/*.cc alone, SQLite by the floors that hold a database; local tools do not link DCMTK.
. "$(dirname "$0")/lib.sh"

# Prints what breaks the rules in the tree $1, one line each.
floors()
{
    (cd "$1" && find libcore cmd tests -name '*.[ch]' -o -name '*.cc' -o -name '*.cpp' -o -name '*.hh' |
        sort | xargs awk '
        BEGIN {
            below["base"] = "base"
            below["dicom"] = "dicom base"
            below["store"] = "store dicom base"
            below["index"] = "index store dicom base"
            below["state"] = "state store dicom base"
            below["dcmtk"] = "dcmtk dicom base"
            below["net"] = "net dcmtk state index store dicom base"
            below["export"] = "export dcmtk state index store dicom base"
            n = split("base dicom store index state dcmtk net export", all, " ")
            for (i = 1; i <= n; i++)
                is_floor[all[i]] = 1
        }
        function bad(why) { print FILENAME ":" FNR ": " why }
        FNR == 1 {
            split(FILENAME, part, "/")
            floor = part[1] == "libcore" ? part[2] : ""
            if (floor != "" && !(floor in below))
                bad("no such floor: " floor)
            cplusplus = FILENAME !~ /\.[ch]$/
            if (cplusplus && FILENAME !~ /^libcore\/dcmtk\/[^\/]*\.(cc|hh)$/)
                bad("C++ outside libcore/dcmtk")
        }
        /^[ \t]*#[ \t]*include[ \t]*["<]/ {
            name = $0
            sub(/^[ \t]*#[ \t]*include[ \t]*["<]/, "", name)
            sub(/[">].*/, "", name)
            depth = split(name, part, "/")
            if (name ~ /\.\.\//)
                bad("include by a relative path: " name)
            # Our own headers are FLOOR/NAME; those of DCMTK are dcmtk/LIBRARY/NAME.
            if (part[1] == "dcmtk" && (depth > 2 || $0 ~ /<dcmtk\//)) {
                if (FILENAME !~ /^libcore\/dcmtk\/.*\.(cc|hh)$/)
                    bad("header of DCMTK outside libcore/dcmtk/*.cc: " name)
            } else if (depth == 2 && part[1] in is_floor && floor != "" &&
                       index(" " below[floor] " ", " " part[1] " ") == 0) {
                bad("include upwards: " floor " -> " name)
            }
            if (name == "sqlite3.h" && FILENAME ~ /^(cmd|libcore)\// && floor != "index" && floor != "state")
                bad("SQLite outside libcore/index and libcore/state")
        }')
}

check_same 'the tree keeps to its floors' 'floors "$SRC"' ''

# The rules themselves: each file below breaks exactly one.
mkdir -p bad/libcore/base bad/libcore/index bad/libcore/dcmtk bad/libcore/net bad/libcore/attic \
    bad/cmd bad/tests
echo '#include "dicom/tag.h"' >bad/libcore/base/up.c
echo '#include "net/receive.h"' >bad/libcore/index/up.h
echo ' # include <dcmtk/dcmdata/dctk.h>' >bad/libcore/net/library.c
echo '#include "dcmtk/config/osconfig.h"' >bad/libcore/dcmtk/header.h
echo '#include "../index/index.h"' >bad/libcore/index/sideways.c
echo '#include <sqlite3.h>' >bad/cmd/pacs-x.c
echo 'int x;' >bad/libcore/net/a.cc
echo 'int x;' >bad/libcore/attic/a.c
# And these are as they should be.
printf '#include "base/err.h"\n#include "dcmtk/association.h"\n' >bad/libcore/net/good.c
printf '#include "dcmtk/config/osconfig.h"\n#include "dcmtk/association.h"\n' >bad/libcore/dcmtk/good.cc
echo '#include "net/receive.h"' >bad/cmd/good.c
check_same 'and would be caught if it did not' 'floors "$T/bad"' \
    'cmd/pacs-x.c:1: SQLite outside libcore/index and libcore/state
libcore/attic/a.c:1: no such floor: attic
libcore/base/up.c:1: include upwards: base -> dicom/tag.h
libcore/dcmtk/header.h:1: header of DCMTK outside libcore/dcmtk/*.cc: dcmtk/config/osconfig.h
libcore/index/sideways.c:1: include by a relative path: ../index/index.h
libcore/index/up.h:1: include upwards: index -> net/receive.h
libcore/net/a.cc:1: C++ outside libcore/dcmtk
libcore/net/library.c:1: header of DCMTK outside libcore/dcmtk/*.cc: dcmtk/dcmdata/dctk.h'

# A tool that needs no peer starts in a millisecond because it loads neither DCMTK nor C++.
linked()
{
    readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}
for program in "$B"/pacs-*; do
    [ -f "$program" ] && [ -x "$program" ] || continue
    name=${program##*/}
    case $name in
        *.*) continue ;;
        # What talks to peers. The codecs are in a program of their own.
        pacs-recv | pacs-echo | pacs-move)
            check_unlike "$name links no codec" 'linked "$program"' '^lib(dcmj|ijg|openjp)'
            check_like "$name links DCMTK (so this test can see it)" 'linked "$program"' '^libdcmnet'
            ;;
        pacs-transcode)
            check_like "$name links the codecs" 'linked "$program"' '^libdcmjpeg'
            check_unlike "$name talks to no one" 'linked "$program"' '^lib(dcmnet|ssl)'
            ;;
        *)
            check_unlike "$name links no DCMTK" 'linked "$program"' \
                "^lib(dcm|ofstd|oflog$([ -n "${SAN:-}" ] || printf '|stdc[+][+]'))"
            ;;
    esac
done

# Tests are started by themselves: prove runs them as commands.
check_same 'every test can be run' \
    'find "$SRC/tests" -name "*.t" ! -perm -100' ''
done_testing
