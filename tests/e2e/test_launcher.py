#!/usr/bin/python3.11
"""The launcher's own promises: who may start, what a tenant is handed, and what dies with whom.

SEED sets which moments are chosen.
"""
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import lib
from zygotepeer import VERSION
from lib import Daemon, Skip, bin_dir, call, deploy, fnctl, invoke, is_alive, read, run, wait_for
from daemon import cgroup_mounts, children, stat

SEED = int(os.environ.get("SEED", 1))

# A zygote that dies six times in a row without having lived for two seconds ends the daemon.
KILLS_IN_A_ROW, SOUND_SECONDS = 4, 2.1

STDIN = """
import os, stat
def handler(event, context):
    s = os.fstat(0)
    return [stat.S_ISCHR(s.st_mode), os.major(s.st_rdev), os.minor(s.st_rdev)]
"""
STDOUT = """
def handler(event, context):
    with open("/dev/stdout", "w") as f:
        f.write("by its name\\n")
    return "written"
"""
WRAPS = {
    "a file": ("sh", "-c", 'exec "$@" </etc/hostname', "sh"),
    "closed": ("sh", "-c", 'exec "$@" <&-', "sh"),
}


# --- who may start ---

def files(directory):
    return sorted(os.path.join(at, name) for at, _, names in os.walk(directory) for name in names)


def a_second_daemon_on_the_same_directory_is_refused(d):
    deploy(d, "stays", "def handler(event, context): return 'served'")
    before = files(d.run)
    second = subprocess.run(d.command(), capture_output=True, timeout=60, check=False)
    assert second.returncode == 1, second.returncode
    assert b"another daemon runs on" in second.stderr, second.stderr
    assert files(d.run) == before, files(d.run)
    assert invoke(d, "stays").reply == "served"
    call(d, "list")


def refusal(*settings):
    """What a daemon says that must not start."""
    d = Daemon(start=False)
    try:
        pairs = [word for s in settings for word in ("--set", s)]
        done = subprocess.run(d.command() + pairs, capture_output=True, timeout=60, check=False)
        assert done.returncode == 1, done
        d.process = None
        left = files(d.run)
        assert not left, left
        return done.stderr.decode()
    finally:
        d.clean()


def ids_that_would_reach_the_hosts_root_are_refused(_):
    text = refusal("uid_base=4026531840", "instances_max=16384")  # 0xf0000000: wraps after 4096 slots
    assert "uid_base" in text and "4294967295" in text, text


def ids_of_the_core_and_the_unpacker_are_no_instances_ids(_):
    for core_uid in ("100000", "99999"):
        text = refusal("uid_base=65536", f"core_uid={core_uid}")
        assert "core_uid" in text, text


def directories_that_only_root_can_reach_are_refused_in_one_line(_):
    with tempfile.TemporaryDirectory(dir="/tmp") as closed:  # mode 0700
        for key in ("state_dir", "run_dir"):
            text = refusal(f"{key}={closed}/{key}")
            assert text.count("\n") == 1, text
            assert f"{key}: '{closed}' has mode 0700" in text, text


# --- what a tenant is handed ---

def standard_input_is_the_null_device(_):
    for name, wrap in WRAPS.items():
        for way in range(3):
            with Daemon(f"start_way = {way}", wrap=wrap) as d:
                deploy(d, "stdin", STDIN)
                answer = invoke(d, "stdin")
                assert answer.reply == [True, 1, 3], f"{name}, start way {way}: {answer.body}"


def standard_output_opens_by_its_name(_):
    for way in (0, 2):
        with Daemon(f"start_way = {way}") as d:
            deploy(d, "stdout", STDOUT)
            answer = invoke(d, "stdout")
            assert answer.outcome == "ok", answer.body
            wait_for(lambda: b"by its name" in fnctl(d, "logs", "stdout").stdout, "the line in the log")


# --- what dies with whom ---

def zygote(d):
    """Its pid, once one is ready: it has changed its root by then and waits for messages."""
    for pid in children(d.process.pid):
        if b"zygote.py" in (read(f"/proc/{pid}/cmdline") or "").encode():
            return pid
    return None


