"""Reads text in the character sets of DICOM with Python's codecs, as PS3.5 6.1 tells.

charset_read.py FILE.dcm <LINES >TEXTS: lines "tag, Specific Character Set, VR, hexadecimal" as charsetprint -e
prints them; "tag <TAB> text in UTF-8" as charsetprint prints it. All of it also goes into a file.
"""
import struct
import sys

LEFT = {b"(B": "ascii", b"(J": "romaji", b"$B": "iso2022_jp", b"$@": "iso2022_jp", b"$(D": "iso2022_jp_1"}
RIGHT = {b"-A": "iso8859_1", b"-B": "iso8859_2", b"-C": "iso8859_3", b"-D": "iso8859_4", b"-L": "iso8859_5",
         b"-G": "iso8859_6", b"-F": "iso8859_7", b"-H": "iso8859_8", b"-M": "iso8859_9", b"-b": "iso8859_15",
         b"-T": "tis_620", b")I": "shift_jis", b"$)C": "euc_kr", b"$)A": "gb2312"}
NUMBERS = {"100": b"-A", "101": b"-B", "109": b"-C", "110": b"-D", "144": b"-L", "127": b"-G", "126": b"-F",
           "138": b"-H", "148": b"-M", "203": b"-b", "166": b"-T", "13": b")I"}
WHOLE = {"ISO_IR 192": "utf-8", "GB18030": "gb18030", "GBK": "gbk"}


def decode(specific, vr, data):
    first = specific.split("\\")[0]
    if first in WHOLE:
        return data.decode(WHOLE[first])
    number = first.rsplit(" ", 1)[-1]
    start = ("romaji" if number == "13" else "ascii", RIGHT[NUMBERS[number]] if number in NUMBERS else None)
    left, right = start
    delimiters = {"PN": b"\\^=", "LO": b"\\", "LT": b""}[vr]
    text, at = "", 0
    while at < len(data):
        byte = data[at:at + 1]
        if byte == b"\x1b":
            escape = next(e for e in sorted([*LEFT, *RIGHT], key=len, reverse=True) if data[at + 1:].startswith(e))
            left, right = (LEFT[escape], right) if escape in LEFT else (left, RIGHT[escape])
            at += 1 + len(escape)
        elif byte < b"\x20" or (byte in delimiters and not left.startswith("iso2022")):
            assert left == start[0], "a delimiter in another set"
            text, at, (left, right) = text + byte.decode(), at + 1, start
        elif byte >= b"\x80":
            size = 2 if right in ("euc_kr", "gb2312") else 1
            text, at = text + data[at:at + size].decode(right), at + size
        elif left.startswith("iso2022"):
            escape = b"\x1b$B" if left == "iso2022_jp" else b"\x1b$(D"
            text, at = text + (escape + data[at:at + 2] + b"\x1b(B").decode(left), at + 2
        else:
            letter = byte.decode()
            text, at = text + ({"\\": "\u00a5", "~": "\u203e"}.get(letter, letter) if left == "romaji" else letter), at + 1
    return text


def element(group, number, vr, value, pad=b" "):
    value += pad * (len(value) % 2)
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


lines = [line.rstrip("\n").split("\t") for line in sys.stdin]
dataset = element(8, 5, b"CS", lines[0][1].encode()) + element(9, 0x10, b"LO", b"TEST")
for tag, specific, vr, code in lines:
    value = bytes.fromhex(code)
    print("%s\t%s" % (tag, decode(specific, vr, value)))
    dataset += element(9, int(tag[5:], 16), vr.encode(), value)
with open(sys.argv[1], "wb") as out:
    meta = element(2, 2, b"UI", b"1.2.840.10008.5.1.4.1.1.7", b"\0") + element(2, 3, b"UI", b"1.2.3", b"\0") + \
        element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1", b"\0")
    out.write(bytes(128) + b"DICM" + element(2, 0, b"UL", struct.pack("<I", len(meta))) + meta + dataset)
