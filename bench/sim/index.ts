/**
 * `npm run bench:sim`: instructions per second of the simulator, compared with the kernel on the same programs
 * (`BPF_PROG_TEST_RUN`, with its JIT; needs root). Both take turns in every round, so that they run under the
 * same conditions; the results are medians. Finally measures the start of `tsbpf run`.
 *
 * Usage: npm run bench:sim -- [ROUNDS]
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { array, AttachType, ProgramType, u64, type MapDefinition, type Program } from "tsbpf";
import {
  add,
  and,
  call,
  encode,
  exit,
  jeq,
  jgt,
  jne,
  label,
  load,
  loadMap,
  mov,
  mul,
  program,
  r0,
  r1,
  r10,
  r2,
  r3,
  r4,
  r6,
  r7,
  r9,
  store,
  sub,
  w7,
  xor,
  type Instruction,
  type Item,
} from "tsbpf/asm";
import { linux, type Fd } from "tsbpf/kernel";
import { World } from "tsbpf/sim";
import { loadBalancerPrograms } from "../../programs/index.ts";
import { whyNoKernel } from "../../src/testing/index.ts";

const rounds = Number(process.argv[2] ?? 9);
const ROUND_MS = 150;
const packet = Uint8Array.from({ length: 256 }, (_, i) => i);

const counters = array("counters", { value: u64, maxEntries: 64 });

function xdp(name: string, items: readonly Item[], maps: readonly MapDefinition[] = []): Program {
  return program({ name, type: ProgramType.XDP, expectedAttachType: AttachType.XDP, section: "xdp", items, maps });
}

/** Loads the packet's address into r9 and checks that it has 256 bytes. */
const prologue = [load("u32", r9, r1, 0), load("u32", r2, r1, 4), mov(r3, r9), add(r3, 256), jgt(r3, r2, "out")];
const epilogue = [label("out"), mov(r0, 2), exit()];

const workloads: readonly Program[] = [
  xdp("arithmetic", [
    mov(r6, 1000),
    mov(r7, 7),
    mov(r2, 1),
    label("again"),
    mul(r7, 31),
    add(r7, r2),
    xor(r7, r6),
    add(w7, 5),
    add(r2, r7),
    and(r2, 0xffff),
    sub(r6, 1),
    jne(r6, 0, "again"),
    ...epilogue,
  ]),
  xdp("packet and stack", [
    ...prologue,
    mov(r6, 1000),
    store("u64", r10, -8, 0),
    label("again"),
    mov(r4, r6),
    and(r4, 0xff),
    mov(r3, r9),
    add(r3, r4),
    load("u8", r7, r3, 0),
    load("u64", r2, r10, -8),
    add(r2, r7),
    store("u64", r10, -8, r2),
    store("u8", r9, 3, r2),
    sub(r6, 1),
    jne(r6, 0, "again"),
    ...epilogue,
  ]),
  xdp(
    "map lookups",
    [
      mov(r6, 200),
      label("again"),
      mov(r2, r6),
      and(r2, 63),
      store("u32", r10, -4, r2),
      mov(r2, r10),
      add(r2, -4),
      loadMap(r1, counters),
      call("bpf_map_lookup_elem"),
      jeq(r0, 0, "out"),
      load("u64", r7, r0, 0),
      add(r7, 1),
      store("u64", r0, 0, r7),
      sub(r6, 1),
      jne(r6, 0, "again"),
      ...epilogue,
    ],
    [counters],
  ),
  xdp("four instructions", [load("u32", r2, r1, 0), load("u32", r3, r1, 4), mov(r0, 2), exit()]),
];

/** Nanoseconds per run, over as many runs as fill the time. */
function timeRuns(run: () => void): number {
  let runs = 0;
  const start = process.hrtime.bigint();
  let elapsed = 0;
  while (elapsed < ROUND_MS * 1e6) {
    for (let i = 0; i < 20; i++) run();
    runs += 20;
    elapsed = Number(process.hrtime.bigint() - start);
  }
  return elapsed / runs;
}

