"""A peer that takes objects, and misbehaves as it is told to.

fakescp.py PORTFILE [NAME=VALUE...]

Logs one line for each event on stdout:
  associate CALLING CALLED CONTEXTS       accept CLASS SYNTAX
  store NUMBER INSTANCE SYNTAX BYTES ORIGINATOR ORIGINATOR-ID STATUS
  release | abort | closed | ...          how an association ended

  syntaxes=UID,...    takes only these (else whatever comes first)
  classes=UID,...     takes only these SOP classes
  maxpdu=N            announces it (16384)
  status=HEX,...      answers the stores so, the last one for all that follow (0000)
  comment=TEXT        with each answer
  reject=N:HEX        rejects the first N associations (0: all) with result, source and reason as six digits
  do=N:WHAT,...       at the Nth store, counted from 1 over all associations (0: at each):
                      abort, close, release: instead of the answer; inside: abort while its data set comes;
                      stall: no answer; slow: after two seconds; wrong: an answer to another message; echo: a request instead
  out=FOLDER          writes each data set there, as INSTANCE
  parallel=N          associations at a time before others are rejected (64)
"""
import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rawdicom import Ended, Wire, command, item, items, text  # noqa: E402


class Peer:
    def __init__(self, settings):
        self.settings = settings
        self.lock = threading.Lock()
        self.stores = self.associations = self.open = 0
        self.status = [int(word, 16) for word in settings.get("status", "0000").split(",")]
        self.actions = dict((int(word.split(":")[0]), word.split(":")[1])
                            for word in settings.get("do", "").split(",") if word)

    def log(self, *words):
        with self.lock:
            print(*words, flush=True)

    def listed(self, name):
        return self.settings[name].split(",") if name in self.settings else None

    def negotiate(self, wire):
        kind, body = wire.pdu()
        if kind != 1:
            raise Ended("PDU %d instead of an association" % kind)
        with self.lock:
            self.associations += 1
            count, over = self.associations, self.open > int(self.settings.get("parallel", "64"))
        answer, contexts, accepted = b"", {}, 0
        proposed = [value for which, value in items(body[68:]) if which == 0x20]
        self.log("associate", text(body[20:36]), text(body[4:20]), len(proposed))
        if "reject" in self.settings:
            times, why = self.settings["reject"].split(":")
            if int(times) == 0 or count <= int(times):
                wire.put(3, b"\0" + bytes.fromhex(why))
                raise Ended("rejected")
        if over:
            wire.put(3, b"\0\2\3\2")
            raise Ended("rejected")
        for which, value in items(body[68:]):
            if which == 0x50:
                for sub, inner in items(value):
                    if sub == 0x51:
                        wire.max_pdu, = struct.unpack(">I", inner)
        for value in proposed:
            parts = list(items(value[4:]))
            abstract = text(next(inner for sub, inner in parts if sub == 0x30))
            syntaxes = [text(inner) for sub, inner in parts if sub == 0x40]
            takes, classes = self.listed("syntaxes"), self.listed("classes")
            good = [s for s in syntaxes if not takes or s in takes]
            result = 3 if classes and abstract not in classes else 0 if good else 4
            if result == 0:
                accepted += 1
                contexts[value[0]] = good[0]
                self.log("accept", abstract, good[0])
            chosen = (good or syntaxes)[0].encode()
            answer += item(0x21, bytes((value[0], 0, result, 0)) + item(0x40, chosen))
        user = item(0x51, struct.pack(">I", int(self.settings.get("maxpdu", "16384")))) + item(0x52, b"1.2.3.4")
        wire.put(2, body[:68] + item(0x10, b"1.2.840.10008.3.1.1.1") + answer + item(0x50, user))
        return contexts

    def store(self, wire, contexts):
        context, _, whole = wire.fragment()
        found = {}
        at = 0
        while at + 8 <= len(whole):
            number, length = struct.unpack("<xxHI", whole[at:at + 8])
            found[number] = whole[at + 8:at + 8 + length]
            at += 8 + length
        with self.lock:
            self.stores += 1
            number = self.stores
            status = self.status[min(number, len(self.status)) - 1]
        action = self.actions.get(number, self.actions.get(0))
        if action == "inside":
            wire.exactly(1)
            wire.abort()
            raise Ended("aborted inside")
        _, _, data = wire.fragment()
        instance = text(found[0x1000])
        self.log("store", number, instance, contexts[context], len(data), text(found.get(0x1030, b"-")),
                 *struct.unpack("<H", found.get(0x1031, b"\0\0")), action or "%04X" % status)
        if "out" in self.settings and action in (None, "slow"):
            with open(os.path.join(self.settings["out"], instance), "wb") as file:
                file.write(data)
        message, = struct.unpack("<H", found[0x110])
        answer = {2: text(found[2]), 0x100: 0x8001, 0x120: message, 0x800: 0x101, 0x900: status, 0x1000: instance}
        if "comment" in self.settings:
            answer[0x902] = self.settings["comment"]
        if action == "abort":
            wire.abort()
            raise Ended("aborted")
        if action == "close":
            raise Ended("closed by itself")
        if action == "release":
            wire.put(5, bytes(4))
            kind, _ = wire.pdu()
            raise Ended("release answered" if kind == 6 else "PDU %d to a release" % kind)
        if action == "slow":
            time.sleep(2)
        if action == "stall":
            time.sleep(30)
            raise Ended("stalled")
        if action == "wrong":
            answer[0x120] = message + 77
        if action == "echo":
            answer = {2: "1.2.840.10008.1.1", 0x100: 0x30, 0x110: 1, 0x800: 0x101}
        wire.send(context, command(answer))

    def serve(self, connection):
        wire = Wire(connection, 40)
        with self.lock:
            self.open += 1
        try:
            contexts = self.negotiate(wire)
            while True:
                self.store(wire, contexts)
        except Ended as how:
            if str(how) == "release":
                wire.put(6, bytes(4))
            self.log(how)
        except OSError as how:
            self.log("lost", how)
        finally:
            with self.lock:
                self.open -= 1
            connection.close()


def main():
    peer = Peer(dict(word.split("=", 1) for word in sys.argv[2:]))
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write("%d\n" % listener.getsockname()[1])
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=peer.serve, args=(connection,), daemon=True).start()


main()
