#!/usr/bin/python3.11
"""What a hostile tenant tries: each attack has no effect, and its harmless twin still works.

The probes are functions/escape/app.py, run as a function; the verdicts are here. What is expected of a call
comes from the policy itself (`sandbox policy explain`), so that the two cannot drift apart.
"""
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import lib
from daemon import tree
from lib import ROOT, bin_dir, call, invoke, read

CODE = os.path.join(lib.ROOT, "tests/e2e/functions/escape")
POLICY = os.path.join(ROOT, "policy/profiles/python.policy")
SIGSYS = f"signal {signal.SIGSYS.value}"
PIDS_MAX, TMP_MB, MEMORY_MB = 64, 16, 192
MIB = 1 << 20

# Calls with a condition, and what it makes of arguments of zero.
ZERO = {"ioctl": "EPERM", "socket": "EAFNOSUPPORT", "socketpair": "EAFNOSUPPORT", "setsockopt": "allow",
        "clone": "allow", "prlimit64": "allow", "personality": "allow", "prctl": "EINVAL", "arch_prctl": "EINVAL"}

# The kernel lets these by every filter: they are its own way back from a probe, and without one they end
# the caller or fail. And descriptor 0, root's null device, is not the function's to change.
UNFILTERED = {335: ("signal 4", "signal 11", "ENXIO", "ENOSYS"), 336: ("signal 4", "signal 11", "ENXIO", "ENOSYS")}
REFUSED_BY_OWNER = ("fchmod", "fchown")

NUMBERS = {}  # call name -> its number, where the policy has a rule


def explain():
    """{number: verdict or None where it has a condition}, and fill NUMBERS."""
    text = subprocess.run([bin_dir() + "/sandbox", "policy", "explain", POLICY], capture_output=True, text=True,
                          check=True).stdout
    table = {}
    for line in text.splitlines():
        number, name, verdict = line.split(None, 2)
        if number != "*":
            NUMBERS[name] = int(number)
            table[int(number)] = ZERO[name] if " if " in verdict else verdict
    return table


def probe(d, do, name="escape", **event):
    answer = invoke(d, name, {"do": do, **event})
    assert answer.outcome == "ok", (answer.outcome, answer.body[:300])
    return answer.reply


def install(d, name, *settings):
    call(d, "deploy", name, "--code", CODE, "--handler", "app.handler", "--timeout", "60",
         "--memory", str(MEMORY_MB), "--tmp", str(TMP_MB), *settings)


def together(d, do, names, **event):
    """The same probe at the same time, so that each runs in an instance of its own."""
    answers = [None] * len(names)

    def one(i):
        answers[i] = probe(d, do, names[i], **event)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(names))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


def tenants(d):
    """Host pids that run with ids of instances: {pid: host uid}."""
    found = {}
    for pid in tree(d.process.pid):
        uid = re.search(r"^Uid:\t(\d+)", read(f"/proc/{pid}/status") or "", re.M)
        if uid and int(uid[1]) >= 1000000000:
            found[pid] = int(uid[1])
    return found


def the_tool_box_works(d):
    install(d, "escape")
    install(d, "other")
    assert probe(d, "read_file", path="/etc/hostname") is not None


# --- system calls ---

def every_system_call_gets_the_policy_s_verdict(d):
    table, wrong = explain(), []
    got = probe(d, "sweep", first=0, last=601)
    for number, answer in sorted((int(n), a) for n, a in got.items()):
        expected = table.get(number, "ENOSYS")
        fits = answer == expected or answer in UNFILTERED.get(number, ())
        if expected == "allow":
            fits = answer not in (SIGSYS, "ENOSYS", "EPERM")
        if not fits and number not in [NUMBERS[n] for n in REFUSED_BY_OWNER]:
            wrong.append((number, expected, answer))
    assert len(got) == 601 and not wrong, wrong


def a_foreign_abi_ends_the_process_and_own_machine_code_runs(d):
    assert probe(d, "foreign_abi") == {"x32": SIGSYS, "int 0x80": SIGSYS, "own": "True"}


NAMESPACES = {"mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
              "pid": 0x20000000, "net": 0x40000000, "time": 0x80}


