#!/usr/bin/python3.11
"""Every command of fnctl, as typed: what it prints, and its exit status."""
import json
import os
import re
import subprocess
import sys
import threading
import zipfile

from lib import EXIT_STATUS, call, deploy, fnctl, invoke, run, wait_for, write_code, bin_dir

HELLO = '''
import os
import re
def handler(event, context):
    print("greeting", event.get("name"))
    return {"message": os.environ.get("GREETING", "Hello") + ", " + event.get("name", "you")}
def other(event, context):
    return "other"
'''

# Each ends in its own way: text of the handler, outcome.
ENDINGS = {
    "raises": ("def handler(e, c): raise ValueError('no')", "user_error"),
    "spins": ("def handler(e, c):\n while True: pass", "timeout"),
    "eats": ("def handler(e, c):\n a = []\n while True: a.append(bytearray(1 << 20))", "oom"),
    "leaves": ("import os\ndef handler(e, c): os._exit(3)", "exit"),
    "dies": ("import os\ndef handler(e, c): os.kill(os.getpid(), 11)", "exit"),
    "unknown": ("import no_such_module\ndef handler(e, c): pass", "init_error"),
}


def deploy_makes_a_function_and_replaces_it(d):
    assert deploy(d, "hello", HELLO) == "created hello\n"
    assert deploy(d, "hello", HELLO, "--memory", "256", "--description", "greets") == "updated hello\n"
    shown = json.loads(call(d, "show", "hello", "--json"))
    assert (shown["MemorySize"], shown["Timeout"], shown["Description"]) == (256, 3, "greets"), shown


def invoke_prints_the_reply_and_the_log_apart(d):
    done = fnctl(d, "invoke", "hello", "--data", '{"name":"Ada"}')
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"message": "Hello, Ada"}
    lines = done.stderr.decode().splitlines()
    assert lines[0] == "greeting Ada" and lines[-1].startswith("REPORT RequestId: "), lines


def an_event_comes_from_a_file_or_stdin(d):
    path = os.path.join(write_code('{"name":"File"}', "event.json"), "event.json")
    assert json.loads(call(d, "invoke", "hello", "--data", "@" + path))["message"] == "Hello, File"
    for arguments in (["--data", "-"], []):
        reply = call(d, "invoke", "hello", *arguments, data=b'{"name":"Pipe"}')
        assert json.loads(reply)["message"] == "Hello, Pipe", reply


def invoke_report_shows_the_parts(d):
    done = fnctl(d, "invoke", "hello", "--report", "--data", "{}")
    last = done.stderr.decode().splitlines()[-1]
    assert last.startswith("warm:") and "handler" in last and "total" in last, last


def update_changes_only_what_is_given(d):
    before = json.loads(call(d, "show", "hello", "--json"))
    call(d, "update", "hello", "--timeout", "7", "--env", "GREETING=Good day")
    after = json.loads(call(d, "show", "hello", "--json"))
    assert after["Timeout"] == 7 and after["Environment"]["Variables"]["GREETING"] == "Good day"
    for key in ("MemorySize", "Handler", "CodeSha256", "Description", "Runtime"):
        assert before[key] == after[key], key
    assert json.loads(call(d, "invoke", "hello", "--data", '{"name":"Eve"}'))["message"] == "Good day, Eve"
    call(d, "update", "hello", "--handler", "app.other")
    assert json.loads(call(d, "invoke", "hello", "--data", "{}")) == "other"
    call(d, "update", "hello", "--handler", "app.handler")


def update_without_a_change_is_a_usage_error(d):
    assert fnctl(d, "update", "hello").returncode == 2


def a_directory_packs_to_the_same_code_always(d):
    first = write_code(HELLO)
    second = write_code(HELLO)
    os.makedirs(second + "/__pycache__")
    os.utime(second + "/app.py", (1, 1))
    shas = []
    for code in (first, second):
        call(d, "update", "hello", "--code", code)
        shas.append(json.loads(call(d, "show", "hello", "--json"))["CodeSha256"])
    assert shas[0] == shas[1], shas


