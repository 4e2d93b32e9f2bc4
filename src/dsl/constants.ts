/** IP protocol numbers (linux/in.h). */
export const Protocol = { ICMP: 1, TCP: 6, UDP: 17, SCTP: 132, UDPLITE: 136 } as const;

/** Error numbers that a program may hand to a system call, negated (asm-generic/errno.h). */
export const Errno = { EPERM: 1, EACCES: 13, ENETUNREACH: 101, ECONNREFUSED: 111, EHOSTUNREACH: 113 } as const;

/** Types of sockets (linux/net.h). */
export const SocketType = { STREAM: 1, DGRAM: 2, RAW: 3 } as const;

/** Address families (linux/socket.h). */
export const AddressFamily = { INET: 2, INET6: 10 } as const;
