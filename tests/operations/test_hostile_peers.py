"""Peers without credentials: what they send costs next to nothing, what they hold they lose to others, and whoever is
refused again and again waits."""

import contextlib
import datetime
import http.client
import os
import pathlib
import re
import resource
import select
import socket
import stat
import subprocess
import threading
import time

from operations_case import BINARY, PATIENCE_S, OperationsCase

REFUSED = b"PUT /archives/k HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n"
HALF_A_HEAD = b"GET /archives/k HTTP/1.1\r\nHost: a\r\nX: "
SILENCE = b""
QUOTE = '"'
# A newcomer waits for nobody's timeout: those are 10 s and more. Most get in at once.
SOON_S = 9
# So many times what a newcomer took while nobody was hostile is the machine's own slowness.
OWN_SLOWNESS = 20


class HostilePeers(OperationsCase):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def start(self):
        self.cloud.create().start()
        self.s3 = self.cloud.client(attempts=1, signature_version="s3v4")
        self.s3.create_bucket(Bucket="archives")
        self.s3.put_object(Bucket="archives", Key="k", Body=b"0123456789")

    def connect(self, source):
        return socket.create_connection(("127.0.0.1", self.cloud.s3_port), PATIENCE_S, source_address=(source, 0))

    def hold(self, source, count, words):
        held = []
        for i in range(count):
            peer = self.connect(source)
            held.append(peer)
            self.addCleanup(peer.close)
            with contextlib.suppress(OSError):  # who has its share is closed at once
                peer.sendall(words[i % len(words)])
        return held

    def head(self, headers, names, target="/archives/k"):
        """All of a signature but a right one."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        return (f"GET {target} HTTP/1.1\r\nHost: a\r\nx-amz-date: {now}\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n"
                f"{headers}Authorization: AWS4-HMAC-SHA256 Credential={self.cloud.credentials()[0]}/{now[:8]}/us-east-1/s3/"
                f"aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date{names}, Signature={'0' * 64}\r\n\r\n"
                ).encode()

    def answer(self, head, source="127.0.0.1"):
        with self.connect(source) as peer:
            peer.sendall(head)
            peer.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := peer.recv(1 << 20):
                answer += piece
        return answer

    def resident_kib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.cloud.process.pid}/status").read_text()).group(1))

    def open_connections(self):
        return self.metrics()['andromede_http_connections{listener="s3"}']

    def get_from(self, source):
        """The status of a signed GET on a new connection from that address, which is kept, and how long it took."""
        url = self.s3.generate_presigned_url("get_object", Params={"Bucket": "archives", "Key": "k"})
        began = time.monotonic()
        client = http.client.HTTPConnection("127.0.0.1", self.cloud.s3_port, PATIENCE_S, source_address=(source, 0))
        client.request("GET", url.split(str(self.cloud.s3_port), 1)[1])
        answer = client.getresponse()
        answer.read()
        self.addCleanup(client.close)
        return answer.status, time.monotonic() - began

    def soon(self):
        """How long a newcomer may take on this machine."""
        return SOON_S + OWN_SLOWNESS * max(self.get_from(f"127.0.3.{i + 1}")[1] for i in range(10))

    def test_heads_made_to_be_expensive_get_small_answers_and_leave_no_trace(self):
        self.start()
        heads = {
            "one header named thousands of times": (self.head(f"a: {QUOTE * 7700}\r\n", ";a" * 3750), b" 400 "),
            "a value all of quotes": (self.head(f"z: {QUOTE * 15000}\r\n", ";z"), b" 403 "),
            "a path of ampersands": (self.head("", "", "/archives/" + "&" * 15000), b" 403 "),
            "thousands of parameters": (self.head("", "", "/archives?" + "a&" * 7500), b" 400 "),
            "a header in two lines": (self.head("range: bytes=0-1\r\nrange: bytes=0-2\r\n", ";range"), b" 400 "),
            "a parameter twice": (self.head("", "", "/archives?prefix=a&prefi%78=b"), b" 400 "),
        }
        for _ in range(2):
            for name, (head, status) in heads.items():
                answer = self.answer(head)
                self.assertIn(status, answer.split(b"\r\n")[0], name)
                self.assertLess(len(answer), 16_000, name)
        before_kib = self.resident_kib()
        for i in range(300):
            self.answer(*list(heads.values())[i % len(heads)][:1], source=f"127.0.1.{i % 100 + 1}")
        self.assertLess(self.resident_kib() - before_kib, 8_000)
        self.assertEqual(self.s3.get_object(Bucket="archives", Key="k")["Body"].read(), b"0123456789")

    def test_two_peers_without_credentials_keep_nobody_out(self):
        self.start()
        soon_s = self.soon()
        # Who was refused is cut soon: on a slow machine the first are gone before the last have come.
        for words, stay in (([REFUSED], False), ([SILENCE, HALF_A_HEAD], True)):
            held = self.hold("127.0.0.2", 2048, words) + self.hold("127.0.0.3", 2048, words)
            if stay:
                self.cloud.wait_for("the hostile peers hold nearly all", lambda: self.open_connections() > 4000)
            self.assertLess(self.open_connections(), 4300)
            took = []
            for i in range(40):
                status, seconds = self.get_from(f"127.0.2.{i + 1}")
                self.assertEqual(status, 200)
                took.append(seconds)
                self.assertEqual(self.s3.get_object(Bucket="archives", Key="k")["Body"].read(), b"0123456789")
            self.assertLess(max(took), soon_s, f"newcomers wait: {sorted(took)[-5:]}")
            for peer in held:
                peer.close()
            # Those who come next are refused while their peer still has its share.
            self.cloud.wait_for("their places are free again", lambda: self.open_connections() < 200)
        self.assertGreater(self.metric("andromede_http_connections_gave_way_total"), 0)

    def test_admitted_bodies_that_trickle_keep_nobody_out(self):
        self.start()
        soon_s = self.soon()
        url = self.s3.generate_presigned_url("put_object", Params={"Bucket": "archives", "Key": "slow"})
        head = (f"PUT {url.split(str(self.cloud.s3_port), 1)[1]} HTTP/1.1\r\nHost: 127.0.0.1:{self.cloud.s3_port}\r\n"
                "Content-Length: 30000\r\n\r\nx").encode()
        held = [peer for i in range(3) for peer in self.hold(f"127.0.0.{2 + i}", 1366, [head])]
        self.cloud.wait_for("one tenant holds nearly all", lambda: self.open_connections() > 4000)
        stopping = threading.Event()

        def trickle():
            while not stopping.wait(2.5):
                for peer in held:
                    with contextlib.suppress(OSError):  # gave way
                        peer.sendall(b"x")

        trickling = threading.Thread(target=trickle)
        trickling.start()
        self.addCleanup(trickling.join, PATIENCE_S)
        self.addCleanup(stopping.set)
        time.sleep(10)  # what they let the server wait adds up to more than six seconds
        for i in range(40):
            status, seconds = self.get_from(f"127.0.2.{i + 1}")
            self.assertEqual(status, 200)
            self.assertLess(seconds, soon_s)
        # They made room, and not only those who had nothing to say.
        ended = select.poll()
        for peer in held:
            ended.register(peer, select.POLLIN)
        self.assertGreaterEqual(len(ended.poll(0)), 40)

    def test_a_refused_request_whose_body_does_not_come_is_cut_soon(self):
        self.start()
        url = self.s3.generate_presigned_url("put_object", Params={"Bucket": "archives", "Key": "slow"})
        (admitted,) = self.hold("127.0.0.3", 1, [f"PUT {url.split(str(self.cloud.s3_port), 1)[1]} HTTP/1.1\r\nHost: 127.0.0.1:"
                                                 f"{self.cloud.s3_port}\r\nContent-Length: 200000\r\n"
                                                 "Expect: 100-continue\r\n\r\n".encode()])
        self.assertIn(b"100 Continue", admitted.recv(4096))
        (peer,) = self.hold("127.0.0.2", 1, [REFUSED])
        answer = b""
        while piece := peer.recv(65536):
            answer += piece
        self.assertEqual(select.select([admitted], [], [], 0)[0], [], "refused bodies are waited for as long as others")
        self.assertTrue(answer.startswith(b"HTTP/1.1 403 "), answer[:80])

    def test_a_flood_of_bad_signatures_is_answered_at_a_bounded_rate_and_others_are_not_slowed(self):
        self.start()
        soon_s = self.soon()
        head = self.head("", "")
        stopping = threading.Event()
        answered = [0]

        def flood():
            peers = self.hold("127.0.0.2", 32, [head])
            while not stopping.is_set():
                for peer in select.select(peers, [], [], 0.1)[0]:
                    answers = peer.recv(65536)
                    answered[0] += answers.count(b"HTTP/1.1 403 ")
                    if answers:
                        peer.sendall(head)
                    else:
                        peers.remove(peer)

        began = time.monotonic()
        flooding = threading.Thread(target=flood)
        flooding.start()
        # On a connection that is known, and on new ones from elsewhere.
        for i in range(60):
            self.assertEqual(self.s3.get_object(Bucket="archives", Key="k")["Body"].read(), b"0123456789")
            status, seconds = self.get_from(f"127.0.2.{i + 1}")
            self.assertEqual(status, 200)
            self.assertLess(seconds, soon_s)
            time.sleep(0.05)
        self.cloud.wait_for("the flood is answered as well", lambda: answered[0] > 100)
        stopping.set()
        flooding.join(PATIENCE_S)
        seconds = time.monotonic() - began
        # 200 at once and 100 a second, and those that were under way.
        self.assertLess(answered[0], 200 + 100 * seconds + 64)

    def test_readers_that_do_not_read_take_little_memory_and_slow_nobody_down(self):
        self.start()
        large = os.urandom(64 << 20)
        self.s3.put_object(Bucket="archives", Key="large", Body=large)
        url = self.s3.generate_presigned_url("get_object", Params={"Bucket": "archives", "Key": "large"})
        target = url.split(str(self.cloud.s3_port), 1)[1]
        head = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{self.cloud.s3_port}\r\n\r\n".encode()
        held = []
        for i in range(1500):
            peer = socket.socket()
            self.addCleanup(peer.close)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.bind(("127.0.0.2", 0))
            peer.connect(("127.0.0.1", self.cloud.s3_port))
            peer.sendall(head)
            held.append(peer)
            if i % 100 == 99:  # all are answered before the first is cut for its silence
                self.assertEqual(self.s3.get_object(Bucket="archives", Key="k")["Body"].read(), b"0123456789")
        for peer in held:
            self.assertEqual(peer.recv(12), b"HTTP/1.1 200")
        self.assertEqual(self.s3.get_object(Bucket="archives", Key="large")["Body"].read(), large)
        status = pathlib.Path(f"/proc/{self.cloud.process.pid}/status").read_text()
        peak_mib = int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) // 1024
        # What bodies take together, a segment for each reader, and what the program takes without any.
        self.assertLess(peak_mib, 256 + 1500 * 64 // 1024 + 250)
        # Who reads after all gets what it asked for.
        with socket.create_connection(("127.0.0.1", self.cloud.s3_port), PATIENCE_S, source_address=("127.0.0.3", 0)) as peer:
            peer.sendall(head)
            time.sleep(1)
            answer = b""
            while len(answer) < len(large):
                answer += peer.recv(1 << 20)
            body = answer.split(b"\r\n\r\n", 1)[1]
            while len(body) < len(large):
                body += peer.recv(1 << 20)
        self.assertEqual(body, large)

    def limited(self, descriptors):
        """The program under a hard limit."""
        script = self.folder / f"limited-{descriptors}"
        script.write_text(f'#!/bin/sh\nulimit -n {descriptors} && exec "{pathlib.Path(BINARY).resolve()}" "$@"\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return str(script)

    def test_with_few_descriptors_connections_give_way_and_writes_go_on(self):
        self.cloud.binary = self.limited(1024)
        self.start()
        self.assertIn("few file descriptors", self.cloud.log.read_text())
        soon_s = self.soon()
        bodies = {}
        for round_ in range(2):
            self.hold(f"127.0.0.{2 + round_}", 1000, [SILENCE])
            for i in range(40):
                status, seconds = self.get_from(f"127.0.2.{i + 1}")
                self.assertEqual(status, 200)
                self.assertLess(seconds, soon_s)
                bodies[f"{round_}/{i}"] = os.urandom(200_000 if i % 2 else 2_000)
                self.s3.put_object(Bucket="archives", Key=f"{round_}/{i}", Body=bodies[f"{round_}/{i}"])
        self.assertLess(len(os.listdir(f"/proc/{self.cloud.process.pid}/fd")), 1000)
        self.cloud.stop()
        self.cloud.start()  # every mirror flushes and opens again
        s3 = self.cloud.client(attempts=1)
        for key, body in bodies.items():
            self.assertEqual(s3.get_object(Bucket="archives", Key=key)["Body"].read(), body)
        self.assertNotIn('"level":"error"', self.cloud.log.read_text())
        self.cloud.wait_for("all is well", self.settled)

    def test_too_few_descriptors_are_refused_at_start(self):
        self.cloud.create()
        for language, said in (("C", "this process may hold 200 file descriptors"),
                               ("fr_FR.UTF-8", "ce processus peut tenir 200 descripteurs de fichiers")):
            refused = subprocess.run([self.limited(200), "serve", "--config", self.cloud.config], capture_output=True,
                                     text=True, timeout=PATIENCE_S, check=False, env={**os.environ, "LC_ALL": language})
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn(said, refused.stderr)
            self.assertIn("LimitNOFILE", refused.stderr)