def a_zip_is_taken_as_it_is(d):
    path = os.path.join(write_code("", "empty"), "code.zip")
    with zipfile.ZipFile(path, "w") as z:
        z.writestr("zipped.py", "def handler(e, c): return 'from a zip'")
    call(d, "deploy", "zipped", "--code", path, "--handler", "zipped.handler")
    assert json.loads(call(d, "invoke", "zipped", "--data", "{}")) == "from a zip"


def what_is_no_code_is_refused_before_it_is_sent(d):
    text = os.path.join(write_code("no zip", "file"), "file")
    big = os.path.join(write_code("", "file"), "big.zip")
    with open(big, "wb") as f:
        f.truncate((50 << 20) + 1)
    for path, says in ((text, "neither a directory nor a zip"), (big, "50 MB"), ("/nonexistent", "ENOENT"),
                       (write_code("", "__pycache__"), "is empty")):
        done = fnctl(d, "deploy", "refused", "--code", path, "--handler", "a.b")
        assert done.returncode in (1, 2) and says in done.stderr.decode(), (path, done.stderr)
    assert "refused" not in call(d, "list")


def a_wrong_handler_is_refused_by_name(d):
    done = fnctl(d, "deploy", "wrong", "--code", write_code(HELLO), "--handler", "nowhere.handler")
    assert done.returncode == 1 and b"nowhere" in done.stderr, done.stderr


def list_shows_a_row_for_each(d):
    lines = call(d, "list").splitlines()
    assert lines[0].split()[:3] == ["NAME", "IMAGE", "HANDLER"], lines
    assert [line.split()[0] for line in lines[1:]] == ["hello", "zipped"], lines
    names = [f["FunctionName"] for f in json.loads(call(d, "list", "--json"))["Functions"]]
    assert names == ["hello", "zipped"], names


def show_prints_settings_and_variables(d):
    lines = dict(line.split(None, 1) for line in call(d, "show", "hello").splitlines())
    assert lines["name"] == "hello" and lines["memory"] == "256 MB" and lines["timeout"] == "7 s", lines
    assert lines["env"] == "GREETING=Good day", lines


def image_list_shows_digest_and_size(d):
    rows = [line.split() for line in call(d, "image", "list").splitlines()]
    assert rows[0] == ["NAME", "DIGEST", "PACKED", "UNPACKED", "SHARED"], rows
    names = {row[0] for row in rows[1:]}
    assert {"python3.11", "python3.11-data"} <= names, rows


def the_memory_that_instances_share_is_told(d):
    def shared():
        text = d.request("GET", "/metrics")[2].decode()
        return dict(re.findall(r'^runtimed_zygote_pss_bytes\{image="([^"]+)"\} (\d+)$', text, re.M))
    wait_for(lambda: all(int(n) > 0 for n in shared().values()), "the zygotes")
    images = json.loads(call(d, "image", "list", "--json"))["images"]
    assert {i["name"]: str(i["base_bytes"]) for i in images} == shared(), images
    for name, n in shared().items():
        assert 5 << 20 < int(n) < 100 << 20, (name, n)


def each_outcome_has_its_exit_status(d):
    for name, (text, outcome) in ENDINGS.items():
        deploy(d, name, text, "--memory", "64", "--timeout", "1")
        done = fnctl(d, "invoke", name, "--data", "{}")
        assert done.returncode == EXIT_STATUS[outcome], (name, done.returncode, done.stdout, done.stderr)
        assert b"REPORT RequestId: " in done.stderr or outcome == "init_error", (name, done.stderr)


def logs_prints_the_last_lines(d):
    for i in range(5):
        call(d, "invoke", "hello", "--data", json.dumps({"name": f"n{i}"}))
    text = wait_for(lambda: (t := call(d, "logs", "hello")) and "greeting n4" in t and t, "the log")
    assert text.index("greeting n0") < text.index("greeting n4")
    assert len(call(d, "logs", "hello", "-n", "2").splitlines()) == 2
    for line in call(d, "logs", "hello", "-n", "3", "--json").splitlines():
        assert {"seq", "t", "id", "line"} <= set(json.loads(line)), line


