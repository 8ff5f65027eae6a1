#!/usr/bin/python3.11
"""tools/runtimed.service under a real systemd: `make install` into a machine of User-Mode Linux, whose process 1 is
the host's systemd and whose cgroups are v2 alone. service_checks.py is run there, as a service.

The machine sees this host's files, read-only, with /etc, /var and /usr/local its own (tools/uml-boot). KEEP keeps
what it wrote.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from lib import ROOT, bin_dir, read

LIMIT_S = 300
IMAGE = "python3.11"
SYSTEMD = "/lib/systemd/systemd"
NEEDED = {"linux.uml": "user-mode-linux", SYSTEMD: "systemd", "fsck.erofs": "erofs-utils"}

# In place of the machine's init. What of /etc systemd and Python look at is copied; nothing is enabled there.
SCRIPT = """
mkdir /run/etc /run/tree
mount -t hostfs -o {root} none /run/tree
mount -t tmpfs etc /run/etc
for f in passwd group shadow nsswitch.conf ld.so.cache os-release; do cp -a /etc/$f /run/etc/; done
cp -a /mnt/dest/etc/. /run/etc/
mkdir -p /run/etc/systemd/system
cp /mnt/check.service /run/etc/systemd/system/
echo 5dbd8a470000400080000000000000a7 >/run/etc/machine-id
mount --move /run/etc /etc
mount -t tmpfs var /var
mkdir -p /var/lib/runtimed/images
mount --bind /mnt/images /var/lib/runtimed/images
mount --bind /mnt/dest/usr/local /usr/local
exec {systemd} --unit=check.service --show-status=no
"""

CHECK = """
[Unit]
SuccessAction=poweroff-force
FailureAction=poweroff-force

[Service]
Type=oneshot
Environment=BIN=/usr/local/bin TMPDIR=/run
ExecStart=/usr/bin/python3.11 /run/tree/tests/e2e/service_checks.py
StandardOutput=file:/mnt/tap
StandardError=file:/mnt/errors
"""


def why_not():
    if os.geteuid() != 0:
        return "needs root"
    if bin_dir().endswith("/san/bin"):
        return "sanitizers need more address space than User-Mode Linux gives"
    missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
    return "needs " + ", ".join(missing) if missing else None


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def install(out):
    # Not as a part of the make that may have started us.
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(["make", "-s", "-C", ROOT, "install", f"DESTDIR={out}/dest"], env=clean, check=True,
                   stdout=sys.stderr)


def unpack_image(out):
    """A store with one image, unpacked as well: that kernel mounts no EROFS from a file."""
    source = os.environ.get("IMAGES", ROOT + "/build/images")
    digest = read(f"{source}/names/{IMAGE}").strip()
    for part in ("names", "sha256", "unpacked"):
        os.makedirs(f"{out}/images/{part}")
    shutil.copy(f"{source}/names/{IMAGE}", f"{out}/images/names/")
    for suffix in ("erofs", "json"):
        shutil.copy(f"{source}/sha256/{digest}.{suffix}", f"{out}/images/sha256/")
    subprocess.run(["fsck.erofs", f"--extract={out}/images/unpacked/{digest}", f"{source}/sha256/{digest}.erofs"],
                   check=True, stdout=sys.stderr)


def boot(out):
    write(out + "/script", SCRIPT.format(root=ROOT, systemd=SYSTEMD))
    write(out + "/check.service", CHECK)
    machine = subprocess.Popen([ROOT + "/tools/uml-boot", out + "/script", out, str(LIMIT_S)], stdout=sys.stderr)
    try:
        machine.wait()
    finally:  # we were told to end
        machine.terminate()
        machine.wait()


def report(out):
    """The machine's TAP is ours; the exit status. Without its last line something broke."""
    tap = read(out + "/tap") or ""
    print(tap, end="")
    is_whole = tap.rpartition("\n1..")[2].strip().isdigit()
    if not is_whole:
        print("not ok - the machine runs all tests")
    if not is_whole or "not ok" in tap:
        sys.stderr.write("".join((read(f"{out}/{name}") or "")[-8000:] for name in ("console", "errors")))
        return 1
    return 0


def main():
    reason = why_not()
    if reason:
        print(f"ok 1 - the unit # SKIP {reason}\n1..1")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    out = tempfile.mkdtemp(prefix="runtimed-systemd-")
    os.chmod(out, 0o755)
    try:
        install(out)
        unpack_image(out)
        boot(out)
        return report(out)
    finally:
        if not os.environ.get("KEEP"):
            shutil.rmtree(out, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
