#!/bin/sh
# 3,120 random strings that the character sets can hold, written by us: Python's codecs read what was
# meant, and so does DCMTK where it can.
. "$(dirname "$0")/lib.sh"
require_tool python3 dcmconv dcmdump
python3 -c 'import _codecs_jp, _codecs_kr, _codecs_cn' 2>/dev/null || skip_all "Python's codecs are not installed"

# As in 11-charset-strings.t: what DCMTK 3.6.7 of Debian cannot do.
dcmtk_can()
{
    case $1 in
        *'IR 203'* | *'IR 87'* | *'IR 159'* | *'IR 58'*) return 1 ;;
    esac
}

texts()
{
    sed -n 's/^(\(0009,10[0-9a-f][0-9a-f]\)) .. \[\(.*\)\]\( *# *[0-9]*, [0-9-]* .*\)*$/\1\t\2/p'
}

check 'strings are made' python3 "$SRC/tests/tools/charset_strings.py" "$T"
for lines in "$T"/*.lines; do
    name=${lines%.lines}
    set=$(cat "$name.set")
    # The texts take the place of the bytes.
    cut -f1-3 "$lines" >"$name.head"
    cut -f2- "$name.txt" | python3 -c 'import sys
for line in sys.stdin.buffer: print(line.rstrip(b"\n").hex())' | paste "$name.head" - | charsetprint -e >"$name.ours"
    check_same "$set: all of it can be written" 'cut -f4 "$name.ours" | grep -cx -e -' 0
    python3 "$SRC/tests/tools/charset_read.py" "$name.dcm" <"$name.ours" >"$name.python"
    check "$set: Python reads what it was" cmp "$name.txt" "$name.python"
    dcmtk_can "$set" || continue
    dcmconv -q +U8 "$name.dcm" "$name.utf8" 2>"$name.err"
    dcmdump -q +L "$name.utf8" | texts >"$name.dcmtk"
    if [ "$set" = 'ISO_IR 13' ]; then
        # DCMTK turns the separator of values into a yen sign; PS3.5 6.1.2.3 keeps it a separator.
        sed 'y/\\/¥/' "$name.txt" >"$name.yen"
        check "$set: and DCMTK, but for the separator" cmp "$name.yen" "$name.dcmtk"
    else
        check "$set: and DCMTK" cmp "$name.txt" "$name.dcmtk"
    fi
done
done_testing
