# A client of the portserver's protocol that does what its arguments say.
#
# usage: portserver_caller.py ADDRESS STEP...
#   TEXT    sends it; {pid} in it is this process's number
#   /taken  waits until the other end has read all that was sent
#   /end    sends nothing any more
#   /still  prints "silent" if there is no answer yet
#   /seconds  waits for the answer, prints the time it took, in whole seconds
# At last it prints the answer: what Python shows of its bytes, or the error.
import array
import fcntl
import os
import socket
import sys
import termios
import time


def left(connection):
    count = array.array("i", [0])
    fcntl.ioctl(connection, termios.TIOCOUTQ, count)
    return count[0]


def answer_of(connection):
    answer = b""
    while True:
        piece = connection.recv(1024)
        if not piece:
            return answer
        answer += piece


def main():
    address = sys.argv[1]
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(120)
    connection.connect("\0" + address[1:] if address[0] == "@" else address)
    started = time.monotonic()
    timed = False
    for step in sys.argv[2:]:
        if step == "/taken":
            while left(connection) > 0:
                time.sleep(0.001)
        elif step == "/end":
            connection.shutdown(socket.SHUT_WR)
        elif step == "/still":
            connection.setblocking(False)
            try:
                print(connection.recv(1024))
            except BlockingIOError:
                print("silent")
            connection.settimeout(120)
        elif step == "/seconds":
            timed = True
        else:
            connection.sendall(step.replace("{pid}", str(os.getpid())).encode())
    try:
        text = str(answer_of(connection))
    except OSError as error:
        text = error.strerror
    if timed:
        print(int(time.monotonic() - started))
    print(text)


main()
