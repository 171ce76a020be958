"""History has one line: drives that were away, were left behind or lie never become the truth."""

import json
import os
import pwd
import re
import subprocess

import botocore.exceptions

from operations_case import BINARY, PATIENCE_S, OperationsCase

from lies import forged_map


class Histories(OperationsCase):
    def setUp(self):
        super().setUp()
        self.away = self.folder / "away"
        self.away.mkdir()

    def drives_of(self, *sites):
        return [f"{site}-{number}" for site in sites for number in (1, 2)]

    def take_away(self, names):
        for drive in self.drives(*names):
            drive.rename(self.away / drive.name)

    def bring_back(self, names):
        for drive in self.drives(*names):
            (self.away / drive.name).rename(drive)

    def drive(self, name):
        return next(drive for drive in self.cloud.status()["drives"] if drive["name"] == name)

    def online(self, *names):
        return all(self.drive(name)["online"] for name in names)

    def offline(self, *names):
        return not any(self.drive(name)["online"] for name in names)

    def refused_start(self, language="C", code=3):
        """What a start that is refused says."""
        environment = {**os.environ, "LC_ALL": language}
        result = subprocess.run([BINARY, "serve", "--config", self.cloud.config], capture_output=True, text=True,
                                timeout=PATIENCE_S, check=False, env=environment)
        self.assertEqual(result.returncode, code, result.stderr)
        return "\n".join(line for line in result.stderr.splitlines() if not line.startswith("{"))

    def maps(self):
        return {path: path.read_bytes() for path in (self.cloud.folder / "drives").glob("*/map")}

    def journal(self, name):
        lines = self.cloud.operator("journal", "tail", "-n", "1000", "--json").stdout.splitlines()
        events = [json.loads(line)["event"] for line in lines]
        return [event for event in events if event["eventName"] == name]

    def put(self, key, body):
        self.cloud.client().put_object(Bucket="archives", Key=key, Body=body)

    def get(self, key):
        return self.cloud.client().get_object(Bucket="archives", Key=key)["Body"].read()

    def write_without_etat(self):
        """etat is away while two objects are acknowledged; then it is all that is there."""
        self.cloud.create().start()
        self.cloud.client().create_bucket(Bucket="archives")
        self.take_away(self.drives_of("etat"))
        self.cloud.wait_for("etat is away", lambda: self.offline(*self.drives_of("etat")))
        self.bodies = {"small": os.urandom(1000), "big": os.urandom(1_000_000)}
        for key, body in self.bodies.items():
            self.put(key, body)
        self.cloud.stop()
        self.take_away(self.drives_of("orange", "dassault", "thales"))
        self.bring_back(self.drives_of("etat"))

    def assert_bodies(self):
        for key, body in self.bodies.items():
            self.assertEqual(self.get(key), body, key)

    def test_a_site_that_was_away_never_starts_alone(self):
        self.write_without_etat()
        before = self.maps()
        words = self.refused_start()
        for name in self.drives_of("orange", "dassault", "thales"):
            self.assertIn(f"{name} (site {name[:-2]}, {self.cloud.folder}/drives/{name})", words, "where it was looked for")
        self.assertIn("andromede drive proceed --without orange-1,orange-2,dassault-1", words)
        self.assertIn("ont pu continuer sans les autres", self.refused_start("fr_FR.UTF-8"))
        self.assertEqual(self.maps(), before, "nothing is written before the decision")
        self.bring_back(self.drives_of("orange", "dassault", "thales"))
        self.cloud.start()
        self.assert_bodies()
        self.cloud.wait_for("redundancy is whole", self.settled)

    def test_an_operator_may_decide_and_what_was_left_behind_stays_out_until_replaced(self):
        self.write_without_etat()
        others = self.drives_of("orange", "dassault", "thales")
        refused = self.cloud.operator("drive", "proceed", "--without", ",".join(others[1:]), check=False)
        self.assertEqual(refused.returncode, 3)
        self.assertIn("these are missing too, and not named: orange-1 (site orange)", refused.stderr)
        french = self.cloud.operator("drive", "proceed", "--without", ",".join(others[1:]), check=False,
                                     language="fr_FR.UTF-8")
        self.assertIn("ceux-ci manquent aussi et ne sont pas nommés : orange-1 (site orange)", french.stderr)
        unknown = self.cloud.operator("drive", "proceed", "--without", "nobody", check=False)
        self.assertEqual(unknown.returncode, 2)
        self.cloud.operator("drive", "proceed", "--without", ", ".join(others))
        self.cloud.start(until="live")
        proceeded = self.journal("ProceedWithoutDrives")
        self.assertEqual(len(proceeded), 1)
        self.assertIn("orange-1, orange-2, dassault-1", str(proceeded[0]))
        self.assertEqual(proceeded[0]["userIdentity"]["userName"], "key-holder", "no token was asked for")
        self.assertEqual(proceeded[0]["requestParameters"]["unixUser"], pwd.getpwuid(os.getuid()).pw_name)
        with self.assertRaises(botocore.exceptions.ClientError) as missing:
            self.get("small")
        self.assertEqual(missing.exception.response["Error"]["Code"], "NoSuchKey", "it was given up, by a person")
        # Those that went on have a history of their own: they stay out and keep it.
        their_maps = {name: (self.away / name / "map").read_bytes() for name in others}
        self.bring_back(others)
        self.cloud.wait_for("they are named", lambda: len(self.journal("KeepOutDrive")) == 6)
        self.assertTrue(self.offline(*others))
        self.assertIn("a history of its own", " ".join(self.cloud.status()["reasons"]))
        away = next(line.split() for line in self.cloud.operator("status").stdout.splitlines() if line.startswith("orange-1 "))
        self.assertEqual(away[3:], ["no", "-", "-", "-", "-"], "what it holds is not known")
        for name in others:
            new = self.cloud.folder / "drives" / f"{name}-new"
            new.mkdir()
            self.cloud.operator("drive", "replace", name, new)
        for name, content in their_maps.items():
            self.assertEqual((self.cloud.folder / "drives" / name / "map").read_bytes(), content, name)
        self.put("after", b"the cloud goes on")
        self.cloud.stop()
        self.cloud.start()
        self.assertEqual(self.get("after"), b"the cloud goes on")
        self.assertTrue(self.cloud.operator_json("journal", "verify")["ok"])

    def test_of_two_histories_each_is_told_with_its_age_and_the_command_that_keeps_it(self):
        self.write_without_etat()
        self.cloud.operator("drive", "proceed", "--without", ",".join(self.drives_of("orange", "dassault", "thales")))
        self.take_away(self.drives_of("etat"))
        self.bring_back(self.drives_of("orange"))
        self.cloud.operator("drive", "proceed", "--without", ",".join(self.drives_of("etat", "dassault", "thales")))
        self.bring_back(self.drives_of("etat"))
        words = self.refused_start()
        told = re.findall(r"^  (\S.*): map \d+, last written (\S+)\n    to keep it: andromede drive proceed --without (\S+)$",
                          words, re.MULTILINE)
        self.assertEqual({names for names, _, _ in told}, {"etat-1,etat-2", "orange-1,orange-2"}, words)
        for _, when, _ in told:
            self.assertRegex(when, r"^20\d\d-")
        self.assertIn("pour la garder : andromede drive proceed", self.refused_start("fr_FR.UTF-8"))
        keeps = {names: without for names, _, without in told}
        self.cloud.operator("drive", "proceed", "--without", keeps["orange-1,orange-2"])
        self.bring_back(self.drives_of("dassault", "thales"))
        self.cloud.start(until="live")
        self.assert_bodies()

    def test_drives_that_were_mounted_elsewhere_are_told_with_what_to_do(self):
        self.cloud.create()
        everywhere = self.drives_of("etat", "orange", "dassault", "thales")
        self.take_away(everywhere)
        consortium = self.cloud.folder / "consortium.toml"
        text = consortium.read_text()
        for name in everywhere:
            text = text.replace(f'"drives/{name}"', f'"{self.away / name}"')
        consortium.write_text(text)
        words = self.refused_start(code=1)
        for drive in self.drives(*everywhere):
            self.assertIn(f"Drive {drive.name} lies at {self.away / drive.name}, but it is used at {drive} only", words)
            drive.symlink_to(self.away / drive.name)
        self.cloud.start()
        self.assertTrue(self.online(*everywhere))

    def test_the_server_runs_or_nothing_is_in_doubt_so_nothing_is_decided(self):
        self.cloud.create().start()
        running = self.cloud.operator("drive", "proceed", "--without", "etat-1", check=False)
        self.assertEqual(running.returncode, 1)
        self.assertIn("this cloud is being served", running.stderr)
        self.assertRegex(running.stderr, f"in use by (process {self.cloud.process.pid}|another process)")
        self.cloud.stop()
        clear = self.cloud.operator("drive", "proceed", "--without", "etat-1", check=False, language="fr_FR.UTF-8")
        self.assertEqual(clear.returncode, 3)
        self.assertIn("il n'y a rien à décider", clear.stderr)

    def test_a_forged_map_is_nobodys_truth(self):
        self.cloud.create().start()
        self.cloud.client().create_bucket(Bucket="archives")
        self.put("a", b"before")
        epoch = self.cloud.status()["epoch"]
        self.cloud.stop()
        forged = self.cloud.folder / "drives" / "thales-2" / "map"
        evidence = forged_map(forged.read_bytes(), 2**64 - 1)
        forged.write_bytes(evidence)
        self.cloud.start()
        self.assertLess(self.cloud.status()["epoch"], epoch + 10)
        self.assertFalse(self.drive("thales-2")["online"])
        self.assertIn("thales-2 (site thales) is offline: ", " ".join(self.cloud.status()["reasons"]))
        self.assertIn("forged", " ".join(self.cloud.status()["reasons"]))
        kept_out = self.journal("KeepOutDrive")
        self.assertEqual(len(kept_out), 1)
        self.assertIn("thales-2", str(kept_out[0]))
        self.put("b", b"with a liar among the drives")
        self.take_away(["etat-1"])
        self.cloud.wait_for("the loss is noticed", lambda: self.offline("etat-1"))
        self.put("c", b"after one more loss")
        self.assertEqual(self.get("a"), b"before")
        self.assertEqual(forged.read_bytes(), evidence)
        new = self.cloud.folder / "drives" / "thales-2-new"
        new.mkdir()
        self.cloud.operator("drive", "replace", "thales-2", new)
        self.bring_back(["etat-1"])
        self.cloud.wait_for("redundancy is whole", self.settled)

    def test_a_mirror_that_is_away_at_start_is_journaled_and_comes_back(self):
        self.cloud.create().start()
        self.cloud.client().create_bucket(Bucket="archives")
        self.put("a", b"before")
        mirror = next(drive["name"] for drive in self.cloud.status()["drives"] if drive["metadata_mirror"])
        self.cloud.stop()
        self.take_away([mirror])
        self.cloud.start()
        self.assertIn(mirror, str(self.journal("LoseMetadataMirror")))
        self.bring_back([mirror])
        self.cloud.wait_for("redundancy is whole", self.settled)
