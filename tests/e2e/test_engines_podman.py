#!/usr/bin/python3.11
"""podman with our runtime gives the answers it gives with runc: the life of containers. Needs root."""
import json
import os
import subprocess
import sys
from concurrent import futures

from engines import IMAGE, main, test, with_pty
from engines_podman import Podman
from lib import wait_for


# --- run ---

@test
def run_gives_exit_status_stdout_and_stderr(p):
    done = p.run("sh", "-c", "echo out; echo err >&2; exit 3", status=3)
    assert (done.stdout, done.stderr) == ("out\n", "err\n"), (done.stdout, done.stderr)


@test
def a_signals_exit_status_is_128_and_its_number(p):
    p.run("sh", "-c", "kill -9 $$", options=["--pid=host"], status=137)


@test
def stdin_reaches_the_process(p):
    data = b"line\n" * 50000
    assert p.run("cat", options=["-i"], data=data).stdout.encode() == data


@test
def a_process_without_terminal_or_stdin_reads_nothing(p):
    assert p.out("cat | wc -c; test -t 0 || echo none", data=b"unheard").split() == ["0", "none"]


@test
def env_workdir_entrypoint_and_hostname_are_set(p):
    text = p.run("-c", 'echo $A $FROM_IMAGE $PWD $(hostname); echo "$0"', options=[
        "--env", "A=b c", "--workdir", "/tmp", "--hostname", "guest", "--entrypoint", "/bin/sh"]).stdout
    assert text.splitlines() == ["b c yes /tmp guest", "/bin/sh"], text


@test
def a_command_that_is_not_there_gives_127(p):
    done = p.run("nothing-here", status=127)
    assert "not found in $PATH" in done.stderr, done.stderr
    p.run("/no/such/path", status=127)


@test
def a_file_that_is_not_executable_gives_126(p):
    done = p.run("/etc/plain", status=126)
    assert "permission denied" in done.stderr.lower(), done.stderr


@test
def a_working_directory_that_is_not_there_is_made_or_refused(p):
    return p.run("pwd", options=["--workdir", "/not/there"], status=None).status


@test
def detached_containers_log_and_keep_their_status(p):
    name = p.start("sh", "-c", "echo one; echo two >&2; exit 5", wait="one")
    assert p("wait", name).stdout == "5\n"
    done = p("logs", name)
    assert (done.stdout, done.stderr) == ("one\n", "two\n"), (done.stdout, done.stderr)
    state = p.state(name)
    assert (state["Status"], state["ExitCode"], state["OOMKilled"], state["Pid"]) == ("exited", 5, False, 0), state


@test
def a_stopped_container_starts_again(p):
    name = p.start("sh", "-c", "echo x >>/srv/runs; wc -l </srv/runs; exit 4", wait="1")
    p("wait", name)
    assert p("start", "--attach", name, status=4).stdout == "2\n"
    assert p("start", "--attach", name, status=4).stdout == "3\n"
    p("restart", "--time", "1", name)
    assert p("wait", name).stdout == "4\n"


@test
def create_and_start_apart(p):
    name = p.new_name()
    p(*p.words("create", "--name", name), "sh", "-c", "echo started")
    assert p.state(name)["Status"] == "created"
    p("init", name)
    state = p.state(name)
    assert state["Status"] in ("created", "initialized") and state["Pid"] > 0, state
    assert p("start", "--attach", name).stdout == "started\n"


# --- later commands ---

@test
def exec_has_env_user_cwd_and_exit_status(p):
    name = p.start()
    done = p("exec", "--env", "A=b", "--user", "worker", "--workdir", "/tmp", name, "sh", "-c",
             "echo $A $FROM_IMAGE $PWD; id; echo err >&2; exit 9", status=9)
    assert done.stderr.startswith("err\n"), done.stderr
    assert done.stdout.splitlines()[0] == "b yes /tmp", done.stdout
    assert p("exec", "-i", name, "cat", data=b"in\n").stdout == "in\n"
    assert p("exec", name, "sh", "-c", "kill -9 $$", status=137).stdout == ""
    return done.stdout, p("exec", name, "sh", "-c", "id; grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status").stdout


@test
def exec_of_user_numbers_and_groups(p):
    name = p.start(options=["--group-add", "1002"])
    return [p("exec", "--user", user, name, "id").stdout for user in ("1000", "1000:5", "worker:extra", "77", "0:1001")]


@test
def exec_detached_runs_on(p):
    name = p.start()
    p("exec", "--detach", name, "sh", "-c", "echo done >/tmp/file; sleep 100")
    wait_for(lambda: p("exec", name, "cat", "/tmp/file", status=None).stdout == "done\n", "it writes")
    assert "sleep 100" in p("exec", name, "ps").stdout


