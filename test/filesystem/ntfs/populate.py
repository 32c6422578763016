"""Fills the ntfs-3g mount argv[1] with everything that NTFS can hold and ntfs-3g can write; argv[2:] say what more."""
import os, random, socket, struct, sys

root = sys.argv[1]
wants = set(sys.argv[2:])
random.seed(7)
os.chdir(root)


def put(name, data):
    with open(name, "wb") as f:
        f.write(data)


def noise(n):
    return random.randbytes(n)


def text(n):
    words = [b"alpha", b"beta", b"gamma", b"delta", b"the quick brown fox", b"\0\0\0\0\0\0\0\0", b"1234567890"]
    out = bytearray()
    while len(out) < n:
        out += random.choice(words)
    return bytes(out[:n])


def attribute(name, value, *, of):
    os.setxattr(name, of, value, follow_symlinks=False)


# Sizes around every border of records, clusters and compression units.
SIZES = [0, 1, 7, 8, 100, 500, 600, 700, 900, 1023, 1024, 1025, 4095, 4096, 4097, 8191, 8192, 8193, 65535, 65536, 65537, 131072, 300001]
os.mkdir("sizes")
for n in SIZES:
    put(f"sizes/{n}", noise(n))

# A fragmented, sparse, odd-sized file.
with open("scattered", "wb") as f, open("between", "wb") as g:
    order = list(range(0, 500))
    random.shuffle(order)
    for i in order:
        if i % 3 == 0:
            continue
        f.seek(i * 4096 + (i % 7))
        f.write(noise(1500 + i))
        f.flush()
        g.write(noise(4096)); g.flush()
    f.truncate(500 * 4096 + 1717)
# Every other cluster is another's: many records of runs.
with open("alternating", "wb") as f, open("other", "wb") as g:
    for i in range(1500):
        f.write(noise(4096)); f.flush()
        g.write(b"o" * 4096); g.flush()
with open("far", "wb") as f:
    for p in [0, 13 * 1024, 300 * 1024, 30 * 2**20 + 333]:
        f.seek(p); f.write(noise(3000))
if "beyond" in wants:
    with open("beyond", "wb") as f:
        for p in [7, 5 * 2**30 + 333]:
            f.seek(p); f.write(noise(9000))
put("grown", b"start"); os.truncate("grown", 90000)

# Compressed: stored units, packed ones, holes, and all of them in one file.
if "compression" in wants:
    os.mkdir("packed")
    attribute("packed", struct.pack("<I", 0x820), of="system.ntfs_attrib")
    for n in SIZES:
        put(f"packed/text{n}", text(n))
        put(f"packed/noise{n}", noise(n))
    with open("packed/mixed", "wb") as f:
        for i in range(60):
            f.write([text, noise, lambda n: bytes(n)][i % 3](random.randrange(30000, 90000)))
    with open("packed/sparse", "wb") as f:
        for i in range(20):
            f.seek(i * 200000 + 17 * i); f.write(text(3000))
        f.truncate(20 * 200000)
    with open("packed/rewritten", "wb") as f:
        f.write(text(500000))
    with open("packed/rewritten", "r+b") as f:
        for i in range(30):
            f.seek(random.randrange(490000)); f.write(noise(random.randrange(9000)))
    with open("packed/appended", "wb") as f:
        for i in range(200):
            f.write(text(random.randrange(3000))); f.flush()

# Names.
os.mkdir("names")
for n in ["a", "x" * 255, "ü" * 255, "back\\slash", "colon:name", "trailing dot.", "trailing space ", "...", "..a", "-rf", "日本語", "e\u0301", "\u00e9", "\U0001f600" * 100, "CON", "q?*<>|\"", "\x01\x7f", "Case", "case", "CASE", "ı", "I", "i", "ß", "ﬃ", "Σ", "ς", "σ"]:
    put(f"names/{n}", n.encode())
deep = "."
for i in range(60):
    deep += f"/d{i}"
    os.mkdir(deep)
put(deep + "/bottom", b"here")
os.mkdir("empty")
os.mkdir("removed")
for i in range(600):
    put(f"removed/some-longer-name-{i}", b"")
