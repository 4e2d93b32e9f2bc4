/** IP protocol numbers (linux/in.h). */
export const Protocol = { ICMP: 1, TCP: 6, UDP: 17, SCTP: 132, UDPLITE: 136 } as const;

/** Types of sockets (linux/net.h). */
export const SocketType = { STREAM: 1, DGRAM: 2, RAW: 3 } as const;

/** Address families (linux/socket.h). */
export const AddressFamily = { INET: 2, INET6: 10 } as const;
