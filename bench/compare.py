#!/usr/bin/python3
"""`./dev bench`: radosgw, nginx and Andromède on this machine, one after another in one run, under the same load
generator. Prints medians with ratios, latencies, CPU time, curves over the number of keys, a quiet tenant's fate beside a
flood, what durability each side gave, and which aims are met; writes build/bench/report.json.

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

import aims  # noqa: E402
import fairness  # noqa: E402
from cloud import Cloud  # noqa: E402
from peers import Nginx, Radosgw  # noqa: E402
from processes import cpu_ms  # noqa: E402

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

    def pids(self):
        return [self.cloud.process.pid]


class Bench:
    def __init__(self, arguments):
        self.load_program = pathlib.Path(arguments.build) / "bench" / "andromede_load"
        self.runs = arguments.runs
        self.seconds = arguments.seconds
        self.keys = arguments.keys
        self.most_keys = arguments.most_keys
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

    def record(self, peer, workload, unit, answers, field):
        """`answers`: of the runs, each with the server's CPU time under cpu_ms."""
        samples = [answer[field] for answer in answers]
        row = self.rows.setdefault(workload, {"workload": workload, "unit": unit})
        row[peer.name] = round(statistics.median(samples), 1)
        row[f"{peer.name}_spread"] = [round(min(samples), 1), round(max(samples), 1)]
        for name in ("p50_ms", "p99_ms", "p999_ms"):
            row[f"{peer.name}_{name}"] = round(statistics.median(answer[name] for answer in answers), 3)
        operations = sum(answer["operations"] for answer in answers)
        row[f"{peer.name}_cpu_ms"] = round(sum(answer["cpu_ms"] for answer in answers) / max(1, operations), 4)
        elapsed = time.monotonic() - self.started
        print(f"  [{elapsed:6.0f} s] {peer.name:14} {workload:16} {row[peer.name]:12,.1f} {unit}", flush=True)

    def measured(self, peer, workload, *options):
        """One run of the load generator, with the CPU time that the server took for it."""
        before = cpu_ms(peer.pids())
        answer = self.load(peer, workload, *options)
        return {**answer, "cpu_ms": cpu_ms(peer.pids()) - before}

    def timed(self, peer, workload, name, unit, *options):
        field = "ops_per_s" if unit == "ops/s" else "mb_per_s"
        answers = [self.measured(peer, workload, "--seconds", self.seconds, *options, *self.fresh(workload, run))
                   for run in range(self.runs)]
        self.record(peer, name, unit, answers, field)

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
            answers = [self.measured(peer, "put", *large, "--count", 24, "--concurrency", concurrency, "--prefix", "l")
                       for _ in range(self.runs)]
            self.record(peer, f"put_16m_c{concurrency}", "MB/s", answers, "mb_per_s")
        for concurrency in (1, 4):
            self.timed(peer, "get", f"get_16m_c{concurrency}", "MB/s", *large, "--concurrency", concurrency, "--keys", 24,
                       "--prefix", "l")
        if peer.lists:
            self.measure_listing(peer)

    def measure_listing(self, peer):
        print(f"  storing {self.keys:,} keys on {peer.name}", flush=True)
        self.load(peer, "put", "--count", self.keys, "--size", 16, "--concurrency", 64, "--prefix", "k")
        listings = [self.measured(peer, "list", "--prefix", "k") for _ in range(self.runs)]
        for listing in listings:
            assert listing["operations"] == self.keys, listing
        self.record(peer, f"list_{self.keys // 1000}k", "keys/s", listings, "ops_per_s")
        deleted = self.measured(peer, "delete", "--count", self.keys, "--concurrency", 64, "--prefix", "k")
        self.record(peer, f"delete_{self.keys // 1000}k", "ops/s", [deleted], "ops_per_s")

    def curve(self, peer):
        """PUT, GET and LIST of objects of 4 KiB at 10³, 10⁴, … keys in one bucket."""
        where = ("--bucket", "curve", "--prefix", "c")
        small = (*where, "--size", SMALL, "--concurrency", 16)
        self.load(peer, "make-bucket", "--bucket", "curve")
        points, stored, keys = [], 0, 1000
        while keys <= self.most_keys:
            put = self.load(peer, "put", *small, "--count", keys - stored, "--first", stored)
            stored = keys
            # What a server does about what was written would count as a cost of reading.
            settle(peer)
            get = self.load(peer, "get", *small, "--keys", keys, "--seconds", 2 * self.seconds)
            # A short bucket is listed again while there is time: a single page would show a cold start only.
            page = self.load(peer, "list", *where, "--seconds", self.seconds)
            assert page["operations"] >= keys and page["operations"] % keys == 0, page
            points.append({"keys": keys, "put_per_s": put["ops_per_s"], "put_p99_ms": put["p99_ms"],
                           "get_per_s": get["ops_per_s"], "get_p99_ms": get["p99_ms"],
                           "page_p50_ms": page["p50_ms"], "page_p99_ms": page["p99_ms"]})
            print(f"  {keys:>9,} keys: {put['ops_per_s']:9,.0f} PUT/s since the last, {get['ops_per_s']:9,.0f} GET/s, "
                  f"{page['p50_ms']:.2f} ms a page of 1,000 (p99 {page['p99_ms']:.2f})", flush=True)
            keys *= 10
        return points


