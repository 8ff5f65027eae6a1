"""podman as an engine of the tests: see engines.py."""
import json
import os
import shutil
import subprocess

from engines import IMAGE, Engine
from lib import wait_for

# What docs/OCI.md tells to write, and file locks instead of memory that all podmans share.
CONFIG = """[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
runtime_supports_json = ["runc", "crun", "sandbox"]
[engine.runtimes]
%s = ["%s"]
"""


class Podman(Engine):
    needs = ("podman", "conmon")

    def __init__(self, world, runtime):
        super().__init__(world, runtime)
        self.name = os.path.basename(runtime)
        self.home = world.path("podman-" + self.name)
        os.mkdir(self.home)
        self.config = os.path.join(self.home, "containers.conf")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(CONFIG % (self.name, runtime))
        self("load", "--quiet", "--input", world.image)

    def environment(self):
        return {**os.environ, "CONTAINERS_CONF": self.config}

    def command(self):
        return ["podman", "--root", self.home + "/storage", "--runroot", self.home + "/run", "--tmpdir",
                self.home + "/tmp", "--storage-driver", "overlay", "--runtime", self.name]

    def words(self, command, *options):
        if not any(o.startswith("--network") for o in options):
            options = ("--network=none", *options)
        return (command, "--pull=never", "--cgroup-parent", "/" + self.world.group, *options, IMAGE)

    def run(self, *words, options=(), **more):
        return self(*self.words("run", "--rm", *options), *words, **more)

    def out(self, script, *options, **more):
        """What a script in a container of these options prints."""
        return self.run("sh", "-c", script, options=options, **more).stdout

    def start(self, *words, options=(), wait="ready"):
        """A detached one that has printed a word; its name."""
        name = self.new_name()
        self(*self.words("run", "--detach", "--name", name, *options), *(words or ["waiter"]))
        if wait:
            wait_for(lambda: wait in self("logs", name).stdout, f"{name} prints {wait}")
        return name

    def state(self, name):
        return json.loads(self("inspect", name).stdout)[0]["State"]

    def group_of(self, name, hierarchy):
        """Its directory in the hierarchy of v1, or in the one tree of v2."""
        with open(f"/proc/{self.state(name)['Pid']}/cgroup", encoding="ascii") as f:
            paths = {fields[1]: fields[2] for fields in (line.strip().split(":", 2) for line in f)}
        return f"/sys/fs/cgroup/{hierarchy}{paths[hierarchy]}" if hierarchy in paths else "/sys/fs/cgroup" + paths[""]

    def clean(self):
        # What a process of a killed container still holds is busy for a moment.
        wait_for(lambda: self("rm", "--all", "--force", "--time", "0", status=None).status == 0, "removing containers")
        self("volume", "prune", "--force")

    def close(self):
        self.clean()
        subprocess.run(["umount", self.home + "/storage/overlay"], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.home)
