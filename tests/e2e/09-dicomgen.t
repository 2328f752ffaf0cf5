#!/bin/sh
# The generator of test files: the same bytes for the same options, as many objects as asked for, sound
# in DCMTK's and GDCM's eyes.
. "$(dirname "$0")/lib.sh"
require_tool dcmdump gdcminfo

check 'a tree of two patients' dicomgen --patients 2 --studies 3 --series 2 --instances 4 --list one
cp "$LAST" list
check_same 'its files are listed' 'sort list' "$(find one -type f | sort)"
check_same 'as many as asked for' 'wc -l <list' 48
# distinct TAG: how many values it has in the tree
distinct()
{
    xargs dcmdump -q +P "$1" <list | grep . | sort -u | wc -l
}
check_same 'patients' 'distinct 0010,0020' 2
check_same 'studies' 'distinct 0020,000d' 6
check_same 'series' 'distinct 0020,000e' 12
check_same 'instances' 'distinct 0008,0018' 48
check_same 'accession numbers' 'distinct 0008,0050' 6
check_same 'pixels differ' 'xargs dcmdump -q +L +P 7fe0,0010 <list | grep . | sort -u | wc -l' 48
check_same 'dcmdump has nothing to complain about' 'xargs dcmdump <list 2>&1 >/dev/null' ''

dicomgen --patients 2 --studies 3 --series 2 --instances 4 again
check 'the same again are the same bytes' diff -r one again
dicomgen --patients 2 --studies 3 --series 2 --instances 4 --seed 2 other
check_not 'another seed gives others' diff -qr one other

dicomgen --instances 20 --uids random --list random >list
check_same 'random UIDs' 'distinct 0008,0018' 20
check_same 'are 2.25 ones' 'xargs dcmdump -q +P 0008,0018 <list | grep -c "\[2\.25\.[0-9]*\]"' 20
for syntax in implicit explicit big deflated; do
    dicomgen --instances 1 --syntax $syntax --pixels 5000 $syntax
    check "gdcminfo reads $syntax" gdcminfo $syntax/p00001/s001/e001/i00001.dcm
    check_same "its pixels in $syntax" \
        "dcmdump -q +P 7fe0,0010 $syntax/p00001/s001/e001/i00001.dcm | sed 's/.*# *//'" \
        '5000, 1 PixelData'
done

check 'others, each in another shape' dicomgen --vary --instances 300 --pixels 64 --list vary
cp "$LAST" list
check 'all of which dcmdump reads' sh -c 'xargs dcmdump -q +P 0008,0018 <list'
dicomgen --vary --instances 300 --pixels 64 again-vary
check 'and which are the same again' diff -r vary again-vary
check_same 'in five transfer syntaxes' \
    'xargs dcmdump -q -Un +P 0002,0010 <list | sed "s/ *#.*//" | grep . | sort -u | wc -l' 5
check_fails 'no folder' 2 dicomgen
check_fails 'two folders' 2 dicomgen a b
done_testing
