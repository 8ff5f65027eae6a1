#!/usr/bin/python3.11
"""podman with our runtime gives the answers it gives with runc: what containers may do and see. Needs root."""
import json
import os
import shutil
import sys

from engines import main, test
from engines_podman import Podman
from lib import Skip


# --- limits ---

@test
def the_memory_limit_is_seen(p):
    name = p.start(options=["--memory", "48m"])
    directory = p.group_of(name, "memory")
    v1 = os.path.exists(directory + "/memory.limit_in_bytes")
    with open(directory + ("/memory.limit_in_bytes" if v1 else "/memory.max"), encoding="ascii") as f:
        assert f.read() == f"{48 << 20}\n"
    return p("exec", name, "sh", "-c", "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes",
             status=None).stdout


@test
def too_much_memory_is_137_and_OOMKilled(p):
    name = p.start("dd", "if=/dev/zero", "of=/dev/null", "bs=96M", options=["--memory", "24m", "--memory-swap", "24m"],
                   wait="")
    assert p("wait", name).stdout == "137\n"
    state = p.state(name)
    # Debian's conmon writes this file where it was started, its podman reads it elsewhere.
    noticed = os.path.exists(os.path.join(p.home, "oom"))
    assert state["ExitCode"] == 137 and (state["OOMKilled"] or noticed), state
    return state["OOMKilled"], noticed


@test
def the_limit_of_processes_holds(p):
    text = p.run("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; echo lost",
                 options=["--pids-limit", "6"], status=None)
    assert "can't fork" in text.stderr and "lost" not in text.stdout, (text.stdout, text.stderr)
    return text.status


@test
def an_unlimited_number_of_processes_is(p):
    """podman writes 0 for it."""
    for limit in ("0", "-1"):
        assert p.out("(echo forked)", "--pids-limit", limit) == "forked\n"


@test
def cpu_limits_are_set(p):
    name = p.start(options=["--cpus", "0.5", "--cpu-shares", "512", "--cpuset-cpus", "0"])
    directory = p.group_of(name, "cpu")
    found = []
    for file in ("cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.shares", "cpu.max", "cpu.weight"):
        if os.path.exists(f"{directory}/{file}"):
            with open(f"{directory}/{file}", encoding="ascii") as f:
                found.append((file, f.read()))
    assert found
    return found, p("exec", name, "grep", "Cpus_allowed_list", "/proc/self/status").stdout


@test
def ulimits_are_set(p):
    return p.out("ulimit -n; ulimit -Hn; ulimit -c", "--ulimit", "nofile=64:128", "--ulimit", "core=0", "--ulimit",
                 "nproc=99:99")


@test
def sysctls_are_set(p):
    assert p.out("cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward", "--sysctl", "kernel.msgmax=4096",
                 "--sysctl", "net.ipv4.ip_forward=1").split() == ["4096", "1"]
    return p.run("true", options=["--sysctl", "kernel.nothing_here=1"], status=None).status


@test
def oom_score_adj_is_set(p):
    assert p.out("cat /proc/self/oom_score_adj", "--oom-score-adj", "300") == "300\n"


# --- users, capabilities, filters ---

@test
def users_and_groups_are_those_named(p):
    assert p.run("id", options=["--user", "1000:1000"]).stdout.startswith("uid=1000(worker) gid=1000")
    return [p.run("id", options=["--user", user, *more]).stdout for user, *more in (
        ("worker",), ("1000:1000",), ("worker", "--group-add", "1234"), ("99:98",))]


@test
def capabilities_are_those_of_the_engine(p):
    show = "grep Cap /proc/self/status"
    assert "CapEff:\t0000000000000000" in p.out(show, "--cap-drop", "all")
    return [p.out(show, *options) for options in (
        (), ("--cap-drop", "all"), ("--cap-drop", "all", "--cap-add", "net_bind_service"), ("--cap-add", "sys_ptrace"),
        ("--user", "worker"), ("--user", "worker", "--cap-add", "net_raw"), ("--privileged",))]


@test
def a_dropped_capability_is_missed(p):
    p.run("chown", "5", "/srv", options=["--cap-drop", "chown"], status=1)
    p.run("chown", "5", "/srv")


@test
def no_new_privileges_is_set(p):
    show = "grep NoNewPrivs /proc/self/status"
    assert p.out(show, "--security-opt", "no-new-privileges").split()[1] == "1"
    assert p.out(show).split()[1] == "0"


@test
def seccomp_profiles_are_installed(p):
    profile = os.path.join(p.home, "profile.json")
    with open(profile, "w", encoding="ascii") as f:
        json.dump({"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{"architecture": "SCMP_ARCH_X86_64"}], "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}, f)
    show = "grep Seccomp: /proc/self/status"
    assert p.out(show).split()[1] == "2"
    assert p.out(show, "--security-opt", "seccomp=unconfined").split()[1] == "0"
    done = p.run("sh", "-c", "mkdir /srv/a; mkfifo /srv/b && echo made",
                 options=["--security-opt", "seccomp=" + profile])
    assert done.stdout == "made\n" and "Operation not permitted" in done.stderr, (done.stdout, done.stderr)


