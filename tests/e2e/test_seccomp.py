#!/usr/bin/python3.11
"""linux.seccomp in real containers: what the kernel answers, in every ABI that a process can call with.

Needs root. The container's only program makes one system call and prints the answer (seccomp_probe.c).
"""
import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from lib import ROOT, Tap, bin_dir

SANDBOX = os.path.join(bin_dir(), "sandbox")
DIR = tempfile.TemporaryDirectory(prefix="sandbox-seccomp-")
WORK = DIR.name
STATE = os.path.join(WORK, "state")
ROOTFS = os.path.join(WORK, "rootfs")
EPERM, ENOSYS = -1, -38
AF_UNIX, AF_ALG = 1, 38
GETPID, GETPPID, SOCKET, SETHOSTNAME = 39, 110, 41, 170
I386_GETPID, I386_SOCKET = 20, 359
SIGSYS = 128 + signal.SIGSYS
# What the start itself needs once the filter is on, with no_new_privs and without.
NEEDED = ["execve", "chdir", "getcwd", "prctl", "setgroups", "setresuid", "setresgid", "capset", "capget", "close",
          "close_range", "read", "write", "sendmsg", "recvmsg", "exit_group", "fcntl", "openat", "fstat", "newfstatat",
          "keyctl", "mmap", "munmap", "brk", "dup", "dup3"]
count = 0


def build():
    os.makedirs(ROOTFS)
    subprocess.run(["gcc", "-O1", "-static", "-no-pie", "-nostdlib", "-ffreestanding", "-fno-stack-protector",
                    "-o", os.path.join(ROOTFS, "probe"), os.path.join(ROOT, "tests/e2e/seccomp_probe.c")],
                   check=True)


def bundle_of(profile, *args, new_privs=False):
    """Name and directory of one that runs the probe under this profile."""
    global count
    count += 1
    name = f"s{os.getpid()}-{count}"
    bundle = os.path.join(WORK, name)
    os.makedirs(bundle)
    subprocess.run([SANDBOX, "spec"], cwd=bundle, check=True)
    path = os.path.join(bundle, "config.json")
    with open(path, encoding="utf-8") as f:
        config = json.load(f)
    config["process"]["terminal"] = False
    config["process"]["args"] = ["/probe", *map(str, args)]
    config["process"]["noNewPrivileges"] = not new_privs
    config["root"]["path"] = ROOTFS
    config["linux"]["seccomp"] = profile
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
    return name, bundle


def start(profile, *args, **options):
    """(exit status, stdout, stderr)"""
    name, bundle = bundle_of(profile, *args, **options)
    p = subprocess.run([SANDBOX, "--root", STATE, "run", "--bundle", bundle, name], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, timeout=60, check=False)
    return p.returncode, p.stdout, p.stderr


def answer(profile, *args, **options):
    status, out, err = start(profile, *args, **options)
    assert status == 0, f"exit status {status}: {err}"
    return int(out)


def allow(*rules, **more):
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": list(rules), **more}


def rule(names, action, **more):
    return {"names": names, "action": action, **more}


NO_ALG = rule(["socket"], "SCMP_ACT_ERRNO", args=[{"index": 0, "op": "SCMP_CMP_EQ", "value": AF_ALG}])
ALL_ABIS = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]


def an_errno_is_what_the_rule_says():
    profile = allow(rule(["getppid"], "SCMP_ACT_ERRNO", errnoRet=61), rule(["no_such_call"], "SCMP_ACT_KILL"))
    for new_privs in (False, True):
        assert answer(profile, "native", GETPPID, new_privs=new_privs) == -61
        assert answer(profile, "native", GETPID, new_privs=new_privs) == 1


def a_killing_rule_kills():
    for action in ("SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"):
        status, out, _ = start(allow(rule(["getppid"], action)), "native", GETPPID)
        assert (status, out) == (SIGSYS, ""), (action, status, out)


def a_trace_without_tracer_does_not_exist():
    assert answer(allow(rule(["getppid"], "SCMP_ACT_TRACE")), "native", GETPPID) == ENOSYS


def a_logged_call_works():
    flags = ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"]
    profile = allow(rule(["getpid"], "SCMP_ACT_LOG"), flags=flags)
    assert answer(profile, "native", GETPID) == 1


def a_list_of_what_is_allowed_refuses_the_rest():
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule(NEEDED + ["getpid", "statx"], "SCMP_ACT_ALLOW")]}
    for new_privs in (False, True):
        assert answer(profile, "native", GETPID, new_privs=new_privs) == 1
        assert answer(profile, "native", GETPPID, new_privs=new_privs) == EPERM
    assert answer(profile, "native", 451) == ENOSYS
    assert answer(profile, "native", 5000) == ENOSYS


