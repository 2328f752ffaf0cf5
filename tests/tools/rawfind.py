"""A C-FIND user by hand, byte by byte: for what well-behaved clients cannot do.

rawfind.py PORT [-m patient|study|only] [-n BYTES] [-s implicit|explicit|big] SCENARIO [ARGUMENT...]

-n: the bytes of extended negotiation (relational, combined date-time, fuzzy names) as digits, "101".
Prints "negotiated DIGITS" where that was asked for. Scenarios:
  find LEVEL KEY=VALUE...   "gggg,eeee=value" joined by blanks for each response (the keys asked for, in
                            order of tag), then "STATUS COUNT"
  raw HEX                   the identifier as bytes; prints "STATUS COUNT" or what ended the association
  repeat N BYTES            an identifier with a list of N UIDs, BYTES times in one association
  nothing                   a C-FIND-RQ without a data set
  cancel N                  all studies, C-CANCEL after N responses; then an echo-like second query
  late                      C-CANCEL of a query that is over, in front of the next one
  twice                     two requests at once
  abort                     A-ABORT after the first response
  vanish                    the connection is closed after the first response
  stall SECONDS             reads nothing after the request; prints how it ended
"""
import socket
import struct
import sys
import time

MODELS = {"patient": "1.2.840.10008.5.1.4.1.2.1.1", "study": "1.2.840.10008.5.1.4.1.2.2.1",
          "only": "1.2.840.10008.5.1.4.1.2.3.1"}
SYNTAXES = {"implicit": "1.2.840.10008.1.2", "explicit": "1.2.840.10008.1.2.1", "big": "1.2.840.10008.1.2.2"}
TAGS = {"level": (8, 0x52), "charset": (8, 5), "name": (0x10, 0x10), "id": (0x10, 0x20), "birth": (0x10, 0x30),
        "study": (0x20, 0xD), "series": (0x20, 0xE), "sop": (8, 0x18), "date": (8, 0x20), "time": (8, 0x30),
        "modality": (8, 0x60), "modalities": (8, 0x61), "accession": (8, 0x50), "rows": (0x28, 0x10),
        "description": (8, 0x1030), "number": (0x20, 0x13), "kernel": (0x18, 0x1210), "images": (0x20, 0x1208),
        "private": (9, 0x1001), "weighted": (0x18, 0x9073)}
VRS = {(8, 0x52): "CS", (8, 5): "CS", (0x10, 0x10): "PN", (0x10, 0x20): "LO", (0x20, 0xD): "UI", (0x20, 0xE): "UI",
       (8, 0x18): "UI", (8, 0x20): "DA", (8, 0x30): "TM", (8, 0x60): "CS", (8, 0x61): "CS", (8, 0x50): "SH"}


def item(kind, body):
    return struct.pack(">BBH", kind, 0, len(body)) + body


def element(tag, value, explicit):
    value += b" " * (len(value) % 2) if tag[0] != 0x20 or tag[1] > 0xE else b"\0" * (len(value) % 2)
    if explicit:
        return struct.pack("<HH", *tag) + VRS.get(tag, "LO").encode() + struct.pack("<H", len(value)) + value
    return struct.pack("<HHI", tag[0], tag[1], len(value)) + value


def identifier(pairs, explicit=False):
    return b"".join(element(tag, value, explicit) for tag, value in sorted(pairs.items()))


class Ended(Exception):
    pass