class Load:
    """New instances all the time: each call changes what its function is."""

    def __init__(self, d, n_threads=3):
        self.d, self.over, self.bad, self.n = d, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self.work, args=(f"load{i}",)) for i in range(n_threads)]

    def work(self, name):
        text = "import os\ndef handler(event, context): os._exit(0)"  # the next call needs another instance
        deploy(self.d, name, text, "--timeout", "30")
        while not self.over.is_set():
            answer = invoke(self.d, name)
            self.n += 1
            if answer.outcome != "exit":
                self.bad.append((answer.outcome, answer.body))

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()


def a_start_survives_its_zygote(_):
    chance = random.Random(SEED)
    with Daemon("start_way = 1") as d:
        with Load(d) as load:
            for i in range(10):
                old = wait_for(lambda: zygote(d), "a zygote")
                served = load.n + 5
                wait_for(lambda: load.n >= served, "calls that are served")
                if i % KILLS_IN_A_ROW == KILLS_IN_A_ROW - 1:
                    time.sleep(SOUND_SECONDS)  # its life counts
                time.sleep(chance.uniform(0, 0.01))  # the moment of death is the point
                os.kill(old, signal.SIGKILL)
                wait_for(lambda: zygote(d) not in (None, old), "another zygote")
        assert load.n > 50, load.n
        assert not load.bad, f"{len(load.bad)} of {load.n}: {load.bad[0]}"


def living(d):
    """Processes in the daemon's groups, whoever their parent is by now, and all that were seen."""
    d.reap()
    found = {p for p, start in d.seen.items() if is_alive(p, start)}
    for mount in cgroup_mounts():
        for path, _, _ in os.walk(mount):
            if f"/{d.cgroup}" in path + "/":
                found |= {int(p) for p in (read(path + "/cgroup.procs") or "").split()}
    return {p for p in found if (stat(p) or "Z")[0] not in "ZX"}


def nothing_outlives_the_launcher(_):
    chance = random.Random(SEED)
    d = Daemon("prefork_children = 40", start=False)
    try:
        for _ in range(20):
            d.start()  # ready: now it builds forty sandboxes ahead of time
            time.sleep(chance.uniform(0, 0.1))  # the moment of death is the point
            d.kill()
            wait_for(lambda: not living(d), "the end of all processes")
        d.start()
        assert d.terminate() == 0
        left = d.residue()
        assert not left, left
    finally:
        d.destroy()
        d.clean()


