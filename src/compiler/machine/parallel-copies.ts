/** Copies that happen at once, said as copies that happen one after the other. */
import type { Register } from "./machine.ts";

export interface Copy {
  readonly dst: Register;
  readonly src: Register;
}

/** Orders the copies so that none overwrites what another still reads. `spare` gives a register for where they go in a circle. */
export function inSequence(copies: readonly Copy[], spare: () => Register): Copy[] {
  let pending = [...copies];
  const out: Copy[] = [];
  while (pending.length > 0) {
    const free = pending.find(({ dst }) => !pending.some(({ src }) => src === dst));
    if (free !== undefined) {
      pending = pending.filter((copy) => copy !== free);
      out.push(free);
    } else {
      // Only circles are left: one register aside opens the first.
      const aside = spare();
      const { src } = pending[0]!;
      out.push({ dst: aside, src });
      pending = pending.map((copy) => (copy.src === src ? { ...copy, src: aside } : copy));
    }
  }
  return out;
}
