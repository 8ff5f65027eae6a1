#!/usr/bin/python3.11
"""`sandbox policy`: what it prints, and its exit statuses. No root."""

import os
import re
import subprocess
import tempfile

SANDBOX = os.path.join(os.environ.get("BIN", "build/bin"), "sandbox")
PYTHON = "policy/profiles/python.policy"
count = 0


def case(name, args, status, out="", err="", stdout=subprocess.PIPE):
    """Run `sandbox policy ARGS`; out and err are patterns that must be found."""
    global count
    count += 1
    p = subprocess.run([SANDBOX, "policy", *args], stdout=stdout, stderr=subprocess.PIPE, text=True)
    why = ""
    if p.returncode != status:
        why = f"exit status {p.returncode}, not {status}"
    elif not re.search(out, p.stdout or "", re.M) or not re.search(err, p.stderr, re.M):
        why = f"printed {p.stdout!r} and {p.stderr!r}"
    print(f"{'not ok' if why else 'ok'} {count} - {name}{': ' + why if why else ''}", flush=True)


for profile in sorted(os.listdir("policy/profiles")):
    case(f"{profile} is right", ["check", f"policy/profiles/{profile}"], 0,
         r"^ok: \d+ rules, \d+ instructions$")
case("a table by number", ["explain", PYTHON], 0, r"\A   0  read +allow\n.*")
case("a call by name", ["explain", PYTHON, "bpf", "socketpair"], 0,
     r"\A 321  bpf +EPERM\n  53  socketpair +allow if arg0 == AF_UNIX, else EAFNOSUPPORT\n\Z")
case("an unknown call", ["explain", PYTHON, "nope"], 1, r"\A\Z", "unknown system call 'nope'")
case("no such file", ["check", "/nonexistent"], 1, r"\A\Z", "open '/nonexistent': ENOENT")
case("usage", ["check"], 2, r"\A\Z", "^sandbox policy: FILE is missing$")
case("too many words", ["check", PYTHON, "x"], 2, r"\A\Z", "^sandbox policy: check: unexpected argument 'x'")
case("an unknown action", ["frobnicate", PYTHON], 2, r"\A\Z", "neither check nor explain")
with tempfile.NamedTemporaryFile("w", suffix=".policy") as f:
    f.write("default kill\nallow read\n\tnope\n")
    f.flush()
    case("a mistake has its line", ["check", f.name], 1, r"\A\Z", f"{f.name}:3: unknown system call 'nope'")
with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
    f.write('{"ociVersion": "1.3.0", "linux": {}}')
    f.flush()
    case("a config without a filter", ["check", f.name], 1, r"\A\Z",
         f"^sandbox policy: {f.name}: linux.seccomp: is missing: ")
with open("/dev/full", "w") as full:
    case("a full disk is noticed", ["explain", PYTHON], 1, err="could not be written", stdout=full)
