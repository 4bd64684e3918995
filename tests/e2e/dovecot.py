"""A real Dovecot of a test's own."""
from unpacked import Unpacked

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

# What Postfix asks: FOLDER/client.
AUTH = """
    protocols =
    service auth {
      unix_listener FOLDER/client {
        mode = 0666
      }
    }
"""


class Dovecot(Unpacked):
    """users: lines of a passwd-file; text: what the configuration says besides COMMON; needs: a file of the package. It ends with the
    test; the caller waits."""

    name, package, needs = "Dovecot", "dovecot", "usr/sbin/dovecot"

    def __init__(self, case, users, text, needs=needs):
        super().__init__(case.folder / "dovecot", needs)
        (self.folder / "users").write_text(users)
        self.conf = self.folder / "dovecot.conf"
        self.conf.write_text(COMMON.format(folder=self.folder) + text.replace("FOLDER", str(self.folder)))
        case.addCleanup(self.stop)
        self.begin()

    def begin(self):
        self.start(f"dovecot -F -c {self.conf}")

    def logs(self):
        return [self.output, self.folder / "log"]
