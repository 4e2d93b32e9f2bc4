import { suite } from "uvu";
import * as assert from "uvu/assert";
import { substituteSuite } from "./apt.ts";

const test = suite("apt sources of another suite");

const stanzas = `Types: deb deb-src
# a remark
URIs: mirror://example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: mirror://example/debian-security
Suites: bookworm-security
Components: main
`;

test("rewrites the stanza of the machine's own suite", () => {
  assert.equal(substituteSuite(stanzas, "bookworm", "trixie-backports"), {
    format: "sources",
    text:
      "Types: deb\nURIs: mirror://example/debian\nSuites: trixie-backports\nComponents: main\n" +
      "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
  });
});

test("rewrites the line of the machine's own suite, with its options", () => {
  const lines =
    "# remark\ndeb mirror://example/security bookworm-security main\n" +
    "deb [arch=amd64 signed-by=/k.gpg] mirror://example/debian bookworm main non-free\n";
  assert.equal(substituteSuite(lines, "bookworm", "bullseye"), {
    format: "list",
    text: "deb [arch=amd64 signed-by=/k.gpg] mirror://example/debian bullseye main\n",
  });
});

test("undefined if the file lacks the machine's suite, or main", () => {
  for (const text of [
    "",
    stanzas.replaceAll("bookworm", "sid"),
    "deb mirror://example/debian bookworm contrib\n",
    "deb-src mirror://example/debian bookworm main\n",
  ]) {
    assert.is(substituteSuite(text, "bookworm", "trixie"), undefined);
  }
});

test.run();
