#!/usr/bin/python3.11
"""`sandbox run`: how the process is scheduled, where it works, and the namespaces it joins or sets.

Every effect is looked at from inside. Needs root.
"""
import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import time

from lib import Skip, run_as_root
from test_sandbox_run import ROOTFS, WORK, config_of, equal, linux, output, prepare, process, run, start

PR_CAPBSET_DROP, CAP_SYS_RESOURCE = 24, 24
IOPRIO = "import ctypes; print(ctypes.CDLL(None).syscall(252, 1, 0))"
NS = "import os; print({k: os.stat('/proc/self/ns/' + k).st_ino for k in os.listdir('/proc/self/ns')})"
MAPS = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def refused(change, says):
    status, out, err = run("print(5)", change)
    equal((status, out), (1, ""))
    assert err.startswith("sandbox run: " + says), err


def both(*changes):
    def change(config):
        os.chmod(WORK, 0o711)  # the root of a user namespace passes through
        for one in changes:
            one(config)
    return change


def namespaces(*new, drop=(), **paths):
    """The default ones and these, without some; name=path joins."""
    def change(config):
        rows = [n for n in config["linux"]["namespaces"] if n["type"] not in (*drop, *paths)]
        config["linux"]["namespaces"] = (rows + [{"type": n} for n in new]
                                         + [{"type": n, "path": p} for n, p in paths.items()])
    return change


