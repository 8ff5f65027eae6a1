#!/usr/bin/python3.11
"""`sandbox` as an ordinary user calls it: a test user with ranges of subordinate ids, in a private mount namespace.

The user, his ranges and his directories exist for the processes of this test alone. Needs root, to become him.
"""
import contextlib
import ctypes
import json
import os
import shutil
import subprocess
import sys

from lib import Skip, Tap, bin_dir, wait_for

SELF = os.path.abspath(__file__)
NEWUIDMAP = "/usr/bin/newuidmap"
PR_SET_CHILD_SUBREAPER = 36
INSIDE = "SANDBOX_ROOTLESS_TEST"
if os.geteuid() == 0 and INSIDE not in os.environ:
    os.execvpe("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, SELF],
               {**os.environ, INSIDE: "yes"})

from bundle import BUSYBOX, WORK, equal  # noqa: E402  # it makes WORK: once, inside

SANDBOX = os.path.join(bin_dir(), "sandbox")
UID, FIRST, COUNT = 61077, 3000000, 65536
RUN = os.path.join(WORK, "run")


def become_known():
    """The user has a name, two ranges and a runtime directory, for this mount namespace alone."""
    lines = {"passwd": f"sandboxer:x:{UID}:{UID}::/:/bin/sh\n", "group": f"sandboxer:x:{UID}:\n",
             "subuid": f"sandboxer:{FIRST}:{COUNT}\n", "subgid": f"sandboxer:{FIRST}:{COUNT}\n"}
    for name, line in lines.items():
        with open(f"/etc/{name}", encoding="utf-8") as f:
            text = f.read()
        with open(os.path.join(WORK, name), "w", encoding="utf-8") as f:
            f.write(text + line)
        subprocess.run(["mount", "--bind", os.path.join(WORK, name), f"/etc/{name}"], check=True)
    os.chmod(WORK, 0o711)
    os.mkdir(RUN, 0o700)
    os.chown(RUN, UID, UID)


def becomes_user(enter):
    """In the new process: into the groups as root, then the user for good."""
    def become():
        if enter:
            enter()
        os.setgroups([])
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
    return become


def as_user(words, enter=None, **env):
    """Run it, after enter(); (exit status, stdout, stderr)."""
    base = {"PATH": "/usr/bin:/bin:/usr/sbin", "USER": "sandboxer", "XDG_RUNTIME_DIR": RUN, **env}
    done = subprocess.run(words, timeout=60, text=True, check=False, cwd="/",
                          stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=becomes_user(enter),
                          env={k: v for k, v in base.items() if v is not None})
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def sandbox(*words, **env):
    return as_user([SANDBOX, *words], **env)


def works(*words, **env):
    status, out, err = sandbox(*words, **env)
    assert status == 0, f"sandbox {' '.join(words)}: {status}: {err}"
    return out


def detached(*words, enter=None):
    """For what leaves a container behind, which has our standard streams."""
    with open(os.devnull, "r+b") as null, open(os.path.join(WORK, "stderr"), "w+", encoding="utf-8") as err:
        done = subprocess.run([SANDBOX, *words], stdin=null, stdout=null, stderr=err, timeout=60, cwd="/",
                              env={"XDG_RUNTIME_DIR": RUN}, preexec_fn=becomes_user(enter), check=False)
        err.seek(0)
        assert done.returncode == 0, err.read()