def arguments_are_compared_with_64_bits():
    one = 1 << 40 | 5
    profile = allow(rule(["sethostname"], "SCMP_ACT_ERRNO", errnoRet=61,
                         args=[{"index": 0, "op": "SCMP_CMP_EQ", "value": one}]))
    assert answer(profile, "native", SETHOSTNAME, one, 1) == -61
    assert answer(profile, "native", SETHOSTNAME, 5, 1) != -61
    high = (1 << 63) + 5
    profile = allow(rule(["sethostname"], "SCMP_ACT_ERRNO", errnoRet=61,
                         args=[{"index": 0, "op": "SCMP_CMP_GE", "value": high}]))
    assert answer(profile, "native", SETHOSTNAME, high - 1, 1) != -61
    assert answer(profile, "native", SETHOSTNAME, high, 1) == -61


def foreign_abis_are_killed_unless_listed():
    for abi, number in (("i386", I386_GETPID), ("x32", GETPID)):
        status, out, _ = start(allow(), abi, number)
        assert (status, out) == (SIGSYS, ""), (abi, status, out)
    assert answer(allow(architectures=ALL_ABIS), "i386", I386_GETPID) == 1
    # This kernel may lack x32: what matters is that the filter lets the call through.
    assert answer(allow(architectures=ALL_ABIS), "x32", GETPID) in (1, ENOSYS)


def a_refused_family_is_refused_in_every_abi():
    profile = allow(NO_ALG, architectures=ALL_ABIS)
    assert answer(profile, "native", SOCKET, AF_ALG, 5) == EPERM
    assert answer(profile, "native", SOCKET, 7 << 32 | AF_ALG, 5) == EPERM
    assert answer(profile, "x32", SOCKET, AF_ALG, 5) == EPERM
    assert answer(profile, "i386", I386_SOCKET, AF_ALG, 5) == EPERM
    assert answer(profile, "i386", "socketcall", AF_ALG) == EPERM
    assert answer(profile, "native", SOCKET, AF_UNIX, 5) >= 0
    assert answer(profile, "i386", I386_SOCKET, AF_UNIX, 5) >= 0
    assert answer(allow(architectures=ALL_ABIS), "i386", "socketcall", AF_UNIX) >= 0


def a_list_with_socketcall_does_not_open_the_way():
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ALL_ABIS, "syscalls": [
        rule(NEEDED + ["socketcall", "connect"], "SCMP_ACT_ALLOW"),
        rule(["socket"], "SCMP_ACT_ALLOW", args=[{"index": 0, "op": "SCMP_CMP_NE", "value": AF_ALG}])]}
    assert answer(profile, "i386", "socketcall", AF_ALG) == EPERM
    assert answer(profile, "i386", I386_SOCKET, AF_ALG, 5) == EPERM
    assert answer(profile, "i386", I386_SOCKET, AF_UNIX, 5) >= 0


def a_section_that_is_wrong_starts_nothing():
    wrong = rule(["getpid"], "SCMP_ACT_ALLOW", args=[{"index": 0, "op": "X"}])
    status, out, err = start(allow(wrong), "native", GETPID)
    assert status == 1 and out == "", (status, out)
    assert "linux.seccomp.syscalls[0].args[0].op: 'X' is no comparison" in err, err


def a_damaged_cache_is_not_trusted():
    profile = allow(rule(["getppid"], "SCMP_ACT_ERRNO", errnoRet=62))
    cache = os.path.join(STATE, ".cache/seccomp")
    before = set(os.listdir(cache)) if os.path.isdir(cache) else set()
    assert answer(profile, "native", GETPPID) == -62
    name, = set(os.listdir(cache)) - before
    path = os.path.join(cache, name)
    with open(path, "r+b") as f:
        text = f.read()
        other = text.replace((0x00050000 | 62).to_bytes(4, "little"), (0x7fff0000).to_bytes(4, "little"))
        assert other != text, "the verdict is not in the file"
        f.seek(0)
        f.write(other)
    assert answer(profile, "native", GETPPID) == -62
    os.chown(path, 65534, 65534)
    assert answer(profile, "native", GETPPID) == -62
    assert os.stat(path).st_uid == 0


RECV, SEND, CONTINUE = 0xc0502100, 0xc0182101, 1


