"""Makes system calls on sockets for a test (socket-client.ts).

Each line of standard input is a request in JSON, {"do": name, ...arguments};
each answer is a line on standard output, {"result": ...} or {"error": name of
the errno}. Python, because Node lacks a blocking connect, dup and AF_UNSPEC.
"""
import ctypes
import errno
import json
import os
import select
import socket
import struct
import sys

SO_COOKIE = 57  # asm-generic/socket.h
IPV6_ADDRFORM = 1  # linux/in6.h
TIMEOUT = 5.0  # seconds; a call that takes longer has failed
KINDS = {
    "tcp": (socket.SOCK_STREAM, 0),
    "mptcp": (socket.SOCK_STREAM, 262),
    "udp": (socket.SOCK_DGRAM, 0),
    "udplite": (socket.SOCK_DGRAM, 136),
}
libc = ctypes.CDLL(None, use_errno=True)
opened = {}
numbers = iter(range(1, 1 << 30))


def keep(handle):
    number = next(numbers)
    opened[number] = handle
    return number


def new_socket(kind, family=4):
    type_, protocol = KINDS[kind]
    handle = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, type_, protocol)
    handle.settimeout(TIMEOUT)
    return handle


def open_(kind, family):
    handle = new_socket(kind, family)
    (cookie,) = struct.unpack("=Q", handle.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))
    return {"number": keep(handle), "cookie": str(cookie)}


def blocking(handle, call):
    """Runs a call that blocks in the kernel: with a timeout, Python makes the socket non-blocking."""
    handle.settimeout(None)
    try:
        call()
    finally:
        handle.settimeout(TIMEOUT)


def connect(number, address, port):
    handle = opened[number]
    blocking(handle, lambda: handle.connect((address, port)))


def connect_non_blocking(number, address, port):
    handle = opened[number]
    handle.setblocking(False)
    code = handle.connect_ex((address, port))
    if code == errno.EINPROGRESS:
        select.select([], [handle], [], TIMEOUT)
        code = handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    handle.settimeout(TIMEOUT)
    check(code)


def dissolve(number):
    """Removes the peer: connect(2) to an address of family AF_UNSPEC."""
    address = struct.pack("=H14x", socket.AF_UNSPEC)
    if libc.connect(opened[number].fileno(), address, len(address)) != 0:
        check(ctypes.get_errno())


def check(code):
    if code != 0:
        raise OSError(code, os.strerror(code))


def send(number, text, address=None, port=None):
    if address is None:
        opened[number].send(text.encode())
    else:
        opened[number].sendto(text.encode(), (address, port))


def fast_open(number, text, address, port):
    """Connects and sends in one call: TCP Fast Open, or a plain connect without a cookie."""
    handle = opened[number]
    blocking(handle, lambda: handle.sendto(text.encode(), socket.MSG_FASTOPEN, (address, port)))


def receive(number):
    data, source = opened[number].recvfrom(4096)
    # The body of an HTTP response, or the whole datagram.
    text = data.decode().rsplit("\n", 1)[-1]
    return {"text": text, "address": source and source[0], "port": source and source[1]}


def readable(number):
    """Waits until a datagram is queued."""
    if not select.select([opened[number]], [], [], TIMEOUT)[0]:
        raise TimeoutError


def peer(number):
    handle = opened[number]
    address, port = handle.getpeername()[:2]
    return {"address": address, "port": port}


def become_ipv4(number):
    """Turns an IPv6 socket connected to a mapped address into an IPv4 socket."""
    opened[number].setsockopt(socket.IPPROTO_IPV6, IPV6_ADDRFORM, socket.AF_INET)


def bind(number, address, port):
    opened[number].bind((address, port))


def local_port(number):
    return opened[number].getsockname()[1]


def duplicate(number):
    return keep(opened[number].dup())


def close(number):
    """Closes a socket, unless it is closed."""
    if number in opened:
        opened.pop(number).close()


def visit(kind, count, address, port):
    """Opens, uses unconnected and closes `count` sockets; returns the number of replies by source."""
    sources = {}
    for _ in range(count):
        with new_socket(kind) as handle:
            handle.sendto(b"hello", (address, port))
            _, source = handle.recvfrom(4096)
            sources[f"{source[0]}:{source[1]}"] = sources.get(f"{source[0]}:{source[1]}", 0) + 1
    return sources


REQUESTS = {
    "open": open_, "connect": connect, "connectNonBlocking": connect_non_blocking, "dissolve": dissolve, "send": send, "fastOpen": fast_open,
    "receive": receive, "readable": readable, "peer": peer, "localPort": local_port, "becomeIpv4": become_ipv4, "duplicate": duplicate, "bind": bind, "close": close, "visit": visit,
}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"result": REQUESTS[request.pop("do")](**request)}
    except TimeoutError:
        answer = {"error": "ETIMEDOUT"}
    except OSError as failure:
        answer = {"error": errno.errorcode.get(failure.errno, str(failure))}
    print(json.dumps(answer), flush=True)
