"""Servers of other projects, unpacked and not installed (tools/debian-peers): each runs in namespaces of its own, in which the
unpacked folders lie over /usr, and users exist that this machine may not have. So by root; where it cannot be, the test is skipped.
"""
import functools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

from harness import ROOT, wait_for

FIRST_USER = 7001


@functools.cache
def no_namespaces():
    """Why this machine lets nobody have namespaces; empty: it does."""
    tried = subprocess.run(["unshare", "-m", "-p", "--fork", "true"], capture_output=True, text=True)
    return tried.stderr.strip() if tried.returncode else ""


class Unpacked:
    """`package`: its name in tools/debian-peers; `needs`: a file of it; `users`: those that its programs want, each with a group of
    the same name; `groups`: further ones. The text of a file in `self.etc` lies over that of /etc."""

    name, package, needs, users, groups = "", "", "", (), ()

    def __init__(self, folder, needs=None):
        self.check(needs)
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        self.etc, self.output = self.folder / "etc", self.folder / "output"
        self.etc.mkdir()
        self.process = None

    @classmethod
    def root(cls):
        return ROOT / "build" / "peers" / cls.package / "root"

    @classmethod
    def check(cls, needs=None):
        """Skip when it cannot be run here."""
        if not (cls.root() / (needs or cls.needs)).exists():
            raise unittest.SkipTest(f"{cls.name} was not unpacked (./dev deps)")
        if os.geteuid() != 0 or not shutil.which("unshare"):
            raise unittest.SkipTest(f"only root may lay the folders of {cls.name} over /usr")
        if no_namespaces():
            raise unittest.SkipTest(f"{cls.name}: {no_namespaces()}")

    @classmethod
    def uid(cls, user):
        """The number of a user, and of its group."""
        return FIRST_USER + (*cls.users, *cls.groups).index(user)

    def own(self, user, *paths):
        for path in paths:
            os.chown(path, self.uid(user), self.uid(user))

    def start(self, command):
        """Run this in the namespaces until stop()."""
        passwd, group = (pathlib.Path(f"/etc/{name}").read_text() for name in ("passwd", "group"))
        for user in self.users:
            passwd += f"{user}:x:{self.uid(user)}:{self.uid(user)}::/nonexistent:/bin/false\n"
        for name in (*self.users, *self.groups):
            group += f"{name}:x:{self.uid(name)}:\n"
        (self.etc / "passwd").write_text(passwd)
        (self.etc / "group").write_text(group)
        lay = f"""set -e
            mount -t overlay overlay -o lowerdir={self.root()}/usr:/usr /usr
            mount -t overlay overlay -o lowerdir={self.etc}:/etc /etc
            for folder in /var/spool /var/lib /run; do mount -t tmpfs tmpfs $folder; done
            {command}
            exit $?
        """
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(["unshare", "-m", "-p", "--fork", "--kill-child", "sh", "-c", lay], stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output)

    def wait(self, is_up):
        """Until it is up; a machine that does not let it skips the test."""
        try:
            wait_for(lambda: is_up() or self.process.poll() is not None, f"{self.name} to start")
            if self.process.poll() is not None:
                said = self.log()
                if re.search(r"(?im)^unshare: |^mount: .*(permission denied|not permitted|unknown filesystem)", said):
                    raise unittest.SkipTest(f"{self.name}: {said.strip()}")
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{said}")
        except BaseException:
            self.stop()
            raise

    def logs(self):
        """The files that it writes its log into."""
        return [self.output]

    def log(self):
        """What it said so far."""
        return "".join(path.read_text(errors="replace") for path in self.logs() if path.exists())

    def stop(self):
        """With the first process of the namespace all of them end, before that one has ended."""
        if self.process is None:
            return
        try:
            first = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        except OSError:
            first = []
        for pid in first or [self.process.pid]:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.process = None
