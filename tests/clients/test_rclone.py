"""rclone of Debian 12: sync and check."""

import os

from client_case import ClientCase, tree_digests, write_file


class Rclone(ClientCase):
    def rclone(self, *words, **options):
        environment = {**os.environ, "RCLONE_CONFIG": os.devnull, "RCLONE_CONFIG_A_TYPE": "s3",
                       "RCLONE_CONFIG_A_PROVIDER": "Other", "RCLONE_CONFIG_A_ENV_AUTH": "true",
                       "RCLONE_CONFIG_A_ENDPOINT": os.environ["AWS_ENDPOINT_URL"],
                       "RCLONE_CONFIG_A_REGION": "us-east-1"}
        return self.run_client("/usr/bin/rclone", *words, env=environment, **options)

    def test_sync_and_check(self):
        tree = self.make_tree()
        self.rclone("mkdir", "a:rclone-tree")
        self.rclone("sync", tree, "a:rclone-tree/copy", "--s3-upload-cutoff", "6M", "--s3-chunk-size", "5M")
        self.rclone("check", tree, "a:rclone-tree/copy", "--download")
        (tree / "empty").unlink()
        write_file(tree / "new", 77_777, 5)
        self.rclone("sync", tree, "a:rclone-tree/copy")
        self.rclone("check", tree, "a:rclone-tree/copy")
        self.rclone("copy", "a:rclone-tree/copy", self.folder / "back")
        self.assertEqual(tree_digests(tree), tree_digests(self.folder / "back"))
        self.rclone("purge", "a:rclone-tree")
