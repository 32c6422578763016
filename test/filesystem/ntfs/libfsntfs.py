"""The tree of NTFS in the image argv[1] as libfsntfs has it: JSON, a line each file or directory, streams among them."""
import hashlib, json, sys

import pyfsntfs  # of Debian's python3-libfsntfs

volume = pyfsntfs.volume()
volume.open(sys.argv[1])


def contents(stream, size):
    digest, left = hashlib.sha256(), size
    stream.seek_offset(0, 0)
    while left > 0:
        part = stream.read_buffer(min(left, 1 << 20))
        if not part:
            raise EOFError(f"{left} bytes are missing")
        digest.update(part)
        left -= len(part)
    return digest.hexdigest()


def walk(directory, path):
    for entry in directory.sub_file_entries:
        below = f"{path}/{entry.name}"
        if path == "" and entry.name.startswith("$"):
            continue
        is_directory = entry.has_directory_entries_index()
        streams = {stream.name: stream.size for stream in entry.alternate_data_streams}
        print(json.dumps({
            "path": below,
            "number": entry.file_reference & 0xFFFFFFFFFFFF,
            "isDirectory": is_directory,
            "size": 0 if is_directory else entry.size,
            "flags": entry.file_attribute_flags,
            # FILETIMEs pass what a JavaScript number holds.
            "times": [str(entry.get_modification_time_as_integer()), str(entry.get_access_time_as_integer()),
                      str(entry.get_entry_modification_time_as_integer()), str(entry.get_creation_time_as_integer())],
            "streams": {name: size for name, size in streams.items() if name != "WofCompressedData"},
            "contents": None if is_directory else contents(entry, entry.size),
        }))
        if is_directory:
            walk(entry, below)


walk(volume.get_root_directory(), "")
