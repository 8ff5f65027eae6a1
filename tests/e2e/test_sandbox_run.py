#!/usr/bin/python3.11
"""`sandbox run` of a bundle made from the Python image: what the process gets, and what it cannot get.

Needs root. Containers have names of this test's own, state in a directory of its own.
"""
import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from lib import ROOT, Skip, bin_dir, run_as_root, wait_for

SANDBOX = os.path.join(bin_dir(), "sandbox")
WORK = tempfile.mkdtemp(prefix="sandbox-run-")
ROOTFS = os.path.join(WORK, "rootfs")
STATE = os.path.join(WORK, "state")
PYTHON = "/usr/bin/python3.11"
count = 0


def unpack_image():
    store = os.path.join(ROOT, "build/images")
    with open(os.path.join(store, "names/python3.11"), encoding="ascii") as f:
        blob = os.path.join(store, "sha256", f.read().strip() + ".erofs")
    subprocess.run(["fsck.erofs", f"--extract={ROOTFS}", blob], check=True, capture_output=True)


def spec(tool=SANDBOX):
    """
    The default config, of `sandbox spec`, or as another runtime writes it, without a terminal and with all
    namespaces: on a host with v1 it has no cgroup namespace.
    """
    with tempfile.TemporaryDirectory(dir=WORK) as at:
        subprocess.run([tool, "spec"], cwd=at, check=True)
        with open(os.path.join(at, "config.json"), encoding="utf-8") as f:
            config = json.load(f)
    config["process"]["terminal"] = False
    spaces = config["linux"]["namespaces"]
    if {"type": "cgroup"} not in spaces:
        spaces.append({"type": "cgroup"})
    return config


DEFAULT = {}


def config_of(code, change=None):
    config = copy.deepcopy(DEFAULT)
    config["process"]["args"] = [PYTHON, "-I", "-c", code]
    config["root"]["path"] = ROOTFS
    if change:
        change(config)
    return config


