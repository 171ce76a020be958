#!/usr/bin/python3
"""`./dev bench`: radosgw, nginx and Andromède on this machine, one after another in one run, under the same load
generator. Prints medians with ratios and what durability each side gave; writes build/bench/report.json.

The load generator shares the machine's cores with the server that it measures: figures include the client."""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "harness"))
sys.path.insert(0, str(ROOT / "bench"))

from cloud import Cloud  # noqa: E402
from peers import Nginx, Radosgw  # noqa: E402

SMALL, LARGE = 4096, 16 << 20


class Andromede:
    lists = True

    def __init__(self, binary, folder, consortium, name, durability):
        self.cloud = Cloud(binary, pathlib.Path(folder) / name)
        self.consortium = consortium
        self.name = name
        self.durability = durability

    def __enter__(self):
        self.cloud.create(self.consortium).start()
        self.environment = {"ANDROMEDE_LOAD_SECRET": self.cloud.credentials()[1]}
        return self

    def __exit__(self, *_):
        self.cloud.kill()
        shutil.rmtree(self.cloud.folder, ignore_errors=True)

    def arguments(self):
        return ["--port", str(self.cloud.s3_port), "--access-key", self.cloud.credentials()[0]]


class Bench:
    def __init__(self, arguments):
        self.load_program = pathlib.Path(arguments.build) / "bench" / "andromede_load"
        self.runs = arguments.runs
        self.seconds = arguments.seconds
        self.keys = arguments.keys
        self.rows = {}
        self.started = time.monotonic()

    def load(self, peer, workload, *options):
        """One run of the load generator; its JSON line."""
        command = [str(self.load_program), workload, *peer.arguments(), *map(str, options)]
        result = subprocess.run(command, env={**os.environ, **peer.environment}, text=True, capture_output=True,
                                check=False)
        if workload == "make-bucket":
            if result.returncode != 0:
                raise RuntimeError(f"{peer.name}: {result.stderr.strip()}")
            return None
        answer = json.loads(result.stdout)
        if answer["errors"]:
            raise RuntimeError(f"{peer.name}, {workload}: {answer['errors']} errors: {result.stderr.strip()}")
        return answer

    def record(self, peer, workload, unit, samples, latencies=None):
        row = self.rows.setdefault(workload, {"workload": workload, "unit": unit})
        row[peer.name] = round(statistics.median(samples), 1)
        row[f"{peer.name}_spread"] = [round(min(samples), 1), round(max(samples), 1)]
        if latencies:
            row[f"{peer.name}_p50_ms"] = round(statistics.median(latencies), 3)
        elapsed = time.monotonic() - self.started
        print(f"  [{elapsed:6.0f} s] {peer.name:14} {workload:16} {row[peer.name]:12,.1f} {unit}", flush=True)

    def timed(self, peer, workload, name, unit, *options):
        field = "ops_per_s" if unit == "ops/s" else "mb_per_s"
        answers = [self.load(peer, workload, "--seconds", self.seconds, *options, *self.fresh(workload, run))
                   for run in range(self.runs)]
        self.record(peer, name, unit, [a[field] for a in answers], [a["p50_ms"] for a in answers])

    @staticmethod
    def fresh(workload, run):
        # Every run of a writer writes keys of its own.
        return ["--prefix", f"w{run}-"] if workload == "put" else []

    def measure(self, peer):
        if peer.name != "nginx":
            self.load(peer, "make-bucket")
        for concurrency in (1, 16, 64):
            self.timed(peer, "put", f"put_4k_c{concurrency}", "ops/s", "--size", SMALL, "--concurrency", concurrency)
        self.load(peer, "put", "--count", 10_000, "--size", SMALL, "--concurrency", 16, "--prefix", "g")
        for concurrency in (1, 16, 64):
            self.timed(peer, "get", f"get_4k_c{concurrency}", "ops/s", "--size", SMALL, "--concurrency", concurrency,
                       "--keys", 10_000, "--prefix", "g")
        self.timed(peer, "mixed", "mixed_4k_c16", "ops/s", "--size", SMALL, "--concurrency", 16, "--keys", 10_000,
                   "--prefix", "g")
        large = ("--size", LARGE, "--unsigned-payload")
        for concurrency in (1, 4):
            # The same few keys again and again, so that no peer fills the disk.
            samples = [self.load(peer, "put", *large, "--count", 24, "--concurrency", concurrency, "--prefix", "l")
                       for _ in range(self.runs)]
            self.record(peer, f"put_16m_c{concurrency}", "MB/s", [s["mb_per_s"] for s in samples],
                        [s["p50_ms"] for s in samples])
        for concurrency in (1, 4):
            self.timed(peer, "get", f"get_16m_c{concurrency}", "MB/s", *large, "--concurrency", concurrency, "--keys", 24,
                       "--prefix", "l")
        if peer.lists:
            self.measure_listing(peer)

    def measure_listing(self, peer):
        print(f"  storing {self.keys:,} keys on {peer.name}", flush=True)
        self.load(peer, "put", "--count", self.keys, "--size", 16, "--concurrency", 64, "--prefix", "k")
        pages = [self.load(peer, "list", "--prefix", "k") for _ in range(self.runs)]
        for page in pages:
            assert page["operations"] == self.keys, page
        self.record(peer, f"list_{self.keys // 1000}k", "keys/s", [p["ops_per_s"] for p in pages], [p["p50_ms"] for p in pages])
        deleted = self.load(peer, "delete", "--count", self.keys, "--concurrency", 64, "--prefix", "k")
        self.record(peer, f"delete_{self.keys // 1000}k", "ops/s", [deleted["ops_per_s"]], [deleted["p50_ms"]])

    def listing_curve(self, peer):
        """Milliseconds a page of 1,000 keys at 10³, 10⁵ and 10⁶ keys in the bucket."""
        curve = []
        stored = 0
        for keys in (1_000, 100_000, 1_000_000):
            # Distinct prefixes keep what is stored before; the listing covers all of them.
            self.load(peer, "put", "--count", keys - stored, "--size", 16, "--concurrency", 64, "--bucket", "curve",
                      "--prefix", f"c/{keys:08d}/")
            stored = keys
            # A short bucket is listed again while there is time: a single page would show a cold start only.
            page = self.load(peer, "list", "--bucket", "curve", "--prefix", "c/", "--seconds", self.seconds)
            assert page["operations"] >= keys and page["operations"] % keys == 0, page
            curve.append({"keys": keys, "page_p50_ms": page["p50_ms"], "page_p99_ms": page["p99_ms"]})
            print(f"  {keys:>9,} keys: {page['p50_ms']:.2f} ms a page of 1,000 (p99 {page['p99_ms']:.2f})", flush=True)
        return curve


