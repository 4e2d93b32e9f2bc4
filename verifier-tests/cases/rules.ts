/**
 * The rules behind the toolkit's types, from the kernel's side: each case breaks a rule in the raw assembler
 * and expects the kernel's message.
 */
import {
  add,
  and,
  call,
  exit,
  jeq,
  jgt,
  jlt,
  jne,
  jump,
  label,
  load,
  loadMap,
  loadMapValue,
  mov,
  mul,
  r0,
  r1,
  r10,
  r2,
  r3,
  r4,
  r6,
  r7,
  store,
  sub,
  w1,
  w2,
  type Item,
} from "../../src/asm/index.ts";
import { linux, type Fd } from "../../src/kernel/index.ts";
import { createDeclaredMap } from "../../src/loader/index.ts";
import { AttachType, MapType, ProgramType, skStorage, u64 } from "../../src/types/index.ts";
import { accepted, refused, type Case, type Expectation, type PerKernel } from "../suite/case.ts";
import {
  connect4,
  connect6,
  getpeername4,
  recvmsg4,
  recvmsg6,
  sendmsg4,
  sockRelease,
  type Hook,
} from "../suite/hooks.ts";
import { withoutPerfmon } from "../suite/capabilities.ts";
import { verdict, withMap, type MapShape } from "../suite/load.ts";

/** Matches what any of the patterns matches. */
const anyOf = (...patterns: readonly RegExp[]): RegExp => new RegExp(patterns.map(({ source }) => source).join("|"));

/** A program that breaks a rule, or keeps it for contrast. */
function rule(name: string, hook: Hook, expect: PerKernel<Expectation>, items: readonly Item[]): Case {
  return { name: `rules/${name}`, expect, run: () => verdict(hook, items) };
}

/** Like `rule`, with a map of 8-byte values. */
function mapRule(
  name: string,
  expect: PerKernel<Expectation>,
  items: (map: Fd) => readonly Item[],
  shape: MapShape = {},
): Case {
  return { name: `rules/${name}`, expect, run: () => withMap(shape, (map) => verdict(connect4, items(map))) };
}

/** Like `mapRule`, for a process without `CAP_PERFMON`, for which the verifier is stricter. */
function strictRule(
  name: string,
  expect: PerKernel<Expectation>,
  items: (map: Fd) => readonly Item[],
  shape: MapShape = {},
): Case {
  return {
    name: `rules without CAP_PERFMON/${name}`,
    expect,
    run: () => withMap(shape, (map) => withoutPerfmon(() => verdict(connect4, items(map)))),
  };
}

const proceed: readonly Item[] = [mov(r0, 1), exit()];

/** Loads the value of key 0, or null, into r0. */
const lookup = (map: Fd): readonly Item[] => [
  store("u32", r10, -4, 0),
  mov(r2, r10),
  add(r2, -4),
  loadMap(r1, { fd: map.number }),
  call("bpf_map_lookup_elem"),
];

const nullable: readonly Case[] = [
  mapRule(
    "a lookup may be null: read without a check",
    refused(/R0 invalid mem access 'map_value_or_null'/, "EACCES"),
    (map) => [...lookup(map), load("u64", r1, r0, 0), ...proceed],
  ),
  mapRule(
    "a lookup may be null: written without a check",
    refused(/R0 invalid mem access 'map_value_or_null'/, "EACCES"),
    (map) => [...lookup(map), mov(r1, 1), store("u64", r0, 0, r1), ...proceed],
  ),
  mapRule(
    "a lookup may be null: arithmetic before the check",
    refused(/R0 pointer arithmetic on map_value_or_null prohibited/, "EACCES"),
    (map) => [...lookup(map), add(r0, 4), jeq(r0, 0, "out"), load("u32", r1, r0, 0), label("out"), ...proceed],
  ),
  mapRule(
    "a lookup may be null: read on the null branch",
    refused(/R0 invalid mem access '(inv|scalar)'/, "EACCES"),
    (map) => [...lookup(map), jne(r0, 0, "out"), load("u64", r1, r0, 0), label("out"), ...proceed],
  ),
  mapRule("a lookup may be null: read after the check", accepted, (map) => [
    ...lookup(map),
    jeq(r0, 0, "out"),
    load("u64", r1, r0, 0),
    label("out"),
    ...proceed,
  ]),
];

