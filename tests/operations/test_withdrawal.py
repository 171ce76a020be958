"""Sites and drives leave, stay after all, and join."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

from operations_case import BINARY, PATIENCE_S, OperationsCase, lose


class Withdrawal(OperationsCase):
    def test_drain_is_refused_before_a_byte_moves_where_the_promise_would_break(self):
        self.cloud.create().start()
        before = self.cloud.status()
        refused = self.cloud.operator("drain", "orange", check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("from now on: --accept-site-losses 1", refused.stderr)
        self.assertEqual(self.cloud.status()["epoch"], before["epoch"])
        unknown = self.cloud.operator("drain", "nowhere", check=False)
        self.assertEqual(unknown.returncode, 1, unknown.stderr)
        self.assertIn("nowhere", unknown.stderr)

    def test_a_drain_of_a_drive_that_is_away_is_refused_unless_that_is_accepted(self):
        self.cloud.create().start()
        self.cloud.wait_for("the cloud is whole", self.settled)
        lose(self.cloud.folder / "drives" / "orange-2")
        self.cloud.wait_for("the loss is noticed", lambda: not self.drive("orange-2")["online"])
        refused = self.cloud.operator("drain", "--drive", "orange-2", check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("orange-2 is offline and cannot be erased: bring it back, or accept that with --accept-unerased", refused.stderr)
        self.assertEqual(self.drive("orange-2")["state"], "active")
        self.cloud.operator("drain", "--drive", "orange-2", "--accept-unerased")
        self.assertEqual(self.drive("orange-2")["state"], "drained")

    def test_what_was_accepted_of_one_drive_lets_no_other_leave_unerased(self):
        self.cloud.create()
        self.cloud.limit_bandwidth(1048576)
        self.cloud.start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        for number in range(20):
            s3.put_object(Bucket="archives", Key=f"k{number}", Body=bytes([number]) * 3_000_000)
        drives = self.cloud.folder / "drives"
        (drives / "etat-1").rename(self.folder / "etat-1")
        self.cloud.wait_for("the loss is noticed", lambda: not self.drive("etat-1")["online"])
        self.cloud.operator("drain", "etat", "--accept-site-losses", "1", "--accept-unerased", "--no-wait")
        self.cloud.wait_for("the drain runs", lambda: self.states("etat") == {"draining"})
        self.cloud.stop()
        (drives / "etat-2").rename(self.folder / "etat-2")
        self.cloud.limit_bandwidth(200 << 20)
        self.cloud.start()
        self.cloud.wait_for("the drain says whom it waits for", lambda: any(
            "etat-2 is offline and cannot be erased" in job["message"] and job["state"] == "failed" for job in self.cloud.status()["jobs"]))
        self.assertEqual(self.states("etat"), {"draining"})
        refused = self.cloud.operator("drain", "etat", check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("etat-2 is offline", refused.stderr)
        self.assertNotIn("etat-1", refused.stderr)
        (self.folder / "etat-2").rename(drives / "etat-2")
        self.cloud.wait_for("the drain ends", lambda: self.states("etat") == {"drained"})
        self.assertEqual(list((drives / "etat-2").rglob("*.vol")), [])
        tail = self.cloud.operator("journal", "tail", "-n", "1000", "--json").stdout.splitlines()
        told = [entry["event"]["requestParameters"]["offlineNotErased"] for entry in map(json.loads, tail)
                if entry["event"]["eventName"] == "CompleteDrain"]
        self.assertEqual(told, ["etat-1"])

    def test_who_stops_waiting_for_a_drain_is_told_that_it_goes_on(self):
        self.cloud.create().start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        for number in range(10):
            s3.put_object(Bucket="archives", Key=f"k{number}", Body=bytes([number]) * 1_000_000)
        waiting = subprocess.Popen(
            [BINARY, "drain", "--drive", "orange-2", "--bandwidth", "64KiB", "--config", self.cloud.config], stderr=subprocess.PIPE,
            text=True, env={**os.environ, "LC_ALL": "C"}, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.addCleanup(waiting.kill)
        self.cloud.wait_for("it waits", lambda: self.drive("orange-2")["state"] == "draining" and self.waits_for_signal(waiting.pid))
        waiting.send_signal(signal.SIGINT)
        self.assertIn("The drain goes on; `andromede status` shows how far it is, `andromede drain --abort` ends it.\n",
                      waiting.communicate(timeout=PATIENCE_S)[1])
        self.assertEqual(waiting.returncode, -signal.SIGINT)
        self.assertEqual(self.drive("orange-2")["state"], "draining")
        self.cloud.operator("drain", "--abort")

    def waits_for_signal(self, pid):
        """Whether the process handles SIGINT."""
        caught = re.search(r"SigCgt:\s*([0-9a-f]+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]
        return int(caught, 16) >> (signal.SIGINT - 1) & 1

    def drive(self, name):
        return next(drive for drive in self.cloud.status()["drives"] if drive["name"] == name)

    def test_drain_is_aborted_then_resumed_over_kills(self):
        self.cloud.create()
        self.cloud.limit_bandwidth(2000000)
        self.cloud.start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        for number in range(30):
            s3.put_object(Bucket="archives", Key=f"k{number}", Body=bytes([number]) * 3_000_000)
        self.start_traffic("archives")
        self.cloud.operator("drain", "dassault", "--accept-site-losses", "1", "--no-wait")
        self.cloud.wait_for("the drain runs", lambda: self.states("dassault") == {"draining"})
        refused = self.cloud.operator("drain", "orange", "--abort", check=False)
        self.assertEqual((refused.returncode, self.states("dassault")), (2, {"draining"}), refused.stderr)
        self.assertIn("takes no site", refused.stderr)
        self.cloud.operator("drain", "--abort")
        self.cloud.wait_for("the site stays", lambda: self.states("dassault") == {"active"} and self.settled())
        self.finish_traffic()
        self.cloud.operator("drain", "dassault", "--accept-site-losses", "1", "--no-wait")
        for _ in range(3):
            self.cloud.kill()
            self.cloud.start()
        self.cloud.stop()
        self.cloud.limit_bandwidth(200 << 20)
        self.cloud.start()
        self.cloud.wait_for("the drain ends", lambda: self.states("dassault") == {"drained"})
        for drive in self.drives("dassault-1", "dassault-2"):
            self.assertEqual([path for path in drive.rglob("*.vol")], [])
            shutil.rmtree(drive)
        self.assert_traffic_is_there()
        for number in range(30):
            self.assertEqual(s3.get_object(Bucket="archives", Key=f"k{number}")["Body"].read(), bytes([number]) * 3_000_000)

    def states(self, site):
        return {drive["state"] for drive in self.cloud.status()["drives"] if drive["site"] == site}

    def test_new_drives_are_filled_evenly(self):
        self.cloud.create().start()
        s3 = self.cloud.client()
        s3.create_bucket(Bucket="archives")
        for number in range(60):
            s3.put_object(Bucket="archives", Key=f"k{number}", Body=bytes([number]) * 2_000_000)
        new = self.cloud.folder / "drives" / "orange-3"
        new.mkdir()
        self.cloud.operator("drive", "add", "orange-3", "--site", "orange", "--associate", "orange", "--path", new)
        self.cloud.wait_for("the new drive holds its share", lambda: self.share("orange-3") > 0.2 and self.settled())
        self.assertLess(self.share("orange-3"), 0.5)

    def share(self, name):
        """Of the bytes of its site."""
        drives = [drive for drive in self.cloud.status()["drives"] if drive["site"] == name.rsplit("-", 1)[0]]
        live = {drive["name"]: drive["live_bytes"] for drive in drives}
        return live[name] / max(1, sum(live.values()))
