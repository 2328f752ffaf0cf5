"""PDUs and command sets by hand, for fakescp.py and rawretrieve.py: what well-behaved tools cannot do."""
import socket
import struct


class Ended(Exception):
    """The association is over; says how."""


def item(kind, body):
    return struct.pack(">BBH", kind, 0, len(body)) + body


def items(body):
    at = 0
    while at + 4 <= len(body):
        kind, length = struct.unpack(">BxH", body[at:at + 4])
        yield kind, body[at + 4:at + 4 + length]
        at += 4 + length


def element(tag, value):
    value += (b"\0" if tag[1] in (2, 3, 0x1000, 0x18, 0xD, 0xE) else b" ") * (len(value) % 2)
    return struct.pack("<HHI", tag[0], tag[1], len(value)) + value


def implicit(pairs):
    return b"".join(element(tag, value) for tag, value in sorted(pairs.items()))


def elements(data):
    found, at = {}, 0
    while at + 8 <= len(data):
        group, number, length = struct.unpack("<HHI", data[at:at + 8])
        found[(group, number)] = data[at + 8:at + 8 + length]
        at += 8 + length
    return found


def command(pairs):
    body = implicit({(0, number): struct.pack("<H", value) if isinstance(value, int) else value.encode()
                     for number, value in pairs.items()})
    return element((0, 0), struct.pack("<I", len(body))) + body


def text(bytes_):
    return bytes_.decode("ascii").strip(" \0")


class Wire:
    def __init__(self, connection, timeout=60):
        self.socket = connection
        self.socket.settimeout(timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.max_pdu = 16384

    def exactly(self, count):
        parts, have = [self.buffer], len(self.buffer)
        while have < count:
            try:
                more = self.socket.recv(1 << 20)
            except socket.timeout as silent:
                raise Ended("silence") from silent
            except OSError:
                more = b""
            if not more:
                raise Ended("closed")
            parts.append(more)
            have += len(more)
        whole = b"".join(parts)
        self.buffer = whole[count:]
        return whole[:count]

    def pdu(self):
        kind, length = struct.unpack(">BxI", self.exactly(6))
        return kind, self.exactly(length)

    def put(self, kind, body):
        self.socket.sendall(struct.pack(">BBI", kind, 0, len(body)) + body)

    def send(self, context, command_set, data=None):
        pdus = b""
        for control, whole in ((1, command_set), (0, data)):
            if whole is None:
                continue
            step = self.max_pdu - 6
            for at in range(0, max(len(whole), 1), step):
                piece = whole[at:at + step]
                last = 2 if at + step >= len(whole) else 0
                pdus += struct.pack(">BBIIBB", 4, 0, len(piece) + 6, len(piece) + 2, context, control | last) + piece
        self.socket.sendall(pdus)

    def abort(self):
        self.put(7, bytes(4))

    def fragment(self):
        """A whole part of a message: context, is it a command, bytes."""
        parts = []
        while True:
            kind, body = self.pdu()
            if kind == 5:
                raise Ended("release")
            if kind == 7:
                raise Ended("abort by source %d" % body[2])
            if kind != 4:
                raise Ended("PDU %d" % kind)
            length, context, control = struct.unpack(">IBB", body[:6])
            if (length - 2) % 2:
                raise Ended("a fragment of odd length")
            parts.append(body[6:4 + length])
            if body[4 + length:]:
                rest = body[4 + length:]
                self.buffer = struct.pack(">BBI", 4, 0, len(rest)) + rest + self.buffer
            if control & 2:
                return context, bool(control & 1), b"".join(parts)

    def message(self):
        """Context, command as a dictionary of numbers, data set or None."""
        context, _, whole = self.fragment()
        found = {tag[1]: value for tag, value in elements(whole).items()}
        data = None
        if found[0x800] != b"\1\1":
            _, _, data = self.fragment()
        return context, found, data