class Bundle:
    """What `spec --rootless` writes, the user's own; config is the document."""

    count = 0

    def __init__(self, has_range=False):
        Bundle.count += 1
        self.id = f"rootless-{os.getpid()}-{Bundle.count}"
        self.dir = os.path.join(WORK, self.id)
        self.root = os.path.join(self.dir, "rootfs")
        os.makedirs(os.path.join(self.root, "bin"))
        shutil.copy(BUSYBOX, os.path.join(self.root, "bin/busybox"))
        os.symlink("busybox", os.path.join(self.root, "bin/sh"))
        for where, dirs, files in os.walk(self.dir):
            for name in ["."] + dirs + files:
                os.chown(os.path.join(where, name), UID, UID, follow_symlinks=False)
        works("spec", "--rootless", "--bundle", self.dir)
        with open(os.path.join(self.dir, "config.json"), encoding="utf-8") as f:
            self.config = json.load(f)
        self.config["process"]["terminal"] = False
        self.config["process"]["env"] = ["PATH=/bin"]
        if has_range:
            for which in ("uidMappings", "gidMappings"):
                self.config["linux"][which] = [{"containerID": 0, "hostID": UID, "size": 1},
                                               {"containerID": 1, "hostID": FIRST, "size": COUNT}]

    def space(self, kind):
        self.config["linux"]["namespaces"].append({"type": kind})

    def write(self, script):
        self.config["process"]["args"] = ["/bin/busybox", "sh", "-c", script]
        with open(os.path.join(self.dir, "config.json"), "w", encoding="utf-8") as f:
            json.dump(self.config, f)

    def run(self, script="true", *options, **env):
        self.write(script)
        return sandbox(*options, "run", "--bundle", self.dir, self.id, **env)

    def output(self, script):
        status, out, err = self.run(script)
        assert status == 0, f"exit status {status}: {err}"
        return out

    def refused(self, *words):
        """It does not start, and the reason has all these words."""
        status, out, err = self.run("echo started")
        assert status != 0 and not out, (status, out, err)
        assert all(word in err for word in words), err

    def start(self, script="busybox sleep 1000 & busybox sleep 1000"):
        """Detached; its standard streams are nobody's, or we would wait for their end."""
        self.write(script)
        detached("run", "-d", "--bundle", self.dir, self.id)
        return self


def state(b):
    return json.loads(works("state", b.id))


def processes(b, least):
    """Their pids, once there are so many."""
    def look():
        pids = json.loads(works("ps", "-f", "json", b.id))
        return pids if len(pids) >= least else None
    return wait_for(look, f"{least} processes")


