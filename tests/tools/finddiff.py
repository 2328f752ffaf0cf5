"""Queries answered three ways: by C-FIND, by pacs-find, and by loops over what was generated.

finddiff.py make FOLDER SEED         writes objects of invented patients
finddiff.py ask PORT ARCHIVE SEED N  asks N queries; prints each that is answered differently, and at the end
                                     "N queries, D differences, E with matches"; the objects follow from the
                                     seed

Every object of a patient, study or series says the same of it. The reference knows DICOM's matching as
match.h and PS3.4 C.2.2.2 describe it, and nothing of an index.
"""
import os
import random
import re
import struct
import subprocess
import sys

import rawfind

FAMILIES = ["Doe", "DOE", "Doering", "Müller", "MÜLLER", "Østergård", "van der Berg", "O'Neil", "Иванов", "Παπάς",
            "Smith-Jones", "Yamada"]
GIVENS = ["John", "Johanna", "Jörg", "Анна", "Li", "José María", ""]
IDEOGRAPHIC = {"Yamada": "山田^太郎", "Doe": "", "Smith-Jones": ""}
LEVELS = ["PATIENT", "STUDY", "SERIES", "IMAGE"]

# keyword: tag, VR, level
KEYS = {
    "PatientID": ((0x10, 0x20), "LO", 0), "PatientName": ((0x10, 0x10), "PN", 0),
    "PatientBirthDate": ((0x10, 0x30), "DA", 0), "PatientSex": ((0x10, 0x40), "CS", 0),
    "StudyInstanceUID": ((0x20, 0xD), "UI", 1), "StudyDate": ((8, 0x20), "DA", 1), "StudyTime": ((8, 0x30), "TM", 1),
    "AccessionNumber": ((8, 0x50), "SH", 1), "StudyID": ((0x20, 0x10), "SH", 1),
    "StudyDescription": ((8, 0x1030), "LO", 1), "ReferringPhysicianName": ((8, 0x90), "PN", 1),
    "SeriesInstanceUID": ((0x20, 0xE), "UI", 2), "Modality": ((8, 0x60), "CS", 2),
    "SeriesNumber": ((0x20, 0x11), "IS", 2), "SeriesDescription": ((8, 0x103E), "LO", 2),
    "BodyPartExamined": ((0x18, 0x15), "CS", 2),
    "SOPInstanceUID": ((8, 0x18), "UI", 3), "InstanceNumber": ((0x20, 0x13), "IS", 3),
    "SliceThickness": ((0x18, 0x50), "DS", 3), "ConvolutionKernel": ((0x18, 0x1210), "SH", 3),
    "ModalitiesInStudy": ((8, 0x61), "CS", 1),
}
UNIQUE = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]


# ---- what there is ----

