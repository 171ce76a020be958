"""The servers that compare.py brings up, one after another, each as a context manager with the same few attributes:
host, port, arguments (for andromede_load), pids (of the server), durability (what a success meant)."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent


def wait_for(url, seconds, process=None):
    """Waits until `url` answers anything."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode} before {url} answered")
        try:
            urllib.request.urlopen(url, timeout=2)
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"{url} did not answer within {seconds} s")


def stop(process, seconds=30):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Nginx:
    """Static GET and DAV PUT: no fsync, no encryption, no signature. The ceiling."""

    name = "nginx"
    durability = "page cache only: no fsync, one copy, plaintext, unsigned"
    lists = False
    port = 18482

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "nginx"
        self.process = None

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("data", "data/bench", "tmp", "logs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        modules = pathlib.Path("/usr/lib/nginx/modules/ngx_http_dav_ext_module.so")
        load = f"load_module {modules};\n" if modules.exists() else ""
        (self.folder / "nginx.conf").write_text(
            f"""{load}daemon off; worker_processes 2; pid {self.folder}/nginx.pid; error_log {self.folder}/error.log;
{"user root;" if os.getuid() == 0 else ""}
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; client_max_body_size 0;
  client_body_temp_path {self.folder}/tmp; proxy_temp_path {self.folder}/tmp; fastcgi_temp_path {self.folder}/tmp;
  uwsgi_temp_path {self.folder}/tmp; scgi_temp_path {self.folder}/tmp; client_body_buffer_size 64k;
  server {{
    listen 127.0.0.1:{self.port} reuseport; root {self.folder}/data;
    location / {{ dav_methods PUT DELETE; create_full_put_path on; }}
  }}
}}
""")
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)],
                                        stderr=subprocess.DEVNULL)
        wait_for(f"http://127.0.0.1:{self.port}/", 20, self.process)
        return self

    def __exit__(self, *_):
        stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def arguments(self):
        return ["--port", str(self.port)]

    def pids(self):
        return [self.process.pid]

    environment = {}


