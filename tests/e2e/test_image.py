#!/usr/bin/python3.11
"""The image builder: reproducible, small, complete, and nothing left over.

Two builds from nothing run side by side, in different surroundings, sharing only the downloaded
packages. Then the trees and the packed files are looked at. Needs root.
"""
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
BUILD = TREE / "build"
GUEST = BUILD / "guest/_guest.so"
PACKAGES = BUILD / "images.cache/packages"
NO_MIRROR = {"IMAGE_MIRROR": "http://127.0.0.1:9", "IMAGE_SECURITY_MIRROR": "http://127.0.0.1:9"}
SIZE_MAX = {"python3.11": 80_000_000, "python3.11-data": 140_000_000}

# Not in Debian's libpython3.11-stdlib, removed by the recipe, or of other systems.
ABSENT = set("""_gdbm _msi _overlapped _scproxy _tkinter _winapi ensurepip idlelib lib2to3 msilib
    msvcrt nt pydoc_data tkinter turtle turtledemo winreg winsound""".split())

IMPORTS = """
import json, ssl, sqlite3, ctypes, asyncio, decimal, lzma, bz2, zlib, hashlib, zoneinfo
import ctypes.util, curses, datetime, locale, mimetypes, pwd, readline, subprocess, sys, uuid
assert len(ssl.create_default_context().get_ca_certs()) > 100, "CA bundle"
july = datetime.datetime(2025, 7, 1)
assert zoneinfo.ZoneInfo("Europe/Berlin").utcoffset(july).seconds == 7200
row = sqlite3.connect(":memory:").execute("select json_extract('[1,2]', '$[1]')").fetchone()
assert row == (2,), "SQLite"
assert hashlib.new("sha3_256", b"").hexdigest().startswith("a7ffc6f8")
assert ctypes.util.find_library("c") == "libc.so.6", "ldconfig"
assert pwd.getpwnam("function").pw_uid == 1000 and pwd.getpwuid(65534).pw_name == "nobody"
assert mimetypes.guess_type("x.json")[0] == "application/json"
assert locale.setlocale(locale.LC_ALL, "C.UTF-8")
assert sys.getfilesystemencoding() == "utf-8"
"""

DATA_IMPORTS = """
import io, os
import numpy as np
a = np.arange(9.0).reshape(3, 3) + np.eye(3)
assert np.allclose(a @ np.linalg.inv(a), np.eye(3))
assert len(os.listdir("/proc/self/task")) == 1, "numpy started threads"
from PIL import Image, ImageFont, features
out = io.BytesIO()
picture = Image.fromarray((np.indices((64, 64)).sum(0) * 2).astype("uint8"))
picture.resize((16, 16)).save(out, "JPEG")
assert Image.open(io.BytesIO(out.getvalue())).size == (16, 16)
assert all(map(features.check, ("jpg", "webp", "zlib", "libtiff", "freetype2"))), "codecs"
"""

STDLIB = """
import importlib.util, sys
print(*(m for m in sorted(sys.stdlib_module_names) if not importlib.util.find_spec(m)))
"""

count = 0


def check(name, test, *args):
    """One line of TAP; a test says what is wrong, or returns nothing."""
    global count
    count += 1
    try:
        why = test(*args)
    except Exception as error:  # an unforeseen failure is this test's failure, not the end of all
        why = f"{type(error).__name__}: {error}"
    why = " | ".join(str(why or "").splitlines())
    print(f"not ok {count} - {name}: {why}" if why else f"ok {count} - {name}", flush=True)


def builder(out, **env):
    """A build beginning with nothing but downloaded packages."""
    cache = Path(f"{out}.cache")
    cache.mkdir(parents=True)
    (cache / "packages").symlink_to(PACKAGES)
    return lambda *args, **more: subprocess.Popen(
        [TREE / "images/build", *args, out], env=os.environ | env | more,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process):
    out = process.communicate()[0]
    if process.returncode:
        print(out, file=sys.stderr)
        raise RuntimeError(out.strip().splitlines()[-1] if out.strip() else "build failed")
    return out


def digest(store, name):
    return (store / "names" / name).read_text().strip()


