/** Loads programs of the raw assembler, and tells acceptance from refusal. */
import { encode, program, type Item } from "../../src/asm/index.ts";
import { BpfError, createMap, type Fd, loadProgram, VerifierError } from "../../src/kernel/index.ts";
import { MapType } from "../../src/types/index.ts";
import type { Outcome } from "./case.ts";
import type { Hook } from "./hooks.ts";

/**
 * Loads a program for a hook.
 *
 * @param options.expectedAttachType Another attach type than the hook's.
 * @returns Its descriptor, for the caller to close.
 * @throws {VerifierError | BpfError} where the kernel refuses it
 */
export function load(
  hook: Hook,
  items: readonly Item[],
  options: { expectedAttachType?: Hook["attachType"]; name?: string } = {},
): Fd {
  const { name = hook.name, expectedAttachType = hook.attachType } = options;
  const { instructions, license } = program({
    name,
    type: hook.type,
    expectedAttachType,
    section: `cgroup/${hook.name}`,
    items,
  });
  return loadProgram({ name, type: hook.type, expectedAttachType, code: encode(instructions), instructions, license })
    .fd;
}

/** Loads a program and lets go of it: the kernel's verdict. */
export function verdict(
  hook: Hook,
  items: readonly Item[],
  options: { expectedAttachType?: Hook["attachType"] } = {},
): Outcome {
  return outcomeOf(() => load(hook, items, options).close());
}

/** Turns what the kernel refuses into an outcome; other errors pass. */
export function outcomeOf(attempt: () => void): Outcome {
  try {
    attempt();
    return { kind: "accepted" };
  } catch (error) {
    return refusal(error);
  }
}

/** The outcome that an error of the kernel stands for. @throws every other error */
export function refusal(error: unknown): Outcome & { readonly kind: "refused" } {
  if (error instanceof VerifierError) return { kind: "refused", errno: error.code, log: error.log };
  if (error instanceof BpfError) return { kind: "refused", errno: error.code, log: error.message };
  throw error;
}

/** A map: a hash of 4-byte keys and 8-byte values unless told otherwise. */
export interface MapShape {
  readonly type?: MapType;
  readonly keySize?: number;
  readonly valueSize?: number;
  readonly maxEntries?: number;
  readonly flags?: number;
}

/** A map for as long as `use` takes. */
export function withMap<T>(shape: MapShape, use: (map: Fd) => T): T {
  const { type = MapType.HASH, keySize = 4, valueSize = 8, maxEntries = 4, flags = 0 } = shape;
  const map = createMap({ name: "verifier_test", type, keySize, valueSize, maxEntries, flags });
  try {
    return use(map);
  } finally {
    map.close();
  }
}
