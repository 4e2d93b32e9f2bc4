// What a TypeScript user imports from each door, checked with skipLibCheck off.
import { array, attach, cgroup, load, PROCEED, u64, type Infer, type MapHandle } from "tsbpf";
import { assemble, exit, mov, r0, type Instruction } from "tsbpf/asm";
import { Btf, programBtf } from "tsbpf/btf";
import { readObject, writeObject, type ObjectFile } from "tsbpf/elf";
import { cgroupRoot, hasProgramType, PinDirectory } from "tsbpf/kernel";
import { parseConfig } from "tsbpf/lb";
import { World, type Coverage } from "tsbpf/sim";

const connects = array("connects", { value: u64, maxEntries: 1 });
export type Count = Infer<typeof connects.value>;

export const count = cgroup.connect4("count", (b) => {
  const counter = b.lookup(connects, 0).orReturn(PROCEED);
  counter.value.atomicAdd(1);
  return PROCEED;
});

/** Not to be called: the types refuse it, and so does building. */
export const mistaken = () =>
  cgroup.connect4("mistaken", (b, ctx) => {
    // @ts-expect-error a plain number has no byte order
    b.if(ctx.userPort.eq(80), () => b.return(PROCEED));
    return PROCEED;
  });

export const instructions: readonly Instruction[] = assemble([mov(r0, 1), exit()]);
export const object = (): ObjectFile => readObject(writeObject([count.compile()]));
export const config = (text: string) => parseConfig(text, "services.yaml");
export const coverage: Coverage | undefined = undefined;
export const others = [Btf, programBtf, cgroupRoot, hasProgramType, PinDirectory, World];

export function run(directory: string): bigint {
  const loaded = load([count]);
  attach(loaded, { cgroup: directory });
  const handle: MapHandle<typeof connects> = loaded.map(connects);
  const value: Count | undefined = handle.get(0);
  return value ?? 0n;
}
