#!/usr/bin/python3.11
"""containerd's ctr with our runtime gives the answers that it gives with runc. Needs root; see engines.py.

The runc v2 shim calls the runtime that its options name (BinaryName, ctr's --runc-binary), and reads its errors from
the log that it names by --log.
"""
import json
import os
import shutil
import signal
import subprocess
import sys

from engines import IMAGE, Engine, main, test, with_pty
from lib import wait_for

CONFIG = """version = 2
root = "%(home)s/root"
state = "%(home)s/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.tracing"]
[grpc]
address = "%(home)s/socket"
"""


class Ctr(Engine):
    needs = ("containerd", "ctr", "containerd-shim-runc-v2")

    def __init__(self, world, runtime):
        super().__init__(world, runtime)
        self.name = os.path.basename(runtime)
        self.home = world.path("ctr-" + self.name)
        os.mkdir(self.home)
        config = os.path.join(self.home, "config.toml")
        with open(config, "w", encoding="utf-8") as f:
            f.write(CONFIG % {"home": self.home})
        with open(self.home + "/containerd.log", "wb") as log:
            self.daemon = subprocess.Popen(["containerd", "--config", config], stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=log)
        wait_for(lambda: self("version", status=None).status == 0, "containerd answers")
        self("images", "import", "--snapshotter", "overlayfs", world.image)

    def environment(self):
        return {**os.environ, "CONTAINERD_NAMESPACE": "engines"}

    def command(self):
        return ["ctr", "--address", self.home + "/socket"]

    def words(self, name, *options):
        return ("run", "--snapshotter", "overlayfs", "--runc-binary", self.runtime, "--runc-root", self.home + "/runc",
                "--cgroup", f"/{self.world.group}/{name}", *options, IMAGE, name)

    def run(self, *words, options=(), **more):
        return self(*self.words(self.new_name(), "--rm", *options), *words, **more)

    def out(self, script, *options, **more):
        return self.run("sh", "-c", script, options=options, **more).stdout

    def log(self, name):
        with open(f"{self.home}/{name}.log", encoding="utf-8") as f:
            return f.read()

    def start(self, *words, options=()):
        """A detached one that has printed "ready"; its name."""
        name = self.new_name()
        self(*self.words(name, "--detach", "--log-uri", f"file://{self.home}/{name}.log", *options),
             *(words or ["waiter"]))
        wait_for(lambda: "ready" in self.log(name), f"{name} is ready")
        return name

    def exec(self, name, *words, options=(), **more):
        self.count += 1
        return self("task", "exec", "--exec-id", f"e{self.count}", *options, name, *words, **more)

    def status(self, name):
        for line in self("task", "ls").stdout.splitlines():
            if line.split()[0] == name:
                return line.split()[2]
        return None

    def clean(self):
        for name in self("task", "ls", "--quiet").stdout.split():
            self("task", "resume", name, status=None)
            self("task", "delete", "--force", name)
        for name in self("container", "ls", "--quiet").stdout.split():
            self("container", "delete", name)

    def close(self):
        self.clean()
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(timeout=60)
        shutil.rmtree(self.home)


# --- run ---

@test
def run_gives_exit_status_stdout_and_stderr(c):
    done = c.run("sh", "-c", "echo out; echo err >&2; exit 3", status=3)
    assert (done.stdout, done.stderr) == ("out\n", "err\n"), (done.stdout, done.stderr)


@test
def stdin_reaches_the_process(c):
    assert c.run("head", "-n", "1", data=b"line\nmore\n").stdout == "line\n"


@test
def output_to_nowhere_can_be_written(c):
    """The shim gives the null device, opened for reading alone."""
    c.run("echo", "lost", options=["--null-io"])


@test
def env_cwd_and_mounts_are_set(c):
    path = os.path.join(c.home, "file")
    with open(path, "w", encoding="ascii") as f:
        f.write("text\n")
    text = c.out("echo $A $FROM_IMAGE $PWD; cat /srv/file; echo x >/srv/file || echo ro", "--env", "A=b",
                 "--cwd", "/tmp", "--mount", f"type=bind,src={path},dst=/srv/file,options=rbind:ro")
    assert text == "b yes /tmp\ntext\nro\n", text


