"""Asks services without pause until standard input ends, and then prints what came of it.

The argument is JSON: a list of services, each [address, port]. A line is printed
when it has started. At the end, one line for each question, in JSON:
[way, service, begin, end, answer, source], where begin and end are nanoseconds
of CLOCK_MONOTONIC, answer is the text or the error's name, and source is
[address, port] as the process is told it. steady-traffic.ts is the other side.
"""
import errno
import json
import random
import select
import socket
import sys
import time

SERVICES = [tuple(service) for service in json.loads(sys.argv[1])]
TIMEOUT = 2.0  # seconds


def new_socket(type_):
    handle = socket.socket(socket.AF_INET, type_)
    handle.settimeout(TIMEOUT)
    return handle


lasting = [new_socket(socket.SOCK_DGRAM) for _ in SERVICES]


def received(handle):
    data, source = handle.recvfrom(200)
    return data.decode(), source


def over_lasting_udp(i):
    lasting[i].sendto(b"?", SERVICES[i])
    return received(lasting[i])


def over_fresh_udp(i):
    with new_socket(socket.SOCK_DGRAM) as handle:
        handle.sendto(b"?", SERVICES[i])
        return received(handle)


def over_connected_udp(i):
    with new_socket(socket.SOCK_DGRAM) as handle:
        handle.connect(SERVICES[i])
        handle.send(b"?")
        return received(handle)


def over_tcp(i):
    with new_socket(socket.SOCK_STREAM) as handle:
        handle.connect(SERVICES[i])
        handle.send(b"GET / HTTP/1.0\r\n\r\n")
        response = b""
        while data := handle.recv(1000):
            response += data
        return response.decode().partition("\r\n\r\n")[2], handle.getpeername()


WAYS = {"lasting UDP": over_lasting_udp, "fresh UDP": over_fresh_udp, "connected UDP": over_connected_udp, "TCP": over_tcp}

random.seed(1)
records = []
print("started", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    for way, ask in WAYS.items():
        i = random.randrange(len(SERVICES))
        begin = time.monotonic_ns()
        try:
            answer, source = ask(i)
        except socket.timeout:
            answer, source = "no answer", None
        except OSError as error:
            answer, source = errno.errorcode[error.errno], None
        records.append((way, i, begin, time.monotonic_ns(), answer, source))
for record in records:
    print(json.dumps(record))