def no_call_makes_or_enters_a_namespace_and_a_fork_works(d):
    explain()
    calls = [[NUMBERS["unshare"], f] for f in NAMESPACES.values()]
    calls += [[NUMBERS["clone"], f | signal.SIGCHLD, 0, 0, 0, 0] for f in NAMESPACES.values() if f != 0x80]
    calls += [[NUMBERS["clone"], 0x80, 0, 0, 0, 0], [NUMBERS["setns"], 0, 0]]
    calls += [[NUMBERS["clone"], f | 1 << 32 | signal.SIGCHLD, 0, 0, 0, 0] for f in (0x10000000, 0x20000)]
    answers = probe(d, "calls", calls=calls)
    assert set(answers) == {"EPERM"}, answers
    assert probe(d, "calls", calls=[[NUMBERS["clone3"], 0, 88]]) == ["ENOSYS"]
    assert probe(d, "fork_many", limit=2)[:2] == [4, None]


def no_call_makes_a_child_for_the_launcher(d):
    clone_parent = 0x8000
    assert probe(d, "calls", calls=[[NUMBERS["clone"], clone_parent | signal.SIGCHLD, 0, 0, 0, 0]]) == ["EPERM"]


def calls_that_exploits_begin_with_are_refused(d):
    explain()
    n, plain = NUMBERS, []
    plain += [[n["mount"], "none", "/tmp", "tmpfs", 0, 0], [n["umount2"], "/proc", 2],
              [n["pivot_root"], "/tmp", "/tmp"],
              [n["chroot"], "/tmp"], [n["fsopen"], "tmpfs", 0], [n["open_tree"], -100, "/", 1],
              [n["mount_setattr"], -100, "/", 0, 0, 0]]
    plain += [[n["ptrace"], 0, 0, 0, 0], [n["ptrace"], 16, 1, 0, 0], [n["process_vm_readv"], 1, 0, 0, 0, 0, 0],
              [n["process_vm_writev"], 1, 0, 0, 0, 0, 0], [n["pidfd_getfd"], 0, 0, 0], [n["kcmp"], 1, 1, 0, 0, 0]]
    plain += [[n["keyctl"], 0, -3, 0], [n["add_key"], "user", "x", "y", 1, -3], [n["request_key"], "user", "x", 0, -3]]
    plain += [[n["bpf"], 5, 0, 0], [n["perf_event_open"], 0, 0, -1, -1, 0], [n["userfaultfd"], 0],
              [n["io_uring_setup"], 1, 0], [n["io_uring_enter"], 0, 0, 0, 0, 0], [n["io_uring_register"], 0, 0, 0, 0]]
    plain += [[n["setuid"], 0], [n["setresuid"], 0, 0, 0], [n["capset"], 0, 0], [n["seccomp"], 1, 0, 0],
              [n["mknod"], "/tmp/sda", 0o60600, 0x800], [n["mknodat"], -100, "/tmp/null", 0o20666, 0x103],
              [n["open_by_handle_at"], -100, 0, 0], [n["splice"], 0, 0, 1, 0, 1, 0], [n["personality"], 0x400000]]
    answers = probe(d, "calls", calls=plain)
    assert set(answers) == {"EPERM"}, list(zip(plain, answers))


# By number: what the policy's text says of these is not to be trusted alone.
SURFACE = {"name_to_handle_at": 303, "open_by_handle_at": 304, "quotactl": 179, "swapon": 167, "acct": 163,
           "kexec_load": 246, "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176,
           "iopl": 172, "ioperm": 173, "modify_ldt": 154, "uselib": 134, "syslog": 103, "lookup_dcookie": 212,
           "move_pages": 279, "mbind": 237, "remap_file_pages": 216, "fanotify_init": 300, "memfd_secret": 447,
           "pidfd_open": 434, "vmsplice": 278, "tee": 276, "splice": 275, "userfaultfd": 323, "bpf": 321,
           "io_uring_setup": 425, "perf_event_open": 298, "keyctl": 250, "timer_create": 222, "chroot": 161,
           "reboot": 169, "settimeofday": 164, "clock_settime": 227, "adjtimex": 159, "sethostname": 170}


def no_way_into_the_kernel_is_open_that_escapes_have_taken(d):
    answers = probe(d, "calls", calls=[[number, 0, 0, 0, 0, 0, 0] for number in SURFACE.values()])
    strange = {name: a for name, a in zip(SURFACE, answers) if a not in ("EPERM", "ENOSYS")}
    assert not strange, strange


def no_call_shares_memory_or_queues_by_a_key(d):
    shmget, semget, msgget, mq_open = 29, 64, 68, 240
    answers = probe(d, "calls", calls=[[shmget, 1, 4096, 0o1666], [semget, 1, 1, 0o1666], [msgget, 1, 0o1666],
                                       [mq_open, "queue", 0o102, 0o666, 0]])
    assert set(answers) == {"ENOSYS"}, answers


