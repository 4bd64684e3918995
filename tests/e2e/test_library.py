"""The engine as others get it: what `meson install` puts down is all that is used here."""
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import unittest

from harness import ROOT, Reader, Sink, program, run, sallyport, smtp_source, swaks, wait_for

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
HEADERS = sorted(path.name for path in (ROOT / "include" / "sallyport").glob("*.h"))
EXAMPLES = ROOT / "docs" / "examples"


def tool(name):
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(ROOT / "tools" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="library-", dir=ROOT / "build"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.stage = cls.folder / "stage"
        run(["meson", "install", "-C", str(ROOT / "build"), "--no-rebuild", "--destdir", str(cls.stage), "--tags", "devel,runtime"],
            check=True)
        pc = next(cls.stage.rglob("sallyport-smtp.pc"))
        cls.libraries = pc.parent.parent
        cls.env = dict(os.environ, PKG_CONFIG_PATH=str(pc.parent), PKG_CONFIG_SYSROOT_DIR=str(cls.stage),
                       LD_LIBRARY_PATH=str(cls.libraries))

    def pkg_config(self, *options):
        return run(["pkg-config", *options, "sallyport-smtp"], env=self.env, check=True).stdout.split()

    def compile(self, source, *options, compiler="cc", name="a.out", libraries=True, archive=False):
        """Compile a file or a text from the installed headers alone, in a folder that holds nothing else."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        if not isinstance(source, pathlib.Path):
            path = folder / ("a.cc" if compiler == "g++" else "a.c")
            path.write_text(source)
            source = path
        flags = self.pkg_config("--cflags", "--libs") if libraries else self.pkg_config("--cflags")
        flags += [str(self.libraries / "libsallyport-smtp.a")] if archive else []
        made = subprocess.run([program(compiler), *options, str(source), "-o", str(folder / name), *flags],
                              capture_output=True, text=True, cwd=folder)
        if made.returncode != 0 or made.stderr:
            raise AssertionError(f"{compiler} {' '.join(options)}: {made.stderr}")
        return folder / name

    def symbols(self, *options):
        return {line.split()[0].split("@")[0] for line in run(["nm", "--format=posix", *options], check=True).stdout.splitlines()
                if len(line.split()) > 1 and line.split()[1] != "A"}


class Shape(Installed):
    def declared(self):
        names = set()
        for name in HEADERS:
            text = re.sub(r"/\*.*?\*/", "", (self.stage / f"usr/local/include/sallyport/{name}").read_text(), flags=re.S)
            names.update(re.findall(r"\b(sp_\w+)\([^()]*\);", text))
        self.assertGreater(len(names), 40)
        return names

    def test_every_header_of_the_tree_is_installed(self):
        self.assertEqual(sorted(p.name for p in self.stage.rglob("*.h")), HEADERS)

    def test_each_header_compiles_alone_in_c_and_cplusplus(self):
        dialects = [("cc", "-std=c11"), ("cc", "-std=gnu17"), ("g++", "-std=c++11"), ("g++", "-std=c++20")]
        for header in HEADERS:
            for compiler, dialect in dialects:
                with self.subTest(header=header, dialect=dialect):
                    self.compile(f"#include <sallyport/{header}>\n#include <sallyport/{header}>\nint nothing;\n", dialect, *STRICT,
                                 "-Wconversion", "-c", compiler=compiler, libraries=False)

    def test_cplusplus_links(self):
        made = self.compile('#include <sallyport/smtp_client.h>\n#include <cstdio>\n'
                            'int main() { sp_view v = SP_LIT("DELIVERED"); (void)v;\n'
                            '  std::puts(sp_client_fate_name(SP_CLIENT_DELIVERED)); }\n', *STRICT, compiler="g++")
        self.assertEqual(run([str(made)], env=self.env, check=True).stdout, "DELIVERED\n")

    def test_the_shared_library_exports_what_the_headers_declare_and_nothing_else(self):
        self.assertEqual(self.symbols("-D", "--defined-only", str(self.libraries / "libsallyport-smtp.so")), self.declared())

    def test_so_does_the_archive(self):
        self.assertEqual(self.symbols("-g", "--defined-only", str(self.libraries / "libsallyport-smtp.a")), self.declared())

    def test_an_embedder_may_have_functions_named_as_our_own(self):
        own = next(name for name in self.symbols("--defined-only", str(self.libraries / "libsallyport-smtp.a"))
                   if name.startswith("sp_buf_add"))
        made = self.compile(f"#include <sallyport/smtp_client.h>\nint {own}(void);\nint {own}(void) {{ return 7; }}\n"
                            f"int main(void) {{ return sp_client_fate_name(SP_CLIENT_NONE) ? {own}() : 1; }}\n",
                            libraries=False, archive=True)
        self.assertEqual(subprocess.run([made]).returncode, 7)

    def test_the_archive_needs_memory_functions_alone(self):
        needs = self.symbols("-u", str(self.libraries / "libsallyport-smtp.a"))
        self.assertEqual({name for name in needs if not tool("check-pure").ALLOWED.match(name)}, set())

    def test_the_shared_library_has_its_soname_and_needs_only_libc(self):
        dynamic = run(["readelf", "-d", str(self.libraries / "libsallyport-smtp.so")], check=True).stdout
        self.assertEqual(re.findall(r"\(SONAME\).*\[(.*)\]", dynamic), ["libsallyport-smtp.so.0"])
        self.assertLessEqual(set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)), {"libc.so.6"})


class Examples(Installed):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls("run_nothing")
        cls.server, cls.client = (case.compile(EXAMPLES / f"{name}.c", "-std=gnu17", *STRICT, "-g", "-fsanitize=address,undefined",
                                               name=name) for name in ("server", "client"))

    def run_nothing(self):
        pass

    def setUp(self):
        self.process = subprocess.Popen([self.server, "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env)
        self.addCleanup(self.end)
        self.out, self.err = Reader(self.process.stdout), Reader(self.process.stderr)
        self.port = int(self.err.wait(lambda line: "listening on" in line and line.rsplit(":", 1)[1], 10))

    def end(self):
        self.process.terminate()
        self.process.wait(10)
        for reader in (self.out, self.err):
            reader.join(10)
            reader.pipe.close()

    def sent(self, text, *arguments, status=0):
        made = run([str(self.client), str(self.port), *arguments], input=text, env=self.env)
        self.assertEqual((made.returncode, made.stderr), (status, ""), made.stdout)
        return made.stdout

    def arrives(self, *lines):
        for line in lines:
            self.assertTrue(self.out.wait(lambda text, line=line: text.rstrip("\r") == line, 10), line)

    def test_client_to_server(self):
        out = self.sent("Subject: ours\n\n.dot\n..dots\nend\n", "a@example.org", "b@example.org", "c@example.net")
        self.assertEqual(re.findall(r"^(\S+): DELIVERED: 250", out, re.M), ["b@example.org", "c@example.net"])
        self.arrives("From: <a@example.org>", "To: <b@example.org>", "To: <c@example.net>", "Subject: ours", ".dot", "..dots", "end")

    def test_a_large_message_arrives_in_whole(self):
        lines = [f"line {i} of many" for i in range(100000)]
        self.sent("\n".join(lines) + "\n", "a@example.org", "b@example.org")
        self.arrives(lines[-1])
        self.assertEqual([line.rstrip("\r") for line in self.out.lines if line.startswith("line ")], lines)

    def test_several_at_once(self):
        threads = [threading.Thread(target=self.sent, args=(f"Subject: number {i}\n\nx\n", "a@example.org", "b@example.org"))
                   for i in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.arrives(*(f"Subject: number {i}" for i in range(5)))

    def test_swaks_to_the_server(self):
        made = swaks(("127.0.0.1", self.port), "--from", "s@example.org", "--to", "t@example.org", "--header", "Subject: swaks")
        self.assertEqual(made.returncode, 0, made.stdout)
        self.arrives("From: <s@example.org>", "To: <t@example.org>", "Subject: swaks")

    def test_send_to_the_server(self):
        made = sallyport("send", "--server", f"127.0.0.1:{self.port}", "--from", "s@example.org", "--to", "t@example.org",
                         "--subject", "from send", input="text\n", check=False)
        self.assertEqual(made.returncode, 0, made.output)
        self.arrives("Subject: from send")

    def test_many_sessions_of_smtp_source(self):
        smtp_source(("127.0.0.1", self.port), "-m", "200", "-s", "20", "-l", "1024", "-f", "m@example.org", "-t", "n@example.org")
        wait_for(lambda: self.out.lines.count("From: <m@example.org>") == 200, "200 messages")  # those of the header have a CR

    def test_the_client_to_another_server(self):
        sink = Sink()
        self.addCleanup(sink.stop)
        self.port = sink.port
        self.sent("Subject: to a sink\n\ntext\n", "a@example.org", "b@example.org")
        self.assertEqual(sink.recipients(), ["b@example.org"])

    def test_no_server_is_said(self):
        self.end()
        made = run([str(self.client), str(self.port), "a@example.org", "b@example.org"], env=self.env)
        self.assertEqual((made.returncode, made.stderr), (1, "cannot connect: Connection refused\n"))


if __name__ == "__main__":
    unittest.main()
