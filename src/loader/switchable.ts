import { call, loadMap, mov, r1, r2, r3, r6, type Program } from "../asm/index.ts";
import { progArray, type MapDefinition } from "../types/index.ts";

/** Names of the maps that switch programs begin so. */
const PREFIX = "switch_";

/** A program that begins with a tail call through `array`, and is the original one while that is empty. */
export interface SwitchableProgram<T extends string> {
  readonly program: Program<T>;
  readonly array: ReturnType<typeof progArray>;
}

/**
 * Prefixes a program with a tail call. Whoever puts another program into
 * element 0 of `array` has that run instead. The kernel empties the array when
 * its last descriptor and pin are gone (`prog_array_map_clear`), so a process
 * that is killed takes the other program with it.
 */
export function switchable<T extends string>(program: Program<T>): SwitchableProgram<T> {
  const array = progArray(`${PREFIX}${program.name}`, { maxEntries: 1 });
  const source = program.instructions[0]?.source;
  // The call clobbers r1 to r5.
  const prefix = [mov(r6, r1), loadMap(r2, array), mov(r3, 0), call("bpf_tail_call"), mov(r1, r6)].map(
    (instruction) => ({ ...instruction, ...(source && { source }) }),
  );
  return {
    array,
    program: {
      ...program,
      instructions: [...prefix, ...program.instructions],
      functions: program.functions.map((part, i) => (i === 0 ? part : { ...part, start: part.start + prefix.length })),
      maps: [...program.maps, array],
    },
  };
}

/** Whether a map of this name is a switchable program's. */
export function isSwitch({ name }: Pick<MapDefinition, "name">): boolean {
  return name.startsWith(PREFIX);
}
