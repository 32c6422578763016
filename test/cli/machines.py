"""What settings files say, by Python's own XML: the judge of `vdisk list --json`.

    machines.py FILE.vbox...    one JSON object a machine
"""

import json
import sys
import xml.etree.ElementTree as ElementTree

NAMESPACES = ("{http://www.virtualbox.org/}", "{http://www.innotek.de/VirtualBox-settings}")


def plain(tag):
    for namespace in NAMESPACES:
        tag = tag.replace(namespace, "")
    return tag


def below(element, *path):
    found = [element]
    for name in path:
        found = [inner for outer in found for inner in outer if plain(inner.tag) == name]
    return found


def uuid(text):
    return None if text is None else text.strip("{}").lower()


def medium(element):
    children = [medium(inner) for inner in below(element, "HardDisk")]
    return {"uuid": uuid(element.get("uuid")), "location": element.get("location"), "children": children}


def attached(element):
    disks = {}
    for path in (("StorageControllers",), ("Hardware", "StorageControllers")):
        for controller in below(element, *path, "StorageController"):
            for device in below(controller, "AttachedDevice"):
                for image in below(device, "Image"):
                    if device.get("type") == "HardDisk":
                        slot = f"{controller.get('name')} {device.get('port')}:{device.get('device')}"
                        disks[slot] = uuid(image.get("uuid"))
    return disks


def snapshot(element):
    return {
        "uuid": uuid(element.get("uuid")),
        "name": element.get("name"),
        "taken": element.get("timeStamp"),
        "attached": attached(element),
        "children": [snapshot(inner) for inner in below(element, "Snapshots", "Snapshot")],
    }


for path in sys.argv[1:]:
    (machine,) = below(ElementTree.parse(path).getroot(), "Machine")
    print(json.dumps({
        "name": machine.get("name"),
        "uuid": uuid(machine.get("uuid")),
        "path": path,
        "currentSnapshot": uuid(machine.get("currentSnapshot")),
        "media": [medium(disk) for disk in below(machine, "MediaRegistry", "HardDisks", "HardDisk")],
        "attached": attached(machine),
        "snapshots": [snapshot(first) for first in below(machine, "Snapshot")],
    }))
