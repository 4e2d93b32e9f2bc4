/** The load balancer's programs in each configuration: accepted, with the verifier's statistics. */
import { helperNumber, opcodes, type Program } from "../../src/asm/index.ts";
import type { ProgramSource } from "../../src/dsl/index.ts";
import { load } from "../../src/loader/index.ts";
import { MapType } from "../../src/types/index.ts";
import { loadBalancerPrograms } from "../../programs/index.ts";
import { accepted, type Case, type Outcome } from "../suite/case.ts";
import { configurations } from "../suite/configurations.ts";
import { setRetval } from "../suite/features.ts";
import { refusal } from "../suite/load.ts";
import { readStatistics } from "../suite/statistics.ts";

/** Small maps are quick to create, and the verifier ignores their size. */
const MAX_ENTRIES = 64;

/** `BPF_LOG_STATS`. */
const STATISTICS = 4;

function tryProgram(program: Program): Outcome {
  // A ring buffer's max entries is its size in bytes, in whole pages.
  const large = program.maps.filter(({ type, maxEntries }) => type !== MapType.RINGBUF && maxEntries > MAX_ENTRIES);
  const maxEntries = Object.fromEntries(large.map(({ name }) => [name, MAX_ENTRIES]));
  try {
    using collection = load([program], { maxEntries, logLevel: STATISTICS });
    const statistics = readStatistics(collection.program(program.name).log);
    if (statistics === undefined) throw new Error("cannot read the verifier's statistics: the log has none");
    return { kind: "accepted", statistics };
  } catch (error) {
    return refusal(error);
  }
}

const usesSetRetval = ({ instructions }: Program): boolean =>
  instructions.some(
    ({ opcode, src, immediate }) =>
      opcode === opcodes.CALL && src === 0 && immediate === helperNumber("bpf_set_retval"),
  );

function programCase(configuration: string, source: ProgramSource): Case {
  let program: Program | undefined;
  // Compiled in this case's turn, so that a failure to compile is this case's surprise.
  const compiled = () => (program ??= source.compile());
  return {
    name: `programs/${configuration}: ${source.name}`,
    get needs() {
      return program !== undefined && usesSetRetval(program) ? setRetval : undefined;
    },
    expect: accepted,
    run: () => tryProgram(compiled()),
  };
}

export const loadBalancer: readonly Case[] = Object.entries(configurations).flatMap(([configuration, options]) =>
  loadBalancerPrograms(options).map((source) => programCase(configuration, source)),
);
