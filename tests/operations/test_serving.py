"""The program as its operator meets it: TLS, stop, readiness, metrics, logs, errors of configuration and command line."""

import http.client
import http.server
import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import threading
import urllib.error
import urllib.request

from operations_case import BINARY, CONSORTIUM, PATIENCE_S, OperationsCase


class Serving(OperationsCase):
    def test_what_an_older_server_does_not_tell_is_left_out(self):
        self.cloud.create()

        class Older(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", self.cloud.operator_port), Older)
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        for words in (("status",), ("drive", "list"), ("journal", "tail"), ("account", "list"),
                      ("key", "list", "100000000001"), ("operator", "list")):
            answer = self.cloud.operator(*words, check=False)
            self.assertEqual(answer.returncode, 0, (words, answer.stderr))

    def test_tls_from_a_local_authority_and_a_certificate_swapped_while_serving(self):
        self.cloud.create(CONSORTIUM, "--local-ca").start()
        authority = self.cloud.folder / "tls" / "ca.crt"
        s3 = self.cloud.client(endpoint_url=f"https://127.0.0.1:{self.cloud.s3_port}", verify=str(authority))
        s3.create_bucket(Bucket="archives")
        body = os.urandom(20_000_000)
        s3.put_object(Bucket="archives", Key="k", Body=body)
        self.assertEqual(s3.get_object(Bucket="archives", Key="k")["Body"].read(), body)
        for version, works in ((ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_1, False)):
            self.assertEqual(self.shakes_hands(version), works, version)
        first = self.certificate()
        started = s3.get_object(Bucket="archives", Key="k")["Body"]
        started.read(1000)
        self.cloud.operator("certificate", "renew")
        self.cloud.process.send_signal(signal.SIGHUP)
        self.cloud.wait_for("the new certificate is served", lambda: self.certificate() != first)
        self.assertEqual(started.read(), body[1000:], "what was under way goes on")
        self.assertEqual(s3.get_object(Bucket="archives", Key="k")["Body"].read(), body)
        second = self.certificate()
        (self.cloud.folder / "tls" / "server.crt").write_text("not a certificate")
        self.cloud.process.send_signal(signal.SIGHUP)
        self.cloud.wait_for("the broken file is told", lambda: '"level":"error"' in self.cloud.log.read_text())
        reloads = [json.loads(line) for line in self.cloud.log.read_text().splitlines() if "certificates" in line]
        self.assertEqual([(line["level"], line["message"], "error" in line) for line in reloads],
                         [("info", "certificates read again", False),
                          ("error", "the new certificates cannot be used, and those from before stay", True)])
        self.assertEqual(self.certificate(), second, "the last good certificate stays")

    def test_a_reload_names_what_waits_for_a_restart(self):
        self.cloud.create(CONSORTIUM, "--local-ca").start()
        self.reload()
        self.cloud.wait_for("the certificates are read", lambda: "certificates read again" in self.cloud.log.read_text())
        self.assertNotIn("wait for a restart", self.cloud.log.read_text())
        self.edit_config('# virtual_hosts = ["s3.example.org"]', 'virtual_hosts = ["s3.example.org"]')
        self.edit_config("# event_loops = 0", "event_loops = 1")
        self.assertIn("restart it where virtual_hosts has changed",
                      self.cloud.operator("certificate", "renew", language="C").stdout)
        self.reload()
        self.cloud.wait_for("what waits is told", lambda: '"keys":"[s3] virtual_hosts, [storage] event_loops"' in self.cloud.log.read_text())
        self.edit_config("event_loops = 1", "event_loops = many")
        self.reload()
        self.cloud.wait_for("the broken file is told", lambda: "a restart would be refused" in self.cloud.log.read_text())

    def reload(self):
        self.cloud.process.send_signal(signal.SIGHUP)

    def test_the_local_authority_can_sign_nothing_else(self):
        self.cloud.create(CONSORTIUM, "--local-ca").start()
        tls = self.cloud.folder / "tls"
        # Its key is nowhere.
        self.assertEqual({path.name for path in tls.iterdir()}, {"ca.crt", "server.crt", "server.key"})
        keys = [path for path in self.cloud.folder.rglob("*")
                if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
        self.assertEqual(keys, [tls / "server.key"])
        run = {"check": True, "capture_output": True, "text": True}
        subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", tls / "ca.crt",
                        tls / "server.crt"], **run)
        authority = subprocess.run(["openssl", "x509", "-in", tls / "ca.crt", "-noout", "-text"], **run).stdout
        self.assertRegex(authority, r"X509v3 Basic Constraints: critical\s+CA:TRUE, pathlen:0")
        self.assertRegex(authority, r"X509v3 Key Usage: critical\s+Certificate Sign\n")
        constraints = re.search(r"X509v3 Name Constraints: critical\s+Permitted:\n((?: {18,}.*\n)+)", authority)[1]
        self.assertEqual(constraints.split(), ["IP:127.0.0.1/255.255.255.255",
                                               "IP:0:0:0:0:0:0:0:1/FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF",
                                               "DNS:localhost"])
        for name in ("127.0.0.1", "localhost"):
            answer = subprocess.run(["curl", "-sS", "--cacert", tls / "ca.crt", "-o", os.devnull, "-w", "%{http_code}",
                                     f"https://{name}:{self.cloud.s3_port}/"], **run).stdout
            self.assertEqual(answer, "403", name)

    def certificate(self):
        return ssl.get_server_certificate(("127.0.0.1", self.cloud.s3_port))

    def shakes_hands(self, version):
        context = ssl.create_default_context(cafile=self.cloud.folder / "tls" / "ca.crt")
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        try:
            context.minimum_version = context.maximum_version = version
            with socket.create_connection(("127.0.0.1", self.cloud.s3_port), PATIENCE_S) as plain:
                with context.wrap_socket(plain, server_hostname="127.0.0.1"):
                    return True
        except (ssl.SSLError, ConnectionError):
            return False

    def test_plain_http_stays_on_loopback(self):
        self.cloud.create()
        self.edit_config(f'listen = "127.0.0.1:{self.cloud.s3_port}"', f'listen = "0.0.0.0:{self.cloud.s3_port}"')
        refused = self.serve_and_fail()
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn("TLS", refused.stderr.upper())

    def edit_config(self, old, new):
        text = self.cloud.config.read_text()
        self.assertIn(old, text)
        self.cloud.config.write_text(text.replace(old, new, 1))

    def serve_and_fail(self):
        return subprocess.run([BINARY, "serve", "--config", self.cloud.config], capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)

    def test_errors_of_configuration_name_line_and_remedy(self):
        self.cloud.create()
        good = self.cloud.config.read_text()
        cases = {
            'region = "us-east-1"': ('regoin = "us-east-1"', ["andromede.toml", "regoin", "region"]),
            "cache_bytes = 100663296": ('cache_bytes = "much"', ["andromede.toml", "cache_bytes"]),
            'level = "info"': ('level = "loud"', ["andromede.toml", "loud", "info"]),
            'consortium = "consortium.toml"': ('consortium = "absent.toml"', ["absent.toml"]),
            "[log]": ("[log", ["andromede.toml"]),
        }
        for old, (new, words) in cases.items():
            self.cloud.config.write_text(good)
            self.edit_config(old, new)
            refused = self.serve_and_fail()
            self.assertEqual(refused.returncode, 2, f"{new}: {refused.stderr}")
            for word in words:
                self.assertIn(word, refused.stderr, new)
        line = next(n for n, text in enumerate(good.splitlines(), 1) if text.startswith("region"))
        self.cloud.config.write_text(good)
        self.edit_config('region = "us-east-1"', 'regoin = "us-east-1"')
        self.assertIn(f"andromede.toml:{line}", self.serve_and_fail().stderr)
        self.cloud.config.unlink()
        missing = self.serve_and_fail()
        self.assertEqual(missing.returncode, 2)
        self.assertIn("andromede.toml", missing.stderr)

    def test_an_address_in_use_is_told_with_its_key(self):
        self.cloud.create()
        for key, port in (("[operator] listen", self.cloud.operator_port), ("[s3] listen", self.cloud.s3_port)):
            with socket.create_server(("127.0.0.1", port)):
                refused = self.serve_and_fail()
            self.assertEqual(refused.returncode, 1, refused.stderr)
            told = refused.stderr.splitlines()[-1]
            self.assertIn(f"{self.cloud.config}: {key}: cannot listen on 127.0.0.1:{port}", told)
            self.assertIn("ss -ltnp", told)

    def test_an_address_of_another_machine_and_a_certificate_that_is_none_are_told_as_that(self):
        self.cloud.create(CONSORTIUM, "--local-ca")
        self.edit_config(f"127.0.0.1:{self.cloud.s3_port}", f"192.0.2.1:{self.cloud.s3_port}")
        refused = self.serve_and_fail()
        self.assertEqual(refused.returncode, 1, refused.stderr)
        self.assertIn("[s3] listen: cannot listen on 192.0.2.1:", refused.stderr)
        self.assertIn("`ip addr`", refused.stderr)
        self.assertNotIn("ss -ltnp", refused.stderr)
        (self.cloud.folder / "tls/server.crt").write_text("no certificate\n")
        refused = self.serve_and_fail()
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertRegex(refused.stderr, r"andromede\.toml:\d+: tls_certificate: .*server\.crt: not a readable PEM certificate chain")
        self.assertNotIn("listen", refused.stderr.splitlines()[-1])

    def test_a_start_that_cannot_listen_opens_no_drive(self):
        self.cloud.create(CONSORTIUM, "--local-ca")
        told = []
        for port in (self.cloud.operator_port, self.cloud.s3_port):
            with socket.create_server(("127.0.0.1", port)):
                told.append(self.serve_and_fail())
        (self.cloud.folder / "tls" / "server.crt").write_text("not a certificate")
        told.append(self.serve_and_fail())
        for refused in told:
            self.assertIn(refused.returncode, (1, 2), refused.stderr)
            self.assertNotIn("drive online", refused.stderr)

    def test_what_init_says_is_what_comes_next(self):
        said = subprocess.run([BINARY, "init", "--folder", self.cloud.folder, "--consortium", CONSORTIUM], check=True,
                              capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout
        self.assertIn(f"Operator's token: {self.cloud.folder}/operator.token\n", said)
        self.assertIn(f"Back up {self.cloud.folder}/keys now: ", said)

    def test_wrong_command_lines(self):
        for words in (["sevre"], ["drive"], ["drive", "add"], ["status", "--chekc"], ["drain", "--accept-site-losses", "many"]):
            result = subprocess.run([BINARY, *words], capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, 2, f"{words}: {result.stdout}{result.stderr}")
            self.assertIn("help", result.stderr + result.stdout)
        self.cloud.create()
        unanswered = self.cloud.operator("status", check=False)
        self.assertEqual(unanswered.returncode, 4, unanswered.stderr)

    def test_the_version_and_help_are_where_they_are_looked_for(self):
        run = {"capture_output": True, "text": True, "check": False, "env": {**os.environ, "LC_ALL": "C.UTF-8"}}
        said = [subprocess.run([BINARY, word], **run) for word in ("version", "--version", "-V")]
        self.assertEqual({(result.returncode, result.stdout) for result in said}, {(0, said[0].stdout)})
        for words in ([], ["status"], ["drive", "add"]):
            explained = subprocess.run([BINARY, "help", *words], **run)
            self.assertEqual(explained.returncode, 0, explained.stderr)
            self.assertEqual(explained.stdout.split(), subprocess.run([BINARY, *words, "--help"], **run).stdout.split())
        self.assertEqual(subprocess.run([BINARY, "help", "drive", "eat"], **run).returncode, 2)

    def test_what_welcome_says_to_try_works_as_printed(self):
        self.cloud.create().start()
        lines = self.cloud.operator("welcome").stdout.splitlines()
        subprocess.run(["sh", "-c", lines[-1]], check=True, capture_output=True, cwd="/",
                       env={**os.environ, "PATH": "/usr/bin:/bin"})

    def test_stop_lets_requests_finish(self):
        self.cloud.create().start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        body = os.urandom(3_000_000)
        url = self.cloud.client(signature_version="s3v4").generate_presigned_url("put_object", {"Bucket": "archives", "Key": "slow"})
        upload = http.client.HTTPConnection("127.0.0.1", self.cloud.s3_port, timeout=PATIENCE_S)
        upload.putrequest("PUT", url.split(str(self.cloud.s3_port), 1)[1])
        upload.putheader("Content-Length", str(len(body)))
        upload.putheader("Expect", "100-continue")
        upload.endheaders()
        self.assertTrue(upload.sock.recv(100).startswith(b"HTTP/1.1 100 "), "the request is under way")
        upload.send(body[:1_000_000])
        self.cloud.process.send_signal(signal.SIGTERM)
        self.cloud.wait_for("new connections are refused", self.refuses_connections)
        upload.send(body[1_000_000:])
        response = upload.getresponse()
        self.assertEqual(response.status, 200, response.read())
        self.assertEqual(self.cloud.process.wait(PATIENCE_S), 0)
        self.cloud.start()
        self.assertEqual(s3.get_object(Bucket="archives", Key="slow")["Body"].read(), body)

    def refuses_connections(self):
        try:
            socket.create_connection(("127.0.0.1", self.cloud.s3_port), PATIENCE_S).close()
            return False
        except ConnectionResetError:  # it was in the line of a listener that ends
            return False
        except ConnectionRefusedError:
            return True

    def test_systemd_hears_of_readiness_watchdog_and_stop(self):
        self.cloud.create()
        path = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(path))
            notify.settimeout(PATIENCE_S)
            process = subprocess.Popen([BINARY, "serve", "--config", self.cloud.config], stderr=subprocess.DEVNULL,
                                       env={**os.environ, "NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"})
            try:
                heard = ""
                while "READY=1" not in heard:
                    heard += notify.recv(4096).decode() + "\n"
                heard = ""
                while heard.count("WATCHDOG=1") < 3:
                    heard += notify.recv(4096).decode() + "\n"
                process.send_signal(signal.SIGTERM)
                while "STOPPING=1" not in heard:
                    heard += notify.recv(4096).decode() + "\n"
                self.assertEqual(process.wait(PATIENCE_S), 0)
            finally:
                process.kill()
                process.wait()

    def test_operators_see_health_metrics_and_logs_without_secrets(self):
        self.cloud.create()
        self.edit_config('level = "info"', 'level = "debug"')
        self.edit_config("access = false", "access = true")
        self.cloud.start()
        s3 = self.cloud.client()
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        s3.meta.events.register("before-sign.s3", lambda request, **_: request.headers.add_header("traceparent", trace))
        s3.create_bucket(Bucket="archives")
        answer = s3.put_object(Bucket="archives", Key="k", Body=bytes(100_000))
        s3.get_object(Bucket="archives", Key="k")["Body"].read()
        request_id = answer["ResponseMetadata"]["RequestId"]
        operator = f"http://127.0.0.1:{self.cloud.operator_port}"
        for path in ("/health/live", "/health/ready"):
            self.assertEqual(urllib.request.urlopen(operator + path, timeout=PATIENCE_S).status, 200)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(operator + "/v1/status", timeout=PATIENCE_S)
        self.assertEqual(refused.exception.code, 401)
        names = {name.split("{")[0] for name in self.metrics()}
        for name in ("andromede_s3_requests_total", "andromede_s3_request_seconds_bucket", "andromede_drive_online",
                     "andromede_meta_commit_group_size_bucket", "andromede_meta_commit_queue_depth",
                     "andromede_drive_state", "andromede_drive_queue_depth", "andromede_pool_queue_depth",
                     "andromede_aes_gcm_engine"):
            self.assertIn(name, names)
        log = self.cloud.log.read_text()
        lines = [json.loads(line) for line in log.splitlines()]
        put = [line for line in lines if line.get("requestId") == request_id]
        self.assertTrue(put, "the request is in the log")
        self.assertIn("4bf92f3577b34da6a3ce929d0e0e4736", json.dumps(put))
        token = next(path for path in self.cloud.folder.rglob("*token*"))
        secrets = [self.cloud.credentials(tenant)[1] for tenant in (0, 1)] + [token.read_text().strip()]
        for secret in secrets:
            self.assertNotIn(secret, log)
        for path in (self.cloud.folder / "credentials.json", self.cloud.folder / "aws-credentials", token):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)

    def test_completion_is_valid_for_each_shell(self):
        scripts = {shell: subprocess.run([BINARY, "completion", shell], capture_output=True, text=True, check=True).stdout
                   for shell in ("bash", "zsh")}
        for command in ("init", "status", "scrub", "drain", "drive add", "drive heal", "journal tail", "account create", "account close",
                        "key create", "key delete", "operator create", "consortium apply", "certificate renew"):
            words = command.split()
            explained = subprocess.run([BINARY, *words, "--help"], env={**os.environ, "LC_ALL": "C.UTF-8"},
                                       capture_output=True, text=True, check=True).stdout
            options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", explained.split("\nOptions:")[1].split("\n\n")[0]))
            self.assertIn("--help", options, explained)
            line = " ".join(["andromede", *words, "--"])
            completed = self.complete(scripts["bash"], line)
            self.assertEqual(options - set(completed), set(), command)
            for option in options - {"--help"}:
                self.assertIn(option, scripts["zsh"], command)
        self.assertIn("drain", self.complete(scripts["bash"], "andromede --config cloud.toml ''"))
        self.assertIn(str(CONSORTIUM), self.complete(scripts["bash"], f"andromede consortium check {CONSORTIUM.with_suffix('')}"))

    def complete(self, script, line):
        """What bash offers for the last word of the line."""
        run = f"\nCOMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _andromede\n" 'printf "%s\\n" "${COMPREPLY[@]}"'
        return subprocess.run(["bash", "-c", script + run], capture_output=True, text=True, check=True).stdout.split()
