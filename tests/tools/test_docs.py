"""The generated pages of docs/ are what their tables say."""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Generated(unittest.TestCase):
    def test_the_configuration_page(self):
        run = subprocess.run([ROOT / "tools" / "doc-configuration", "--check"], capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout + run.stderr), (0, ""))

    def test_the_page_of_replies(self):
        run = subprocess.run([ROOT / "tools" / "doc-replies", "--check"], capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout + run.stderr), (0, ""))

    def test_the_picture_of_the_processes(self):
        run = subprocess.run([ROOT / "tools" / "doc-processes", "--check"], capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout + run.stderr), (0, ""))

    def test_every_key_has_its_row(self):
        page = (ROOT / "docs" / "configuration.md").read_text()
        tables = "".join((ROOT / "src/config" / name).read_text() for name in ("config_keys.def", "config_limits.def"))
        self.assertEqual(page.count("\n| `"), tables.count("\nKEY(") + tables.count("\nLIST(") + tables.count("\nLIMIT("))


class Interface(unittest.TestCase):
    """docs/api.md and the comments in include/sallyport."""

    def run_on(self, *arguments, **files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                (pathlib.Path(folder) / f"{name}.h").write_text(text)
            env = dict(os.environ, **({"SALLYPORT_HEADERS": folder} if files else {}))
            run = subprocess.run([ROOT / "tools" / "doc-api", *(arguments or [folder])], capture_output=True, text=True, env=env)
            page = pathlib.Path(folder) / "api.md"
            return run, page.read_text() if page.exists() else ""

    def test_the_page_is_what_the_headers_say(self):
        run, _ = self.run_on("--check")
        self.assertEqual((run.returncode, run.stdout + run.stderr), (0, ""))

    def test_every_function_type_and_constant_is_on_it(self):
        page = (ROOT / "docs" / "api.md").read_text()
        for header in (ROOT / "include" / "sallyport").glob("*.h"):
            text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
            functions = re.findall(r"^[^#\n]*?\b(sp_\w+)\([^{}]*?\);", text, re.M)
            types = re.findall(r"^(?:struct|enum) sp_\w+(?= \{)", text, re.M)
            for name in [f"{name}()" for name in functions] + types:
                self.assertTrue(f"\n### {name}\n" in page, name)
            for name in re.findall(r"\bSP_\w+", text):
                self.assertTrue(name in page, name)

    def test_what_has_no_comment_is_named(self):
        head = "/* A header. */\n#include <stddef.h>\n\n"
        for text, said in {
            "int sp_a(void);\n": "include/sallyport/x.h: sp_a() has no comment",
            "/* One. */\nint sp_a(void);\n\nint sp_b(int a,\n         int b);\n": "include/sallyport/x.h: sp_b() has no comment",
            "struct sp_s {\n    int a; /* a */\n};\n": "include/sallyport/x.h: struct sp_s has no comment",
            "/* S. */\nstruct sp_s {\n    int a; /* first */\n    int b;\n};\n": "struct sp_s: no comment at: int b;",
            "/* E. */\nenum sp_e {\n    SP_E_ONE, /* one */\n    SP_E_TWO\n};\n": "enum sp_e: no comment at: SP_E_TWO",
        }.items():
            run, _ = self.run_on(x=head + text)
            self.assertEqual((run.returncode, run.stderr), (1, ""), text)
            self.assertIn(said, run.stdout)

    def test_comments_become_paragraphs_lists_and_code(self):
        run, page = self.run_on(x="/* A header. */\n\n/*\n * Do it.\n *\n *   in   what comes,\n *        in any split\n *\n"
                                  " * SP_OK          done\n * SP_ERR_NOMEM   no memory\n *\n *     sp_a(1);\n */\nint sp_a(int in);\n")
        self.assertEqual((run.returncode, run.stdout + run.stderr), (0, ""))
        for text in ("Do it.\n\n- `in`: what comes, in any split\n\n- `SP_OK`: done\n- `SP_ERR_NOMEM`: no memory\n", "```c\nsp_a(1);\n```",
                     "```c\nint sp_a(int in);\n```"):
            self.assertIn(text, page)


if __name__ == "__main__":
    unittest.main()
