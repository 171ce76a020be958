"""What every client's test shares: the running server (started by run.py) and files to store."""

import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest


def write_file(path, size, seed):
    """A file of `size` pseudo-random bytes, written in pieces; its SHA-256."""
    digest = hashlib.sha256()
    generator = random.Random(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        left = size
        while left:
            piece = generator.randbytes(min(left, 8 << 20))
            file.write(piece)
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()


def file_digest(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(8 << 20):
            digest.update(piece)
    return digest.hexdigest()


def tree_digests(folder):
    """Relative path → SHA-256 of every file below `folder`."""
    folder = pathlib.Path(folder)
    return {str(path.relative_to(folder)): file_digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


# Names that clients and servers get wrong: spaces, plus, percent, quotes, accents in both normal forms, other scripts.
TREE = {
    "empty": 0,
    "one byte": 1,
    "a/just below inline": 32 * 1024 - 1,
    "a/inline": 32 * 1024,
    "a/just above inline": 32 * 1024 + 1,
    "a/b/segment": 65536,
    "a/b/c/several segments.bin": 1_000_003,
    "plus+percent%20&equals=.txt": 100,
    "l'été à Orsay (composé).txt": 200,
    "e\u0301te\u0301 décomposé.txt": 201,
    "日本語/ファイル.txt": 300,
    "emoji 🛰.dat": 400,
    "tilde~star*at@colon.txt": 500,
    "large/parts.bin": 40_000_000,
}


class ClientCase(unittest.TestCase):
    """AWS_* variables of the environment name the server and the first tenant."""

    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="andromede-client-", dir=os.environ["ANDROMEDE_TEST_FOLDER"]))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def make_tree(self, name="tree"):
        root = self.folder / name
        for seed, (path, size) in enumerate(TREE.items()):
            write_file(root / path, size, seed)
        return root

    def run_client(self, *command, check=True, **options):
        result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
        if check and result.returncode != 0:
            self.fail(f"{command[0]} {command[1:4]} … exit {result.returncode}\n{result.stdout[-2000:]}{result.stderr[-2000:]}")
        return result
