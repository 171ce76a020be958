#!/usr/bin/python3
"""How long the server takes to be ready, what it reads until then, and what memory it holds idle, as what is stored grows:
after a clean stop and after kill -9, each with a cold page cache. Needs root, to drop that cache. Prints a row for each
size; writes build/bench/startup.json. The time is the machine's too; the bytes read are the program's alone.

    bench/startup.py --build build/release --kind blobs 10000 100000 1000000
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "harness"))

from cloud import Cloud  # noqa: E402

# What is stored: the limit of inlining, and a size above or below it.
KINDS = {"blobs": (0, 3000), "keys": (32768, 100)}
IDLE_SECONDS = 5  # after which the memory is looked at
KILLED_AFTER = 20_000  # objects written before the kill, which no clean stop has flushed


def drop_caches():
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3\n")


def resident_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS")


def bytes_read(pid):
    for line in pathlib.Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("read_bytes:"):
            return int(line.split()[1])
    raise RuntimeError("no read_bytes")


class Startup:
    def __init__(self, arguments):
        self.build = pathlib.Path(arguments.build)
        program = arguments.program or self.build / "apps" / "andromede" / "andromede"
        self.cloud = Cloud(program, pathlib.Path(arguments.folder) / "startup")
        self.kind = arguments.kind
        self.consortium = arguments.consortium
        self.stored = 0

    def make(self):
        default = "default = true"
        consortium = pathlib.Path(self.consortium).read_text()
        if consortium.count(default) != 1:
            raise RuntimeError("the consortium has not one default policy")
        changed = self.cloud.folder.with_name("startup.consortium.toml")
        changed.parent.mkdir(parents=True, exist_ok=True)
        changed.write_text(consortium.replace(default, f"inline_limit_bytes = {KINDS[self.kind][0]}\n{default}"))
        self.cloud.create(changed)
        self.cloud.start()
        self.load("make-bucket")

    def load(self, workload, *options):
        key, secret = self.cloud.credentials()
        command = [str(self.build / "bench" / "andromede_load"), workload, "--port", str(self.cloud.s3_port),
                   "--access-key", key, *map(str, options)]
        result = subprocess.run(command, env={**os.environ, "ANDROMEDE_LOAD_SECRET": secret}, text=True,
                                capture_output=True, check=False)
        if result.returncode != 0 or (workload == "put" and json.loads(result.stdout)["errors"]):
            raise RuntimeError(f"{workload}: {result.stdout} {result.stderr}")

    def store(self, count):
        """Stores until there are `count` objects."""
        if count > self.stored:
            self.load("put", "--size", KINDS[self.kind][1], "--count", count - self.stored, "--concurrency", 64,
                      "--prefix", f"o{self.stored}-", "--unsigned-payload")
            self.stored = count

    def start_cold(self):
        """Seconds until ready, bytes read from the drives until then, and the memory held once idle."""
        drop_caches()
        began = time.monotonic()
        with open(self.cloud.log, "ab") as log:
            self.cloud.process = subprocess.Popen([self.cloud.binary, "serve", "--config", self.cloud.config],
                                                  stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        while True:
            if self.cloud.process.poll() is not None:
                raise RuntimeError(self.cloud.log_tail())
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.cloud.operator_port}/health/ready", timeout=60)
                break
            except (urllib.error.HTTPError, OSError):
                time.sleep(0.01)
        ready = time.monotonic() - began
        read = bytes_read(self.cloud.process.pid)
        time.sleep(IDLE_SECONDS)
        return ready, read, resident_bytes(self.cloud.process.pid)

    def measure(self, count):
        self.store(count - KILLED_AFTER)
        self.cloud.stop(seconds=300)
        clean, clean_read, idle = self.start_cold()
        self.store(count)
        self.cloud.kill()
        killed, killed_read, _ = self.start_cold()
        folder_bytes = sum(path.stat().st_blocks * 512 for path in self.cloud.folder.rglob("*") if path.is_file())
        row = {"kind": self.kind, "objects": count, "ready_after_stop_s": round(clean, 2),
               "ready_after_kill_s": round(killed, 2), "read_after_stop_mb": round(clean_read / 1e6, 1),
               "read_after_kill_mb": round(killed_read / 1e6, 1), "idle_rss_mb": round(idle / 1e6, 1),
               "stored_gb": round(folder_bytes / 1e9, 2)}
        print(f"  {self.kind:6} {count:10,}  {row['stored_gb']:6.2f} GB   ready {clean:6.2f} s, "
              f"{row['read_after_stop_mb']:6.1f} MB read after a stop; {killed:6.2f} s, {row['read_after_kill_mb']:6.1f} MB after "
              f"kill -9   idle {row['idle_rss_mb']:6.1f} MB", flush=True)
        return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=ROOT / "build" / "release")
    parser.add_argument("--program", help="another andromede, to compare with")
    parser.add_argument("--folder", default=ROOT / "build" / "bench")
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--consortium", default=ROOT / "bench" / "one-drive.toml")
    parser.add_argument("counts", type=int, nargs="+", help=f"rising, each more than {KILLED_AFTER} above the last")
    arguments = parser.parse_args()
    startup = Startup(arguments)
    rows = []
    try:
        startup.make()
        for count in arguments.counts:
            rows.append(startup.measure(count))
    finally:
        startup.cloud.kill()
        shutil.rmtree(startup.cloud.folder, ignore_errors=True)
    report = pathlib.Path(arguments.folder) / "startup.json"
    report.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
