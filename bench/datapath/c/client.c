/*
 * A client and its backends in one thread, so that a message and its answer need no scheduling of other processes.
 *
 *     client CPU [CGROUP]
 *
 * The backends' sockets are created first, outside the measured cgroup; then the process enters CGROUP. Each line on
 * standard input,
 *
 *     OPERATION COUNT ADDRESS STRIDE SPREAD PORT EXPECTED
 *
 * is answered by `prepared`, after as many operations to warm up. The next line starts the loop, which prints its
 * processor time in nanoseconds; the line after that closes the sockets. ADDRESS is a number; the i-th of SPREAD
 * destinations is ADDRESS + STRIDE * i. EXPECTED is 1 if answers must come from the destination.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <netinet/in.h>

#define BACKEND_PORT 9000

static int backend_udp, backend_tcp;

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static int checked(int result, const char *what) {
  if (result < 0) fail(what);
  return result;
}

static struct sockaddr_in at(uint32_t address, uint16_t port) {
  return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(address), .sin_port = htons(port) };
}

static int new_socket(int type) {
  return checked(socket(AF_INET, type, 0), "socket");
}

static void open_backends(void) {
  struct sockaddr_in any = at(INADDR_ANY, BACKEND_PORT);
  int on = 1;
  backend_udp = new_socket(SOCK_DGRAM);
  checked(setsockopt(backend_udp, IPPROTO_IP, IP_PKTINFO, &on, sizeof on), "IP_PKTINFO");
  checked(bind(backend_udp, (struct sockaddr *)&any, sizeof any), "bind of the UDP backend");
  backend_tcp = new_socket(SOCK_STREAM);
  checked(setsockopt(backend_tcp, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
  checked(bind(backend_tcp, (struct sockaddr *)&any, sizeof any), "bind of the TCP backend");
  checked(listen(backend_tcp, 128), "listen");
}

/* Sends a backend's answer from the address of the question. */
static void answer(void) {
  struct sockaddr_in client;
  char data[16], control[64];
  struct iovec vector = { data, sizeof data };
  struct msghdr message = { &client, sizeof client, &vector, 1, control, sizeof control, 0 };
  vector.iov_len = checked(recvmsg(backend_udp, &message, 0), "recvmsg of the backend");
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(header);
  info->ipi_spec_dst = info->ipi_addr;
  info->ipi_ifindex = 0;
  checked(sendmsg(backend_udp, &message, 0), "sendmsg of the backend");
}

static int expected;

static void exchange_on(int socket, struct sockaddr_in *to) {
  struct sockaddr_in from;
  socklen_t length = sizeof from;
  char data[16];
  checked(sendto(socket, "question", 8, 0, (struct sockaddr *)to, sizeof *to), "sendto");
  answer();
  checked(recvfrom(socket, data, sizeof data, 0, (struct sockaddr *)&from, &length), "recvfrom");
  if (expected && (from.sin_addr.s_addr != to->sin_addr.s_addr || from.sin_port != to->sin_port)) {
    errno = EBADMSG;
    fail("an answer from elsewhere");
  }
}

static void connect_to(int socket, struct sockaddr_in *to) {
  checked(connect(socket, (struct sockaddr *)to, sizeof *to), "connect");
}

static void peer_of(int socket) {
  struct sockaddr_in peer;
  socklen_t length = sizeof peer;
  checked(getpeername(socket, (struct sockaddr *)&peer, &length), "getpeername");
}

/* The operations, on the prepared socket or on a new one. */
static void new_connect(int unused, struct sockaddr_in *to) {
  int socket = new_socket(SOCK_DGRAM);
  connect_to(socket, to);
  close(socket);
}

static void new_exchange(int unused, struct sockaddr_in *to) {
  int socket = new_socket(SOCK_DGRAM);
  exchange_on(socket, to);
  close(socket);
}

/* Closes with a reset, which frees the pair of addresses and ports at once. */
static void tcp(int unused, struct sockaddr_in *to) {
  struct linger reset = { 1, 0 };
  int client = new_socket(SOCK_STREAM);
  connect_to(client, to);
  int accepted = checked(accept(backend_tcp, 0, 0), "accept");
  setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(client);
  close(accepted);
}

static void peer(int socket, struct sockaddr_in *unused) { peer_of(socket); }

static const struct operation {
  const char *name;
  void (*prepare)(int socket, struct sockaddr_in *to); /* a socket that all of the loop uses */
  void (*run)(int socket, struct sockaddr_in *to);
} operations[] = {
  { "connect", connect_to, connect_to },
  { "exchange", exchange_on, exchange_on },
  { "getpeername", connect_to, peer },
  { "new-connect", 0, new_connect },
  { "new-exchange", 0, new_exchange },
  { "tcp", 0, tcp },
};

static uint64_t processor_time(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static int next_line(char *line, int size) {
  return fgets(line, size, stdin) != 0;
}

static void run(const struct operation *operation, unsigned count, uint32_t address, unsigned stride, unsigned spread, unsigned port) {
  static uint64_t visited;
  char line[16];
  int socket = -1;
  struct sockaddr_in to;
  /* Advances by a prime number, so that consecutive visits are not neighbours in memory. */
#define NEXT at(address + stride * (uint32_t)(visited++ * 7919 % spread), port)
  if (operation->prepare) {
    socket = new_socket(SOCK_DGRAM);
    to = NEXT;
    operation->prepare(socket, &to);
  }
  /* The previous side has filled the caches with its own data. */
  for (unsigned i = 0; i < count; i++) {
    if (!operation->prepare) to = NEXT;
    operation->run(socket, &to);
  }
  printf("prepared\n");
  if (!next_line(line, sizeof line)) exit(0);
  uint64_t start = processor_time();
  for (unsigned i = 0; i < count; i++) {
    if (!operation->prepare) to = NEXT;
    operation->run(socket, &to);
  }
  printf("%llu\n", (unsigned long long)(processor_time() - start));
  if (!next_line(line, sizeof line)) exit(0);
  if (socket >= 0) close(socket);
}

int main(int argc, char **argv) {
  cpu_set_t cpus;
  char line[256], name[32];
  unsigned count, address, stride, spread, port;
  CPU_ZERO(&cpus);
  CPU_SET(atoi(argv[1]), &cpus);
  checked(sched_setaffinity(0, sizeof cpus, &cpus), "sched_setaffinity");
  setpriority(PRIO_PROCESS, 0, -20);
  /* Only the parent ends this process. */
  signal(SIGINT, SIG_IGN);
  open_backends();
  if (argc > 2) {
    snprintf(line, sizeof line, "%s/cgroup.procs", argv[2]);
    FILE *procs = fopen(line, "w");
    if (!procs || fprintf(procs, "%d", getpid()) < 0 || fclose(procs) != 0) fail(line);
  }
  setvbuf(stdout, 0, _IOLBF, 0);
  printf("ready\n");
  while (next_line(line, sizeof line)) {
    const struct operation *operation = operations, *end = operations + sizeof operations / sizeof *operations;
    if (sscanf(line, "%31s %u %u %u %u %u %d", name, &count, &address, &stride, &spread, &port, &expected) != 7) {
      fprintf(stderr, "not understood: %s", line);
      return 1;
    }
    while (operation < end && strcmp(operation->name, name) != 0) operation++;
    if (operation == end) {
      fprintf(stderr, "no operation %s\n", name);
      return 1;
    }
    run(operation, count, address, stride, spread, port);
  }
  return 0;
}
