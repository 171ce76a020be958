#!/usr/bin/python3
"""Fails on a range-for over what a temporary pointer or Result holds.

`for (x : map()->drives)` lets go of the pointer that map() answers before the first turn (C++20; C++23 keeps it), so the
loop walks what another thread may have freed. The pointer gets a name first.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOOP = re.compile(r"\bfor \(")


def range_of(line):
    """What a range-for on this line walks; empty when there is none."""
    start = LOOP.search(line)
    if not start:
        return ""
    depth = 1
    for end in range(start.end(), len(line)):
        depth += {"(": 1, ")": -1}.get(line[end], 0)
        if depth == 0:
            return line[start.end():end].partition(" : ")[2]
    return line[start.end():].partition(" : ")[2]


def main():
    found = 0
    for folder in ("src", "apps", "bench", "fuzz"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if ")->" in range_of(line):
                    print(f"{path.relative_to(ROOT)}:{number}: name the pointer before the loop: {line.strip()}")
                    found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