class Association:
    def __init__(self, port, model, negotiation, syntax):
        self.socket = socket.create_connection(("localhost", port), 30)
        self.socket.settimeout(60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.uid = MODELS[model]
        self.explicit = syntax == "explicit"
        self.message = 0
        self.buffer = b""
        user = item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3.4")
        if negotiation:
            uid = self.uid.encode()
            user += item(0x56, struct.pack(">H", len(uid)) + uid + bytes(int(c) for c in negotiation))
        context = item(0x20, b"\1\0\0\0" + item(0x30, self.uid.encode()) + item(0x40, SYNTAXES[syntax].encode()))
        body = struct.pack(">HH", 1, 0) + b"PACS".ljust(16) + b"RAWFIND".ljust(16) + bytes(32) + \
            item(0x10, b"1.2.840.10008.3.1.1.1") + context + item(0x50, user)
        self.socket.sendall(struct.pack(">BBI", 1, 0, len(body)) + body)
        kind, answer = self.pdu()
        if kind != 2:
            raise Ended("no association: PDU %d" % kind)
        at = 68
        while at < len(answer):
            which, length = struct.unpack(">BxH", answer[at:at + 4])
            self.look(which, answer[at + 4:at + 4 + length])
            at += 4 + length

    def look(self, which, body):
        if which == 0x21 and body[2]:
            raise Ended("context refused: %d" % body[2])
        at = 0
        while which == 0x50 and at < len(body):
            kind, length = struct.unpack(">BxH", body[at:at + 4])
            if kind == 0x56:
                uid, = struct.unpack(">H", body[at + 4:at + 6])
                print("negotiated " + "".join(str(b) for b in body[at + 6 + uid:at + 4 + length]))
            at += 4 + length

    def exactly(self, count):
        while len(self.buffer) < count:
            try:
                more = self.socket.recv(65536)
            except ConnectionError:
                more = b""
            if not more:
                raise Ended("closed")
            self.buffer += more
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def pdu(self):
        kind, length = struct.unpack(">BxI", self.exactly(6))
        return kind, self.exactly(length)

    def send(self, command, data):
        pdu = b""
        for control, bytes_ in ((1, command), (0, data)):
            for at in range(0, len(bytes_) if bytes_ is not None else 0, 100000):
                piece = bytes_[at:at + 100000]
                last = 2 if at + 100000 >= len(bytes_) else 0
                pdu += struct.pack(">BBIIBB", 4, 0, len(piece) + 6, len(piece) + 2, 1, control | last) + piece
        self.socket.sendall(pdu)

    def command(self, field, data, message):
        pairs = {(0, 0x100): struct.pack("<H", field), (0, 0x800): struct.pack("<H", 1 if data else 0x101)}
        if field == 0xFFF:
            pairs[(0, 0x120)] = struct.pack("<H", message)
        else:
            uid = self.uid.encode()
            pairs[(0, 2)] = uid + b"\0" * (len(uid) % 2)
            pairs[(0, 0x110)] = struct.pack("<H", message)
            pairs[(0, 0x700)] = struct.pack("<H", 0)
        body = identifier(pairs)
        return element((0, 0), struct.pack("<I", len(body)), False) + body

    def request(self, data):
        self.message += 1
        self.send(self.command(0x20, data is not None, self.message), data)

    def cancel(self, message):
        self.send(self.command(0xFFF, False, message), None)

    def fragment(self):
        """Bytes of one message part, command or data set, whole."""
        whole = b""
        while True:
            kind, body = self.pdu()
            if kind == 7:
                raise Ended("aborted by source %d" % body[2])
            if kind != 4:
                raise Ended("PDU %d" % kind)
            while body:
                length, _, control = struct.unpack(">IBB", body[:6])
                whole += body[6:4 + length]
                body = body[4 + length:]
                if control & 2:
                    assert not body or control & 1 or length, "order"
                    self.rest = body
                    if body:
                        self.buffer = struct.pack(">BBI", 4, 0, len(body)) + body + self.buffer
                    return whole

    def response(self):
        """Status, and the identifier as a dictionary or None."""
        command = elements(self.fragment(), False)
        status, = struct.unpack("<H", command[(0, 0x900)])
        has_data = command[(0, 0x800)] != b"\1\1"
        assert has_data == (status in (0xFF00, 0xFF01)), "data set with status %04x" % status
        assert struct.unpack("<H", command[(0, 0x120)])[0] == self.message, "answer to another request"
        return status, elements(self.fragment(), self.explicit) if has_data else None

    def release(self):
        self.socket.sendall(struct.pack(">BBI", 5, 0, 4) + bytes(4))
        kind, _ = self.pdu()
        print("released" if kind == 6 else "PDU %d instead of a release" % kind)


def elements(data, explicit):
    found, at = {}, 0
    while at < len(data):
        tag = struct.unpack("<HH", data[at:at + 4])
        if explicit and data[at + 4:at + 6] in (b"SQ", b"UN", b"UT", b"UC", b"UR", b"OB", b"OW"):
            length, = struct.unpack("<I", data[at + 8:at + 12])
            at += 12
        elif explicit:
            length, = struct.unpack("<H", data[at + 6:at + 8])
            at += 8
        else:
            length, = struct.unpack("<I", data[at + 4:at + 8])
            at += 8
        found[tag] = data[at:at + length]
        at += length
    return found


def asked(words):
    pairs = {(8, 0x52): words[0].encode()}
    for word in words[1:]:
        key, _, value = word.partition("=")
        tag = TAGS[key] if key in TAGS else tuple(int(part, 16) for part in key.split(","))
        pairs[tag] = value.encode()
    return pairs


def all_responses(association, wanted=None):
    count = 0
    while True:
        status, found = association.response()
        if found is None:
            print("%04X %d" % (status, count))
            return status
        count += 1
        if wanted:
            for tag in wanted:
                assert tag in found, "%04x,%04x was asked for" % tag
            print(" ".join("%04x,%04x=%s" % (*tag, found[tag].decode("utf-8").strip(" \0"))
                           for tag in sorted(wanted) if tag not in ((8, 0x52), (8, 5))), "(%04X)" % status)


EVERYTHING = {(8, 0x52): b"STUDY", (0x20, 0xD): b"", (0x10, 0x10): b"", (8, 0x1030): b""}


def scenario(association, name, words):
    study = identifier(EVERYTHING, association.explicit)
    if name == "find":
        pairs = asked(words)
        association.request(identifier(pairs, association.explicit))
        all_responses(association, list(pairs))
    elif name == "raw":
        association.request(bytes.fromhex(words[0]))
        all_responses(association)
    elif name == "repeat":
        uids = b"\\".join(b"1.2.826.0.1.3680043.2.1125.9.%011d" % i for i in range(int(words[0])))
        pairs = {**EVERYTHING, (0x20, 0xD): uids}
        for _ in range(int(words[1])):
            association.request(identifier(pairs))
            all_responses(association)
    elif name == "nothing":
        association.request(None)
        all_responses(association)
    elif name == "cancel":
        association.request(study)
        for _ in range(int(words[0])):
            association.response()
        association.cancel(association.message)
        all_responses(association)
        association.request(identifier({**EVERYTHING, (0x20, 0xD): b"1.2.3.4.5.6.7"}, association.explicit))
        all_responses(association)
    elif name == "late":
        association.request(study)
        all_responses(association)
        association.cancel(association.message)
        association.request(study)
        association.cancel(association.message - 1)
        all_responses(association)
    elif name == "twice":
        association.request(study)
        association.message += 1
        association.send(association.command(0x20, True, association.message), study)
        association.message -= 1
        all_responses(association)
    elif name == "abort":
        association.request(study)
        association.response()
        association.socket.sendall(struct.pack(">BBI", 7, 0, 4) + bytes(4))
        return
    elif name == "vanish":
        association.request(study)
        association.response()
        return
    elif name == "stall":
        association.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        association.request(study)
        time.sleep(float(words[0]))
        all_responses(association)
    association.release()


def main():
    words = sys.argv[1:]
    port, model, negotiation, syntax = int(words.pop(0)), "study", "", "implicit"
    while words[0].startswith("-"):
        option, value = words.pop(0), words.pop(0)
        if option == "-m":
            model = value
        elif option == "-n":
            negotiation = value
        elif option == "-s":
            syntax = value
    try:
        scenario(Association(port, model, negotiation, syntax), words[0], words[1:])
    except Ended as why:
        print("ended: %s" % why)


if __name__ == "__main__":
    main()