def start(config, name=None, **options):
    """A bundle of this config, started; the Popen, its name and directory."""
    global count
    count += 1
    name = name or f"t{os.getpid()}-{count}"
    bundle = os.path.join(WORK, name)
    os.makedirs(bundle, exist_ok=True)
    with open(os.path.join(bundle, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)
    return subprocess.Popen([SANDBOX, "--root", STATE, *options.pop("flags", []), "run", "--bundle",
                             bundle, name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **options)


def run(code, change=None, **options):
    """(exit status, stdout, stderr)"""
    p = start(config_of(code, change), **options)
    out, err = p.communicate(timeout=60)
    return p.returncode, out, err


def output(code, change=None, **options):
    status, out, err = run(code, change, **options)
    assert status == 0, f"exit status {status}: {err}"
    return out.strip()


def equal(a, b):
    assert a == b, f"{a!r}, not {b!r}"


def process(**members):
    return lambda config: config["process"].update(members)


def linux(**members):
    return lambda config: config["linux"].update(members)


# --- what the process gets ---

def exit_status_is_passed_on():
    equal(run("raise SystemExit(37)")[0], 37)


def death_by_a_signal_is_128_and_its_number():
    # pid 1 of a pid namespace takes no signal it has no handler for: one that is not pid 1 tells more.
    def without_pid_namespace(config):
        config["linux"]["namespaces"] = [n for n in DEFAULT["linux"]["namespaces"]
                                         if n["type"] != "pid"]
    equal(run("import os; os.kill(os.getpid(), 15)", without_pid_namespace)[0], 128 + 15)


def arguments_environment_and_directory_are_as_configured():
    change = process(env=["A=1", "B=x y", "HOME=/h"], cwd="/usr/lib")
    equal(output("import os, json; print(json.dumps([dict(os.environ), os.getcwd()]))",
                 change).replace('"LC_CTYPE": "C.UTF-8"', "").replace(", }", "}"),
          '[{"A": "1", "B": "x y", "HOME": "/h"}, "/usr/lib"]')


def home_is_that_of_the_user_where_the_config_gives_none():
    code = "import os; print(os.environ['HOME'])"
    equal(output(code), "/root")
    equal(output(code, process(user={"uid": 4242, "gid": 1})), "/")


def program_is_found_in_the_path_of_the_config():
    def change(config):
        config["process"]["args"][0] = "python3.11"
        config["process"]["env"] = ["PATH=/nonexistent:/usr/bin"]
    equal(output("print(5)", change), "5")


def user_groups_and_umask_are_as_configured():
    change = process(user={"uid": 1000, "gid": 1001, "umask": 0o27, "additionalGids": [7, 8]})
    equal(output("import os; print(os.getresuid(), os.getresgid(), os.getgroups(), oct(os.umask(0)))",
                 change), "(1000, 1000, 1000) (1001, 1001, 1001) [7, 8] 0o27")


def capability_sets(user, caps):
    text = output("print(open('/proc/self/status').read())",
                  process(user={"uid": user, "gid": user}, capabilities=caps))
    rows = dict(line.split(":\t") for line in text.splitlines() if line.startswith("Cap"))
    return [int(rows[k], 16) for k in ("CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb")]


def five_sets_of_capabilities_are_as_configured():
    kill, bind = ["CAP_KILL"], ["CAP_NET_BIND_SERVICE"]
    equal(capability_sets(0, {"bounding": kill + bind, "permitted": kill, "effective": kill}),
          [1 << 5 | 1 << 10, 1 << 5, 1 << 5, 0, 0])
    equal(capability_sets(1000, {"bounding": kill, "permitted": kill, "effective": kill}),
          [1 << 5, 0, 0, 0, 0])
    equal(capability_sets(1000, {s: bind for s in ("bounding", "permitted", "effective",
                                                   "inheritable", "ambient")}), [1 << 10] * 5)
    equal(capability_sets(0, {}), [0] * 5)


def limits_of_the_process_are_set():
    change = process(rlimits=[{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60}], oomScoreAdj=500)
    equal(output("import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE),"
                 "open('/proc/self/oom_score_adj').read())", change), "(50, 60) 500")


def host_name_is_as_configured_and_the_host_keeps_its_own():
    before = os.uname().nodename
    equal(output("import os; print(os.uname().nodename)", lambda c: c.update(hostname="inside")),
          "inside")
    equal(os.uname().nodename, before)


def descriptors_are_0_1_and_2():
    leak = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(leak, True)
    try:
        # The fourth is the directory being read.
        equal(output("import os; print(sorted(os.listdir('/proc/self/fd')))", close_fds=False),
              "['0', '1', '2', '3']")
    finally:
        os.close(leak)


def devices_are_the_default_ones():
    equal(output("import os; print(*sorted(os.listdir('/dev')));"
                 "open('/dev/null', 'w').write('x'); print(len(open('/dev/zero', 'rb').read(9)))"),
          "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero\n9")


def namespaces_are_its_own():
    names = ("mnt", "pid", "net", "ipc", "uts", "cgroup")
    inside = output("import os; print(*[os.readlink('/proc/self/ns/' + n) for n in "
                    f"{names}], os.getpid(), open('/proc/net/dev').read().count(':'))").split()
    equal(set(inside[:6]) & {os.readlink("/proc/self/ns/" + n) for n in names}, set())
    equal(inside[6:], ["1", "1"])


def user_namespace_maps_ids():
    """Owned by the first id of the range: nobody's files of the host would be its own."""
    rootfs = os.path.join(WORK, "owned")
    subprocess.run(["cp", "-a", ROOTFS, rootfs], check=True)
    for where, dirs, files in os.walk(rootfs):
        for name in ["."] + dirs + files:
            os.chown(os.path.join(where, name), 2000000, 2000000, follow_symlinks=False)
    os.chmod(WORK, 0o711)

    def change(config):
        config["root"]["path"] = rootfs
        config["linux"]["namespaces"].append({"type": "user"})
        for which in ("uidMappings", "gidMappings"):
            config["linux"][which] = [{"containerID": 0, "hostID": 2000000, "size": 65536}]
    equal(output("import os; print(os.getuid(), open('/proc/self/uid_map').read().split(),"
                 "os.stat('/usr').st_uid); open('/dev/null', 'w').write('x')", change),
          "0 ['0', '2000000', '65536'] 0")
    shutil.rmtree(rootfs)


def cgroup_tree_begins_at_its_own_group():
    # A host with controllers on v1 shows a directory for each.
    look = ("import os; d = '/sys/fs/cgroup'\nif os.path.isdir(d + '/memory'): d += '/memory'\n"
            "print(open(d + '/cgroup.procs').read().split(),"
            "[n for n in os.listdir(d) if os.path.isdir(d + '/' + n)])")
    equal(output(look), "['1'] []")
    keep = [n for n in DEFAULT["linux"]["namespaces"] if n["type"] != "cgroup"]
    equal(output(look, linux(namespaces=keep)), "['1'] []")


# --- what it cannot get ---

WRITE = ("import errno\n"
         "def write(path):\n"
         "    try:\n"
         "        with open(path, 'w') as f: f.write('x')\n"
         "        return 'written'\n"
         "    except OSError as e:\n"
         "        return errno.errorcode[e.errno]\n")


def root_is_read_only_where_the_config_says_so():
    code = WRITE + "print(write('/x'), write('/usr/x'), write('/dev/shm/x'))"
    equal(output(code), "EROFS EROFS written")
    equal(output(code, lambda c: c["root"].update(readonly=False)), "written written written")
    for name in ("x", "usr/x"):
        os.unlink(os.path.join(ROOTFS, name))


def masked_paths_are_empty_and_read_only_ones_keep():
    code = WRITE + ("import os\nprint(len(open('/proc/keys').read()), os.listdir('/sys/firmware'),"
                    "write('/proc/sys/vm/drop_caches'))")
    equal(output(code), "0 [] EROFS")


def nodes_of_the_bundle_can_be_opened_if_the_controller_allows_it():
    nodes = {"null": os.makedev(1, 3), "kmsg": os.makedev(1, 11)}
    for name, number in nodes.items():
        os.mknod(os.path.join(ROOTFS, name), 0o20666, number)
    try:
        equal(output(WRITE + "print(write('/null'), write('/kmsg'))"), "written EPERM")
    finally:
        for name in nodes:
            os.unlink(os.path.join(ROOTFS, name))


def links_of_the_bundle_lead_nowhere_outside():
    """/dev of the bundle is a link to a directory of the host, and nothing is mounted there."""
    canary = os.path.join(WORK, "canary")
    rootfs = os.path.join(WORK, "links")
    os.mkdir(canary)
    subprocess.run(["cp", "-a", ROOTFS, rootfs], check=True)
    os.rmdir(os.path.join(rootfs, "dev"))
    os.symlink(canary, os.path.join(rootfs, "dev"))

    def change(config):
        config["root"] = {"path": rootfs, "readonly": False}
        config["mounts"] = [m for m in config["mounts"] if not m["destination"].startswith("/dev")]
    run("pass", change)
    equal(os.listdir(canary), [])
    shutil.rmtree(rootfs)


def memory_over_the_limit_is_137():
    change = linux(resources={"memory": {"limit": 32 << 20, "swap": 32 << 20}})
    equal(run("x = b'x' * (128 << 20)", change)[0], 137)
    equal(run("x = b'x' * (8 << 20)", change)[0], 0)


def processes_over_the_limit_are_refused():
    code = ("import os, time\nn = 0\ntry:\n    for _ in range(20):\n        if os.fork() == 0:\n"
            "            time.sleep(100)\n        n += 1\nexcept BlockingIOError:\n    pass\nprint(n)")
    equal(output(code, linux(resources={"pids": {"limit": 5}})), "4")


def mounts_are_as_their_options_say():
    data = os.path.join(WORK, "data")
    os.mkdir(data)

    def change(config):
        config["mounts"] += [
            {"destination": "/opt/a", "type": "bind", "source": data, "options": ["bind", "ro"]},
            {"destination": "opt/b", "source": data, "options": ["rbind", "rw", "noexec"]},
            {"destination": "/run", "type": "tmpfs", "options": ["ro", "size=64k"]},
            {"destination": "/run/deep", "type": "tmpfs", "options": ["size=64k", "mode=700"]}]
        config["root"]["readonly"] = False
    code = WRITE + ("print(*map(write, ('/opt/a/x', '/opt/b/x', '/run/x', '/run/deep/x')))\n"
                    "print([l.split()[3].split(',')[:2] for l in open('/proc/self/mounts')"
                    " if '/opt/b' in l])")
    equal(output(code, change), "EROFS written EROFS written\n[['rw', 'noexec']]")
    equal(os.listdir(data), ["x"])
    for name in ("a", "b"):
        os.rmdir(os.path.join(ROOTFS, "opt", name))


# --- the command ---

# Blocked and waited for: pause() would sleep through a signal that comes just before it.
UNTIL_TERM = ("import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
              "print('ready', flush=True)\nsignal.sigwait({signal.SIGTERM})\nraise SystemExit(9)")


def signals_are_passed_on():
    p = start(config_of(UNTIL_TERM))
    equal(p.stdout.readline(), "ready\n")
    p.send_signal(signal.SIGTERM)
    p.communicate(timeout=60)
    equal(p.returncode, 9)


def container_ends_with_its_runtime():
    p = start(config_of("print('ready', flush=True); import signal; signal.pause()"))
    name = os.path.basename(p.args[-1])
    equal(p.stdout.readline(), "ready\n")
    group = find_group(name)
    pids = open(os.path.join(group, "cgroup.procs"), encoding="ascii").read().split()
    equal(len(pids), 1)
    p.kill()
    p.communicate(timeout=60)
    wait_for(lambda: not os.path.exists(f"/proc/{pids[0]}"), "the container's end")
    # What was left of it is taken over.
    p = start(config_of("print(1)"), name=name)
    equal((p.communicate(timeout=60)[0], p.returncode), ("1\n", 0))


def find_group(name):
    for where, dirs, _ in os.walk("/sys/fs/cgroup"):
        if name in dirs and os.path.exists(os.path.join(where, name, "cgroup.kill")):
            return os.path.join(where, name)
    raise AssertionError(f"no group {name}")


def name_is_taken_while_it_runs():
    p = start(config_of(UNTIL_TERM))
    name = os.path.basename(p.args[-1])
    equal(p.stdout.readline(), "ready\n")  # the name is taken now, and by this one
    second = subprocess.run([SANDBOX, "--root", STATE, "run", "--bundle", os.path.join(WORK, name),
                             name], capture_output=True, text=True, check=False, timeout=60)
    p.terminate()
    p.communicate(timeout=60)
    equal(p.returncode, 9)
    equal(second.returncode, 1)
    equal(second.stderr, f"sandbox run: container with given ID already exists: '{name}'\n")


def many_at_once_share_one_group():
    running = [start(config_of("print(7)")) for _ in range(12)]
    for p in running:
        out, err = p.communicate(timeout=120)
        equal((p.returncode, out, err), (0, "7\n", ""))


def errors_are_one_line_that_names_the_step():
    cases = (
        (process(args=["/nonexistent"]), "sandbox run: execute: '/nonexistent': ENOENT"),
        (process(args=["nonexistent"]), "sandbox run: execute: 'nonexistent': ENOENT"),
        (process(cwd="/usr/bin/python3.11"), "sandbox run: working directory: '/usr/bin/python3.11': ENOTDIR"),
        (process(cwd="/proc/self/fd/3"), "sandbox run: working directory: '/proc/self/fd/3'"),
        (lambda c: c["root"].update(path="/nonexistent"),
         "sandbox run: mount root: bind '/nonexistent': ENOENT"),
        (lambda c: c["mounts"].append({"destination": "/x", "type": "nosuchfs"}),
         "sandbox run: mount: '/x': nosuchfs: open file system: ENODEV"))
    for change, says in cases:
        status, out, err = run("pass", change)
        equal((status, out), (1, ""))
        assert err.startswith(says) and err.count("\n") == 1, err


def errors_go_to_the_log_as_json_too():
    log = os.path.join(WORK, "log")
    status, _, err = run("pass", process(args=["/nonexistent"]),
                         flags=["--log", log, "--log-format", "json"])
    with open(log, encoding="utf-8") as f:
        line = json.loads(f.read())
    equal(status, 1)
    equal((line["level"], err), ("error", line["msg"] + "\n"))
    assert line["msg"].startswith("sandbox run: execute: '/nonexistent': ENOENT"), line


def wrong_usage_is_2():
    for words in ([], ["fly"], ["run"], ["run", "a", "b"], ["run", "--no-pivot", "a"],
                  ["--systemd-cgroup", "run", "a"], ["--log-format", "xml", "spec"]):
        done = subprocess.run([SANDBOX, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and done.stderr, words
    for words in (["--help"], ["--version"], ["run", "--help"]):
        done = subprocess.run([SANDBOX, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and done.stdout, words


def default_config_of_runc_runs():
    other_default("runc")


def default_config_of_crun_runs():
    other_default("crun")


def other_default(tool):
    if not shutil.which(tool):
        raise Skip(f"{tool} is not installed")
    config = spec(tool)
    config["root"]["path"] = ROOTFS
    config["process"]["args"] = [PYTHON, "-I", "-c", "print('hello')"]
    p = start(config)
    out, err = p.communicate(timeout=60)
    equal((p.returncode, out, err), (0, "hello\n", ""))


def nothing_is_left_behind():
    equal(os.listdir(STATE), [])
    left = [os.path.join(where, name) for where, dirs, _ in os.walk("/sys/fs/cgroup")
            for name in dirs if name.startswith(f"t{os.getpid()}-")]
    equal(left, [])
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        assert WORK not in f.read()


TESTS = [
    exit_status_is_passed_on,
    death_by_a_signal_is_128_and_its_number,
    arguments_environment_and_directory_are_as_configured,
    home_is_that_of_the_user_where_the_config_gives_none,
    program_is_found_in_the_path_of_the_config,
    user_groups_and_umask_are_as_configured,
    five_sets_of_capabilities_are_as_configured,
    limits_of_the_process_are_set,
    host_name_is_as_configured_and_the_host_keeps_its_own,
    descriptors_are_0_1_and_2,
    devices_are_the_default_ones,
    namespaces_are_its_own,
    user_namespace_maps_ids,
    cgroup_tree_begins_at_its_own_group,
    root_is_read_only_where_the_config_says_so,
    masked_paths_are_empty_and_read_only_ones_keep,
    nodes_of_the_bundle_can_be_opened_if_the_controller_allows_it,
    links_of_the_bundle_lead_nowhere_outside,
    memory_over_the_limit_is_137,
    processes_over_the_limit_are_refused,
    mounts_are_as_their_options_say,
    signals_are_passed_on,
    container_ends_with_its_runtime,
    name_is_taken_while_it_runs,
    many_at_once_share_one_group,
    errors_are_one_line_that_names_the_step,
    errors_go_to_the_log_as_json_too,
    wrong_usage_is_2,
    default_config_of_runc_runs,
    default_config_of_crun_runs,
    nothing_is_left_behind,
]


def prepare():
    unpack_image()
    DEFAULT.update(spec())


if __name__ == "__main__":
    sys.exit(run_as_root(TESTS, "sandbox run", begin=prepare, end=lambda: shutil.rmtree(WORK)))
