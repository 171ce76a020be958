"""The consortium is a record: its file is compared with it at start, and changes go through the running server."""

import os
import subprocess
import unittest
import unittest.mock

from operations_case import BINARY, PATIENCE_S, OperationsCase


class Consortium(OperationsCase):
    def setUp(self):
        super().setUp()
        self.cloud.create()
        self.file = self.cloud.folder / "consortium.toml"
        self.founding = self.file.read_text()

    def edited(self, *edits):
        text = self.founding
        for old, new in edits:
            self.assertIn(old, text)
            text = text.replace(old, new)
        return text

    def serve_and_fail(self, language="C"):
        return subprocess.run([BINARY, "serve", "--config", self.cloud.config], capture_output=True, text=True, timeout=PATIENCE_S,
                              check=False, env={**os.environ, "LC_ALL": language})

    def test_another_file_is_refused_at_start_and_says_what_differs(self):
        self.file.write_text(self.edited(("data_shards = 2", "data_shards = 1"), ("parity_shards = 2", "parity_shards = 0"),
                                         ("site_losses = 2", "site_losses = 0"), ("drive_losses = 2", "drive_losses = 0")))
        refused = self.serve_and_fail()
        self.assertEqual(refused.returncode, 2, refused.stderr)
        for word in ("consortium.toml", "policy standard.parity_shards: 2 becomes 0", "version 1", "andromede consortium apply",
                     "consortium.recorded.toml"):
            self.assertIn(word, refused.stderr)
        self.assertIn("n'est pas celui qui est enregistré comme version 1", self.serve_and_fail("fr_FR.UTF-8").stderr)
        recorded = self.cloud.folder / "consortium.recorded.toml"
        self.assertEqual(recorded.read_text(), self.founding)
        recorded.rename(self.file)
        self.cloud.start()

    def test_a_file_that_is_cut_off_or_gone_is_handed_back(self):
        recorded = self.cloud.folder / "consortium.recorded.toml"

        def cut():
            self.file.write_text(self.founding[:len(self.founding) // 2].rstrip() + "\nid = ")

        for spoil, said in ((cut, "consortium.toml:"), (self.file.unlink, "put the one back that was applied last")):
            spoil()
            refused = self.serve_and_fail()
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn(said, refused.stderr)
            self.assertIn(f"version 1, was written to {recorded}: put it at {self.file}", refused.stderr)
            self.assertIn("Celui qui est enregistré, version 1,", self.serve_and_fail("fr_FR.UTF-8").stderr)
            self.assertEqual(recorded.read_text(), self.founding)
            recorded.rename(self.file)
            self.cloud.start()
            self.cloud.stop()
        self.file.unlink()
        (self.cloud.folder / "drive-paths").unlink()
        refused = self.serve_and_fail()
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertNotIn("was written to", refused.stderr)
        self.assertFalse(recorded.exists())

    def test_the_same_written_otherwise_and_another_mount_point_are_no_difference(self):
        self.file.write_text("# Ours.\n" + self.edited(("capital_meur = 135", "capital_meur    = 135"),
                                                       ('"drives/thales-2"', '"/mnt/thales-2"')))
        self.cloud.start()
        # The drive map knows where it is.
        self.cloud.wait_for("all drives are found", self.settled)

    def test_a_change_is_checked_applied_journaled_and_survives_a_restart(self):
        self.cloud.start()
        change = self.folder / "new.toml"
        change.write_text(self.edited(('name = "Thales"', 'name = "Thales Group"')) + '''
[[site]]
id = "lyon"
associate = "etat"
country = "FR"
city = "Lyon"

  [[site.drive]]
  name = "lyon-1"
  path = "drives/lyon-1"
''')
        checked = self.cloud.operator_json("consortium", "check", change)
        new = self.cloud.folder / "drives/lyon-1"
        new.mkdir()
        join = ("drive", "add", "lyon-1", "--site", "lyon", "--associate", "etat", "--path", new)
        refused = self.cloud.operator(*join, check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("site lyon is not in the recorded consortium (version 1)", refused.stderr)
        self.assertEqual(list(new.iterdir()), [])
        with unittest.mock.patch.dict(os.environ, {"LC_ALL": "fr_FR.UTF-8"}):
            self.assertIn("andromede consortium apply FICHIER", self.cloud.operator(*join, check=False).stderr)
        self.assertEqual(checked["differences"], ['associate thales.name: "Thales" becomes "Thales Group"', "site lyon comes"])
        self.assertEqual(self.cloud.operator_json("consortium", "show")["version"], 1)
        self.assertEqual(self.cloud.operator_json("consortium", "apply", change)["version"], 2)
        event = self.cloud.operator_json("journal", "tail", "-n", "1")["event"]
        self.assertEqual(event["eventName"], "ApplyConsortium")
        shown = self.cloud.operator_json("consortium", "show")
        self.assertEqual(event["requestParameters"]["digest"], shown["digest"])
        self.assertNotEqual(event["requestParameters"]["previousDigest"], shown["digest"])
        self.assertEqual(self.file.read_text(), change.read_text())
        # What show prints is a consortium file.
        again = self.folder / "shown.toml"
        again.write_text(self.cloud.operator("consortium", "show").stdout)
        self.assertEqual(self.cloud.operator_json("consortium", "apply", again)["differences"], [])
        # A site that came: drives join it.
        self.cloud.operator(*join)
        # As if a crash had come between the record and the file.
        self.cloud.kill()
        self.file.write_text(self.founding)
        self.cloud.start()
        self.assertEqual(self.file.read_text(), change.read_text())
        # Now there is a drive in use at the new site, and it cannot go.
        change.write_text(self.edited(('name = "Thales"', 'name = "Thales Group"')))
        refused = self.cloud.operator("consortium", "apply", change, check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("lyon-1", refused.stderr)
        self.assertTrue(self.cloud.operator_json("journal", "verify")["ok"])

    def test_a_file_that_is_no_consortium_is_named(self):
        self.cloud.start()
        readme = self.folder / "README.md"
        readme.write_text("# Andromède\n\nA sovereign cloud\n")
        for command in ("check", "apply"):
            refused = self.cloud.operator("consortium", command, readme, check=False)
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn(f"{readme}:3: ", refused.stderr)

    def test_what_would_disown_what_is_stored_is_refused(self):
        self.cloud.start()
        change = self.folder / "new.toml"
        for edits, said in (([("parity_shards = 2", "parity_shards = 1"), ("site_losses = 2", "site_losses = 1"),
                              ("drive_losses = 2", "drive_losses = 1")], "policy"),
                            ([('country = "FR"\ncity = "Toulouse"', 'country = "US"\ncity = "Toulouse"')], "another country"),
                            ([('name = "orange-2"', 'name = "orange-9"')], "orange-2"),
                            ([('id = "100000000002"', 'id = "100000000009"')], "andromede account create")):
            change.write_text(self.edited(*edits))
            for act in ("check", "apply"):
                refused = self.cloud.operator("consortium", act, change, check=False)
                self.assertEqual(refused.returncode, 3, f"{edits}: {refused.stdout}{refused.stderr}")
                self.assertIn(said, refused.stderr)
        change.write_text("name = 3\n")
        self.assertEqual(self.cloud.operator("consortium", "apply", change, check=False).returncode, 2)
        self.assertEqual(self.cloud.operator_json("consortium", "show")["version"], 1)
        self.assertEqual(self.file.read_text(), self.founding)


if __name__ == "__main__":
    unittest.main()
