"""A wrong command line is told what is wrong with it, in the person's language: which command, what it lacks or does not
know, and how it is called right. No cloud is needed."""

import os
import re
import subprocess
import unittest

from operations_case import BINARY, ROOT

ENGLISH, FRENCH = "C.UTF-8", "fr_FR.UTF-8"
REQUIRED = {
    ("init",): ("--folder", "--consortium"),
    ("drive", "add"): ("NAME", "--site", "--associate", "--path"),
    ("drive", "replace"): ("NAME", "PATH"),
    ("drive", "reclaim"): ("NAME",),
    ("drive", "proceed"): ("--without",),
    ("account", "create"): ("NAME",),
    ("account", "close"): ("ACCOUNT",),
    ("key", "create"): ("ACCOUNT",),
    ("key", "list"): ("ACCOUNT",),
    ("key", "disable"): ("KEY",),
    ("key", "enable"): ("KEY",),
    ("key", "delete"): ("KEY",),
    ("operator", "create"): ("NAME",),
    ("operator", "revoke"): ("NAME",),
    ("consortium", "check"): ("FILE",),
    ("consortium", "apply"): ("FILE",),
    ("completion",): ("SHELL",),
}
NOTHING_REQUIRED = [
    ("serve",), ("welcome",), ("status",), ("drive", "list"), ("drive", "heal"), ("scrub",), ("journal", "tail"),
    ("journal", "verify"), ("account", "list"), ("operator", "list"), ("consortium", "show"), ("certificate", "renew"),
    ("version",)]
GROUPS = ("drive", "account", "key", "operator", "consortium", "certificate", "journal")


