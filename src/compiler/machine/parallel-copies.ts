/** Turns simultaneous copies into a sequence of copies. */
import type { Register } from "./machine.ts";

export interface Copy {
  readonly dst: Register;
  readonly src: Register;
}

/** Orders the copies so that none overwrites the source of another. `spare` supplies a register to break a cycle. */
export function inSequence(copies: readonly Copy[], spare: () => Register): Copy[] {
  let pending = [...copies];
  const out: Copy[] = [];
  while (pending.length > 0) {
    const free = pending.find(({ dst }) => !pending.some(({ src }) => src === dst));
    if (free !== undefined) {
      pending = pending.filter((copy) => copy !== free);
      out.push(free);
    } else {
      // Only cycles are left: saving one register breaks the first.
      const aside = spare();
      const { src } = pending[0]!;
      out.push({ dst: aside, src });
      pending = pending.map((copy) => (copy.src === src ? { ...copy, src: aside } : copy));
    }
  }
  return out;
}
