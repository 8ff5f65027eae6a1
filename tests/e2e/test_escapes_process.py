#!/usr/bin/python3.11
"""Escapes of container runtimes by processes, by the names they were published under, and attacks of our own.

Each test sets the attack up, shows that nothing outside has changed, and that a harmless twin works. Needs root.
"""
import contextlib
import ctypes
import json
import multiprocessing
import os
import re
import resource
import shutil
import stat
import subprocess
import sys
import time

from bundle import SANDBOX, STATE, WORK, Bundle, equal
from lib import ROOT, Skip, bin_dir, read, run_as_root, wait_for

ALL = ("bounding", "effective", "permitted")
libc = ctypes.CDLL(None, use_errno=True)


def sandbox(*words, **options):
    """(exit status, stdout, stderr), by files: who is started keeps what it got."""
    with open(os.path.join(WORK, "out"), "w+", encoding="utf-8", errors="replace") as out, \
            open(os.path.join(WORK, "err"), "w+", encoding="utf-8", errors="replace") as err:
        options.setdefault("stdin", subprocess.DEVNULL)
        p = subprocess.run([SANDBOX, "--root", STATE, *words], stdout=out, stderr=err, timeout=60, check=False,
                           **options)
        out.seek(0)
        err.seek(0)
        return p.returncode, out.read(), err.read()


def done(*words, **options):
    status, out, err = sandbox(*words, **options)
    equal((status, err), (0, ""))
    return out


def caps(b, *names):
    b.config["process"]["capabilities"] = {kind: list(names) for kind in ALL}


def with_python(name, *without):
    """A bundle with the host's /usr, read-only."""
    b = Bundle(name)
    for link in ("lib", "lib64"):
        os.symlink("usr/" + link, b.path(link))
    os.mkdir(b.path("usr"))
    b.bind("/usr", "/usr", "rbind", "ro")
    spaces = b.config["linux"]["namespaces"]
    b.config["linux"]["namespaces"] = [n for n in spaces if n["type"] not in without]
    return b


def python(code):
    return ["/usr/bin/python3.11", "-I", "-S", "-c", code]


def write(b, args):
    b.config["process"]["args"] = args
    with open(os.path.join(b.dir, "config.json"), "w", encoding="utf-8") as f:
        json.dump(b.config, f)


@contextlib.contextmanager
def standing(b, args, verb=("run", "-d")):
    """Its name, while it stands; at the end it is deleted and must be gone."""
    write(b, args)
    try:
        done(*verb, "--bundle", b.dir, b.name)
        yield b.name
    finally:
        done("delete", "--force", b.name)
        equal(groups(b.name), [])


def state(name):
    return json.loads(done("state", name))


def no_container_is_there():
    equal(done("list", "-q"), "")


def groups(name):
    return [os.path.join(where, d) for where, dirs, _ in os.walk("/sys/fs/cgroup") for d in dirs if d == name]


# --- who will not end ---

LEADERLESS = ("import ctypes, threading, time\n"
              "threading.Thread(target=lambda: time.sleep(600)).start()\n"
              "ctypes.CDLL(None).syscall(60, 0)")  # exit(2): of the first thread alone