@test
def masked_and_readonly_paths_are(p):
    return p.out("ls /proc/acpi /sys/firmware /proc/scsi; cat /proc/kcore /proc/timer_list | wc -c; "
                 "for f in /proc/sys /proc/bus /proc/irq /proc/sysrq-trigger; do test -w $f && echo $f; done; "
                 "echo x 2>&1 >/proc/sys/kernel/hostname", status=None)


@test
def an_unmasked_path_is_there(p):
    return p.out("ls /proc/acpi /sys/firmware | sort", "--security-opt", "unmask=ALL", status=None)


# --- files ---

@test
def a_read_only_root_cannot_be_written(p):
    done = p.run("sh", "-c", "touch /srv/x; touch /tmp/y && echo tmp", options=["--read-only"])
    assert "Read-only file system" in done.stderr and done.stdout == "tmp\n", (done.stdout, done.stderr)
    done = p.run("touch", "/tmp/y", options=["--read-only", "--read-only-tmpfs=false"], status=1)
    assert "Read-only file system" in done.stderr, done.stderr


@test
def tmpfs_mounts_have_their_options(p):
    text = p.out("grep /scratch /proc/mounts; stat -c %a /scratch; "
                 "dd if=/dev/zero of=/scratch/f bs=1k count=100 2>/dev/null; stat -c %s /scratch/f",
                 "--tmpfs", "/scratch:size=64k,mode=1770,noexec")
    assert text.splitlines()[1:] == ["1770", "65536"], text
    return text


@test
def volumes_are_read_write_or_read_only(p):
    directory = os.path.join(p.home, "volume")
    os.makedirs(directory, exist_ok=True)
    p.out("echo x >/data/file", "-v", directory + ":/data")
    with open(directory + "/file", encoding="ascii") as f:
        assert f.read() == "x\n"
    done = p.run("sh", "-c", "cat /data/file; touch /data/more", options=["-v", directory + ":/data:ro"], status=1)
    assert done.stdout == "x\n" and "Read-only file system" in done.stderr, (done.stdout, done.stderr)
    assert not os.path.exists(directory + "/more")
    shutil.rmtree(directory)


@test
def a_file_is_mounted_as_a_volume(p):
    path = os.path.join(p.home, "file")
    with open(path, "w", encoding="ascii") as f:
        f.write("text\n")
    assert p.out("cat /etc/new/file", "--mount", f"type=bind,src={path},dst=/etc/new/file,ro") == "text\n"


@test
def named_volumes_last(p):
    p("volume", "create", "vol")
    p.out("echo kept >/data/file", "-v", "vol:/data")
    assert p.out("cat /data/file", "-v", "vol:/data:ro,noexec") == "kept\n"
    assert p.out("ls -A /data", "-v", "/data") == ""


@test
def mounts_are_those_of_runc(p):
    """All places; kinds and options but for what hides a path: there we are stricter."""
    rows = [line.split() for line in p.out("cat /proc/self/mounts").splitlines()]
    shown = [(where, kind, options.split(",lowerdir")[0]) for _, where, kind, options, *_ in rows
             if kind not in ("tmpfs", "devtmpfs") or where.startswith("/dev")]
    return sorted(row[1] for row in rows), sorted(shown)


@test
def dev_is_that_of_runc(p):
    return p.out("cd /dev; ls -l | awk '{ print $1, $3, $4, $5, $6 }' | grep -E '^[cb]'; ls; "
                 "for l in fd stdin stdout stderr ptmx core; do readlink $l; done; true")


@test
def a_device_is_passed_in(p):
    show = "head -c 3 /dev/nil | wc -c; ls -l /dev/nil"
    text = p.out(show, "--device", "/dev/zero:/dev/nil")
    assert text.split()[0] == "3" and "1,   5" in text, text
    text = p.out("head -c 3 /dev/nil | wc -c; echo x >/dev/nil || echo no", "--device", "/dev/kmsg:/dev/nil:r")
    assert text.endswith("no\n"), text


@test
def a_device_that_was_not_passed_cannot_be_opened(p):
    done = p.run("sh", "-c", "mknod /srv/null c 1 11 && cat /srv/null", options=["--cap-add", "mknod"], status=1)
    assert "Operation not permitted" in done.stderr, done.stderr


# --- all kinds ---

