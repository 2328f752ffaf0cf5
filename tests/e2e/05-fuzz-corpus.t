#!/bin/sh
# Each fuzz target takes the inputs that once broke it, its seeds, and all test data, and survives.
. "$(dirname "$0")/lib.sh"

[ -e "$SRC/libcore/dicom/scan.c" ] || skip_all 'there is no scanner'
for source in "$SRC"/tests/fuzz/fuzz_*.c; do
    target=$(basename "$source" .c)
    corpus=$SRC/tests/fuzz/corpus/${target#fuzz_}
    [ -d "$corpus" ] || corpus=
    check "$target: corpus and test data" "$target" ${corpus:+"$corpus"} "$DATA"
done
done_testing