@test
def a_command_that_is_not_there_is_told(c):
    done = c.run("nothing-here", status=1)
    assert "executable file not found in $PATH" in done.stderr, done.stderr
    done = c.run("/etc/plain", status=1)
    assert "permission denied" in done.stderr, done.stderr


@test
def a_read_only_root_cannot_be_written(c):
    done = c.run("touch", "/srv/x", options=["--read-only"], status=1)
    assert "Read-only file system" in done.stderr, done.stderr
    c.run("touch", "/srv/x")


@test
def capabilities_are_those_of_the_engine(c):
    show = "grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status"
    return [c.out(show, *options) for options in (
        (), ("--cap-drop", "CAP_CHOWN"), ("--cap-add", "CAP_SYS_PTRACE"), ("--privileged",), ("--allow-new-privs",),
        ("--seccomp",))]


@test
def a_seccomp_profile_is_installed(c):
    profile = os.path.join(c.home, "profile.json")
    with open(profile, "w", encoding="ascii") as f:
        json.dump({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}, f)
    done = c.run("sh", "-c", "mkdir /srv/a; mkfifo /srv/b && echo made",
                 options=["--seccomp", "--seccomp-profile", profile])
    assert done.stdout == "made\n" and "Operation not permitted" in done.stderr, (done.stdout, done.stderr)


@test
def mounts_and_devices_are_where_runc_has_them(c):
    return c.out("cut -d' ' -f2,3 /proc/self/mounts | grep -vE ' (dev)?tmpfs' | sort; "
                 "ls -l /dev | awk '/^[cb]/ { print $1, $3, $4, $5, $6 }'; ls /dev")


@test
def options_do_what_they_do_with_runc(c):
    return [c.run("sh", "-c", script, options=options, status=None).stdout for options, script in (
        (("--no-pivot",), "cut -d' ' -f2 /proc/mounts | sort"),
        (("--privileged",), "ls /dev"),
        (("--read-only", "--mount", "type=tmpfs,dst=/tmp,options=mode=1777"), "touch /tmp/x && echo tmp; touch /x"),
        (("--annotation", "a=b", "--cgroup", ""), "echo started"),
        (("--env", "A=1", "--env", "PATH=/usr/bin:/bin"), "env | grep -v HOSTNAME | sort"))]


@test
def a_device_is_passed_in(c):
    assert c.out("head -c 3 /dev/kmsg >/dev/null 2>&1; ls -l /dev/kmsg", "--device", "/dev/kmsg").startswith("crw")


@test
def network_is_the_engines(c):
    assert c.out("ls /sys/class/net").split() == ["lo"]
    assert c.out("readlink /proc/self/ns/net", "--net-host").strip() == os.readlink("/proc/self/ns/net")


@test
def namespaces_are_joined_by_path(c):
    name = c.start()
    pid = next(line.split()[1] for line in c("task", "ls").stdout.splitlines() if line.split()[0] == name)
    for kind, proc in (("network", "net"), ("ipc", "ipc"), ("uts", "uts")):
        text = c.out(f"readlink /proc/self/ns/{proc}", "--with-ns", f"{kind}:/proc/{pid}/ns/{proc}")
        assert text.strip() == os.readlink(f"/proc/{pid}/ns/{proc}"), (kind, text)


# --- limits ---

@test
def limits_are_in_the_group(c):
    return c.out("cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; "
                 "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.shares 2>/dev/null; true",
                 "--memory-limit", str(48 << 20), "--cpus", "0.5", "--cpu-shares", "512")


@test
def too_much_memory_is_137(c):
    c.run("dd", "if=/dev/zero", "of=/dev/null", "bs=96M", options=["--memory-limit", str(24 << 20)], status=137)


# --- tasks ---