def python(root, code, mounts=""):
    """Run code in the image, in a mount namespace of its own; what it prints."""
    script = (f'{mounts} mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" &&'
              'exec chroot "$0" /usr/bin/python3.11 -I -B -c "$1"')
    done = subprocess.run(["unshare", "-m", "sh", "-ec", script, root, code], capture_output=True,
                          text=True, env={"PATH": "/usr/sbin:/usr/bin"})
    if done.returncode:
        raise RuntimeError(done.stderr.strip().replace("\n", " | ")[-300:])
    return done.stdout


def walk(root):
    for where, dirs, files in os.walk(root):
        for name in dirs + files:
            path = Path(where, name)
            yield str(path.relative_to(root)), path.lstat()


# --- what is checked of each image ---

def manifest(store, name):
    return json.loads((store / f"sha256/{digest(store, name)}.json").read_text())


def tree(store, name):
    return store / "unpacked" / digest(store, name)


def small(store, name):
    told = manifest(store, name)["unpacked_bytes"]
    found = sum(st.st_size for _, st in walk(tree(store, name)) if stat.S_ISREG(st.st_mode))
    if told != found:
        return f"manifest tells of {told} bytes, tree has {found}"
    if told > SIZE_MAX[name]:
        return f"{told} bytes"


def nothing_left(store, name):
    names = set("""apt dpkg perl perl5 doc man info debconf gconv idlelib tkinter ensurepip lib2to3
        pydoc_data tests""".split())
    ours = ("var/cache", "var/lib", "bundle", "empty")
    left = [path for path, _ in walk(tree(store, name))
            if path.startswith(ours)
            or Path(path).name in names and not path.endswith("/numpy/doc")]
    return " ".join(left[:9])


def permissions(store, name):
    def wrong(path, st):
        writable = st.st_mode & 0o022 and not stat.S_ISLNK(st.st_mode) and path != "tmp"
        return st.st_uid or st.st_gid or st.st_mode & 0o6000 or writable or st.st_rdev
    return " ".join([path for path, st in walk(tree(store, name)) if wrong(path, st)][:9])


def mount_points(store, name):
    root = tree(store, name)
    modes = {"proc": 0o555, "dev": 0o755, "tmp": 0o1777, "run": 0o755, "opt": 0o755,
             "var/task": 0o755}
    return " ".join(path for path, mode in modes.items()
                    if stat.S_IMODE((root / path).lstat().st_mode) != mode
                    or os.listdir(root / path))


def compiled(store, name):
    root = tree(store, name)
    for lib in ("python3.11", "python3/dist-packages", "runtimed"):
        for source in (root / "usr/lib" / lib).rglob("*.py"):
            if source.parent.name == "rehearsal":
                continue  # as a user's code: see images/python/rehearsal
            pyc = source.parent / f"__pycache__/{source.stem}.cpython-311.pyc"
            if not pyc.exists():
                return f"{source.relative_to(root)} has no .pyc"
            if pyc.read_bytes()[4:8] != b"\1\0\0\0":
                return f"{pyc.relative_to(root)} would be checked against its source"


def whole_library(store, name):
    return " ".join(set(python(tree(store, name), STDLIB).split()) - ABSENT)


def objects_link(store, name):
    """Nothing that a shared object needs was trimmed away."""
    root = tree(store, name)
    loader = next(root.glob("usr/lib/*/ld-linux*.so*")).relative_to(root)
    for path in (path for path, st in walk(root) if stat.S_ISREG(st.st_mode) and ".so" in path):
        with open(root / path, "rb") as file:
            if file.read(4) != b"\x7fELF" or path == str(loader):
                continue
        out = subprocess.run(["chroot", root, f"/{loader}", "--list", f"/{path}"],
                             capture_output=True, text=True)
        if out.returncode or "not found" in out.stdout:
            return f"{path}: {out.stdout} {out.stderr}"


def guest_is_there(store, name):
    lib = tree(store, name) / "usr/lib/runtimed"
    if str(TREE).encode() in (lib / "_guest.so").read_bytes():
        return "the extension tells where it was built"
    return " ".join(f.name for f in (TREE / "images/python").glob("*.py")
                    if (lib / f.name).read_bytes() != f.read_bytes())