def a_terminal_takes_no_input_whatever_the_high_bits(d):
    tiocsti, tioclinux, fioclex = 0x5412, 0x541C, 0x5451
    asked = [[NUMBERS["ioctl"], 0, high << 32 | code, "x"]
             for code in (tiocsti, tioclinux) for high in (0, 1, 0x7fffffff)]
    assert set(probe(d, "calls", calls=asked)) == {"EPERM"}
    assert probe(d, "calls", calls=[[NUMBERS["ioctl"], 0, fioclex, 0]]) == ["0"]


# --- network ---

def sockets_of_strange_families_are_refused_and_plain_ones_work(d):
    unix, inet, inet6, stream, dgram, raw, seqpacket = 1, 2, 10, 1, 2, 3, 5
    good = [(unix, stream, 0), (unix, dgram, 0), (unix, seqpacket, 0), (inet, stream, 0), (inet, dgram, 17),
            (inet6, stream, 6), (inet6, dgram, 0)]
    bad = [(f, t, 0) for f in range(3, 46) if f != inet6 for t in (stream, dgram, raw, seqpacket)]
    bad += [(inet, raw, 1), (inet, stream, 132), (inet, stream, 262), (inet6, raw, 58), (inet, seqpacket, 132),
            (inet, dgram, 136), (inet, 10, 0)]
    answers = probe(d, "sockets", sockets=good + bad)
    assert set(answers[:len(good)]) == {"done"}, answers[:len(good)]
    strange = [(s, a) for s, a in zip(bad, answers[len(good):]) if a != "EAFNOSUPPORT"]
    assert not strange, strange


def kernel_tls_and_socket_filters_are_refused(d):
    assert probe(d, "ulp") == {"ulp": "EPERM", "filter": "EPERM", "twin": "done"}


def cve_2020_15257_the_daemon_has_no_abstract_socket(d):
    with open("/proc/net/unix", encoding="utf-8") as f:
        names = [line.split()[-1] for line in f if "@" in line.split()[-1]]
    assert not [n for n in names if d.base in n or "runtimed" in n], names
    assert not d.socket.startswith("@") and os.path.exists(d.socket)  # who connects is asked for his uid: test_http.py


def nothing_is_reachable_but_the_own_loopback(d):
    hosts, name = ["8.8.8.8", "10.0.0.1", "169.254.169.254", "192.168.0.1"], f"\0runtimed-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(name)
        s.listen()
        got = probe(d, "network", hosts=hosts, port=d.port(), abstract=name)
        socket.socket(socket.AF_UNIX).connect(name)  # it was there
    assert [got[h] for h in hosts] == ["ENETUNREACH"] * len(hosts), got
    assert got["daemon"] == "ECONNREFUSED" and got["abstract"] in ("ECONNREFUSED", "EPERM"), got
    assert got["loopback"] == "x" and got["unix"] == "done", got


# --- files ---

def only_the_scratch_directories_can_be_written(d):
    closed = ["", "/var/task", "/opt", "/usr/lib", "/etc", "/run", "/var", "/dev", "/proc", "/proc/self"]
    got = probe(d, "writes", directories=closed + ["/tmp", "/dev/shm"],
                files=["/etc/passwd", "/var/task/app.py", "/usr/bin/python3.11", "/proc/self/mem",
                       "/proc/self/oom_score_adj",
                       "/proc/self/uid_map", "/proc/self/setgroups", "/proc/self/attr/exec", "/proc/1/mem",
                       "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper",
                       "/dev/null"])
    for what in ("create", "mkdir", "link"):
        assert {got[what].pop(p) for p in ("/tmp", "/dev/shm")} == {"done"}, got
        assert not [p for p, a in got[what].items() if a not in ("EACCES", "EROFS", "EPERM", "ENOENT")], got
    assert got["write"].pop("/dev/null") == "done"
    absent = {p for p, a in got["write"].items() if a == "ENOENT"}
    assert {"/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper"} <= absent, got
    assert not [p for p, a in got["write"].items() if a not in ("EACCES", "EROFS", "EPERM", "ENOENT")], got


def no_file_lends_privilege_and_no_device_is_there_but_five(d):
    got = probe(d, "files")
    assert got["set_id"] == [] and got["writable"] == ["/dev/shm", "/tmp"], got
    assert got["devices"] == ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"], got


