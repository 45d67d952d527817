"""A PostgreSQL server of its own for tests, from a package that brings the programs along."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def server(package):
    """The address of a server in a folder of its own, reached by a socket in it; PostgreSQL never runs as root."""
    found = importlib.util.find_spec(package)
    if found is None or importlib.util.find_spec("psycopg") is None:
        pytest.skip(f"{package} and psycopg are not installed")
    programs = Path(found.origin).parent / "pginstall" / "bin"
    # A short path, since that of a socket has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    who = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": folder}
    try:
        make = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "--auth=trust", "--no-sync"]
        made = subprocess.run(make, capture_output=True, text=True, **who)
        if made.returncode:
            pytest.skip(f"PostgreSQL cannot be set up here: {made.stderr.strip()}")
        start = [programs / "postgres", "-D", folder / "data", "-k", folder, "-c", "listen_addresses=", "-F"]
        with (folder / "log").open("w") as log:
            running = subprocess.Popen(start, stdout=log, stderr=log, **who)
        try:
            dsn = f"host={folder} user=postgres dbname=postgres"
            _wait_for(dsn, running)
            yield dsn
        finally:
            running.send_signal(signal.SIGINT)  # a fast shutdown, which waits for no connection
            running.wait(20)
    finally:
        shutil.rmtree(folder)


def _wait_for(dsn, running):
    import psycopg

    until = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(dsn).close()
            return
        except psycopg.OperationalError:
            if running.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.1)