@test
def exec_has_its_output_status_cwd_and_user(c):
    name = c.start()
    done = c.exec(name, "sh", "-c", "echo out $PWD; echo err >&2; exit 9", options=["--cwd", "/tmp"], status=9)
    assert (done.stdout, done.stderr) == ("out /tmp\n", "err\n"), (done.stdout, done.stderr)
    assert c.exec(name, "head", "-n", "1", data=b"in\nmore\n").stdout == "in\n"
    c.exec(name, "nothing-here", status=1)
    return [c.exec(name, "id", options=["--user", user]).stdout for user in ("worker", "1000:1000", "77")]


@test
def exec_detached_runs_on(c):
    name = c.start()
    c.exec(name, "sh", "-c", "echo done >/tmp/file; sleep 100", options=["--detach"])
    wait_for(lambda: c.exec(name, "cat", "/tmp/file", status=None).stdout == "done\n", "it writes")
    assert len(c("task", "ps", name).stdout.splitlines()) >= 3


@test
def kill_sends_the_signal_that_is_named(c):
    name = c.start()
    c("task", "kill", "--signal", "SIGUSR1", name)
    wait_for(lambda: "got USR1" in c.log(name), "it hears")
    c("task", "kill", name)
    wait_for(lambda: c.status(name) == "STOPPED", "it ends")
    assert "got TERM" in c.log(name)
    assert "exit code 7" in c("task", "delete", name).stderr
    c("container", "delete", name)
    assert c.status(name) is None


@test
def kill_all_ends_the_processes_of_exec_too(c):
    name = c.start()
    c.exec(name, "sleep", "100", options=["--detach"])
    c("task", "kill", "--all", "--signal", "SIGKILL", name)
    wait_for(lambda: c.status(name) == "STOPPED", "it ends")
    assert "exit code 137" in c("task", "delete", name).stderr


@test
def pause_and_resume(c):
    name = c.start()
    c("task", "pause", name)
    assert c.status(name) == "PAUSED"
    c("task", "resume", name)
    assert c.status(name) == "RUNNING"
    c.exec(name, "true")
    c("task", "pause", name)
    c("task", "resume", name)


@test
def ps_tells_the_processes(c):
    name = c.start("sh", "-c", "sleep 100 & sleep 100 & echo ready; wait")
    lines = c("task", "ps", name).stdout.splitlines()
    assert len(lines) == 4, lines
    return lines[0]


@test
def metrics_are_those_of_the_group(c):
    name = c.start("sh", "-c", "dd if=/dev/zero of=/dev/shm/f bs=1M count=8 2>/dev/null; echo ready; sleep 100",
                   options=["--memory-limit", str(48 << 20)])
    rows = dict(line.split(None, 1) for line in c("task", "metrics", name).stdout.splitlines() if " " in line)
    usage = int(rows["memory.usage_in_bytes"])
    assert 8 << 20 <= usage <= 48 << 20, rows
    assert int(rows["memory.limit_in_bytes"]) == 48 << 20, rows
    assert 0 < int(rows.get("cpuacct.usage", 1)) < 10e9, rows
    return sorted(row for row in rows if row != name)


@test
def what_runs_is_deleted_by_force_only(c):
    name = c.start()
    done = c("task", "delete", name, status=1)
    assert "must be stopped" in done.stderr, done.stderr
    c("task", "delete", "--force", name)
    assert c.status(name) is None


# --- terminals ---

@test
def a_terminal_is_a_pty_of_the_container(c):
    text, status = with_pty(c, [*c.words(c.new_name(), "--rm", "--tty"), "sh", "-c", "tty; exit 6"])
    assert status == 6 and "/dev/pts/0" in text, (status, text)
    name = c.start()
    text, status = with_pty(c, ["task", "exec", "--exec-id", "t", "--tty", name, "sh", "-c", "tty; exit 5"])
    assert status == 5 and "/dev/pts/" in text, (status, text)


@test
def a_terminal_has_the_size_of_ours(c):
    text, _ = with_pty(c, [*c.words(c.new_name(), "--rm", "--tty"), "sh", "-c",
                           "n=0; until stty size | grep '31 97' || [ $n = 100 ]; do n=$((n + 1)); sleep 0.05; done"])
    assert "31 97" in text, text


if __name__ == "__main__":
    sys.exit(main(Ctr))