def sigterm_right_after_the_start_is_a_clean_end(_):
    chance = random.Random(SEED)
    for _ in range(20):
        d = Daemon(start=False)
        try:
            d.process = subprocess.Popen(d.command(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                         start_new_session=True)
            Daemon.mains.append(d.process)
            wait_for(lambda: os.path.exists(d.run + "/lock"), "its lock")
            if chance.random() < 0.7:  # most of them as the core begins
                wait_for(lambda: has_core(d) or d.process.poll() is not None, "the core")
                time.sleep(chance.uniform(0, 0.004))
            d.process.terminate()
            said = d.process.communicate(timeout=60)[1]
            assert d.process.returncode == 0, f"{d.process.returncode}: {said.decode()}"
            assert not d.residue(), d.residue()
        finally:
            d.destroy()
            d.clean()


# --- an image that is older than the daemon ---

OLD_PYTHON = """#!/usr/bin/dash
printf '\\002\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0' >&3
read never <&3
"""


def old_image(store):
    """A store with one image, whose interpreter says READY as it was before there were versions."""
    root = tempfile.mkdtemp(dir=lib.WORK.name)
    for path in ("/usr/bin/dash", "/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"):
        os.makedirs(root + os.path.dirname(path), exist_ok=True)
        shutil.copy(path, root + path)
    for name in ("proc", "dev", "tmp", "var/task"):
        os.makedirs(f"{root}/{name}")
    with open(root + "/usr/bin/old", "w") as f:
        f.write(OLD_PYTHON)
    os.chmod(root + "/usr/bin/old", 0o755)
    packed = root + ".erofs"
    subprocess.run(["mkfs.erofs", "--quiet", packed, root], check=True, stdout=subprocess.DEVNULL)
    with open(packed, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    for name in ("sha256", "names"):
        os.makedirs(f"{store}/{name}")
    os.rename(packed, f"{store}/sha256/{digest}.erofs")
    manifest = {"name": "old", "digest": digest, "packed_bytes": os.path.getsize(f"{store}/sha256/{digest}.erofs"),
                "unpacked_bytes": 1, "python": "/usr/bin/old", "arch": "amd64",
                "created": "2025-06-01T00:00:00Z", "packages": []}
    with open(f"{store}/sha256/{digest}.json", "w") as f:
        json.dump(manifest, f)
    with open(f"{store}/names/old", "w") as f:
        f.write(digest + "\n")


def an_image_older_than_the_daemon_is_refused_in_one_line(_):
    store = os.path.join(tempfile.mkdtemp(dir=lib.WORK.name), "images")
    old_image(store)
    said = refusal(f"images_dir={store}")
    assert said.splitlines() == ["runtimed: error: image 'old': the image's extension speaks version 0, "
                                 f"the daemon {VERSION}: rebuild the image"], said


def from_a_build_tree_it_finds_policies_and_images(_):
    if not os.path.realpath(bin_dir()).endswith("/build/bin"):
        raise Skip("not the programs of a build tree")
    d = Daemon(start=False)
    try:
        command = d.command()
        at = command.index("--config")
        d.process = subprocess.Popen(command[:at] + command[at + 2:], stdin=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE, start_new_session=True)
        Daemon.mains.append(d.process)
        wait_for(lambda: has_core(d) or d.process.poll() is not None, "the core")
        wait_for(lambda: os.path.exists(d.socket) or d.process.poll() is not None, "its socket")
        d.process.terminate()
        said = d.process.communicate(timeout=60)[1]
        assert d.process.returncode == 0, f"{d.process.returncode}: {said.decode()}"
    finally:
        d.destroy()
        d.clean()


def core(d):
    return next((p for p in children(d.process.pid) if "core" in (read(f"/proc/{p}/cmdline") or "").split("\0")), None)


def has_core(d):
    return core(d) is not None


# --- what is forked while a start waits ---

def a_child_may_be_faster_than_its_zygotes_answer(_):
    """It finds its code waiting, so it may have sealed before the launcher hears that it was forked."""
    with Daemon("start_way = 1") as d:
        for i in range(8):
            deploy(d, f"many{i}", "import time\ndef handler(event, context): time.sleep(0.1)")
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(lambda _: invoke(d, f"many{i}"), range(8)))
            bad = [a.body for a in answers if a.outcome != "ok"]
            assert not bad, bad


# --- what the core has from the start ---

def the_cores_table_of_descriptors_holds_all_it_may_ever_open(d):
    status = dict(line.split(":", 1) for line in read(f"/proc/{core(d)}/status").splitlines())
    # 10,000 connections and 1,000 instances are the defaults; each instance brings three files at least.
    assert int(status["FDSize"]) >= 10_000 + 3 * 1000, status["FDSize"]
    assert int(status["Threads"]) > 1, "one thread alone would not have to wait when the table grows"


if __name__ == "__main__":
    sys.exit(run([
        a_second_daemon_on_the_same_directory_is_refused,
        ids_that_would_reach_the_hosts_root_are_refused,
        ids_of_the_core_and_the_unpacker_are_no_instances_ids,
        directories_that_only_root_can_reach_are_refused_in_one_line,
        standard_input_is_the_null_device,
        standard_output_opens_by_its_name,
        sigterm_right_after_the_start_is_a_clean_end,
        an_image_older_than_the_daemon_is_refused_in_one_line,
        from_a_build_tree_it_finds_policies_and_images,
        a_start_survives_its_zygote,
        nothing_outlives_the_launcher,
        a_child_may_be_faster_than_its_zygotes_answer,
        the_cores_table_of_descriptors_holds_all_it_may_ever_open,
    ]))
