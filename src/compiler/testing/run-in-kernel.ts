/** Compiles random programs and runs them in the kernel as socket filters (`BPF_PROG_TEST_RUN`). */
import { encode, type Instruction } from "../../asm/index.ts";
import { createMap, loadProgram, mapElements, testRunProgram } from "../../kernel/index.ts";
import { MapType, ProgramType, UpdateFlag } from "../../types/index.ts";
import { compile, type CompileOptions } from "../index.ts";
import type { IrModule } from "../ir/ir.ts";
import { interpret, type Datum, type Pointer } from "./interpret.ts";
import { data } from "./random-module.ts";

export interface Outcome {
  readonly returned: number;
  readonly data: string;
}

/** The packet for programs to run on. A socket filter sees it without the Ethernet header. */
const packet = Uint8Array.from({ length: 64 }, (_, i) => (i * 37 + 11) & 0xff);
const ETHERNET_HEADER = 14;
const size = data.value.size;

/** The map's bytes before the run. */
export function input(seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = seed | 1;
  for (let i = 0; i < size / 2; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** The expected outcome. */
export function expected(module: IrModule, before: Uint8Array): Outcome {
  const memory = Uint8Array.from(before);
  const call = (name: string, values: readonly Datum[]): Datum => {
    if (name === "bpf_skb_load_bytes") {
      const [, offset, to, length] = values as [Datum, bigint, Pointer, bigint];
      const from = ETHERNET_HEADER + Number(offset);
      to.memory.set(packet.subarray(from, from + Number(length)), to.offset);
      return 0n;
    }
    if (name === "bpf_map_lookup_elem") {
      const key = values[1] as Pointer;
      const index = new DataView(key.memory.buffer).getUint32(key.offset, true);
      return index === 0 ? { memory, offset: 0 } : 0n;
    }
    throw new Error(`the reference does not know helper ${name}`);
  };
  const context: Pointer = { memory: new Uint8Array(), offset: 0 };
  const returned = interpret(module, [context], { maps: new Map([[data.name, memory]]), call });
  return { returned: Number(BigInt.asUintN(32, returned)), data: Buffer.from(memory).toString("hex") };
}

export class KernelRunner {
  private readonly map = createMap({
    name: data.name,
    type: MapType.ARRAY,
    keySize: 4,
    valueSize: size,
    maxEntries: 1,
    flags: 0,
  });
  private readonly elements = mapElements(this.map, {
    name: data.name,
    type: MapType.ARRAY,
    keySize: 4,
    valueSize: size,
    maxEntries: 1,
  });

  /** The outcome in the kernel. */
  run(module: IrModule, before: Uint8Array, options: CompileOptions): Outcome & { readonly length: number } {
    const { instructions } = compile(module, options);
    const code = encode(instructions.map((i) => this.relocated(i)));
    const { fd } = loadProgram({ name: "random", type: ProgramType.SOCKET_FILTER, code, instructions, license: "GPL" });
    try {
      this.elements.key.writeUInt32LE(0);
      this.elements.value.set(before);
      this.elements.update(UpdateFlag.ANY);
      const { returnValue } = testRunProgram(fd, { data: packet });
      this.elements.lookup();
      return { returned: returnValue, data: this.elements.value.toString("hex"), length: instructions.length };
    } finally {
      fd.close();
    }
  }

  private relocated(i: Instruction): Instruction {
    return i.reference?.kind === "map" || i.reference?.kind === "map-value" ? { ...i, immediate: this.map.number } : i;
  }

  close(): void {
    this.map.close();
  }
}
