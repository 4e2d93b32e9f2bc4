/** Loads programs of the raw assembler and distinguishes acceptance from refusal. */
import { encode, program, type Item } from "../../src/asm/index.ts";
import { BpfError, createMap, type Fd, loadProgram, VerifierError } from "../../src/kernel/index.ts";
import { MapType } from "../../src/types/index.ts";
import type { Outcome } from "./case.ts";
import type { Hook } from "./hooks.ts";

/**
 * Loads a program for a hook.
 *
 * @param options.expectedAttachType Replaces the hook's attach type.
 * @returns Its descriptor, for the caller to close.
 * @throws {VerifierError | BpfError} if the kernel refuses it
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

/** Loads and discards a program: the kernel's verdict. */
export function verdict(
  hook: Hook,
  items: readonly Item[],
  options: { expectedAttachType?: Hook["attachType"] } = {},
): Outcome {
  return outcomeOf(() => load(hook, items, options).close());
}

/** Turns a refusal by the kernel into an outcome; rethrows other errors. */
export function outcomeOf(attempt: () => void): Outcome {
  try {
    attempt();
    return { kind: "accepted" };
  } catch (error) {
    return refusal(error);
  }
}

/** The outcome of a kernel error. @throws every other error */
export function refusal(error: unknown): Outcome & { readonly kind: "refused" } {
  if (error instanceof VerifierError) return { kind: "refused", errno: error.code, log: error.log };
  if (error instanceof BpfError) return { kind: "refused", errno: error.code, log: error.message };
  throw error;
}

/** A map; by default a hash of 4-byte keys and 8-byte values. */
export interface MapShape {
  readonly type?: MapType;
  readonly keySize?: number;
  readonly valueSize?: number;
  readonly maxEntries?: number;
  readonly flags?: number;
}

/** Runs `use` with a new map, then closes it. */
export function withMap<T>(shape: MapShape, use: (map: Fd) => T): T {
  const { type = MapType.HASH, keySize = 4, valueSize = 8, maxEntries = 4, flags = 0 } = shape;
  const map = createMap({ name: "verifier_test", type, keySize, valueSize, maxEntries, flags });
  try {
    return use(map);
  } finally {
    map.close();
  }
}