def gone(pid):
    """Or dead, and not yet reaped by whoever inherited it."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


# --- ids ---

def spec_rootless_runs_as_it_is():
    b = Bundle()
    equal(b.output("busybox id -u; busybox cat /proc/self/uid_map /proc/self/setgroups").split(),
          ["0", "0", str(UID), "1", "deny"])
    status, out, _ = b.run("exit 7")
    equal((status, out), (7, ""))


def ranges_are_mapped_by_newuidmap():
    b = Bundle(has_range=True)
    b.config["process"]["user"] = {"uid": 1000, "gid": 100, "additionalGids": [5, 6]}
    out = b.output("busybox id -u; busybox id -G; busybox cat /proc/self/uid_map /proc/self/gid_map").split()
    equal(out[:4], ["1000", "100", "5", "6"])
    maps = ["0", str(UID), "1", "1", str(FIRST), str(COUNT)]
    equal(out[4:], maps + maps)


def ids_that_are_not_the_user_s_are_refused_by_newuidmap():
    b = Bundle(has_range=True)
    b.config["linux"]["uidMappings"][1]["hostID"] = FIRST + 1
    b.refused("newuidmap", "/etc/subuid", "not allowed")
    b = Bundle(has_range=True)
    b.config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 1}]
    b.refused("newgidmap", "/etc/subgid")


def missing_newuidmap_is_told_with_its_package():
    subprocess.run(["mount", "--bind", "/dev/null", NEWUIDMAP], check=True)
    try:
        Bundle(has_range=True).refused("newuidmap", "root's alone")
        equal(Bundle().output("echo one id needs none"), "one id needs none")
    finally:
        subprocess.run(["umount", NEWUIDMAP], check=True)


def one_id_other_than_0_may_be_mapped():
    b = Bundle()
    for which in ("uidMappings", "gidMappings"):
        b.config["linux"][which][0]["containerID"] = 1000
    b.config["process"]["user"] = {"uid": 1000, "gid": 1000}
    equal(b.output("busybox id -u; busybox id -g; busybox touch /dev/shm/x; busybox stat -c %u /dev/shm/x").split(),
          ["1000", "1000", "1000"])


def ids_that_are_not_mapped_are_refused_by_name():
    b = Bundle()
    b.config["process"]["user"] = {"uid": 1000, "gid": 0}
    b.refused("process.user.uid", "uidMappings")
    b = Bundle()
    b.config["process"]["user"] = {"uid": 0, "gid": 100}
    b.refused("process.user.gid", "gidMappings")
    b = Bundle()
    next(m for m in b.config["mounts"] if m["type"] == "devpts")["options"].append("gid=5")
    b.refused("mounts[", "gid=5", "gidMappings")


def supplementary_groups_without_a_range_are_refused():
    b = Bundle()
    b.config["process"]["user"]["additionalGids"] = [0]
    b.refused("additionalGids", "setgroups", "/etc/subgid")


def config_without_a_user_namespace_is_refused():
    b = Bundle()
    b.config["linux"]["namespaces"] = [n for n in b.config["linux"]["namespaces"] if n["type"] != "user"]
    del b.config["linux"]["uidMappings"], b.config["linux"]["gidMappings"]
    b.refused("linux.namespaces", "rootless container requires user namespaces", "spec --rootless")


def forbidden_user_namespaces_are_told_by_their_switch():
    b = Bundle()
    b.write("echo started")
    # In a user namespace whose owner forbids more of them: the switch is each namespace's own.
    status, _, err = as_user(["unshare", "-Urmp", "--fork", "--mount-proc", "sh", "-c",
                              "echo 0 >/proc/sys/user/max_user_namespaces; "
                              f"{SANDBOX} run --bundle {b.dir} {b.id}"])
    assert status != 0 and "max_user_namespaces" in err and "sysctl" in err, err


# --- life ---

def life_of_a_container():
    b = Bundle()
    b.write("busybox sleep 1000")
    detached("create", "--bundle", b.dir, b.id)
    equal(state(b)["status"], "created")
    works("start", b.id)
    equal(state(b)["status"], "running")
    assert b.id in works("list", "-q")
    equal(works("exec", b.id, "/bin/busybox", "id", "-u"), "0")
    pid = state(b)["pid"]
    works("kill", b.id, "KILL")
    wait_for(lambda: state(b)["status"] == "stopped", "it stops")
    works("delete", b.id)
    assert gone(pid) and sandbox("state", b.id)[0] != 0
    equal(os.listdir(os.path.join(RUN, "sandbox")), [])


def exec_as_another_user_of_the_range():
    b = Bundle(has_range=True).start()
    equal(works("exec", "--user", "1000:100", b.id, "/bin/busybox", "id", "-u"), "1000")
    works("delete", "--force", b.id)


def delete_force_ends_all_processes():
    b = Bundle().start()
    pids = processes(b, 2)
    works("delete", "--force", b.id)
    assert all(gone(pid) for pid in pids), pids


def ps_and_kill_all_find_processes_by_their_pid_namespace():
    b = Bundle().start("trap 'echo' USR1; busybox sleep 1000 & busybox sleep 1000 & wait; wait; busybox sleep 1000")
    pids = processes(b, 3)
    table = works("ps", b.id)
    assert table.count("sleep") >= 2 and str(pids[0]) in table, table
    works("kill", "--all", b.id, "USR1")
    wait_for(lambda: all(gone(pid) for pid in pids[1:]), "those that do not handle it end")
    works("kill", "--all", b.id, "KILL")
    wait_for(lambda: state(b)["status"] == "stopped", "it stops")
    works("kill", "--all", b.id, "KILL")
    works("delete", b.id)


# --- groups ---

GROUPS = "/sys/fs/cgroup"


def reap():
    """Orphans of the containers are ours; until they are reaped their keepers stay."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def remove_groups(place):
    """False: somebody is in there."""
    reap()
    try:
        for where, _, _ in os.walk(place, topdown=False):
            os.rmdir(where)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def delegated(*hierarchies):
    """Groups of the user's below our own, as an administrator delegates them; the value enters them."""
    with open("/proc/self/cgroup", encoding="ascii") as f:
        own = {line.split(":")[1] or "unified": line.split(":")[2].strip().strip("/") for line in f}
    places = [os.path.join(GROUPS, name, own.get(name, ""), f"rootless-{os.getpid()}") for name in hierarchies]
    if not all(os.path.isdir(os.path.dirname(place)) for place in places):
        raise Skip("these hierarchies are not mounted here")
    for place in places:
        os.mkdir(place)
        for name in (".", "cgroup.procs", "tasks", "cgroup.threads", "cgroup.subtree_control"):
            if os.path.exists(os.path.join(place, name)):
                os.chown(os.path.join(place, name), UID, UID)

    def enter():
        for place in places:
            with open(os.path.join(place, "cgroup.procs"), "w", encoding="ascii") as f:
                f.write("0")

    try:
        yield enter
    finally:
        wait_for(lambda: all(remove_groups(place) for place in places), "its processes end")


