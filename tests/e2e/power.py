"""A power cut, from a record of what was asked of the disk.

strace notes what the processes of a server do with the files of its data folder: writes, renames, syncs; and each reply that left.
`Disk` repeats the record up to any moment on a copy of the folder, keeping what was synced by then, and of the rest nothing, all, or
a part of it, as disks do. What the folder then holds is what the next start would find.
"""
import collections
import os
import pathlib
import random
import re
import shutil
import subprocess
import unittest

from harness import program, wait_for

CALLS = "openat,write,pwrite64,pwritev,writev,ftruncate,fallocate,fsync,fdatasync,renameat,renameat2,unlink,unlinkat,sendto,mmap"

Event = collections.namedtuple("Event", "call arguments result")


class Recorder:
    """strace at the processes with these ids; `events` when it is stopped."""

    def __init__(self, pids, path):
        self.path = pathlib.Path(path)
        command = [program("strace"), "-f", "-y", "-xx", "-s", "10000000", "-e", f"trace={CALLS}", "-o", str(path)]
        for pid in pids:
            command += ["-p", str(pid)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        threads = sum(len(list(pathlib.Path(f"/proc/{pid}/task").iterdir())) for pid in pids)
        attached = 0
        while attached < threads:
            line = self.process.stderr.readline().decode()
            if not line or "attach: ptrace" in line:
                self.stop()
                raise unittest.SkipTest(f"processes cannot be traced here: {line.strip()}")
            attached += "attached" in line and 1 + int((re.search(r"with (\d+) threads", line) or [0, 1])[1]) - 1

    def stop(self):
        self.process.terminate()
        self.process.communicate()

    def events(self):
        """What was done, each at the time that it was known to be done; a reply counts from when it was begun."""
        begun, found = {}, []
        with open(self.path, encoding="ascii") as lines:
            for line in lines:
                pid, text = line.rstrip("\n").split(None, 1)
                resumed = re.match(r"<\.\.\. \w+ resumed>", text)
                if resumed:
                    text = begun.pop(pid) + text[resumed.end():]
                elif text.endswith(" <unfinished ...>"):
                    begun[pid] = text[:-len(" <unfinished ...>")]
                    if not text.startswith("sendto("):
                        continue
                    text = begun[pid] + ") = 0"
                done = re.match(r"(\w+)\((.*)\)\s+= (-?\d+)", text)
                if not done or (resumed and done.group(1) == "sendto"):
                    continue
                found.append(Event(done.group(1), done.group(2), int(done.group(3))))
        return found


def octets(text):
    """The first string in a list of arguments."""
    return bytes.fromhex(re.search(r'"((?:\\x[0-9a-f]{2})*)"', text).group(1).replace("\\x", ""))


def path_of(argument):
    """Of a descriptor as -y shows it."""
    return bytes.fromhex(re.search(r"<((?:\\x[0-9a-f]{2})+)>", argument).group(1).replace("\\x", "")).decode()


class Disk:
    """The files below a folder: as they were synced, and what was done to them since."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.copy = {}  # path -> octets that are on the disk for sure
        for path in self.folder.rglob("*"):
            if path.is_file():
                self.copy[str(path)] = bytearray(path.read_bytes())
        self.loose = collections.defaultdict(list)  # path -> changes of its content since its last sync
        self.names = []                             # changes of names since their folder's last sync, in order
        self.places = collections.defaultdict(int)  # of files that are written from the beginning

    def ours(self, path):
        return path.startswith(f"{self.folder}/")

    def take(self, event):
        call, text, result = event
        if result < 0:
            return
        arguments = text.split(", ")
        if call in ("pwrite64", "write"):
            path = path_of(arguments[0]) if "<" in arguments[0] else ""
            if self.ours(path):
                written = octets(text)[:result]
                at = int(arguments[-1]) if call == "pwrite64" else self.places[path]
                self.places[path] = at + result
                self.loose[path].append((at, written))
        elif call == "ftruncate" and self.ours(path_of(arguments[0])):
            self.loose[path_of(arguments[0])].append((int(arguments[1]), None))
        elif call in ("fsync", "fdatasync"):
            self.sync(path_of(arguments[0]))
        elif call == "openat" and "O_CREAT" in text and "O_EXCL" in text and self.ours(path_of(arguments[0])):
            self.names.append(("make", os.path.join(path_of(arguments[0]), octets(text).decode()), None))
        elif call in ("renameat", "renameat2"):
            old, new = (os.path.join(path_of(f), octets(n).decode()) for f, n in zip(arguments[0::2], arguments[1::2]))
            if self.ours(old):
                self.names.append(("rename", old, new))
                self.places[new] = self.places.pop(old, 0)
                self.loose[new] = self.loose.pop(old, [])
        elif call == "unlinkat" and self.ours(path_of(arguments[0])):
            self.names.append(("unlink", os.path.join(path_of(arguments[0]), octets(text).decode()), None))
        elif call in ("writev", "pwritev", "fallocate") and "<" in arguments[0] and self.ours(path_of(arguments[0])):
            raise AssertionError(f"this record cannot be repeated: {call}")

    def sync(self, path):
        if path in (str(p) for p in (self.folder / "queue" / "bodies", self.folder / "queue" / "incoming")):
            rest = []
            for change in self.names:
                if path in (os.path.dirname(p) for p in change[1:] if p):
                    self.rename(self.copy, change)
                else:
                    rest.append(change)
            self.names = rest
        elif self.ours(path):
            # The name of a file that is synced may be lost all the same, its octets are not.
            target = self.copy.setdefault(path, bytearray())
            for change in self.loose.pop(path, []):
                self.write(target, change)

    @staticmethod
    def write(target, change):
        at, written = change
        if written is None:
            del target[at:]
            target.extend(bytes(max(0, at - len(target))))
            return
        target.extend(bytes(max(0, at - len(target))))
        target[at:at + len(written)] = written

    @staticmethod
    def rename(files, change):
        what, old, new = change
        if what == "rename":
            files[new] = files.pop(old, bytearray())
        elif what == "unlink":
            files.pop(old, None)
        else:
            files.setdefault(old, bytearray())

    def leave(self, target, dice):
        """Write down what is there after a cut now. dice: which of the changes that were not synced are there too; None: none."""
        files = {path: bytearray(content) for path, content in self.copy.items()}
        for path, changes in self.loose.items():
            for change in changes:
                if dice and dice.random() < 0.5:
                    self.write(files.setdefault(path, bytearray()), change)
        for change in self.names[:dice.randrange(len(self.names) + 1) if dice else 0]:
            self.rename(files, change)
        shutil.rmtree(target, ignore_errors=True)
        for path, content in files.items():
            # What the processes share in memory is gone after a cut, and is made anew.
            if path.endswith("-shm"):
                continue
            file = pathlib.Path(target) / os.path.relpath(path, self.folder)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        for name in ("bodies", "incoming"):
            (pathlib.Path(target) / "queue" / name).mkdir(exist_ok=True)
