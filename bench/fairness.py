"""How a quiet tenant fares while another floods the same server: its p99 beside that of the same requests alone."""

import os
import subprocess
import time

SMALL = 4096
KEYS = 10_000
# The floods' clients stand for machines elsewhere, so they give way on this one's cores.
FLOODS = {
    "PUTs": [("put", "--concurrency", 64, "--size", SMALL, "--prefix", "flood")],
    "GETs": [("get", "--concurrency", 64, "--size", SMALL, "--keys", KEYS, "--prefix", "loud")],
    "listings": [("list", "--prefix", "loud")] * 8,
    "bad signatures": [("refused", "--concurrency", 64, "--keys", KEYS, "--prefix", "loud")],
}


class Tenant:
    """One tenant of a peer, as andromede_load needs it."""

    def __init__(self, peer, number):
        self.name = f"{peer.name}, tenant {number}"
        key, secret = peer.cloud.credentials(number)
        self.environment = {"ANDROMEDE_LOAD_SECRET": secret}
        self.words = ["--port", str(peer.cloud.s3_port), "--access-key", key, "--bucket", f"fairness-{number}",
                      "--from", f"127.0.0.{2 + number}"]

    def arguments(self):
        return self.words


def measure(bench, peer):
    """`bench` as in compare.py. The quiet tenant sends 100 requests of 4 KiB a second: seven reads to three writes."""
    loud, quiet = Tenant(peer, 0), Tenant(peer, 1)
    for tenant, prefix, keys in ((loud, "loud", KEYS), (quiet, "quiet", 1000)):
        bench.load(tenant, "make-bucket")
        bench.load(tenant, "put", "--count", keys, "--size", SMALL, "--concurrency", 16, "--prefix", prefix)
    alone = quiet_p99(bench, quiet)
    print(f"  a quiet tenant alone: p99 {alone:.2f} ms", flush=True)
    result = {"quiet_p99_ms": alone, "p99_ms": {}}
    for name, commands in FLOODS.items():
        flood = [start(bench, loud, command) for command in commands]
        try:
            time.sleep(1)  # the flood is at its height
            result["p99_ms"][name] = quiet_p99(bench, quiet)
        finally:
            for process in flood:
                process.kill()
            outcomes = [process.communicate() for process in flood]
        if any(process.returncode != -9 for process in flood):
            raise RuntimeError(f"the flood of {name} ended by itself: {outcomes}")
        print(f"  while another floods with {name}: p99 {result['p99_ms'][name]:.2f} ms", flush=True)
    return result


def quiet_p99(bench, tenant):
    return bench.load(tenant, "mixed", "--concurrency", 1, "--size", SMALL, "--keys", 1000, "--prefix", "quiet", "--per-second",
                      100, "--seconds", max(5, 3 * bench.seconds))["p99_ms"]


def start(bench, tenant, command):
    workload, *options = command
    return subprocess.Popen(["nice", "-n", "10", str(bench.load_program), workload, *tenant.arguments(), "--seconds", "600",
                             *map(str, options)], env={**os.environ, **tenant.environment}, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
