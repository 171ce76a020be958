#!/usr/bin/python3
"""`./dev test-clients`: starts a cloud of the real binary and runs every client's tests against it, one after another.
Names of test modules or tests may be given (test_boto3, test_boto3.Boto3.test_conditional_writes)."""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "harness")]

from cloud import ROOT, Cloud  # noqa: E402


def install_javascript():
    if not (HERE / "js" / "node_modules" / "@aws-sdk" / "client-s3").exists():
        print("==> Installing @aws-sdk/client-s3 from npm", flush=True)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=HERE / "js", check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=str(ROOT / "build/release/apps/andromede/andromede"))
    parser.add_argument("tests", nargs="*")
    arguments = parser.parse_args()
    install_javascript()
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="clients-", dir=ROOT / "build") as folder:
        with Cloud(arguments.binary, pathlib.Path(folder) / "cloud") as cloud:
            cloud.create().start()
            environment = cloud.environment()
            os.environ.clear()
            os.environ.update(environment)
            os.environ["ANDROMEDE_TEST_FOLDER"] = folder
            os.environ["ANDROMEDE_TEST_OTHER_KEY"], os.environ["ANDROMEDE_TEST_OTHER_SECRET"] = cloud.credentials(1)
            loader = unittest.TestLoader()
            tests = (loader.loadTestsFromNames(arguments.tests) if arguments.tests
                     else loader.discover(str(HERE), pattern="test_*.py"))
            result = unittest.TextTestRunner(verbosity=2).run(tests)
            if not result.wasSuccessful():
                print(cloud.log_tail(), file=sys.stderr)
            cloud.stop()
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
