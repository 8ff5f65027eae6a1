#!/usr/bin/python3.11
"""Escapes of container runtimes by way of mounts, by the names they were published under.

Each test sets the attack up with a hostile bundle, shows that nothing outside of the bundle has changed, and that a
harmless twin works. Needs root.
"""
import ctypes
import multiprocessing
import os
import subprocess
import sys

from bundle import STATE, WORK, Bundle, equal
from lib import run_as_root

ROUNDS = 100
AT_FDCWD, RENAME_EXCHANGE = -100, 2
libc = ctypes.CDLL(None, use_errno=True)
count = 0


class Canary:
    """A directory and a file outside of every bundle, and files of the host that attacks are after."""

    HOST = ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname")

    def __init__(self):
        global count
        count += 1
        self.dir = os.path.join(WORK, f"canary{count}")
        os.mkdir(self.dir)
        self.file = os.path.join(self.dir, "file")
        with open(self.file, "w", encoding="ascii") as f:
            f.write("alive")
        for name in ("null", "ptmx", "console"):
            with open(os.path.join(self.dir, name), "w", encoding="ascii") as f:
                f.write("alive")
        self.before = self.look()

    def look(self):
        seen = {}
        for name in [".", *sorted(os.listdir(self.dir))]:
            st = os.lstat(os.path.join(self.dir, name))
            seen[name] = (st.st_mode, st.st_uid, st.st_gid, st.st_size, st.st_mtime_ns, st.st_ino)
        null = os.stat("/dev/null")
        values = [open(path, encoding="ascii").read() for path in self.HOST]
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            mounts = [line for line in f if WORK in line]
        return seen, values, mounts, (null.st_mode, null.st_uid, null.st_gid, null.st_rdev)

    def check(self):
        equal(self.look(), self.before)


def refused(bundle, says):
    status, out, err = bundle.run("echo started")
    assert status == 1 and not out and says in err and "\n" not in err, (status, out, err)


def works(bundle, script="echo fine", says="fine"):
    equal(bundle.run(script), (0, says, ""))


# --- targets that are links ---

def cve_2019_18837_targets_through_links_stay_inside():
    canary = Canary()
    b = Bundle("target")
    os.symlink(canary.dir, b.path("absolute"))
    os.symlink("../" * 20 + canary.dir.lstrip("/"), b.path("upward"))
    for name in ("absolute", "upward"):
        b.mount(f"/{name}/new/dir", type="tmpfs")
        b.bind(f"/{name}/made", canary.file)
    works(b, f"[ -d {canary.dir}/new/dir ] && cat {canary.dir}/made", "alive")
    canary.check()
    twin = Bundle("target")
    os.mkdir(twin.path("absolute"))
    twin.mount("/absolute/new/dir", type="tmpfs")
    works(twin)


def cve_2025_24965_files_are_not_made_through_links():
    canary = Canary()
    b = Bundle("file")
    b.write("source", "hostile")
    os.symlink(canary.file, b.path(".config.json"))
    os.symlink(canary.dir + "/new", b.path("dangling"))
    b.bind("/.config.json", b.path("source"))
    b.bind("/dangling", b.path("source"))
    works(b, f"cat {canary.file} {canary.dir}/new", "hostilehostile")
    canary.check()


# --- /proc and /sys that are not what they seem ---

def cve_2019_16884_2019_19921_2023_27561_proc_is_a_real_directory_or_refused():
    canary = Canary()
    b = Bundle("proc-link")
    os.mkdir(b.path("fake"))
    os.symlink("fake", b.path("proc"))
    refused(b, "filesystem \"proc\" must be mounted on ordinary directory")
    b = Bundle("proc-parent", proc=False)
    os.symlink(canary.dir, b.path("link"))
    b.mount("/link/proc", type="proc")
    refused(b, "filesystem \"proc\" must be mounted on ordinary directory")
    canary.check()
    twin = Bundle("proc-link")
    os.mkdir(twin.path("proc"))
    works(twin, "cut -d' ' -f1 /proc/self/stat", "1")


def cve_2025_54867_sys_is_a_real_directory_or_refused():
    canary = Canary()
    for to in ("bin", canary.dir, "../../.."):
        b = Bundle("sys")
        os.symlink(to, b.path("sys"))
        b.mount("/sys", type="sysfs", options=["ro"])
        refused(b, "filesystem \"sysfs\" must be mounted on ordinary directory")
    canary.check()
    twin = Bundle("sys")
    twin.mount("/sys", type="sysfs", options=["ro"])
    works(twin, "[ -d /sys/kernel ] && echo fine")


