# A service manager in miniature: passes one listening unix socket, collects
# what is said to NOTIFY_SOCKET, and runs a program.
#
#   manager.py LISTEN NEWS WATCHDOG_USEC PROGRAM ARGUMENT...
#
# NEWS is a file: one line for each line of each datagram.
import os
import socket
import sys

listen, news, watchdog, *command = sys.argv[1:]
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(news + ".socket")
passed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
passed.bind(listen)
passed.listen(16)

pid = os.fork()
if pid == 0:
    os.dup2(passed.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="executor",
                      NOTIFY_SOCKET=news + ".socket", WATCHDOG_USEC=watchdog)
    os.execv(command[0], command)

notify.settimeout(0.1)
status = None
with open(news, "w", buffering=1) as file:
    while True:
        try:
            file.write(notify.recv(4096).decode())
            continue
        except TimeoutError:
            pass
        if status is not None:
            break
        ended, how = os.waitpid(pid, os.WNOHANG)
        if ended:
            status = os.waitstatus_to_exitcode(how)
sys.exit(status)
