"""From the GUEST_INIT object to the user's function: environment, paths, import."""

import importlib
import os
import sys
import time

from _guest_errors import Fault, user_frames

TASK_ROOT = "/var/task"
_LAYERS = ("/opt/python", f"/opt/python/lib/python3.{sys.version_info.minor}/site-packages")
_LIBRARY = [p for p in sys.path if p not in ("", os.path.dirname(__file__))]


def set_environment(env):
    """Make env the whole environment, for C code and subprocesses as well."""
    for name in os.environ.keys() - env.keys():
        del os.environ[name]
    os.environ.update(env)
    time.tzset()


def set_paths(task_root):
    """
    Where modules come from: the user's code, then layers, then the library. Returns the first two, for
    yield_names().
    """
    brought = [task_root, *(p for p in _LAYERS if os.path.isdir(p))]
    sys.path[:] = brought + _LIBRARY
    os.chdir(task_root)
    return brought


def _modules_in(root, names):
    """Which of these names are modules or packages in the directory root."""
    for entry in os.listdir(root):
        name = entry.partition(".")[0]
        if name not in names:
            continue
        if entry.endswith((".py", ".so")) or os.path.isfile(f"{root}/{entry}/__init__.py"):
            yield name


def yield_names(roots, preloaded):
    """
    Forget preloaded modules that the user brings too. What a zygote imported beforehand must not win
    over a file that stands earlier in sys.path: a package's own numpy, or a module named queue.py.
    preloaded is what preloaded_modules() gave.
    """
    for root in roots:
        for top in _modules_in(root, preloaded):
            for name in preloaded[top]:
                sys.modules.pop(name, None)


def _import(module):
    if module.partition(".")[0] in sys.builtin_module_names:
        raise Fault(
            "Runtime.BuiltInModuleConflict",
            f"Cannot use built-in module {module} as a handler module",
        )
    try:
        return importlib.import_module(module.replace("/", "."))
    except ImportError as e:
        trace = user_frames(e.__traceback__)
        error = f"Unable to import module '{module}': {e}"
        raise Fault("Runtime.ImportModuleError", error, trace) from None
    except SyntaxError as e:
        trace = [f'  File "{e.filename}" Line {e.lineno}\n    {e.text}']
        error = f"Syntax error in module '{module}': {e}"
        raise Fault("Runtime.UserCodeSyntaxError", error, trace) from None


def find_handler(name):
    """Import "module.function" or "dir/module.function" and return the function."""
    module, dot, function = name.rpartition(".")
    if not dot or not module or not function:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{name}': not module.function")
    handler = getattr(_import(module), function, None)
    if not callable(handler):
        missing = f"Handler '{function}' missing on module '{module}'"
        raise Fault("Runtime.HandlerNotFound", missing)
    return handler