for i in range(600):
    if i % 5:
        os.unlink(f"removed/some-longer-name-{i}")
for n in [1, 2, 3, 4, 8, 12, 20, 40, 100]:
    os.mkdir(f"dir{n}")
    for i in range(n):
        put(f"dir{n}/{i}", b"")
os.mkdir("many")
many = [f"{i:05d}-{'n' * (i % 40)}" for i in range(12000 if "many" in wants else 1500)]
random.shuffle(many)
for n in many:
    put(f"many/{n}", b"")

# Links and kinds, as Interix has them.
put("linked", b"one of many")
for i in range(50):
    os.link("linked", f"dir20/link{i}")
os.mkdir("symlinks")
for n in [1, 30, 100, 255, 1000, 2000]:
    os.symlink("t" * n, f"symlinks/{n}")
os.symlink("../names/ü/日本語", "symlinks/text")
os.mkfifo("fifo")
s = socket.socket(socket.AF_UNIX); s.bind("socket"); s.close()
os.mknod("null", 0o020666, os.makedev(1, 3))
os.mknod("block", 0o060660, os.makedev(77, 7))

# Times.
for i, t in enumerate([0, 1, 2**31 - 1, 2**31, 2**32 + 5, 1700000000, 2**34]):
    put(f"time{i}", b"")
    os.utime(f"time{i}", ns=(t * 10**9 + 123456700, t * 10**9 + 999999900))
for i, t in enumerate([-1, -2**31, -11644473600]):  # ntfs-3g shows the fractions of such times as 0
    put(f"early{i}", b"")
    os.utime(f"early{i}", ns=(t * 10**9, t * 10**9))

# Streams, and what else is there for those who ask.
os.mkdir("streams")
put("streams/one", b"s")
for name, value in {"a": b"1", "empty": b"", "mime_type": b"text/plain", "Zone.Identifier": b"[ZoneTransfer]\r\n", "ünï": b"u", "long": noise(700), "longer": noise(30000), "longest": noise(65536)}.items():
    attribute("streams/one", value, of=f"user.{name}")
os.mkdir("streams/dir")
attribute("streams/dir", noise(3000), of="user.of a directory")
put("streams/hundred", b"")
for i in range(100):
    attribute("streams/hundred", noise(200), of=f"user.stream{i}")
if "compression" in wants:
    attribute("packed/text100", text(60000), of="user.packed")
put("short name of a file.txt", b"short"); attribute("short name of a file.txt", b"SHORTN~1.TXT", of="system.ntfs_dos_name")
os.mkdir("short name of a directory"); attribute("short name of a directory", b"SHORTN~2", of="system.ntfs_dos_name")
put("UPPER.TXT", b""); attribute("UPPER.TXT", b"UPPER.TXT", of="system.ntfs_dos_name")
put("flags", b""); attribute("flags", struct.pack("<I", 0x2027), of="system.ntfs_attrib")
put("readonly", b"ro"); attribute("readonly", struct.pack("<I", 0x1), of="system.ntfs_attrib")
put("times", b""); attribute("times", struct.pack("<QQQQ", 0x1d0000000000007, 0x1d1000000000008, 0x1d2000000000009, 0x1d300000000000a), of="system.ntfs_times")
put("id", b""); attribute("id", bytes(range(16)), of="system.ntfs_object_id")
put("ids", b""); attribute("ids", bytes(range(64, 128)), of="system.ntfs_object_id")
def eas(values):
    out = b""
    for i, (k, v) in enumerate(values):
        body = struct.pack("<BBH", 0, len(k), len(v)) + k + b"\0" + v
        size = (4 + len(body) + 3) // 4 * 4
        out += (struct.pack("<I", size) + body).ljust(size, b"\0")
    return out
put("ea", b""); attribute("ea", eas([(b"FIRST", b"value"), (b"SECOND", noise(60))]), of="system.ntfs_ea")
put("owned", b""); attribute("owned", eas([(b"$LXUID", struct.pack("<I", 1000)), (b"$LXGID", struct.pack("<I", 1001)), (b"$LXMOD", struct.pack("<I", 0o104750))]), of="system.ntfs_ea")
