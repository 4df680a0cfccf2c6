"""The ancestor's part of the peers: measures keys-management, the Python library that keyward succeeds.

Each line of the input names a mode, a work and how often it is to be done; the answer is one line,
the microseconds that it took each time. It ends with its input.
"""

import platform
import sys
import time

try:
    from importlib.metadata import version

    from keys_management import (
        CryptoTool,
        EnvironemtType,
        KeysManagementImpl,
        SecretKeyUseCase,
        StateRepoInterface,
    )
except ImportError as error:
    print("missing", error.name, flush=True)
    sys.exit(0)

CALLBACKS = (1, 10, 100, 1000)


class Repo(StateRepoInterface):
    """States in a dictionary; no work that is measured reads or writes one."""

    def __init__(self):
        self.states = {}

    def write_state(self, key, key_state):
        self.states[key] = key_state

    def read_state(self, key):
        return self.states[key]


class Plain(CryptoTool):
    """Does nothing."""

    def encrypt(self, data):
        return data

    def decrypt(self, encrypted_data):
        return encrypted_data


def store():
    return "a value"


def callback(old_keys, new_keys, definition):
    callback.calls += 1


callback.calls = 0


def define(keys, name, use_case=SecretKeyUseCase.ROUND_TRIP, stateless=True, keep_in_cache=True):
    keys.define_key(name, store, use_case=use_case, stateless=stateless, keep_in_cache=keep_in_cache)


def works(mode):
    """What can be done in a mode, by name."""
    keys = KeysManagementImpl(state_repo=Repo(), crypto_tool=Plain(), environemt_type=EnvironemtType[mode])
    define(keys, "held")
    define(keys, "stated", stateless=False)
    define(keys, "alternating")
    define(keys, "uncached", keep_in_cache=False)
    define(keys, "one-way", use_case=SecretKeyUseCase.ONE_WAY_TRIP)
    keys.get_forward_path_key("held")
    keys.get_forward_path_key("stated")
    done = {
        "held": lambda: keys.get_back_path_key("held"),
        "stated": lambda: keys.get_back_path_key("stated"),
        "forward": lambda: keys.get_forward_path_key("alternating"),
        "no-flow": lambda: keys.get_key("alternating"),
        "one-way": lambda: keys.get_key("one-way"),
        "uncached": lambda: keys.get_back_path_key("uncached"),
    }
    for count in CALLBACKS:
        name = "change-%d" % count
        define(keys, name)
        for number in range(count):
            keys.register_on_change(name, callback, "callback-%d" % number)
        done[name] = lambda name=name: keys.key_changed(name, "a value", "another")
    return done


def measure(work, times):
    start = time.perf_counter_ns()
    for _ in range(times):
        work()
    return (time.perf_counter_ns() - start) / times / 1000


def check(name, work):
    """A work that does not do what it should is an error, and no figure."""
    before = callback.calls
    answer = work()
    if name.startswith("change-"):
        ran = callback.calls - before
        assert ran == int(name.split("-")[1]), "%s ran %d callbacks" % (name, ran)
    else:
        assert answer == "a value", name


def main():
    modes = {mode.name: works(mode.name) for mode in EnvironemtType}
    for done in modes.values():
        for name, work in done.items():
            check(name, work)
    print("ready keys-management", version("keys-management"), "on Python", platform.python_version(), flush=True)
    for line in sys.stdin:
        mode, name, times = line.split()
        print(measure(modes[mode][name], int(times)), flush=True)


if __name__ == "__main__":
    main()
