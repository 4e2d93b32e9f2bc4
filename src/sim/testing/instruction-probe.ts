import {
  assemble,
  atomicAdd,
  encode,
  exit,
  gotol,
  label,
  loadAcquire,
  mayGoto,
  mov,
  movsx8,
  r0,
  r1,
  r10,
  store,
  type Item,
} from "../../asm/index.ts";
import { linux, VerifierError } from "../../kernel/index.ts";
import { AttachType, ProgramType } from "../../types/index.ts";
import type { InstructionChoice } from "./random-program.ts";

/** The instructions that the running kernel accepts, found by loading a program with each kind. */
export function probeInstructions(): InstructionChoice {
  const onStack = [mov(r1, 1), store("u64", r10, -8, 1)];
  return {
    v4: loads([mov(r1, 1), movsx8(r0, r1), gotol("end"), label("end")]),
    fetch: loads([...onStack, atomicAdd("u64", r10, -8, r1, { fetch: true })]),
    mayGoto: loads([mayGoto("end"), label("end")]),
    acquireRelease: loads([...onStack, loadAcquire("u64", r0, r10, -8)]),
  };
}

function loads(items: readonly Item[]): boolean {
  const code = encode(assemble([...items, mov(r0, 0), exit()]));
  try {
    linux
      .loadProgram({ name: "probe", type: ProgramType.XDP, expectedAttachType: AttachType.XDP, code, license: "GPL" })
      .fd.close();
    return true;
  } catch (error) {
    if (error instanceof VerifierError) return false;
    throw error;
  }
}
