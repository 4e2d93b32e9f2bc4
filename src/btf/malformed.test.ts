import { suite } from "uvu";
import * as assert from "uvu/assert";
import { damaged, truncated } from "../testing/damage.ts";
import { everyKindBuilder } from "./testing/every-kind.ts";
import {
  Btf,
  BtfError,
  CoreKind,
  CoreRelocations,
  declaration,
  definition,
  encodeBtfExt,
  findMember,
  parseBtfExt,
  schemaOf,
  sectionSchema,
  sizeOf,
  skipModifiers,
} from "./index.ts";

const test = suite("btf: malformed");

const good = everyKindBuilder().encode();
const intact = new Btf(good);

const coreKinds = Object.values(CoreKind);
let turn = 0;

// The traces of many thousand errors that are only counted take most of the time.
test.before(() => void (Error.stackTraceLimit = 0));
test.after(() => void (Error.stackTraceLimit = 10));

/** Asks a BTF everything that there is to ask; gives the number of answers. */
function interrogate(btf: Btf): number {
  let answers = 0;
  const ask = (question: () => unknown) => {
    try {
      question();
      answers++;
    } catch (error) {
      if (!(error instanceof BtfError)) throw error;
    }
  };
  for (let id = 0; id <= btf.typeCount; id++) {
    ask(() => btf.type(id));
    ask(() => definition(btf, id));
    ask(() => declaration(btf, id, "x"));
    ask(() => sizeOf(btf, id));
    ask(() => skipModifiers(btf, id));
    ask(() => findMember(btf, id, "word"));
    ask(() => schemaOf(btf, id));
    ask(() => {
      const type = btf.type(id);
      return type.kind === "datasec" ? sectionSchema(btf, "x", { variables: type.variables, size: 8 }) : undefined;
    });
    ask(() => btf.find("struct", btf.name(id)));
    // One kind of relocation for each type, another one each time: all of them would take a minute.
    const kind = coreKinds[turn++ % coreKinds.length]!;
    ask(() => new CoreRelocations(btf, () => intact).resolve({ offset: 0, type: id, access: "0:1", kind }));
    ask(() => new CoreRelocations(intact, () => btf).resolve({ offset: 0, type: id, access: "0:2:0", kind }));
  }
  return answers;
}

function survives(blob: Uint8Array): boolean {
  let btf: Btf;
  try {
    btf = new Btf(blob);
  } catch (error) {
    if (error instanceof BtfError) return false;
    throw error;
  }
  return interrogate(btf) > 0;
}

test("the intact one answers", () => {
  assert.ok(interrogate(intact) > 150);
});

test("cut off at every byte, it is refused", () => {
  for (const blob of truncated(good)) assert.not(survives(blob), `cut to ${blob.length} bytes`);
});

test("with random bytes changed, it answers or throws a BtfError", () => {
  let accepted = 0;
  const cases = [...damaged(good, 1000)];
  for (const blob of cases) if (survives(blob)) accepted++;
  assert.ok(accepted > 100 && accepted < cases.length, `${accepted} of ${cases.length} are accepted`);
});

test("types that contain themselves do not loop", () => {
  const view = (id: number, at: number, value: number) => {
    const blob = everyKindBuilder().encode();
    let offset = 24;
    for (let i = 1; i < id; i++) offset += lengthOf(intact, i);
    new DataView(blob.buffer).setUint32(offset + at, value, true);
    return blob;
  };
  const circles = [
    view(14, 8, 15), // typedef → const → typedef
    view(6, 12, 6), // an array of itself
    view(9, 12 + 24 + 4, 9), // a struct with itself as an anonymous member
    view(8, 12 + 4, 9), // a union in a struct in the union
    view(4, 8, 4), // a pointer to itself
    view(19, 12 + 4, 31), // a function that takes pointers to itself, …
    view(17, 8, 31), // …
  ];
  for (const blob of circles) assert.ok(survives(blob));
});

/** Bytes of a type, as its neighbours' places show. */
function lengthOf(btf: Btf, id: number): number {
  const type = btf.type(id);
  const elements =
    "members" in type
      ? type.members.length * 12
      : "variables" in type
        ? type.variables.length * 12
        : "parameters" in type
          ? type.parameters.length * 8
          : type.kind === "enum"
            ? type.values.length * 8
            : type.kind === "enum64"
              ? type.values.length * 12
              : 0;
  const fixed =
    type.kind === "int" || type.kind === "var" || type.kind === "decl_tag" ? 4 : type.kind === "array" ? 12 : 0;
  return 12 + fixed + elements;
}

test(".BTF.ext: cut off or changed, it is refused or read", () => {
  const builder = everyKindBuilder();
  const name = builder.string("cgroup/connect4");
  const ext = encodeBtfExt(
    [
      {
        name,
        records: [
          [0, 20],
          [64, 21],
        ],
      },
    ],
    [
      {
        name,
        records: [
          [0, 1, 1, 1025],
          [8, 1, 1, 2050],
        ],
      },
    ],
  );
  const btf = new Btf(builder.encode());
  const read = (bytes: Uint8Array): boolean => {
    try {
      parseBtfExt(bytes, btf);
      return true;
    } catch (error) {
      if (error instanceof BtfError) return false;
      throw error;
    }
  };
  assert.equal(parseBtfExt(ext, btf), {
    functions: new Map([
      [
        "cgroup/connect4",
        [
          { offset: 0, type: 20 },
          { offset: 64, type: 21 },
        ],
      ],
    ]),
    lines: new Map([
      [
        "cgroup/connect4",
        [
          { offset: 0, file: 1, text: 1, line: 1, column: 1 },
          { offset: 8, file: 1, text: 1, line: 2, column: 2 },
        ],
      ],
    ]),
    core: new Map(),
  });
  for (const bytes of truncated(ext)) assert.not(read(bytes), `cut to ${bytes.length} bytes`);
  let refused = 0;
  for (const bytes of damaged(ext, 2000)) if (!read(bytes)) refused++;
  assert.ok(refused > 100);
});

test.run();
