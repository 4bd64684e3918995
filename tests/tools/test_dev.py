"""./dev asks nobody, installs only what is missing, and says what it would need."""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Dev(unittest.TestCase):
    """The script in a folder of its own, with stand-ins for the programs of the system that write down how they are called."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sallyport-dev-")
        self.addCleanup(folder.cleanup)
        self.top = pathlib.Path(folder.name)
        (self.top / "tools").mkdir()
        (self.top / "bin").mkdir()
        (self.top / "dev").write_bytes((ROOT / "dev").read_bytes())
        (self.top / "dev").chmod(0o755)
        (self.top / "tools" / "debian-packages").write_text(
            "# comment\n\nbuild  compiler  -     # text\nbuild  finder  sh    # there by its program\n"
            "test   checker   -     # text\n")
        (self.top / "tools" / "debian-peers").write_text("")
        self.stand_in("id", "echo 1000")
        self.stand_in("sudo", "exit 1")
        self.stand_in("apt-get", 'echo "apt-get $*" >>"$CALLS"')
        self.stand_in("env", 'while [ "${1#*=}" != "$1" ]; do shift; done; exec "$@"')
        self.stand_in("meson", 'echo "meson $*" >>"$CALLS"; mkdir -p "$2"; touch "$2/build.ninja"')
        self.stand_in("ninja", 'echo "ninja $*" >>"$CALLS"; printf "#!/bin/sh\\necho \\"ran \\$*\\"\\n" >"$2/sallyport"; '
                               'chmod +x "$2/sallyport"')
        self.installed("")

    def stand_in(self, name, script):
        path = self.top / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def installed(self, *packages):
        self.stand_in("dpkg-query", "\n".join(f"echo 'installed {p}'" for p in packages))

    def dev(self, *arguments):
        (self.top / "calls").write_text("")
        env = dict(os.environ, PATH=f"{self.top}/bin:/usr/bin:/bin", CALLS=str(self.top / "calls"))
        run = subprocess.run([str(self.top / "dev"), *arguments], capture_output=True, text=True, env=env, timeout=60,
                             stdin=subprocess.DEVNULL)
        return run, (self.top / "calls").read_text().splitlines()

    def test_help_lists_the_verbs(self):
        run, _ = self.dev("help")
        self.assertEqual(run.returncode, 0)
        for verb in "deps build serve test bench fuzz lint format docs".split():
            self.assertRegex(run.stdout, rf"(?m)^  {verb} +\S")

    def test_an_unknown_verb(self):
        run, _ = self.dev("srve")
        self.assertEqual(run.returncode, 1)
        self.assertIn("no verb 'srve'", run.stderr)

    def test_without_root_it_prints_the_one_line_and_stops(self):
        run, calls = self.dev("build")
        self.assertEqual((run.returncode, calls), (1, []))
        self.assertIn("apt-get install --yes --no-install-recommends compiler\n", run.stderr)

    def test_as_root_it_installs_what_the_verb_needs(self):
        self.stand_in("id", "echo 0")
        run, calls = self.dev("build")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(calls[0], "apt-get update -qq")
        self.assertTrue(calls[1].startswith("apt-get install --yes --no-install-recommends compiler "), calls)
        self.assertEqual([c.split()[0] for c in calls[2:]], ["meson", "ninja"])

    def test_nothing_is_done_when_nothing_is_missing(self):
        self.installed("compiler", "checker")
        run, calls = self.dev("deps")
        self.assertEqual((run.returncode, calls, run.stderr), (0, [], ""))

    def test_serve_passes_its_arguments_on(self):
        self.installed("compiler")
        run, calls = self.dev("serve", "--relay", "a b")
        self.assertEqual((run.returncode, run.stdout), (0, "ran serve --relay a b\n"), run.stderr)
        self.assertEqual([c.split()[0] for c in calls], ["meson", "ninja"])
        _, calls = self.dev("serve")
        self.assertEqual([c.split()[0] for c in calls], ["ninja"])  # configured once

    def test_a_build_that_fails_is_a_failed_test(self):
        self.installed("compiler", "checker")
        self.stand_in("ninja", "echo what the compiler said; exit 1")
        run, _ = self.dev("test")
        self.assertEqual(run.returncode, 1)
        self.assertIn("what the compiler said", run.stderr)
        self.assertEqual(run.stdout.splitlines()[-1], "0 passed, 1 failed")


class Lists(unittest.TestCase):
    def test_no_package_is_a_mail_server_or_a_daemon(self):
        text = (ROOT / "tools" / "debian-packages").read_text()
        for row in text.splitlines():
            words = row.split()
            if words and not words[0].startswith("#"):
                self.assertNotIn(words[1], ("postfix", "exim4", "opensmtpd", "dovecot-core", "msmtp-mta", "sendmail"))
                self.assertIn("#", row, "what is it for?")

    def test_every_library_of_the_build_is_listed(self):
        wanted = set()
        for path in [ROOT / "meson.build", *ROOT.glob("src/**/meson.build")]:
            wanted |= set(re.findall(r"dependency\('([^']+)'", path.read_text()))
        packages = (ROOT / "tools" / "debian-packages").read_text()
        names = {"libevent_core": "libevent-dev", "openssl": "libssl-dev", "libcrypto": "libssl-dev", "libssl": "libssl-dev",
                 "libidn": "libidn-dev", "libidn2": "libidn2-dev", "sqlite3": "libsqlite3-dev", "jansson": "libjansson-dev",
                 "libunbound": "libunbound-dev", "libseccomp": "libseccomp-dev", "libcurl": "libcurl4-openssl-dev", "zlib": "zlib1g-dev", "threads": "libc6-dev"}
        for library in wanted:
            with self.subTest(library=library):
                self.assertIn(f" {names[library]} ", packages)


if __name__ == "__main__":
    unittest.main()