const mapShapes: readonly Case[] = [
  mapRule(
    "a key has the map's size",
    refused(/invalid (indirect )?(access to|read from) stack( R2)?/),
    (map) => [
      store("u32", r10, -4, 0),
      mov(r2, r10),
      add(r2, -4),
      loadMap(r1, { fd: map.number }),
      call("bpf_map_lookup_elem"),
      ...proceed,
    ],
    { keySize: 8 },
  ),
  mapRule("a value has the map's size", refused(/invalid (indirect )?(access to|read from) stack( R3)?/), (map) => [
    store("u64", r10, -8, 0),
    mov(r2, r10),
    add(r2, -8),
    mov(r3, r10),
    add(r3, -4),
    loadMap(r1, { fd: map.number }),
    mov(r4, 0),
    call("bpf_map_update_elem"),
    ...proceed,
  ]),
  mapRule(
    "a value is read within its size",
    refused(/invalid access to map value, value_size=8 off=8 size=4/, "EACCES"),
    (map) => [...lookup(map), jeq(r0, 0, "out"), load("u32", r1, r0, 8), label("out"), ...proceed],
  ),
  mapRule(
    "a value is written within its size",
    refused(/invalid access to map value, value_size=8 off=4 size=8/, "EACCES"),
    (map) => [...lookup(map), jeq(r0, 0, "out"), store("u64", r0, 4, 0), label("out"), ...proceed],
  ),
  mapRule(
    "an index into a value is bounded",
    refused(/(unbounded memory access|R0 (unbounded|max value is outside)|pointer .* out of bounds)/, "EACCES"),
    (map) => [
      ...lookup(map),
      jeq(r0, 0, "out"),
      load("u32", r1, r0, 0),
      add(r0, r1),
      load("u8", r1, r0, 0),
      label("out"),
      ...proceed,
    ],
  ),
  mapRule("an index into a value, bounded by a mask", accepted, (map) => [
    ...lookup(map),
    jeq(r0, 0, "out"),
    load("u32", r1, r0, 0),
    and(r1, 7),
    add(r0, r1),
    load("u8", r1, r0, 0),
    label("out"),
    ...proceed,
  ]),
  mapRule(
    "an address inside an array lies within its value",
    refused(/invalid access to map value pointer|invalid map value pointer|direct value offset/),
    (map) => [loadMapValue(r1, { fd: map.number }, 8), load("u32", r0, r1, 0), ...proceed],
    { type: MapType.ARRAY },
  ),
];

const context: readonly Case[] = [
  rule(
    "a read-only context field: protocol written",
    connect4,
    refused(/invalid bpf_context access off=36 size=4/, "EACCES"),
    [mov(r2, 17), store("u32", r1, 36, r2), ...proceed],
  ),
  rule(
    "a read-only context field: sk written",
    connect4,
    refused(/invalid bpf_context access off=64 size=8/, "EACCES"),
    [mov(r2, 0), store("u64", r1, 64, r2), ...proceed],
  ),
  rule(
    "a context field of another hook: user_ip6 in connect4",
    connect4,
    refused(/invalid bpf_context access off=8 size=4/, "EACCES"),
    [load("u32", r2, r1, 8), ...proceed],
  ),
  rule(
    "a context field of another hook: user_ip4 in connect6",
    connect6,
    refused(/invalid bpf_context access off=4 size=4/, "EACCES"),
    [load("u32", r2, r1, 4), ...proceed],
  ),
  rule(
    "a context field of another hook: msg_src_ip4 in recvmsg4",
    recvmsg4,
    refused(/invalid bpf_context access off=40 size=4/, "EACCES"),
    [load("u32", r2, r1, 40), ...proceed],
  ),
  rule(
    "a context field of another hook: src_port in sock_release",
    sockRelease,
    refused(/invalid bpf_context access off=44 size=4/, "EACCES"),
    [load("u32", r2, r1, 44), ...proceed],
  ),
  rule(
    "a context field has its own width: 8 bytes of user_port",
    connect4,
    refused(/invalid bpf_context access off=24 size=8/, "EACCES"),
    [load("u64", r2, r1, 24), ...proceed],
  ),
  rule(
    "a context field is written whole: 2 bytes of user_port",
    connect4,
    refused(/invalid bpf_context access off=24 size=2/, "EACCES"),
    [mov(r2, 80), store("u16", r1, 24, r2), ...proceed],
  ),
  rule(
    "the context is not read past its end",
    connect4,
    refused(/invalid bpf_context access off=72 size=4/, "EACCES"),
    [load("u32", r2, r1, 72), ...proceed],
  ),
  rule(
    "the context is read at constant offsets",
    connect4,
    refused(/(variable ctx access|dereference of modified ctx ptr|math between ctx pointer)/, "EACCES"),
    [load("u32", r2, r1, 24), and(r2, 4), add(r1, r2), load("u32", r2, r1, 0), ...proceed],
  ),
];

