#!/usr/bin/python3.11
"""Limits of containers, and escapes by way of control groups and devices, by the names they were published under.

Each attack is made by root inside, shows no effect outside, and has a harmless twin that works. Needs root.
"""
import os
import shutil
import subprocess
import sys

from bundle import SANDBOX, STATE, WORK, Bundle, equal
from lib import Skip, run_as_root


def caps(bundle, *names):
    bundle.config["process"]["capabilities"] = {kind: list(names) for kind in ("bounding", "effective", "permitted")}


def limits(**resources):
    b = Bundle("limits")
    b.config["linux"]["resources"] = resources
    return b


def groups():
    """Every group on this host that this test's containers could have made."""
    found = []
    for where, dirs, _ in os.walk("/sys/fs/cgroup"):
        found += [os.path.join(where, name) for name in dirs if f"-{os.getpid()}-" in name or "evil" in name]
    return found


# Name, kind and number, and whether a config without rules may open it.
DEVICES = [("null", "c 1 3", True), ("zero", "c 1 5", True), ("mem", "c 1 1", False), ("kmsg", "c 1 11", False),
           ("console", "c 5 1", False), ("fuse", "c 10 229", False), ("kvm", "c 10 232", False),
           ("sda", "b 8 0", False), ("vda", "b 254 0", False)]
RULES = [None, {}, {"devices": None}, {"devices": []}, {"devices": [{"allow": False, "access": "rwm"}]},
         {"memory": {"limit": 64 << 20}}]


def ghsa_g54h_m393_cpwq_a_config_without_rules_allows_no_devices():
    script = "".join(f"busybox mknod /dev/x{name} {number} && (exec 3</dev/x{name}) 2>/dev/null && echo {name};"
                     for name, number, _ in DEVICES)
    for rules in RULES:
        b = Bundle("devices")
        caps(b, "CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_SYS_RAWIO")
        if rules is not None:
            b.config["linux"]["resources"] = rules
        _, out, err = b.run(script)
        equal((rules, out.split()), (rules, [name for name, _, allowed in DEVICES if allowed]))
        equal(err, "")


def allowed_device_opens_and_its_neighbour_does_not():
    b = limits(devices=[{"allow": False, "access": "rwm"},
                        {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}])
    caps(b, "CAP_MKNOD", "CAP_SYSLOG")
    out = b.output("busybox mknod /dev/k c 1 11; busybox mknod /dev/m c 1 1; (exec 3</dev/k) && echo read;"
                   "(exec 3>/dev/k) 2>/dev/null || echo not written; (exec 3</dev/m) 2>/dev/null || echo not mem")
    equal(out.split("\n"), ["read", "not written", "not mem"])


def cve_2022_0492_release_agent_stays_the_host_s():
    agents = [os.path.join("/sys/fs/cgroup", name, "release_agent") for name in os.listdir("/sys/fs/cgroup")]
    before = {at: open(at, encoding="ascii").read() for at in agents if os.path.exists(at)}
    canary = os.path.join(WORK, "agent-ran")
    attack = f"""
        busybox mkdir -p /dev/cg
        for kind in memory pids cpu rdma misc net_cls; do
            busybox mount -t cgroup -o $kind cgroup /dev/cg && echo /bin/sh >/dev/cg/release_agent && echo written $kind
        done
        for f in /sys/fs/cgroup/*/release_agent; do
            echo '{canary}' >$f && echo written $f
        done"""
    for with_userns in (False, True):
        b = Bundle("agent")
        b.mount("/sys", type="sysfs", source="sysfs", options=["ro"])
        b.mount("/sys/fs/cgroup", type="cgroup", source="cgroup", options=["rw"])
        caps(b, "CAP_DAC_OVERRIDE", "CAP_SETUID", "CAP_SETGID")
        b.write("bin/attack", attack)
        _, out, _ = b.run("sh /bin/attack 2>/dev/null" if not with_userns else
                          "busybox unshare -r -m -C sh /bin/attack 2>/dev/null; echo tried")
        assert "written" not in out, out
    equal({at: open(at, encoding="ascii").read() for at in before}, before)
    assert not os.path.exists(canary)
    equal(Bundle("twin").output("echo fine"), "fine")


def cve_2023_25809_cgroup_tree_is_written_only_where_the_config_says_so():
    b = Bundle("tree")
    b.mount("/sys", type="sysfs", source="sysfs", options=["ro"])
    b.mount("/sys/fs/cgroup", type="cgroup", source="cgroup", options=["ro", "nosuid", "noexec", "nodev"])
    out = b.output("busybox mkdir /sys/fs/cgroup/evil 2>/dev/null || echo no; echo 0 2>/dev/null "
                   ">/sys/fs/cgroup/cgroup.freeze || echo no; busybox mount -o remount,rw /sys/fs/cgroup "
                   "2>/dev/null || echo no")
    equal(out.split(), ["no", "no", "no"])
    equal(groups(), [])


def groups_that_a_container_makes_are_its_own_and_go_with_it():
    b = Bundle("inner")
    b.mount("/sys", type="sysfs", source="sysfs", options=["ro"])
    b.mount("/sys/fs/cgroup", type="cgroup2", source="cgroup", options=["rw"])
    caps(b, "CAP_DAC_OVERRIDE")
    out = b.output("cd /sys/fs/cgroup && busybox mkdir -p evil/deep && echo $$ >evil/deep/cgroup.procs &&"
                   "busybox grep ^0: /proc/self/cgroup; busybox ls -d ../cgroup/*-*-* 2>/dev/null; true")
    equal(out, "0::/evil/deep")
    equal(groups(), [])


