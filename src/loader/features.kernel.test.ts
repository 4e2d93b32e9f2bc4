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

/** Every kernel since 5.10 has these: a "no" is a fault of the probe. */
const onKernel = kernelSuite("features of the running kernel");

onKernel("the map types of Linux 5.10", () => {
  const newer: readonly number[] = [
    MapType.TASK_STORAGE,
    MapType.BLOOM_FILTER,
    MapType.USER_RINGBUF,
    MapType.CGRP_STORAGE,
    MapType.ARENA,
  ];
  // Present only in kernels built with them.
  const optional: readonly number[] = [MapType.XSKMAP, MapType.SOCKMAP, MapType.SOCKHASH, MapType.INODE_STORAGE];
  for (const [name, type] of Object.entries(MapType)) {
    if (type === MapType.UNSPEC || type === MapType.STRUCT_OPS) continue;
    const has = hasMapType(type);
    if (!newer.includes(type) && !optional.includes(type)) assert.ok(has, name);
  }
});

onKernel("an unknown map type is absent", () => {
  assert.not(hasMapType(999 as typeof MapType.HASH));
});

onKernel("the hooks of Linux 5.10, and combinations that no kernel has", () => {
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
  assert.ok(hasProgramType(ProgramType.TRACING), "known, although refused without a type to attach to");
  assert.not(hasProgramType(CGROUP_SOCK_ADDR, AttachType.CGROUP_INET_INGRESS));
  assert.not(hasProgramType(999 as typeof XDP));
});

onKernel("helpers by program type", () => {
  assert.ok(hasHelper("bpf_map_lookup_elem", CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT));
  assert.ok(hasHelper("bpf_get_socket_cookie", CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT));
  assert.ok(hasHelper("bpf_sk_storage_get", CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP4_SENDMSG));
  assert.ok(hasHelper("bpf_xdp_adjust_head", XDP));
  assert.not(hasHelper("bpf_xdp_adjust_head", CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT));
  assert.not(hasHelper("bpf_set_retval", CGROUP_SOCK_ADDR, AttachType.CGROUP_UDP4_RECVMSG), "in any kernel");
  assert.not(hasHelper(9999, XDP));
});

onKernel("instructions: a level includes the levels below it", () => {
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

inMemory("each feature is probed once", () => {
  const fake = new FakeKernel();
  assert.ok(hasMapType(MapType.HASH, fake.kernel));
  assert.ok(hasMapType(MapType.HASH, fake.kernel));
  assert.is(fake.ids("map").length, 1);
  assert.equal(fake.openKinds(), []);
});

inMemory("a refused feature is absent, and another kernel is probed separately", () => {
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

inMemory("missing privileges throw, and the answer is not remembered", () => {
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