OPTIONS = (
    (("--shm-size", "1m"), "grep shm /proc/mounts"),
    (("--security-opt", "proc-opts=hidepid=2"), "grep '/proc ' /proc/mounts"),
    (("--security-opt", "mask=/srv:/etc/plain"), "ls -A /srv; cat /etc/plain"),
    (("--mount", "type=tmpfs,dst=/etc,tmpcopyup"), "ls /etc; grep ' /etc ' /proc/mounts"),
    (("--mount", "type=tmpfs,dst=/etc,notmpcopyup"), "ls /etc"),
    (("--mount", "type=devpts,dst=/new"), "ls /new; grep /new /proc/mounts"),
    (("--volume", "/etc:/host:ro,rslave"), "grep ' /host ' /proc/mounts | cut -d' ' -f2,4"),
    (("--volume", "/etc:/host:O"), "touch /host/new; ls /host/new"),
    (("--umask", "0077"), "umask; touch /srv/x; stat -c %a /srv/x"),
    (("--memory-reservation", "32m"), "cat /sys/fs/cgroup/memory/memory.soft_limit_in_bytes"),
    (("--memory", "64m", "--memory-swap", "-1"), "cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"),
    (("--cpuset-cpus", "0", "--cpuset-mems", "0"), "grep Cpus_allowed_list /proc/self/status"),
    (("--cgroupns=private",), "sort /proc/self/cgroup"),
    (("--hostname", "long.name.of.a.host"), "hostname; cat /etc/hostname"),
    (("--tz", "Etc/UTC"), "cat /etc/localtime | wc -c"),
    (("--privileged",), "ls /dev; grep Seccomp: /proc/self/status"),
    (("--privileged", "--read-only"), "touch /x; grep -c '^overlay / overlay ro' /proc/mounts"),
    (("--device-cgroup-rule", "c 1:5 rwm", "--cap-add", "mknod"), "mknod /srv/z c 1 5 && head -c2 /srv/z | wc -c"),
    (("--ulimit", "nofile=32:64", "--ulimit", "nproc=99:99"), "cat /proc/self/limits"),
    (("--user", "1000", "--privileged"), "id; grep Cap /proc/self/status"),
    (("--workdir", "/root", "--user", "1000"), "pwd"),
    (("--sysctl", "kernel.shm_rmid_forced=1"), "cat /proc/sys/kernel/shm_rmid_forced"),
    (("--cap-add", "sys_admin"), "mount -t tmpfs x /srv && grep -c /srv /proc/mounts"),
    (("--systemd=always",), "cut -d' ' -f2 /proc/mounts | sort"),
)


@test
def options_do_what_they_do_with_runc(p):
    done = [(options, p.run("sh", "-c", script, options=options, status=None)) for options, script in OPTIONS]
    return [(options, d.status, d.stdout, d.stderr) for options, d in done]


# --- namespaces ---

@test
def network_none_has_loopback_only(p):
    assert p.out("ls /sys/class/net; cat /sys/class/net/lo/operstate; ping -c 1 -w 2 127.0.0.1 >/dev/null && echo up",
                 "--cap-add", "net_raw").split() == ["lo", "unknown", "up"]


@test
def network_host_is_the_hosts(p):
    assert p.out("readlink /proc/self/ns/net", "--network=host").strip() == os.readlink("/proc/self/ns/net")


@test
def namespaces_of_another_container_are_joined(p):
    name = p.start()
    show = "for n in pid net ipc; do readlink /proc/self/ns/$n; done"
    ours = p("exec", name, "sh", "-c", show).stdout
    text = p.out(show + "; ps | grep waiter",
                 "--pid=container:" + name, "--network=container:" + name, "--ipc=container:" + name)
    assert text.startswith(ours) and "/bin/waiter" in text, (text, ours)


@test
def namespaces_of_the_host_are_kept(p):
    assert p.out("for n in pid ipc uts cgroup; do readlink /proc/self/ns/$n; done", "--pid=host", "--ipc=host",
                  "--uts=host", "--cgroupns=host").split() == [
        os.readlink("/proc/self/ns/" + kind) for kind in ("pid", "ipc", "uts", "cgroup")]


@test
def ids_are_mapped_in_a_user_namespace(p):
    name = p.start(options=["--uidmap", "0:100000:5000", "--gidmap", "0:200000:5000"])
    with open(f"/proc/{p.state(name)['Pid']}/status", encoding="ascii") as f:
        assert "Uid:\t100000\t100000\t100000\t100000" in f.read()
    return p("exec", name, "sh", "-c", "id; cat /proc/self/uid_map; ls -l /bin/busybox; touch /srv/x && echo w").stdout


@test
def an_init_reaps(p):
    if not shutil.which("catatonit") and not os.path.exists("/usr/libexec/podman/catatonit"):
        raise Skip("there is no catatonit")
    text = p.out("cat /proc/1/comm; echo $PPID; (true &); "
                 "while grep -q 'State:.Z' /proc/[0-9]*/status; do sleep 0.05; done; echo reaped", "--init")
    assert text.split() == ["podman-init", "1", "reaped"], text


if __name__ == "__main__":
    sys.exit(main(Podman))
