/**
 * Which context fields may be read and written, at which widths, by hook: the table of
 * `sock_addr_is_valid_access` and `sock_filter_is_valid_access` in the kernel's net/core/filter.c, and of its
 * `wide_access` and `sock_addr` selftests. Each case is one field in one hook, and tries reads and writes of 1,
 * 2, 4 and 8 bytes, narrow ones at each offset in the field.
 */
import { exit, load, mov, r0, r1, r2, store, type StoreType } from "../../src/asm/index.ts";
import { observed, type Case } from "../suite/case.ts";
import { allHooks, sockAddrHooks, sockHooks, type Hook } from "../suite/hooks.ts";
import { verdict } from "../suite/load.ts";

/** A width in bytes, possibly allowed only at the field's start. */
type Width = number | `${number} at its start`;

/** The allowed widths: `{ read: [1, 2, 4], write: [4] }`. */
interface Rights {
  readonly read: readonly Width[];
  readonly write: readonly Width[];
}

interface Field {
  readonly name: string;
  /** Bytes from the start of the context. */
  readonly offset: number;
  /** Bytes; four by default. */
  readonly size?: number;
  readonly rights: (hook: Hook) => Rights;
}

const none: Rights = { read: [], write: [] };
const readOnly: Rights = { read: [4], write: [] };
const narrow: Rights = { read: [1, 2, 4], write: [] };
const narrowAtStart: Rights = { read: ["1 at its start", "2 at its start", 4], write: [] };
const writable: Rights = { read: [1, 2, 4], write: [4] };
/** Eight bytes at once, if the field and the next one are an aligned half of an IPv6 address. */
const wide: Rights = { read: [1, 2, 4, 8], write: [4, 8] };

const sends = (hook: Hook) => hook.name.startsWith("sendmsg");

const sockAddrFields: readonly Field[] = [
  { name: "user_family", offset: 0, rights: () => readOnly },
  { name: "user_ip4", offset: 4, rights: (hook) => (hook.family === 4 ? writable : none) },
  ...[0, 1, 2, 3].map(
    (word): Field => ({
      name: `user_ip6[${word}]`,
      offset: 8 + 4 * word,
      rights: (hook) => (hook.family !== 6 ? none : word % 2 === 0 ? wide : writable),
    }),
  ),
  { name: "user_port", offset: 24, rights: () => writable },
  { name: "family", offset: 28, rights: () => readOnly },
  { name: "type", offset: 32, rights: () => readOnly },
  { name: "protocol", offset: 36, rights: () => readOnly },
  { name: "msg_src_ip4", offset: 40, rights: (hook) => (sends(hook) && hook.family === 4 ? writable : none) },
  ...[0, 1, 2, 3].map(
    (word): Field => ({
      name: `msg_src_ip6[${word}]`,
      offset: 44 + 4 * word,
      // Only the second word is aligned to eight bytes with eight bytes of address from there on.
      rights: (hook) => (!sends(hook) || hook.family !== 6 ? none : word === 1 ? wide : writable),
    }),
  ),
  { name: "sk", offset: 64, size: 8, rights: () => ({ read: [8], write: [] }) },
];

const releases = (hook: Hook) => hook.name === "sock_create" || hook.name === "sock_release";
const binds = (hook: Hook, family?: 4 | 6) =>
  hook.name.startsWith("post_bind") && (family === undefined || hook.family === family);

const sockFields: readonly Field[] = [
  ...["bound_dev_if", "mark", "priority"].map(
    (name, i): Field => ({
      name,
      offset: [0, 16, 20][i]!,
      rights: (hook) => (releases(hook) ? { read: [4], write: [4] } : none),
    }),
  ),
  { name: "family", offset: 4, rights: () => narrowAtStart },
  { name: "type", offset: 8, rights: () => narrowAtStart },
  { name: "protocol", offset: 12, rights: () => narrowAtStart },
  { name: "src_ip4", offset: 24, rights: (hook) => (binds(hook, 4) ? narrow : none) },
  ...[0, 1, 2, 3].map(
    (word): Field => ({
      name: `src_ip6[${word}]`,
      offset: 28 + 4 * word,
      rights: (hook) => (binds(hook, 6) ? narrow : none),
    }),
  ),
  { name: "src_port", offset: 44, rights: (hook) => (binds(hook) ? narrowAtStart : none) },
  { name: "dst_port", offset: 48, size: 2, rights: () => narrow },
  { name: "dst_ip4", offset: 52, rights: () => narrow },
  ...[0, 1, 2, 3].map((word): Field => ({ name: `dst_ip6[${word}]`, offset: 56 + 4 * word, rights: () => narrow })),
  { name: "state", offset: 72, rights: () => narrowAtStart },
  { name: "rx_queue_mapping", offset: 76, rights: () => narrowAtStart },
];

const widths: readonly (readonly [number, StoreType])[] = [
  [1, "u8"],
  [2, "u16"],
  [4, "u32"],
  [8, "u64"],
];

/** The accesses to a field that the running kernel allows a program. */
function observedRights(hook: Hook, { offset, size = 4 }: Field): Rights {
  const allowed = (access: (type: StoreType, offset: number) => ReturnType<typeof load>) =>
    widths.flatMap(([width, type]): Width[] => {
      const places = Array.from({ length: Math.max(1, size / width) }, (_, i) => offset + i * width);
      const [start, ...others] = places.map(
        (place) => verdict(hook, [mov(r2, 0), access(type, place), mov(r0, 1), exit()]).kind === "accepted",
      );
      if (!start) return [];
      return [others.every(Boolean) ? width : `${width} at its start`];
    });
  return {
    read: allowed((type, place) => load(type, r2, r1, place)),
    write: allowed((type, place) => store(type, r1, place, r2)),
  };
}

const text = ({ read, write }: Rights): string =>
  `read ${read.join(", ") || "never"}; written ${write.join(", ") || "never"}`;

function fieldCase(hook: Hook, field: Field): Case {
  return {
    name: `context access/${hook.name}: ${field.name}`,
    expect: observed(text(field.rights(hook))),
    run: () => ({ kind: "observed", value: text(observedRights(hook, field)) }),
  };
}

export const contextAccess: readonly Case[] = allHooks.flatMap((hook) =>
  (sockAddrHooks.includes(hook) ? sockAddrFields : sockHooks.includes(hook) ? sockFields : []).map((field) =>
    fieldCase(hook, field),
  ),
);
