/** What not every kernel from 5.10 on has, of what the cases need: since when, and how it is found out. */
import { atomicAdd, call, exit, load as loadMemory, mov, movsx8, r0, r1, r10, store, type HelperName, type Item } from "../../src/asm/index.ts";
import type { Feature } from "./case.ts";
import { connect4, sockCreate, type Hook } from "./hooks.ts";
import { verdict } from "./load.ts";

/** `bpf_set_retval`: a program chooses the error that the caller sees. */
export const setRetval = helperFeature("bpf_set_retval", "5.18", [mov(r1, -1)]);

/** `bpf_get_retval`: a program sees the error that an earlier one chose. */
export const getRetval = helperFeature("bpf_get_retval", "5.18", []);

/** Atomic operations that give the old value. */
export const atomicFetch = programFeature("atomic fetch-and-add", "5.12", connect4, [
  store("u64", r10, -8, 0), mov(r1, 1), atomicAdd("u64", r10, -8, r1, { fetch: true }), mov(r0, 1), exit(),
]);

/** Sign-extending loads and moves: the instruction set's version 4. */
export const signExtension = programFeature("sign-extending moves", "6.6", connect4, [
  mov(r1, 200), movsx8(r1, r1), mov(r0, 1), exit(),
]);

/** `bpf_get_netns_cookie` in `bpf_sock` hooks and `bpf_sock_addr` hooks. */
export const netnsCookie = programFeature("bpf_get_netns_cookie in sock_create", "5.7", sockCreate, [
  call("bpf_get_netns_cookie"), mov(r0, 1), exit(),
]);

/** Reading a context field after the pointer to it was stored on the stack and loaded again: known to every kernel, so a probe that says no is broken. */
export const contextSpill = programFeature("a context pointer on the stack", "4.0", connect4, [
  store("u64", r10, -8, r1), loadMemory("u64", r1, r10, -8), loadMemory("u32", r0, r1, 0), mov(r0, 1), exit(),
]);

export const features: readonly Feature[] = [setRetval, getRetval, atomicFetch, signExtension, netnsCookie, contextSpill];

/** A feature that is there where the verifier accepts `items`. */
export function programFeature(name: string, since: string, hook: Hook, items: readonly Item[]): Feature {
  return { name, since, probe: () => verdict(hook, items).kind === "accepted" };
}

function helperFeature(helper: HelperName, since: string, before: readonly Item[]): Feature {
  return programFeature(helper, since, connect4, [...before, call(helper), mov(r0, 1), exit()]);
}
