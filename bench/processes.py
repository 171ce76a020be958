"""CPU time of the servers that are measured, from /proc."""

import os
import pathlib

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def fields(pid):
    """Of /proc/PID/stat behind the command's name, which may hold anything."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def tree(pid):
    """`pid` and all that descend from it."""
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                children.setdefault(int(fields(entry.name)[1]), []).append(int(entry.name))
            except OSError:
                continue  # ended meanwhile
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def cpu_ms(pids):
    """User and system time so far of all threads of these processes and of those that descend from them."""
    used = 0
    for pid in {descendant for pid in pids for descendant in tree(pid)}:
        try:
            user, system = fields(pid)[11:13]
        except OSError:
            continue  # ended meanwhile
        used += (int(user) + int(system)) * TICK_MS
    return used