def settle(peer, most_s=60):
    """Waits until the server is all but idle."""
    end = time.monotonic() + most_s
    before = cpu_ms(peer.pids())
    while time.monotonic() < end:
        time.sleep(1)
        now = cpu_ms(peer.pids())
        if now - before < 50:
            return
        before = now


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


def print_latencies(rows, peers):
    print("\nLatencies, and CPU time of the server, in ms an operation (of list: a page, a key):")
    print(f"{'workload':16}{'server':16}{'p50':>10}{'p99':>10}{'p99.9':>10}{'CPU':>10}")
    for row in rows:
        for peer in peers:
            if peer.name in row:
                print(f"{row['workload']:16}{peer.name:16}" + "".join(
                    f"{row[f'{peer.name}_{name}']:>10.3f}" for name in ("p50_ms", "p99_ms", "p999_ms", "cpu_ms")))


def limits(arguments, folder):
    program = pathlib.Path(arguments.build) / "bench" / "andromede_limits"
    return json.loads(subprocess.run([str(program), str(folder)], text=True, capture_output=True, check=True).stdout)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--runs", type=int, default=5, help="runs of each workload; the median counts (default 5)")
    parser.add_argument("--seconds", type=float, default=2, help="of each timed run (default 2)")
    parser.add_argument("--keys", type=int, default=100_000, help="stored, listed and deleted (default 100,000)")
    parser.add_argument("--most-keys", type=int, default=1_000_000, help="of the curves (default 1,000,000)")
    parser.add_argument("--only", help="comma-separated: radosgw,nginx,andromede,andromede_2+2")
    parser.add_argument("--quick", action="store_true",
                        help="a few minutes: two runs of a second, 10,000 keys, curves to 100,000, without radosgw")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.runs, arguments.seconds, arguments.keys, arguments.most_keys = 2, 1, 10_000, 100_000
        arguments.only = arguments.only or "nginx,andromede,andromede_2+2"
    return arguments


def main():
    arguments = parse_arguments()
    folder = ROOT / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    binary = pathlib.Path(arguments.build) / "apps" / "andromede" / "andromede"
    bench = Bench(arguments)
    peers = [
        Radosgw(folder), Nginx(folder),
        Andromede(binary, folder, ROOT / "bench" / "one-drive.toml", "andromede",
                  "fdatasync of log and volume, one drive, encrypted, journaled, signed"),
        Andromede(binary, folder, ROOT / "examples" / "consortium-2011.toml", "andromede_2+2",
                  "fdatasync on every drive: 2+2 over four sites, metadata on three, encrypted, journaled, signed"),
    ]
    if arguments.only:
        peers = [peer for peer in peers if peer.name in arguments.only.split(",")]
    # A disk's rate changes within minutes: it is measured beside each server.
    measured = [limits(arguments, folder)]
    curve = fate = None
    for peer in peers:
        print(f"Starting {peer.name}", flush=True)
        with peer:
            bench.measure(peer)
            if peer.name == "andromede":
                curve = bench.curve(peer)
                fate = fairness.measure(bench, peer)
        measured.append(limits(arguments, folder))
    machine = {name: statistics.median(each[name] for each in measured) if isinstance(value, int) else value
               for name, value in measured[0].items()}
    rows = list(bench.rows.values())
    report = {"machine": {"cores": os.cpu_count(), **machine}, "durability": {p.name: p.durability for p in peers},
              "curve": curve, "fairness": fate, "rows": rows}
    report["aims"] = aims.judge(report)
    print("\nThe machine's own limits, medians of those beside each server:")
    for name, value in machine.items():
        print(f"  {name:24} {value:>12,}" if isinstance(value, int) else f"  {name:24} {value:>12}")
    print_table(rows, peers)
    print_latencies(rows, peers)
    aims.print_aims(report["aims"])
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    print(f"\nWritten: {folder.relative_to(ROOT)}/report.json ({time.monotonic() - bench.started:.0f} s)")


if __name__ == "__main__":
    main()