def limits_are_applied_where_a_group_is_delegated():
    with delegated("unified", "memory", "cpu", "cpuacct", "pids") as enter:
        b = Bundle()
        b.config["linux"]["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 20}}
        b.config["mounts"] = [m for m in b.config["mounts"] if m["type"] != "cgroup"]
        b.write("busybox sleep 1000")
        detached("run", "-d", "--bundle", b.dir, b.id, enter=enter)
        with open(f"/proc/{state(b)['pid']}/cgroup", encoding="ascii") as f:
            groups = {line.split(":")[1]: line.split(":")[2].strip() for line in f}
        for kind, name, limit in (("memory", "memory.limit_in_bytes", 64 << 20), ("pids", "pids.max", 20)):
            assert f"rootless-{os.getpid()}/" in groups[kind], groups
            with open(f"{GROUPS}/{kind}{groups[kind]}/{name}", encoding="ascii") as f:
                equal(int(f.read()), limit)
        equal(works("exec", b.id, "/bin/busybox", "id", "-u", enter=enter), "0")
        works("pause", b.id)
        equal(state(b)["status"], "paused")
        works("resume", b.id)
        works("update", "--pids-limit", "30", b.id)
        works("delete", "--force", b.id)



def limits_are_refused_by_name_where_no_group_is_delegated():
    for name, resources in (("memory.limit", {"memory": {"limit": 64 << 20}}), ("pids.limit", {"pids": {"limit": 10}}),
                            ("cpu.shares", {"cpu": {"shares": 512}}), ("unified", {"unified": {"memory.high": "1"}})):
        b = Bundle()
        b.config["linux"]["resources"] = resources
        b.refused(f"linux.resources.{name}", "permission", "Delegate=yes")
    b = Bundle()
    b.config["linux"]["cgroupsPath"] = "/mine"
    b.refused("linux.cgroupsPath", "permission denied")


def limits_that_limit_nothing_need_no_group():
    b = Bundle()
    b.config["linux"]["resources"] = {"devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": -1},
                                      "memory": {"limit": 0}}
    equal(b.output("echo fine"), "fine")


def without_a_group_what_needs_one_is_refused():
    b = Bundle().start()
    for words in (("pause", b.id), ("update", "--pids-limit", "5", b.id), ("events", "--stats", b.id)):
        status, _, err = sandbox(*words)
        assert status != 0 and "has no group" in err, (words, err)
    works("delete", "--force", b.id)
    b = Bundle()
    b.config["linux"]["namespaces"] = [n for n in b.config["linux"]["namespaces"] if n["type"] != "pid"]
    b.config["mounts"] = [m for m in b.config["mounts"] if m["type"] != "proc"]
    b.refused("linux.namespaces", "pid")


