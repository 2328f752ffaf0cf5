#!/bin/sh
# 3,120 random legal strings in every character set, written by Python's codecs: we read what was
# written, and so does DCMTK where it can.
. "$(dirname "$0")/lib.sh"
require_tool python3 dump2dcm dcmconv dcmdump
python3 -c 'import _codecs_jp, _codecs_kr, _codecs_cn' 2>/dev/null || skip_all "Python's codecs are not installed"

# What DCMTK 3.6.7 of Debian cannot do:
#   ISO_IR 203        it does not know it
#   ISO 2022 IR 87, 159  not with the C library's iconv
#   ISO 2022 IR 58    it takes ASCII between the Chinese characters for halves of them
dcmtk_can()
{
    case $1 in
        *'IR 203'* | *'IR 87'* | *'IR 159'* | *'IR 58'*) return 1 ;;
    esac
}

# "(gggg,eeee) VR [text]" as "gggg,eeee<tab>text"; with what dcmdump adds to it.
texts()
{
    sed -n 's/^(\(0009,10[0-9a-f][0-9a-f]\)) .. \[\(.*\)\]\( *# *[0-9]*, [0-9-]* .*\)*$/\1\t\2/p'
}

tags=$(printf ',0009,10%02x' $(seq 1 120))
check 'strings are made' python3 "$SRC/tests/tools/charset_strings.py" "$T"
check_same 'as many as promised' 'cat "$T"/*.txt | wc -l' 3120
for lines in "$T"/*.lines; do
    name=${lines%.lines}
    set=$(cat "$name.set")
    charsetprint <"$lines" >"$name.ours"
    check "$set: equals what Python wrote" cmp "$name.txt" "$name.ours"
    dump2dcm -q "$name.dump" "$name.dcm"
    scanprint -t "${tags#,}" "$name.dcm" | texts >"$name.scanned"
    check "$set: the same out of a file" cmp "$name.txt" "$name.scanned"
    dcmtk_can "$set" || continue
    dcmconv -q +U8 "$name.dcm" "$name.utf8" 2>"$name.err"
    dcmdump -q +L "$name.utf8" | texts >"$name.dcmtk"
    if [ "$set" = 'ISO_IR 13' ]; then
        # DCMTK turns the separator of values into a yen sign; PS3.5 6.1.2.3 keeps it a separator.
        sed 'y/\\/¥/' "$name.ours" >"$name.yen"
        check "$set: equals what DCMTK reads, but for the separator" cmp "$name.yen" "$name.dcmtk"
    else
        check "$set: equals what DCMTK reads" cmp "$name.ours" "$name.dcmtk"
    fi
done
done_testing
