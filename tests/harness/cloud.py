"""A cloud of the real binary, for the tests, the story and the benchmarks: made in a folder, started, stopped, killed."""

import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CONSORTIUM = ROOT / "examples" / "consortium-2011.toml"
# How long a test waits for an event before it says that it will not come: no measure of speed, long enough for the slowest
# machine with others' work beside it.
PATIENCE_S = 300
# boto3's default session is no matter for several threads.
CLIENTS_LOCK = threading.Lock()


def free_port():
    """Below those that the kernel gives to clients, one of which would take it before the server does."""
    while True:
        port = random.SystemRandom().randrange(16_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class ServerEnded(RuntimeError):
    """The server ended by itself, with `status`, instead of being ready."""

    def __init__(self, status, log_tail):
        super().__init__(f"the server ended with {status}: {log_tail}")
        self.status = status


class Cloud:
    """`binary` is the andromede program; `folder` is emptied by create()."""

    def __init__(self, binary, folder, s3_port=None, operator_port=None):
        self.binary = str(pathlib.Path(binary).resolve())
        self.folder = pathlib.Path(folder).resolve()
        self.s3_port = s3_port or free_port()
        self.operator_port = operator_port or free_port()
        self.config = self.folder / "andromede.toml"
        self.log = self.folder.with_name(self.folder.name + ".log")
        self.process = None

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.s3_port}"

    def create(self, consortium=CONSORTIUM, *options):
        """`options`: more of `andromede init`."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        subprocess.run([self.binary, "init", "--folder", self.folder, "--consortium", consortium,
                        "--listen", f"127.0.0.1:{self.s3_port}", "--operator-listen", f"127.0.0.1:{self.operator_port}",
                        *options], check=True, stdout=subprocess.DEVNULL)
        return self

    def start(self, seconds=PATIENCE_S, until="ready"):
        """Starts the server and waits until it is ready; or "live": it answers operators, whether it can be written to or not."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.binary, "serve", "--config", self.config], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if (status := self.process.poll()) is not None:
                self.process = None
                raise ServerEnded(status, self.log_tail())
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.operator_port}/health/{until}", timeout=30)
                return self
            except (urllib.error.HTTPError, OSError):
                time.sleep(0.05)
        raise RuntimeError(f"the server was not ready within {seconds} s: {self.log_tail()}")

    def log_tail(self):
        return self.log.read_text(errors="replace")[-2000:]

    def stop(self, seconds=PATIENCE_S):
        """Stops gracefully; the exit status must be 0."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"the server did not stop within {seconds} s: {self.log_tail()}") from None
        finally:
            self.process = None
        if status != 0:
            raise RuntimeError(f"the server ended with {status}: {self.log_tail()}")

    def kill(self):
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def limit_bandwidth(self, bytes_per_s):
        """Of heal, drain, scrub and rebalance, from the next start on."""
        made, count = re.subn(r"(?m)^(bandwidth_bytes_per_s) = \d+", rf"\1 = {bytes_per_s}", self.config.read_text())
        if count != 1:
            raise RuntimeError(f"bandwidth_bytes_per_s is there {count} times")
        self.config.write_text(made)

    def credentials(self, tenant=0):
        """(access key id, secret) of the n-th tenant."""
        tenants = json.loads((self.folder / "credentials.json").read_text())["tenants"]
        return tenants[tenant]["access_key_id"], tenants[tenant]["secret_access_key"]

    def client(self, attempts=1, verify=None, endpoint_url=None, credentials=None, **config):
        """A boto3 client of the first tenant, or with `credentials`; `config` goes into botocore's Config."""
        import boto3  # not there where only the benchmarks run
        import botocore.config

        key, secret = credentials or self.credentials()
        config = {"connect_timeout": 60, "read_timeout": PATIENCE_S, **config}
        with CLIENTS_LOCK:
            return boto3.client("s3", endpoint_url=endpoint_url or self.endpoint, region_name="us-east-1", verify=verify,
                                aws_access_key_id=key, aws_secret_access_key=secret,
                                config=botocore.config.Config(
                                    retries={"mode": "standard", "total_max_attempts": attempts}, **config))

    def environment(self, tenant=0):
        """For clients: the AWS variables, and nothing of the caller's own AWS settings."""
        key, secret = self.credentials(tenant)
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def operator(self, *words, check=True, language=None):
        """Runs an operator's command (`andromede status` …) and answers the finished process, its output as text."""
        environment = {**os.environ, "LC_ALL": language} if language else None
        result = subprocess.run([self.binary, *map(str, words), "--config", str(self.config)], text=True,
                                capture_output=True, check=False, env=environment)
        if check and result.returncode != 0:
            raise RuntimeError(f"andromede {' '.join(map(str, words))}: exit {result.returncode}: "
                               f"{result.stderr.strip() or result.stdout.strip()}")
        return result

    def operator_json(self, *words):
        return json.loads(self.operator(*words, "--json").stdout)

    def status(self):
        return self.operator_json("status")

    def wait_for(self, what, condition, seconds=PATIENCE_S):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.1)
        raise AssertionError(f"not within {seconds} s: {what}\n{self.operator('status', check=False).stdout}\n{self.log_tail()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