def cve_2023_25809_cgroup_tree_of_the_host_is_not_writable():
    attack = ("for d in $(busybox find /sys/fs/cgroup -mindepth 1 -maxdepth 3 -name '*rootless*' -type d) "
              "/sys/fs/cgroup/unified /sys/fs/cgroup/memory /two; do "
              "busybox mkdir $d/evil 2>/dev/null && echo made $d/evil; "
              "(echo 0 >$d/cgroup.procs) 2>/dev/null && echo moved to $d; done; echo tried")
    own = os.path.join(WORK, "own-tree")  # a stand-in for what is mounted below /sys and the user's own
    os.makedirs(own, exist_ok=True)
    os.chown(own, UID, UID)
    subprocess.run(["mount", "--bind", own, own], check=True)
    with delegated("unified") as enter:
        b = Bundle()
        b.config["mounts"].append({"destination": "/two", "type": "cgroup2", "source": "cgroup", "options": ["rw"]})
        next(m for m in b.config["mounts"] if m["type"] == "cgroup")["options"].remove("ro")
        b.write(attack)
        equal(sandbox("run", "--bundle", b.dir, b.id, enter=enter)[1:], ("tried", ""))
        b = Bundle()
        b.config["mounts"] = [m for m in b.config["mounts"] if m["type"] != "cgroup"]
        b.config["linux"]["namespaces"] = [n for n in b.config["linux"]["namespaces"] if n["type"] != "cgroup"]
        b.write(attack)
        equal(sandbox("run", "--bundle", b.dir, b.id, enter=enter)[1:], ("tried", ""))
        b.config["mounts"][-1] = {"destination": "/sys", "type": "bind", "source": "/sys", "options": ["rbind", "rw"]}
        b.write(attack)  # the attack is one: with a writable tree, as the config asks for, it succeeds
        assert "evil" in sandbox("run", "--bundle", b.dir, b.id, enter=enter)[1]
    b = Bundle()  # the rule itself: what lies in a tree bound over /sys is as read-only as the tree
    b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] not in ("/sys", "/sys/fs/cgroup")]
    b.config["mounts"].append({"destination": "/sys", "type": "none", "source": WORK,
                               "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]})
    equal(b.output("busybox mkdir /sys/own-tree/evil 2>/dev/null || echo no"), "no")
    subprocess.run(["umount", own], check=True)
    b.config["mounts"][-1] = {"destination": "/data", "type": "bind", "source": own, "options": ["rbind", "rw"]}
    equal(b.output("busybox mkdir /data/twin && echo made"), "made")


# --- mounts ---

def locked_flags_of_a_source_stay():
    source = os.path.join(WORK, "locked")
    os.makedirs(source)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec,ro", "tmpfs", source], check=True)
    b = Bundle()
    b.config["mounts"].append({"destination": "/data", "type": "bind", "source": source, "options": ["bind"]})
    flags = b.output("busybox grep ' /data ' /proc/mounts").split()[3].split(",")
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(flags), flags
    b.config["mounts"].append({"destination": "/data", "type": "bind", "source": source,
                               "options": ["remount", "bind", "nosuid"]})
    flags = b.output("busybox grep ' /data ' /proc/mounts").split()[3].split(",")
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(flags), flags
    b.config["mounts"][-2:] = [{"destination": "/data", "type": "bind", "source": source, "options": ["bind", "rw"]}]
    b.refused("/data", "EPERM", "locked")
    subprocess.run(["umount", source], check=True)


def devices_are_the_host_s_and_nodes_of_the_bundle_do_not_work():
    b = Bundle()
    os.mknod(os.path.join(b.root, "zero"), 0o666 | 0o020000, os.makedev(1, 5))
    equal(b.output("echo x >/dev/null && busybox head -c 2 /dev/zero | busybox wc -c;"
                   "(exec 3</zero) 2>/dev/null || echo closed"), "2\nclosed")


def sysfs_needs_a_network_namespace():
    b = Bundle()
    at = next(i for i, m in enumerate(b.config["mounts"]) if m["destination"] == "/sys")
    b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] != "/sys/fs/cgroup"]
    b.config["mounts"][at] = {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro", "nosuid"]}
    b.refused(f"mounts[{at}]", "sysfs", "network", "bind")
    b.space("network")
    equal(b.output("busybox ls /sys/class/net; busybox ip link show lo | busybox grep -o LOWER_UP; busybox hostname"),
          "lo\nLOWER_UP\nsandbox")


def lower_oom_score_is_refused_by_name():
    with open("/proc/self/oom_score_adj", encoding="ascii") as f:
        own = int(f.read())
    b = Bundle()
    b.config["process"]["oomScoreAdj"] = own - 1
    if own > -1000:
        b.refused("process.oomScoreAdj", "CAP_SYS_RESOURCE")
    b.config["process"]["oomScoreAdj"] = own + 1
    equal(b.output("busybox cat /proc/self/oom_score_adj"), str(own + 1))


# --- where state is, and who we are ---

def state_is_in_the_user_s_runtime_directory_or_where_he_says():
    b = Bundle()
    status, _, err = b.run("true", XDG_RUNTIME_DIR=None)
    assert status != 0 and "XDG_RUNTIME_DIR" in err and "--root" in err, err
    status, _, err = sandbox("list", XDG_RUNTIME_DIR=None)
    assert status != 0 and "XDG_RUNTIME_DIR" in err, err
    equal(b.run("echo there", "--root", os.path.join(RUN, "elsewhere"), XDG_RUNTIME_DIR=None)[:2], (0, "there"))
    status, _, err = b.run("true", "--root", "/")
    assert status != 0 and "belongs to user 0" in err, err


def nested_bundle():
    """For root of a user namespace: no user namespace of its own."""
    b = Bundle()
    b.config["linux"]["namespaces"] = [n for n in b.config["linux"]["namespaces"] if n["type"] != "user"]
    b.space("network")
    del b.config["linux"]["uidMappings"], b.config["linux"]["gidMappings"]
    b.write("busybox id -u; echo nested")
    return b


def root_of_a_user_namespace_needs_no_other_one():
    b = nested_bundle()
    words = ["unshare", "-Urm", SANDBOX, "run", "--bundle", b.dir, b.id]
    status, out, err = as_user(words)
    equal((status, out), (0, "0\nnested"))
    status, _, err = as_user(words[:3] + ["--rootless", "false", "--root", os.path.join(RUN, "s")] + words[3:])
    assert status != 0 and "cgroup" in err, err
    b.config["linux"]["resources"] = {"pids": {"limit": 5}}
    b.write("true")
    status, _, err = as_user(words)
    assert status != 0 and "linux.resources.pids.limit" in err, err


def container_in_a_container():
    with open(SANDBOX, "rb") as f:
        if b"/ld-linux" in f.read(4096):
            raise Skip("sanitized, our program needs libraries that the container has not")
    inner = Bundle()
    for which in ("uidMappings", "gidMappings"):
        inner.config["linux"][which][0]["hostID"] = 0
    inner.config["linux"]["maskedPaths"] = inner.config["linux"]["readonlyPaths"] = []
    inner.config["mounts"] = [m for m in inner.config["mounts"] if m["destination"] not in ("/sys", "/sys/fs/cgroup")]
    inner.write("echo inner; busybox id -u")
    outer = Bundle()
    outer.config["linux"]["maskedPaths"] = outer.config["linux"]["readonlyPaths"] = []
    outer.config["root"]["readonly"] = False
    caps = ["CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_KILL", "CAP_NET_ADMIN",
            "CAP_AUDIT_WRITE", "CAP_NET_BIND_SERVICE", "CAP_DAC_OVERRIDE", "CAP_SYS_CHROOT"]
    outer.config["process"]["capabilities"] = {kind: caps for kind in ("bounding", "effective", "permitted")}
    shutil.copy(SANDBOX, os.path.join(outer.root, "bin/sandbox"))
    os.chmod(os.path.join(outer.root, "bin/sandbox"), 0o755)
    outer.config["mounts"].append({"destination": "/inner", "type": "bind", "source": inner.dir, "options": ["rbind"]})
    equal(outer.output("/bin/sandbox --root /dev/shm/state run --bundle /inner nested"), "inner\n0")


def doctor_tells_the_user_the_truth():
    found = {c["name"]: c for c in json.loads(works("doctor", "--json"))["checks"]}
    equal(found["delegation"]["state"], "limited")
    assert "without a group" in found["delegation"]["effect"], found["delegation"]
    equal(found["id ranges"]["state"], "ok")
    with open("/etc/subuid", "r+", encoding="utf-8") as f:
        text = f.read()
        f.seek(0)
        f.truncate()
        try:
            found = {c["name"]: c for c in json.loads(works("doctor", "--json"))["checks"]}
        finally:
            f.write(text)
    equal(found["id ranges"]["state"], "limited")
    assert "/etc/subuid" in found["id ranges"]["advice"], found["id ranges"]


TESTS = [
    spec_rootless_runs_as_it_is, ranges_are_mapped_by_newuidmap, ids_that_are_not_the_user_s_are_refused_by_newuidmap,
    missing_newuidmap_is_told_with_its_package, one_id_other_than_0_may_be_mapped,
    ids_that_are_not_mapped_are_refused_by_name, supplementary_groups_without_a_range_are_refused,
    config_without_a_user_namespace_is_refused, forbidden_user_namespaces_are_told_by_their_switch,
    life_of_a_container, exec_as_another_user_of_the_range, delete_force_ends_all_processes,
    ps_and_kill_all_find_processes_by_their_pid_namespace, limits_are_refused_by_name_where_no_group_is_delegated,
    limits_are_applied_where_a_group_is_delegated, limits_that_limit_nothing_need_no_group,
    without_a_group_what_needs_one_is_refused,
    cve_2023_25809_cgroup_tree_of_the_host_is_not_writable, locked_flags_of_a_source_stay,
    devices_are_the_host_s_and_nodes_of_the_bundle_do_not_work, sysfs_needs_a_network_namespace,
    lower_oom_score_is_refused_by_name, state_is_in_the_user_s_runtime_directory_or_where_he_says,
    root_of_a_user_namespace_needs_no_other_one, container_in_a_container, doctor_tells_the_user_the_truth,
]


def main():
    tap = Tap()
    why = "needs root" if os.geteuid() != 0 else "" if os.path.exists(NEWUIDMAP) else "uidmap is not installed"
    if not why:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        become_known()
    for test in TESTS:
        if why:
            tap.line(True, test.__name__.replace("_", " "), skip=why)
        else:
            tap.run(test)
    reap()
    shutil.rmtree(WORK, ignore_errors=True)
    print(f"1..{tap.n}")
    return int(tap.failed)


if __name__ == "__main__":
    sys.exit(main())
