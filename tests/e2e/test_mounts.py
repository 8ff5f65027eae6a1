#!/usr/bin/python3.11
"""Mounts, devices and restricted paths of a bundle, as the specification says they are.

Needs root. Mounts of the test's own are made in a mount namespace of its own.
"""
import ctypes
import os
import subprocess
import sys

from bundle import STATE, WORK, Bundle, equal
from lib import Skip, run_as_root

# Applets by the shell's own lookup: busybox runs them without files.
OPTIONS = "grep ' {} ' /proc/self/mountinfo"
libc = ctypes.CDLL(None, use_errno=True)


def own_mount_namespace():
    if libc.unshare(0x20000) != 0 or libc.mount(None, b"/", None, 0x44000, None) != 0:
        raise OSError(ctypes.get_errno(), "mount namespace")


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def directory(name):
    path = os.path.join(WORK, name)
    os.mkdir(path)
    return path


def fails(bundle, says):
    status, out, err = bundle.run()
    assert status == 1 and not out and says in err and "\n" not in err, (status, out, err)


# --- options ---

def relative_destination_begins_at_the_root():
    b = Bundle("relative")
    b.mount("a/b", type="tmpfs")
    assert " / /a/b " in b.output(OPTIONS.format("/a/b"))


def read_only_is_of_the_mount_alone_and_rro_of_all():
    source = directory("deep")
    os.mkdir(source + "/sub")
    mount("-t", "tmpfs", "tmpfs", source + "/sub")
    for word, says in (("ro", "written"), ("rro", "no")):
        b = Bundle("ro")
        b.bind("/m", source, "rbind", word)
        equal(b.output("touch /m/x 2>/dev/null && echo top;"
                       "touch /m/sub/x 2>/dev/null && echo written || echo no"), says)


def recursive_words_reach_submounts():
    source = directory("flags")
    os.mkdir(source + "/sub")
    mount("-t", "tmpfs", "tmpfs", source + "/sub")
    b = Bundle("flags")
    b.bind("/m", source, "rbind", "rnosuid", "rnoexec", "rnodev", "rnosymfollow", "rnoatime", "rnodiratime")
    rows = b.output("grep ' /m' /proc/self/mountinfo").splitlines()
    equal(len(rows), 2)
    for row in rows:
        words = set(row.split()[5].split(","))
        assert {"nosuid", "noexec", "nodev", "nosymfollow", "noatime", "nodiratime"} <= words, row


def file_is_mounted_on_a_file_that_is_made():
    b = Bundle("file")
    b.write("source", "text")
    b.bind("/new/dir/file", b.path("source"))
    equal(b.output("cat /new/dir/file"), "text")


def dangling_links_are_made_what_they_name_inside():
    b = Bundle("dangling")
    b.write("source", "text")
    os.mkdir(b.path("etc"))
    os.symlink("../run/resolve/stub.conf", b.path("etc/resolv.conf"))
    b.bind("/etc/resolv.conf", b.path("source"))
    equal(b.output("cat /run/resolve/stub.conf"), "text")


def tmpfs_takes_the_mode_below_unless_it_has_its_own():
    b = Bundle("mode")
    os.mkdir(b.path("a"))
    os.chmod(b.path("a"), 0o2751)
    b.mount("/a", type="tmpfs")
    b.mount("/b", type="tmpfs")
    b.mount("/c", type="tmpfs", options=["mode=700"])
    equal(b.output("stat -c %a /a /b /c").split(), ["2751", "1777", "700"])


def tmpcopyup_copies_what_it_hides():
    b = Bundle("copyup")
    b.write("data/sub/file", "text")
    os.chown(b.path("data/sub/file"), 12, 34)
    os.chmod(b.path("data/sub/file"), 0o4755)
    os.utime(b.path("data/sub/file"), (1000, 2000))
    os.symlink("sub/file", b.path("data/link"))
    os.mkfifo(b.path("data/pipe"))
    b.mount("/data", type="tmpfs", options=["tmpcopyup", "ro"])
    equal(b.output("stat -c '%u %g %a %Y' /data/sub/file; cat /data/link; echo; [ -p /data/pipe ] && echo pipe;"
                   "touch /data/x 2>/dev/null || echo ro").splitlines(), ["12 34 4755 2000", "text", "pipe", "ro"])
    os.mknod(b.path("data/node"), 0o20600, os.makedev(1, 3))
    fails(b, "mount: '/data': tmpcopyup: 'node' is a device")


