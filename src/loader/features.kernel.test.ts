import * as assert from "uvu/assert";
import { suite } from "uvu";
import { BpfError, Errno } from "../kernel/index.ts";
import { FakeKernel, kernelSuite } from "../testing/index.ts";
import { AttachType, MapType, ProgramType } from "../types/index.ts";
import {
  btfFeatures,
  hasBatchOperations,
  hasCgroupLinks,
  hasHelper,
  hasInstructions,
  hasMapType,
  hasProgramType,
  instructionSetLevel,
} from "./index.ts";

const { CGROUP_SOCK_ADDR, CGROUP_SOCK, XDP } = ProgramType;

/** What every kernel from 5.10 on has: an answer of "no" is a fault of the probe. */
const onKernel = kernelSuite("features of the running kernel");

onKernel("map types that Linux 5.10 has", () => {
  const newer: readonly number[] = [
    MapType.TASK_STORAGE,
    MapType.BLOOM_FILTER,
    MapType.USER_RINGBUF,
    MapType.CGRP_STORAGE,
    MapType.ARENA,
  ];
  // These need a kernel that was built with them.
  const optional: readonly number[] = [MapType.XSKMAP, MapType.SOCKMAP, MapType.SOCKHASH, MapType.INODE_STORAGE];
  for (const [name, type] of Object.entries(MapType)) {
    if (type === MapType.UNSPEC || type === MapType.STRUCT_OPS) continue;
    const has = hasMapType(type);
    if (!newer.includes(type) && !optional.includes(type)) assert.ok(has, name);
  }
});

onKernel("a map type that no kernel has is absent", () => {
  assert.not(hasMapType(999 as typeof MapType.HASH));
});

onKernel("hooks that Linux 5.10 has, and combinations that none has", () => {
  for (const hook of [
    AttachType.CGROUP_INET4_CONNECT,
    AttachType.CGROUP_INET6_CONNECT,
    AttachType.CGROUP_UDP4_SENDMSG,
    AttachType.CGROUP_UDP6_SENDMSG,
    AttachType.CGROUP_UDP4_RECVMSG,
    AttachType.CGROUP_UDP6_RECVMSG,
    AttachType.CGROUP_INET4_GETPEERNAME,
    AttachType.CGROUP_INET6_GETPEERNAME,
  ])
    assert.ok(hasProgramType(CGROUP_SOCK_ADDR, hook), `hook ${hook}`);
  assert.ok(hasProgramType(CGROUP_SOCK, AttachType.CGROUP_INET_SOCK_RELEASE));
  assert.ok(hasProgramType(XDP));
  assert.ok(hasProgramType(ProgramType.TRACING), "refused for want of a type, and known all the same");
  assert.not(hasProgramType(CGROUP_SOCK_ADDR, AttachType.CGROUP_INET_INGRESS));
  assert.not(hasProgramType(999 as typeof XDP));
});

onKernel("helpers by program type", () => {
  assert.ok(hasHelper("bpf_map_lookup_elem", CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT));
  assert.ok(hasHelper("bpf_get_socket_cookie", CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT));
  assert.ok(hasHelper("bpf_sk_storage_get", CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP4_SENDMSG));
  assert.ok(hasHelper("bpf_xdp_adjust_head", XDP));
  assert.not(hasHelper("bpf_xdp_adjust_head", CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT));
  assert.not(hasHelper("bpf_set_retval", CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP4_RECVMSG), "by no kernel");
  assert.not(hasHelper(9999, XDP));
});

onKernel("instructions: a level holds the ones below it", () => {
  assert.ok(hasInstructions("lessThan"));
  assert.ok(hasInstructions("jump32"));
  const level = instructionSetLevel();
  assert.ok(level >= 2, String(level));
  if (hasInstructions("loadAcquire") || hasInstructions("mayGoto")) assert.is(level, 4);
});

onKernel("BTF, batches and links", () => {
  assert.ok(btfFeatures().func);
  assert.ok(btfFeatures().datasec);
  assert.ok(hasBatchOperations());
  assert.ok(hasCgroupLinks());
});

onKernel.run();

const inMemory = suite("features of a kernel in memory");

inMemory("each question is asked once", () => {
  const fake = new FakeKernel();
  assert.ok(hasMapType(MapType.HASH, fake.kernel));
  assert.ok(hasMapType(MapType.HASH, fake.kernel));
  assert.is(fake.ids("map").length, 1);
  assert.equal(fake.openKinds(), []);
});

inMemory("what the kernel refuses is absent, and another kernel is asked anew", () => {
  const old = new FakeKernel();
  old.failures = {
    createMap: ({ type }) => (type === MapType.RINGBUF ? Errno.EINVAL : undefined),
    loadProgram: Errno.EINVAL,
    loadBtf: Errno.EINVAL,
    updateLink: Errno.EINVAL,
  };
  old.batches = false;
  assert.not(hasMapType(MapType.RINGBUF, old.kernel));
  assert.ok(hasMapType(MapType.HASH, old.kernel));
  assert.not(hasProgramType(XDP, undefined, old.kernel));
  assert.is(instructionSetLevel(old.kernel), 1);
  assert.not(btfFeatures(old.kernel).enum64);
  assert.not(hasBatchOperations(old.kernel));
  assert.not(hasCgroupLinks(old.kernel));
  assert.ok(hasMapType(MapType.RINGBUF, new FakeKernel().kernel));
  assert.equal(old.openKinds(), []);
});

inMemory("missing privileges are no answer", () => {
  const fake = new FakeKernel();
  fake.failures = { createMap: Errno.EPERM };
  for (let i = 0; i < 2; i++)
    assert.throws(
      () => hasMapType(MapType.HASH, fake.kernel),
      (error: unknown) => error instanceof BpfError && error.code === "EPERM",
    );
  fake.failures = {};
  assert.ok(hasMapType(MapType.HASH, fake.kernel));
});

inMemory.run();