@test
def exec_of_wrong_commands_gives_127_and_126(p):
    name = p.start()
    p("exec", name, "nothing-here", status=127)
    p("exec", name, "/no/such/path", status=127)
    p("exec", name, "/etc/plain", status=126)
    p("exec", name, "true")


@test
def exec_privileged_has_all_capabilities(p):
    name = p.start()
    return p("exec", "--privileged", name, "grep", "Cap", "/proc/self/status").stdout


@test
def stop_sends_TERM_and_waits(p):
    name = p.start()
    p("stop", "--time", "20", name)
    assert "got TERM" in p("logs", name).stdout
    assert p.state(name)["ExitCode"] == 7, p.state(name)


@test
def stop_kills_who_does_not_listen(p):
    name = p.start("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    p("stop", "--time", "1", name)
    assert p.state(name)["ExitCode"] == 137, p.state(name)


@test
def kill_sends_the_signal_that_is_named(p):
    name = p.start()
    p("kill", "--signal", "USR1", name)
    wait_for(lambda: "got USR1" in p("logs", name).stdout, "it hears")
    p("kill", "-s", "10", name)
    wait_for(lambda: p("logs", name).stdout.count("got USR1") == 2, "it hears twice")
    p("kill", name)
    assert p("wait", name).stdout == "137\n"
    p("kill", name, status=125 if p("kill", name, status=None).status == 125 else 255)


@test
def a_container_that_runs_is_removed_by_force_only(p):
    name = p.start()
    done = p("rm", name, status=2)
    assert "container state improper" in done.stderr, done.stderr
    p("rm", "--force", "--time", "0", name)
    p("inspect", name, status=125)


@test
def pause_freezes_and_unpause_thaws(p):
    name = p.start("sh", "-c", "echo ready; while :; do echo $(( n += 1 )) >/tmp/n; done")
    p("pause", name)
    assert p.state(name)["Status"] == "paused" and p.state(name)["Paused"], p.state(name)
    p("exec", name, "true", status=255)
    pid = p.state(name)["Pid"]
    with open(f"/proc/{pid}/root/tmp/n", encoding="ascii") as f:
        before = f.read()
    with open(f"/proc/{pid}/root/tmp/n", encoding="ascii") as f:
        assert f.read() == before
    p("unpause", name)
    wait_for(lambda: p("exec", name, "cat", "/tmp/n").stdout != before, "it goes on")
    assert p.state(name)["Status"] == "running"
    p("pause", name)
    p("rm", "--force", "--time", "0", name)


@test
def stats_tell_memory_and_processes(p):
    name = p.start(options=["--memory", "64m"])
    rows = json.loads(p("stats", "--no-stream", "--format", "json", name).stdout)
    assert len(rows) == 1 and rows[0]["name"] == name, rows
    assert "67.11MB" in rows[0]["mem_usage"] and int(rows[0]["pids"]) >= 1, rows
    return sorted(rows[0])


@test
def top_tells_the_processes(p):
    name = p.start()
    return p("top", name, "user", "pid", "args").stdout.splitlines()[:2]


@test
def inspect_tells_what_runs(p):
    name = p.start()
    whole = json.loads(p("inspect", name).stdout)[0]
    state = whole["State"]
    assert (state["Status"], state["Running"], state["Paused"]) == ("running", True, False), state
    with open(f"/proc/{state['Pid']}/cmdline", encoding="utf-8") as f:
        assert "waiter" in f.read()
    assert whole["OCIRuntime"] == p.name, whole["OCIRuntime"]
    return state["OciVersion"], state["CgroupPath"].replace(whole["Id"], "ID"), whole["EffectiveCaps"]


@test
def ps_counts_what_runs(p):
    p.start()
    p.start("false", wait="")
    wait_for(lambda: p("ps", "--quiet").stdout.count("\n") == 1, "one ends")
    assert p("ps", "--quiet", "--all").stdout.count("\n") == 2


@test
def attach_shows_what_it_prints_and_its_status(p):
    name = p.new_name()
    p(*p.words("create", "--name", name, "-i"), "sh", "-c", "read line; echo got $line; exit 8")
    p("start", name)
    out = p("attach", name, data=b"word\n", status=None).stdout
    assert out.strip() == "got word", out
    out = p("wait", name).stdout
    assert out == "8\n", out


@test
def files_are_copied_in_and_out(p):
    name = p.start()
    p("cp", p.config, name + ":/srv/copy")
    p("cp", name + ":/srv/copy", p.home + "/copy")
    with open(p.config, encoding="ascii") as a, open(p.home + "/copy", encoding="ascii") as b:
        assert a.read() == b.read()
    assert "A /srv/copy\n" in p("diff", name).stdout, p("diff", name).stdout


@test
def commit_pauses_and_goes_on(p):
    name = p.start()
    p("exec", name, "touch", "/srv/new")
    p("commit", "--quiet", "--pause", name, "localhost/changed")
    assert p.state(name)["Status"] == "running"
    assert p("run", "--rm", "--network=none", "--cgroup-parent", "/" + p.world.group, "localhost/changed", "ls",
             "/srv").stdout == "new\n"
    p("rmi", "localhost/changed")


@test
def a_pods_containers_share_namespaces(p):
    pod = p.new_name()
    p("pod", "create", "--name", pod, "--network=none", "--hostname", "pod", "--cgroup-parent", "/" + p.world.group)
    try:
        show = "hostname; for n in net ipc uts; do readlink /proc/self/ns/$n; done"
        one, two = (p("run", "--rm", "--pod", pod, "--pull=never", IMAGE, "sh", "-c", show).stdout for _ in range(2))
        assert one == two and one.startswith("pod\n"), (one, two)
        p("pod", "pause", pod)
        p("pod", "unpause", pod)
        p("pod", "stop", "--time", "1", pod)
    finally:
        p("pod", "rm", "--force", "--time", "0", pod)


@test
def many_start_at_once(p):
    with futures.ThreadPoolExecutor(6) as pool:
        texts = list(pool.map(lambda n: p.run("echo", str(n)).stdout, range(12)))
    assert texts == [f"{n}\n" for n in range(12)], texts


@test
def hooks_see_the_container(p):
    directory = os.path.join(p.home, "hooks")
    os.makedirs(directory, exist_ok=True)
    for stage in ("prestart", "createRuntime", "poststart", "poststop"):
        with open(f"{directory}/{stage}.json", "w", encoding="ascii") as f:
            json.dump({"version": "1.0.0", "when": {"always": True}, "stages": [stage], "hook": {
                "path": "/bin/sh", "args": ["sh", "-c", f"cat >{directory}/{stage}.seen"]}}, f)
    name = p.new_name()
    p("--hooks-dir", directory, *p.words("run", "--name", name), "true")
    p("rm", name)
    seen = {}
    for stage in ("prestart", "createRuntime", "poststart", "poststop"):
        with open(f"{directory}/{stage}.seen", encoding="ascii") as f:
            state = json.load(f)
        seen[stage] = state["status"], sorted(state)
    assert seen["poststart"][0] in ("created", "running"), seen  # it races with the process; runc tells the former
    return {**seen, "poststart": seen["poststart"][1]}


@test
def stop_of_one_in_the_hosts_pid_namespace_ends_all(p):
    name = p.start("sh", "-c", "sleep 4321 & echo ready; trap '' TERM; wait; sleep 4321", options=["--pid=host"])
    p("stop", "--time", "0", name)
    assert "sleep 4321" not in " ".join(p.world.processes()).replace("sh -c", ""), p.world.processes()


# --- terminals ---

@test
def a_terminal_is_a_pty_of_the_container(p):
    text, status = with_pty(p, [*p.words("run", "--rm", "-it"), "sh", "-c", "tty; test -t 0 && test -t 1 && exit 6"])
    assert status == 6 and "/dev/pts/0" in text, (status, text)
    return p.run("sh", "-c", "tty; ls -l /dev/console | cut -c1; stty -a | tail -n +2", options=["-t"]).stdout


@test
def a_terminal_has_the_size_of_ours(p):
    text, _ = with_pty(p, [*p.words("run", "--rm", "-it"), "sh", "-c",
                           "n=0; until stty size | grep '31 97' || [ $n = 100 ]; do n=$((n + 1)); sleep 0.05; done"])
    assert "31 97" in text, text


@test
def a_terminal_takes_input(p):
    text, status = with_pty(p, [*p.words("run", "--rm", "-it"), "sh", "-c", "read line; echo got $line"],
                            send=b"word\n")
    assert "got word" in text and status == 0, text


@test
def exec_has_a_terminal(p):
    name = p.start()
    text, status = with_pty(p, ["exec", "-it", name, "sh", "-c", "tty; exit 6"])
    assert status == 6 and "/dev/pts/" in text, (status, text)
    return text


# --- about the engine ---

@test
def info_names_the_runtime_and_its_version(p):
    runtime = json.loads(p("info", "--format", "json").stdout)["host"]["ociRuntime"]
    version = subprocess.run([p.runtime, "--version"], capture_output=True, text=True, check=True).stdout
    assert (runtime["name"], runtime["path"]) == (p.name, p.runtime), runtime
    assert runtime["version"].strip() == version.strip() and f"{p.name} version " in version, runtime


@test
def errors_of_the_runtime_are_told(p):
    done = p.run("true", options=["--sysctl", "net.nothing=1"], status=127)
    assert "/proc/sys/net/nothing" in done.stderr and "OCI runtime" in done.stderr, done.stderr


if __name__ == "__main__":
    sys.exit(main(Podman))