def remount_changes_what_an_earlier_row_mounted():
    b = Bundle("remount")
    b.mount("/t", type="tmpfs", options=["size=64k", "noexec"])
    b.mount("/t", type="tmpfs", options=["remount", "size=128k", "nosuid"])
    b.mount("/u", type="tmpfs", options=["nosuid"])
    b.mount("/u", options=["remount", "bind", "ro"])
    t, u = b.output("grep -E ' /[tu] ' /proc/self/mountinfo").splitlines()
    assert " rw,nosuid,relatime " in t and "size=128k" in t, t
    assert " ro,relatime " in u and " rw" in u.split(" - ")[1], u


def remount_never_reaches_a_file_system_of_the_host():
    source = directory("hostfs")
    mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", source)
    b = Bundle("hostfs")
    b.bind("/m", source)
    b.mount("/m", type="tmpfs", options=["remount", "ro"])
    fails(b, "no file system of the sandbox's own")
    with open(source + "/x", "w", encoding="ascii"):
        pass


def mount_on_the_root_itself_is_refused():
    b = Bundle("top")
    b.mount("/a/..", type="tmpfs")
    fails(b, "leads to the root itself")


def idmapped_mount_shows_other_owners():
    source = directory("owned")
    for name, owner in (("a", 0), ("b", 7)):
        with open(os.path.join(source, name), "w", encoding="ascii"):
            pass
        os.chown(os.path.join(source, name), owner, owner)
    b = Bundle("idmap")
    maps = [{"containerID": 0, "hostID": 1000, "size": 5}]
    b.mount("/m", type="bind", source=source, options=["rbind", "ridmap"], uidMappings=maps, gidMappings=maps)
    status, out, err = b.run("stat -c '%u %g' /m/a /m/b")
    if "map the ids" in err and "EINVAL" in err:
        raise Skip("this file system cannot be mapped")
    equal((status, out.split("\n")), (0, ["1000 1000", "65534 65534"]))


def idmapped_mount_takes_the_container_s_own_mapping():
    source = directory("owned-too")
    os.chmod(WORK, 0o711)
    b = Bundle("idmap-own")
    b.in_user_namespace()
    b.bind("/m", source, "bind", "idmap")
    status, out, err = b.run("stat -c '%u %g' /m; touch /m/new")
    if "map the ids" in err and "EINVAL" in err:
        raise Skip("this file system cannot be mapped")
    equal((status, out, err), (0, "0 0", ""))
    equal(os.stat(source + "/new").st_uid, 0)
    os.mkdir(source + "/below")
    mount("-t", "tmpfs", "tmpfs", source + "/below")
    fails(b, "use rbind")


# --- propagation ---

def shared_source():
    source = directory(f"shared{Bundle.count}")
    mount("-t", "tmpfs", "tmpfs", source)
    mount("--make-shared", source)
    os.mkdir(source + "/at")
    return source


def propagation_of(word, source):
    b = Bundle(word)
    b.bind("/m", source, "rbind", word)
    return b.output("cut -d' ' -f5- /proc/self/mountinfo | grep '^/m '")


def propagation_words_are_obeyed():
    source = shared_source()
    for word, says in (("rshared", "shared:"), ("rslave", "master:"), ("rprivate", None), ("shared", "shared:"),
                       ("slave", "master:"), ("private", None), ("unbindable", "unbindable")):
        fields = propagation_of(word, source).split(" - ")[0].split()[2:]
        equal([f.rstrip("0123456789") for f in fields], [says] if says else [])


def mounts_made_in_a_shared_one_reach_the_host_and_in_others_do_not():
    source = shared_source()
    for word, reached in (("rshared", True), ("rslave", False), ("rprivate", False)):
        b = Bundle("reach")
        b.config["process"]["capabilities"] = {s: ["CAP_SYS_ADMIN"] for s in ("bounding", "permitted", "effective")}
        b.bind("/m", source, "rbind", word)
        b.output("mount -t tmpfs tmpfs /m/at")
        equal(os.path.ismount(source + "/at"), reached)
        if reached:
            subprocess.run(["umount", source + "/at"], check=True)
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        assert "rootfs" not in f.read()