class CommandLine(unittest.TestCase):
    def said(self, *words, language=ENGLISH):
        environment = {key: value for key, value in os.environ.items() if key not in ("LC_MESSAGES", "LANG")}
        result = subprocess.run([BINARY, *words], text=True, capture_output=True, check=False, timeout=120,
                                env={**environment, "LC_ALL": language})
        self.assertEqual(result.returncode, 2, f"{words}: {result.stdout}{result.stderr}")
        self.assertEqual(result.stdout, "", words)
        return result.stderr

    def help_of(self, *words, language=ENGLISH):
        return subprocess.run([BINARY, *words, "--help"], text=True, capture_output=True, check=True, timeout=120,
                              env={**os.environ, "LC_ALL": language}).stdout

    def test_what_is_missing_is_named_with_an_example_of_the_right_call(self):
        for words, required in REQUIRED.items():
            name = " ".join(("andromede", *words))
            for language, quoted, lacks, example in (
                    (ENGLISH, f"`{name}`", "lacks", "Example: "), (FRENCH, f"« {name} »", "il manque", "Exemple : ")):
                said = self.said(*words, language=language)
                self.assertIn(quoted, said)
                self.assertIn(lacks, said, words)
                for option in required:
                    self.assertIn(f"{option} (", said, words)
                self.assertRegex(said, re.escape(example) + f".*{re.escape(name)} ", words)
                self.assertIn(f"{name} --help", said)

    def test_every_example_is_a_call_that_is_understood(self):
        for words in (*REQUIRED, *NOTHING_REQUIRED, ("drain",)):
            name = " ".join(("andromede", *words))
            examples = self.help_of(*words).split("Examples:\n")[1].splitlines()
            self.assertIn(name, examples[0], words)
            told = self.said(*words, "--no-such-option")
            self.assertIn(examples[0].strip(), told)
        for language, title in ((ENGLISH, "Examples:"), (FRENCH, "Exemples :")):
            self.assertIn(title, self.help_of("account", "create", language=language))

    def test_a_word_alone_is_told_what_may_follow(self):
        for group in GROUPS:
            said = self.said(group)
            self.assertIn(f"`andromede {group}` needs a command", said)
            self.assertIn("Commands: ", said)
            self.assertIn(f"Example: andromede {group} ", said)
            self.assertIn("attend une commande", self.said(group, language=FRENCH))
        self.assertIn("Commands: init, serve,", self.said())
        self.assertIn("Example: andromede init --folder ", self.said())
        self.assertIn("create, list, close", self.said("account"))

    def test_an_unknown_command_is_told_those_like_it(self):
        for words, name, meant in (
                (("acount", "create", "Lyon"), "acount", "account"),
                (("statsu",), "statsu", "status"),
                (("account", "crate", "Lyon"), "crate", "create"),
                (("drive", "rm", "orange-1"), "rm", None),
                (("drive", "rep"), "rep", "replace"),
                (("close", "000000000001"), "close", "andromede account close"),
                (("tail",), "tail", "andromede journal tail")):
            said = self.said(*words)
            self.assertIn(f"has no command {name}.", said)
            if meant is None:
                self.assertNotIn("Did you mean", said)
            else:
                self.assertIn(f"Did you mean {meant}?", said, words)
            self.assertIn("Commands: ", said, words)
        french = self.said("account", "crate", language=FRENCH)
        self.assertIn("« andromede account » n'a pas de commande crate. Vouliez-vous dire create ?", french)

    def test_an_unknown_option_or_argument_is_told(self):
        said = self.said("drain", "orange", "--acept-site-losses", "1")
        self.assertIn("`andromede drain` has no option --acept-site-losses. Did you mean --accept-site-losses?", said)
        self.assertIn("Did you mean --token-file?", self.said("status", "--tokenfile=x"))
        said = self.said("account", "list", "Lyon")
        self.assertIn("`andromede account list` does not take Lyon", said)
        self.assertIn("ne prend pas Lyon", self.said("account", "list", "Lyon", language=FRENCH))

    def test_a_value_that_cannot_be_is_told_with_what_can(self):
        for words, option, value, can in (
                (("operator", "create", "claire", "--expires-days", "0"), "--expires-days", "0", "1-3660"),
                (("operator", "create", "claire", "--expires-days", "soon"), "--expires-days", "soon", "1-3660"),
                (("drain", "orange", "--bandwidth", "0"), "--bandwidth", "0", "bytes a second"),
                (("drain", "orange", "--bandwidth", "50"), "--bandwidth", "50", "64KiB or more"),
                (("drain", "orange", "--bandwidth", "50kB/s"), "--bandwidth", "50kB/s", "units: kB, MB, GB, TB, KiB"),
                (("journal", "tail", "-n", "0"), "-n", "0", "how many entries (default: 20), 1-1000"),
                (("completion", "fish"), "SHELL", "fish", "bash or zsh")):
            said = self.said(*words)
            self.assertIn(f"{option} cannot be {value}: ", said)
            self.assertIn(can, said)
            self.assertIn("Example: ", said)
        self.assertIn("--expires-days ne peut être 0 : combien de jours",
                      self.said("operator", "create", "claire", "--expires-days", "0", language=FRENCH))
        add = ("drive", "add", "a", "--site", "a", "--associate", "a", "--path", "/a", "--capacity-bytes")
        self.assertIn("--capacity-bytes cannot be much: bytes to use at most, as 4TiB; units: kB, MB, GB,", self.said(*add, "much"))
        self.assertIn("--capacity-bytes ne peut être 4Xo : octets à utiliser au plus, par exemple 4Tio ; unités : ko, Mo,",
                      self.said(*add, "4Xo", language=FRENCH))
        self.assertNotIn("BYTES", self.said(*add, "much"))
        self.assertNotIn("BYTES", self.said("drain", "orange", "--bandwidth", "3"))
        self.assertNotIn("NAME,NAME", self.said("drive", "proceed"))
        self.assertIn("--out needs a value: ", self.said("key", "create", "000000000001", "--out"))

    def test_the_version_is_an_option_too_and_help_is_in_one_language(self):
        versions = {subprocess.run([BINARY, word], text=True, capture_output=True, check=True).stdout
                    for word in ("version", "--version", "-V")}
        self.assertEqual(len(versions), 1, versions)
        french = self.help_of("account", language=FRENCH)
        self.assertIn("Commandes:", french)
        self.assertNotIn("Subcommands", french)
        self.assertNotIn("Pour commencer", french)

    def test_options_that_do_not_go_together_are_told(self):
        for words in (("drain",), ("drain", "orange", "--drive", "orange-1")):
            said = self.said(*words)
            self.assertIn("`andromede drain`: name a site, or a drive with --drive, or --abort", said)
            self.assertIn("Example: andromede drain dassault", said)
        self.assertIn("`andromede drain`: --abort takes no site", self.said("drain", "orange", "--abort"))

    def test_the_front_door_explains_itself_and_starts_nothing_that_was_not_asked_for(self):
        for words in (("run", "--help"), ("build", "--help"), ("bench", "-h"), ("test-crash", "--help"), ("--help",)):
            told = subprocess.run([ROOT / "dev", *words], text=True, capture_output=True, check=True, timeout=120)
            self.assertIn("./dev COMMAND [ARGUMENTS]", told.stdout, words)
            self.assertEqual(told.stderr, "", words)
        for words in (("run", "--port", "80"), ("story", "now"), ("test-unit", "x"), ("nothing",)):
            told = subprocess.run([ROOT / "dev", *words], text=True, capture_output=True, check=False, timeout=120)
            self.assertEqual((told.returncode, told.stdout), (2, ""), words)
            self.assertIn("./dev COMMAND [ARGUMENTS]", told.stderr, words)


if __name__ == "__main__":
    unittest.main()
