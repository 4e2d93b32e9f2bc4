"""Asks services over UDP without waiting for answers, and tells from where the answers come.

The argument is JSON: {"services": [[socket family, address, port], ...],
"backends": [[address, port], ...]}. Each backend answers after a tenth of a
second, so that answers are in flight at any time. Each service is asked by
several sockets, which stay open. A line is printed once every service has
answered. When standard input ends, the sockets stop asking and wait for the
last answers; then one line of JSON is printed: {"address port": answers}.
answers-in-flight.ts is the other side.
"""
import collections
import json
import select
import socket
import sys
import threading
import time

WORK = json.loads(sys.argv[1])
DELAY = 0.1  # seconds
PAUSE = 0.005  # seconds between questions
SOCKETS = 4  # for each service


def serve(handle):
    late = collections.deque()
    while True:
        wait = max(0, late[0][0] - time.monotonic()) if late else None
        if select.select([handle], [], [], wait)[0]:
            data, client = handle.recvfrom(200)
            late.append((time.monotonic() + DELAY, data, client))
        while late and late[0][0] <= time.monotonic():
            _, data, client = late.popleft()
            handle.sendto(data, client)


for address, port in WORK["backends"]:
    backend = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    backend.bind((address, port))
    threading.Thread(target=serve, args=(backend,), daemon=True).start()

clients = [
    (socket.socket(socket.AF_INET6 if family == "ipv6" else socket.AF_INET, socket.SOCK_DGRAM), (address, port))
    for family, address, port in WORK["services"]
    for _ in range(SOCKETS)
]
answers = collections.Counter()


def receive(seconds):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        for handle in select.select([handle for handle, _ in clients], [], [], left)[0]:
            address, port = handle.recvfrom(200)[1][:2]
            answers[f"{address} {port}"] += 1


started = False
while not select.select([sys.stdin], [], [], 0)[0]:
    for handle, service in clients:
        try:
            handle.sendto(b"?", service)
        except OSError:
            pass  # The service is gone.
    receive(PAUSE)
    if not started and len(answers) == len(WORK["services"]):
        print("started", flush=True)
        started = True
receive(4 * DELAY)
print(json.dumps(answers))
