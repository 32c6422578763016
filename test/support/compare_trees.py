"""Compares two directory trees in everything that a file system shows; prints each difference; exits 1 if any.

    compare_trees.py JUDGE OURS [--ignore FIELD]...

Compared are names, types, modes, owners, link and inode numbers, sizes, blocks, device numbers, times to the
nanosecond, extended attributes, link targets and contents. Run it as root: only root sees all attributes.
"""
import argparse, os, stat, sys

FIELDS = ["st_mode", "st_uid", "st_gid", "st_nlink", "st_ino", "st_size", "st_blocks", "st_blksize", "st_rdev",
          "st_atime_ns", "st_mtime_ns", "st_ctime_ns"]
CHUNK = 1 << 20

parser = argparse.ArgumentParser()
parser.add_argument("judge")
parser.add_argument("ours")
parser.add_argument("--ignore", action="append", default=[])
arguments = parser.parse_args()
fields = [field for field in FIELDS if field not in arguments.ignore]
counts = {"entries": 0, "bytes": 0, "differences": 0}


def differ(path, what, judge, ours):
    counts["differences"] += 1
    if counts["differences"] <= 50:
        print(f"{path!r}: {what}: judge {judge!r}, ours {ours!r}")


def attributes(path):
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)}


def contents(path, judge, ours):
    with open(judge, "rb", buffering=0) as a, open(ours, "rb", buffering=0) as b:
        at = 0
        while True:
            x, y = a.read(CHUNK), b.read(CHUNK)
            if x != y:
                return differ(path, f"contents from byte {at}", x[:16], y[:16])
            if not x:
                break
            at += len(x)
        counts["bytes"] += at


def attempt(call, *args):
    try:
        return call(*args)
    except OSError as error:
        return ("errno", error.errno)


def compare(path):
    judge, ours = (os.path.join(os.fsencode(root), path) if path else os.fsencode(root) for root in (arguments.judge, arguments.ours))
    counts["entries"] += 1
    a, b = attempt(os.lstat, judge), attempt(os.lstat, ours)
    if not (hasattr(a, "st_mode") and hasattr(b, "st_mode")):
        if a != b:
            differ(path, "stat", a, b)
        return
    for field in fields:
        if getattr(a, field) != getattr(b, field):
            differ(path, field, getattr(a, field), getattr(b, field))
    if "xattr" not in arguments.ignore:
        x, y = attempt(attributes, judge), attempt(attributes, ours)
        if x != y:
            differ(path, "extended attributes", x, y)
    if stat.S_ISLNK(a.st_mode):
        x, y = attempt(os.readlink, judge), attempt(os.readlink, ours)
        if x != y:
            differ(path, "target", x, y)
    elif stat.S_ISREG(a.st_mode) and stat.S_ISREG(b.st_mode):
        contents(path, judge, ours)
    elif stat.S_ISDIR(a.st_mode) and stat.S_ISDIR(b.st_mode):
        x, y = os.listdir(judge), os.listdir(ours)
        if sorted(x) != sorted(y):
            differ(path, "names", sorted(set(x) - set(y)), sorted(set(y) - set(x)))
        pending.extend(os.path.join(path, name) for name in sorted(set(x) & set(y)))


pending = [b""]
while pending:
    compare(pending.pop())
print(f"{counts['entries']} entries, {counts['bytes']} bytes, {counts['differences']} differences")
sys.exit(1 if counts["differences"] else 0)
