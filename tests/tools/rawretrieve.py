"""A C-MOVE or C-GET user by hand.

rawretrieve.py PORT move|get [NAME=VALUE...] LEVEL KEY=VALUE...

  model=patient|study|only   (study)          destination=AET   of a C-MOVE
  relational=1               asks for relational retrieval
  classes=UID,...  syntaxes=UID,...           what it offers to take by C-GET, a context for each pair
  role=0                     without asking for the role of SCP
  status=HEX                 answers C-STORE so
  cancel=N                   C-CANCEL after N objects (C-GET) or pending responses (C-MOVE)
  stall=N                    answers nothing from the Nth object on, and waits how that ends
  leave=N                    closes the connection at the Nth object; abort=N: aborts
  junk=HEX                   the identifier, as it is
  out=FOLDER                 writes each data set there

Prints "object INSTANCE SYNTAX BYTES" for each, "pending R C F W" for the first and "more" for further ones, and the
last response as "STATUS remaining completed failed warned [failed UIDs, by commas]" with - for what it does not have.
"""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rawdicom import Ended, Wire, command, elements, implicit, item, items, text  # noqa: E402

ROOTS = {"patient": "1.2.840.10008.5.1.4.1.2.1.", "study": "1.2.840.10008.5.1.4.1.2.2.",
         "only": "1.2.840.10008.5.1.4.1.2.3."}
TAGS = {"id": (0x10, 0x20), "study": (0x20, 0xD), "series": (0x20, 0xE), "sop": (8, 0x18), "date": (8, 0x20)}
IMPLICIT = "1.2.840.10008.1.2"


def associate(wire, asked, uid):
    pairs = [(uid, asked.get("syntax", IMPLICIT))]
    if "classes" in asked:
        pairs += [(c, s) for c in asked["classes"].split(",") for s in asked.get("syntaxes", IMPLICIT).split(",")]
    body, user = b"", item(0x51, struct.pack(">I", 131072)) + item(0x52, b"1.2.3.4")
    for number, (abstract, syntax) in enumerate(pairs):
        body += item(0x20, bytes((2 * number + 1, 0, 0, 0)) + item(0x30, abstract.encode()) + item(0x40, syntax.encode()))
    if asked.get("role") != "0":
        for abstract in sorted({pair[0] for pair in pairs[1:]}):
            user += item(0x54, struct.pack(">H", len(abstract)) + abstract.encode() + b"\0\1")
    if "relational" in asked:
        user += item(0x56, struct.pack(">H", len(uid)) + uid.encode() + b"\1")
    wire.put(1, struct.pack(">HH", 1, 0) + asked.get("called", "PACS").encode().ljust(16) + b"RAWGET".ljust(16) +
             bytes(32) + item(0x10, b"1.2.840.10008.3.1.1.1") + body + item(0x50, user))
    kind, answer = wire.pdu()
    if kind != 2:
        raise Ended("no association: PDU %d" % kind)
    contexts = {}
    for which, value in items(answer[68:]):
        if which == 0x21 and value[2] == 0:
            contexts[value[0]] = text(value[8:])
    return contexts


class Retrieval:
    def __init__(self, wire, asked, contexts):
        self.wire, self.asked, self.contexts = wire, asked, contexts
        self.objects = self.pendings = 0

    def number(self, name):
        return int(self.asked.get(name, "-1"))

    def cancel(self):
        self.wire.send(1, command({0x100: 0xFFF, 0x120: 9, 0x800: 0x101}))

    def take(self, context, found, data):
        self.objects += 1
        instance = text(found[0x1000])
        print("object", instance, self.contexts[context], len(data))
        if "out" in self.asked:
            with open(os.path.join(self.asked["out"], instance), "wb") as file:
                file.write(data)
        if self.objects == self.number("leave"):
            raise Ended("left")
        if self.objects == self.number("abort"):
            self.wire.abort()
            raise Ended("aborted")
        if self.objects == self.number("stall"):
            self.wire.pdu()
            raise Ended("something came while it stalled")
        if self.objects == self.number("cancel"):
            self.cancel()
        self.wire.send(context, command({2: text(found[2]), 0x100: 0x8001,
                                         0x120: struct.unpack("<H", found[0x110])[0], 0x800: 0x101,
                                         0x900: int(self.asked.get("status", "0"), 16), 0x1000: instance}))

    def run(self):
        while True:
            context, found, data = self.wire.message()
            field, = struct.unpack("<H", found[0x100])
            if field == 1:
                self.take(context, found, data)
                continue
            status, = struct.unpack("<H", found[0x900])
            counts = ["%d" % struct.unpack("<H", found[n]) if n in found else "-" for n in range(0x1020, 0x1024)]
            if status == 0xFF00:
                self.pendings += 1
                print(*(["pending"] + counts if self.pendings == 1 else ["more"]))
                if self.pendings == self.number("cancel") and "destination" in self.asked:
                    self.cancel()
                continue
            failed = elements(data).get((8, 0x58), b"") if data else b""
            print("%04X" % status, *counts, *([text(failed).replace("\\", ",")] if data else []))
            return


def main():
    port, service, words = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    asked, keys, level = {}, {}, None
    for word in words:
        name, _, value = word.partition("=")
        if level is None and "=" not in word:
            level = word
        elif level is None:
            asked[name] = value
        else:
            keys[TAGS[name]] = value.encode()
    uid = ROOTS[asked.get("model", "study")] + ("2" if service == "move" else "3")
    wire = Wire(socket.create_connection(("localhost", port), 30))
    try:
        contexts = associate(wire, asked, uid)
        if 1 not in contexts:
            raise Ended("context refused")
        identifier = bytes.fromhex(asked["junk"]) if "junk" in asked else implicit({(8, 0x52): level.encode(), **keys})
        request = {2: uid, 0x100: 0x21 if service == "move" else 0x10, 0x110: 9, 0x700: 0,
                   0x800: 0x101 if asked.get("junk") == "" else 1}
        if "destination" in asked:
            request[0x600] = asked["destination"]
        wire.send(1, command(request), identifier if request[0x800] == 1 else None)
        Retrieval(wire, asked, contexts).run()
        wire.put(5, bytes(4))
        kind, _ = wire.pdu()
        print("released" if kind == 6 else "PDU %d to a release" % kind)
    except Ended as how:
        print("ended:", how)


main()
