#!/usr/bin/python3.11
"""Commands about containers that there are: list, pause, resume, update, events. Needs root.

Each test has a container of its own: an echo in Python, on a root file system that is the host's /usr.
"""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

from lib import Skip, bin_dir, run_as_root, wait_for

SANDBOX = os.path.join(bin_dir(), "sandbox")
WORK = tempfile.mkdtemp(prefix="sandbox-containers-")
STATE = os.path.join(WORK, "state")
ECHO = "import sys\nfor line in sys.stdin:\n    exec(line)\n    print('done', flush=True)\n"
count = 0


def sandbox(*words, status=0, **options):
    p = subprocess.run([SANDBOX, "--root", STATE, *words], capture_output=True, text=True, check=False,
                       timeout=60, **options)
    assert p.returncode == status, f"{words}: exit status {p.returncode}: {p.stdout} {p.stderr}"
    return p


def make_bundle(name, resources):
    bundle = os.path.join(WORK, name)
    rootfs = os.path.join(bundle, "rootfs")
    os.makedirs(os.path.join(rootfs, "usr"))
    for link in ("bin", "lib", "lib64", "sbin"):
        os.symlink("usr/" + link, os.path.join(rootfs, link))
    sandbox("spec", "--bundle", bundle)
    path = os.path.join(bundle, "config.json")
    with open(path, encoding="utf-8") as f:
        config = json.load(f)
    config["process"].update(terminal=False, args=["/usr/bin/python3.11", "-I", "-c", ECHO])
    config["root"]["readonly"] = False
    config["mounts"].append({"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]})
    config["linux"]["resources"].update(resources)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
    return bundle


class Container:
    """Runs in the foreground of a process of ours; ends with the block."""

    def __init__(self, **resources):
        global count
        count += 1
        self.id = f"c{os.getpid()}-{count}"
        bundle = make_bundle(self.id, resources)
        self.process = subprocess.Popen([SANDBOX, "--root", STATE, "run", "--bundle", bundle, self.id],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.do("pass")

    def ask(self, code):
        self.process.stdin.write(code + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        assert line == "done\n", line

    def do(self, code):
        self.ask(code)
        self.answer()

    def status(self):
        return self.row()["status"]

    def row(self):
        rows = [row for row in json.loads(sandbox("list", "-f", "json").stdout) if row["id"] == self.id]
        assert len(rows) == 1, rows
        return rows[0]

    def knob(self, *names):
        """What is in the first of these files that the container's group has; v1 and v2 spell them otherwise."""
        with open(f"/proc/{self.row()['pid']}/cgroup", encoding="ascii") as f:
            lines = [line.rstrip("\n").split(":", 2) for line in f]
        for _, controllers, path in lines:
            for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/" + controllers,
                          *("/sys/fs/cgroup/" + c for c in controllers.split(","))):
                for name in names:
                    with contextlib.suppress(OSError):
                        with open(f"{mount}{path}/{name}", encoding="ascii") as f:
                            return f.read().strip()
        raise Skip(f"the group has none of {names}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            with contextlib.suppress(AssertionError):
                sandbox("resume", self.id)
            self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


def list_has_the_members_of_runc():
    with Container() as c:
        row = c.row()
        assert {"ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "owner"} <= set(row), row
        assert (row["status"], row["ociVersion"], row["owner"]) == ("running", "1.3.0", "root"), row
        assert row["bundle"] == os.path.join(WORK, c.id) and row["rootfs"] == row["bundle"] + "/rootfs", row
        with open(f"/proc/{row['pid']}/cmdline", encoding="utf-8") as f:
            assert "python3.11" in f.read()
        assert c.id in sandbox("list", "-q").stdout.split()
        line = [line.split() for line in sandbox("list").stdout.splitlines() if line.startswith(c.id)]
        assert line == [[c.id, str(row["pid"]), "running", row["bundle"], row["created"], "root"]], line


def list_is_one_line_of_json():
    with Container() as a, Container() as b:
        text = sandbox("list", "-f", "json").stdout
        assert text.count("\n") == 1 and text.endswith("]\n"), text
        assert text.startswith('[{"ociVersion":"1.3.0","id":"'), text
        assert {row["id"] for row in json.loads(text)} >= {a.id, b.id}, text


def a_paused_container_does_nothing_until_resumed():
    with Container() as c:
        sandbox("pause", c.id)
        assert c.status() == "paused"
        assert "frozen 1" in c.knob("cgroup.events")
        c.ask("pass")
        err = sandbox("pause", c.id, status=1).stderr
        assert "is paused: container not running" in err, err
        sandbox("resume", c.id)
        c.answer()
        assert c.status() == "running"
        err = sandbox("resume", c.id, status=1).stderr
        assert "is running: container not paused" in err, err


def completion_knows_the_containers_of_the_root():
    script = sandbox("completion", "bash").stdout
    with Container() as c:
        code = (f'COMP_WORDS=("{SANDBOX}" --root "{STATE}" pause ""); COMP_CWORD=4; _sandbox; '
                'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", script + code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [c.id], done


def what_is_not_there_is_neither_paused_nor_watched():
    for words in (["pause"], ["resume"], ["events"], ["update", "--memory", "1G"]):
        err = sandbox(*words, "no-such-container", status=1).stderr
        assert "container 'no-such-container' does not exist" in err, err


def limits_are_changed_by_single_options():
    with Container(memory={"limit": 256 << 20}) as c:
        sandbox("update", "--memory", "128m", "--pids-limit", "33", c.id)
        assert c.knob("memory.limit_in_bytes", "memory.max") == str(128 << 20)
        assert c.knob("pids.max") == "33"
        sandbox("update", "--cpu-quota=50000", "--cpu-period=200000", "--cpu-shares", "512", c.id)
        assert c.knob("cpu.max", "cpu.cfs_quota_us") in ("50000", "50000 200000")
        sandbox("update", "--pids-limit", "-1", c.id)
        assert c.knob("pids.max") == "max"


def limits_are_changed_by_a_text():
    with Container() as c:
        sandbox("update", "-r", "-", c.id, input='{"pids": {"limit": 44}, "memory": {"limit": 100663296}}')
        assert c.knob("pids.max") == "44"
        assert c.knob("memory.limit_in_bytes", "memory.max") == "100663296"
        path = os.path.join(WORK, "resources.json")
        with open(path, "w", encoding="ascii") as f:
            f.write('{"pids": {"limit": 45}}')
        sandbox("update", "--resources", path, c.id)
        assert c.knob("pids.max") == "45"


def limits_that_make_no_sense_change_nothing():
    with Container() as c:
        before = c.knob("pids.max")
        for words, says in (
                (["--memory", "many"], "memory.limit"),
                (["--cpu-shares", "1"], "shares"),
                (["-r", "/nonexistent"], "open '/nonexistent': ENOENT"),
                (["-r", "-", "--memory", "1G"], "not both"),
                ([], "nothing to change is given")):
            err = sandbox("update", *words, c.id, status=1, stdin=subprocess.DEVNULL).stderr
            assert says in err and err.count("\n") == 1, err
        err = sandbox("update", "-r", "-", c.id, status=1, input='{"pids": {"limit": "x"}}').stderr
        assert "pids.limit" in err, err
        err = sandbox("update", "--mem-bw-schema", "MB:0=10", c.id, status=2).stderr
        assert "--mem-bw-schema is not supported" in err, err
        assert c.knob("pids.max") == before


def what_a_container_uses_is_told_in_runc_s_shape():
    with Container() as c:
        line = json.loads(sandbox("events", "--stats", c.id).stdout)
        assert (line["type"], line["id"]) == ("stats", c.id), line
        data = line["data"]
        assert data["cpu"]["usage"]["total"] > 0, data
        assert data["memory"]["usage"]["usage"] > 0, data
        assert data["pids"]["current"] >= 1, data


def events_tell_of_memory_and_end_with_the_container():
    with Container(memory={"limit": 64 << 20, "swap": 64 << 20}) as c:
        watch = subprocess.Popen([SANDBOX, "--root", STATE, "events", "--interval", "50ms", c.id],
                                 stdout=subprocess.PIPE, text=True)
        assert json.loads(watch.stdout.readline())["type"] == "stats"
        # A child: what is killed at the limit must not be what the container ends with.
        c.do("import os; pid = os.fork(); pid or bytearray(256 << 20); os.waitpid(pid, 0)")
        for text in watch.stdout:
            line = json.loads(text)
            if line["type"] == "oom":
                break
            assert line["type"] == "stats", line
        assert line == {"type": "oom", "id": c.id}, line
    assert {json.loads(text)["type"] for text in watch.stdout} <= {"stats"}
    assert watch.wait(timeout=60) == 0


def events_end_with_a_container_that_nothing_happens_to():
    with Container() as c:
        watch = subprocess.Popen([SANDBOX, "--root", STATE, "events", "--interval", "1h", c.id],
                                 stdout=subprocess.PIPE, text=True)
    assert watch.communicate(timeout=60)[0] == ""
    assert watch.returncode in (0, 1), "1: the container was gone before it looked"


def nothing_is_left_behind():
    wait_for(lambda: not os.path.isdir(STATE) or os.listdir(STATE) == [], "an empty state directory")


TESTS = [
    list_has_the_members_of_runc,
    list_is_one_line_of_json,
    a_paused_container_does_nothing_until_resumed,
    completion_knows_the_containers_of_the_root,
    what_is_not_there_is_neither_paused_nor_watched,
    limits_are_changed_by_single_options,
    limits_are_changed_by_a_text,
    limits_that_make_no_sense_change_nothing,
    what_a_container_uses_is_told_in_runc_s_shape,
    events_tell_of_memory_and_end_with_the_container,
    events_end_with_a_container_that_nothing_happens_to,
    nothing_is_left_behind,
]


if __name__ == "__main__":
    sys.exit(run_as_root(TESTS, "containers", end=lambda: shutil.rmtree(WORK)))
