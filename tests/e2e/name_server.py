"""A real authoritative name server on loopback: nsd, with zones signed by ldns-signzone. Both are peers (tools/debian-peers)."""
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import time

from harness import START_S, free_port, peer, run

SOA = "@ 60 IN SOA ns hostmaster 1 3600 600 86400 60\n@ 60 IN NS ns\nns 60 IN A 127.0.0.1\n"


def program(package, path):
    file, env = peer(package, path)
    return str(file), env


class Zone:
    """A zone's text without SOA, its NS and those of zones below it. signed: with DNSSEC. Damage to a signed one: `spoil`: pairs (old, new), changed after signing;
    `drop`: records that are left out, as a regular expression; `expired`: its signatures are of last year; `stranger`: they are by
    another key than the zone above or the anchor says. `fails`: the file cannot be read, and the answer is SERVFAIL."""

    def __init__(self, name, text, signed=False, spoil=(), drop=None, expired=False, stranger=False, fails=False):
        self.name, self.text, self.signed, self.spoil = name, text, signed, spoil
        self.drop, self.expired, self.stranger, self.fails = drop, expired, stranger, fails


class NameServer:
    """nsd in the foreground for a folder and its zones, of which one may stand above others. `address` is "127.0.0.1:PORT"; `anchor` a
    file with the keys of the signed zones, but of those below another signed one."""

    def __init__(self, folder, zones, port=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.anchor = self.folder / "anchor"
        self.process = None
        self.keys = {}
        self.set(zones)

    def set(self, zones):
        """Serve these zones from now on; the keys of zones stay the same."""
        self.stop()
        signed = [zone for zone in zones if zone.signed]
        for zone in zones:
            self.write(zone, [child for child in zones if child.name.endswith("." + zone.name)])
        tops = [z for z in signed if not any(z.name.endswith("." + other.name) for other in signed)]
        self.anchor.write_text("".join(map(self.ds, tops)))
        self.start(zones)

    def ds(self, zone):
        """What vouches for a zone's key, from above."""
        return pathlib.Path(self.key(zone.name, "anchor") + ".ds").read_text()

    def write(self, zone, children):
        path = self.folder / f"{zone.name}.zone"
        below = "".join(f"{child.name}. NS ns.{zone.name}.\n" + (self.ds(child) if child.signed and zone.signed else "") for child in children)
        path.write_text(f"$ORIGIN {zone.name}.\n$TTL 60\n{SOA}{zone.text}\n{below}")
        if zone.fails:
            path.write_text("this is no zone\n")
        if not zone.signed:
            return
        key = self.key(zone.name, "anchor")
        if zone.stranger:
            key = self.key(zone.name, "stranger")
        dates = ["-i", "20200101", "-e", "20200201"] if zone.expired else []
        signzone, env = program("ldns", "usr/bin/ldns-signzone")
        signed = self.folder / f"{zone.name}.signed"
        run([signzone, *dates, "-f", str(signed), str(path), key], env=env, cwd=self.folder, check=True)
        text = signed.read_text()
        for old, new in zone.spoil:
            if old not in text:
                raise AssertionError(f"{old!r} is not in the signed zone:\n{text}")
            text = text.replace(old, new)
        if zone.drop:
            lines = text.splitlines(keepends=True)
            kept = [line for line in lines if not re.search(zone.drop, line)]
            if kept == lines:
                raise AssertionError(f"{zone.drop!r} is not in the signed zone:\n{text}")
            text = "".join(kept)
        path.write_text(text)

    def key(self, name, of):
        """The key pair of a zone, made when it is first asked for."""
        if (name, of) not in self.keys:
            keygen, env = program("ldns", "usr/bin/ldns-keygen")
            made = run([keygen, "-k", "-a", "ECDSAP256SHA256", name], env=env, cwd=self.folder, check=True)
            self.keys[name, of] = str(self.folder / made.stdout.strip())
        return self.keys[name, of]

    def start(self, zones):
        config = self.folder / "nsd.conf"
        config.write_text(
            f'server:\n  ip-address: 127.0.0.1@{self.port}\n  username: ""\n  chroot: ""\n  zonesdir: "{self.folder}"\n'
            f'  database: ""\n  pidfile: ""\n  xfrdfile: "{self.folder}/xfrd.state"\n  xfrdir: "{self.folder}"\n'
            f'  zonelistfile: "{self.folder}/zone.list"\n  logfile: "{self.folder}/nsd.log"\n  hide-version: yes\n'
            f'  server-count: 1\nremote-control:\n  control-enable: no\n'
            + "".join(f'zone:\n  name: "{z.name}"\n  zonefile: "{z.name}.zone"\n' for z in zones))
        nsd, env = program("nsd", "usr/sbin/nsd")
        self.process = subprocess.Popen([nsd, "-d", "-c", str(config)], env=env, cwd=self.folder, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.await_answer(zones[0].name)

    def await_answer(self, name):
        question = struct.pack(">6H", 1, 0, 1, 0, 0, 0) + b"".join(
            bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0" + struct.pack(">2H", 6, 1)
        until = time.monotonic() + START_S
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.1)
            while time.monotonic() < until and self.process.poll() is None:
                s.sendto(question, ("127.0.0.1", self.port))
                try:
                    if s.recv(4096)[3] & 15 == 0:
                        return
                except OSError:
                    time.sleep(0.02)
        log = self.folder / "nsd.log"
        raise AssertionError(f"nsd does not answer; its log:\n{log.read_text() if log.exists() else ''}")

    def pause(self):
        """Say nothing until go_on()."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def go_on(self):
        os.killpg(self.process.pid, signal.SIGCONT)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
        self.process = None