def print_table(rows, peers):
    print(f"\n{'workload':16} {'unit':7}" + "".join(f"{peer.name:>16}" for peer in peers)
          + f"{'÷radosgw':>10}{'÷nginx':>8}")
    for row in rows:
        ours = row.get("andromede")
        line = f"{row['workload']:16} {row['unit']:7}"
        line += "".join(f"{row[peer.name]:>16,.1f}" if peer.name in row else f"{'-':>16}" for peer in peers)
        for other, width in (("radosgw", 10), ("nginx", 8)):
            ratio = f"{ours / row[other]:.2f}" if ours and row.get(other) else "-"
            line += f"{ratio:>{width}}"
        print(line)
    print("\nWhat a success meant:")
    for peer in peers:
        print(f"  {peer.name:16} {peer.durability}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--runs", type=int, default=5, help="runs of each workload; the median counts (default 5)")
    parser.add_argument("--seconds", type=float, default=2, help="of each timed run (default 2)")
    parser.add_argument("--keys", type=int, default=100_000, help="stored, listed and deleted (default 100,000)")
    parser.add_argument("--only", help="comma-separated: radosgw,nginx,andromede,andromede_2+2")
    parser.add_argument("--no-curve", action="store_true", help="leave out the listing of a million keys")
    arguments = parser.parse_args()

    folder = ROOT / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    binary = pathlib.Path(arguments.build) / "apps" / "andromede" / "andromede"
    bench = Bench(arguments)
    print("The machine's own limits", flush=True)
    limits = json.loads(subprocess.run([str(pathlib.Path(arguments.build) / "bench" / "andromede_limits"), str(folder)],
                                       text=True, capture_output=True, check=True).stdout)
    for name, value in limits.items():
        print(f"  {name:24} {value if isinstance(value, str) else format(value, ',.0f'):>12}", flush=True)

    peers = [
        Radosgw(folder), Nginx(folder),
        Andromede(binary, folder, ROOT / "bench" / "one-drive.toml", "andromede",
                  "fdatasync of log and volume, one drive, encrypted, journaled, signed"),
        Andromede(binary, folder, ROOT / "examples" / "consortium-2011.toml", "andromede_2+2",
                  "fdatasync on every drive: 2+2 over four sites, metadata on three, encrypted, journaled, signed"),
    ]
    if arguments.only:
        peers = [peer for peer in peers if peer.name in arguments.only.split(",")]
    curve = None
    for peer in peers:
        print(f"Starting {peer.name}", flush=True)
        with peer:
            bench.measure(peer)
            if peer.name == "andromede" and not arguments.no_curve:
                bench.load(peer, "make-bucket", "--bucket", "curve")
                curve = bench.listing_curve(peer)
    rows = list(bench.rows.values())
    print_table(rows, peers)
    report = {"machine": {"cores": os.cpu_count(), **limits}, "durability": {p.name: p.durability for p in peers},
              "listing_curve": curve, "rows": rows}
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    print(f"\nWritten: {folder.relative_to(ROOT)}/report.json ({time.monotonic() - bench.started:.0f} s)")


if __name__ == "__main__":
    main()
