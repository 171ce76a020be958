#!/usr/bin/python3
"""Fails when a file includes a module that its folder's CMakeLists.txt does not declare (in DEPS; outside src/, as a library
that is linked), when an arrow of docs/architecture.md is broken (a front end that includes another, an engine named outside
apps/, an engine's own seam named by others than those whose it is), when DEPS has a cycle, or when a module that calls itself
SINGLE_THREADED is not. Run by `./dev lint`."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
OUTSIDE = ["apps/andromede", "bench", "fuzz"]  # programs over the modules
INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]+)"')
# What an engine offers to those who look after what it keeps, and to no other module: a module beside the engine.
OWN_SEAMS = {"blob/shards": {"blob/volumes", "fleet/volumes"}}
THREADS = re.compile(r"\b(std::(j?thread|\w*mutex|atomic\w*|condition_variable|async)|ThreadPool|Loops)\b")


def declared_modules():
    modules = {}
    for cmake in SRC.rglob("CMakeLists.txt"):
        text = re.sub(r"#.*", "", cmake.read_text())
        for call in re.findall(r"andromede_module\(([^)]*)\)", text):
            words = call.split()
            lists = {"SOURCES": [], "DEPS": [], "EXTERNAL": [], "TESTS": [], "TEST_DEPS": []}
            current = None
            for word in words[1:]:
                if word in lists:
                    current = lists[word]
                elif current is not None:
                    current.append(word)
            lists["SINGLE_THREADED"] = "SINGLE_THREADED" in words
            modules[words[0]] = lists
    return modules


def module_of(path, modules):
    """The deepest declared module whose folder holds `path` (relative to src/)."""
    for parent in path.parents:
        if str(parent) in modules:
            return str(parent)
    return None


def engines_among(modules):
    """An engine is a module inside the module of the interface that it implements."""
    return {name for name in modules if name not in OWN_SEAMS and any(str(parent) in modules for parent in pathlib.Path(name).parents)}


def linked_modules(folder, modules):
    """What the programs of a folder outside src/ link, by its CMakeLists.txt."""
    text = re.sub(r"#.*", "", (ROOT / folder / "CMakeLists.txt").read_text())
    words = {word for call in re.findall(r"target_link_libraries\(([^)]*)\)", text) for word in call.split()}
    for call in re.findall(r"andromede_fuzzer\(([^)]*)\)", text):
        words |= {"andromede_" + word.replace("/", "_") for word in call.split()[2:]}
    return {name for name in modules if "andromede_" + name.replace("/", "_") in words}


def check_outside(folder, modules):
    allowed = linked_modules(folder, modules)
    for file in sorted([*(ROOT / folder).rglob("*.h"), *(ROOT / folder).rglob("*.cc")]):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            target = module_of(pathlib.Path(match.group(1)), modules) if match else None
            if target is not None and target not in allowed:
                yield f"{file.relative_to(ROOT)}:{number}: includes {target}, which {folder}/CMakeLists.txt does not link"


def reachable(name, modules):
    """What `name` may include: itself and all of its DEPS, direct ones only."""
    return {name, *modules[name]["DEPS"]}


def find_cycle(modules):
    state = {}

    def visit(name, path):
        if state.get(name) == "done":
            return None
        if name in path:
            return path[path.index(name):] + [name]
        for dep in modules[name]["DEPS"]:
            cycle = visit(dep, path + [name])
            if cycle:
                return cycle
        state[name] = "done"
        return None

    for name in modules:
        cycle = visit(name, [])
        if cycle:
            return cycle
    return None


def main():
    modules = declared_modules()
    engines = engines_among(modules)
    problems = [problem for folder in OUTSIDE for problem in check_outside(folder, modules)]
    for name, lists in modules.items():
        for dep in lists["DEPS"] + lists["TEST_DEPS"]:
            if dep not in modules:
                problems.append(f"src/{name}/CMakeLists.txt: DEPS names {dep}, which is no module")
        for dep in lists["DEPS"]:
            if dep in engines and not name.startswith(dep):
                problems.append(f"src/{name}/CMakeLists.txt: names the engine {dep}; only apps/ may")
            if name not in OWN_SEAMS.get(dep, {name}):
                problems.append(f"src/{name}/CMakeLists.txt: names {dep}, which is between {' and '.join(sorted(OWN_SEAMS[dep]))}")
            if name.startswith("api/") and dep.startswith("api/") and dep not in {"api/edge", "api/sigv4"}:
                problems.append(f"src/{name}/CMakeLists.txt: a front end includes another, {dep}")
    if not problems and (cycle := find_cycle(modules)):
        problems.append("DEPS has a cycle: " + " -> ".join(cycle))
    for file in sorted([*SRC.rglob("*.h"), *SRC.rglob("*.cc")]):
        relative = file.relative_to(SRC)
        name = module_of(relative, modules)
        if name is None:
            problems.append(f"src/{relative}: its folder declares no module")
            continue
        allowed = reachable(name, modules)
        if file.stem.endswith("_test") or file.stem.startswith("test_"):
            allowed |= set(modules[name]["TEST_DEPS"])
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if modules[name]["SINGLE_THREADED"] and (threads := THREADS.search(line)):
                problems.append(f"src/{relative}:{number}: {threads[0]}, but src/{name}/CMakeLists.txt says SINGLE_THREADED")
            match = INCLUDE.match(line)
            if not match:
                continue
            target = module_of(pathlib.Path(match.group(1)), modules)
            if target is None:
                problems.append(f"src/{relative}:{number}: {match.group(1)} is in no module")
            elif target not in allowed:
                problems.append(f"src/{relative}:{number}: includes {target}, which {name} does not declare in DEPS")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"layers: {len(modules)} modules, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
