/** A program's context as the program sees it: the fields that the hook declares, with the rights that it gives. */
import type { Value } from "../compiler/index.ts";
import type { address4, address6, ContextArray, ContextField, ContextFields, ContextPointer } from "../hooks/index.ts";
import { describeValues } from "./described.ts";
import { placeAt, type Emitter, type Place } from "./emitter.ts";
import { Ipv6Value, type Ipv6, type Ipv6Field } from "./ipv6.ts";
import { standsFor, type AnyContext, type KernelPointer } from "./kernel-pointer.ts";
import { FieldValue, type Field, type Scalar } from "./scalar.ts";

/** A hook's context: numbers to read, fields to write, addresses for helpers. */
export type Context<C extends ContextFields> = {
  readonly [N in keyof C]: C[N] extends ContextPointer<infer T, infer F>
    ? KernelPointer<T> & { readonly [M in keyof F]: FieldOf<F[M]> }
    : FieldOf<C[N]>;
} & AnyContext;

/** A number or an IPv6 address. */
type FieldOf<F> =
  F extends ContextField<infer K, infer W>
    ? W extends true
      ? Field<K>
      : Scalar<K>
    : F extends ContextArray<infer W>
      ? W extends true
        ? Ipv6Field
        : Ipv6
      : never;

/** The fields of every hook on an IPv4 socket address. */
export type SockAddr4 = Context<typeof address4>;

/** The fields of every hook on an IPv6 socket address. */
export type SockAddr6 = Context<typeof address6>;

const contextPrototype = {};
describeValues(contextPrototype, () => ({ what: "the context", remedy: "name one of its fields" }));

/** The typed view of the context that arrives in r1. */
export function contextView<C extends ContextFields>(emitter: Emitter, fields: C, address: Value): Context<C> {
  const view = Object.create(contextPrototype) as object;
  const place = { space: "context", address, offset: 0, align: 8, region: emitter.region } as const;
  for (const [name, field] of Object.entries(fields)) {
    let get: () => unknown;
    if ("pointer" in field) {
      get = () => {
        emitter.mark(get);
        // The fields with a packet's bounds are 32 bits wide, though the verifier puts pointers there.
        const size = field.pointer.startsWith("packet") ? 4 : 8;
        const value = emitter.load(placeAt(place, field.offset), size, "ptr");
        return pointerView(emitter, field, value);
      };
    } else {
      get = () => {
        emitter.mark(get);
        return readField(emitter, place, field);
      };
    }
    Object.defineProperty(view, name, { enumerable: true, get });
  }
  return standsFor(view as Context<C>, () => address);
}

function readField(emitter: Emitter, place: Place, field: ContextField | ContextArray): FieldValue | Ipv6Value {
  if ("count" in field) return new Ipv6Value(emitter, placeAt(place, field.element.offset), field.wide ? 8 : 4);
  return new FieldValue(emitter, field.kind, placeAt(place, field.offset), field.size);
}

/** A pointer from the context, with the fields that programs may read through it. */
function pointerView(emitter: Emitter, { pointer, fields }: ContextPointer, address: Value): KernelPointer<string> {
  const view = { points: pointer };
  const place = { space: "kernel", address, offset: 0, align: 8, region: emitter.region } as const;
  for (const [name, field] of Object.entries(fields)) {
    const get = (): unknown => {
      emitter.mark(get);
      return readField(emitter, place, field);
    };
    Object.defineProperty(view, name, { enumerable: true, get });
  }
  return standsFor(view, () => address);
}
