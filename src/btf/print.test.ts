import { suite } from "uvu";
import * as assert from "uvu/assert";
import { everyKindBuilder } from "./testing/every-kind.ts";
import { Btf, BtfError, declaration, definition, fieldOf, findMember, sizeOf, skipModifiers } from "./index.ts";

const test = suite("btf: C declarations, sizes, fields");

const builder = everyKindBuilder();
const handlers = builder.add({ kind: "array", element: 31, index: 1, length: 2 });
const constantPointer = builder.add({ kind: "const", type: 4 });
const matrix = builder.add({ kind: "array", element: 6, index: 1, length: 3 });
const variadic = builder.add({
  kind: "func_proto",
  returns: 0,
  parameters: [
    { name: "format", type: 4 },
    { name: "", type: 0 },
  ],
});
const print = builder.add({ kind: "func", name: "print", type: variadic, linkage: "extern" });
const btf = new Btf(builder.encode());

const definitions: readonly [id: number, text: string][] = [
  [9, "struct point {\n\tint x;\n\tint y;\n\tunion {\n\t\tint word;\n\t\tunsigned char bytes[4];\n\t};\n};"],
  [10, "struct flags {\n\tint low:3;\n\tint high:29;\n};"],
  [11, "enum colour {\n\tRED = 0,\n\tNONE = -1,\n};"],
  [12, "struct sock;"],
  [13, "union either;"],
  [14, "typedef point_t;".replace("point_t", "struct point point_t")],
  [20, "int connect4(void *ctx, const point_t *p);"],
  [21, "static int helper(void *ctx, const point_t *p);"],
  [22, "int counter;"],
  [23, "/* section .data, 8 bytes */\nint counter;"],
  [29, "enum wide {\n\tBIG = 18446744069414584321,\n};"],
  [print, "extern void print(int *format, ...);"],
];

for (const [id, text] of definitions) test(text.split("\n")[0]!, () => assert.is(definition(btf, id), text));

const declarations: readonly [id: number, text: string][] = [
  [4, "int *name"],
  [5, "void *name"],
  [6, "int name[7]"],
  [matrix, "int name[3][7]"],
  [32, "int (*name)[7]"],
  [31, "int (*name)(void *ctx, const point_t *p)"],
  [handlers, "int (*name[2])(void *ctx, const point_t *p)"],
  [17, "const point_t *name"],
  [18, "const point_t *restrict name"],
  [constantPointer, "int *const name"],
  [16, "volatile int name"],
  [9, "struct point name"],
  [12, "struct sock name"],
];

for (const [id, text] of declarations) {
  test(text, () => {
    assert.is(declaration(btf, id, "name"), text);
    assert.is(declaration(btf, id), text.replace(/ ?name/, ""));
  });
}

test("sizes", () => {
  assert.equal(
    [1, 3, 4, 6, 7, 9, 14, 15, 23, 24, 29, matrix].map((id) => sizeOf(btf, id)),
    [4, 1, 8, 28, 4, 12, 12, 12, 8, 8, 8, 84],
  );
  for (const id of [0, 12, 19, 20])
    assert.throws(
      () => sizeOf(btf, id),
      (error: unknown) => error instanceof BtfError && /has no size/.test(error.message),
    );
});

test("fields, through typedefs and anonymous unions", () => {
  assert.is(skipModifiers(btf, 15), 9);
  assert.equal(fieldOf(btf, 15, "y"), { offset: 32, type: 1, bits: 0 });
  assert.equal(fieldOf(btf, 9, "bytes"), { offset: 64, type: 7, bits: 0 });
  assert.equal(fieldOf(btf, 10, "high"), { offset: 3, type: 1, bits: 29 });
  assert.is(findMember(btf, 9, "z"), undefined);
  assert.throws(() => fieldOf(btf, 9, "z"), /point has no member z/);
  assert.throws(() => fieldOf(btf, 9, "x.y"), /type 1 is a int, which has no member y/);
});

test.run();
