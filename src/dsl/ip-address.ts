import type { Condition } from "./condition.ts";

/**
 * An IP address of either family, for code that serves both: an IPv4 address,
 * which is a `be32` (`ctx.userIp4`), an IPv6 address (`ctx.userIp6`), or the IPv4
 * address in an IPv4-mapped one (`ctx.userIp6.v4()`). Each build knows which it
 * is, so the bytecode is that of the family.
 *
 * Both sides of a comparison belong to one family. Building throws `BuildError`
 * for an IPv4 address beside an IPv6 one, and `SchemaError` for text of the
 * other family.
 *
 * @example
 * ```ts
 * import { cgroup, PROCEED, REJECT, type BuilderWith, type IpAddress } from "tsbpf";
 *
 * const refuse = (b: BuilderWith<never, 0 | 1>, to: IpAddress, address: string) =>
 *   b.if(to.eq(address), () => b.return(REJECT));
 *
 * export const connect4 = cgroup.connect4("connect4", (b, ctx) => {
 *   refuse(b, ctx.userIp4, "192.0.2.1");
 *   return PROCEED;
 * });
 * export const connect6 = cgroup.connect6("connect6", (b, ctx) => {
 *   refuse(b, ctx.userIp6, "2001:db8::1");
 *   return PROCEED;
 * });
 * ```
 */
export interface IpAddress {
  /** `be32`: an IPv4 address. */
  readonly kind: "be32" | "ipv6";
  eq(other: IpAddress | string): Condition;
  ne(other: IpAddress | string): Condition;
}

/** An IP address in memory: its value as it was read when it was named, and the right to write it. */
export interface IpAddressField extends IpAddress {
  /** Writes an address of the same family. An IPv4 address written to an `ipv6` field takes its mapped form. */
  set(value: IpAddress | string): void;
}