@contextlib.contextmanager
def holder(*flags):
    """A process in new namespaces of unshare(1); its pid."""
    os.chmod(WORK, 0o711)  # a user namespace's root passes through
    with subprocess.Popen(["unshare", *flags, "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as p:
        try:
            p.stdout.readline()
            if "--user" in flags:
                for file in ("uid_map", "gid_map"):
                    with open(f"/proc/{p.pid}/{file}", "w", encoding="ascii") as f:
                        f.write("0 100000 65536")
            yield p.pid
        finally:
            p.stdin.close()


# --- scheduling ---

def policy_and_nice_are_as_configured():
    change = process(scheduler={"policy": "SCHED_BATCH", "nice": 5})
    equal(output("import os; print(os.sched_getscheduler(0), os.nice(0))", change), "3 5")
    change = process(scheduler={"policy": "SCHED_IDLE"})
    equal(output("import os; print(os.sched_getscheduler(0))", change), "5")


def realtime_priority_is_as_configured_or_refused():
    change = process(scheduler={"policy": "SCHED_FIFO", "priority": 7,
                                "flags": ["SCHED_FLAG_RESET_ON_FORK"]})
    status, out, err = run("import os; print(os.sched_getscheduler(0) & 255,"
                           "os.sched_getparam(0).sched_priority)", change)
    if status == 1 and any(why in err for why in (
            "scheduler: policy 1, nice 0, priority 7: EPERM", "control groups: join control group")):
        raise Skip("the group has no realtime budget here")
    equal((status, out, err), (0, "1 7\n", ""))


def nice_below_zero_is_set_in_a_user_namespace_too():
    change = both(process(scheduler={"policy": "SCHED_OTHER", "nice": -5}), namespaces("user"),
                  linux(uidMappings=MAPS, gidMappings=MAPS))
    equal(output("import os; print(os.nice(0))", change), "-5")


def io_priority_is_as_configured():
    equal(output(IOPRIO, process(ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 3})),
          str(2 << 13 | 3))
    equal(output(IOPRIO, process(ioPriority={"class": "IOPRIO_CLASS_IDLE"})), str(3 << 13))


def binding_to_cpus_is_not_inherited():
    if os.cpu_count() < 2:
        raise Skip("needs two CPUs")
    equal(output("import os; print(len(os.sched_getaffinity(0)))",
                 preexec_fn=lambda: os.sched_setaffinity(0, {0})), str(os.cpu_count()))


def personality_is_as_configured():
    code = "import os; print(os.uname().machine, open('/proc/self/personality').read())"
    equal(output(code, linux(personality={"domain": "LINUX32"})), "i686 00000008")
    equal(output(code, linux(personality={"domain": "LINUX"})), "x86_64 00000000")


def memory_policy_is_as_configured():
    # get_mempolicy
    code = ("import ctypes; m, n = ctypes.c_int(), (ctypes.c_ulong * 16)();"
            "r = ctypes.CDLL(None).syscall(239, ctypes.byref(m), n, 1024, 0, 0); print(r, m.value, n[0])")
    equal(output(code), "0 0 0")
    equal(output(code, linux(memoryPolicy={"mode": "MPOL_BIND", "nodes": "0"})), "0 2 1")
    equal(output(code, linux(memoryPolicy={"mode": "MPOL_INTERLEAVE", "nodes": "0",
                                           "flags": ["MPOL_F_STATIC_NODES"]})), "0 32771 1")
    refused(linux(memoryPolicy={"mode": "MPOL_BIND", "nodes": "1000"}), "tune: memory policy")


# --- the process ---

def home_is_that_of_the_root_s_passwd():
    with open(os.path.join(ROOTFS, "etc/passwd"), "a", encoding="ascii") as f:
        f.write("nobody-line\nx:x:77x:1::/no:/bin/sh\nme:x:7777:7777:me:/home/me:/bin/sh\n")
    code = "import os; print(os.environ.get('HOME'))"
    equal(output(code, process(user={"uid": 7777, "gid": 7777}, env=["A=1"])), "/home/me")
    equal(output(code, process(user={"uid": 7777, "gid": 7777}, env=["HOME="])), "/home/me")
    equal(output(code, process(user={"uid": 7777, "gid": 7777}, env=["HOME=/x"])), "/x")
    equal(output(code, process(user={"uid": 70000, "gid": 7}, env=[])), "/")


def passwd_that_is_no_file_tells_nothing():
    path = os.path.join(ROOTFS, "etc/passwd")
    os.rename(path, path + ".kept")
    code = "import os; print(os.environ.get('HOME'))"
    try:
        os.mkfifo(path)
        equal(output(code, process(env=[])), "/")
        os.unlink(path)
        os.symlink("/proc/self/environ", path)
        equal(output(code, process(env=[])), "/")
        os.unlink(path)
        equal(output(code, process(env=[])), "/")
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        os.rename(path + ".kept", path)


def missing_working_directory_is_made_inside_the_root():
    os.symlink("/srv/made", os.path.join(ROOTFS, "link"))
    code = "import os; print(os.getcwd(), oct(os.stat('.').st_mode))"
    equal(output(code, process(cwd="/new/a/b")), "/new/a/b 0o40755")
    os.makedirs(os.path.join(ROOTFS, "srv/made"))
    equal(output(code, process(cwd="/link/c")), "/srv/made/c 0o40755")
    assert not os.path.exists("/srv/made") and not os.path.exists("/new")


def working_directory_only_root_can_enter_is_entered():
    os.makedirs(os.path.join(ROOTFS, "closed"), mode=0o700)
    equal(output("import os; print(os.getcwd(), os.getuid())",
                 process(cwd="/closed", user={"uid": 1000, "gid": 1000})), "/closed 1000")


def labels_of_modules_that_are_off_are_refused():
    if not os.path.exists("/sys/module/apparmor"):
        refused(process(apparmorProfile="docker-default"),
                "apparmorProfile 'docker-default': AppArmor is not active on this host")
        equal(output("print(5)", process(apparmorProfile="unconfined")), "5")
    if not os.path.exists("/sys/fs/selinux/enforce"):
        refused(process(selinuxLabel="a:b:c:d"),
                "selinuxLabel 'a:b:c:d': SELinux is not active on this host")


def unknown_capability_is_left_out_with_a_warning():
    code = "print([l for l in open('/proc/self/status') if 'CapBnd' in l][0].split()[1])"
    status, out, err = run(code, process(capabilities={"bounding": ["CAP_FLY", "CAP_KILL"]}))
    equal((status, out), (0, "0000000000000020\n"))
    assert "unknown capability 'CAP_FLY'" in err, err


# --- settings of namespaces ---

def capabilities_can_be_inheritable_alone_for_any_user():
    caps = {s: ["CAP_KILL"] for s in ("bounding", "inheritable")}
    code = "print(*(l.split()[1] for l in open('/proc/self/status') if l[:6] in ('CapInh', 'CapPrm', 'CapBnd')))"
    equal(output(code, process(capabilities=caps, user={"uid": 1000, "gid": 1000})),
          "0000000000000020 0000000000000000 0000000000000020")


def capability_that_the_runtime_lacks_is_left_out_with_a_warning():
    lacking = "CAP_SYS_RESOURCE"
    caps = {s: [lacking, "CAP_KILL"] for s in ("bounding", "effective", "permitted", "inheritable", "ambient")}
    code = "print(*{l.split()[1] for l in open('/proc/self/status') if l.startswith('Cap')})"
    libc = ctypes.CDLL(None, use_errno=True)
    # As root: what is executed has the bounding set as permitted one.
    status, out, err = run(code, process(capabilities=caps),
                           preexec_fn=lambda: libc.prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0))
    equal((status, out), (0, "0000000000000020\n"))
    assert f"the runtime itself lacks {lacking}: left out" in err, err


