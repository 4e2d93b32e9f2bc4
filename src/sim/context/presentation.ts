/**
 * The form of context fields in tests: addresses as text, ports as numbers, families, socket types and
 * protocols by name if they have one.
 */
import { ipv4, ipv6 } from "../../types/index.ts";
import type { ContextArray, ContextField } from "../../hooks/index.ts";

/** Names for a field's numbers. */
type Names = Readonly<Record<string, number>>;

const families: Names = { inet: 2, inet6: 10 };
const named: Readonly<Record<string, Names>> = {
  family: families,
  userFamily: families,
  type: { stream: 1, dgram: 2 },
  protocol: { tcp: 6, udp: 17 },
};

export function readField(view: DataView, name: string, field: ContextField): string | number | bigint {
  const { offset, kind, size } = field;
  if (kind === "be32") return ipv4.read(view, offset) as string;
  if (kind === "be16") return view.getUint16(offset);
  const number =
    size === 8
      ? view.getBigUint64(offset, true)
      : size === 4
        ? view.getUint32(offset, true)
        : size === 2
          ? view.getUint16(offset, true)
          : view.getUint8(offset);
  return Object.entries(named[name] ?? {}).find(([, value]) => value === number)?.[0] ?? number;
}

/** @throws {RangeError} if the value does not fit the field */
export function writeField(view: DataView, name: string, { offset, kind, size }: ContextField, value: unknown): void {
  if (kind === "be32") return ipv4.write(view, offset, value as string);
  const number = typeof value === "string" ? named[name]?.[value] : value;
  const bits = kind === "be16" ? 16 : 8 * size;
  if (
    (typeof number !== "number" && typeof number !== "bigint") ||
    BigInt.asUintN(bits, BigInt(number)) !== BigInt(number)
  ) {
    throw new RangeError(`cannot set context field ${name} to ${JSON.stringify(String(value))}: it has ${bits} bits`);
  }
  if (kind === "be16") view.setUint16(offset, Number(number));
  else if (size === 8) view.setBigUint64(offset, BigInt(number), true);
  else if (size === 4) view.setUint32(offset, Number(number), true);
  else if (size === 2) view.setUint16(offset, Number(number), true);
  else view.setUint8(offset, Number(number));
}

/** An array of four words in network byte order is an IPv6 address; any other array holds numbers. */
export function readArray(view: DataView, name: string, { element, count }: ContextArray): string | unknown[] {
  if (element.kind === "be32" && count === 4) return ipv6.read(view, element.offset) as string;
  return Array.from({ length: count }, (_, i) =>
    readField(view, name, { ...element, offset: element.offset + i * element.size }),
  );
}

export function writeArray(view: DataView, name: string, { element, count }: ContextArray, value: unknown): void {
  if (element.kind === "be32" && count === 4) return ipv6.write(view, element.offset, value as string);
  if (!Array.isArray(value) || value.length !== count)
    throw new RangeError(`cannot set context field ${name}: it takes an array of ${count}`);
  value.forEach((part, i) => writeField(view, name, { ...element, offset: element.offset + i * element.size }, part));
}
