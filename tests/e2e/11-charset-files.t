#!/bin/sh
# The names in the test files of every character set: our UTF-8 equals DCMTK's; where DCMTK gives none
# or another, what is in the file.
. "$(dirname "$0")/lib.sh"
require_tool dcmconv dcmdump

raw()
{
    LC_ALL=C values "$@"
}

# Patient name of a file, by us; of the sequence item in those files that have it there.
ours()
{
    printf 'name\t%s\tPN\t%s\n' "$(raw "$1" 0008,0005 | tail -n 1)" \
        "$(raw "$1" 0010,0010 | tr -d '\n' | od -An -v -tx1 | tr -d ' \n')" |
        charsetprint | cut -f 2-
}

dcmtk()
{
    dcmconv -q +U8 "$1" "$T/utf8.dcm" 2>"$T/err" && values "$T/utf8.dcm" 0010,0010
}

check_name()
{
    file=$DATA/$1
    check_same "${1##*/}: $2" 'ours "$file"' "$2"
}

compared=0
for file in "$DATA"/pydicom/charset_files/*.dcm "$DATA"/odd/charset-*.dcm; do
    name=${file##*/}
    case $name in
        # Debian's DCMTK has no ISO 2022 IR 87; it gives up where a byte cannot be converted, and
        # drops a NUL.
        chrH31.dcm | chrH32.dcm | chrJap* | chrSQ* | charset-jis-unclosed.dcm) continue ;;
        charset-latin1-as-utf8.dcm | charset-utf8-overlong.dcm | charset-missing-8bit.dcm) continue ;;
        charset-unknown.dcm | charset-nul.dcm) continue ;;
    esac
    compared=$((compared + 1))
    theirs=$(dcmtk "$file")
    case $theirs in
        '') fail "$name: DCMTK reads a name" "$(cat "$T/err")" ;;
        *) check_same "$name: $theirs, like DCMTK" 'ours "$file"' "$theirs" ;;
    esac
done
check_same 'files compared with DCMTK' 'echo $compared' 13

# The same persons as in PS3.5 annexes H and I.
check_name pydicom/charset_files/chrH31.dcm 'Yamada^Tarou=山田^太郎=やまだ^たろう'
check_name pydicom/charset_files/chrH32.dcm 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう'
check_name pydicom/charset_files/chrJapMulti.dcm 'やまだ^たろう'
check_name pydicom/charset_files/chrJapMultiExplicitIR6.dcm 'やまだ^たろう'
check_name pydicom/charset_files/chrSQEncoding.dcm 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう'
check_name pydicom/charset_files/chrSQEncoding1.dcm 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう'
# Kanji that are never left again: '^' is half of one, a half at the end is none.
check_name odd/charset-jis-unclosed.dcm 'Yamada^Tarou=山田淆析�'
check_name odd/charset-latin1-as-utf8.dcm 'M�ller^J�rg'
check_name odd/charset-utf8-overlong.dcm 'A�����B'
check_name odd/charset-missing-8bit.dcm 'Müller^Jörg'
check_name odd/charset-unknown.dcm 'Müller^Jörg'
check_name odd/charset-nul.dcm 'AB?CD^X'
done_testing