def invent(seed):
    """A list of objects: keyword -> text."""
    rng = random.Random(seed)
    objects = []
    for p in range(40):
        family, given = rng.choice(FAMILIES), rng.choice(GIVENS)
        name = family + ("^" + given if given else "") + ("^X" if given and rng.random() < 0.2 else "")
        if IDEOGRAPHIC.get(family) and rng.random() < 0.7:
            name += "=" + IDEOGRAPHIC[family]
        patient = {"PatientID": "%s%03d" % (rng.choice("ABc"), p), "PatientName": name,
                   "PatientBirthDate": rng.choice(["", "19%02d%02d%02d" % (rng.randint(30, 99), rng.randint(1, 12),
                                                                          rng.randint(1, 28))]),
                   "PatientSex": rng.choice(["M", "F", "O", ""])}
        for s in range(rng.randint(1, 3)):
            study = {"StudyInstanceUID": "1.2.826.0.1.3680043.2.1125.77.%d.%d" % (p, s),
                     "StudyDate": "2024%02d%02d" % (rng.randint(1, 12), rng.randint(1, 28)),
                     "StudyTime": rng.choice(["", "%02d%02d%02d" % (rng.randint(0, 23), rng.randint(0, 59),
                                                                   rng.randint(0, 59))]),
                     "AccessionNumber": "%s%04d" % (rng.choice(["ACC", "acc", "X"]), p * 10 + s),
                     "StudyID": str(rng.randint(1, 20)),
                     "StudyDescription": rng.choice(["Thorax", "thorax nativ", "Schädel MR", "100%_[x]", ""]),
                     "ReferringPhysicianName": rng.choice(["House^Gregory", "Grey^Meredith", "Müller^Jörg", ""])}
            for r in range(rng.randint(1, 3)):
                series = {"SeriesInstanceUID": study["StudyInstanceUID"] + ".%d" % r,
                          "Modality": rng.choice(["CT", "MR", "US"]), "SeriesNumber": str(rng.randint(1, 12)),
                          "SeriesDescription": rng.choice(["axial", "Axial 1.5", "sagittal", ""]),
                          "BodyPartExamined": rng.choice(["CHEST", "HEAD", ""])}
                for i in range(rng.randint(1, 2)):
                    image = {"SOPInstanceUID": series["SeriesInstanceUID"] + ".%d" % i, "InstanceNumber": str(i + 1),
                             "SliceThickness": rng.choice(["1", "1.50", "3", ""]),
                             "ConvolutionKernel": rng.choice(["B31f", "B60s", ""])}
                    objects.append({**patient, **study, **series, **image})
    return objects


def write(folder, objects):
    for number, values in enumerate(objects):
        found = {KEYS[k][0]: (KEYS[k][1], v) for k, v in values.items()}
        found[(8, 5)] = ("CS", "ISO_IR 192")
        found[(8, 0x16)] = ("UI", "1.2.840.10008.5.1.4.1.1.2")
        meta = element((2, 2), "UI", "1.2.840.10008.5.1.4.1.1.2") + element((2, 3), "UI", values["SOPInstanceUID"]) + \
            element((2, 0x10), "UI", "1.2.840.10008.1.2.1")
        with open(os.path.join(folder, "%04d.dcm" % number), "wb") as out:
            out.write(bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta)) + meta)
            for tag in sorted(found):
                out.write(element(tag, *found[tag]))


def element(tag, vr, text):
    value = text.encode()
    value += (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", *tag, vr.encode(), len(value)) + value


# ---- the reference ----

def wild(pattern, text):
    return re.fullmatch("".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern), text,
                        re.DOTALL) is not None


def group(text):
    return re.sub(r"\^+$", "", "^".join(part.strip() for part in text.lower().split("^")))


def name_fits(key, name):
    groups = [group(part) for part in name.split("=")]
    if "=" in key:
        wanted = [group(part) for part in key.split("=")]
        return all(not pattern or wild(pattern, groups[i] if i < len(groups) else "")
                   for i, pattern in enumerate(wanted))
    pattern = group(key)
    return any(wild(pattern, g) or ("^" not in key and wild(pattern, g.split("^")[0])) for g in groups)


def fits(vr, key, value):
    if key in ("", "*"):
        return True
    if value == "":
        return False
    if vr == "PN":
        return name_fits(key, value)
    if vr in ("DA", "TM"):
        low, dash, high = key.partition("-")
        low, high = (low, high) if dash else (low, low)
        full = {"DA": 8, "TM": 6}[vr]
        return (not low or value >= low.ljust(full, "0")) and \
            (not high or value <= (high + "235959"[len(high):] if vr == "TM" else high))
    if vr in ("IS", "DS"):
        return float(key) == float(value)
    if vr == "UI":
        return value in key.split("\\")
    return wild(key, value)


def reference(objects, level, keys):
    """A chain of one study, one series and one image fulfils all keys; what is said of a whole study is looked
    for in all of it."""
    modalities = {}
    for o in objects:
        modalities.setdefault(o["StudyInstanceUID"], set()).add(o["Modality"])
    found = set()
    for o in objects:
        if all(any(fits("CS", value, m) for m in modalities[o["StudyInstanceUID"]]) if keyword == "ModalitiesInStudy"
               else fits(KEYS[keyword][1], value, o[keyword]) for keyword, value in keys.items()):
            found.add(o[UNIQUE[level]])
    return found