def cve_2023_28642_2025_52881_nothing_takes_the_place_of_proc():
    canary = Canary()
    volume = os.path.join(canary.dir + "-volume")
    os.makedirs(volume + "/self/attr")
    for name, members in (("tmpfs", {"type": "tmpfs"}),
                          ("volume", {"type": "bind", "source": volume, "options": ["bind"]})):
        b = Bundle(name, proc=False)
        b.mount("/proc", **members)
        refused(b, "mount: '/proc': cannot be mounted because it is not of type proc")
    for inside in ("/proc/self", "/proc/1/attr", "/proc/sys/kernel", "/proc/../proc/sys"):
        b = Bundle("inside")
        b.bind(inside, volume)
        refused(b, "cannot be mounted because it is inside /proc")
    b = Bundle("link-inside")
    os.symlink("/proc/sys/kernel", b.path("link"))
    b.bind("/link", volume)
    refused(b, "cannot be mounted because it is inside /proc")
    canary.check()
    twin = Bundle("inside")
    twin.write("cpus", "many")
    twin.bind("/proc/cpuinfo", twin.path("cpus"))
    works(twin, "cat /proc/cpuinfo", "many")


# --- somebody who exchanges directories and links meanwhile ---

def exchange(a, b, go):
    while go.value:
        libc.renameat2(AT_FDCWD, a.encode(), AT_FDCWD, b.encode(), RENAME_EXCHANGE)


class Exchange:
    """While it runs, the directory at and a link to `to` take turns in the volume."""

    def __init__(self, volume, to):
        self.at, self.link = os.path.join(volume, "at"), os.path.join(volume, "link")
        os.makedirs(self.at)
        os.symlink(to, self.link)

    def __enter__(self):
        self.go = multiprocessing.Value("b", 1, lock=False)
        self.process = multiprocessing.Process(target=exchange, args=(self.at, self.link, self.go))
        self.process.start()

    def __exit__(self, *_):
        self.go.value = 0
        self.process.join()


def raced(name, to, target, script, **members):
    """Start again and again. What it does inside is any of: the mount is there, it is elsewhere inside, refused."""
    canary = Canary()
    volume = canary.dir + "-volume"
    with Exchange(volume, to(canary)):
        b = Bundle(name)
        b.bind("/volume", volume)
        b.mount(target, **members)
        for _ in range(ROUNDS):
            status, out, err = b.run(script)
            assert status in (0, 1) and "\n" not in err, (status, out, err)
            if status == 0:
                equal(out, "inside")
    canary.check()
    assert sorted(os.listdir(volume)) == ["at", "link"], os.listdir(volume)
    twin = Bundle(name)
    os.makedirs(volume + "/calm")
    twin.bind("/volume", volume)
    twin.mount(target.replace("/at", "/calm"), **members)
    works(twin, script, "inside")


# What the victim sees: its own root, and nowhere the host's.
INSIDE = ("for d in '' /volume /volume/at /volume/link /volume/calm;"
          "do [ -e $d/usr/bin/python3.11 ] && echo host; done;"
          "[ -x /bin/busybox ] && echo inside")


def cve_2021_30465_target_exchanged_for_a_link_to_the_root():
    raced("race-root", lambda canary: "/", "/volume/at/deep", INSIDE, type="tmpfs")


def cve_2021_30465_target_exchanged_for_a_link_upwards():
    raced("race-up", lambda canary: "../" * 20, "/volume/at", INSIDE, type="tmpfs")


def cve_2024_45310_nothing_is_made_through_an_exchanged_link():
    raced("race-mkdir", lambda canary: canary.dir, "/volume/at/a/b/c/d", INSIDE, type="tmpfs")


def cve_2025_52881_proc_on_an_exchanged_directory():
    raced("race-proc", lambda canary: "/proc", "/volume/at/proc", INSIDE, type="proc")


def masks_hold_or_the_start_fails_when_their_path_is_exchanged():
    canary = Canary()
    volume = canary.dir + "-volume"
    with Exchange(volume, canary.dir):
        with open(os.path.join(volume, "other"), "w", encoding="ascii"):
            pass
        b = Bundle("race-mask")
        b.bind("/volume", volume)
        b.config["linux"]["maskedPaths"] = ["/volume/at"]
        for _ in range(ROUNDS):
            status, _, err = b.run()
            assert status in (0, 1) and "\n" not in err, (status, err)
    canary.check()


# --- devices ---

