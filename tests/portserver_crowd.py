# Many processes, each of which picks a port by Debian's portpicker and has it until it ends.
#
# usage: portserver_crowd.py COUNT ?PICKS?
# Prints a line `PID PORT...` for each process; then they all wait. At the end of this process's
# standard input they end, each at once.
import os
import sys

import portpicker


def pick(count):
    return [portpicker.pick_unused_port() for _ in range(count)]


def main():
    count = int(sys.argv[1])
    picks = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    sys.stdout.flush()
    for _ in range(count):
        if os.fork() == 0:
            line = "%d %s\n" % (os.getpid(), " ".join(map(str, pick(picks))))
            os.write(1, line.encode())
            os.read(0, 1)
            os._exit(0)
    os.read(0, 1)
    os._exit(0)


main()