const helpers: readonly Case[] = [
  rule(
    "a helper that the hook lacks: bpf_bind in recvmsg4",
    recvmsg4,
    refused(
      {
        "5.10": /unknown func bpf_bind#64/,
        "6.12": /program of this type cannot use helper bpf_bind#64/,
      },
      "EINVAL",
    ),
    [mov(r2, r10), mov(r3, 16), call("bpf_bind"), ...proceed],
  ),
  rule(
    "a helper of another program type: bpf_skb_load_bytes in connect4",
    connect4,
    refused(
      {
        "5.10": /unknown func bpf_skb_load_bytes#26/,
        "6.12": /program of this type cannot use helper bpf_skb_load_bytes#26/,
      },
      "EINVAL",
    ),
    [call("bpf_skb_load_bytes"), ...proceed],
  ),
  rule("an unknown helper", connect4, refused(/invalid func unknown#9999/, "EINVAL"), [call(9999), ...proceed]),
  rule("a helper's map argument is a map", connect4, refused(/R1 type=\w+ expected=(const_)?map_ptr/, "EACCES"), [
    store("u32", r10, -4, 0),
    mov(r2, r10),
    add(r2, -4),
    mov(r1, 0),
    call("bpf_map_lookup_elem"),
    ...proceed,
  ]),
  rule("a helper's arguments are set", connect4, refused(/R2 !read_ok/, "EACCES"), [
    mov(r1, r10),
    add(r1, -16),
    call("bpf_get_current_comm"),
    ...proceed,
  ]),
];

const range = (value: number) => ({
  "5.10": new RegExp(`R0 has value \\(0x${value.toString(16)}; 0x0\\) should have been in`),
  "6.12": new RegExp(`R0 has smin=${value} smax=${value} should have been in`),
});

const returns: readonly Case[] = [
  rule("connect4 returns 0 or 1", connect4, refused(range(2), "EINVAL"), [mov(r0, 2), exit()]),
  rule("sendmsg4 returns 0 or 1", sendmsg4, refused(range(2), "EINVAL"), [mov(r0, 2), exit()]),
  rule("sock_release returns 0 or 1", sockRelease, refused(range(2), "EINVAL"), [mov(r0, 2), exit()]),
  rule("recvmsg4 returns 1 only", recvmsg4, refused(range(0), "EINVAL"), [mov(r0, 0), exit()]),
  rule("recvmsg6 returns 1 only", recvmsg6, refused(range(0), "EINVAL"), [mov(r0, 0), exit()]),
  rule("getpeername4 returns 1 only", getpeername4, refused(range(0), "EINVAL"), [mov(r0, 0), exit()]),
  rule("recvmsg4 returns 1 on every path", recvmsg4, refused(/R0 has .* should have been in/, "EINVAL"), [
    load("u32", r2, r1, 24),
    mov(r0, 1),
    jne(r2, 0, "out"),
    mov(r0, 0),
    label("out"),
    exit(),
  ]),
  rule(
    "the return value is known",
    connect4,
    refused(/R0 has .* should have been in|R0 has unknown scalar value/, "EINVAL"),
    [load("u32", r0, r1, 24), exit()],
  ),
  rule("the return value is set", connect4, refused(/R0 !read_ok/, "EACCES"), [exit()]),
];

/**
 * Since 6.3 (and in later stable releases of older kernels) a privileged program may read unwritten stack if
 * bytes below it were written; since 6.8, any unwritten stack.
 */
const unsetStack = (words: RegExp): PerKernel<Expectation> => ({
  from: { "5.10": { kind: "refused", words, errno: "EACCES" }, "6.8": accepted },
});
const unsetWords = /invalid (indirect )?read from stack/;

/**
 * An 8-byte key on the stack with only the upper four bytes written. (The verifier does not always notice unset
 * bytes above set ones.)
 */
const partlySetKey = (map: Fd): readonly Item[] => [
  store("u32", r10, -4, 0),
  mov(r2, r10),
  add(r2, -8),
  loadMap(r1, { fd: map.number }),
  call("bpf_map_lookup_elem"),
  ...proceed,
];

/** Like `mapRule`, with a socket storage beside a hash. */
function storageRule(
  name: string,
  expect: PerKernel<Expectation>,
  items: (storage: Fd, map: Fd) => readonly Item[],
): Case {
  return {
    name: `rules/${name}`,
    expect,
    run() {
      using storage = createDeclaredMap(skStorage("verifier_test", { value: u64 }), linux, true);
      return withMap({}, (map) => verdict(connect4, items(storage, map)));
    },
  };
}

const mapTypes: readonly Case[] = [
  storageRule(
    "socket storage is not looked up by key",
    refused(/cannot pass map_type 24 into func bpf_map_lookup_elem#1/, "EINVAL"),
    (storage) => [...lookup(storage), ...proceed],
  ),
  mapRule(
    "a ring buffer is not looked up",
    refused(
      anyOf(
        /cannot pass map_type 27 into func bpf_map_lookup_elem#1/,
        /invalid zero-sized read|invalid stack type R2 .* access_size=0/,
      ),
    ),
    (map) => [...lookup(map), ...proceed],
    { type: MapType.RINGBUF, keySize: 0, valueSize: 0, maxEntries: 4096 },
  ),
  storageRule(
    "a hash is not a socket storage",
    refused(/cannot pass map_type 1 into func bpf_sk_storage_get#107/, "EINVAL"),
    (_, map) => [
      load("u64", r2, r1, 64),
      loadMap(r1, { fd: map.number }),
      mov(r3, 0),
      mov(r4, 0),
      call("bpf_sk_storage_get"),
      ...proceed,
    ],
  ),
  storageRule("a number is not a socket", refused(/R2 type=(inv|scalar) expected=/, "EACCES"), (storage) => [
    mov(r2, 7),
    loadMap(r1, { fd: storage.number }),
    mov(r3, 0),
    mov(r4, 0),
    call("bpf_sk_storage_get"),
    ...proceed,
  ]),
  rule("a number is not a context", connect4, refused(/R1 type=(inv|scalar) expected=ctx/, "EACCES"), [
    mov(r1, 7),
    call("bpf_get_socket_cookie"),
    ...proceed,
  ]),
  rule(
    "a socket's fields are read-only",
    connect4,
    refused(/R2 .*(cannot write into sock|invalid.*sock)|cannot write into/, "EACCES"),
    [load("u64", r2, r1, 64), mov(r3, 1), store("u32", r2, 16, r3), ...proceed],
  ),
];

const xdp: Hook = { name: "xdp", type: ProgramType.XDP, attachType: AttachType.XDP };
/** Loads `data` and `data_end` of `struct xdp_md`. */
const toData: readonly Item[] = [load("u32", r2, r1, 0), load("u32", r3, r1, 4)];

const packets: readonly Case[] = [
  rule("a packet is read within its bounds", xdp, refused(/invalid access to packet, off=0 size=1/, "EACCES"), [
    ...toData,
    load("u8", r0, r2, 0),
    ...proceed,
  ]),
  rule(
    "a packet is read only as far as was checked",
    xdp,
    refused(/invalid access to packet, off=12 size=4/, "EACCES"),
    [...toData, mov(r4, r2), add(r4, 14), jgt(r4, r3, "out"), load("u32", r0, r2, 12), label("out"), ...proceed],
  ),
  rule("a packet, read after checking its length", xdp, accepted, [
    ...toData,
    mov(r4, r2),
    add(r4, 14),
    jgt(r4, r3, "out"),
    load("u16", r0, r2, 12),
    label("out"),
    ...proceed,
  ]),
];

const memory: readonly Case[] = [
  rule("stack is set before it is read", connect4, unsetStack(unsetWords), [load("u64", r2, r10, -8), ...proceed]),
  strictRule("stack is set before it is read", refused(unsetWords, "EACCES"), () => [
    load("u64", r2, r10, -8),
    ...proceed,
  ]),
  mapRule(
    "a struct on the stack is set before a helper reads it",
    unsetStack(unsetWords),
    (map) => [mov(r2, r10), add(r2, -8), loadMap(r1, { fd: map.number }), call("bpf_map_lookup_elem"), ...proceed],
    { keySize: 8 },
  ),
  mapRule("a struct on the stack is set as a whole, padding included", accepted, partlySetKey, { keySize: 8 }),
  strictRule("a struct on the stack is set as a whole, padding included", refused(unsetWords, "EACCES"), partlySetKey, {
    keySize: 8,
  }),
  rule(
    "the stack has 512 bytes",
    connect4,
    refused(/invalid write to stack R10 off=-520 size=8|invalid stack off=-520 size=8/, "EACCES"),
    [store("u64", r10, -520, 0), ...proceed],
  ),
  rule(
    "the stack lies below the frame pointer",
    connect4,
    refused(/invalid (write to )?stack.* off=0 size=8/, "EACCES"),
    [store("u64", r10, 0, 0), ...proceed],
  ),
  rule("a register is set before it is read", connect4, refused(/R6 !read_ok/, "EACCES"), [mov(r0, r6), exit()]),
  rule("r1 to r5 do not survive a call", connect4, refused(/R1 !read_ok/, "EACCES"), [
    call("bpf_get_prandom_u32"),
    load("u32", r2, r1, 24),
    ...proceed,
  ]),
];

const pointers: readonly Case[] = [
  rule("a number is not a pointer", connect4, refused(/R2 invalid mem access '(inv|scalar)'/, "EACCES"), [
    mov(r2, 4096),
    load("u32", r3, r2, 0),
    ...proceed,
  ]),
  rule(
    "a pointer is not returned",
    connect4,
    refused(/R0 (is not a known value|has .*value|leaks addr)|At program exit the register R0/),
    [mov(r0, r1), exit()],
  ),
  rule(
    "a pointer is not multiplied",
    connect4,
    refused(/R2 pointer arithmetic with \*= operator prohibited/, "EACCES"),
    [mov(r2, r10), mul(r2, 2), ...proceed],
  ),
  strictRule("a pointer is not written to the context", refused(/R\d+ leaks addr into ctx/, "EACCES"), () => [
    store("u32", r1, 4, r10),
    ...proceed,
  ]),
  strictRule("a pointer is not written to a map", refused(/R\d+ leaks addr into map/, "EACCES"), (map) => [
    ...lookup(map),
    jeq(r0, 0, "out"),
    store("u64", r0, 0, r10),
    label("out"),
    ...proceed,
  ]),
  strictRule("a pointer is not compared with a number", refused(/R\d+ pointer comparison prohibited/, "EACCES"), () => [
    mov(r0, 1),
    jeq(r10, 1, "out"),
    label("out"),
    exit(),
  ]),
  strictRule("a pointer is not truncated", refused(/R\d+ partial copy of pointer/, "EACCES"), () => [
    mov(w2, w1),
    ...proceed,
  ]),
  rule("pointers are not added", connect4, refused(/R2 pointer \+= pointer prohibited/, "EACCES"), [
    mov(r2, r10),
    add(r2, r1),
    ...proceed,
  ]),
  rule("the frame pointer is not changed", connect4, refused(/frame pointer is read only/, "EACCES"), [
    sub(r10, 8),
    ...proceed,
  ]),
  mapRule(
    "a map is not memory",
    refused(
      anyOf(
        /R1 invalid mem access 'map_ptr'|only read from bpf_array is supported|cannot access ptr member/,
        /dereference of modified|write into map forbidden|only read .* is supported|map_ptr access/,
      ),
    ),
    (map) => [loadMap(r1, { fd: map.number }), mov(r2, 1), store("u64", r1, 0, r2), ...proceed],
  ),
];

const flow: readonly Case[] = [
  rule("a loop ends", connect4, refused(/infinite loop detected|back-edge/, "EINVAL"), [
    label("again"),
    mov(r2, 1),
    jump("again"),
  ]),
  rule("a loop with a random end is bounded", connect4, refused(/infinite loop detected/, "EINVAL"), [
    label("again"),
    call("bpf_get_prandom_u32"),
    jne(r0, 0, "again"),
    ...proceed,
  ]),
  rule("a loop with a constant end", connect4, accepted, [
    mov(r7, 0),
    label("again"),
    add(r7, 1),
    jlt(r7, 64, "again"),
    ...proceed,
  ]),
  rule("every instruction is reachable", connect4, refused(/unreachable insn 2/, "EINVAL"), [
    mov(r0, 1),
    exit(),
    mov(r0, 0),
    exit(),
  ]),
  rule("the program ends in exit", connect4, refused(/last insn is not an exit or jmp|jump out of range/, "EINVAL"), [
    mov(r0, 1),
  ]),
];

export const rules: readonly Case[] = [
  ...nullable,
  ...mapShapes,
  ...context,
  ...helpers,
  ...returns,
  ...mapTypes,
  ...packets,
  ...memory,
  ...pointers,
  ...flow,
];