def sysctls_are_set_in_its_namespaces_alone():
    names = {"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1", "net/core/somaxconn": "77",
             "kernel.domainname": "inside"}
    paths = ["/proc/sys/" + n.replace(".", "/") for n in names]
    before = [open(p, encoding="ascii").read() for p in paths]
    code = f"print([open(p).read().strip() for p in {paths!r}])"
    equal(output(code, linux(sysctl=names)), str(list(names.values())))
    equal([open(p, encoding="ascii").read() for p in paths], before)


def sysctls_of_a_user_namespace_s_network_are_set():
    change = both(namespaces("user"), linux(uidMappings=MAPS, gidMappings=MAPS,
                                            sysctl={"net.ipv4.ip_forward": "1"}))
    equal(output("print(open('/proc/sys/net/ipv4/ip_forward').read())", change), "1")


def sysctl_the_kernel_does_not_take_ends_the_start():
    refused(linux(sysctl={"net.ipv4.ip_forward": "x"}),
            "sysctl: write 'x' to '/proc/sys/net/ipv4/ip_forward': EINVAL")
    refused(linux(sysctl={"net.nothing": "1"}), "sysctl: open '/proc/sys/net/nothing': ENOENT")


def clocks_have_their_offsets():
    code = ("import time; print(int(time.clock_gettime(time.CLOCK_BOOTTIME)),"
            "int(time.clock_gettime(time.CLOCK_MONOTONIC)))")
    offsets = {"boottime": {"secs": 604800, "nanosecs": 5}, "monotonic": {"secs": 86400}}
    for more in (namespaces("time"), both(namespaces("time", "user"),
                                          linux(uidMappings=MAPS, gidMappings=MAPS))):
        boot, mono = map(int, output(code, both(more, linux(timeOffsets=offsets))).split())
        assert abs(boot - 604800 - time.clock_gettime(time.CLOCK_BOOTTIME)) < 60, boot
        assert abs(mono - 86400 - time.clock_gettime(time.CLOCK_MONOTONIC)) < 60, mono
    refused(both(namespaces("time"), linux(timeOffsets={"monotonic": {"secs": -1 << 62}})),
            "time namespace: write 'monotonic -")


# --- network devices ---

def with_veth():
    """In the runtime: a network namespace of its own, in it a pair a0, b0; a0 has addresses."""
    assert ctypes.CDLL(None).unshare(0x40000000) == 0
    for words in ("link add a0 type veth peer name b0", "addr add 192.0.2.7/24 dev a0",
                  "addr add 2001:db8::7/64 dev a0 nodad", "link set a0 mtu 1400 up", "link set b0 up"):
        subprocess.run(["ip", *words.split()], check=True)


