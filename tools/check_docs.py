#!/usr/bin/python3
"""Fails when docs/architecture.md lacks a folder's line or names a path that is not there, when an ADR lacks its title or
status or names a successor that is not there, or when a comment speaks of work to come. Run by `./dev lint`."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
# A path in prose or in the drawings: it has a slash, and ends with one or with a file's ending.
PATHS = re.compile(r"(?<![\w./-])((?:apps|bench|cmake|docs|examples|fuzz|packaging|src|tests|tools)/(?:[\w.-]+/)*(?:[\w-]+\.\w+)?)")
STATUS = re.compile(r"\*\*Status\*\*: (?:in force|superseded by ((?:\d{4})(?:, \d{4})*))\.")
UNFINISHED = re.compile(r"(?://|#|\"\"\").*\b(TODO|FIXME|XXX|(?:this|another|a later|the next) issue)\b")


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name]


def folders_to_tell(files):
    """Every folder at the top, but for src/ its modules: the folders with a README.md that hold sources."""
    told = {name.split("/")[0] + "/" for name in files if "/" in name and not name.startswith(".")} - {"src/"}
    for name in files:
        folder = name.rpartition("/")[0]
        if name.startswith("src/") and name.endswith("/README.md") and list((ROOT / folder).glob("*.h")):
            told.add(folder + "/")
    return told


def check_architecture(files):
    text = PAGE.read_text()
    for path in sorted(set(PATHS.findall(text))):
        if not (ROOT / path).exists():
            yield f"docs/architecture.md: {path} is not there"
    rows = re.findall(r"^\| `([^`]+)` \|", text.partition("## Folders")[2].partition("\n## ")[0], re.MULTILINE)
    for folder in sorted(folders_to_tell(files) - set(rows)):
        yield f"docs/architecture.md: no line tells of {folder}"
    for row in sorted({row for row in rows if rows.count(row) > 1}):
        yield f"docs/architecture.md: {row} has two lines"


def check_decisions():
    decisions = {}
    for path in sorted((ROOT / "docs" / "adr").glob("*.md")):
        if path.name[:4] in decisions:
            yield f"docs/adr/{path.name}: {decisions[path.name[:4]].name} has its number"
        decisions[path.name[:4]] = path
    for number, path in decisions.items():
        text = path.read_text()
        if not text.startswith(f"# {number}: "):
            yield f"docs/adr/{path.name}: begins with \"# {number}: \" and its title"
        status = STATUS.search(text)
        if not status:
            yield f"docs/adr/{path.name}: says \"**Status**: in force.\" or \"**Status**: superseded by NNNN.\""
            continue
        for successor in (status[1] or "").split(", "):
            if successor and successor not in decisions:
                yield f"docs/adr/{path.name}: there is no {successor}"


def check_comments(files):
    for name in files:
        if not name.endswith((".h", ".cc", ".py", ".sh", ".cmake", "CMakeLists.txt")) or name == "tools/check_docs.py":
            continue
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            if found := UNFINISHED.search(line):
                yield f"{name}:{number}: a comment says \"{found[1]}\""


def main():
    files = tracked()
    problems = [*check_architecture(files), *check_decisions(), *check_comments(files)]
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"documents: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
