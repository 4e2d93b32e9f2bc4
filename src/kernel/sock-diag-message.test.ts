import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseMountedNamespaces } from "./network-namespaces.ts";
import {
  cookieOf,
  datagramSocketMessage,
  decodeReplies,
  destinationOf,
  destroyMessage,
  listMessage,
  MAX_COMPARED_DESTINATIONS,
  SocketState,
  type DiagnosedSocket,
  type SocketQuery,
} from "./sock-diag-message.ts";

const test = suite("sock_diag messages");

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytes = (...parts: readonly string[]): Buffer => Buffer.from(parts.join("").replaceAll(" ", ""), "hex");

const NO_ID = "00".repeat(48);
const query = {
  family: "ipv4",
  protocol: 6,
  states: [SocketState.ESTABLISHED, SocketState.SYN_SENT],
  destinations: [],
} as const satisfies SocketQuery;

/** 20.0.0.1:54692 connected to 20.0.0.1:80, as the kernel sent it, with padding and attributes after it. */
const ID = "d5a40050 14000001000000000000000000000000 14000001000000000000000000000000 00000000 82d5100000000000";
const SOCKET = `02010000 ${ID} 00000000 00000000 00000000 00000000 10052900`;
const reply = (body: string, type = "1400", sequence = "01000000") => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(16 + bytes(body).length);
  return bytes(hex(length), type, "0200", sequence, "8e370000", body);
};
const socket = (decodeReplies(reply(SOCKET))[0] as { socket: DiagnosedSocket }).socket;

test("a request for all sockets", () => {
  assert.is(
    hex(listMessage(query, 5)),
    hex(bytes("48000000 1400 0103 05000000 00000000", "02 06 00 00 06000000", NO_ID)),
  );
});

test("a request for any of several destinations: each condition jumps to the next one or to the end", () => {
  const destinations = [
    { address: "20.0.0.1", port: 80 },
    { address: "fd00::1", port: 443 },
    { address: "20.0.0.2", port: 80 },
  ];
  assert.is(
    hex(listMessage({ ...query, family: "ipv6", destinations }, 1)),
    hex(
      bytes(
        "90000000 1400 0103 01000000 00000000",
        "0a 06 00 00 06000000",
        NO_ID,
        "4800 0100",
        "08 10 1400",
        "02 20 0000 50000000 14000001",
        "01 04 3400",
        "08 1c 2000",
        "0a 80 0000 bb010000 fd000000000000000000000000000001",
        "01 04 1400",
        "08 10 1400",
        "02 20 0000 50000000 14000002",
      ),
    ),
  );
});

test("too many destinations to compare: the request has no filter", () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ address: `10.0.${i >> 8}.${i & 255}`, port: 80 }));
  const length = (count: number) => listMessage({ ...query, destinations: many(count) }, 1).length;
  assert.is(length(MAX_COMPARED_DESTINATIONS), 72 + 4 + MAX_COMPARED_DESTINATIONS * 20 - 4);
  assert.is(length(MAX_COMPARED_DESTINATIONS + 1), 72);
});

test("requests about one socket: destroy, and look up, where a datagram socket's ends are swapped", () => {
  assert.is(
    hex(destroyMessage(6, socket, 9)),
    hex(bytes("48000000 1500 0500 09000000 00000000", "02 06 00 00 ffffffff", ID)),
  );
  const swapped = `0050d5a4 ${ID.slice(9)}`;
  assert.is(
    hex(datagramSocketMessage(17, socket, 9)),
    hex(bytes("48000000 1400 0100 09000000 00000000", "02 11 00 00 ffffffff", swapped)),
  );
});

test("replies", () => {
  // The attributes have their own lengths: 5 bytes and 3 of padding.
  assert.equal(
    decodeReplies(
      Buffer.concat([
        reply(`${SOCKET} 05000800 00000000 08000f00 00000000`),
        reply("fdffffff", "0200", "02000000"),
        reply("00000000", "0300", "01000000"),
      ]),
    ),
    [
      {
        kind: "socket",
        sequence: 1,
        socket: { family: "ipv4", state: SocketState.ESTABLISHED, id: Uint8Array.from(bytes(ID)), inode: 0x290510 },
      },
      { kind: "result", sequence: 2, errno: 3 },
      { kind: "done", sequence: 1, errno: 0 },
    ],
  );
  assert.equal(destinationOf(socket), { address: "20.0.0.1", port: 80 });
  assert.is(cookieOf(socket), 0x10d582n);
});

test("destinations of IPv6 sockets; a mapped address becomes an IPv4 one", () => {
  const connectedTo = (address: string): DiagnosedSocket => ({
    ...socket,
    family: "ipv6",
    id: Uint8Array.from(bytes("d5a401bb", "00".repeat(16), address, "00".repeat(12))),
  });
  assert.equal(destinationOf(connectedTo("fd000000000000000000000000000001")), { address: "fd00::1", port: 443 });
  assert.equal(destinationOf(connectedTo("00000000000000000000ffff14000001")), { address: "20.0.0.1", port: 443 });
});

test("a truncated message is a RangeError", () => {
  const whole = Buffer.concat([reply(SOCKET), reply("00000000", "0300")]);
  for (let length = 1; length < whole.length; length++) {
    if (length === reply(SOCKET).length) continue;
    assert.throws(
      () => decodeReplies(whole.subarray(0, length)),
      (error: unknown) => error instanceof RangeError,
      `${length} bytes`,
    );
  }
  assert.throws(
    () => decodeReplies(reply(SOCKET.slice(0, -8))),
    (error: unknown) => error instanceof RangeError,
  );
  assert.throws(
    () => decodeReplies(Buffer.alloc(32)),
    (error: unknown) => error instanceof RangeError,
    "a length of 0",
  );
});

test("network namespaces among the mounts", () => {
  assert.equal(
    parseMountedNamespaces(
      [
        "24 30 0:22 / /proc rw,nosuid - proc proc rw",
        "91 88 0:4 net:[4026532219] /run/netns/blue rw shared:45 - nsfs nsfs rw",
        "92 88 0:4 net:[4026532300] /run/netns/with\\040blank rw - nsfs nsfs rw",
        "93 88 0:4 mnt:[4026532301] /run/mounts/other rw - nsfs nsfs rw",
        "",
      ].join("\n"),
    ),
    [
      ["net:[4026532219]", "/run/netns/blue"],
      ["net:[4026532300]", "/run/netns/with blank"],
    ],
  );
});

test.run();