LINK = """
import json, socket, fcntl, struct
def ask(name, code):
    return fcntl.ioctl(socket.socket(), code, struct.pack('256s', name.encode()))
print(sorted(n for _, n in socket.if_nameindex()))
for _, n in socket.if_nameindex():
    if n != 'lo':
        print(socket.inet_ntoa(ask(n, 0x8915)[20:24]), socket.inet_ntoa(ask(n, 0x891b)[20:24]),
              struct.unpack('i', ask(n, 0x8921)[16:20])[0], ask(n, 0x8913)[16] & 1)
        print([l.split()[0][-2:] for l in open('/proc/net/if_inet6') if l.startswith('20010db8')])
"""


def network_device_moves_with_its_addresses():
    want = "192.0.2.7 255.255.255.0 1400 1\n['07']"
    equal(output(LINK, linux(netDevices={"a0": {}}), preexec_fn=with_veth), "['a0', 'lo']\n" + want)
    equal(output(LINK, linux(netDevices={"a0": {"name": "eth0"}}), preexec_fn=with_veth),
          "['eth0', 'lo']\n" + want)
    change = both(namespaces("user"), linux(uidMappings=MAPS, gidMappings=MAPS,
                                            netDevices={"a0": {"name": "x"}}))
    equal(output(LINK, change, preexec_fn=with_veth), "['lo', 'x']\n" + want)


def network_device_that_cannot_move_ends_the_start():
    for name, new, says in (("none", "x", "find it: "), ("lo", "x", "move: "), ("a0", "lo", "move: ")):
        status, out, err = run("print(5)", linux(netDevices={name: {"name": new}}), preexec_fn=with_veth)
        equal((status, out), (1, ""))
        assert err.startswith(f"sandbox run: network device '{name}' as '{new}': {says}"), err


# --- namespaces by path ---

def inode(pid, name):
    return os.stat(f"/proc/{pid}/ns/{name}").st_ino


def joined(holder_pid, code=NS, *new, more=None, **kinds):
    """What runs with these kinds joined (kind=file below ns) prints."""
    paths = {kind: f"/proc/{holder_pid}/ns/{file}" for kind, file in kinds.items()}
    change = namespaces(*new, **paths)
    return output(code, both(change, more) if more else change)


