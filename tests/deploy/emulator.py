"""Processes of the deploy proof: the emulator, and whatever runs beside it. All are ended by pid when the proof is over."""

import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager


def free_ports(count):
    """Ports that nobody has, below those that the kernel gives to outgoing connections; held until all are known."""
    held = []
    while len(held) < count:
        one = socket.socket()
        try:
            one.bind(("127.0.0.1", random.randrange(12_000, 32_000)))
        except OSError:
            one.close()
        else:
            held.append(one)
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def wait_for(condition, seconds, what):
    """The condition's first true value. What it raises counts as "not yet"."""
    until = time.monotonic() + seconds
    last = None
    while time.monotonic() < until:
        try:
            if found := condition():
                return found
        except Exception as error:  # noqa: BLE001: "not there yet" has many names
            last = error
        time.sleep(0.2)
    raise AssertionError(f"waited {seconds} s for {what}; last: {last}")


def run(words, cwd, env, check):
    """A command and what it printed."""
    result = subprocess.run(
        words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(words)} ended with {result.returncode}:\n{result.stdout[-6000:]}")
    return result


@contextmanager
def running(*words, env, log):
    """A process that runs for as long as the block."""
    with open(log, "wb") as output:
        process = subprocess.Popen(
            words,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextmanager
def Emulator(log):
    """The emulator on a free loopback port, empty, judging every call by IAM policies."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="headwater-emulator-") as folder:
        environment = {
            **os.environ,
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "false",
            "STATE_DIR": folder,
            "TMPDIR": folder,
        }
        with running("ministack", env=environment, log=log) as process:

            def listens():
                if process.poll() is not None:
                    raise SystemExit(f"the emulator ended; see {log}")
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True

            wait_for(listens, 60, "the emulator")
            yield type("Running", (), {"url": f"http://127.0.0.1:{port}"})
