"""Keeps sockets open in network namespaces, for `npm run bench:close-sockets`.

Arguments: the number of sockets to the first and to the second service per namespace, and to the third in the
first namespace, half of them TCP and half UDP; then the names of the namespaces. Prints "ready", and ends when its
standard input closes.
"""
import ctypes
import fcntl
import os
import resource
import socket
import struct
import sys

SERVICES = [("100.0.0.1", 80), ("100.0.0.2", 80), ("100.0.0.3", 80)]
BACKENDS = [("127.0.0.1", 80), ("127.0.0.2", 80), ("127.0.0.3", 80)]
CLONE_NEWNET = 0x40000000  # linux/sched.h
SIOCSIFFLAGS = 0x8914  # linux/sockios.h
IFF_UP = 1

libc = ctypes.CDLL(None, use_errno=True)
kept = []


def enter(name):
    handle = os.open("/run/netns/" + name, os.O_RDONLY)
    if libc.setns(handle, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns " + name)
    os.close(handle)


def open_in(name, counts):
    enter(name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
    for backend in BACKENDS:
        # The kernel completes connections without accept.
        listener = socket.socket()
        listener.bind(backend)
        listener.listen(4096)
        kept.append(listener)
    for service, count in zip(SERVICES, counts):
        for i in range(count):
            handle = socket.socket(socket.AF_INET, socket.SOCK_STREAM if i % 2 == 0 else socket.SOCK_DGRAM)
            handle.connect(service)
            kept.append(handle)


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
first, second, third = (int(count) for count in sys.argv[1:4])
for i, namespace in enumerate(sys.argv[4:]):
    open_in(namespace, [first, second, third if i == 0 else 0])
print("ready", flush=True)
sys.stdin.read()
