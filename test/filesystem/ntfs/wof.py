"""Makes the files of argv[2] compressed as CompactOS does, on the ntfs-3g mount argv[3] (streams_interface=windows).

argv[1] is the algorithm; with argv[4], that chunk is damaged. wimlib packs: a resource of a WIM is a chunk table and chunks, as the stream of such a file.
"""
import os, re, struct, subprocess, sys, tempfile

ALGORITHMS = {"xpress4k": (0, "xpress", 4096), "lzx": (1, "lzx", 32768), "xpress8k": (2, "xpress", 8192), "xpress16k": (3, "xpress", 16384)}
number, codec, chunk = ALGORITHMS[sys.argv[1]]
source, target = sys.argv[2:4]

for name in sorted(os.listdir(source)):
    path = os.path.join(source, name)
    size = os.path.getsize(path)
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/in")
        os.link(path, f"{folder}/in/{name}") if os.stat(path).st_dev == os.stat(folder).st_dev else subprocess.run(["cp", path, f"{folder}/in/{name}"], check=True)
        subprocess.run(["wimcapture", f"{folder}/in", f"{folder}/w", f"--compress={codec}", f"--chunk-size={chunk}", "--no-acls"], check=True, stdout=subprocess.DEVNULL)
        listing = subprocess.run(["wiminfo", "--blobs", f"{folder}/w"], check=True, capture_output=True, text=True).stdout
        wim = open(f"{folder}/w", "rb").read()
    packed = None
    for block in listing.split("\n\n"):
        fields = dict(re.findall(r"^(.*?)\s*=\s*(.*)$", block, re.M))
        if int(fields.get("Uncompressed size", "-1 ").split()[0]) != size or "Metadata" in fields.get("Flags", ""):
            continue
        at, length = (int(fields[key].split()[0], 0) for key in ("Offset in WIM", "Compressed size"))
        packed = wim[at:at + length]
        if "COMPRESSED" not in fields["Flags"]:  # a WIM has no table then; here, every chunk is stored as it is
            packed = b"".join(struct.pack("<I", end) for end in range(chunk, size, chunk)) + packed
    out = os.path.join(target, name)
    with open(out, "wb") as f:
        f.truncate(size)
    if packed is None:
        continue
    if len(sys.argv) > 4:
        table = 4 * ((size - 1) // chunk)
        at = table + struct.unpack_from("<I", packed, 4 * (int(sys.argv[4]) - 1))[0] + 100
        packed = packed[:at] + b"\xff" * 3000 + packed[at + 3000:]
    with open(f"{out}:WofCompressedData", "wb") as f:
        f.write(packed)
    data = struct.pack("<IIII", 1, 2, 1, number)
    os.setxattr(out, "system.ntfs_reparse_data", struct.pack("<IHH", 0x80000017, len(data), 0) + data)
