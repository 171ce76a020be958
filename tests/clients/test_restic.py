"""restic of Debian 12: init, backup, restore, check --read-data."""

import os

from client_case import ClientCase, tree_digests, write_file


class Restic(ClientCase):
    def restic(self, *words):
        environment = {**os.environ, "RESTIC_PASSWORD": "test", "RESTIC_CACHE_DIR": str(self.folder / "cache"),
                       "RESTIC_REPOSITORY": f"s3:{os.environ['AWS_ENDPOINT_URL']}/restic-repository"}
        return self.run_client("/usr/bin/restic", "--quiet", *words, env=environment)

    def test_backup_and_restore(self):
        tree = self.make_tree()
        self.restic("init")
        self.restic("backup", tree)
        write_file(tree / "later", 3_000_000, 9)
        self.restic("backup", tree)
        self.restic("check", "--read-data")
        self.restic("restore", "latest", "--target", self.folder / "back")
        restored = self.folder / "back" / tree.relative_to("/")
        self.assertEqual(tree_digests(tree), tree_digests(restored))
        self.restic("forget", "--keep-last", "1", "--prune")
        self.restic("check", "--read-data")
