import { release } from "node:os";
import * as assert from "uvu/assert";
import { callFunction, exit, label, mov, program, r0 } from "../asm/index.ts";
import { BpfError, linux } from "../kernel/index.ts";
import { kernelSuite, runTool, toolSuite } from "../testing/index.ts";
import * as types from "../types/index.ts";
import { everyKindBuilder } from "./testing/every-kind.ts";
import { btfProbes, definition, fieldOf, kernelBtf, mapBtf, programBtf, sizeOf, type BtfFeatures } from "./index.ts";

const { MapFlag, MapType, ProgramType, struct, u16, u32, u64, be16, be32, ipv6, i8, arrayOf } = types;

const test = kernelSuite("btf: the kernel's judgement");

test("takes every kind, in the form for its features", () => {
  const features = Object.fromEntries(
    Object.entries(btfProbes).map(([feature, probe]) => [feature, isTaken(probe())]),
  ) as unknown as BtfFeatures;
  linux.loadBtf(everyKindBuilder().encode(features)).close();
});

test("takes every kind in the least form", () => {
  const none = Object.fromEntries(Object.keys(btfProbes).map((feature) => [feature, false])) as unknown as BtfFeatures;
  linux.loadBtf(everyKindBuilder().encode(none)).close();
});

function isTaken(btf: Uint8Array): boolean {
  try {
    linux.loadBtf(btf).close();
    return true;
  } catch (error) {
    if (error instanceof BpfError) return false;
    throw error;
  }
}

// The youngest of them, enum64, came with Linux 6.0; what an older kernel has, only the probe can say.
const probed = Number(release().split(".")[0]) >= 6 ? test : test.skip;
for (const [feature, probe] of Object.entries(btfProbes)) {
  probed(`has ${feature}, as every kernel from 6.0 on`, () => linux.loadBtf(probe()).close());
}

const value = struct("value", { cookie: u64, address: be32, port: be16, pad: u16, six: ipv6, rest: arrayOf(i8, 3) });

/** A map of each type that can be created without another one. */
const maps: readonly types.MapDefinition[] = [
  types.hash("hash", { key: value, value, maxEntries: 4 }),
  types.lruHash("lru", { key: value, value, maxEntries: 4 }),
  types.percpuHash("percpu", { key: u32, value, maxEntries: 4 }),
  types.array("array", { value, maxEntries: 4 }),
  types.percpuArray("percpu_array", { value, maxEntries: 4 }),
  types.lpmTrie("trie", { key: struct("key", { prefix: u32, address: be32 }), value, maxEntries: 4 }),
  types.skStorage("storage", { value }),
  types.progArray("programs", { maxEntries: 4 }),
  types.ringbuf("ring", { value, maxEntries: 4096 }),
  { ...types.hash("perf", { key: u32, value: u32, maxEntries: 4 }), type: MapType.PERF_EVENT_ARRAY },
  { ...types.hash("queue", { key: types.none, value, maxEntries: 4 }), type: MapType.QUEUE },
  { ...types.hash("bloom", { key: types.none, value, maxEntries: 4 }), type: MapType.BLOOM_FILTER },
  { ...types.hash("reuseport", { key: u32, value: u64, maxEntries: 4 }), type: MapType.REUSEPORT_SOCKARRAY },
  { ...types.hash("sockets", { key: u32, value: u64, maxEntries: 4 }), type: MapType.SOCKHASH },
  { ...types.hash("stacks", { key: u32, value: arrayOf(u64, 2), maxEntries: 4 }), type: MapType.STACK_TRACE },
  {
    ...types.hash("tasks", { key: u32, value, maxEntries: 0, flags: MapFlag.NO_PREALLOC }),
    type: MapType.TASK_STORAGE,
  },
  {
    ...types.hash("groups", { key: u32, value, maxEntries: 0, flags: MapFlag.NO_PREALLOC }),
    type: MapType.CGRP_STORAGE,
  },
];