def cve_2025_31133_masks_are_never_the_bundle_s_null():
    canary = Canary()
    b = Bundle("null-link", dev=False)
    os.mkdir(b.path("dev"))
    os.symlink("/proc/sys/kernel/core_pattern", b.path("dev/null"))
    b.config["linux"]["maskedPaths"] = ["/proc/keys", "/bin/sh"]
    refused(b, "devices: '/dev/null': what is there is not device c 1:3")
    # A /dev that is bound gets no devices: its link stays, and is not what paths are hidden behind.
    volume = canary.dir + "-dev"
    os.mkdir(volume)
    os.symlink("/proc/sys/kernel/core_pattern", volume + "/null")
    b = Bundle("null-bound", dev=False)
    b.bind("/dev", volume)
    b.config["linux"]["maskedPaths"] = ["/proc/keys"]
    works(b, "stat -c %t:%T /proc/keys; wc -c < /proc/keys; echo hostile > /proc/keys", "1:3\n0")
    canary.check()
    twin = Bundle("null")
    twin.config["linux"]["maskedPaths"] = ["/proc/keys"]
    works(twin, "stat -c %t:%T /proc/keys", "1:3")


def cve_2026_41579_dev_that_is_a_link_reaches_nothing_outside():
    canary = Canary()
    for to in (canary.dir, "../" * 20 + canary.dir.lstrip("/")):
        for dev in (True, False):
            b = Bundle("dev-link", dev=dev)
            os.symlink(to, b.path("dev"))
            b.config["linux"]["devices"] = [{"path": "/dev/more", "type": "c", "major": 1, "minor": 5}]
            works(b, "[ -c /dev/null ] && [ -c /dev/more ] && [ -L /dev/ptmx ] && echo fine")
            canary.check()
    works(Bundle("dev-link"), "[ -c /dev/null ] && echo fine")


def cve_2026_88264_88265_without_a_dev_mount_no_file_of_the_host_is_made_or_owned():
    canary = Canary()
    for name in ("null", "tty", "zero"):
        b = Bundle("no-dev", dev=False)
        os.mkdir(b.path("dev"))
        os.symlink(canary.file, b.path("dev/" + name))
        b.config["process"]["user"] = {"uid": 1000, "gid": 1000}
        refused(b, f"devices: '/dev/{name}': what is there is not device")
        canary.check()
    b = Bundle("no-dev", dev=False)
    os.mkdir(b.path("dev"))
    for name in ("console", "ptmx", "fd", "stdin"):
        os.symlink(canary.dir + "/" + name, b.path("dev/" + name))
    b.config["process"]["user"] = {"uid": 1000, "gid": 1000}
    works(b)
    canary.check()
    twin = Bundle("no-dev", dev=False)
    twin.config["process"]["user"] = {"uid": 1000, "gid": 1000}
    works(twin, "echo x > /dev/null && echo fine")
    canary.check()


def device_nodes_of_the_host_keep_owner_and_mode():
    canary = Canary()
    b = Bundle("owner")
    b.config["linux"]["devices"] = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600,
                                     "uid": 1000, "gid": 1000}]
    works(b, "stat -c '%a %u' /dev/null", "600 1000")
    canary.check()


def nothing_is_left_behind():
    equal(os.listdir(STATE), [])
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        assert "rootfs" not in f.read()


TESTS = [
    cve_2019_18837_targets_through_links_stay_inside,
    cve_2025_24965_files_are_not_made_through_links,
    cve_2019_16884_2019_19921_2023_27561_proc_is_a_real_directory_or_refused,
    cve_2025_54867_sys_is_a_real_directory_or_refused,
    cve_2023_28642_2025_52881_nothing_takes_the_place_of_proc,
    cve_2021_30465_target_exchanged_for_a_link_to_the_root,
    cve_2021_30465_target_exchanged_for_a_link_upwards,
    cve_2024_45310_nothing_is_made_through_an_exchanged_link,
    cve_2025_52881_proc_on_an_exchanged_directory,
    masks_hold_or_the_start_fails_when_their_path_is_exchanged,
    cve_2025_31133_masks_are_never_the_bundle_s_null,
    cve_2026_41579_dev_that_is_a_link_reaches_nothing_outside,
    cve_2026_88264_88265_without_a_dev_mount_no_file_of_the_host_is_made_or_owned,
    device_nodes_of_the_host_keep_owner_and_mode,
    nothing_is_left_behind,
]


def begin():
    """A file system of its own: exchanging names by the thousand is no work for a disk."""
    if libc.unshare(0x20000) != 0 or libc.mount(None, b"/", None, 0x44000, None) != 0:
        raise OSError(ctypes.get_errno(), "mount namespace")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", WORK], check=True)


def end():
    subprocess.run(["umount", "-R", "-l", WORK], check=True)
    os.rmdir(WORK)


if __name__ == "__main__":
    sys.exit(run_as_root(TESTS, "escapes by mounts", begin=begin, end=end))
