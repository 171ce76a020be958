"""Drives that hold some of their calls while their probes answer: nobody waits for them for ever, and status names them."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

from operations_case import ROOT, OperationsCase

COMPILER = shutil.which("clang-19") or shutil.which("cc")
PATIENCE_OF_DRIVES_S = 10  # io::kDriveAnswerLimit
STOP_S = 60  # kStopWithin of serve()


class HangingDrives(OperationsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if COMPILER is None:
            raise AssertionError("no C compiler, which packages-build.txt names")
        cls.built = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.built.cleanup)
        cls.library = pathlib.Path(cls.built.name) / "hang.so"
        subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", cls.library, ROOT / "tests/harness/hang.c", "-ldl"],
                       check=True)

    def setUp(self):
        super().setUp()
        self.what_hangs = self.cloud.folder.parent / "hang"
        self.addCleanup(self.let_go)

    def let_go(self):
        self.what_hangs.unlink(missing_ok=True)

    def hang(self, letters, part):
        self.what_hangs.write_text(f"{letters} {part}")

    def start_preloaded(self):
        preload = {"LD_PRELOAD": str(self.library), "HANG_FILE": str(self.what_hangs)}
        os.environ.update(preload)
        try:
            return self.cloud.start()
        finally:
            for name in preload:
                del os.environ[name]

    def forget_cached(self):
        """So that reads come to the drives."""
        for path in self.cloud.folder.glob("drives/*/volumes/*"):
            file = os.open(path, os.O_RDONLY)
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)

    def store(self, s3, count):
        bodies = {f"k{i}": os.urandom(1 << 20) for i in range(count)}
        for key, body in bodies.items():
            s3.put_object(Bucket="bbb", Key=key, Body=body)
        return bodies

    def test_one_that_hangs_at_reads_of_its_volumes_holds_nobody_up(self):
        self.cloud.create()
        self.start_preloaded()
        s3 = self.cloud.client(max_pool_connections=40)
        s3.create_bucket(Bucket="bbb")
        # So many that what is read of some lies on that drive, wherever they were placed.
        bodies = self.store(s3, 40)
        self.forget_cached()
        self.hang("r", "drives/etat-1/volumes")
        wrong = []

        def read(key):
            if s3.get_object(Bucket="bbb", Key=key)["Body"].read() != bodies[key]:
                wrong.append(key)

        readers = [threading.Thread(target=read, args=(key,), daemon=True) for key in bodies]
        for reader in readers:
            reader.start()
        end = time.monotonic() + 6 * PATIENCE_OF_DRIVES_S
        for reader in readers:
            reader.join(max(0, end - time.monotonic()))
        self.assertFalse(any(reader.is_alive() for reader in readers), "a read waits for the drive")
        self.assertEqual(wrong, [])
        self.assertIn("etat-1", " ".join(self.cloud.status()["reasons"]))
        s3.put_object(Bucket="bbb", Key="after", Body=os.urandom(4 << 20))
        self.cloud.stop(STOP_S)
        self.let_go()
        self.cloud.start()
        self.cloud.wait_for("a cloud that is whole", lambda: not self.cloud.status()["degraded"])

    def test_a_stop_ends_with_requests_that_wait_for_the_last_mirror(self):
        self.cloud.create()
        self.start_preloaded()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="bbb")
        self.store(s3, 2)
        # All of them, reads and writes: nothing can be had, and no commit ends.
        self.hang("rw", "/meta/")
        writer = threading.Thread(target=lambda: self.assertRaises(Exception, self.store, s3, 1), daemon=True)
        writer.start()
        time.sleep(1)
        self.cloud.stop(STOP_S + 30)

    def test_a_command_that_opens_the_drives_ends_though_one_hangs(self):
        self.cloud.create()
        self.cloud.start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="bbb")
        self.store(s3, 2)
        self.cloud.stop()
        self.forget_cached()
        # Its volumes are being counted when the command has done its work.
        self.hang("r", "drives/etat-1/volumes")
        environment = {**os.environ, "LD_PRELOAD": str(self.library), "HANG_FILE": str(self.what_hangs)}
        for status in (0, 1):
            made = subprocess.run([self.cloud.binary, "operator", "create", "claire", "--offline", "--config",
                                   self.cloud.config], env=environment, text=True, capture_output=True, check=False,
                                  timeout=STOP_S)
            self.assertEqual(made.returncode, status, made.stderr)
        self.assertIn("claire", made.stderr, "it says why it failed")
        self.let_go()
        self.cloud.start()


if __name__ == "__main__":
    import unittest

    unittest.main()