def each_kind_is_joined_by_path():
    with holder("--net", "--ipc", "--uts", "--cgroup", "--time") as pid:
        for kind, file in (("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("cgroup", "cgroup"),
                           ("time", "time")):
            more = (lambda c: c.pop("hostname")) if kind == "uts" else None
            got = eval(joined(pid, more=more, **{kind: file}))
            want = "time_for_children" if kind == "time" else file
            equal(got[file], inode(pid, want) if kind != "time" else inode(pid, "time"))


def several_are_joined_together():
    with holder("--net", "--ipc", "--uts") as pid:
        got = eval(joined(pid, network="net", ipc="ipc", more=lambda c: None))
        equal((got["net"], got["ipc"]), (inode(pid, "net"), inode(pid, "ipc")))
        assert got["mnt"] != os.stat("/proc/self/ns/mnt").st_ino


def pid_namespace_is_joined():
    with holder("--pid", "--fork", "--kill-child") as pid:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            inside = f.read().split()[0]
        got = eval(joined(inside, "import os; print((os.getpid(), os.stat('/proc/self/ns/pid').st_ino))",
                          pid="pid"))
        equal(got[1], inode(inside, "pid"))
        assert got[0] > 1, got


def mount_namespace_is_joined():
    with holder("--mount") as pid:
        got = eval(joined(pid, mount="mnt"))
        equal(got["mnt"], inode(pid, "mnt"))


def user_namespace_is_joined_and_owns_what_is_new():
    with holder("--user", "--net") as pid:
        code = ("import os, fcntl; n = open('/proc/self/ns/ipc');"
                "o = fcntl.ioctl(n, 0xb701); print((os.fstat(o).st_ino, os.stat('/proc/self/ns/user').st_ino,"
                "os.stat('/proc/self/ns/net').st_ino, open('/proc/self/uid_map').read().split()))")
        got = eval(joined(pid, code, user="user", network="net"))
        equal(got, (inode(pid, "user"), inode(pid, "user"), inode(pid, "net"), ["0", "100000", "65536"]))
        # mappings that are given must be those it has
        equal(eval(joined(pid, user="user", more=linux(uidMappings=MAPS, gidMappings=MAPS)))["user"],
              inode(pid, "user"))
        wrong = [{"containerID": 0, "hostID": 200000, "size": 65536}]
        refused(both(namespaces(user=f"/proc/{pid}/ns/user"), linux(uidMappings=wrong, gidMappings=wrong)),
                "id maps: uid_map of the user namespace that is joined is another")


def host_s_network_is_joined_by_a_user_namespace_without_power_over_it():
    with holder("--net") as pid:
        code = ("import os, socket, fcntl; s = socket.socket();\n"
                "try: fcntl.ioctl(s, 0x8914, b'lo' + bytes(14) + b'\\x41' + bytes(21)); print('up')\n"
                "except PermissionError: print(os.stat('/proc/self/ns/net').st_ino)")
        def change(config):  # nor does the kernel give it a sysfs of that network
            config["mounts"] = [m for m in config["mounts"] if not m["destination"].startswith("/sys")]
            config["linux"].update(uidMappings=MAPS, gidMappings=MAPS)
        equal(joined(pid, code, "user", network="net", more=both(change)), str(inode(pid, "net")))


def what_is_no_namespace_of_the_kind_is_refused():
    refused(namespaces(network="/proc/self/ns/ipc"),
            "namespace '/proc/self/ns/ipc': is not a network namespace")
    refused(namespaces(network="/etc/passwd"), "namespace '/etc/passwd': is not a namespace")
    refused(namespaces(network="/dev/zero"), "namespace '/dev/zero': is not a namespace")
    refused(namespaces(network="/nonexistent"), "namespace '/nonexistent': open: ENOENT")
    fifo = os.path.join(ROOTFS, "fifo")
    os.mkfifo(fifo)  # does not block
    refused(namespaces(network=fifo), f"namespace '{fifo}': is not a namespace")
    refused(namespaces(user="/proc/self/ns/user"),
            "namespace '/proc/self/ns/user': is the user namespace of the runtime itself")


def what_would_change_the_runtime_s_own_namespace_is_refused():
    refused(both(namespaces(network="/proc/self/ns/net"), linux(sysctl={"net.ipv4.ip_forward": "1"})),
            "namespace '/proc/self/ns/net': is the network namespace of the runtime itself")
    before = os.uname().nodename
    refused(both(namespaces(uts="/proc/self/ns/uts"), lambda c: c.update(hostname="pwned")),
            "namespace '/proc/self/ns/uts': is the uts namespace of the runtime itself")
    equal(os.uname().nodename, before)
    equal(eval(output(NS, namespaces(network="/proc/self/ns/net")))["net"], inode("self", "net"))


# --- named escapes ---

def cve_2017_5985_namespace_of_a_higher_user_namespace_is_refused():
    """A runtime in a user namespace is handed the host's network: it must not act there."""
    p = start(config_of("print(5)", namespaces("user", network="/proc/1/ns/net", drop=("cgroup",))),
              preexec_fn=lambda: ctypes.CDLL(None).unshare(0x10000000))
    out, err = p.communicate(timeout=60)
    assert p.returncode != 0 and out == "", (out, err)


def cve_2019_16884_sysctl_is_not_written_through_the_root_s_proc():
    """The bundle's /proc is a directory of its own, and a link: neither is looked at."""
    fake = os.path.join(ROOTFS, "proc")
    os.rename(fake, fake + ".kept")
    try:
        os.makedirs(fake + "/sys/net/ipv4")
        with open(fake + "/sys/net/ipv4/ip_forward", "w", encoding="ascii") as f:
            f.write("untouched")
        before = open("/proc/sys/net/ipv4/ip_forward", encoding="ascii").read()

        def without_proc(config):
            config["mounts"] = [m for m in config["mounts"] if not m["destination"].startswith("/proc")]
            config["linux"].update(sysctl={"net.ipv4.ip_forward": "1"}, maskedPaths=[], readonlyPaths=[])
        equal(output("print(open('/proc/sys/net/ipv4/ip_forward').read())", without_proc), "untouched")
        equal(open("/proc/sys/net/ipv4/ip_forward", encoding="ascii").read(), before)
    finally:
        shutil.rmtree(fake)
        os.rename(fake + ".kept", fake)


def cve_2022_29162_nothing_is_inheritable_or_ambient_unless_asked_for():
    caps = ["CAP_KILL", "CAP_CHOWN"]
    code = "print([l.split()[1] for l in open('/proc/self/status') if l[:6] in ('CapInh', 'CapAmb')])"
    for user in (0, 1000):
        equal(output(code, process(user={"uid": user, "gid": user}, capabilities={
            "bounding": caps, "permitted": caps, "effective": caps})), str(["0" * 16] * 2))


def cve_2024_21626_no_descriptor_of_the_host_is_a_working_directory():
    """Descriptors of host directories are open in the runtime; each number is tried as cwd."""
    fds = [os.open("/", os.O_RDONLY | os.O_DIRECTORY) for _ in range(60)]
    for fd in fds:
        os.set_inheritable(fd, True)
    try:
        for fd in (*range(3, 20), 33, 48, 64):
            for path in (f"/proc/self/fd/{fd}", f"/proc/self/fd/{fd}/..", f"/proc/thread-self/fd/{fd}/etc"):
                status, out, err = run("import os; print(os.getcwd())", process(cwd=path), close_fds=False)
                equal((status, out), (1, ""))
                assert err.startswith("sandbox run: working directory: "), err
        equal(output("import os; print(sorted(os.listdir('/proc/self/fd'))[:3], len(os.listdir('/proc/self/fd')))",
                     close_fds=False), "['0', '1', '2'] 4")
    finally:
        for fd in fds:
            os.close(fd)


TESTS = [
    policy_and_nice_are_as_configured,
    realtime_priority_is_as_configured_or_refused,
    nice_below_zero_is_set_in_a_user_namespace_too,
    io_priority_is_as_configured,
    binding_to_cpus_is_not_inherited,
    personality_is_as_configured,
    memory_policy_is_as_configured,
    home_is_that_of_the_root_s_passwd,
    passwd_that_is_no_file_tells_nothing,
    missing_working_directory_is_made_inside_the_root,
    working_directory_only_root_can_enter_is_entered,
    labels_of_modules_that_are_off_are_refused,
    unknown_capability_is_left_out_with_a_warning,
    capabilities_can_be_inheritable_alone_for_any_user,
    capability_that_the_runtime_lacks_is_left_out_with_a_warning,
    sysctls_are_set_in_its_namespaces_alone,
    sysctls_of_a_user_namespace_s_network_are_set,
    sysctl_the_kernel_does_not_take_ends_the_start,
    clocks_have_their_offsets,
    network_device_moves_with_its_addresses,
    network_device_that_cannot_move_ends_the_start,
    each_kind_is_joined_by_path,
    several_are_joined_together,
    pid_namespace_is_joined,
    mount_namespace_is_joined,
    user_namespace_is_joined_and_owns_what_is_new,
    host_s_network_is_joined_by_a_user_namespace_without_power_over_it,
    what_is_no_namespace_of_the_kind_is_refused,
    what_would_change_the_runtime_s_own_namespace_is_refused,
    cve_2017_5985_namespace_of_a_higher_user_namespace_is_refused,
    cve_2019_16884_sysctl_is_not_written_through_the_root_s_proc,
    cve_2022_29162_nothing_is_inheritable_or_ambient_unless_asked_for,
    cve_2024_21626_no_descriptor_of_the_host_is_a_working_directory,
]

if __name__ == "__main__":
    sys.exit(run_as_root(TESTS, "processes of containers", begin=prepare, end=lambda: shutil.rmtree(WORK)))
