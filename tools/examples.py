"""The examples under docs/examples: one folder each, with function.json and the input beside the code."""
import json
import os
import subprocess

from daemon import ROOT

FOLDER = os.path.join(ROOT, "docs/examples")

# The order in which they are shown; what is not named comes after, by name.
ORDER = ["hello", "thumbnail", "wordcount", "sqlite-crud", "matrix"]


class Example:
    def __init__(self, name):
        self.name, self.code = name, os.path.join(FOLDER, name)
        with open(self.code + "/function.json", encoding="utf-8") as f:
            facts = json.load(f)
        self.handler = facts["handler"]
        self.image = facts.get("image", "python3.11")
        self.memory_mb = facts.get("memory", 128)
        self.timeout_s = facts.get("timeout", 3)
        self.about = facts.get("description", "")
        self.outcome = facts.get("outcome", "ok")

    @property
    def is_good(self):
        return self.outcome == "ok"

    def input(self):
        """The path of its real input, or None."""
        for name in sorted(os.listdir(self.code)):
            if name.startswith(("event.", "input.")):
                return os.path.join(self.code, name)
        return self.gathered() if os.path.exists(self.code + "/gather.sh") else None

    def gathered(self):
        """An input too large to keep: put together once, under build/."""
        path = os.path.join(ROOT, "build/examples", self.name + ".input")
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            subprocess.run(["sh", self.code + "/gather.sh", path], check=True)
        return path

    def deploy_arguments(self, name=None):
        return ["deploy", name or self.name, "--code", self.code, "--handler", self.handler,
                "--image", self.image, "--memory", str(self.memory_mb), "--timeout", str(self.timeout_s)]

    def invoke_arguments(self, name=None):
        path = self.input()
        return ["invoke", name or self.name, "--data", "@" + path if path else "{}"]


def load():
    names = [n for n in sorted(os.listdir(FOLDER)) if os.path.exists(f"{FOLDER}/{n}/function.json")]
    rank = {name: i for i, name in enumerate(ORDER)}
    return [Example(n) for n in sorted(names, key=lambda n: (rank.get(n, len(ORDER)), n))]
