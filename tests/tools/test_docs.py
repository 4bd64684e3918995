"""The generated pages of docs/ are what their tables say."""
import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Generated(unittest.TestCase):
    def test_the_configuration_page(self):
        run = subprocess.run([ROOT / "tools" / "doc-configuration", "--check"], capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout + run.stderr), (0, ""))

    def test_the_picture_of_the_processes(self):
        run = subprocess.run([ROOT / "tools" / "doc-processes", "--check"], capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout + run.stderr), (0, ""))

    def test_every_key_has_its_row(self):
        page = (ROOT / "docs" / "configuration.md").read_text()
        tables = "".join((ROOT / "src/config" / name).read_text() for name in ("config_keys.def", "config_limits.def"))
        self.assertEqual(page.count("\n| `"), tables.count("\nKEY(") + tables.count("\nLIST(") + tables.count("\nLIMIT("))


if __name__ == "__main__":
    unittest.main()
