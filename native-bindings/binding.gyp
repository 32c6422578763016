{
  "targets": [
    {
      "target_name": "vdisk",
      "sources": [
        "addon.cc", "host.cc", "mounting.cc", "opening.cc", "reading.cc", "session.cc", "unpacking.cc",
        "device.cc", "extents.cc", "pipe.cc", "unpack.cc", "lznt1.cc", "xpress.cc", "lzx.cc",
      ],
      "cflags": ["-Wall", "-Wextra"],
      # The addon stays loaded when the last worker that uses it ends, because it has installed a signal handler (device.cc).
      "ldflags": ["-Wl,-z,nodelete"],
      "cflags_cc!": ["-std=gnu++17", "-fno-rtti"],
      "cflags_cc": ["-std=c++20", "-fno-exceptions", "-fvisibility=hidden"],
    }
  ]
}