def groups_with_controllers_let_a_further_process_in():
    """As systemd inside does it: on v2 a group whose children have controllers takes no processes."""
    b = Bundle("delegated")
    b.mount("/sys", type="sysfs", source="sysfs", options=["ro"])
    b.mount("/sys/fs/cgroup", type="cgroup2", source="cgroup", options=["rw"])
    caps(b, "CAP_DAC_OVERRIDE")
    p = b.start("cd /sys/fs/cgroup && busybox mkdir -p in/deep && echo 0 >in/deep/cgroup.procs &&"
                "for c in $(cat cgroup.controllers); do echo +$c >cgroup.subtree_control; done;"
                "cat cgroup.subtree_control; exec busybox sleep 60")
    controllers = p.stdout.readline().split()
    name = f"{b.name}-{Bundle.count}"
    done = subprocess.run([SANDBOX, "--root", STATE, "exec", name, "/bin/busybox", "grep", "^0:", "/proc/self/cgroup"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    p.terminate()
    p.kill()
    p.communicate(timeout=60)
    subprocess.run([SANDBOX, "--root", STATE, "delete", "--force", name], check=True)
    if not controllers:
        raise Skip("there is no controller on v2")
    equal((done.stdout, done.stderr), ("0::/in/deep\n", ""))


def cgroup_tree_of_the_host_is_not_seen_from_a_user_namespace():
    b = Bundle("tree")
    b.config["linux"]["namespaces"] = [n for n in b.config["linux"]["namespaces"] if n["type"] != "cgroup"]
    b.mount("/sys/fs/cgroup", type="cgroup", source="cgroup", options=["rw"])
    b.in_user_namespace()
    out = b.output("cd /sys/fs/cgroup; [ -d memory ] && cd memory; busybox ls -d */ 2>/dev/null; busybox mkdir evil"
                   " 2>/dev/null && echo made; (echo 1 >cgroup.procs) 2>/dev/null && echo moved; "
                   "busybox cat cgroup.procs | busybox grep -c .")
    assert len(out) == 1 and 1 <= int(out) <= 5, out  # its own processes, and no group of others
    equal(groups(), [])


def processes_are_limited_from_the_first_on():
    out = limits(pids={"limit": 1}).run("(echo forked); echo end")[1]
    assert "forked" not in out, out
    out = limits(pids={"limit": 0}).run("(echo forked); echo end")[1]
    assert "forked" not in out, out
    equal(limits(pids={"limit": -1}).output("(echo forked); echo end"), "forked\nend")


def memory_is_limited():
    hog = "busybox dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null; echo $?"
    equal(limits(memory={"limit": 16 << 20, "swap": 16 << 20}).output(hog), "137")
    equal(limits(memory={"limit": 128 << 20}).output(hog), "0")


def limit_that_cannot_be_kept_stops_the_start_and_leaves_nothing():
    for resources, says in [
            ({"cpu": {"cpus": "4000"}}, "linux.resources.cpu.cpus: "),
            ({"rdma": {"mlx5": {"hcaHandles": 1}}}, "linux.resources.rdma"),
            ({"unified": {"memory.nothing": "1"}}, "unified resource \"memory.nothing\" can't be set"),
            ({"unified": {"../../memory.max": "1"}}, "linux.resources.unified"),
            ({"unified": {"cgroup.procs": "1"}}, "linux.resources.unified.cgroup.procs")]:
        status, out, err = limits(**resources).run("echo started")
        assert status == 1 and not out and says in err and "\n" not in err, (status, out, err)
    equal(groups(), [])


def group_is_where_cgroups_path_says_and_nowhere_else():
    b = Bundle("place")
    b.config["linux"]["cgroupsPath"] = f"above-{os.getpid()}-x/one"
    p = b.start("trap 'exit 0' TERM; echo up; busybox sleep 60 & wait")
    equal(p.stdout.readline(), "up\n")
    places = groups()
    assert places and all(at.endswith(f"/above-{os.getpid()}-x") for at in places), places
    assert all(os.path.isdir(os.path.join(at, "one")) for at in places)
    p.terminate()
    p.communicate(timeout=60)
    equal((p.returncode, groups()), (0, []))
    for path in ("system.slice:a:b", "/a/../../b"):
        b.config["linux"]["cgroupsPath"] = path
        status, _, err = b.run("echo started")
        assert status == 1 and "linux.cgroupsPath" in err, err


def nothing_is_left_behind():
    equal(groups(), [])


TESTS = [
    ghsa_g54h_m393_cpwq_a_config_without_rules_allows_no_devices,
    allowed_device_opens_and_its_neighbour_does_not,
    cve_2022_0492_release_agent_stays_the_host_s,
    cve_2023_25809_cgroup_tree_is_written_only_where_the_config_says_so,
    groups_that_a_container_makes_are_its_own_and_go_with_it,
    groups_with_controllers_let_a_further_process_in,
    cgroup_tree_of_the_host_is_not_seen_from_a_user_namespace,
    processes_are_limited_from_the_first_on,
    memory_is_limited,
    limit_that_cannot_be_kept_stops_the_start_and_leaves_nothing,
    group_is_where_cgroups_path_says_and_nowhere_else,
    nothing_is_left_behind,
]


if __name__ == "__main__":
    sys.exit(run_as_root(TESTS, "limits and escapes by groups", end=lambda: shutil.rmtree(WORK)))