class Radosgw:
    """Debian's radosgw on one monitor, one manager and three file-backed BlueStore OSDs, three replicas."""

    name = "radosgw"
    durability = "fsync on 3 OSDs (BlueStore, one disk beneath), 3 replicas, plaintext, signed"
    lists = True
    port = 18480
    access_key = "PEERACCESSKEY00000001"
    environment = {"ANDROMEDE_LOAD_SECRET": "peersecretpeersecretpeersecretpeersecret"}

    def __init__(self, folder, osds=3):
        self.folder = pathlib.Path(folder).resolve() / "ceph"
        self.osds = osds
        self.processes = []

    def configuration(self, fsid):
        base = self.folder
        return f"""[global]
fsid = {fsid}
mon_initial_members = a
mon_host = [v2:127.0.0.1:13300/0,v1:127.0.0.1:16789/0]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
ms_bind_port_min = 16800
ms_bind_port_max = 16999
keyring = {base}/client.admin.keyring
auth_allow_insecure_global_id_reclaim = false
run_dir = {base}/run
admin_socket = {base}/run/$name.$pid.asok
log_file = {base}/log/$name.log
crash_dir = {base}/log
mon_cluster_log_file = {base}/log/cluster.log
osd_pool_default_size = 3
osd_pool_default_min_size = 2
osd_pool_default_pg_num = 16
osd_pool_default_pgp_num = 16
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_max_pg_per_osd = 2000
mon_data_avail_warn = 5
[mon.a]
mon_data = {base}/mon
[mgr.a]
mgr_data = {base}/mgr
keyring = {base}/mgr/keyring
[osd]
osd_data = {base}/osd$id
keyring = {base}/osd$id/keyring
osd_memory_target = 1200000000
bluestore_block_size = {12 << 30}
bluestore_block_create = true
[client.rgw.a]
keyring = {base}/rgw/keyring
rgw_data = {base}/rgw
rgw_frontends = beast endpoint=127.0.0.1:{self.port} tcp_nodelay=1
rgw_enable_usage_log = false
rgw_enable_ops_log = false
"""

    def run(self, *command, out=None):
        result = subprocess.run(command, cwd=self.folder, env={**os.environ, "CEPH_CONF": str(self.conf)}, text=True,
                                capture_output=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {result.stderr.strip()}")
        if out is not None:
            pathlib.Path(out).write_text(result.stdout)
        return result.stdout

    def daemon(self, *command):
        log = open(self.folder / "log" / f"{command[0]}.out", "ab")
        self.processes.append(subprocess.Popen([*command, "-c", str(self.conf), "-f"], cwd=self.folder, stdout=log,
                                               stderr=log, stdin=subprocess.DEVNULL))

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("run", "log", "mon", "mgr", "rgw"):
            (self.folder / name).mkdir(parents=True)
        fsid = pathlib.Path("/proc/sys/kernel/random/uuid").read_text().strip()
        self.conf = self.folder / "ceph.conf"
        self.conf.write_text(self.configuration(fsid))
        try:
            self.start_cluster(fsid)
        except BaseException:
            self.__exit__()
            raise
        return self

    def start_cluster(self, fsid):
        self.run("ceph-authtool", "mon.keyring", "--create-keyring", "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        self.run("ceph-authtool", "client.admin.keyring", "--create-keyring", "--gen-key", "-n", "client.admin",
                 "--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *")
        self.run("ceph-authtool", "mon.keyring", "--import-keyring", "client.admin.keyring")
        self.run("monmaptool", "-c", str(self.conf), "--create", "--addv", "a",
                 "[v2:127.0.0.1:13300,v1:127.0.0.1:16789]", "--fsid", fsid, "monmap")
        self.run("ceph-mon", "-c", str(self.conf), "--mkfs", "-i", "a", "--monmap", "monmap", "--keyring", "mon.keyring")
        self.daemon("ceph-mon", "-i", "a")
        self.run("ceph", "--connect-timeout", "60", "-s")
        self.run("ceph", "auth", "get-or-create", "mgr.a", "mon", "allow profile mgr", "osd", "allow *",
                 out=self.folder / "mgr" / "keyring")
        self.daemon("ceph-mgr", "-i", "a")
        for number in range(self.osds):
            folder = self.folder / f"osd{number}"
            folder.mkdir()
            uuid = pathlib.Path("/proc/sys/kernel/random/uuid").read_text().strip()
            self.run("ceph", "osd", "new", uuid, str(number))
            self.run("ceph", "auth", "get-or-create", f"osd.{number}", "mon", "allow profile osd", "mgr",
                     "allow profile osd", "osd", "allow *", out=folder / "keyring")
            self.run("ceph-osd", "-c", str(self.conf), "-i", str(number), "--mkfs", "--osd-uuid", uuid)
            self.daemon("ceph-osd", "-i", str(number))
        for _ in range(240):
            if json.loads(self.run("ceph", "osd", "stat", "-f", "json"))["num_up_osds"] == self.osds:
                break
            time.sleep(0.5)
        else:
            raise RuntimeError("the OSDs did not come up within two minutes")
        for pool, groups in (("default.rgw.buckets.data", "32"), ("default.rgw.buckets.index", "16")):
            self.run("ceph", "osd", "pool", "create", pool, groups, groups)
            self.run("ceph", "osd", "pool", "application", "enable", pool, "rgw")
        self.run("ceph", "auth", "get-or-create", "client.rgw.a", "mon", "allow rwx", "osd", "allow rwx", "mgr",
                 "allow rw", out=self.folder / "rgw" / "keyring")
        self.daemon("radosgw", "-n", "client.rgw.a")
        wait_for(f"http://127.0.0.1:{self.port}/", 120, self.processes[-1])
        self.run("radosgw-admin", "user", "create", "--uid", "peer", "--display-name", "peer", "--access-key",
                 self.access_key, "--secret-key", self.environment["ANDROMEDE_LOAD_SECRET"], "--max-buckets", "0")

    def __exit__(self, *_):
        for process in reversed(self.processes):
            stop(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def arguments(self):
        return ["--port", str(self.port), "--access-key", self.access_key]

    def pids(self):
        return [process.pid for process in self.processes]
