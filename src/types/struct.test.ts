import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import fc from "fast-check";
import { hasTool, withDirectory } from "../testing/index.ts";
import {
  alignUp,
  arrayOf,
  be16,
  be32,
  be64,
  decodeValue,
  encodeValue,
  i16,
  i32,
  i64,
  i8,
  ipv6,
  struct,
  structWithLayout,
  u16,
  u32,
  u64,
  u8,
  type Schema,
  type StructSchema,
} from "./index.ts";

const test = suite("structs");

const Inner = struct("inner", { a: u8, b: u32 });
const Outer = struct("outer", { flag: u8, inner: Inner, port: be16, list: arrayOf(u16, 3), wide: u64 });
const value = { flag: 1, inner: { a: 2, b: 3 }, port: 0x0405, list: [6, 7, 8], wide: 9n };

test("fields lie at their natural alignment, and the size is a multiple of the largest", () => {
  assert.equal(
    Outer.layout.map(({ name, offset }) => [name, offset]),
    [
      ["flag", 0],
      ["inner", 4],
      ["port", 12],
      ["list", 14],
      ["wide", 24],
    ],
  );
  assert.equal([Outer.size, Outer.align], [32, 8]);
});

test("an empty struct has no bytes", () => assert.equal([struct("e", {}).size, struct("e", {}).align], [0, 1]));

test("values are read back as they were written, and padding is zero", () => {
  const bytes = new Uint8Array(40).fill(0xff);
  Outer.write(new DataView(bytes.buffer), 4, value);
  assert.equal(decodeValue(Outer, bytes, 4), value);
  const written = encodeValue(Outer, value);
  for (const padding of [1, 2, 3, 5, 6, 7, 20, 21, 22, 23]) assert.is(written[padding], 0, `byte ${padding}`);
  assert.equal([...bytes.subarray(0, 4), ...bytes.subarray(36)], new Array(8).fill(0xff));
});

test("a missing field is an error that names it, however deep", () => {
  assert.throws(
    () => encodeValue<unknown>(Outer, { ...value, port: undefined }),
    /port: missing in the value of struct outer/,
  );
  assert.throws(
    () => encodeValue<unknown>(Outer, { ...value, inner: { a: 2 } }),
    /inner\.b: missing in the value of struct inner/,
  );
  assert.throws(
    () => encodeValue<unknown>(Outer, { ...value, list: [1, 2] }),
    /list: 2 elements, but u16\[3\] takes 3/,
  );
});

test("a given layout may be packed or have gaps", () => {
  const packed = structWithLayout("packed", [field("a", u8, 0), field("b", u32, 1)], 5);
  assert.equal([packed.size, packed.align], [5, 1]);
  assert.equal([...encodeValue<unknown>(packed, { a: 1, b: 0x05040302 })], [1, 2, 3, 4, 5]);
  const gap = structWithLayout("gap", [field("a", u8, 0), field("b", u32, 8)], 16);
  assert.equal([gap.size, gap.align], [16, 4]);
  assert.throws(
    () => structWithLayout("short", [field("a", u32, 2)], 4),
    /struct short: a ends after the struct's 4 bytes/,
  );
});

function field(name: string, schema: Schema, offset: number) {
  return { name, schema, offset };
}

test("alignUp gives the next multiple", () => {
  assert.equal(
    [0, 1, 7, 8, 9].map((offset) => alignUp(offset, 8)),
    [0, 8, 8, 8, 16],
  );
});

const cTypes = new Map<Schema, string>([
  [u8, "unsigned char"],
  [i8, "signed char"],
  [u16, "unsigned short"],
  [i16, "short"],
  [be16, "unsigned short"],
  [u32, "unsigned int"],
  [i32, "int"],
  [be32, "unsigned int"],
  [u64, "unsigned long long"],
  [i64, "long long"],
  [be64, "unsigned long long"],
]);

/** The declaration of a field in C; an inner struct is declared in place. */
function declare(schema: Schema, name: string): string {
  if (schema.kind === "struct") return `struct { ${members(schema as StructSchema)} } ${name};`;
  if (schema === ipv6) return `unsigned int ${name}[4];`;
  if (schema.kind === "array") {
    const { element, length } = schema as Schema & { readonly element: Schema; readonly length: number };
    return declare(element, `${name}[${length}]`);
  }
  return `${cTypes.get(schema)!} ${name};`;
}

const members = ({ layout }: StructSchema): string => layout.map(({ schema, name }) => declare(schema, name)).join(" ");

const { schema: anySchema } = fc.letrec<{ schema: Schema; struct: StructSchema }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<Schema[]>(...cTypes.keys(), ipv6),
    fc.tuple(tie("schema"), fc.integer({ min: 1, max: 5 })).map(([element, length]) => arrayOf(element, length)),
    tie("struct"),
  ),
  struct: fc
    .array(tie("schema"), { minLength: 1, maxLength: 6 })
    .map((schemas) => struct("s", Object.fromEntries(schemas.map((schema, i) => [`f${i}`, schema])))),
}));

if (!hasTool("gcc")) process.stderr.write('SKIPPED, "layouts are a C compiler\'s": gcc is not installed\n');
else {
  test("layouts are a C compiler's, for 200 random structs", () => {
    const seed = Number(process.env["TSBPF_SEED"] ?? Date.now() & 0x7fffffff);
    const structs = fc
      .sample(fc.array(anySchema, { minLength: 1, maxLength: 8 }), { numRuns: 200, seed })
      .map((schemas, n) => struct(`s${n}`, Object.fromEntries(schemas.map((schema, i) => [`f${i}`, schema]))));
    const prints = structs.flatMap((schema) => [
      `printf("%zu %zu\\n", sizeof(struct ${schema.name}), _Alignof(struct ${schema.name}));`,
      ...schema.layout.map(({ name }) => `printf("%zu\\n", offsetof(struct ${schema.name}, ${name}));`),
    ]);
    const declarations = structs.map((schema) => `struct ${schema.name} { ${members(schema)} };`);
    const source =
      `#include <stddef.h>\n#include <stdio.h>\n${declarations.join("\n")}\n` +
      `int main(void) {\n${prints.join("\n")}\n}\n`;
    const ours = structs.flatMap(({ size, align, layout }) => [
      `${size} ${align}`,
      ...layout.map(({ offset }) => `${offset}`),
    ]);
    const theirs = withDirectory((directory) => {
      writeFileSync(join(directory, "layouts.c"), source);
      execFileSync("gcc", ["-O0", "-o", join(directory, "layouts"), join(directory, "layouts.c")]);
      return execFileSync(join(directory, "layouts"), { encoding: "utf8" }).trim().split("\n");
    });
    assert.equal(ours, theirs, `seed ${seed} (TSBPF_SEED)`);
  });
}

test.run();