def links_in_a_package_lead_to_the_image_s_files_only(d):
    directory = lib.write_code(read(os.path.join(CODE, "app.py")))
    secret = os.path.join(lib.WORK.name, "secret")
    with open(secret, "w", encoding="utf-8") as f:
        f.write("the host's")
    os.symlink("/etc/passwd", directory + "/passwd")
    os.symlink(secret, directory + "/secret")
    os.symlink("app.py", directory + "/twin")
    done = lib.fnctl(d, "deploy", "links", "--code", directory, "--handler", "app.handler")
    if done.returncode != 0:  # refused as a whole is as good
        assert b"link" in done.stderr, done.stderr
        return
    with open("/etc/passwd", encoding="utf-8") as f:
        host = f.read()
    assert probe(d, "read_file", "links", path="/var/task/passwd") != host
    assert probe(d, "read_file", "links", path="/var/task/secret") in ("ENOENT", "EACCES")
    assert probe(d, "read_file", "links", path="/var/task/twin").startswith('"""A hostile')


# --- what is seen ---

def four_descriptors_are_open_and_nothing_leaks(d):
    fds = probe(d, "look")["fds"]
    assert sorted(fds) == ["0", "1", "2", "3"], fds
    assert fds["0"] == "/dev/null" and fds["1"] == fds["2"] and fds["1"].startswith("pipe:"), fds
    assert fds["3"].startswith("socket:"), fds


def cve_2026_40226_nothing_in_a_package_changes_its_sandbox(d):
    """Files that runtimes, interpreters and shells read where they find them: each is only a file."""
    directory = lib.write_code(read(os.path.join(CODE, "app.py")))
    config = '{"process": {"user": {"uid": 0}, "capabilities": {"bounding": ["CAP_SYS_ADMIN"]}}, "linux": {}}'
    for name in ("config.json", "sandbox.json", "runtimed.conf", "function.nspawn", ".env", "python.policy",
                 "seccomp.json", "runtime.json", "pyvenv.cfg", "etc/passwd", "dev/null", "proc/self/attr/exec"):
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as f:
            f.write(config)
    call(d, "deploy", "settings", "--code", directory, "--handler", "app.handler")
    given, plain = probe(d, "look", "settings"), probe(d, "look")
    for key in ("fds", "proc", "limits", "cgroup"):
        assert sorted(given[key]) == sorted(plain[key]), (key, given[key], plain[key])
    facts = [re.findall(r"^(?:Cap\w+|Uid|Gid|Groups|NoNewPrivs|Seccomp\w*):.*$", look["status"], re.M)
             for look in (given, plain)]
    assert facts[0] == facts[1] and len(facts[0]) > 8, facts
    mounts = [[line.split()[4:6] for line in look["mountinfo"].splitlines()] for look in (given, plain)]
    assert mounts[0] == mounts[1], mounts


def a_function_has_no_capability_and_cannot_gain_one(d):
    status = dict(line.split(":\t", 1) for line in probe(d, "look")["status"].splitlines() if ":\t" in line)
    assert {int(status["Cap" + s], 16) for s in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}, status
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), status
    assert status["Uid"].split() == ["1000"] * 4 and status["Gid"].split() == ["1000"] * 4, status
    assert status["Groups"].split() == [], status


def proc_shows_the_function_s_own_processes_only(d):
    got = probe(d, "look")
    assert got["proc"] == ["2", "self", "thread-self"], got["proc"]
    assert got["ids"] == [2, 2, 2], got["ids"]
    assert got["others"] == [got["cmdline"]], got["others"]


def nothing_tells_the_host_s_names_and_paths(d):
    got = probe(d, "look")
    assert got["uname"][1] == "function" and socket.gethostname() not in got["env"].values(), got["uname"]
    assert {line.rpartition(":")[2] for line in got["cgroup"].split()} == {"/"}, got["cgroup"]
    code = [line for line in got["mountinfo"].splitlines() if line.split()[4] == "/var/task"]
    rest = got["mountinfo"].replace(code[0], "")  # its source is a known residue: docs/SECURITY.md
    for name in ("mounts", "environ", "cmdline", "maps"):
        assert d.base not in got[name] and ROOT not in got[name], got[name]
    assert d.base not in rest and ROOT not in rest and "/build/" not in rest, rest
    assert not [k for k in os.environ if k in got["env"] and k not in ("PATH", "HOME", "LANG", "TZ", "PWD")
                and os.environ[k] == got["env"][k]], got["env"]


