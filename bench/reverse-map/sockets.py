"""Opens UDP sockets, sends a datagram to a service from each, and then receives the answers.

Arguments: the number of sockets; the service's address and port; the cgroup to enter; the backends' port. These
processes are the backends too, on all addresses. Prints the numbers of answers from the service, from elsewhere,
and missing, as JSON. After a line on standard input, closes the sockets and prints an empty line. Several processes
share the sockets, because of the limit on open descriptors.
"""
import json
import os
import resource
import socket
import sys

COUNT, ADDRESS, PORT = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
CGROUP, BACKEND_PORT = sys.argv[4], int(sys.argv[5])
# Fewer than the ephemeral ports of an address.
EACH = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 100, 20_000)

with open(f"{CGROUP}/cgroup.procs", "w") as processes:
    processes.write("0")
resource.setrlimit(resource.RLIMIT_NOFILE, (EACH + 100, EACH + 100))
backend = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
backend.setsockopt(socket.SOL_IP, 8, 1)  # IP_PKTINFO: which of its addresses was asked
backend.bind(("0.0.0.0", BACKEND_PORT))


def ask(number, count):
    """Opens sockets, each with an answer in its queue."""
    clients = []
    for _ in range(count):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.bind((f"127.1.0.{1 + number}", 0))
        client.sendto(b"?", (ADDRESS, PORT))
        data, asked, _, source = backend.recvmsg(10, 100)
        backend.sendmsg([data], asked, 0, source)
        clients.append(client)
    return clients


def hear(clients):
    counts = {"service": 0, "elsewhere": 0, "none": 0}
    for client in clients:
        try:
            _, source = client.recvfrom(10, socket.MSG_DONTWAIT)
            counts["service" if source == (ADDRESS, PORT) else "elsewhere"] += 1
        except BlockingIOError:
            counts["none"] += 1
    return counts


def take_part(number, count, orders, answers):
    """What one of the processes does, a step for each line of orders."""
    clients = ask(number, count)
    print(file=answers, flush=True)
    orders.readline()
    print(json.dumps(hear(clients)), file=answers, flush=True)
    orders.readline()
    for client in clients:
        client.close()
    print(file=answers, flush=True)


def start(number, count):
    """A process with its sockets; gives where to order it about and where it answers."""
    (order_end, orders), (answers, answer_end) = os.pipe(), os.pipe()
    if os.fork() == 0:
        os.close(orders)
        os.close(answers)
        take_part(number, count, os.fdopen(order_end), os.fdopen(answer_end, "w"))
        os._exit(0)
    os.close(order_end)
    os.close(answer_end)
    return os.fdopen(orders, "w"), os.fdopen(answers)


processes = []
for number, first in enumerate(range(0, COUNT, EACH)):
    processes.append(start(number, min(EACH, COUNT - first)))
    # Sequentially: each takes its own questions from the backends' socket.
    processes[-1][1].readline()


def order_all():
    for orders, _ in processes:
        print(file=orders, flush=True)
    return [answers.readline() for _, answers in processes]


totals = [json.loads(line) for line in order_all()]
print(json.dumps({key: sum(counts[key] for counts in totals) for key in totals[0]}), flush=True)
sys.stdin.readline()
order_all()
print(flush=True)