def propagation_of_the_root_is_as_configured():
    for word, says in (("private", []), ("rprivate", []), ("shared", ["shared:"]), ("rshared", ["shared:"]),
                       ("unbindable", ["unbindable"])):
        b = Bundle("root-" + word)
        b.config["linux"]["rootfsPropagation"] = word
        row = b.output("cut -d' ' -f5- /proc/self/mountinfo | head -1")
        equal([f.rstrip("0123456789") for f in row.split(" - ")[0].split()[2:]], says)


# --- control groups ---

def every_hierarchy_of_v1_is_shown_and_only_its_own_are_writable():
    if subprocess.run(["stat", "-fc%T", "/sys/fs/cgroup"], check=True, capture_output=True,
                      text=True).stdout.strip() == "cgroup2fs":
        raise Skip("no controllers on v1")
    b = Bundle("v1")
    b.mount("/sys/fs/cgroup", type="cgroup", options=["nosuid", "rw"])
    script = ("cd /sys/fs/cgroup; ls; for d in *; do mkdir $d/x 2>/dev/null && echo $d-rw && rmdir $d/x; done; true")
    with open("/proc/self/cgroup", encoding="ascii") as f:
        names = [line.split(":")[1] for line in f if line.split(":")[1]]
    shown = b.output(script).split()
    for name in names:
        assert name.removeprefix("name=") in shown, (name, shown)
    writable = [w for w in shown if w.endswith("-rw")]
    assert "memory-rw" in writable and "pids-rw" in writable, writable
    assert "freezer-rw" not in writable or "freezer" not in names, writable
    b = Bundle("v1-ro")
    b.mount("/sys/fs/cgroup", type="cgroup", options=["ro"])
    equal(b.output("cd /sys/fs/cgroup; for d in . *; do mkdir $d/x 2>/dev/null && echo $d; done; true"), "")


def own_groups_are_shown_in_a_user_namespace_without_a_cgroup_namespace():
    b = Bundle("userns-groups")
    b.in_user_namespace()
    b.config["linux"]["namespaces"].remove({"type": "cgroup"})
    b.config["linux"]["resources"] = {"pids": {"limit": 57}}
    b.mount("/sys/fs/cgroup", type="cgroup", options=["nosuid", "ro"])
    equal(b.output("cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null; true").strip(), "57")
    # The borrowed namespace is gone again: it sees the paths that the host sees.
    assert b.name in b.output("cat /proc/self/cgroup")


def groups_are_shown_though_there_may_be_one_process():
    b = Bundle("one-process")
    b.config["linux"]["namespaces"].remove({"type": "cgroup"})
    b.config["linux"]["resources"] = {"pids": {"limit": 0}}
    b.mount("/sys/fs/cgroup", type="cgroup", options=["nosuid", "ro"])
    assert b.output("cd /sys/fs/cgroup && echo *").strip() not in ("", "*")


def type_cgroup2_is_the_v2_tree_everywhere():
    b = Bundle("v2")
    b.mount("/sys/fs/cgroup", type="cgroup2", options=["ro"])
    equal(b.output("cat /sys/fs/cgroup/cgroup.procs | head -1"), "1")


# --- masks ---

def directory_masks_share_one_empty_file_system():
    b = Bundle("mask")
    for name in ("a", "b"):
        b.write(name + "/secret", "x")
    b.write("file", "x")
    b.config["linux"]["maskedPaths"] = ["/a", "/b", "/file", "/nothing"]
    out = b.output("ls /a /b; touch /a/x /b/x 2>/dev/null && echo bad; cat /file;"
                   "grep -E ' /[ab] ' /proc/self/mountinfo | cut -d' ' -f3,6").split("\n")
    rows = out[-2:]
    assert rows[0] == rows[1] and rows[0].split()[1].startswith("ro,nosuid,nodev,noexec"), out


def read_only_root_leaves_its_mounts_writable():
    b = Bundle("ro-root")
    for name in ("proc", "dev", "tmp"):
        os.mkdir(b.path(name))
    b.config["root"]["readonly"] = True
    b.mount("/tmp", type="tmpfs")
    equal(b.output("touch /x 2>/dev/null || echo ro; touch /tmp/x /dev/x && echo rw").split(), ["ro", "rw"])


# --- devices ---

DEVICES = ("cd /dev; stat -c '%n %t:%T %a %u:%g' null zero full random urandom tty;"
           "for l in fd stdin stdout stderr ptmx; do readlink $l; done")
