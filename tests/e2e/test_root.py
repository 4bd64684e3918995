"""Started as root: the roles are somebody else, and everything works all the same."""
import os
import pathlib
import re
import unittest

from harness import ServerCase


@unittest.skipUnless(os.getuid() == 0, "only root can start it as root")
class Root(ServerCase):
    def uids(self, pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return re.search(r"^Uid:\s+(.*)$", status, re.M).group(1).split()

    def test_no_role_runs_as_root(self):
        server = self.serve()
        for role in ("smtpd", "auth", "queue", "delivery", "console"):
            pids = server.role_pids(role)
            self.assertGreater(len(pids), 0, role)
            for pid in pids:
                self.assertNotIn("0", self.uids(pid), role)

    def test_roles_cannot_gain_anything(self):
        server = self.serve()
        for pid in server.children():
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            self.assertRegex(status, r"(?m)^NoNewPrivs:\s+1$")
            self.assertRegex(status, r"(?m)^CapEff:\s+0+$")
            if "libasan" not in pathlib.Path(f"/proc/{pid}/maps").read_text():  # which needs calls of its own
                self.assertRegex(status, r"(?m)^Seccomp:\s+2$")

    def test_a_data_folder_owned_by_root(self):
        server = self.serve()
        self.assertEqual(server.data.stat().st_uid, 0)
        with server.talk() as c:
            c.hello()
            small = c.mail()
            large = c.mail(b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 20000)
        for ident in (small, large):
            self.assertTrue(server.content(ident).startswith(b"Received: "))
        self.assertEqual(server.stop(), 0)
        self.assertEqual([e["id"] for e in server.queue()], [small, large])  # without a server too
        server.run("queue", "remove", small)
        again = self.serve()
        self.assertEqual([e["id"] for e in again.queue()], [large])
        again.run("user", "add", "anna", input="secret word\n")
        with again.talk() as c:
            c.hello()
            c.login("anna", "secret word")


if __name__ == "__main__":
    unittest.main()
