"""Drives are lost, rot or fill while tenants work."""

import json
import os
import re
import socket
import urllib.error
import urllib.request

import botocore.exceptions

from operations_case import CONSORTIUM, PATIENCE_S, OperationsCase, lose


class Losses(OperationsCase):
    def test_two_sites_with_the_first_metadata_drive_are_lost_and_replaced(self):
        self.cloud.create().start()
        self.cloud.client().create_bucket(Bucket="archives")
        mirrors = [drive["name"] for drive in self.cloud.status()["drives"] if drive["metadata_mirror"]]
        self.assertEqual(len(mirrors), 3)
        first_site = mirrors[0].rsplit("-", 1)[0]
        second_site = mirrors[1].rsplit("-", 1)[0]
        lost = [f"{site}-{number}" for site in (first_site, second_site) for number in (1, 2)]
        self.start_traffic("archives")
        for drive in self.drives(*lost):
            lose(drive)
        self.cloud.wait_for("the loss is noticed", lambda: self.offline() == set(lost))
        self.assertEqual(self.cloud.operator("status", "--check", check=False).returncode, 5)
        before = len(self.traffic.stored)
        self.cloud.wait_for("writes and reads go on", lambda: len(self.traffic.stored) > before + 20)
        for name in lost:
            new = self.cloud.folder / "drives" / f"{name}-new"
            new.mkdir()
            self.cloud.operator("drive", "replace", name, new)
        self.cloud.wait_for("redundancy is whole again", self.settled)
        self.finish_traffic()
        self.assertEqual(self.cloud.operator("status", "--check", check=False).returncode, 0)
        self.cloud.stop()
        # To prove it: the two sites that stayed are lost now, and the server starts without them, once an operator says
        # that they did not go on by themselves.
        stayed = [drive for drive in (self.cloud.folder / "drives").iterdir() if not drive.name.endswith("-new")]
        for drive in stayed:
            lose(drive)
        self.assertEqual(len(stayed), 4)
        self.cloud.operator("drive", "proceed", "--without", ",".join(sorted(drive.name for drive in stayed)))
        self.cloud.start()
        self.assert_traffic_is_there()
        self.assertTrue(self.cloud.operator_json("journal", "verify")["ok"])

    def test_what_is_taken_from_a_live_drive_is_missed_without_a_write_and_made_anew(self):
        self.cloud.create().start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        s3.put_object(Bucket="archives", Key="big", Body=bytes(3_000_000))
        self.cloud.wait_for("redundancy is whole", self.settled)
        drives = self.cloud.status()["drives"]
        mirrors = [drive["name"] for drive in drives if drive["metadata_mirror"]]
        holder = next(drive["name"] for drive in drives if drive["shards"])
        for name, folder in ((mirrors[0], "meta"), (mirrors[1], "meta/state"), (holder, "volumes")):
            before = len(self.cloud.log.read_text())
            taken = self.drives(name)[0] / folder
            taken.rename(self.folder / f"taken-{name}-{folder.replace('/', '-')}")
            if folder == "volumes":
                taken.mkdir()
            else:
                s3.put_object(Bucket="archives", Key=f"small-{name}", Body=bytes(267))
            self.cloud.wait_for("it is missed", lambda at=before: " in use" in self.cloud.log.read_text()[at:],
                                seconds=10)
            word = "volumes are gone from a drive" if folder == "volumes" else "metadata mirror takes part"
            self.cloud.wait_for("it is made anew", lambda at=before, told=word: told in self.cloud.log.read_text()[at:])
            self.cloud.wait_for("all is whole", self.settled)
        scrub = self.cloud.operator("scrub")
        self.assertIn(" 0 shards damaged, 0 repaired; 3 metadata mirrors read, 0 damaged", scrub.stdout + scrub.stderr)

    def test_volumes_that_vanished_are_missed_over_restarts(self):
        self.cloud.create()
        self.cloud.limit_bandwidth(1048576)
        self.cloud.start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        bodies = {f"k{number}": os.urandom(4 << 20) for number in range(40)}
        for key, body in bodies.items():
            s3.put_object(Bucket="archives", Key=key, Body=body)
        self.cloud.wait_for("all is whole", self.settled)
        self.lose_volumes("etat-1")
        self.cloud.wait_for("they are missed", lambda: self.missing_volumes() == {"etat-1"})
        self.cloud.stop()
        self.lose_volumes("orange-1")
        self.cloud.start()
        self.assertTrue(self.cloud.status()["degraded"])
        self.cloud.wait_for("they are missed", lambda: self.missing_volumes() == {"etat-1", "orange-1"})
        # What is written meanwhile does not look as if it were what is missing.
        for number in range(8):
            s3.put_object(Bucket="archives", Key=f"more{number}", Body=os.urandom(1 << 20))
        self.cloud.kill()
        self.cloud.start()
        self.cloud.wait_for("they are missed", lambda: self.missing_volumes() == {"etat-1", "orange-1"})
        self.assertEqual(self.cloud.operator("status", "--check", check=False).returncode, 5)
        self.cloud.stop()
        self.cloud.limit_bandwidth(200 << 20)
        self.cloud.start()
        self.cloud.wait_for("all is whole", self.settled)
        for drive in self.drives("thales-1", "thales-2", "dassault-1", "dassault-2"):
            lose(drive)
        for key, body in bodies.items():
            self.assertEqual(s3.get_object(Bucket="archives", Key=key)["Body"].read(), body, key)

    def lose_volumes(self, name):
        folder = self.drives(name)[0] / "volumes"
        self.assertTrue(list(folder.glob("*.vol")))
        for path in folder.iterdir():
            path.unlink()

    def missing_volumes(self):
        told = (re.match(r"drive (\S+) \(site .*\) has lost volumes with [0-9]+ shards", reason)
                for reason in self.cloud.status()["reasons"])
        return {reason[1] for reason in told if reason}

    def test_a_replaced_drive_is_found_after_a_kill_though_all_the_first_ones_are_gone(self):
        self.cloud.create().start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        body = os.urandom(300_000)
        s3.put_object(Bucket="archives", Key="kept", Body=body)
        names = [drive["name"] for drive in self.cloud.status()["drives"]]
        for name in names:
            self.cloud.wait_for("redundancy is whole", self.settled)
            lose(self.cloud.folder / "drives" / name)
            self.cloud.wait_for("the loss is noticed", lambda lost=name: lost in self.offline())
            new = self.cloud.folder / "drives" / f"{name}-new"
            new.mkdir()
            self.cloud.operator("drive", "replace", name, new)
        self.cloud.wait_for("redundancy is whole", self.settled)
        # One more, and the server is killed in the moment after the answer.
        lose(self.cloud.folder / "drives" / f"{names[0]}-new")
        self.cloud.wait_for("the loss is noticed", lambda: names[0] in self.offline())
        newest = self.cloud.folder / "drives" / f"{names[0]}-newest"
        newest.mkdir()
        self.cloud.operator("drive", "replace", names[0], newest)
        self.cloud.kill()
        self.assertIn(f"{newest}\n", (self.cloud.folder / "drive-paths").read_text())
        before = len(self.cloud.log.read_text())
        self.cloud.start()
        self.assertNotIn("drive not found", self.cloud.log.read_text()[before:], "nobody misses a drive that was replaced")
        self.cloud.wait_for("redundancy is whole", self.settled)
        self.assertEqual(self.cloud.client().get_object(Bucket="archives", Key="kept")["Body"].read(), body)

    def test_what_the_next_loss_would_take_is_refused_and_told(self):
        self.cloud.create().start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        s3.put_object(Bucket="archives", Key="old", Body=b"kept")
        entries = self.cloud.status()["journal_sequence"]
        away = self.folder / "away"
        away.mkdir()
        names = [drive["name"] for drive in self.cloud.status()["drives"]][1:]
        for name in names:
            (self.cloud.folder / "drives" / name).rename(away / name)
        self.cloud.wait_for("the loss is noticed", lambda: self.offline() == set(names))
        writes = [lambda: s3.put_object(Bucket="archives", Key="small", Body=bytes(1000)),
                  lambda: s3.put_object(Bucket="archives", Key="big", Body=bytes(1_000_000)),
                  lambda: s3.delete_object(Bucket="archives", Key="old"),
                  lambda: s3.create_bucket(Bucket="more")]
        for write in writes:
            with self.assertRaises(botocore.exceptions.ClientError) as refused:
                write()
            self.assertEqual(refused.exception.response["ResponseMetadata"]["HTTPStatusCode"], 503)
        self.assertIn(b" 503 ", self.first_answer_to_a_put("archives"), "no body is asked for in vain")
        self.assertEqual(s3.get_object(Bucket="archives", Key="old")["Body"].read(), b"kept")
        with self.assertRaises(urllib.error.HTTPError) as unready:
            urllib.request.urlopen(f"http://127.0.0.1:{self.cloud.operator_port}/health/ready", timeout=PATIENCE_S)
        self.assertEqual(unready.exception.code, 503)
        lacking = "on 2 metadata mirrors at 2 sites, and 1 takes part"
        self.assertIn(lacking, unready.exception.read().decode())
        self.assertTrue(any(lacking in reason for reason in self.cloud.status()["reasons"]))
        for name in names:
            (away / name).rename(self.cloud.folder / "drives" / name)
        self.cloud.wait_for("redundancy is whole again", self.settled)
        for write in writes:
            write()
        self.assertIn(b" 100 ", self.first_answer_to_a_put("archives"))
        tail = self.cloud.operator("journal", "tail", "-n", "1000", "--json").stdout.splitlines()
        events = [entry["event"]["eventName"] for entry in map(json.loads, tail) if entry["sequence"] > entries]
        self.assertEqual(events.count("PutObject"), 2, events)

    def first_answer_to_a_put(self, bucket):
        """What a PUT is told that waits for a word before it sends its body."""
        url = self.cloud.client(signature_version="s3v4").generate_presigned_url("put_object", {"Bucket": bucket, "Key": "big"})
        target = url.split(str(self.cloud.s3_port), 1)[1]
        with socket.create_connection(("127.0.0.1", self.cloud.s3_port), PATIENCE_S) as upload:
            upload.sendall(f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1:{self.cloud.s3_port}\r\nExpect: 100-continue\r\n"
                           "Content-Length: 1000000\r\n\r\n".encode())
            return upload.recv(4096).split(b"\r\n")[0]

    def offline(self):
        return {drive["name"] for drive in self.cloud.status()["drives"] if not drive["online"]}

    def test_bit_rot_is_found_on_read_and_by_scrub(self):
        self.cloud.create().start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        bodies = {f"k{number}": os.urandom(1_500_000) for number in range(20)}
        for key, body in bodies.items():
            s3.put_object(Bucket="archives", Key=key, Body=body)
        self.rot("orange-1")
        for key, body in bodies.items():
            self.assertEqual(s3.get_object(Bucket="archives", Key=key)["Body"].read(), body, key)
        self.rot("thales-2")
        self.assertGreater(self.metric("andromede_blob_damaged_total") + self.metric("andromede_shards_damaged_total"), 0)
        scrubbed = self.cloud.operator_json("scrub")
        self.assertEqual(scrubbed["state"], "done", scrubbed)
        self.assertGreater(scrubbed["repaired"], 0)
        self.assertEqual(scrubbed["lost"], 0)
        self.assertEqual(self.cloud.operator_json("scrub")["repaired"], 0, "all was repaired the first time")
        for drive in self.drives("etat-1", "etat-2", "dassault-1", "dassault-2"):
            lose(drive)
        for key, body in bodies.items():
            self.assertEqual(s3.get_object(Bucket="archives", Key=key)["Body"].read(), body, key)

    def rot(self, name):
        """Flips a byte in every 100 kB of the drive's volumes."""
        volumes = [path for path in self.drives(name)[0].rglob("*.vol")]
        self.assertTrue(volumes)
        for path in volumes:
            with open(path, "r+b") as file:
                for offset in range(50_000, path.stat().st_size, 100_000):
                    file.seek(offset)
                    byte = file.read(1)
                    if byte and byte != b"\0":
                        file.seek(offset)
                        file.write(bytes([byte[0] ^ 0x10]))

    def test_full_drives_refuse_writes_and_go_on_reading(self):
        consortium = self.small_drives()
        self.cloud.create(consortium).start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        stored, refused = {}, None
        for number in range(1500):
            body = os.urandom(5_000_000)
            try:
                s3.put_object(Bucket="archives", Key=f"k{number}", Body=body)
                stored[f"k{number}"] = body
            except botocore.exceptions.ClientError as error:
                refused = error
                break
        self.assertIsNotNone(refused, "the drives never filled")
        self.assertEqual(refused.response["ResponseMetadata"]["HTTPStatusCode"], 507)
        self.assertEqual(refused.response["Error"]["Code"], "InsufficientStorage")
        self.assertGreater(len(stored), 20)
        self.cloud.wait_for("status says that writes are refused", lambda: self.cloud.status()["writes_refused"])
        told = self.cloud.status()["writes_refused"]
        self.assertGreaterEqual(len(told["drives"]), 5, "fewer than four drives have room")
        self.assertGreater(told["missing_bytes"], 0)
        self.assertEqual(self.cloud.operator("status", "--check", check=False).returncode, 5)
        self.assertEqual(self.metric("andromede_writes_refused"), 1)
        for key, body in stored.items():
            self.assertEqual(s3.get_object(Bucket="archives", Key=key)["Body"].read(), body, key)
        s3.put_object(Bucket="archives", Key="small", Body=b"small objects still fit")
        for key in list(stored)[: len(stored) // 2]:
            s3.delete_object(Bucket="archives", Key=key)
        self.cloud.wait_for("deletes make room again", lambda: self.fits(s3, 5_000_000))
        self.cloud.wait_for("status says so", lambda: not self.cloud.status()["writes_refused"])
        self.assertEqual(self.metric("andromede_writes_refused"), 0)

    def test_drives_filled_by_others_are_told_with_what_to_bring(self):
        consortium = self.small_drives()
        self.cloud.create(consortium).start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        s3.put_object(Bucket="archives", Key="kept", Body=b"kept")
        self.assertIsNone(self.cloud.status()["writes_refused"])
        others = [drive / "others" for drive in (self.cloud.folder / "drives").iterdir()]
        for path in others:
            with open(path, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, 536_870_912)
        self.cloud.wait_for("status says that writes are refused", lambda: self.cloud.status()["writes_refused"])
        first = self.cloud.status()["writes_refused"]
        self.assertEqual(len(first["drives"]), 8)
        self.assertGreaterEqual(first["missing_bytes"], 4 * (64 << 20), "what is kept free on four drives")
        with self.assertRaises(botocore.exceptions.ClientError) as refused:
            s3.put_object(Bucket="archives", Key="more", Body=b"more")
        self.assertEqual(refused.exception.response["ResponseMetadata"]["HTTPStatusCode"], 507)
        self.assertEqual(s3.get_object(Bucket="archives", Key="kept")["Body"].read(), b"kept")
        self.assertEqual(self.cloud.operator("status", "--check", check=False).returncode, 5)
        self.assertEqual(self.metric("andromede_writes_refused"), 1)
        # Nobody has to look further than the first line, or the probe.
        self.assertRegex(self.cloud.operator("status").stdout.splitlines()[0], "^WRITES REFUSED since .*: .*no room on")
        self.cloud.wait_for("the probe says so", lambda: self.readiness()[0] == 503)
        self.assertIn("no room on", self.readiness()[1]["reason"])
        self.assertIn("andromede_drive_seconds_left", {name.split("{")[0] for name in self.metrics()})
        self.assertEqual(self.cloud.status()["writes_refused"]["since"], first["since"])
        for path in others:
            path.unlink()
        self.cloud.wait_for("there is room again", lambda: not self.cloud.status()["writes_refused"])
        self.cloud.wait_for("writes go on", lambda: self.fits(s3, 1000))
        self.cloud.wait_for("it is ready", lambda: self.readiness()[0] == 200)

    def readiness(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.cloud.operator_port}/health/ready", timeout=PATIENCE_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def small_drives(self):
        """A consortium whose drives hold 512 MiB each."""
        consortium = self.folder / "small.toml"
        lines = [line for line in CONSORTIUM.read_text().splitlines() if "capacity_bytes" not in line]
        text = "\n".join(lines) + "\n"
        consortium.write_text(re.sub(r"^( *)path = .*$", r"\g<0>\n\1capacity_bytes = 536_870_912", text, flags=re.MULTILINE))
        return consortium

    def fits(self, s3, size_bytes):
        try:
            s3.put_object(Bucket="archives", Key="again", Body=bytes(size_bytes))
            return True
        except botocore.exceptions.ClientError:
            return False
