"""A real Dovecot of a test's own: unpacked (tools/debian-peers), its folders laid over /usr in a mount namespace, so by root."""
import os
import re
import shutil
import subprocess

from harness import ROOT, wait_for

COMMON = """
    base_dir = {folder}/run
    state_dir = {folder}/run
    log_path = {folder}/log
    default_internal_user = root
    default_internal_group = root
    default_login_user = root
    ssl = no
    auth_mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256 anonymous
    auth_anonymous_username = anonymous
    auth_failure_delay = 0
    passdb {{
      driver = passwd-file
      args = scheme=PLAIN {folder}/users
    }}
    service auth {{
      user = root
    }}
    service anvil {{
      chroot =
      unix_listener anvil-auth-penalty {{
        mode = 0
      }}
    }}
    service stats {{
      chroot =
    }}
"""


class Dovecot:
    """users: lines of a passwd-file; text: what the configuration says besides COMMON; needs: a file of the package."""

    def __init__(self, case, users, text, needs="usr/sbin/dovecot"):
        peer = ROOT / "build" / "peers" / "dovecot" / "root"
        if not (peer / needs).exists():
            case.skipTest("dovecot was not unpacked")
        if os.geteuid() != 0 or not shutil.which("unshare"):
            case.skipTest("only root may lay dovecot's folders over /usr")
        self.case, self.folder = case, case.folder / "dovecot"
        self.folder.mkdir()
        (self.folder / "users").write_text(users)
        conf = self.folder / "dovecot.conf"
        conf.write_text(COMMON.format(folder=self.folder) + text.replace("FOLDER", str(self.folder)))
        lay = f"mount -t overlay overlay -o lowerdir={peer}/usr:/usr /usr && exec dovecot -F -c {conf}"
        self.process = subprocess.Popen(["unshare", "-m", "sh", "-c", lay], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        case.addCleanup(self.stop)

    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait(self, is_up):
        """Until it is up; a machine that does not let it skips the test."""
        try:
            wait_for(lambda: is_up() or self.process.poll() is not None, "dovecot")
        finally:
            if self.process.poll() is not None:
                said = self.process.stdout.read().decode()
                if re.search("(?i)^unshare: |permission denied|not permitted|unknown filesystem", said):
                    self.case.skipTest(said)
                self.case.fail(said + self.log())

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