def leaderless(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return f.read().rsplit(")", 1)[1].split()[0] == "Z"


def process_without_its_first_thread_is_running_and_can_be_killed():
    """It looks like a zombie, and cgroup.kill does not reach it."""
    for without in ((), ("pid",)):
        for how in (("kill", "--all"), ("kill",), ()):
            with standing(with_python("leader", *without), python(LEADERLESS)) as name:
                pid = state(name)["pid"]
                wait_for(lambda: leaderless(pid), "the end of the first thread")
                equal(state(name)["status"], "running")
                status, _, err = sandbox("delete", name)
                assert status == 1 and "not stopped" in err, err
                if how:
                    done(*how, name, "KILL")
                    wait_for(lambda: state(name)["status"] == "stopped", "its end")


def groups_nested_deeply_are_removed():
    b = Bundle("deep")
    caps(b, "CAP_DAC_OVERRIDE")
    b.mount("/sys", type="sysfs", source="sysfs", options=["ro"])
    b.mount("/sys/fs/cgroup", type="cgroup2", source="cgroup", options=["rw"])
    nest = ("cd /sys/fs/cgroup; i=0; while [ $i -lt 200 ]; do busybox mkdir d x && cd d || exit 1; i=$((i+1)); done;"
            "echo 0 >cgroup.procs; exec busybox sleep 600")
    with standing(b, ["/bin/busybox", "sh", "-c", nest]) as name:
        with open(f"/proc/{state(name)['pid']}/cmdline", encoding="ascii") as f:
            wait_for(lambda: f.seek(0) or f.read().startswith("busybox\0sleep"), "the nest")
        equal(len(json.loads(done("ps", "-f", "json", name))), 1)


def paused_container_is_deleted():
    for verb in (("run", "-d"), ("create",)):
        with standing(Bundle("paused"), ["/bin/busybox", "sleep", "600"], verb) as name:
            done("pause", name)
            equal(state(name)["status"], "paused" if verb[0] == "run" else "created")


def start_returns_though_somebody_inside_holds_its_answer():
    """Who comes in before the start, and may trace all, opens the FIFO by which start waits."""
    b = Bundle("answer")
    caps(b, "CAP_SYS_PTRACE")
    out = os.path.join(b.dir, "out")
    os.mkdir(out)
    b.bind("/out", out)
    hold = ("for f in /proc/1/fd/*; do case $(busybox readlink $f) in */answer) exec 9<>$f; echo >/out/held;; esac;"
            "done; exec busybox sleep 600")
    with standing(b, ["/bin/busybox", "sleep", "600"], ("create",)) as name:
        done("exec", "-d", name, "/bin/busybox", "sh", "-c", hold)
        wait_for(lambda: os.path.exists(os.path.join(out, "held")), "the holder")
        done("start", name)
        equal(state(name)["status"], "running")


def caller_that_ignores_its_children_hides_no_failure():
    """wait(2) tells nothing of them then: neither of a container, nor of a hook."""
    def ignoring(*words):
        code = ("import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN);"
                "os.execv(sys.argv[1], sys.argv[1:])")
        p = subprocess.run([sys.executable, "-c", code, SANDBOX, "--root", STATE, *words], capture_output=True,
                           text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
        return p.returncode, p.stderr
    b = Bundle("ignored")
    write(b, ["/bin/busybox", "sh", "-c", "exit 7"])
    equal(ignoring("run", "--bundle", b.dir, b.name), (7, ""))
    with standing(Bundle("ignored"), ["/bin/busybox", "sleep", "600"]) as name:
        equal(ignoring("exec", name, "/bin/busybox", "sh", "-c", "exit 9"), (9, ""))
    for kind in ("createRuntime", "createContainer", "poststart"):
        b.config["hooks"] = {kind: [{"path": "/bin/false"}]}
        write(b, ["/bin/busybox", "sleep", "600"])
        status, err = ignoring("run", "--bundle", b.dir, b.name)
        assert status == 1 and "exit status 1" in err, (kind, status, err)
    no_container_is_there()


def caller_with_a_small_stack_is_served():
    """Its limit is ours, in both halves: with a user namespace, groups, and what is bound, copied and made."""
    def small(*words):
        return done(*words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (64 << 10, 64 << 10)))
    if bin_dir().endswith("/san/bin"):
        raise Skip("sanitizers need a larger stack")
    b = with_python("stack", "cgroup")
    deep = "copied/" + "/".join("d" * 30) + "/file"
    b.write(deep, "deep")
    b.in_user_namespace()
    b.mount("/copied", type="tmpfs", source="tmpfs", options=["tmpcopyup"])
    b.mount("/sys/fs/cgroup", type="cgroup", source="cgroup", options=["ro"])
    b.config["linux"].update(maskedPaths=["/proc/kcore"], readonlyPaths=["/proc/sys"],
                             devices=[{"path": "/dev/sub/fifo", "type": "p"}])
    b.config["process"]["cwd"] = "/made/for/it"
    write(b, ["/bin/busybox", "cat", "/" + deep])
    equal(small("run", "--bundle", b.dir, b.name), "deep")
    write(b, ["/bin/busybox", "sleep", "600"])
    small("create", "--bundle", b.dir, b.name)
    try:
        small("start", b.name)
        equal(small("exec", b.name, "/bin/busybox", "echo", "fine"), "fine\n")
        equal(json.loads(small("state", b.name))["status"], "running")
        for words in (("ps",), ("events", "--stats"), ("pause",), ("resume",), ("update", "--pids-limit", "9")):
            small(*words, b.name)
        small("kill", b.name, "KILL")
    finally:
        small("delete", "--force", b.name)
    no_container_is_there()


# --- what is written for others ---

def cve_2019_12439_2020_5291_no_name_that_can_be_guessed_is_followed():
    """A file, a pipe or a link waits where the pid file is made; and nobody gains by running us: no set-id bits."""
    st = os.stat(SANDBOX)
    equal(st.st_mode & (stat.S_ISUID | stat.S_ISGID), 0)
    assert "security.capability" not in os.listxattr(SANDBOX)
    canary = os.path.join(WORK, "canary")
    at = os.path.join(WORK, "pid")
    for trap in (f"ln {canary} {at}.new.$$", f"ln -s {canary} {at}.new.$$", f"mkfifo {at}.new.$$", "true"):
        with open(canary, "w", encoding="ascii") as f:
            f.write("alive")
        b = Bundle("trap")
        write(b, ["/bin/busybox", "true"])
        subprocess.run(["sh", "-c", f'{trap}; exec "$0" "$@"', SANDBOX, "--root", STATE, "run", "--pid-file", at,
                        "--bundle", b.dir, b.name], check=True, timeout=60, stdin=subprocess.DEVNULL)
        with open(canary, encoding="ascii") as f:
            equal(f.read(), "alive")
        st = os.lstat(at)
        assert stat.S_ISREG(st.st_mode) and st.st_nlink == 1 and st.st_uid == 0, st
        with open(at, encoding="ascii") as f:
            assert f.read().isdigit()
        equal([n for n in os.listdir(WORK) if n.startswith("pid.new")], [])
        os.unlink(at)
        os.unlink(canary)


def cve_2020_15257_no_abstract_socket_is_there_to_reach():
    """From a container in the host's network. Its state is root's alone."""
    def abstract(table):
        return {word for word in table.split() if word.startswith("@")}
    before = abstract(read("/proc/net/unix"))
    b = Bundle("hostnet")
    b.config["linux"]["namespaces"] = [n for n in b.config["linux"]["namespaces"] if n["type"] != "network"]
    with standing(b, ["/bin/busybox", "sleep", "600"]) as name:
        seen = done("exec", name, "/bin/busybox", "cat", "/proc/net/unix")
        mine = [s for s in abstract(read("/proc/net/unix") + seen) - before if "sandbox" in s or name in s]
        equal((mine, STATE in seen), ([], False))
        equal(stat.S_IMODE(os.stat(STATE).st_mode) & 0o022, 0)
        equal(stat.S_IMODE(os.stat(os.path.join(STATE, name)).st_mode), 0o700)
        for where, _, files in os.walk(os.path.join(STATE, name)):
            for file in files:
                equal((file, stat.S_IMODE(os.lstat(os.path.join(where, file)).st_mode)), (file, 0o600))


def cve_2022_47952_an_ordinary_user_learns_nothing_of_others_files():
    secret = os.path.join(WORK, "secret")
    os.makedirs(os.path.join(secret, "there"), exist_ok=True)
    os.chmod(secret, 0o700)
    os.chmod(WORK, 0o711)
    said = []
    program = os.path.join(WORK, "sandbox")
    shutil.copy(SANDBOX, program)  # ours may lie where others cannot go
    for name in ("there", "not-there"):
        p = subprocess.run([program, "--root", os.path.join(secret, name), "state", "x"], capture_output=True,
                           text=True, check=False, timeout=60, user=65534, group=65534, extra_groups=[], cwd="/")
        said.append(p.stderr.replace(name, "NAME"))
    equal(said[0], said[1])
    assert "EACCES" in said[0], said


# --- what is read from others ---

def cve_2021_43784_sizes_of_a_config_are_bounded():
    """Nothing is cut off or wraps around: what is too long or too much is refused before anything exists."""
    def linux(**members):
        return lambda c: c["linux"].update(members)

    def process(**members):
        return lambda c: c["process"].update(members)
    many = 70000
    changes = [
        linux(uidMappings=[{"containerID": i, "hostID": i, "size": 1} for i in range(many // 8)]),
        linux(maskedPaths=["/proc/x"] * many), linux(sysctl={f"net.x{i}": "1" for i in range(many // 2)}),
        linux(cgroupsPath="/" + "x" * 300000), linux(cgroupsPath="/x" * 5000),
        process(env=["A=" + "x" * (1 << 21)]), process(cwd="/" + "x" * 5000), process(env=["A="] * 400000),
        process(user={"uid": 0, "gid": 0, "additionalGids": [1] * many}),
        process(user={"uid": 4294967296, "gid": 0}), process(user={"uid": -1, "gid": 0}),
        process(oomScoreAdj=1 << 40), process(rlimits=[{"type": "RLIMIT_NOFILE", "soft": 1 << 64, "hard": 1 << 64}]),
        lambda c: c.update(hostname="x" * 65), lambda c: c.update(annotations={"a" * 300000: "b" * 900000}),
        lambda c: c.update(mounts=c["mounts"] + [{"destination": f"/m{i}", "type": "tmpfs"} for i in range(5000)]),
        lambda c: c.update(mounts=c["mounts"] + [{"destination": "/" + "m" * 4096, "type": "tmpfs"}]),
        linux(resources={"memory": {"limit": 1 << 70}}), linux(resources={"pids": {"limit": "1"}}),
    ]
    for i, change in enumerate(changes):
        b = Bundle("size")
        change(b.config)
        status, out, err = b.run("echo started")
        assert status == 1 and not out and err.startswith("sandbox run: ") and "\n" not in err, (i, status, out, err)
        assert len(err) < 1500, (i, len(err))
    no_container_is_there()
    twin = Bundle("size")
    twin.config["process"]["env"] += [f"A{i}=" + "x" * 60 for i in range(2000)]
    twin.config["linux"]["maskedPaths"] = [f"/proc/x{i}" for i in range(100)]
    equal(twin.output("echo $A1999"), "x" * 60)


def texts_that_are_no_config_are_refused():
    good = json.dumps(Bundle("text").config)
    for text in ("", "[]", "null", "{", "[" * 100000, '{"a":' * 5000, good.replace('"/"', '"/\\u0000x"', 1),
                 good.replace('"rootfs"', '"rootfs\\u0000"'), good.replace('"1.3.0"', '1.3'),
                 good.replace('"1.3.0"', '"1.3.0\\u001b[2J"'), good.replace('"linux": {', '"linux": [{'),
                 good.replace('"env": [', '"env": [{}, '), good.replace('"args": []', '"args": [""]'),
                 good.replace('"args": []', '"args": "sh"'), good.replace('"uid": 0', '"uid": 0.5'),
                 good.replace('"uid": 0', '"uid": 1e400'), good + good, "\ufeff" + good,
                 good.replace("1.3.0", "\udcff"),
                 good.replace('"type": "pid"', '"type": ""'), good.replace('"cwd": "/"', '"cwd": ""')):
        b = Bundle("text")
        with open(os.path.join(b.dir, "config.json"), "w", encoding="utf-8", errors="surrogateescape") as f:
            f.write(text)
        status, out, err = sandbox("run", "--bundle", b.dir, b.name)
        assert status == 1 and not out and err.count("\n") == 1 and "\x1b" not in err, (text[:60], status, out, err)
    no_container_is_there()


def cve_2026_119101_115520_119614_nothing_is_restored():
    """What is not there cannot be made to mount what an image's links say: the commands are refused by name."""
    for verb in ("restore", "checkpoint"):
        status, out, err = sandbox(verb, "--image-path", "/tmp", "x")
        equal((status, out), (2, ""))
        assert verb in err, err


def exchange(a, b, go):
    while go.value:
        libc.renameat2(-100, a.encode(), -100, b.encode(), 2)  # RENAME_EXCHANGE


def cve_2024_42472_source_of_a_bind_is_looked_up_once():
    """While it is exchanged for a link: what is mounted is what got the options."""
    volume, evil = os.path.join(WORK, "volume"), os.path.join(WORK, "evil")
    good, link = os.path.join(volume, "good"), os.path.join(volume, "link")
    for at in (good, evil):
        os.makedirs(at)
        with open(os.path.join(at, "who"), "w", encoding="ascii") as f:
            f.write("untouched")
    os.symlink(evil, link)
    look = ("(echo x >/volume/who) 2>/dev/null; (echo x >/volume/new) 2>/dev/null;"
            "busybox grep ' /volume ' /proc/self/mountinfo | busybox cut -d' ' -f6 | busybox cut -d, -f1-4")
    b = Bundle("source")
    b.bind("/volume", good, "bind", "ro", "nosuid", "nodev", "noexec")
    go = multiprocessing.Value("b", 1, lock=False)
    other = multiprocessing.Process(target=exchange, args=(good, link, go))
    other.start()
    try:
        for _ in range(60):
            equal(b.output(look), "ro,nosuid,nodev,noexec")
    finally:
        go.value = 0
        other.join()
    for at in (good, link, evil):
        equal(os.listdir(at), ["who"])
        with open(os.path.join(at, "who"), encoding="ascii") as f:
            equal(f.read(), "untouched")


# --- what is seen ---

def moby_ghsa_6fw5_jq35_counters_of_the_machine_are_masked():
    spec = json.loads(sandbox_spec())
    for path in ("/proc/interrupts", "/sys/devices/virtual/powercap"):
        assert path in spec["linux"]["maskedPaths"], path
    b = Bundle("masks")
    b.mount("/sys", type="sysfs", source="sysfs", options=["ro"])
    look = "cat /proc/interrupts; busybox ls /sys/devices/virtual/powercap /sys/firmware 2>/dev/null; echo end"
    assert b.output(look) != "end"  # there is something to see
    twin = Bundle("masks")
    twin.mount("/sys", type="sysfs", source="sysfs", options=["ro"])
    twin.config["linux"]["maskedPaths"] = spec["linux"]["maskedPaths"]
    out = twin.output(look + "; cat /proc/uptime >/dev/null && echo fine").splitlines()
    equal([line for line in out if line and not line.endswith(":")], ["end", "fine"])


def sandbox_spec():
    at = os.path.join(WORK, "spec")
    os.makedirs(at, exist_ok=True)
    done("spec", "--bundle", at)
    with open(os.path.join(at, "config.json"), encoding="utf-8") as f:
        text = f.read()
    shutil.rmtree(at)
    return text


# Root inside looks at whatever comes into its pid namespace, until told to stop.
WATCH = """if 1:
    import os
    seen, reached = set(), set()
    open('/out/ready', 'w')
    while not os.path.exists('/out/stop'):
        for pid in os.listdir('/proc'):
            if not pid.isdigit() or int(pid) == os.getpid(): continue
            try: name = open(f'/proc/{pid}/comm').read().strip()
            except OSError: continue
            if name != 'sandbox': continue
            for what in ('exe', 'cwd', 'root', 'mem', 'environ', 'maps', 'fd/0', 'fd/3', 'fd/4', 'fd/5'):
                try:
                    os.close(os.open(f'/proc/{pid}/{what}', os.O_RDONLY))
                    # It may have executed, or ended, meanwhile. Our program lies on a mount of its own, as "/".
                    text = open(f'/proc/{pid}/maps').read()
                    if ' /\\n' in text or 'memfd:sandbox' in text or 'bin/sandbox' in text: reached.add(what)
                except OSError: pass
            seen.add(pid)
    open('/out/got', 'w').write(str(len(seen) > 0) + ':' + ' '.join(sorted(reached)))
    """


def watched(*more):
    """What the watcher with these capabilities more has reached, of many on their way in, and of one at the gate."""
    b = with_python("window")
    out = os.path.join(b.dir, "out")
    os.mkdir(out)
    b.bind("/out", out)
    caps(b, "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SETUID", "CAP_DAC_READ_SEARCH", *more)
    with standing(b, python(WATCH)) as name:
        wait_for(lambda: os.path.exists(os.path.join(out, "ready")), "the watcher")
        gated = Bundle("gated")
        spaces = gated.config["linux"]["namespaces"]
        next(n for n in spaces if n["type"] == "pid")["path"] = f"/proc/{state(name)['pid']}/ns/pid"
        with standing(gated, ["/bin/busybox", "true"], ("create",)):
            for _ in range(20):
                done("exec", name, "/usr/bin/true")
        with open(os.path.join(out, "stop"), "w", encoding="ascii"):
            pass
        got = os.path.join(out, "got")
        wait_for(lambda: os.path.exists(got) and os.path.getsize(got), "the watcher's word")
        with open(got, encoding="ascii") as f:
            seen, reached = f.read().split(":")
        equal(seen, "True")
        return reached.split()


def cve_2016_9962_who_comes_in_cannot_be_reached_before_it_executes():
    equal(watched(), [])
    # So the watcher does see; what may trace any process is documented in docs/SECURITY.md.
    got = watched("CAP_SYS_PTRACE")
    assert "maps" in got, got


LOOK = """
import os, re
seen = [0, 0]
open('/out/ready', 'w').close()
while not os.path.exists('/out/stop'):
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try: text = open(f'/proc/{pid}/status').read()
        except OSError: continue
        for i, which in enumerate(('Prm', 'Bnd')):
            seen[i] |= int(re.search(f'Cap{which}:\\s+(\\w+)', text)[1], 16)
open('/out/got.new', 'w').write(f'{seen[0]} {seen[1]}')
os.rename('/out/got.new', '/out/got')
"""


def who_comes_in_brings_no_capability_that_it_does_not_need():
    """Permitted and bounding sets of all that were ever seen: CAP_SYS_ADMIN comes only to set a filter without NNP."""
    kill, setpcap, admin = 1 << 5, 1 << 8, 1 << 21
    needed = sum(1 << n for n in (0, 1, 6, 7, 23, 24)) | setpcap
    allow = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"]}
    for no_new_privs, seccomp, more in ((True, allow, 0), (False, None, 0), (False, allow, admin)):
        b = with_python("bare")
        out = os.path.join(b.dir, "out")
        os.mkdir(out)
        b.bind("/out", out)
        caps(b, "CAP_KILL")
        b.config["process"]["noNewPrivileges"] = no_new_privs
        if seccomp:
            b.config["linux"]["seccomp"] = seccomp
        with standing(b, python(LOOK)) as name:
            wait_for(lambda: os.path.exists(os.path.join(out, "ready")), "the watcher")
            for _ in range(20):
                done("exec", name, "/usr/bin/true")
            with open(os.path.join(out, "stop"), "w", encoding="ascii"):
                pass
            got = os.path.join(out, "got")
            wait_for(lambda: os.path.exists(got), "the watcher's word")
            with open(got, encoding="ascii") as f:
                permitted, bounding = map(int, f.read().split())
        assert permitted & setpcap, "nobody was seen on the way in"
        equal((permitted & ~(needed | kill | more), bounding), (0, kill))


def exec_has_the_filter_the_limits_and_the_capabilities_of_the_container():
    b = with_python("same")
    caps(b, "CAP_KILL")
    b.config["process"]["noNewPrivileges"] = True
    b.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                                    "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99}]}
    look = ("import os, re; s = open('/proc/self/status').read()\n"
            "print(re.findall('(?:CapEff|CapBnd|NoNewPrivs|Seccomp):\\t(\\S+)', s))\n"
            "import ctypes; l = ctypes.CDLL(None, use_errno=True); l.syscall(83, b'/tmp/x', 0)\n"
            "print(ctypes.get_errno())")
    with standing(b, ["/bin/busybox", "sleep", "600"]) as name:
        wanted = "['0000000000000020', '0000000000000020', '1', '2']\n99\n"
        equal(done("exec", name, *python(look)), wanted)
        file = os.path.join(WORK, "process")
        with open(file, "w", encoding="ascii") as f:
            json.dump({"args": python(look), "cwd": "/", "user": {"uid": 0, "gid": 0}, "noNewPrivileges": False}, f)
        said = done("exec", "--process", file, name).splitlines()
        equal((said[1], said[0][-4:]), ("99", "'2']"))


def exec_works_whatever_the_container_did_to_its_own_files():
    """Its /proc, /dev and passwd were replaced: a further process comes in, or is refused, and nothing else happens."""
    b = with_python("replaced")
    caps(b, "CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_MKNOD")
    replace = ("cd /; busybox mkdir -p /dev/pts etc; busybox mkfifo etc/passwd; busybox mount -t tmpfs none /proc;"
               "busybox mkdir -p /proc/self/attr /proc/self/fd; busybox mkfifo /proc/self/attr/exec /proc/self/stat;"
               "busybox mount -t tmpfs none /dev/pts; busybox mkfifo /dev/pts/ptmx /dev/pts/0; busybox rm /dev/null;"
               "busybox mkfifo /dev/null; echo >/ready; exec busybox sleep 600")
    with standing(b, ["/bin/busybox", "sh", "-c", replace]) as name:
        wait_for(lambda: os.path.exists(b.path("ready")), "the replacing")
        equal(done("exec", name, "/bin/busybox", "echo", "fine"), "fine\n")
        equal(done("exec", "-u", "1000", name, *python("import os; print(os.getuid())")), "1000\n")
        status, out, err = sandbox("exec", "-t", name, "/bin/busybox", "echo", "fine")
        assert status == 255 and "'/dev/pts': not on a devpts" in err, (status, out, err)
        equal(state(name)["status"], "running")


def descriptors_of_whoever_calls_go_nowhere():
    """Every command is called with files of the host open; inside there are three, and the directory that is read."""
    leaks = [os.open(path, os.O_RDONLY) for path in ("/", "/etc/passwd", "/proc", WORK)]
    for fd in leaks:
        os.set_inheritable(fd, True)
    b = with_python("fds")
    out = os.path.join(b.dir, "out")
    os.mkdir(out)
    b.bind("/out", out)
    look = "import os; print(sorted(os.listdir('/proc/self/fd')), file=open('/out/%s', 'w'), flush=True)"
    try:
        write(b, python(look % "first" + "\nimport signal; signal.pause()"))
        done("create", "--bundle", b.dir, b.name, close_fds=False)
        done("exec", b.name, *python(look % "exec"), close_fds=False)
        done("start", b.name, close_fds=False)
        for name in ("first", "exec"):
            wait_for(lambda at=os.path.join(out, name): os.path.exists(at) and os.path.getsize(at), name)
            with open(os.path.join(out, name), encoding="ascii") as f:
                equal(f.read(), "['0', '1', '2', '3']\n")
        keeper = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if is_keeper(pid, b.name)]
        equal(len(keeper), 1)
        targets = [os.readlink(f"/proc/{keeper[0]}/fd/{fd}") for fd in os.listdir(f"/proc/{keeper[0]}/fd")]
        equal([t for t in targets if t in ("/", "/etc/passwd", "/proc", WORK)], [])
        assert len(targets) <= 3, targets
    finally:
        for fd in leaks:
            os.close(fd)
        done("delete", "--force", b.name)


def is_keeper(pid, name):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as f:
            return f.read() == "sandbox-keeper\n" and os.readlink(f"/proc/{pid}/fd/1").endswith("/" + name)
    except OSError:
        return False


def names_cannot_be_made_to_point_elsewhere():
    for name in ("..", ".", "a/b", "/x", "", "x" * 2000, "a\nb", "a b", "\x1b[2J", "../../etc"):
        for verb in (("state",), ("delete", "--force"), ("kill",), ("exec",), ("create", "--bundle", WORK)):
            after = ("true",) if verb[0] == "exec" else ()
            status, out, err = sandbox(*verb, name, *after)
            assert status != 0 and not out and err.count("\n") == 1 and "\x1b" not in err, (verb, name, err)
    os.makedirs(STATE, exist_ok=True)
    # A link in the place of a container's state is not followed.
    os.makedirs(os.path.join(WORK, "elsewhere"), exist_ok=True)
    os.symlink(os.path.join(WORK, "elsewhere"), os.path.join(STATE, "link"))
    b = Bundle("link")
    write(b, ["/bin/busybox", "true"])
    for words in (("create", "--bundle", b.dir, "link"), ("state", "link"), ("delete", "--force", "link")):
        status, _, err = sandbox(*words)
        assert status == 1 and err.count("\n") == 1, (words, status, err)
    equal(os.listdir(os.path.join(WORK, "elsewhere")), [])
    os.unlink(os.path.join(STATE, "link"))


def pid_that_became_another_process_is_left_alone():
    """The state's pid is given to a process of ours: only the start time, in ticks, tells them apart."""
    def tick():
        return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))
    other, b = subprocess.Popen(["sleep", "600"]), Bundle("reuse")
    born = tick()
    wait_for(lambda: tick() > born + 1, "the next tick")
    with standing(b, ["/bin/busybox", "sleep", "600"]) as name:
        file = os.path.join(STATE, name, "state.json")
        with open(file, encoding="utf-8") as f:
            text = f.read()
        try:
            with open(file, "w", encoding="utf-8") as f:
                f.write(text.replace(f'"pid":{json.loads(text)["pid"]}', f'"pid":{other.pid}'))
            equal(state(name)["status"], "stopped")
            for words in (("kill", name, "KILL"), ("exec", name, "/bin/busybox", "true"), ("start", name)):
                status, _, err = sandbox(*words)
                assert status != 0 and err.count("\n") == 1, (words, status, err)
            equal(other.poll(), None)
        finally:
            with open(file, "w", encoding="utf-8") as f:
                f.write(text)
            other.kill()
            other.wait()


def every_row_of_the_table_is_a_test():
    """docs/SECURITY.md names tests; each is one that its file runs."""
    with open(os.path.join(ROOT, "docs/SECURITY.md"), encoding="utf-8") as f:
        rows = re.findall(r"^\| [^|]* \| [^|]* \| `(test_\w+\.py)` ([^|]*) \|$", f.read(), re.M)
    assert len(rows) > 40, len(rows)
    for file, cell in rows:
        with open(os.path.join(ROOT, "tests/e2e", file), encoding="utf-8") as f:
            text = f.read()
        names = re.findall(r"`(\w+)`", cell)
        assert names, file
        for name in names:
            # Defined, and listed; test_escape.py lists all that it defines.
            assert len(re.findall(rf"\b{name}\b", text)) >= (1 if file == "test_escape.py" else 2), (file, name)


def nothing_is_left_behind():
    equal([name for name in os.listdir(STATE) if name != ".cache"], [])
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        assert "rootfs" not in f.read()


TESTS = [
    process_without_its_first_thread_is_running_and_can_be_killed,
    groups_nested_deeply_are_removed,
    paused_container_is_deleted,
    start_returns_though_somebody_inside_holds_its_answer,
    caller_that_ignores_its_children_hides_no_failure,
    caller_with_a_small_stack_is_served,
    cve_2016_9962_who_comes_in_cannot_be_reached_before_it_executes,
    cve_2019_12439_2020_5291_no_name_that_can_be_guessed_is_followed,
    cve_2020_15257_no_abstract_socket_is_there_to_reach,
    cve_2021_43784_sizes_of_a_config_are_bounded,
    cve_2022_47952_an_ordinary_user_learns_nothing_of_others_files,
    cve_2024_42472_source_of_a_bind_is_looked_up_once,
    cve_2026_119101_115520_119614_nothing_is_restored,
    moby_ghsa_6fw5_jq35_counters_of_the_machine_are_masked,
    texts_that_are_no_config_are_refused,
    who_comes_in_brings_no_capability_that_it_does_not_need,
    exec_has_the_filter_the_limits_and_the_capabilities_of_the_container,
    exec_works_whatever_the_container_did_to_its_own_files,
    descriptors_of_whoever_calls_go_nowhere,
    names_cannot_be_made_to_point_elsewhere,
    pid_that_became_another_process_is_left_alone,
    every_row_of_the_table_is_a_test,
    nothing_is_left_behind,
]


if __name__ == "__main__":
    sys.exit(run_as_root(TESTS, "escapes by processes", end=lambda: shutil.rmtree(WORK)))
