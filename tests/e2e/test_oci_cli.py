#!/usr/bin/python3.11
"""The frame of `sandbox`'s command line: help, manual, completion, errors, and the commands that only look.

Needs no root.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from lib import ROOT, Skip, Tap, bin_dir

SANDBOX = os.path.join(bin_dir(), "sandbox")
COMMANDS = {}  # name: its options, from the help


def sandbox(*words, status=0, **options):
    p = subprocess.run([SANDBOX, *words], capture_output=True, text=True, check=False,
                       stdin=subprocess.DEVNULL, **options)
    assert p.returncode == status, f"{words}: exit status {p.returncode}: {p.stdout} {p.stderr}"
    return p


def read_help():
    text = sandbox("--help").stdout
    for name in re.findall(r"^  (\w+) +[a-z]", text, re.M):
        own = sandbox("help", name).stdout
        assert sandbox(name, "--help").stdout == own, name
        assert own.startswith(f"usage: sandbox {name} "), own
        COMMANDS[name] = re.findall(r"^ +(?:-\w, )?(--[\w-]+)", own, re.M)
    return re.findall(r"^ +(?:-\w, )?(--[\w-]+)", text, re.M)


# --- text from the tables ---

def help_tells_every_command():
    flags = read_help()
    assert {"run", "spec", "features", "doctor", "list", "policy", "help"} <= set(COMMANDS), COMMANDS
    assert {"--root", "--log", "--log-format", "--debug", "--systemd-cgroup", "--rootless",
            "--cgroup-manager", "--version", "--help"} <= set(flags), flags
    assert all("--help" in options for options in COMMANDS.values())


def manual_and_tables_agree():
    if not shutil.which("scdoc"):
        raise Skip("scdoc is not installed")
    flags = read_help()
    with tempfile.TemporaryDirectory() as at:
        subprocess.run([os.path.join(ROOT, "tools/man"), os.path.join(ROOT, "docs/man"), bin_dir(), at],
                       check=True)
        with open(os.path.join(at, "man1/sandbox.1"), encoding="utf-8") as f:
            page = f.read()
    text = re.sub(r"\\f.|\\&", "", page).replace("\\-", "-")
    options, commands = text.split(".SH COMMANDS")
    for flag in flags:
        assert flag in options, f"the manual has no {flag}"
    sections = dict(re.findall(r'^\.SS "?(\w+)([^\0]*?)(?=^\.S[SH])', commands, re.M))
    assert set(sections) == set(COMMANDS), (sorted(sections), sorted(COMMANDS))
    for name, own in COMMANDS.items():
        for flag in own:
            assert flag == "--help" or flag in sections[name], f"the manual's {name} has no {flag}"


def complete(*words, index=None):
    """What bash proposes for the last of these words."""
    script = sandbox("completion", "bash").stdout
    line = " ".join(f"'{w}'" for w in words)
    code = (f'COMP_WORDS=("{SANDBOX}" {line}); COMP_CWORD={index or len(words)}; _sandbox; '
            'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script + code], capture_output=True, text=True, check=True)
    assert done.stderr == "", done.stderr
    return done.stdout.split()


def completion_knows_commands_and_options():
    read_help()
    assert set(complete("")) == set(COMMANDS), complete("")
    assert complete("fea") == ["features"]
    assert complete("--log-format", "j") == ["json"]
    assert complete("--log-format", "json", "fea") == ["features"]
    for name, own in COMMANDS.items():
        refused = re.findall(r"(--[\w-]+)", sandbox("help", name).stdout.partition("but refused")[2])
        assert set(complete(name, "--")) == set(own) - set(refused), name
    assert "--root" in complete("--") and "--systemd-cgroup" not in complete("--")


def completion_knows_files_and_choices():
    with tempfile.TemporaryDirectory() as at:
        os.mkdir(os.path.join(at, "abc"))
        assert complete("run", "--bundle", at + "/a") == [at + "/abc"]
    assert complete("list", "-f", "t") == ["table"]
    assert complete("help", "spe") == ["spec"]


# --- options before the command ---

def version_is_in_the_words_engines_look_for():
    lines = sandbox("--version").stdout.splitlines()
    assert re.fullmatch(r"sandbox version \d+\.\d+\.\d+", lines[0]), lines
    assert lines[1] == "spec: 1.3.0", lines
    assert re.fullmatch(r"libseccomp: \d+\.\d+\.\d+", lines[2]), lines
    assert sandbox("-v").stdout.splitlines() == lines


def makers_of_groups_that_we_are_not_are_refused():
    for words in (["--systemd-cgroup"], ["-s"], ["--cgroup-manager", "systemd"]):
        err = sandbox(*words, "list", status=2).stderr
        assert "Delegate=yes" in err and err.count("\n") == 1, err
    assert "always has one" in sandbox("--cgroup-manager=disabled", "list", status=2).stderr
    with tempfile.TemporaryDirectory() as at:
        sandbox("--systemd-cgroup=false", "--cgroup-manager", "cgroupfs", "--root", at, "list")


def words_that_are_wrong_are_named():
    for words, says in (
            (["--criu", "x", "list"], "--criu is not supported: "),
            (["--nope"], "unknown option '--nope'"),
            (["--log-format", "xml", "list"], "--log-format 'xml': not one of text|json"),
            (["--rootless", "maybe", "list"], "not one of true|false|auto"),
            (["fly"], "unknown command 'fly'"),
            (["fly", "-h"], "No help topic for 'fly'"),
            (["list", "-f", "yaml"], "not one of table|json"),
            (["list", "x"], "unexpected argument 'x'")):
        err = sandbox(*words, status=2).stderr
        assert says in err and err.count("\n") == 1, err


def errors_are_lines_of_json_as_engines_read_them():
    err = sandbox("--log-format", "json", "help", "fly", status=1).stderr
    line = json.loads(err)
    assert list(line) == ["level", "msg", "time"] and line["level"] == "error", line
    assert "unknown command 'fly'" in line["msg"], line
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["time"]), line
    with tempfile.TemporaryDirectory() as at:
        log = os.path.join(at, "log")
        for _ in range(2):
            err = sandbox("--log", log, "--log-format=json", "help", "fly", status=1).stderr
        with open(log, encoding="utf-8") as f:
            lines = [json.loads(text) for text in f]
    assert len(lines) == 2 and err == lines[1]["msg"] + "\n", (err, lines)


def log_in_text_has_time_and_level():
    with tempfile.TemporaryDirectory() as at:
        log = os.path.join(at, "log")
        err = sandbox("--log", log, "help", "fly", status=1).stderr
        with open(log, encoding="utf-8") as f:
            text = f.read()
    assert re.fullmatch(r'time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" level=error msg=".*"\n', text), text
    assert err.startswith("sandbox help: ") and err[:-1] in text, (err, text)


def a_log_that_cannot_be_written_is_told_before_anything_is_done():
    with tempfile.TemporaryDirectory() as at:
        p = sandbox("--log", at + "/nope/log", "spec", "--bundle", at, status=1)
        assert p.stderr == f"sandbox: --log '{at}/nope/log': ENOENT (No such file or directory)\n", p.stderr
        assert os.listdir(at) == []
        sandbox("--log", at + "/log", "features")
        sandbox("--log", "", "features")


def state_of_an_ordinary_user_is_his_own():
    with tempfile.TemporaryDirectory() as at:
        os.mkdir(os.path.join(at, "sandbox"))
        environment = dict(os.environ, XDG_RUNTIME_DIR=at)
        assert sandbox("--rootless", "true", "list", "-q", env=environment).stdout == ""
        os.rmdir(os.path.join(at, "sandbox"))
        with open(os.path.join(at, "sandbox"), "w", encoding="utf-8"):
            pass
        assert at in sandbox("--rootless", "true", "list", env=environment, status=1).stderr


# --- commands that only look ---

def features_are_the_specification_s_document():
    doc = json.loads(sandbox("features").stdout)
    assert (doc["ociVersionMin"], doc["ociVersionMax"]) == ("1.0.0", "1.3.0"), doc
    assert set(doc) == {"ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux", "annotations",
                        "potentiallyUnsafeConfigAnnotations"}, sorted(doc)
    part = doc["linux"]
    assert part["namespaces"] == ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"], part
    assert {"ro", "rro", "rbind", "rslave", "nosymfollow"} <= set(doc["mountOptions"])
    for words in (doc["hooks"], doc["mountOptions"], part["capabilities"]):
        assert len(set(words)) == len(words) and all(isinstance(word, str) for word in words), words
    assert doc["hooks"] == ["prestart", "createRuntime", "createContainer", "startContainer", "poststart",
                            "poststop"], doc["hooks"]
    assert "CAP_CHECKPOINT_RESTORE" in part["capabilities"]
    assert all(re.fullmatch("CAP_[A-Z_]+", name) for name in part["capabilities"])
    assert part["cgroup"].pop("rdma") in (True, False)
    assert part["cgroup"] == {"v1": True, "v2": True, "systemd": False, "systemdUser": False}, part
    for name in ("seccomp", "apparmor", "selinux", "intelRdt", "netDevices"):
        assert part[name]["enabled"] in (True, False), name
    assert {"SCMP_ACT_NOTIFY", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"} <= set(part["seccomp"]["actions"]), part
    assert {"MPOL_BIND", "MPOL_INTERLEAVE"} <= set(part["memoryPolicy"]["modes"]), part
    assert "MPOL_F_STATIC_NODES" in part["memoryPolicy"]["flags"], part
    assert {"SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"} <= set(part["seccomp"]["operators"]), part
    assert {"SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"} <= set(part["seccomp"]["archs"]), part
    assert set(part["seccomp"]["supportedFlags"]) <= set(part["seccomp"]["knownFlags"]), part
    assert "SECCOMP_FILTER_FLAG_LOG" in part["seccomp"]["supportedFlags"], part
    assert part["mountExtensions"]["idmap"]["enabled"] in (True, False)


def features_are_what_the_parser_takes():
    """What is said to be enabled is not refused as unsupported, and what is not is."""
    doc = json.loads(sandbox("features").stdout)
    with tempfile.TemporaryDirectory() as at:
        sandbox("spec", "--bundle", at)
        path = os.path.join(at, "config.json")
        with open(path, encoding="utf-8") as f:
            config = json.load(f)
        for member, enabled in (("selinuxLabel", doc["linux"]["selinux"]["enabled"]),
                                ("apparmorProfile", doc["linux"]["apparmor"]["enabled"])):
            config["process"].update({"terminal": False, "selinuxLabel": "", "apparmorProfile": "", member: "x"})
            with open(path, "w", encoding="utf-8") as f:
                json.dump(config, f)
            p = subprocess.run([SANDBOX, "--root", at + "/state", "run", "--bundle", at, f"cli-{os.getpid()}"],
                               capture_output=True, text=True, check=False)
            assert p.returncode != 0, "there is no root file system"
            assert (f"{member}: is not supported" in p.stderr) == (not enabled), p.stderr


def doctor_tells_what_each_row_means():
    p = subprocess.run([SANDBOX, "doctor", "--json"], capture_output=True, text=True, check=False)
    doc = json.loads(p.stdout)
    assert p.returncode == (0 if doc["canRun"] else 1), p
    names = [check["name"] for check in doc["checks"]]
    assert len(set(names)) == len(names), names
    assert {"kernel", "mount calls", "overlay", "seccomp", "landlock", "namespace user", "namespace time",
            "user namespaces", "id ranges", "idmapped mounts", "cgroups", "delegation",
            "capabilities"} <= set(names), names
    for check in doc["checks"]:
        assert check["state"] in ("ok", "limited", "missing"), check
        assert check["found"] or check["name"] == "user namespaces", check
        assert bool(check["effect"]) == (check["state"] != "ok"), check
    blocked = any(check["required"] and check["state"] == "missing" for check in doc["checks"])
    assert doc["canRun"] == (not blocked)
    rows = subprocess.run([SANDBOX, "doctor"], capture_output=True, text=True, check=False)
    assert rows.returncode == p.returncode
    assert re.findall(r"^(?:ok|limited|missing) +(.{19}) ", rows.stdout, re.M) == [f"{n:19}" for n in names]


def doctor_sees_what_an_ordinary_user_lacks():
    if os.geteuid() != 0:
        raise Skip("needs root to become another user")
    with tempfile.TemporaryDirectory() as at:
        os.chmod(at, 0o755)
        shutil.copy(SANDBOX, at)
        p = subprocess.run([os.path.join(at, "sandbox"), "doctor", "--json"], capture_output=True, text=True,
                           check=False, user=54321, group=54321, extra_groups=[])
    checks = {check["name"]: check for check in json.loads(p.stdout)["checks"]}
    assert checks["id ranges"]["state"] == "limited" and "/etc/subuid" in checks["id ranges"]["advice"]
    assert p.returncode == 0 and checks["delegation"]["state"] == "limited", checks["delegation"]
    assert "Delegate=yes" in checks["delegation"]["advice"]


def doctor_sees_capabilities_that_are_missing():
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv")
    p = subprocess.run(["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", SANDBOX, "doctor", "--json"],
                       capture_output=True, text=True, check=False)
    check = {check["name"]: check for check in json.loads(p.stdout)["checks"]}["capabilities"]
    assert check["state"] == "limited" and "CAP_NET_ADMIN" in check["found"], check
    assert "loopback" in check["effect"], check


def spec_writes_a_config_and_never_over_one():
    with tempfile.TemporaryDirectory() as at:
        assert sandbox("spec", cwd=at).stdout == ""
        with open(os.path.join(at, "config.json"), encoding="utf-8") as f:
            config = json.load(f)
        assert config["ociVersion"] == "1.3.0" and config["process"]["terminal"] is True, config
        kinds = [space["type"] for space in config["linux"]["namespaces"]]
        unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
        assert kinds == ["pid", "network", "ipc", "uts", "mount"] + ["cgroup"] * unified, kinds
        err = sandbox("spec", cwd=at, status=1).stderr
        assert "File config.json exists. Remove it first" in err, err
        sandbox("spec", "-b", os.path.join(at, "nope"), status=1)


def spec_for_a_user_asks_for_what_he_may():
    with tempfile.TemporaryDirectory() as at:
        sandbox("spec", "--rootless", "--bundle", at)
        with open(os.path.join(at, "config.json"), encoding="utf-8") as f:
            part = json.load(f)["linux"]
    assert "resources" not in part
    kinds = [space["type"] for space in part["namespaces"]]
    assert "user" in kinds and "network" not in kinds, kinds
    assert part["uidMappings"] == [{"containerID": 0, "hostID": os.geteuid(), "size": 1}], part


def an_empty_list_is_empty():
    with tempfile.TemporaryDirectory() as at:
        root = ["--root", os.path.join(at, "state")]
        assert json.loads(sandbox(*root, "list", "-f", "json").stdout) == []
        assert sandbox(*root, "list", "-q").stdout == ""
        assert sandbox(*root, "list").stdout.split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
        assert not os.path.exists(root[1]), "looking makes nothing"


def every_limit_of_update_is_the_member_it_says():
    members = {"memory": "memory.limit", "memory-swap": "memory.swap", "memory-reservation": "memory.reservation",
               "kernel-memory": "memory.kernel", "kernel-memory-tcp": "memory.kernelTCP", "cpu-share": "cpu.shares",
               "cpu-shares": "cpu.shares", "cpu-quota": "cpu.quota", "cpu-period": "cpu.period",
               "cpu-burst": "cpu.burst", "cpu-idle": "cpu.idle", "cpu-rt-period": "cpu.realtimePeriod",
               "cpu-rt-runtime": "cpu.realtimeRuntime", "cpuset-cpus": "cpu.cpus", "cpuset-mems": "cpu.mems",
               "pids-limit": "pids.limit", "blkio-weight": "blockIO.weight"}
    read_help()
    known = set(COMMANDS["update"]) - {"--help", "--resources", "--l3-cache-schema", "--mem-bw-schema"}
    assert known | {"--cpu-shares"} == {"--" + name for name in members}, known
    for name, member in members.items():
        err = sandbox("--root", "/nonexistent", "update", "--" + name, "x", "c", status=1).stderr
        assert member + ":" in err, (name, err)


def a_full_disk_is_noticed():
    with open("/dev/full", "w", encoding="utf-8") as full:
        for command in ("features", "help", "list"):
            p = subprocess.run([SANDBOX, "--root", "/nonexistent", command], stdout=full, stderr=subprocess.PIPE,
                               text=True, check=False)
            assert p.returncode == 1 and "could not be written" in p.stderr, (command, p)


TESTS = [
    help_tells_every_command,
    manual_and_tables_agree,
    completion_knows_commands_and_options,
    completion_knows_files_and_choices,
    version_is_in_the_words_engines_look_for,
    makers_of_groups_that_we_are_not_are_refused,
    words_that_are_wrong_are_named,
    errors_are_lines_of_json_as_engines_read_them,
    log_in_text_has_time_and_level,
    a_log_that_cannot_be_written_is_told_before_anything_is_done,
    state_of_an_ordinary_user_is_his_own,
    features_are_the_specification_s_document,
    features_are_what_the_parser_takes,
    doctor_tells_what_each_row_means,
    doctor_sees_what_an_ordinary_user_lacks,
    doctor_sees_capabilities_that_are_missing,
    spec_writes_a_config_and_never_over_one,
    spec_for_a_user_asks_for_what_he_may,
    an_empty_list_is_empty,
    every_limit_of_update_is_the_member_it_says,
    a_full_disk_is_noticed,
]


def main():
    tap = Tap()
    for test in TESTS:
        tap.run(test)
    print(f"1..{tap.n}")
    return int(tap.failed)


if __name__ == "__main__":
    sys.exit(main())
