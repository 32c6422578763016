"""Fills the directory argv[1] with everything that a file system of the kind can hold; argv[2:] say what more."""
import os, sys, random, socket, subprocess, struct

root = sys.argv[1]
wants = set(sys.argv[2:])
random.seed(7)
os.chdir(root)


def put(name, data):
    with open(name, "wb") as f:
        f.write(data)


def noise(n):
    return random.randbytes(n)


# Sizes around every border of blocks and of inline data.
os.mkdir("sizes")
for n in [0, 1, 15, 59, 60, 61, 64, 100, 120, 130, 150, 160, 200, 300, 400, 511, 1023, 1024, 1025, 4095, 4096, 4097, 12 * 1024, 12 * 1024 + 1, 49151, 49153, 70000, 300001]:
    put(f"sizes/{n}", noise(n))

# A fragmented, sparse, odd-sized file: written out of order, with holes and stretches that were never written.
with open("scattered", "wb") as f, open("between", "wb") as g:
    order = list(range(0, 700))
    random.shuffle(order)
    for i in order:
        if i % 3 == 0:
            continue
        f.seek(i * 4096 + (i % 7))
        f.write(noise(1500 + i))
        if i % 10 == 0:
            f.flush(); os.fsync(f.fileno())
            g.write(noise(1024)); g.flush(); os.fsync(g.fileno())
    f.truncate(700 * 4096 + 1717)
with open("alternating", "wb") as f:
    for i in range(0, 2400, 2):
        f.seek(i * 4096)
        f.write(noise(100))
    f.flush()
if "extents" in wants:
    with open("unwritten", "wb") as f:
        os.posix_fallocate(f.fileno(), 0, 300000)
        f.seek(50001); f.write(noise(7000))
        f.seek(250000); f.write(noise(1))
    with open("punched", "wb") as f:
        f.write(noise(400000))
    subprocess.run(["fallocate", "-p", "-o", "65536", "-l", "131072", "punched"], check=True)
    with open("past-the-end", "wb") as f:
        f.write(noise(5000))
    subprocess.run(["fallocate", "-n", "-l", "200000", "past-the-end"], check=True)

# Far beyond: double and triple indirect blocks, or deep extent trees.
with open("far", "wb") as f:
    for p in [0, 13 * 1024, 300 * 1024, 70 * 2**20] + ([] if "near" in wants else [5 * 2**30 + 333, 15 * 2**30]):
        f.seek(p); f.write(noise(3000))
if "huge" in wants:
    with open("huge", "wb") as f:
        for p in [7, 3 * 2**40 + 11]:
            f.seek(p); f.write(noise(9000))

# Names.
os.mkdir("names")
for n in [b"a", b"x" * 255, "ü".encode() * 127, b"new\nline", b"back\\slash", b"\xff\xfe\x80", b" ", b"...", b"..a", b"\x01\x7f", b"-rf", "日本語".encode(), "e\u0301".encode(), "\u00e9".encode()]:
    put(os.fsencode("names/") + n, n)
deep = "."
for i in range(60):
    deep += f"/d{i}"
    os.mkdir(deep)
put(deep + "/bottom", b"here")
os.mkdir("empty")
os.mkdir("removed")
for i in range(300):
    put(f"removed/some-longer-name-{i}", b"")
for i in range(300):
    if i % 5:
        os.unlink(f"removed/some-longer-name-{i}")
for n in [1, 2, 3, 4, 8, 12, 20]:
    os.mkdir(f"dir{n}")
    for i in range(n):
        put(f"dir{n}/{i}", b"")
many = 12000 if "many" in wants else 1500
os.mkdir("many")
for i in range(many):
    os.mknod(f"many/{i:05d}-{'n' * (i % 40)}", 0o600)

# Links.
put("linked", b"one of many")
for i in range(200):
    os.link("linked", f"dir20/link{i}")
os.mkdir("symlinks")
for n in [1, 30, 58, 59, 60, 61, 100, 140, 150, 200, 500, 1000, 1022, 1023] + ([4000, 4095] if "longlinks" in wants else []):
    os.symlink("t" * n, f"symlinks/{n}")
os.symlink(b"\xff/\xfe\n", "symlinks/bytes")

# Kinds.
os.mkfifo("fifo", 0o640)
s = socket.socket(socket.AF_UNIX); s.bind("socket"); s.close()
os.mknod("null", 0o020666, os.makedev(1, 3))
os.mknod("oldblock", 0o060660, os.makedev(77, 7))
os.mknod("bigdev", 0o060600, os.makedev(300, 70000))
os.mknod("bigminor", 0o020600, os.makedev(8, 256))
os.mknod("zerodev", 0o020600, os.makedev(0, 0))

# Owners, modes, times.
for i, (u, g) in enumerate([(1, 2), (65535, 65534), (65536, 70000), (4294967294, 2147483648)]):
    put(f"owner{i}", b""); os.chown(f"owner{i}", u, g)
for m in [0, 0o777, 0o4755, 0o2755, 0o1777, 0o7777]:
    put(f"mode{m:o}", b""); os.chmod(f"mode{m:o}", m)
times = [0, 1, -1, -2**31, 2**31 - 1, 1700000000]
if "extra" in wants:
    times += [2**31, 2**32 - 1, 2**32, 2**32 + 5, 2**33 - 2**31 - 1, 2**33 + 77, 2**34 - 2**31 - 1]
for i, t in enumerate(times):
    put(f"time{i}", b"")
    os.utime(f"time{i}", ns=(t * 10**9 + 123456789, t * 10**9 + 999999999))

# Attributes.
os.mkdir("xattrs")
def xattr(name, **values):
    for k, v in values.items():
        os.setxattr(name, k.replace("__", "."), v, follow_symlinks=False)
put("xattrs/small", b"s"); xattr("xattrs/small", user__a=b"1", user__b=b"", user__mime_type=b"text/plain")
put("xattrs/block", b"b"); xattr("xattrs/block", user__long=noise(700), user__x=b"y", trusted__t=b"\0\1")
put("xattrs/shared", b"c"); xattr("xattrs/shared", user__long=noise(600))
put("xattrs/bytes", b""); [os.setxattr("xattrs/bytes", b"user.\xff" + b, b) for b in [b"\xfe", b"\xfd", "\u00fc".encode()]]
put("xattrs/security", b""); xattr("xattrs/security", security__selinux=b"system_u:object_r:etc_t:s0\0")
os.symlink("nowhere", "xattrs/link"); xattr("xattrs/link", trusted__of_link=b"yes")
os.mkdir("xattrs/dir"); xattr("xattrs/dir", user__dir=b"d" * 100)
os.mkfifo("xattrs/fifo"); xattr("xattrs/fifo", trusted__fifo=b"f")
put("xattrs/acl", b"")
subprocess.run(["setfacl", "-m", "u:1000:r,u:70000:rwx,g:5:---,m:rw", "xattrs/acl"], check=True)
subprocess.run(["setfacl", "-d", "-m", "u:12:rx,o:-", "xattrs/dir"], check=True)
os.mkdir("xattrs/dir/inherits"); put("xattrs/dir/file", b"")
if "ea_inode" in wants:
    for n in [3000, 4096, 20000, 65536]:
        put(f"xattrs/big{n}", b""); os.setxattr(f"xattrs/big{n}", "user.big", noise(n))
if "inline" in wants:
    # A size that grew without data: what is past the inline bytes is zeros.
    put("grown", b"start"); os.truncate("grown", 90)
    put("grown2", b"x" * 50); os.truncate("grown2", 100000)
    put("with-attribute", b"i" * 70); xattr("with-attribute", user__k=b"v" * 20)