def packages_are_listed(store, name):
    listed = [" ".join(row) for row in manifest(store, name)["packages"]]
    if listed != (tree(store, name) / "usr/lib/runtimed/packages").read_text().splitlines():
        return "manifest and image disagree"
    if not any(row.startswith("libpython3.11-stdlib 3.11.") for row in listed):
        return f"{len(listed)} packages, the library not among them"


def imports_work(store, name):
    return python(tree(store, name), IMPORTS + (DATA_IMPORTS if name.endswith("data") else ""))


CHECKS = {
    "is within its size": small,
    "holds no package manager, documentation or tests": nothing_left,
    "is all root's, without setuid, nothing others may write": permissions,
    "has its mount points, empty": mount_points,
    "has every module compiled, unchecked": compiled,
    "has the whole standard library": whole_library,
    "has what every shared object links": objects_link,
    "holds the guest code": guest_is_there,
    "lists its packages": packages_are_listed,
    "runs in a chroot": imports_work,
}


def same_digest(a, b, name):
    if digest(a, name) != digest(b, name):
        return f"{digest(a, name)} and {digest(b, name)}"


def packed_form_runs(store, name):
    """The kernel's view of the packed file, mounted without a loop device."""
    blob = store / f"sha256/{digest(store, name)}.erofs"
    mount = ("import ctypes, sys; sys.exit(ctypes.CDLL(None).mount("
             "sys.argv[1].encode(), sys.argv[2].encode(), b'erofs', 1, None) != 0)")
    with tempfile.TemporaryDirectory() as at:
        python(at, IMPORTS, f'/usr/bin/python3.11 -I -c "{mount}" {blob} "$0" &&')


# --- the builds ---

def build_two(work):
    PACKAGES.mkdir(parents=True, exist_ok=True)
    a = builder(work / "a", TMPDIR="/dev/shm", TZ="Asia/Tokyo", LC_ALL="C")
    b = builder(work / "b", TMPDIR=str(work), HOME="/nonexistent", PYTHONHASHSEED="7")
    both = a("--unpacked", GUEST), b(GUEST)
    for process in both:
        finish(process)
    return a, b


def nothing_to_do(build):
    out = finish(build(GUEST))
    return f"worked again: {out}" if out else None


def guest_change(build, store, work):
    """Another guest: another digest, without a download (the mirrors named here do not exist)."""
    other = work / "_guest.so"
    subprocess.run(["objcopy", "--add-section", f"other={__file__}", GUEST, other], check=True)
    before = digest(store, "python3.11")
    out = finish(build(other, **NO_MIRROR))
    if "BASE" in out or digest(store, "python3.11") == before:
        return out
    if (store / f"sha256/{before}.erofs").exists():
        return "the old image was not removed"


def failure_is_clear(build, store):
    """A base that cannot be made fails the build and leaves the names as they were."""
    shutil.rmtree(Path(f"{store}.cache/base"))
    (store / ".stamp").unlink()
    before = digest(store, "python3.11")
    process = build(GUEST, **NO_MIRROR)
    out = process.communicate()[0]
    if process.returncode == 0 or "base failed" not in out:
        return f"status {process.returncode}: {out[-300:]}"
    if digest(store, "python3.11") != before:
        return "changed a name"
    if list(store.glob("work.*")):
        return "left its work directory"


def main():
    if os.geteuid() != 0:
        print("ok 1 - images # SKIP needs root")
        return
    work = Path(tempfile.mkdtemp(prefix="images-"))
    try:
        a, b = build_two(work)
        for name in SIZE_MAX:
            check(f"{name}: two builds from nothing give one digest", same_digest, work / "a",
                  work / "b", name)
            for says, test in CHECKS.items():
                check(f"{name} {says}", test, work / "a", name)
            if (work / "b/unpacked").exists():
                print(f"ok - {name} runs from the packed file # SKIP this kernel cannot mount it")
            else:
                check(f"{name} runs from the packed file", packed_form_runs, work / "b", name)
        check("a second run does nothing", nothing_to_do, b)
        check("a changed guest packs again without the network", guest_change, b, work / "b", work)
        check("a mirror out of reach is a clear failure", failure_is_clear, b, work / "b")
    finally:
        shutil.rmtree(work)


main()