@contextlib.contextmanager
def listener(answers):
    """A socket, and a thread that takes one listener and answers calls by number: a value, or None: let it happen."""
    path = os.path.join(WORK, f"listener-{count}")
    seen = {"calls": []}

    def serve():
        peer, _ = server.accept()
        text, fds, _, _ = socket.recv_fds(peer, 1 << 16, 4)
        while more := peer.recv(1 << 16):
            text += more
        peer.close()
        seen["state"], seen["fds"] = json.loads(text), len(fds)
        while True:
            ready = select.poll()
            ready.register(fds[0], select.POLLIN)
            ready.register(stop[0], select.POLLIN)
            if any(fd == stop[0] for fd, _ in ready.poll()):
                break
            call = bytearray(80)
            try:
                fcntl.ioctl(fds[0], RECV, call)
            except OSError:  # its process is gone: POLLHUP
                break
            ident, _, _, number = struct.unpack_from("QIIi", call)
            value = answers[number]
            seen["calls"].append(number)
            fcntl.ioctl(fds[0], SEND, struct.pack("QqiI", ident, value or 0, 0, CONTINUE if value is None else 0))
        os.close(fds[0])

    stop = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(path)
        server.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield path, seen
        finally:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as last:
                last.connect(path)  # nobody came: an end of its accept()
            os.close(stop[1])
            thread.join(10)
            os.close(stop[0])


def a_listener_answers_calls():
    with listener({GETPPID: 4242}) as (path, seen):
        profile = allow(rule(["getppid"], "SCMP_ACT_NOTIFY"), listenerPath=path, listenerMetadata='a "word"',
                        flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"])
        assert answer(profile, "native", GETPPID) == 4242
    state = seen["state"]
    assert seen["fds"] == 1 and state["fds"] == ["seccompFd"] and state["metadata"] == 'a "word"', state
    assert state["state"]["status"] == "creating" and state["state"]["id"].startswith("s"), state
    assert state["pid"] == state["state"]["pid"] > 1 and state["ociVersion"].startswith("1."), state


def exec_where_there_is_a_listener_is_refused():
    with listener({}) as (path, seen):
        profile = allow(rule(["getppid"], "SCMP_ACT_NOTIFY"), listenerPath=path)
        name, at = bundle_of(profile)
        sandbox = [SANDBOX, "--root", STATE]
        subprocess.run([*sandbox, "create", "--bundle", at, name], check=True, timeout=60, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            p = subprocess.run([*sandbox, "exec", name, "/probe"], check=False, capture_output=True, text=True,
                               timeout=60)
            assert p.returncode == 255 and "listenerPath: exec has no listener" in p.stderr, p
        finally:
            subprocess.run([*sandbox, "delete", "--force", name], check=True, timeout=60)
    assert seen["fds"] == 1


def calls_of_the_start_itself_can_wait_for_the_listener():
    execve, setresuid, read, sendmsg = 59, 117, 0, 46
    names = ["execve", "setresuid", "read", "sendmsg"]
    for new_privs in (False, True):
        with listener({execve: None, setresuid: None, read: None, sendmsg: None}) as (path, seen):
            profile = allow(rule(names, "SCMP_ACT_NOTIFY"), listenerPath=path)
            assert answer(profile, "native", GETPID, new_privs=new_privs) == 1
        assert execve in seen["calls"], seen
        assert (setresuid in seen["calls"]) == new_privs, seen


def without_a_listener_nothing_starts():
    profile = allow(rule(["getppid"], "SCMP_ACT_NOTIFY"), listenerPath=os.path.join(WORK, "nobody"))
    status, out, err = start(profile, "native", GETPID)
    assert status == 1 and out == "" and "seccomp listener: connect to" in err, (status, out, err)
    assert not [d for d in os.listdir(STATE) if d != ".cache"]


def what_would_wait_for_itself_is_refused():
    profile = allow(rule(["write"], "SCMP_ACT_NOTIFY"), listenerPath=os.path.join(WORK, "nobody"))
    status, _, err = start(profile, "native", GETPID)
    assert status == 1 and "names[0]: SCMP_ACT_NOTIFY" in err, (status, err)


def main():
    tap = Tap()
    if os.geteuid() != 0:
        tap.line(True, "seccomp", skip="needs root")
        print("1..1")
        return 0
    with DIR:
        build()
        for test in (an_errno_is_what_the_rule_says, a_killing_rule_kills, a_trace_without_tracer_does_not_exist,
                     a_logged_call_works, a_list_of_what_is_allowed_refuses_the_rest,
                     arguments_are_compared_with_64_bits, foreign_abis_are_killed_unless_listed,
                     a_refused_family_is_refused_in_every_abi, a_list_with_socketcall_does_not_open_the_way,
                     a_section_that_is_wrong_starts_nothing, a_damaged_cache_is_not_trusted,
                     a_listener_answers_calls, exec_where_there_is_a_listener_is_refused,
                     calls_of_the_start_itself_can_wait_for_the_listener, without_a_listener_nothing_starts,
                     what_would_wait_for_itself_is_refused):
            tap.run(test)
    print(f"1..{tap.n}")
    return tap.failed


if __name__ == "__main__":
    sys.exit(main())
