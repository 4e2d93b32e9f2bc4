import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatTable } from "./table.ts";

const test = suite("table");

test("aligns text left and numbers right, without trailing blanks", () => {
  assert.is(
    formatTable(
      [{ header: "map" }, { header: "entries", align: "right" }, { header: "type" }],
      [
        ["services", "65536", "hash"],
        ["flows", "0", "sk_storage"],
      ],
    ),
    "map       entries  type\n" + "services    65536  hash\n" + "flows           0  sk_storage\n",
  );
});

test("emphasis has no width", () => {
  assert.is(
    formatTable([{ header: "a" }, { header: "b" }], [["1234", "5"]], (text) => `<b>${text}</b>`),
    "<b>a</b>     <b>b</b>\n1234  5\n",
  );
});

test("a cell cannot command the terminal", () => {
  assert.is(formatTable([{ header: "name" }], [["a\u001b[2Jb\n"]]), "name\na\\x1b[2Jb\\x0a\n");
});

test.run();
