"""s3cmd of Debian 12."""

import os
import urllib.parse

from client_case import ClientCase, tree_digests


class S3cmd(ClientCase):
    def setUp(self):
        super().setUp()
        host = urllib.parse.urlparse(os.environ["AWS_ENDPOINT_URL"]).netloc
        self.config = self.folder / "s3cfg"
        self.config.write_text(f"[default]\naccess_key = {os.environ['AWS_ACCESS_KEY_ID']}\n"
                               f"secret_key = {os.environ['AWS_SECRET_ACCESS_KEY']}\n"
                               f"host_base = {host}\nhost_bucket = {host}\nuse_https = False\n"
                               "multipart_chunk_size_mb = 5\n")

    def s3cmd(self, *words, **options):
        return self.run_client("/usr/bin/s3cmd", "-c", self.config, "--no-progress", *words, **options)

    def test_tree_syncs_there_and_back(self):
        tree = self.make_tree()
        self.s3cmd("mb", "s3://s3cmd-tree")
        self.s3cmd("sync", f"{tree}/", "s3://s3cmd-tree/")
        (self.folder / "back").mkdir()
        self.s3cmd("sync", "s3://s3cmd-tree/", f"{self.folder}/back/")
        self.assertEqual(tree_digests(tree), tree_digests(self.folder / "back"))
        self.assertIn("40000000", self.s3cmd("ls", "s3://s3cmd-tree/large/").stdout)
        self.s3cmd("cp", "s3://s3cmd-tree/one byte", "s3://s3cmd-tree/copied")
        self.assertIn("s3://s3cmd-tree/copied", self.s3cmd("info", "s3://s3cmd-tree/copied").stdout)
        self.s3cmd("rb", "--recursive", "--force", "s3://s3cmd-tree")
