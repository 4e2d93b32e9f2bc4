import type { ContextArray, ContextField, ContextPointer } from "../../hooks/index.ts";
import { Region, type Guard } from "../memory/region.ts";
import type { ContextLayout } from "./layout.ts";
import { readArray, readField, writeArray, writeField } from "./presentation.ts";

type Family = "inet" | "inet6" | number;

/**
 * A context as a test writes and reads it. The hook determines the available and writable fields, as in the
 * kernel. Fields not given follow from the hook and the socket, or are zero.
 */
export interface ContextValues {
  userFamily?: Family;
  /** `"192.0.2.1"` */
  userIp4?: string;
  /** `"2001:db8::1"` */
  userIp6?: string;
  userPort?: number;
  family?: Family;
  type?: "stream" | "dgram" | number;
  protocol?: "tcp" | "udp" | number;
  msgSrcIp4?: string;
  msgSrcIp6?: string;
  boundDevIf?: number;
  mark?: number;
  priority?: number;
  srcIp4?: string;
  srcIp6?: string;
  /** In host byte order in memory; here the plain port number, like the other ports. */
  srcPort?: number;
  dstPort?: number;
  dstIp4?: string;
  dstIp6?: string;
  state?: number;
  rxQueueMapping?: number;
  len?: number;
  pktType?: number;
  queueMapping?: number;
  ingressIfindex?: number;
  egressIfindex?: number;
  rxQueueIndex?: number;
  ifindex?: number;
  cb?: number[];
  hash?: number;
  remoteIp4?: string;
  remoteIp6?: string;
  remotePort?: number;
  localIp4?: string;
  localIp6?: string;
  localPort?: number;
  wireLen?: number;
}

type Fields = ContextLayout["fields"];
type Entry = Fields[string];

const isPointer = (entry: Entry): entry is ContextPointer => "pointer" in entry;
const isArray = (entry: Entry): entry is ContextArray => "element" in entry;

/**
 * Encodes a context.
 * @throws {RangeError} for a field that the context lacks
 * @throws {SchemaError} for a value that does not fit its field
 */
export function encodeContext(layout: ContextLayout, values: ContextValues): Uint8Array {
  const bytes = new Uint8Array(layout.size);
  const view = new DataView(bytes.buffer);
  for (const [name, value] of Object.entries(values)) {
    const entry = layout.fields[name];
    if (entry === undefined || isPointer(entry)) {
      const known = Object.entries(layout.fields)
        .filter(([, field]) => !isPointer(field))
        .map(([field]) => field);
      throw new RangeError(`cannot set field ${name} of a ${layout.name} context: its fields are ${known.join(", ")}`);
    }
    if (value === undefined) continue;
    if (isArray(entry)) writeArray(view, name, entry, value);
    else writeField(view, name, entry, value);
  }
  return bytes;
}

/** Decodes a context. */
export function decodeContext(layout: ContextLayout, bytes: Uint8Array): ContextValues {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values: Record<string, unknown> = {};
  for (const [name, entry] of Object.entries(layout.fields)) {
    if (isPointer(entry)) continue;
    values[name] = isArray(entry) ? readArray(view, name, entry) : readField(view, name, entry);
  }
  return values;
}

/**
 * The memory region of a context, with the hook's access rights: programs may read within readable fields, and
 * write whole writable fields.
 */
export function contextRegion(layout: ContextLayout, bytes: Uint8Array): Region {
  return new Region(`the context of ${layout.name}`, bytes, "read-write", new ContextGuard(layout, bytes));
}

/** Packet addresses are in 32-bit fields. */
const pointerSize = ({ pointer }: ContextPointer): 4 | 8 => (pointer === "packet" || pointer === "packet_end" ? 4 : 8);

/** Stores an address in every pointer field of that kind. */
export function setPointers(layout: ContextLayout, bytes: Uint8Array, kind: string, address: bigint): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const entry of Object.values(layout.fields)) {
    if (!isPointer(entry) || entry.pointer !== kind) continue;
    if (pointerSize(entry) === 4) view.setUint32(entry.offset, Number(address), true);
    else view.setBigUint64(entry.offset, address, true);
  }
}

interface Extent {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  /** Bytes of one field or array element. */
  readonly unit: number;
  readonly writable: boolean;
  readonly field: ContextField | undefined;
}

class ContextGuard implements Guard {
  readonly #layout: ContextLayout;
  readonly #bytes: Uint8Array;
  readonly #extents: readonly Extent[];

  constructor(layout: ContextLayout, bytes: Uint8Array) {
    this.#layout = layout;
    this.#bytes = bytes;
    this.#extents = Object.entries(layout.fields).map(([name, entry]) => extentOf(name, entry));
  }

  load(offset: number, size: number): string | undefined {
    return this.#find(offset, size) === undefined
      ? `${this.#layout.name} programs have no readable field there`
      : undefined;
  }

  store(offset: number, size: number): string | undefined {
    const extent = this.#find(offset, size);
    if (extent === undefined) return `${this.#layout.name} programs have no writable field there`;
    if (!extent.writable) return `${extent.name} is read-only for ${this.#layout.name} programs`;
    if (size % extent.unit !== 0 || (offset - extent.start) % size !== 0)
      return `${extent.name} must be written whole, as ${extent.unit} bytes`;
    return undefined;
  }

  /** For a 16-bit number in a 32-bit field, the kernel keeps only the number's bits. */
  stored(offset: number): void {
    const field = this.#extents.find(({ start, end }) => start <= offset && offset < end)?.field;
    if (field !== undefined && field.kind === "be16" && field.size === 4)
      this.#bytes.fill(0, field.offset + 2, field.offset + 4);
  }

  #find(offset: number, size: number): Extent | undefined {
    return this.#extents.find(({ start, end }) => start <= offset && offset + size <= end);
  }
}

function extentOf(name: string, entry: Entry): Extent {
  if (isPointer(entry))
    return {
      name,
      start: entry.offset,
      end: entry.offset + pointerSize(entry),
      unit: 8,
      writable: false,
      field: undefined,
    };
  if (isArray(entry)) {
    const { element, count } = entry;
    return {
      name,
      start: element.offset,
      end: element.offset + count * element.size,
      unit: element.size,
      writable: element.writable,
      field: undefined,
    };
  }
  return {
    name,
    start: entry.offset,
    end: entry.offset + entry.size,
    unit: entry.size,
    writable: entry.writable,
    field: entry,
  };
}
