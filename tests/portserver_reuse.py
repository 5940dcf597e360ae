# A process ends, another one gets its number, and asks before the manager has seen the end.
#
# usage: unshare -pf --mount-proc portserver_reuse.py DAEMON FOLDER LOW-HIGH
# Prints what is right: "asked anew" if the second process got another port, "one left" if that
# one alone is listed afterwards, with the second process; and "all back" when that has ended.
import os
import signal
import socket
import subprocess
import sys
import time

ADDRESS = "\0portallocator-reuse-%s" % os.path.basename(sys.argv[2])


def start_manager():
    daemon, folder, ports = sys.argv[1:]
    files = []
    for name in ("log", "usagefile", "portfile", "pidfile", "socket"):
        files += ["-" + name, os.path.join(folder, "reuse-" + name)]
    manager = subprocess.Popen([daemon, "-listen", "0", "-ports", ports, *files,
                                "-portserver", "@" + ADDRESS[1:]], stderr=subprocess.DEVNULL)
    path = os.path.join(folder, "reuse-portfile")
    while not os.path.exists(path):
        assert manager.poll() is None
        time.sleep(0.01)
    with open(path, encoding="ascii") as file:
        return manager, int(file.readline())


def start_sleeper():
    pid = os.fork()
    if pid == 0:
        while True:
            signal.pause()
    return pid


def end(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


# A process of a number that is free.
def start_sleeper_as(wanted):
    for _ in range(100):
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as file:
            file.write(str(wanted - 1))
        pid = start_sleeper()
        if pid == wanted:
            return pid
        end(pid)
    sys.exit("the number %d is not to be had" % wanted)


def call(pid):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(60)
    connection.connect(ADDRESS)
    connection.sendall(b"%d\n" % pid)
    return connection


def listed(number):
    with socket.create_connection(("127.0.0.1", number), 60) as connection:
        connection.sendall(b"HELLO 2\nFIND\n")
        connection.shutdown(socket.SHUT_WR)
        lines = connection.makefile("r").read().split("\n")[2:]
        return [line.split() for line in lines if line]


# The list, once it has so many lines.
def await_listed(number, count):
    while len(listed(number)) != count:
        time.sleep(0.01)
    return listed(number)


def main():
    manager, number = start_manager()
    first = start_sleeper()
    first_port = int(call(first).recv(64))
    manager.send_signal(signal.SIGSTOP)
    end(first)
    second = start_sleeper_as(first)
    connection = call(second)
    manager.send_signal(signal.SIGCONT)
    second_port = int(connection.recv(64))
    if second_port != first_port:
        print("asked anew")
    rest = await_listed(number, 1)
    if int(rest[0][0]) == second_port and "{pid %d}" % second in " ".join(rest[0]):
        print("one left")
    end(second)
    if await_listed(number, 0) == []:
        print("all back")
    manager.terminate()
    sys.exit(manager.wait())


main()