SAYS = ["null 1:3 666 0:0", "zero 1:5 666 0:0", "full 1:7 666 0:0", "random 1:8 666 0:0", "urandom 1:9 666 0:0",
        "tty 5:0 666 0:0", "/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx"]


def default_devices_are_there_with_a_tmpfs_and_without():
    for b in (Bundle("dev"), Bundle("no-dev", dev=False)):
        equal(b.output(DEVICES + "; echo x > null; head -c3 zero | wc -c").splitlines(), SAYS + ["3"])
        nodes = [name for name in os.listdir(b.path("dev")) if os.lstat(b.path("dev/" + name)).st_rdev]
        equal(nodes, [])


def devices_of_the_config_have_owner_and_mode():
    for dev in (True, False):
        b = Bundle("devices", dev=dev)
        b.config["linux"]["devices"] = [
            {"path": "/dev/my", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 0, "gid": 4},
            {"path": "/dev/sub/pipe", "type": "p", "fileMode": 0o600},
            {"path": "/else/where", "type": "u", "major": 1, "minor": 3}]
        out = b.output("stat -c '%F %t:%T %a %u:%g' /dev/my /dev/sub/pipe /else/where; head -c2 /dev/my | wc -c;"
                       "echo x > /else/where")
        equal(out.splitlines(), ["character special file 1:5 640 0:4", "fifo 0:0 600 0:0",
                                 "character special file 1:3 666 0:0", "2"])
        equal(b.run()[0], 0)  # the files that it was bound over are no conflict
        assert os.path.getsize(b.path("else/where")) == 0


def device_that_is_there_must_be_the_same():
    b = Bundle("conflict")
    b.write("node", "x")
    b.bind("/dev/mine", "/dev/zero")
    b.config["linux"]["devices"] = [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5}]
    b.output()
    b.config["linux"]["devices"][0]["minor"] = 3
    fails(b, "devices: '/dev/mine': what is there is not device c 1:3")
    b.config["linux"]["devices"][0]["path"] = "/node"
    fails(b, "devices: '/node': what is there is not device c 1:3")


def bound_dev_is_left_alone_and_looked_at():
    b = Bundle("bound", dev=False)
    source = directory("devices")
    os.mknod(source + "/null", 0o20666, os.makedev(1, 3))
    b.bind("/dev", source)
    b.config["linux"]["devices"] = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3}]
    equal(b.output("ls /dev"), "null")
    b.config["linux"]["devices"][0]["path"] = "/dev/zero"
    fails(b, "devices: '/dev/zero': open in the /dev that is bound: ENOENT")


def devices_in_a_user_namespace_are_made_ahead_with_their_owner():
    for dev in (True, False):
        b = Bundle("user", dev=dev)
        b.in_user_namespace()
        b.config["linux"]["devices"] = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3},
                                        {"path": "/dev/pipe", "type": "p"}]
        equal(b.output("cd /dev; stat -c '%t:%T' null zero; echo x > null; [ -p pipe ] && echo pipe").split(),
              ["1:3", "1:5", "pipe"])
        b.config["linux"]["devices"] = [
            {"path": "/dev/ours", "type": "c", "major": 1, "minor": 3, "uid": 10, "gid": 11, "fileMode": 0o620},
            {"path": "/dev/sub/disk", "type": "b", "major": 240, "minor": 7}]
        equal(b.output("cd /dev; stat -c '%a %u:%g %t:%T' ours sub/disk; echo x > ours; head -c1 sub/disk 2>&1"
                       "; cut -d' ' -f5 /proc/self/mountinfo | head -1").splitlines(),
              ["620 10:11 1:3", "666 0:0 f0:7", "head: sub/disk: Operation not permitted", "/"])
        b.config["linux"]["devices"][0]["uid"] = 70000
        fails(b, "device '/dev/ours': owner 70000 is not in the user namespace")


def sources_that_only_root_reaches_are_bound_in_a_user_namespace():
    b = Bundle("closed")
    for name in ("one", "two"):
        closed = directory(name)
        os.mkdir(os.path.join(closed, "deep"))
        with open(os.path.join(closed, "deep/file"), "w", encoding="ascii") as f:
            f.write(name)
        os.chmod(closed, 0o700)
        b.bind("/" + name, os.path.join(closed, "deep"), "bind")
    b.in_user_namespace()
    equal(b.output("cat /one/file /two/file; cat /one/../../one/file"), "onetwoone")
    b.bind("/three", os.path.join(WORK, "one/nothing"), "bind")
    fails(b, "mount: '/three': bind ")


