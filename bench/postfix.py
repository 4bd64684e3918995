"""A Postfix of its own below a folder, unpacked and not installed: it accepts mail and keeps it (defer_transports)."""
import os
import pathlib
import pwd
import socket
import subprocess
import unittest

from harness import free_port, peer, wait_for

MAIN = """
compatibility_level = 3.7
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {root}/usr/lib/postfix/sbin
command_directory = {root}/usr/sbin
meta_directory = {root}/etc/postfix
shlib_directory = {root}/usr/lib/postfix
mail_owner = nobody
setgid_group = mail
default_privs = daemon
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.localhost
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
defer_transports = smtp
import_environment = LD_LIBRARY_PATH PATH MAIL_CONFIG
export_environment = LD_LIBRARY_PATH PATH MAIL_CONFIG
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    @staticmethod
    def check():
        """Skip when it cannot be run here."""
        path, env = peer("postfix", "usr/lib/postfix/sbin/master")
        if os.getuid() != 0:
            raise unittest.SkipTest("Postfix can be started by root only")
        return path, env

    def __init__(self, folder):
        path, env = self.check()
        self.folder, self.port = pathlib.Path(folder), free_port()
        self.folder.chmod(0o755)
        root = pathlib.Path(path).parents[4]
        self.make_folders()
        config = self.folder / "config"
        config.mkdir()
        (config / "main.cf").write_text(MAIN.format(folder=folder, root=root))
        (config / "master.cf").write_text(MASTER.format(port=self.port))
        self.process = subprocess.Popen([path, "-c", str(config), "-d"], env=env | {"MAIL_CONFIG": str(config)},
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        try:
            wait_for(self.listens, "Postfix to listen")
        except AssertionError:
            self.stop()
            raise

    def make_folders(self):
        nobody = pwd.getpwnam("nobody").pw_uid
        mail = pwd.getpwnam("mail").pw_gid
        queue = self.folder / "queue"
        queue.mkdir()
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved",
                     "trace"):
            (queue / name).mkdir(mode=0o700)
            os.chown(queue / name, nobody, -1)
        for name, mode in (("maildrop", 0o1730), ("public", 0o710)):
            (queue / name).mkdir()
            os.chown(queue / name, nobody, mail)
            (queue / name).chmod(mode)
        (queue / "pid").mkdir()
        (self.folder / "data").mkdir()
        os.chown(self.folder / "data", nobody, -1)

    def listens(self):
        if self.process.poll() is not None:
            raise AssertionError(f"Postfix ended with {self.process.returncode}; see {self.folder}/log")
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait()
