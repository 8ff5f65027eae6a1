#!/usr/bin/python3.11
"""fnctl export: the bundle of a function answers under every runtime as the daemon does.

Containers have names of this test's own, sandbox and crun and runc states in a directory of their own.
"""
import json
import os
import subprocess
import sys

import lib
from lib import Skip, bin_dir, call, deploy, fnctl, run, write_code

RUNTIMES = {"sandbox": bin_dir() + "/sandbox", "crun": "/usr/bin/crun", "runc": "/usr/sbin/runc"}
# crun refuses hybrid hosts. There it is shown the v2 tree alone, in a mount namespace of its own, and does
# without limits, since that tree has none.
V2_ALONE = 'mount -t cgroup2 none /sys/fs/cgroup && exec "$0" --cgroup-manager=disabled "$@"'
WRAP = {"crun": ["unshare", "-m", "sh", "-ec", V2_ALONE]} if os.path.isdir("/sys/fs/cgroup/unified") else {}
SECRET = "from the settings"
CODE = """
import os
import helper
print("imported")

def handler(event, context):
    print("called")
    if event == "raise":
        raise ValueError("asked for")
    files = [d for d in ("/var/task", "/usr", "/") if os.access(d, os.W_OK)]
    with open("/tmp/note", "w") as f:
        f.write("x")
    return {"event": repr(event), "helper": helper.VALUE, "env": os.environ["SETTING"], "uid": os.getuid(),
            "name": context.function_name, "arn": context.invoked_function_arn, "writable": files,
            "memory": context.memory_limit_in_mb, "left": 0 < context.get_remaining_time_in_millis() <= 3000,
            "stdin": os.read(0, 1) == b""}
"""
EVENTS = [b'{"n": [1, 2.5, "\xc3\xa4"]}', b"", b"\xff\xfe", b"[" + b"1," * 100000 + b"1]"]
BUNDLE = os.path.join(lib.WORK.name, "bundle")
count = 0


def run_bundle(runtime, event, bundle=BUNDLE):
    """The CompletedProcess of one run."""
    global count
    tool = RUNTIMES[runtime]
    if not os.path.exists(tool):
        raise Skip(f"no {runtime} here")
    count += 1
    state = os.path.join(lib.WORK.name, "state-" + runtime)
    command = [*WRAP.get(runtime, ()), tool, "--root", state, "run", "--bundle", bundle]
    return subprocess.run([*command, f"export-{os.getpid()}-{count}"], input=event, capture_output=True,
                          timeout=120, check=False)


def a_function_is_exported(d):
    code = write_code(CODE)
    os.makedirs(code + "/helper")
    with open(code + "/helper/__init__.py", "w", encoding="utf-8") as f:
        f.write("VALUE = 'from a package'\n")
    os.symlink("app.py", code + "/link.py")
    call(d, "deploy", "twin", "--code", code, "--handler", "app.handler", "--env", f"SETTING={SECRET}",
         "--memory", "256")
    assert call(d, "export", "twin", BUNDLE) == f"exported twin to {BUNDLE}\n"
    assert sorted(os.listdir(BUNDLE)) == ["config.json", "rootfs"]
    assert os.stat(BUNDLE).st_mode & 0o777 == 0o700, "others may read its variables"
    assert os.readlink(BUNDLE + "/rootfs/var/task/link.py") == "app.py"
    with open(BUNDLE + "/config.json", encoding="utf-8") as f:
        config = json.load(f)
    assert config["linux"]["resources"]["memory"]["limit"] == 256 << 20
    assert config["process"]["user"] == {"uid": 1000, "gid": 1000}


def answers_as_the_daemon(runtime):
    def test(d):
        for event in EVENTS:
            done = run_bundle(runtime, event)
            assert done.returncode == 0, (done.returncode, done.stderr)
            wanted = d.request("POST", "/2015-03-31/functions/twin/invocations", event)[2]
            assert done.stdout == wanted, (done.stdout[:300], wanted[:300])
            assert done.stderr == b"imported\ncalled\n", done.stderr
    test.__name__ = f"{runtime}_answers_as_the_daemon_does"
    return test


def tells_an_error(runtime):
    def test(_):
        done = run_bundle(runtime, b'"raise"')
        assert done.returncode == 3, (done.returncode, done.stderr)
        error = json.loads(done.stdout)
        assert error["errorType"] == "ValueError" and len(error["stackTrace"]) == 1, error
    test.__name__ = f"{runtime}_tells_what_the_handler_raised"
    return test


def a_module_that_fails_is_an_init_error(d):
    deploy(d, "broken", "raise KeyError('no')")
    bundle = BUNDLE + "-broken"
    call(d, "export", "broken", bundle)
    done = run_bundle("sandbox", b"{}", bundle)
    assert done.returncode == 7 and json.loads(done.stdout)["errorType"] == "KeyError", done


def siblings():
    return sorted(os.listdir(lib.WORK.name))


def refused(d, name, directory, *words):
    before = siblings()
    done = fnctl(d, "export", name, directory)
    text = done.stderr.decode()
    assert done.returncode == 1 and all(w in text for w in words), (done.returncode, text)
    assert len(text.splitlines()) == 1 and siblings() == before, (text, siblings())


def what_is_there_stays(d):
    full, file, empty = (os.path.join(lib.WORK.name, n) for n in ("full", "file", "empty"))
    os.makedirs(full + "/kept")
    os.mkdir(empty)
    with open(file, "w", encoding="ascii") as f:
        f.write("kept")
    refused(d, "twin", full, "export 'twin'", f"'{full}' is there and not empty")
    refused(d, "twin", file, "Not a directory")
    refused(d, "twin", os.path.join(lib.WORK.name, "none/below"), "No such file")
    refused(d, "nobody", empty, "ResourceNotFoundException")
    assert os.listdir(full) == ["kept"] and os.listdir(empty) == []
    call(d, "export", "twin", empty + "/")
    assert sorted(os.listdir(empty)) == ["config.json", "rootfs"]


def a_failure_half_way_leaves_nothing(d):
    """The copy meets a file it must not copy; another one is interrupted."""
    code = os.path.join(d.state, "code")
    before, target = siblings(), BUNDLE + "-half"
    packages = [os.path.join(code, n) for n in os.listdir(code)]
    try:
        for package in packages:
            os.mkfifo(package + "/odd")
        refused(d, "twin", target, "'odd' is neither file, directory nor link")
    finally:
        for package in packages:
            os.unlink(package + "/odd")
    p = subprocess.Popen([bin_dir() + "/fnctl", "export", "twin", target], stderr=subprocess.PIPE,
                         env={**os.environ, "RUNTIMED_SOCKET": d.socket})
    lib.wait_for(lambda: siblings() != before, "its beginning")
    p.terminate()
    said = p.communicate(timeout=60)[1]
    assert p.returncode == 1 and b"interrupted" in said, (p.returncode, said)
    assert siblings() == before, siblings()


def only_root_may(d):
    done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", bin_dir() + "/fnctl", "export", "twin",
                           "/tmp/none"], capture_output=True, check=False,
                          env={**os.environ, "RUNTIMED_SOCKET": d.socket})
    assert done.returncode == 1 and b"only root may" in done.stderr, done


if __name__ == "__main__":
    sys.exit(run([a_function_is_exported,
                  *[answers_as_the_daemon(r) for r in RUNTIMES], *[tells_an_error(r) for r in RUNTIMES],
                  a_module_that_fails_is_an_init_error, what_is_there_stays, a_failure_half_way_leaves_nothing,
                  only_root_may]))