def flags_of_a_source_stay_locked_in_a_user_namespace():
    closed = directory("locked")
    source = os.path.join(closed, "ro")
    os.mkdir(source)
    mount("-t", "tmpfs", "-o", "ro,nosuid,nodev,noexec", "tmpfs", source)
    os.chmod(closed, 0o700)
    maps = [{"containerID": 0, "hostID": 2000000, "size": 65536}]
    rows = ({"options": ["bind"]}, {"options": ["bind", "idmap"]}, {"options": ["rbind", "ridmap"]},
            {"options": ["bind"], "uidMappings": maps, "gidMappings": maps})
    off = ("rw,nosuid,nodev,noexec", "ro,suid,nodev,noexec", "ro,nosuid,dev,noexec", "ro,nosuid,nodev,exec",
           "ro,nosuid,nodev,noexec,noatime")
    for i, members in enumerate(rows):
        b = Bundle("locked")
        b.mount("/data", type="bind", source=source, **members)
        b.in_user_namespace()
        b.config["process"]["capabilities"] = {kind: ["CAP_SYS_ADMIN"]
                                               for kind in ("bounding", "effective", "permitted")}
        status, out, err = b.run(f"for o in {' '.join(off)}; do mount -o remount,bind,$o /data 2>&- && echo $o; done;"
                                 "grep ' /data ' /proc/self/mountinfo | cut -d' ' -f6")
        if i > 0 and "map the ids" in err and "EINVAL" in err:
            raise Skip("this file system cannot be mapped")
        equal((members, status, out.split(",idmapped")[0], err),
              (members, 0, "ro,nosuid,nodev,noexec,relatime", ""))


def bundle_s_ptmx_is_replaced():
    b = Bundle("ptmx", dev=False)
    b.write("dev/ptmx", "x")
    equal(b.output("readlink /dev/ptmx"), "pts/ptmx")


def nothing_is_left_behind():
    equal(os.listdir(STATE), [])
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        assert "rootfs" not in f.read()


TESTS = [
    relative_destination_begins_at_the_root,
    read_only_is_of_the_mount_alone_and_rro_of_all,
    recursive_words_reach_submounts,
    file_is_mounted_on_a_file_that_is_made,
    dangling_links_are_made_what_they_name_inside,
    tmpfs_takes_the_mode_below_unless_it_has_its_own,
    tmpcopyup_copies_what_it_hides,
    remount_changes_what_an_earlier_row_mounted,
    remount_never_reaches_a_file_system_of_the_host,
    mount_on_the_root_itself_is_refused,
    idmapped_mount_shows_other_owners,
    idmapped_mount_takes_the_container_s_own_mapping,
    propagation_words_are_obeyed,
    mounts_made_in_a_shared_one_reach_the_host_and_in_others_do_not,
    propagation_of_the_root_is_as_configured,
    every_hierarchy_of_v1_is_shown_and_only_its_own_are_writable,
    own_groups_are_shown_in_a_user_namespace_without_a_cgroup_namespace,
    groups_are_shown_though_there_may_be_one_process,
    type_cgroup2_is_the_v2_tree_everywhere,
    directory_masks_share_one_empty_file_system,
    read_only_root_leaves_its_mounts_writable,
    default_devices_are_there_with_a_tmpfs_and_without,
    devices_of_the_config_have_owner_and_mode,
    device_that_is_there_must_be_the_same,
    bound_dev_is_left_alone_and_looked_at,
    devices_in_a_user_namespace_are_made_ahead_with_their_owner,
    sources_that_only_root_reaches_are_bound_in_a_user_namespace,
    flags_of_a_source_stay_locked_in_a_user_namespace,
    bundle_s_ptmx_is_replaced,
    nothing_is_left_behind,
]


def begin():
    own_mount_namespace()
    mount("-t", "tmpfs", "-o", "size=256m", "tmpfs", WORK)


def end():
    subprocess.run(["umount", "-R", "-l", WORK], check=True)
    os.rmdir(WORK)


if __name__ == "__main__":
    sys.exit(run_as_root(TESTS, "mounts", begin=begin, end=end))
