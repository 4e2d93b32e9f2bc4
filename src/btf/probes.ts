import { BtfBuilder } from "./builder.ts";
import type { BtfFeatures } from "./features.ts";
import type { BtfType } from "./type.ts";

/**
 * For each feature, the least BTF that needs it: the kernel has the feature if
 * `BPF_BTF_LOAD` takes the blob.
 */
export const btfProbes: Readonly<Record<keyof BtfFeatures, () => Uint8Array>> = {
  func: () => probe((b) => b.add({ kind: "func", name: "f", type: prototype(b), linkage: "static" })),
  funcGlobal: () => probe((b) => b.add({ kind: "func", name: "f", type: prototype(b), linkage: "global" })),
  datasec: () =>
    probe((b) => {
      const variable = b.add({ kind: "var", name: "v", type: b.add(int), linkage: "static" });
      b.add({ kind: "datasec", name: ".data", size: 4, variables: [{ type: variable, offset: 0, size: 4 }] });
    }),
  float: () => probe((b) => b.add({ kind: "float", name: "float", size: 4 })),
  declTag: () =>
    probe((b) => {
      const variable = b.add({ kind: "var", name: "v", type: b.add(int), linkage: "static" });
      b.add({ kind: "decl_tag", name: "tag", type: variable, component: -1 });
    }),
  typeTag: () => probe((b) => b.add({ kind: "ptr", type: b.add({ kind: "type_tag", name: "tag", type: b.add(int) }) })),
  enum64: () =>
    probe((b) => b.add({ kind: "enum64", name: "e", size: 8, signed: false, values: [{ name: "A", value: 0n }] })),
};

const int: BtfType = { kind: "int", name: "int", size: 4, bits: 32, encoding: "signed" };

function prototype(b: BtfBuilder): number {
  return b.add({ kind: "func_proto", returns: b.add(int), parameters: [] });
}

function probe(build: (b: BtfBuilder) => void): Uint8Array {
  const builder = new BtfBuilder();
  build(builder);
  return builder.encode();
}
