"""The context object of a request: Lambda's attributes, all of them."""

import json
from time import monotonic_ns

from _guest_errors import Fault


class _Members:
    """An object with the listed members, from a dict that may lack some."""

    _names = ()

    def __init__(self, values):
        for name in self._names:
            setattr(self, name, values.get(name))

    def __repr__(self):
        members = ", ".join(f"{n}={getattr(self, n)!r}" for n in self._names)
        return f"{type(self).__name__}({members})"


class Client(_Members):
    _names = (
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    )


class Identity(_Members):
    _names = ("cognito_identity_id", "cognito_identity_pool_id")


class ClientContext(_Members):
    _names = ("custom", "env", "client")

    @classmethod
    def parse(cls, text):
        try:
            made = cls(json.loads(text))
            made.client = Client(made.client or {})
        except (ValueError, AttributeError) as e:
            error = f"Unable to parse Client Context JSON: {e}"
            raise Fault("Runtime.LambdaContextUnmarshalError", error) from None
        return made


class Context:
    """One request. What belongs to the function stands in the class, filled once."""

    client_context = None
    identity = Identity({})

    @classmethod
    def set_function(cls, init):
        cls.function_name = init["function_name"]
        cls.function_version = init["function_version"]
        cls.invoked_function_arn = init["arn"]
        cls.memory_limit_in_mb = str(init["memory_mb"])
        cls.log_group_name = init["log_group"]
        cls.log_stream_name = init["log_stream"]

    def __init__(self, request_id, deadline_us):
        self.aws_request_id = request_id
        self._deadline_us = deadline_us

    def get_remaining_time_in_millis(self):
        return max(0, (self._deadline_us - monotonic_ns() // 1000) // 1000)

    def __repr__(self):
        return (
            f"Context(aws_request_id={self.aws_request_id!r}, function_name={self.function_name!r}, "
            f"function_version={self.function_version!r})"
        )