for (const definition of maps) {
  test(`creates map ${definition.name} with its types`, () => {
    const made = mapBtf(definition);
    const refusesTypes: readonly string[] = ["ring", "perf", "queue", "sockets", "stacks"];
    assert.is(made === undefined, refusesTypes.includes(definition.name));
    const fd = made && linux.loadBtf(made.btf);
    linux
      .createMap({
        ...definition,
        keySize: definition.key.size,
        valueSize: definition.type === MapType.RINGBUF ? 0 : definition.value.size,
        ...(made && fd && { btf: { fd, keyTypeId: made.keyTypeId, valueTypeId: made.valueTypeId } }),
      })
      .close();
    fd?.close();
  });
}

test("loads a program of each type that has a context, with its functions and lines", () => {
  const source = { file: "/a.ts", line: 1, column: 1 };
  for (const [name, type] of Object.entries(ProgramType)) {
    const attachTypes: Partial<Record<number, types.AttachType>> = {
      [ProgramType.CGROUP_SOCK_ADDR]: types.AttachType.CGROUP_INET4_CONNECT,
      [ProgramType.CGROUP_SOCKOPT]: types.AttachType.CGROUP_GETSOCKOPT,
      [ProgramType.SK_LOOKUP]: types.AttachType.SK_LOOKUP,
      [ProgramType.SK_REUSEPORT]: types.AttachType.SK_REUSEPORT_SELECT,
      [ProgramType.NETFILTER]: types.AttachType.NETFILTER,
    };
    const needMore: readonly number[] = [
      ProgramType.UNSPEC,
      ProgramType.TRACING,
      ProgramType.STRUCT_OPS,
      ProgramType.EXT,
      ProgramType.LSM,
      ProgramType.SYSCALL,
      ProgramType.LIRC_MODE2,
    ];
    if (needMore.includes(type)) continue;
    const expectedAttachType = attachTypes[type];
    const made = program({
      name: "each",
      type,
      section: name,
      ...(expectedAttachType === undefined ? {} : { expectedAttachType }),
      items: [{ ...callFunction("sub"), source }, mov(r0, 1), exit(), label("sub"), mov(r0, 1), exit()],
    });
    const { btf, ...records } = programBtf(made);
    const fd = linux.loadBtf(btf);
    const code = Buffer.from(
      "85100000020000 00b700000001000000 9500000000000000 b700000001000000 9500000000000000".replaceAll(" ", ""),
      "hex",
    );
    const { fd: loaded, log } = linux.loadProgram({
      name: "each",
      type,
      code,
      license: "GPL",
      logLevel: 1,
      btf: { fd, ...records },
      ...(expectedAttachType === undefined ? {} : { expectedAttachType }),
    });
    loaded.close();
    fd.close();
    assert.not.match(log, /arg#0|size cannot be determined/, `${name}: nothing to complain about in its BTF`);
  }
});

test.run();

const peer = toolSuite("btf: the kernel's types as bpftool reads them", ["bpftool"], { kernel: true });

peer("every type has the same id, kind and name", () => {
  const btf = kernelBtf();
  let count = 0;
  for (const line of runTool("bpftool", "btf", "dump", "file", "/sys/kernel/btf/vmlinux").split("\n")) {
    const [, id, kind, name] = /^\[(\d+)\] (\w+) '(.*?)'/.exec(line) ?? [];
    if (id === undefined) continue;
    count++;
    const want = `${kind!.toLowerCase()} ${name === "(anon)" ? "" : name}`;
    const have = `${btf.kind(Number(id))} ${btf.name(Number(id))}`;
    if (want !== have) assert.is(have, want, `type ${id}`);
  }
  assert.is(count, btf.typeCount - 1);
});

peer("sizes, fields and declarations of a struct that is not likely to change", () => {
  const btf = kernelBtf();
  const id = btf.find("struct", "in6_addr")!;
  assert.is(sizeOf(btf, id), 16);
  assert.equal(fieldOf(btf, id, "in6_u.u6_addr32").offset, 0);
  assert.is(
    definition(btf, id),
    "struct in6_addr {\n\tunion {\n\t\t__u8 u6_addr8[16];\n\t\t__be16 u6_addr16[8];\n\t\t__be32 u6_addr32[4];\n" +
      "\t} in6_u;\n};",
  );
});

peer.run();
