"""run.py SERVER -- CLIENT...: the interop cases of one client, over TCP and
over a unix socket.

Starts SERVER on a free port and on a socket of its own, runs CLIENT with its
address behind its arguments, and ends it; SERVER says then whether every call
came to its end.
"""
import os
import signal
import subprocess
import sys
import tempfile

START_SECONDS = 60
CASES_SECONDS = 300
END_SECONDS = 60


def run(server, client, listen):
    daemon = subprocess.Popen([server, "--listen", listen],
                              stdout=subprocess.PIPE, text=True)
    try:
        line = daemon.stdout.readline()
        if not line.startswith("listening on "):
            print(f"FAILED {server} said {line!r}")
            return False
        address = line.split()[-1]
        print(f"--- {address}", flush=True)
        good = subprocess.run(client + [address],
                              timeout=CASES_SECONDS).returncode == 0
        daemon.send_signal(signal.SIGTERM)
        status = daemon.wait(END_SECONDS)
        if status != 0:
            print(f"FAILED the server ended with {status}")
        return good and status == 0
    finally:
        if daemon.poll() is None:
            daemon.kill()
            daemon.wait()


def main():
    at = sys.argv.index("--")
    server, client = sys.argv[1], sys.argv[at + 1:]
    with tempfile.TemporaryDirectory(prefix="interop-") as folder:
        results = [run(server, client, "127.0.0.1:0"),
                   run(server, client, "unix:" + os.path.join(folder, "s"))]
    sys.exit(0 if all(results) else 1)


main()