function loadIntoKernel(source: Program): { fd: Fd; maps: readonly Fd[] } {
  const maps = new Map(source.maps.map((definition) => [definition.name, createKernelMap(definition)]));
  const instructions = source.instructions.map(
    (instruction): Instruction =>
      instruction.reference?.kind === "map"
        ? { ...instruction, immediate: maps.get(instruction.reference.name)!.number }
        : instruction,
  );
  return { fd: linux.loadProgram({ ...source, code: encode(instructions) }).fd, maps: [...maps.values()] };
}

function createKernelMap({ name, type, key, value, maxEntries, flags }: MapDefinition): Fd {
  return linux.createMap({ name, type, keySize: key.size, valueSize: value.size, maxEntries, flags });
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const perSecond = (steps: number, ns: number): string => `${((steps / ns) * 1e3).toFixed(0)} M`;

function main(): void {
  const why = whyNoKernel();
  if (why !== undefined) console.log(`the kernel is not measured: ${why}`);
  console.log(`medians of ${rounds} rounds\n`);
  console.log(
    "".padEnd(20) +
      "instructions".padStart(14) +
      ["simulator", "a second", "kernel", "a second"].map((head) => head.padStart(12)).join("") +
      "ratio".padStart(8),
  );
  for (const source of workloads) {
    const world = new World();
    const run = () => world.run(source, { packet, coverage: false });
    const { steps } = run();
    const loaded = why === undefined ? loadIntoKernel(source) : undefined;
    try {
      const ours: number[] = [];
      const kernels: number[] = [];
      for (let round = -1; round < rounds; round++) {
        const own = timeRuns(run);
        const kernel = loaded && linux.testRunProgram(loaded.fd, { data: packet, repeat: 20_000 }).duration;
        // The first round is for warming up.
        if (round < 0) continue;
        ours.push(own);
        if (kernel !== undefined) kernels.push(kernel);
      }
      const own = median(ours);
      const columns = [
        source.name.padEnd(20),
        String(steps).padStart(14),
        `${own.toFixed(0)} ns`.padStart(12),
        perSecond(steps, own).padStart(12),
      ];
      if (loaded !== undefined) {
        const kernel = median(kernels);
        columns.push(
          `${kernel} ns`.padStart(12),
          (kernel > 0 ? perSecond(steps, kernel) : "").padStart(12),
          (kernel > 0 ? (own / kernel).toFixed(1) : "").padStart(8),
        );
      }
      console.log(columns.join(""));
    } finally {
      loaded?.fd.close();
      for (const map of loaded?.maps ?? []) map.close();
    }
  }
  console.log("");
  benchLoadBalancer();
  benchStart();
}

/**
 * A connect(2) to an address without a service: encodes the context, runs the program and reads the result. The
 * kernel cannot test-run this hook.
 */
function benchLoadBalancer(): void {
  const connect4 = loadBalancerPrograms()
    .find(({ name }) => name === "connect4")!
    .compile();
  const world = new World();
  const socket = world.socket();
  for (const coverage of [false, true]) {
    const run = () =>
      world.run(connect4, { ctx: { userIp4: "100.0.0.1", userPort: 80, protocol: "tcp" }, socket, coverage });
    const { steps } = run();
    const ns = median(Array.from({ length: rounds }, () => timeRuns(run)));
    console.log(
      `load balancer's connect4, no service, ${coverage ? "with" : "without"} coverage: ${steps} instructions, ` +
        `${(ns / 1000).toFixed(1)} µs a run`,
    );
  }
}

function benchStart(): void {
  const command = fileURLToPath(new URL("../../dist/src/cli/tsbpf.js", import.meta.url));
  if (!existsSync(command)) {
    console.log("the start of tsbpf run is not measured: run `npm run build` first");
    return;
  }
  const input = Buffer.from(encode([mov(r0, 1), exit()])).toString("hex");
  const time = (args: readonly string[]): number => {
    const start = process.hrtime.bigint();
    execFileSync(process.execPath, args, { input });
    return Number(process.hrtime.bigint() - start) / 1e6;
  };
  const starts = Array.from({ length: rounds }, () => [time([command, "run"]), time(["-e", "0"])] as const);
  console.log(
    `tsbpf run, one start: ${median(starts.map(([own]) => own)).toFixed(0)} ms (node -e 0: ` +
      `${median(starts.map(([, node]) => node)).toFixed(0)} ms)`,
  );
}

main();
