"""Random legal strings for every character set of DICOM, written by Python's codecs.

charset_strings.py FOLDER writes for each set N:
  N.set    Specific Character Set
  N.dump   for dump2dcm: the strings as private elements (0009,1001) and up, in VRs PN, LO and LT
  N.lines  for charsetprint: tag, Specific Character Set, VR, hexadecimal
  N.txt    what must come out: tag and text in UTF-8
"""
import os
import random
import re
import sys

COUNT = 120
ASCII = [chr(c) for c in range(0x20, 0x7F) if chr(c) not in "\\^=~[]#"]


def square(codec, prefix=b"", first=0xA1, trail=0xA1):
    """The characters that have a two-byte code."""
    found = {}
    for lead in range(first, 0xFF):
        for second in range(trail, 0xFF):
            code = prefix + bytes([lead, second])
            try:
                text = code.decode(codec)
            except UnicodeDecodeError:
                continue
            # Private use: Unicode has got these characters since Python's table was made. And '~' is one
            # that the C library reads as its full-width form.
            if len(text) == 1 and not 0xE000 <= ord(text) < 0xF900 and text > "\x7f":
                found[text] = code
    return found


def half(codec, first=0xA1):
    found = {}
    for byte in range(first, 0x100):
        try:
            found[bytes([byte]).decode(codec)] = bytes([byte])
        except UnicodeDecodeError:
            pass
    return found


def seven(table):
    return {text: bytes(b & 0x7F for b in code if b != 0x8F) for text, code in table.items()}


KANJI = seven(square("euc_jp"))
KANJI_MORE = seven(square("euc_jp", b"\x8f"))
KANA = {text: code for text, code in half("shift_jis").items() if 0xA1 <= code[0] <= 0xDF}
HANGUL = square("euc_kr")
HANZI = square("gb2312")
PLAIN = {text: text.encode() for text in ASCII}

ESCAPES = {  # the repertoire, how it is reached, how it is left
    "87": (KANJI, b"\x1b$B", b"\x1b(B"),
    "159": (KANJI_MORE, b"\x1b$(D", b"\x1b(B"),
    "149": (HANGUL, b"\x1b$)C", b""),
    "58": (HANZI, b"\x1b$)A", b""),
    "13": (KANA, b"\x1b)I", b""),
}
SINGLES = {
    "100": ("iso8859_1", b"-A"), "101": ("iso8859_2", b"-B"), "109": ("iso8859_3", b"-C"),
    "110": ("iso8859_4", b"-D"), "144": ("iso8859_5", b"-L"), "127": ("iso8859_6", b"-G"),
    "126": ("iso8859_7", b"-F"), "138": ("iso8859_8", b"-H"), "148": ("iso8859_9", b"-M"),
    "203": ("iso8859_15", b"-b"), "166": ("tis_620", b"-T"),
}
for number, (codec, final) in SINGLES.items():
    ESCAPES[number] = (half(codec), b"\x1b" + final, b"")


class Whole:
    """One set for everything."""

    def __init__(self, table):
        self.table = {**PLAIN, **table}
        self.texts = list(self.table)
        self.other = list(table)

    def run(self, rng):
        texts = [rng.choice(self.other if rng.random() < 0.7 else self.texts) for _ in range(rng.randint(1, 8))]
        return "".join(texts), b"".join(self.table[t] for t in texts)


class Extended:
    """ISO 2022: a first set, others by escape sequences until the next delimiter."""

    def __init__(self, first, others):
        self.first = {**PLAIN, **(ESCAPES[first][0] if first else {})}
        self.back = b"\x1b(J" if first == "13" else None
        self.others = others

    def run(self, rng):
        table, reach, leave = (self.first, b"", b"") if rng.random() < 0.3 else ESCAPES[rng.choice(self.others)]
        if leave and self.back:
            leave = self.back
        texts = rng.choices(list(table), k=rng.randint(1, 6))
        if not reach and self.used:  # the right half is another's by now
            texts = rng.choices(ASCII, k=3)
            table = PLAIN
        self.used |= bool(reach and not leave)
        return "".join(texts), reach + b"".join(table[t] for t in texts) + leave

    used = False


