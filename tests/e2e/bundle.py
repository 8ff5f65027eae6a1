"""Bundles of a static busybox, for tests of what `sandbox run` mounts: small, and easily made hostile.

    b = Bundle("links")                     # an empty root but for /bin, and a config to change
    os.symlink("/etc", b.path("data"))
    b.mount("/data/x", type="tmpfs")
    status, out, err = b.run("cat /proc/mounts")
"""
import json
import os
import shutil
import subprocess
import tempfile

from lib import bin_dir

SANDBOX = os.path.join(bin_dir(), "sandbox")
WORK = tempfile.mkdtemp(prefix="sandbox-mounts-")
STATE = os.path.join(WORK, "state")
BUSYBOX = "/bin/busybox"


class Bundle:
    """A directory below WORK; config is the document, root the directory of the root."""

    count = 0

    def __init__(self, name, dev=True, proc=True):
        Bundle.count += 1
        self.name = f"{name}-{os.getpid()}-{Bundle.count}"
        self.dir = os.path.join(WORK, self.name)
        self.root = os.path.join(self.dir, "rootfs")
        os.makedirs(os.path.join(self.root, "bin"))
        shutil.copy(BUSYBOX, os.path.join(self.root, "bin/busybox"))
        os.symlink("busybox", os.path.join(self.root, "bin/sh"))
        kinds = ("mount", "pid", "ipc", "uts", "network", "cgroup")
        self.config = {"ociVersion": "1.3.0", "root": {"path": "rootfs"}, "mounts": [],
                       "process": {"cwd": "/", "user": {"uid": 0, "gid": 0}, "args": [], "env": ["PATH=/bin"]},
                       "linux": {"namespaces": [{"type": kind} for kind in kinds]}}
        if proc:
            self.mount("/proc", type="proc", source="proc")
        if dev:
            self.mount("/dev", type="tmpfs", source="tmpfs", options=["nosuid", "strictatime", "mode=755", "size=64k"])

    def path(self, name):
        return os.path.join(self.root, name)

    def mount(self, destination, **members):
        self.config["mounts"].append({"destination": destination, **members})

    def bind(self, destination, source, *options):
        self.mount(destination, type="bind", source=source, options=list(options) or ["bind"])

    def write(self, name, text=""):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def in_user_namespace(self, base=2000000):
        """Its root is owned by the first id of the range."""
        self.config["linux"]["namespaces"].append({"type": "user"})
        for which in ("uidMappings", "gidMappings"):
            self.config["linux"][which] = [{"containerID": 0, "hostID": base, "size": 65536}]
        for where, dirs, files in os.walk(self.root):
            for name in ["."] + dirs + files:
                os.chown(os.path.join(where, name), base, base, follow_symlinks=False)
        for name in (WORK, self.dir):
            os.chmod(name, 0o711)

    def start(self, script):
        """Of a shell inside; the Popen."""
        Bundle.count += 1
        self.config["process"]["args"] = ["/bin/busybox", "sh", "-c", script]
        with open(os.path.join(self.dir, "config.json"), "w", encoding="utf-8") as f:
            json.dump(self.config, f)
        return subprocess.Popen([SANDBOX, "--root", STATE, "run", "--bundle", self.dir,
                                 f"{self.name}-{Bundle.count}"], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, script="true"):
        """(exit status, stdout, stderr)"""
        p = self.start(script)
        out, err = p.communicate(timeout=60)
        return p.returncode, out.strip(), err.strip()

    def output(self, script="true"):
        status, out, err = self.run(script)
        assert status == 0, f"exit status {status}: {err}"
        return out


def equal(a, b):
    assert a == b, f"{a!r}, not {b!r}"
