"""The AWS command line of Debian 12."""

import json
import os

from client_case import ClientCase, file_digest, tree_digests, write_file

AWS = ["/usr/bin/aws", "--endpoint-url", os.environ["AWS_ENDPOINT_URL"]]


class AwsCli(ClientCase):
    def aws(self, *words, **options):
        return self.run_client(*AWS, *words, **options)

    def test_tree_syncs_there_and_back(self):
        tree = self.make_tree()
        self.aws("s3", "mb", "s3://cli-tree")
        self.aws("s3", "sync", tree, "s3://cli-tree/copy")
        self.aws("s3", "sync", "s3://cli-tree/copy", self.folder / "back")
        self.assertEqual(tree_digests(tree), tree_digests(self.folder / "back"))
        listed = self.aws("s3", "ls", "--recursive", "s3://cli-tree/").stdout
        self.assertEqual(len(listed.splitlines()), len(tree_digests(tree)))
        self.assertEqual(self.aws("s3", "sync", tree, "s3://cli-tree/copy").stdout.strip(), "", "nothing left to do")
        self.aws("s3", "cp", "s3://cli-tree/copy/large/parts.bin", "s3://cli-tree/twice.bin")
        self.aws("s3", "mv", "s3://cli-tree/twice.bin", "s3://cli-tree/moved.bin")
        self.aws("s3", "rb", "--force", "s3://cli-tree")

    def test_file_of_several_gigabytes(self):
        size = int(os.environ.get("ANDROMEDE_TEST_LARGE_BYTES", 2_500_000_000))
        source = self.folder / "huge.bin"
        digest = write_file(source, size, 7)
        self.aws("s3", "mb", "s3://cli-huge")
        self.aws("s3", "cp", "--quiet", source, "s3://cli-huge/huge.bin")
        source.unlink()
        self.aws("s3", "cp", "--quiet", "s3://cli-huge/huge.bin", self.folder / "back.bin")
        self.assertEqual(file_digest(self.folder / "back.bin"), digest)
        self.aws("s3", "rb", "--force", "s3://cli-huge")

    def test_standard_input_and_output(self):
        self.aws("s3", "mb", "s3://cli-pipe")
        self.aws("s3", "cp", "-", "s3://cli-pipe/text", input="Bonjour, Andromède\n")
        self.assertEqual(self.aws("s3", "cp", "s3://cli-pipe/text", "-").stdout, "Bonjour, Andromède\n")

    def test_attributes_and_checksums(self):
        self.aws("s3api", "create-bucket", "--bucket", "cli-sums")
        path = self.folder / "file"
        write_file(path, 100_000, 1)
        for algorithm in ("CRC32", "CRC32C", "SHA1", "SHA256"):
            put = json.loads(self.aws("s3api", "put-object", "--bucket", "cli-sums", "--key", algorithm, "--body", path,
                                      "--checksum-algorithm", algorithm).stdout)
            head = json.loads(self.aws("s3api", "head-object", "--bucket", "cli-sums", "--key", algorithm,
                                       "--checksum-mode", "ENABLED").stdout)
            self.assertEqual(put[f"Checksum{algorithm}"], head[f"Checksum{algorithm}"])
            attributes = json.loads(self.aws("s3api", "get-object-attributes", "--bucket", "cli-sums", "--key", algorithm,
                                             "--object-attributes", "ETag", "Checksum", "ObjectSize").stdout)
            self.assertEqual(attributes["ObjectSize"], 100_000)
            self.assertEqual(attributes["Checksum"][f"Checksum{algorithm}"], put[f"Checksum{algorithm}"])

    def test_presigned_url(self):
        self.aws("s3", "mb", "s3://cli-presign")
        self.aws("s3", "cp", "-", "s3://cli-presign/text", input="signed ahead")
        url = self.aws("s3", "presign", "s3://cli-presign/text").stdout.strip()
        self.assertEqual(self.run_client("/usr/bin/curl", "-sS", "--fail", url).stdout, "signed ahead")
        broken = self.run_client("/usr/bin/curl", "-sS", url.replace("Signature=", "Signature=0"))
        self.assertIn("<Code>SignatureDoesNotMatch</Code>", broken.stdout)

    def test_errors_are_told(self):
        for words, code in (
            (("s3", "ls", "s3://cli-absent"), "NoSuchBucket"),
            (("s3api", "get-object", "--bucket", "cli-absent", "--key", "k", self.folder / "out"), "NoSuchBucket"),
            (("s3api", "create-bucket", "--bucket", "UPPER"), "InvalidBucketName"),
        ):
            result = self.aws(*words, check=False)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(code, result.stderr)

    def test_second_tenant_sees_nothing(self):
        self.aws("s3", "mb", "s3://cli-private")
        other = {**os.environ, "AWS_ACCESS_KEY_ID": os.environ["ANDROMEDE_TEST_OTHER_KEY"],
                 "AWS_SECRET_ACCESS_KEY": os.environ["ANDROMEDE_TEST_OTHER_SECRET"]}
        refused = self.aws("s3", "ls", "s3://cli-private", check=False, env=other)
        self.assertIn("AccessDenied", refused.stderr)
        self.assertNotIn("cli-private", self.aws("s3", "ls", env=other).stdout)
        taken = self.aws("s3", "mb", "s3://cli-private", check=False, env=other)
        self.assertIn("BucketAlreadyExists", taken.stderr)