# ---- the queries ----

def mangle(rng, text):
    """A pattern that is near the text."""
    how = rng.randint(0, 5)
    at = rng.randint(0, max(len(text) - 1, 0))
    if how == 0:
        return text[:at] + "*"
    if how == 1:
        return "*" + text[at:]
    if how == 2 and text:
        return text[:at] + "?" + text[at + 1:]
    if how == 3:
        return "*" + text[at:at + 3] + "*"
    if how == 4:
        return text.swapcase()
    return text


def span(rng, text, other):
    low, high = sorted([text, other])
    return rng.choice([text, low + "-" + high, low + "-", "-" + high])


def value_for(rng, keyword, objects):
    vr = KEYS[keyword][1]
    one, other = rng.choice(objects), rng.choice(objects)
    if keyword == "ModalitiesInStudy":
        keyword = "Modality"
    text, second = one[keyword], other[keyword]
    if text == "" or rng.random() < 0.05:
        return ""
    if vr == "PN" and rng.random() < 0.4:
        parts = text.split("=")
        text = rng.choice([text, parts[-1], parts[0].split("^")[0], "=" + parts[-1] if len(parts) > 1 else text])
    if vr in ("PN", "LO", "SH", "CS"):
        return mangle(rng, text)
    if vr == "TM" and second and rng.random() < 0.3:
        text, second = text[:4], second[:4]
    if vr in ("DA", "TM"):
        return span(rng, text, second or text)
    if vr == "UI":
        return "\\".join([text, second, "1.2.3"][:rng.randint(1, 3)])
    return rng.choice([text, "+" + text, second or text])


def query(rng, objects):
    level = rng.randint(0, 3)
    keywords = rng.sample([k for k in KEYS if k != "ConvolutionKernel" or level == 3], rng.randint(1, 3))
    return level, {k: value_for(rng, k, objects) for k in keywords}


def by_network(association, level, keys):
    pairs = {(8, 0x52): LEVELS[level].encode(), (8, 5): b"ISO_IR 192", KEYS[UNIQUE[level]][0]: b""}
    for keyword, value in keys.items():
        pairs[KEYS[keyword][0]] = value.encode()
    association.request(rawfind.identifier(pairs))
    found, status = set(), 0xFF00
    while True:
        status, response = association.response()
        if response is None:
            break
        uid = response[KEYS[UNIQUE[level]][0]].decode().strip(" \0")
        assert uid not in found, "%s came twice" % uid
        found.add(uid)
    return found if status == 0 else "status %04X" % status


def by_hand(archive, level, keys):
    names = ["patient", "study", "series", "instance"]
    words = ["%s=%s" % (k, v) for k, v in keys.items()]
    done = subprocess.run(["pacs-find", "-A", archive, "-L", names[level], "--", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode > 1:
        return done.stderr.decode()
    found = [line.split("\t")[0] for line in done.stdout.decode().splitlines()]
    return {reference[len("patient:"):] if level == 0 else reference for reference in found}


def ask(port, archive, seed, count):
    objects = invent(seed)
    rng = random.Random(seed + 1)
    association = rawfind.Association(port, "patient", "1", "implicit")
    different = matched = 0
    for _ in range(count):
        level, keys = query(rng, objects)
        wanted = reference(objects, level, keys)
        network, hand = by_network(association, level, keys), by_hand(archive, level, keys)
        matched += bool(wanted)
        if network != wanted or hand != wanted:
            different += 1
            print(LEVELS[level], keys, "reference:", sorted(wanted), "C-FIND:", network if network != wanted else "same",
                  "pacs-find:", hand if hand != wanted else "same")
    association.release()
    print("%d queries, %d differences, %d with matches" % (count, different, matched))


if sys.argv[1] == "make":
    write(sys.argv[2], invent(int(sys.argv[3])))
else:
    ask(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