def logs_shows_control_bytes_and_sends_none(d):
    deploy(d, "painter", "def handler(e, c): print('a\\x1b[2Jb\\tc\\x07')")
    assert invoke(d, "painter").outcome == "ok"
    text = wait_for(lambda: (t := call(d, "logs", "painter")) and "REPORT" in t and t, "the log")
    assert "a\\x1b[2Jb\tc\\x07" in text and "\x1b" not in text, text


def logs_follows(d):
    with subprocess.Popen([bin_dir() + "/fnctl", "logs", "hello", "-f", "-n", "1", "--socket", d.socket],
                          stdout=subprocess.PIPE, text=True) as follower:
        limit = threading.Timer(20, follower.kill)
        limit.start()
        follower.stdout.readline()
        call(d, "invoke", "hello", "--data", '{"name":"follower"}')
        while "greeting follower" not in (line := follower.stdout.readline()):
            assert line, "the line did not come"
        limit.cancel()
        follower.terminate()


def usage_sums_the_records(d):
    usage = json.loads(call(d, "usage", "hello", "--json"))
    text = call(d, "usage", "hello", "--since", "1h")
    assert usage["billed_ms"] > 0 and "billed" in text and "GB-s" in text, (usage, text)
    assert "timeout          1" in call(d, "usage", "spins"), call(d, "usage", "spins")


def delete_removes(d):
    assert call(d, "delete", "zipped") == "deleted zipped\n"
    for arguments in (["show", "zipped"], ["delete", "zipped"], ["invoke", "zipped", "--data", "{}"]):
        done = fnctl(d, *arguments)
        assert done.returncode == 1 and b"ResourceNotFoundException" in done.stderr, done
        assert done.stderr.count(b"\n") == 1, done.stderr


def wrong_usage_is_status_2(d):
    for arguments in ([], ["nonsense"], ["list", "--bogus"], ["show"], ["show", "a", "b"], ["deploy", "x"],
                      ["deploy", "x", "--memory"], ["deploy", "x", "--memory", "lots"],
                      ["invoke", "no/name", "--data", "{}"], ["logs", "hello", "-n", "0"],
                      ["update", "hello", "--env", "novalue"], ["image", "remove"]):
        done = fnctl(d, *arguments)
        assert done.returncode == 2 and done.stderr and not done.stdout, (arguments, done)


def help_is_no_error(d):
    for command in ("", "deploy", "invoke", "logs"):
        done = fnctl(d, *([command] if command else []), "--help")
        assert done.returncode == 0 and done.stdout.startswith(b"usage: fnctl"), done


def no_daemon_is_told_in_one_line(d):
    done = fnctl(d, "list", "--socket", "/nonexistent/socket")
    assert done.returncode == 1 and done.stderr == b"fnctl: list: no daemon answers at /nonexistent/socket\n"


if __name__ == "__main__":
    sys.exit(run([
        deploy_makes_a_function_and_replaces_it,
        invoke_prints_the_reply_and_the_log_apart,
        an_event_comes_from_a_file_or_stdin,
        invoke_report_shows_the_parts,
        update_changes_only_what_is_given,
        update_without_a_change_is_a_usage_error,
        a_directory_packs_to_the_same_code_always,
        a_zip_is_taken_as_it_is,
        what_is_no_code_is_refused_before_it_is_sent,
        a_wrong_handler_is_refused_by_name,
        list_shows_a_row_for_each,
        show_prints_settings_and_variables,
        image_list_shows_digest_and_size,
        the_memory_that_instances_share_is_told,
        each_outcome_has_its_exit_status,
        logs_prints_the_last_lines,
        logs_shows_control_bytes_and_sends_none,
        logs_follows,
        usage_sums_the_records,
        delete_removes,
        wrong_usage_is_status_2,
        help_is_no_error,
        no_daemon_is_told_in_one_line,
    ]))