def cores_reach_nobody_and_descriptors_are_limited(d):
    rlimit_core, rlimit_nofile = 4, 7
    limits = probe(d, "look")["limits"]
    assert re.search(r"^Max core file size +1 +1 ", limits, re.M), limits
    assert re.search(r"^Max open files +1024 +1024 ", limits, re.M), limits
    assert re.search(r"^Max msgqueue size +0 +0 ", limits, re.M), limits
    zero = bytes(16).decode()  # a struct rlimit
    answers = probe(d, "calls", calls=[[NUMBERS["prlimit64"], 0, r, zero, 0] for r in (rlimit_core, rlimit_nofile)])
    assert answers == ["EPERM", "0"], answers
    assert probe(d, "open_many") == [1024, "EMFILE", "done"]


# --- other processes ---

def no_process_but_the_own_can_be_signalled(d):
    host = [os.getpid(), d.process.pid] + list(tree(d.process.pid))
    got = probe(d, "signals", pids=[p for p in host if p > 100] + [1])
    assert got["answers"].pop("1") == "EPERM" and set(got["answers"].values()) == {"ESRCH"}, got
    assert got["child"] == signal.SIGKILL, got


def functions_share_no_files_and_no_host_ids(d):
    running = []
    watcher = threading.Timer(1, lambda: running.append(tenants(d)))
    watcher.start()
    first, second, third = together(d, "residue", ["escape", "other", "escape"], hold=2)
    watcher.join()
    assert first == second == third == [], (first, second, third)
    ranges = {uid // 65536 for uid in running[0].values()}
    users = [uid for uid in running[0].values() if (uid - 1000000000) % 65536 == 1000]
    assert len(users) >= 3 and len(set(users)) == len(users) and len(ranges) >= 3, running


def a_new_instance_finds_a_fresh_tmp(d):
    install(d, "fresh")
    assert probe(d, "residue", "fresh", hold=0) == []
    assert sorted(probe(d, "residue", "fresh", hold=0)) == ["/dev/shm/mark", "/tmp/mark", "mark", "mark"]  # warm
    install(d, "fresh", "--description", "again", "--env", "A=b")
    assert probe(d, "residue", "fresh", hold=0) == []


def instances_of_one_zygote_draw_different_numbers(d):
    install(d, "data", "--image", "python3.11-data")
    for names in (["escape", "other", "escape"], ["data"] * 3):
        drawn = together(d, "entropy", names, hold=1)
        equal = [k for k in drawn[0] if len({a[k] for a in drawn}) < len(drawn)]
        assert not equal, (equal, drawn)


# --- limits ---

def a_full_tmp_is_ENOSPC_and_no_disk_of_the_host_s(d):
    types = {line.split()[1]: line.split()[2] for line in probe(d, "look")["mounts"].splitlines()}
    assert types["/tmp"] == types["/dev/shm"] == "tmpfs", types
    for path in ("/tmp/fill", "/dev/shm/fill"):
        done, why, twin = probe(d, "fill", path=path)
        assert why == "ENOSPC" and twin == "done" and TMP_MB / 2 * MIB < done <= TMP_MB * MIB, (done, why, twin)
    done, why, twin = probe(d, "fill_inodes")
    assert why == "ENOSPC" and twin == "done" and done <= TMP_MB * MIB / 16384, (done, why, twin)


def processes_are_limited(d):
    done, why, twin = probe(d, "fork_many", limit=PIDS_MAX)
    assert why == "EAGAIN" and done < PIDS_MAX and twin == "forked", (done, why, twin)


def files_in_memory_count_as_memory(d):
    call(d, "deploy", "hold", "--code", CODE, "--handler", "app.handler", "--memory", "128", "--tmp", "512",
         "--timeout", "20")
    assert invoke(d, "hold", {"do": "hold_tmp", "mb": 400}).outcome == "oom"
    assert probe(d, "hold_tmp", "hold", mb=8) == 8 * MIB


def socket_buffers_are_limited(d):
    answer = invoke(d, "escape", {"do": "socket_buffers", "connections": 200})
    # As part of memory they are the end of the function; with a counter of their own (v1) sends wait.
    assert answer.outcome == "oom" or answer.reply < 2 * MEMORY_MB * MIB, (answer.outcome, answer.body[:100])
    assert probe(d, "socket_buffers", connections=1) > 0


TESTS = [f for f in list(globals().values())
         if getattr(f, "__code__", None) and f.__module__ == "__main__" and f.__code__.co_varnames[:1] == ("d",)
         and f.__code__.co_argcount == 1 and f is not tenants]

if __name__ == "__main__":
    sys.exit(lib.run(TESTS, config=f"pids_max = {PIDS_MAX}"))
