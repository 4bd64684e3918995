"""The checks of tools/ find what they are there to find, and tests/run counts what it is there to count."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Floors(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as folder:
            top = pathlib.Path(folder)
            (top / "tools").mkdir()
            (top / "include" / "sallyport").mkdir(parents=True)
            shutil.copy(ROOT / "tools" / "check-floors", top / "tools")
            for name, text in files.items():
                (top / name).parent.mkdir(parents=True, exist_ok=True)
                (top / name).write_text(text)
            return subprocess.run([top / "tools" / "check-floors"], capture_output=True, text=True)

    def assert_fault(self, files, *words):
        run = self.check(files)
        self.assertEqual(run.returncode, 1, run.stdout)
        for word in words:
            self.assertIn(word, run.stdout)

    def test_a_tree_in_order_passes(self):
        run = self.check({"src/base/a.c": '#include "base/b.h"\n#include "sallyport/base.h"\n#include <string.h>\n',
                          "src/config/b.c": '#include "os/address.h"\n#include "base/a.h"\n#include <confuse.h>\n',
                          "src/roles/queue/c.c": '#include "roles/role.h"\n#include "roles/queue/c.h"\n',
                          "src/cli/d.c": '#include "roles/queue/c.h"\n'})
        self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)

    def test_climbing_is_found_with_its_line(self):
        self.assert_fault({"src/base/a.c": '\n#include "smtp/a.h"\n'}, "src/base/a.c:2", "floor 1")

    def test_neighbours_of_floor_one_are_apart(self):
        self.assert_fault({"src/smtp/a.c": '#include "message/a.h"\n'}, "same floor")

    def test_floor_one_has_no_system_headers(self):
        self.assert_fault({"src/ipc/a.c": "#include <stdio.h>\n"}, "<stdio.h>")

    def test_a_role_never_includes_another(self):
        self.assert_fault({"src/roles/queue/a.c": '#include "roles/auth/b.h"\n'}, "never includes another role")

    def test_a_new_folder_needs_a_floor(self):
        self.assert_fault({"src/attic/a.c": "\n"}, "src/attic has no floor")

    def test_a_public_header_needs_only_public_headers(self):
        self.assert_fault({"include/sallyport/a.h": '#include "base/buf.h"\n'}, "include/sallyport/a.h:1")


class Pure(unittest.TestCase):
    def check(self, source):
        with tempfile.TemporaryDirectory() as folder:
            top = pathlib.Path(folder)
            (top / "tools").mkdir()
            shutil.copy(ROOT / "tools" / "check-pure", top / "tools")
            (top / "src" / "smtp").mkdir(parents=True)
            (top / "build" / "src" / "smtp").mkdir(parents=True)
            (top / "src" / "smtp" / "a.c").write_text(source)
            subprocess.run(["cc", "-O2", "-c", top / "src/smtp/a.c", "-o", top / "a.o"], check=True)
            subprocess.run(["ar", "rc", top / "build/src/smtp/libsmtp.a", top / "a.o"], check=True)
            return subprocess.run([top / "tools" / "check-pure"], capture_output=True, text=True)

    def test_memory_functions_pass(self):
        run = self.check("#include <string.h>\nvoid f(char *a, char *b, unsigned n) { memmove(a, b, n); }\n")
        self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)

    def test_allocation_and_clocks_are_found(self):
        for call in ("malloc(1)", "time(0)", 'puts("")'):
            run = self.check("#include <stdlib.h>\n#include <stdio.h>\n#include <time.h>\n"
                             f"long f(void) {{ return (long){call}; }}\n")
            self.assertEqual(run.returncode, 1, call)
            self.assertIn(call.split("(")[0], run.stdout)


class Runner(unittest.TestCase):
    """tests/run on a tree of its own, in which meson is a script that lists test programs."""

    def run_tests(self, programs=None, files=None, words=()):
        with tempfile.TemporaryDirectory() as folder:
            top = pathlib.Path(folder)
            for name in ("tools", "bin", "tests/e2e"):
                (top / name).mkdir(parents=True)
            shutil.copy(ROOT / "tests" / "run", top / "tests")
            entries = []
            for name, script in (programs or {}).items():
                path = top / "bin" / name
                path.write_text("#!/bin/sh\n" + script)
                path.chmod(0o755)
                entries.append('{"name": "%s", "cmd": ["%s"], "protocol": "tap", "is_parallel": true, "timeout": 30, '
                               '"env": {}}' % (name, path))
            (top / "bin" / "meson").write_text("#!/bin/sh\ncat <<'END'\n[" + ",".join(entries) + "]\nEND\n")
            (top / "bin" / "meson").chmod(0o755)
            for name, text in (files or {}).items():
                (top / "tests" / "e2e" / name).write_text(text)
            env = dict(os.environ, PATH=f"{top}/bin:{os.environ['PATH']}")
            run = subprocess.run([top / "tests" / "run", *words], capture_output=True, text=True, env=env, timeout=60)
            self.assertEqual(run.stderr, "")
            return run.returncode, run.stdout, run.stdout.splitlines()[-1]

    def test_counts_and_the_last_line(self):
        status, _, last = self.run_tests({"good": "echo 1..2; echo ok 1 - a; echo 'ok 2 - b # SKIP no peer'"})
        self.assertEqual((status, last), (0, "1 passed, 0 failed, 1 skipped"))

    def test_a_failure_is_printed_in_full(self):
        status, out, last = self.run_tests({"bad": "echo 1..1; echo not ok 1 - a; echo '# because'; exit 1"})
        self.assertEqual((status, last), (1, "0 passed, 1 failed"))
        self.assertIn("# because", out)

    def test_a_program_that_dies_early_has_failed(self):
        status, out, last = self.run_tests({"dies": "echo 1..3; echo ok 1 - a; kill -9 $$"})
        self.assertEqual((status, last), (1, "1 passed, 1 failed"))
        self.assertIn("3 tests were announced, 1 reported", out)

    def test_a_bad_status_behind_good_tests_has_failed(self):
        status, _, last = self.run_tests({"leaks": "echo 1..1; echo ok 1 - a; exit 23"})
        self.assertEqual((status, last), (1, "1 passed, 1 failed"))

    def test_silence_has_failed(self):
        status, _, last = self.run_tests({"silent": "exit 0"})
        self.assertEqual((status, last), (1, "0 passed, 1 failed"))

    def test_unittest_files(self):
        status, out, last = self.run_tests({}, {"test_a.py": (
            "import unittest\n"
            "class A(unittest.TestCase):\n"
            "    def test_yes(self): pass\n"
            "    def test_no(self): self.fail('reason given')\n"
            "    def test_skip(self): self.skipTest('no peer')\n")})
        self.assertEqual((status, last), (1, "1 passed, 1 failed, 1 skipped"))
        self.assertIn("reason given", out)
        self.assertIn("no peer", out)

    def test_a_file_that_cannot_be_loaded_has_failed(self):
        status, out, last = self.run_tests({}, {"test_a.py": "import no_such_module\n"})
        self.assertEqual((status, last), (1, "0 passed, 1 failed"))
        self.assertIn("no_such_module", out)

    def test_a_program_that_hangs_is_ended(self):
        status, out, last = self.run_tests({}, {"test_a.py": (
            "import time, unittest\n"
            "TIMEOUT = 1\n"
            "class A(unittest.TestCase):\n"
            "    def test_hangs(self): time.sleep(600)\n")})
        self.assertEqual(status, 1)
        self.assertIn("still running after 1 s", out)

    def test_words_that_match_nothing_fail(self):
        status, _, last = self.run_tests({"good": "echo 1..1; echo ok 1 - a"}, None, ["nonsense"])
        self.assertEqual((status, last), (1, "0 passed, 1 failed"))


class Seeds(unittest.TestCase):
    def test_every_mechanism_has_seeds_for_both_sides(self):
        names = re.findall(r'^    X\(\w+, "([A-Z0-9-]+)"', (ROOT / "src/sasl/names.h").read_text(), re.M)
        self.assertGreater(len(names), 9)
        sides = {name: set() for name in names}
        for seed in (ROOT / "fuzz/corpus/sasl").iterdir():
            octets = seed.read_bytes()
            name = octets[1:octets.index(b"\n")].decode()
            self.assertIn(name, sides, seed)
            sides[name].add("client" if octets[0] & 4 else "server")
        for name, found in sides.items():
            self.assertEqual(found, {"client", "server"}, name)


if __name__ == "__main__":
    unittest.main()
