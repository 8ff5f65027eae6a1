#!/usr/bin/python3.11
"""Unmodified AWS clients: boto3 and the AWS command line, signed, over TCP."""
import base64
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import zipfile

from lib import run, wait_for

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CODE = """
import json, os
def handler(event, context):
    print("said", event.get("k"))
    return {"event": event, "greeting": os.environ.get("GREETING"), "id": context.aws_request_id,
            "version": context.function_version, "client": getattr(context.client_context, "custom", None)}
def fail(event, context):
    raise ValueError("boom")
"""
ROLE = "arn:aws:iam::000000000000:role/r"


def package(code):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr(zipfile.ZipInfo("app.py"), code)  # the same bytes at any time
    return out.getvalue()


def client(d, **change):
    env = d.environment()
    settings = {"endpoint_url": env["RUNTIMED_URL"], "region_name": env["AWS_DEFAULT_REGION"],
                "aws_access_key_id": env["AWS_ACCESS_KEY_ID"],
                "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"],
                "config": Config(retries={"max_attempts": 0}, proxies={})}
    return boto3.client("lambda", **{**settings, **change})


def aws(d, *args):
    """The command's answer as JSON, or None."""
    env = {**os.environ, **d.environment(), "AWS_PAGER": "", "NO_PROXY": "*",
           "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(["/usr/bin/aws", "--endpoint-url", env["RUNTIMED_URL"], "lambda", *args],
                          env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def refused(call, code, text="", **args):
    """The call must fail with this error; the response."""
    try:
        call(**args)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e.response
        assert text in e.response["Error"]["Message"], e.response
        return e.response
    raise AssertionError(f"not refused with {code}")


def create(c, name, code=CODE, **settings):
    return c.create_function(FunctionName=name, Role=ROLE, Code={"ZipFile": package(code)},
                             **{"Runtime": "python3.11", "Handler": "app.handler", **settings})


def invoke(c, name, event, **args):
    answer = c.invoke(FunctionName=name, Payload=json.dumps(event), **args)
    return answer, json.loads(answer["Payload"].read())


def boto3_leads_a_function_through_its_life(d):
    c = client(d)
    made = create(c, "life", Environment={"Variables": {"GREETING": "hi"}}, MemorySize=256, Timeout=5,
                  Description="d", EphemeralStorage={"Size": 512})
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["CodeSha256"] == base64.b64encode(hashlib.sha256(package(CODE)).digest()).decode()
    assert made["CodeSize"] == len(package(CODE)) and made["State"] == "Active"
    for waiter in "function_exists", "function_active_v2", "function_updated_v2", "function_active":
        c.get_waiter(waiter).wait(FunctionName="life")

    answer, reply = invoke(c, "life", {"k": 1}, LogType="Tail")
    assert reply["event"] == {"k": 1} and reply["greeting"] == "hi", reply
    assert reply["id"] == answer["ResponseMetadata"]["RequestId"]
    assert answer["ExecutedVersion"] == "$LATEST" and "FunctionError" not in answer
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "START RequestId: " in log and "said 1" in log and "REPORT RequestId: " in log, log

    before = c.get_function_configuration(FunctionName="life")["RevisionId"]
    c.update_function_configuration(FunctionName="life", Timeout=7,
                                    Environment={"Variables": {"GREETING": "ho"}})
    c.get_waiter("function_updated").wait(FunctionName="life")
    now = c.get_function(FunctionName="life")["Configuration"]
    assert now["Timeout"] == 7 and now["MemorySize"] == 256 and now["RevisionId"] != before
    assert invoke(c, "life", {})[1]["greeting"] == "ho"

    c.update_function_code(FunctionName="life",
                           ZipFile=package("def handler(event, context):\n    return 'new'\n"))
    assert invoke(c, "life", {})[1] == "new"
    assert [f["FunctionName"] for f in c.list_functions()["Functions"]] == ["life"]
    gone = c.delete_function(FunctionName="life")
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    refused(c.get_function, "ResourceNotFoundException", ":function:life", FunctionName="life")
    refused(c.invoke, "ResourceNotFoundException", FunctionName="life")


def aws_command_leads_a_function_through_its_life(d):
    with tempfile.TemporaryDirectory() as tmp:
        zip_file, out = f"{tmp}/f.zip", f"{tmp}/out"
        with open(zip_file, "wb") as f:
            f.write(package(CODE))
        aws(d, "create-function", "--function-name", "cli", "--runtime", "python3.11", "--role", ROLE,
            "--handler", "app.handler", "--zip-file", f"fileb://{zip_file}",
            "--environment", "Variables={GREETING=hi}")
        aws(d, "wait", "function-active-v2", "--function-name", "cli")
        said = aws(d, "invoke", "--function-name", "cli", "--cli-binary-format", "raw-in-base64-out",
                   "--payload", '{"k":2}', "--log-type", "Tail", out)
        assert said["StatusCode"] == 200 and "LogResult" in said
        with open(out) as f:
            assert json.load(f)["event"] == {"k": 2}
        aws(d, "invoke", "--function-name", "cli", out)  # no payload at all
        with open(out) as f:
            assert json.load(f)["event"] == {}
        aws(d, "update-function-configuration", "--function-name", "cli", "--memory-size", "192")
        aws(d, "wait", "function-updated", "--function-name", "cli")
        aws(d, "update-function-code", "--function-name", "cli", "--zip-file", f"fileb://{zip_file}")
        assert aws(d, "get-function", "--function-name", "cli")["Configuration"]["MemorySize"] == 192
        assert len(aws(d, "list-functions")["Functions"]) == 1
        aws(d, "delete-function", "--function-name", "cli")
        assert aws(d, "list-functions")["Functions"] == []


def function_goes_by_all_its_names(d):
    c = client(d)
    arn = create(c, "named")["FunctionArn"]
    for name in "named", "named:$LATEST", arn, arn + ":$LATEST", "000000000000:function:named":
        assert c.get_function_configuration(FunctionName=name)["FunctionArn"] == arn
        assert invoke(c, name, {})[1]["version"] == "$LATEST"
    invoke(c, "named", {}, Qualifier="$LATEST")
    refused(c.invoke, "ResourceNotFoundException", FunctionName="named", Qualifier="7")
    refused(c.invoke, "ResourceNotFoundException", FunctionName="named:prod")
    refused(c.delete_function, "ResourceNotFoundException", FunctionName="named", Qualifier="7")
    c.get_function(FunctionName="named")
    c.delete_function(FunctionName=arn)


def error_of_the_function_is_no_error_of_the_api(d):
    c = client(d)
    create(c, "fails", Handler="app.fail")
    answer, reply = invoke(c, "fails", {})
    assert answer["StatusCode"] == 200 and answer["FunctionError"] == "Unhandled"
    assert reply["errorType"] == "ValueError" and reply["errorMessage"] == "boom", reply
    c.delete_function(FunctionName="fails")


def client_context_arrives(d):
    c = client(d)
    create(c, "context")
    context = base64.b64encode(b'{"custom":{"a":1}}').decode()
    assert invoke(c, "context", {}, ClientContext=context)[1]["client"] == {"a": 1}
    refused(c.invoke, "InvalidParameterValueException", "ClientContext", FunctionName="context",
            ClientContext="*")
    assert c.invoke(FunctionName="context", InvocationType="DryRun")["StatusCode"] == 204
    refused(c.invoke, "InvalidParameterValueException", "not offered", FunctionName="context",
            InvocationType="Event")
    c.delete_function(FunctionName="context")


def what_cannot_be_honoured_is_refused_by_name(d):
    c = client(d)
    bad = "InvalidParameterValueException"
    for member, value in (("Publish", True), ("Layers", ["arn:aws:lambda:r:1:layer:l:1"]),
                          ("VpcConfig", {"SubnetIds": ["s"], "SecurityGroupIds": ["g"]}),
                          ("Architectures", ["arm64"]), ("PackageType", "Image"),
                          ("SnapStart", {"ApplyOn": "PublishedVersions"})):
        refused(create, bad, member, c=c, name="odd", **{member: value})
    refused(create, bad, "python3.11-data", c=c, name="odd", Runtime="python3.8")
    refused(create, bad, "Handler", c=c, name="odd", Handler="nodot")
    refused(create, bad, "nothere", c=c, name="odd", Handler="nothere.handler")
    refused(create, bad, "Timeout", c=c, name="odd", Timeout=901)
    refused(create, bad, "reserved", c=c, name="odd",
            Environment={"Variables": {"AWS_REGION": "x"}})
    refused(c.create_function, bad, FunctionName="odd", Role=ROLE, Runtime="python3.11",
            Handler="app.handler", Code={"ZipFile": b"no zip"})
    refused(c.create_function, bad, "S3Bucket", FunctionName="odd", Role=ROLE, Runtime="python3.11",
            Handler="app.handler", Code={"S3Bucket": "abc", "S3Key": "k"})
    create(c, "odd", Layers=[], VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
           SnapStart={"ApplyOn": "None"}, Architectures=["x86_64"], Tags={"a": "b"})
    c.delete_function(FunctionName="odd")


def conflicts_are_told(d):
    c = client(d)
    made = create(c, "twice")
    refused(create, "ResourceConflictException", c=c, name="twice")
    refused(c.update_function_configuration, "PreconditionFailedException", FunctionName="twice",
            Timeout=4, RevisionId="00000000-0000-0000-0000-000000000000")
    c.update_function_configuration(FunctionName="twice", Timeout=4, RevisionId=made["RevisionId"])
    c.update_function_code(FunctionName="twice", ZipFile=package("x = 1"), DryRun=True)
    assert invoke(c, "twice", {"k": 1})[1]["event"] == {"k": 1}
    c.delete_function(FunctionName="twice")
    refused(c.delete_function, "ResourceNotFoundException", FunctionName="twice")


def one_of_many_creations_wins(d):
    codes = []

    def attempt():
        try:
            create(client(d), "race")
            codes.append("created")
        except ClientError as e:
            codes.append(e.response["Error"]["Code"])

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(set(codes)) == ["ResourceConflictException", "created"], codes
    assert codes.count("created") == 1, codes
    client(d).delete_function(FunctionName="race")


def creation_goes_on_without_its_client(d):
    body = json.dumps({"FunctionName": "orphan", "Runtime": "python3.11", "Handler": "app.handler",
                       "Code": {"ZipFile": base64.b64encode(package(CODE)).decode()}}).encode()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(d.socket)
        s.sendall(b"POST /2015-03-31/functions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    c = client(d)
    wait_for(lambda: "orphan" in [f["FunctionName"] for f in c.list_functions()["Functions"]], "it is there")
    c.delete_function(FunctionName="orphan")


def lists_come_in_pages(d):
    c = client(d)
    names = [f"page{i}" for i in range(5)]
    for name in names:
        create(c, name)
    pages = c.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    assert [[f["FunctionName"] for f in p["Functions"]] for p in pages] == [names[:2], names[2:4], names[4:]]
    for name in names:
        c.delete_function(FunctionName=name)


def six_megabytes_go_in_and_come_out(d):
    c = client(d)
    create(c, "large", "def handler(event, context):\n    return event\n", MemorySize=512, Timeout=30)
    event = "x" * ((6 << 20) - 2)
    assert invoke(c, "large", event)[1] == event
    refused(c.invoke, "RequestTooLargeException", FunctionName="large", Payload=b'"' + b"x" * (6 << 20))
    c.delete_function(FunctionName="large")


def keys_are_checked(d):
    refused(client(d, aws_secret_access_key="wrong").list_functions, "InvalidSignatureException")
    refused(client(d, aws_access_key_id="AKIDNOBODY").list_functions, "UnrecognizedClientException")
    refused(client(d, aws_session_token="t").list_functions, "UnrecognizedClientException")


def functions_outlive_the_daemon(d):
    create(client(d), "stays")
    d.terminate()
    d.start()
    c = client(d)
    assert invoke(c, "stays", {"k": 3})[1]["event"] == {"k": 3}
    c.delete_function(FunctionName="stays")


if __name__ == "__main__":
    sys.exit(run([
        boto3_leads_a_function_through_its_life,
        aws_command_leads_a_function_through_its_life,
        function_goes_by_all_its_names,
        error_of_the_function_is_no_error_of_the_api,
        client_context_arrives,
        what_cannot_be_honoured_is_refused_by_name,
        conflicts_are_told,
        one_of_many_creations_wins,
        creation_goes_on_without_its_client,
        lists_come_in_pages,
        six_megabytes_go_in_and_come_out,
        keys_are_checked,
        functions_outlive_the_daemon,
    ]))