def value(writer, vr, rng):
    """Some runs, with delimiters between them after which the first set is in use again. The dots are there
    because spaces around a value are padding."""
    texts, codes = [], []
    for part in range(rng.randint(1, 4)):
        if part:
            delimiter = {"PN": "^", "LO": "\\"}.get(vr)
            if not delimiter:
                break
            if vr == "PN" and "=" not in "".join(texts) and part == 2:
                delimiter = "="
            texts.append("." + delimiter + ".")
            codes.append(b"." + delimiter.encode() + b".")
        writer.used = False
        for _ in range(rng.randint(1, 3)):
            text, code = writer.run(rng)
            texts.append(text)
            codes.append(code)
    texts.append(".")
    codes.append(b".")
    return "x" + "".join(texts), b"x" + b"".join(codes)


def writers():
    for number, (codec, _) in SINGLES.items():
        yield "ISO_IR " + number, Whole(half(codec))
    yield "ISO_IR 13", Whole(KANA)
    points = [chr(c) for c in [*range(0xA1, 0xD800), *range(0xF900, 0xFFFE), *range(0x10000, 0x110000, 37)]]
    yield "ISO_IR 192", Whole({text: text.encode() for text in points})
    yield "GBK", Whole(square("gbk", first=0x81, trail=0x40))
    # The four-byte codes of these have other meanings since GB18030-2005.
    moved = [0x1E3F, *range(0xFE10, 0xFE1A), *range(0x9FB4, 0x9FBC), 0x20087, 0x20089, 0x200CC, 0x215D7, 0x2298F,
             0x241FE]
    points = [text for text in points if ord(text) not in moved]
    gb = square("gb18030", first=0x81, trail=0x40)
    yield "GB18030", Whole({**{t: t.encode("gb18030") for t in points if len(t.encode("gb18030")) == 4}, **gb})
    yield "GB18030", Whole(gb)
    yield "\\ISO 2022 IR 87", Extended(None, ["87"])
    yield "ISO 2022 IR 13\\ISO 2022 IR 87", Extended("13", ["87"])
    yield "\\ISO 2022 IR 87\\ISO 2022 IR 159", Extended(None, ["87", "159"])
    yield "ISO 2022 IR 6\\ISO 2022 IR 149", Extended(None, ["149"])
    yield "\\ISO 2022 IR 58", Extended(None, ["58"])
    yield "ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126", Extended("100", ["144", "126"])
    yield "ISO 2022 IR 101\\ISO 2022 IR 149\\ISO 2022 IR 58", Extended("101", ["149", "58", "101"])
    yield "ISO 2022 IR 6\\ISO 2022 IR 127\\ISO 2022 IR 138\\ISO 2022 IR 148\\ISO 2022 IR 166", Extended(
        None, ["127", "138", "148", "166"])
    yield "ISO 2022 IR 6\\ISO 2022 IR 109\\ISO 2022 IR 110\\ISO 2022 IR 13", Extended(None, ["109", "110", "13"])
    yield "ISO 2022 IR 6\\ISO 2022 IR 87\\ISO 2022 IR 149\\ISO 2022 IR 100", Extended(None, ["87", "149", "100"])


def main():
    folder = sys.argv[1]
    rng = random.Random(20240101)
    for index, (specific, writer) in enumerate(writers()):
        name = os.path.join(folder, "%02d" % index)
        with open(name + ".set", "w") as out:
            out.write(specific + "\n")
        with open(name + ".dump", "wb") as dump, open(name + ".lines", "w") as lines, \
                open(name + ".txt", "w", encoding="utf-8") as expected:
            dump.write(b"(0008,0005) CS [%s]\n(0009,0010) LO [TEST]\n" % specific.encode())
            for i in range(COUNT):
                tag, vr = "0009,10%02x" % (i + 1), ("PN", "LO", "LT")[i % 3]
                text, code = value(writer, vr, rng)
                while re.search(rb"\\[nrtabfv0-7x'\"?\\]", code):  # which dump2dcm takes for itself
                    text, code = value(writer, vr, rng)
                dump.write(b"(%s) %s [%s]\n" % (tag.encode(), vr.encode(), code))
                lines.write("%s\t%s\t%s\t%s\n" % (tag, specific, vr, code.hex()))
                expected.write("%s\t%s\n" % (tag, text))


main()
