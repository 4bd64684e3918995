#!/usr/bin/env python3
"""How often `sallyport diagnose` is right: every case in every format, and the hand-written logs. TAP on stdout.

    measure.py JUDGE [-v]
"""
import collections
import pathlib
import subprocess
import sys

import cases
import formats

HERE = pathlib.Path(__file__).resolve().parent
SECRETS = ("correct horse", cases.SECRET, cases.PLAIN, cases.TOKEN, cases.XOAUTH, "s3cr3t!pass", "hunter2",
           "AGFubgBodW50ZXIy", "aHVudGVyMg", "aHVudGVyMgo", "YUhWdWRHVnlNZz09", "Zq7", "WnE3")

# Where a format does not show what the case is about, and why.
EXPECTED_MISSES = {}


def judge(binary, logs):
    """One (verdict, id, line, all that is shown) for each log."""
    feed = b"".join(b"%d\n%s" % (len(log), log) for log in logs)
    run = subprocess.run([binary], input=feed, capture_output=True, timeout=160)
    if run.returncode != 0:
        raise SystemExit(f"{binary}: exit {run.returncode}: {run.stderr.decode(errors='replace')}")
    answers = run.stdout.decode().splitlines()
    if len(answers) != len(logs):
        raise SystemExit(f"{binary}: {len(answers)} answers to {len(logs)} logs")
    for answer in answers:
        verdict, cause, line = answer.split("\t")[:3]
        yield verdict, cause, int(line), answer


def wrong(verdict, cause, line, shown, ids, lines):
    """What is wrong with an answer, or None."""
    wanted = {"healthy": "no failure", "auth-cancelled": "no failure", "too-little": "undetermined",
              "not-smtp": "undetermined"}.get(ids[0], "failure")
    if verdict != wanted:
        return f"verdict {verdict} ({cause}) instead of {wanted} ({ids[0]})"
    if cause not in ids:
        return f"{cause} (line {line}) instead of {ids[0]}"
    if wanted == "failure" and lines and line not in lines:
        return f"{cause}: line {line} instead of {sorted(lines)}"
    for secret in SECRETS:
        if secret in shown:
            return f"shows the secret {secret}"
    return None


def applies(flags, name):
    if name == "openssl" and "-openssl" in flags:
        return False
    unmarked = name in ("telnet", "openssl", "javamail", "sendmail-v")
    if "-telnet" in flags and unmarked:
        return False
    return not ("+eof" in flags and name in ("mailkit", "mailkit-stamps", "perl", "symfony-stamps", "opensmtpd", "exchange", "docker", "journald", "log4j", "sendmail-v",
                                             "brackets", "client-server", "email-s"))


def rendered():
    for case, ids, steps, decisive, flags in cases.cases():
        for name, render in formats.FORMATS.items():
            if applies(flags, name):
                page = render(steps)
                log = ("\n".join(page.lines) + "\n").encode()
                yield case, name, ids, log, {page.at[i] for i in decisive if page.at[i]}


def written():
    """A row of labels.tsv names the file, the ids and the decisive lines."""
    for row in (HERE / "labels.tsv").read_text(encoding="utf-8").splitlines():
        if row and not row.startswith("#"):
            name, ids, lines = row.split("\t")[:3]
            yield name, "written", ids.split(), (HERE / "logs" / name).read_bytes(), {int(n) for n in lines.split(",") if n.isdigit()}


def main(argv):
    verbose = "-v" in argv
    labelled = [*rendered(), *written()]
    missed, by_format, right = [], collections.Counter(), 0
    for (case, name, ids, _log, lines), answer in zip(labelled, judge(argv[1], [item[3] for item in labelled])):
        fault = wrong(*answer, ids, lines)
        right += fault is None
        if fault and (case, name) not in EXPECTED_MISSES:
            missed.append(f"{case} [{name}]: {fault}")
            by_format[name] += 1
    print("1..1")
    print(f"# {right} of {len(labelled)} right: {100 * right / len(labelled):.1f} %; {len(cases.TEXT)} cases, "
          f"{len(formats.FORMATS)} formats, {len(labelled) - sum(1 for _ in rendered())} written logs")
    for line in missed if verbose else missed[:40]:
        print(f"# {line}")
    if verbose:
        print("#", dict(by_format))
    print(f"{'not ok' if missed else 'ok'} 1 - diagnose finds what is wrong")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
