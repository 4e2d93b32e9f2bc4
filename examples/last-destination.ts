/**
 * connect4 in the raw assembler: keeps the last destination of a connect() call.
 *
 *     npx tsx examples/last-destination.ts -- curl -s http://127.20.0.11:8080/
 */
import { array, AttachType, be16, ipv4, isMain, load, ProgramType, struct } from "tsbpf";
import {
  add,
  call,
  exit,
  jeq,
  label,
  load as read,
  loadMap,
  mov,
  program,
  r0,
  r1,
  r10,
  r2,
  r6,
  r7,
  r8,
  store,
} from "tsbpf/asm";
import { runExample } from "./support/run.ts";

const Destination = struct("destination", { address: ipv4, port: be16 });
const lastDestination = array("last_destination", { value: Destination, maxEntries: 1 });

/** Offsets of two fields of struct bpf_sock_addr (linux/bpf.h). Both fields are in network byte order. */
const USER_IP4 = 4;
const USER_PORT = 24;
/** Offsets of the declared struct's fields. */
const [ADDRESS, PORT] = Destination.layout.map(({ offset }) => offset) as [number, number];

const remember = program({
  name: "last_dest4",
  type: ProgramType.CGROUP_SOCK_ADDR,
  expectedAttachType: AttachType.CGROUP_INET4_CONNECT,
  section: "cgroup/connect4",
  maps: [lastDestination],
  items: [
    // r1 is the context. The call below keeps r6 to r9 and overwrites r1 to r5.
    mov(r6, r1),
    read("u32", r7, r6, USER_IP4),
    read("u32", r8, r6, USER_PORT),

    // r0 = the address of element 0. Its index is on the stack.
    store("u32", r10, -4, 0),
    mov(r2, r10),
    add(r2, -4),
    loadMap(r1, lastDestination),
    call("bpf_map_lookup_elem"),
    jeq(r0, 0, "out"),

    store("u32", r0, ADDRESS, r7),
    store("u16", r0, PORT, r8),

    label("out"),
    mov(r0, 1),
    exit(),
  ],
});

if (isMain(import.meta))
  await runExample({
    name: "last-destination",
    summary: "Keeps the last IPv4 destination of connect().",
    load: () => load([remember]),
    report(collection) {
      const { address, port } = collection.map(lastDestination).get(0)!;
      return port === 0 ? "no connects yet" : `last connect: ${address}:${port}`;
    },
  });
