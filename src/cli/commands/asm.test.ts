import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CommanderError } from "commander";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runTool, toolSuite, TSX } from "../../testing/index.ts";
import { CommandError, UsageError } from "../errors.ts";
import { runCommand } from "../testing/run-command.ts";
import { command as asm } from "./asm.ts";
import { command as disasm } from "./disasm.ts";

const test = suite<{ directory: string }>("cli: asm, disasm");

const TSBPF = fileURLToPath(new URL("../tsbpf.ts", import.meta.url));
/** Runs the command in its own process, like a user. */
function tsbpf(input: string, ...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...TSX, TSBPF, ...args], {
    input,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { status, stdout, stderr };
}

const run = (command: typeof asm, ...args: readonly string[]) => runCommand(command(), ...args);

async function refused(
  kind: typeof CommandError | typeof CommanderError,
  message: RegExp,
  command: typeof asm,
  ...args: readonly string[]
): Promise<void> {
  try {
    await run(command, ...args);
  } catch (error) {
    assert.instance(error, kind);
    assert.match((error as Error).message, message);
    return;
  }
  assert.unreachable(`${args.join(" ")} was accepted`);
}

const TEXT = "; a program\nr1 = 0x1 ll\nloop:\n  if w1 != 0x50 goto loop\n  exit\n";
const HEX = "18010000010000000000000000000000\n5601ffff50000000\n9500000000000000\n";
const LISTING = "  r1 = 0x1 ll\nL1:\n  if w1 != 0x50 goto L1\n  exit\n";

test.before((context) => {
  context.directory = mkdtempSync(join(tmpdir(), "tsbpf-asm-"));
});
test.after((context) => rmSync(context.directory, { recursive: true }));

test("standard input to hexadecimal digits, one line per instruction, and back", () => {
  assert.equal(tsbpf(TEXT, "asm"), { status: 0, stdout: HEX, stderr: "" });
  assert.equal(tsbpf(HEX, "disasm", "-"), { status: 0, stdout: LISTING, stderr: "" });
});

test("a failure is one line with the position, and exit code 1", () => {
  assert.equal(tsbpf("exit\n  r1 = \n", "asm"), {
    status: 1,
    stdout: "",
    stderr:
      "error: standard input:2:8: expected a register, a number, a load, or map[…], subprog[…], btf[…], " +
      "but found the end of the line\n",
  });
});

test("files in, raw bytes out, and back", async ({ directory }) => {
  const source = join(directory, "a.s");
  const raw = join(directory, "a.bin");
  writeFileSync(source, TEXT);
  assert.is(await run(asm, source, "-o", raw), "");
  assert.is(readFileSync(raw).toString("hex"), HEX.replaceAll("\n", ""));
  assert.is(await run(disasm, raw, "--slots"), "  0: r1 = 0x1 ll\nL1:\n  2: if w1 != 0x50 goto L1\n  3: exit\n");
  writeFileSync(source, HEX);
  assert.is(await run(disasm, source), LISTING);
});

test("disasm --json prints JSON", async ({ directory }) => {
  const file = join(directory, "json.hex");
  writeFileSync(file, "9500000000000000");
  assert.equal(JSON.parse(await run(disasm, file, "--json")), [
    { functions: [], instructions: [{ text: "exit", opcode: 0x95, dst: 0, src: 0, offset: 0, immediate: 0 }] },
  ]);
});

test("bad input is refused with its name and position", async ({ directory }) => {
  const file = (name: string, content: string | Buffer): string => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  await refused(
    CommandError,
    /bad\.hex: cannot decode slot 0: no instruction has opcode 0xff$/,
    disasm,
    file("bad.hex", "ff00000000000000"),
  );
  await refused(
    CommandError,
    /odd\.hex: 3 hexadecimal digits are not a whole number of bytes$/,
    disasm,
    file("odd.hex", "950"),
  );
  await refused(
    CommandError,
    /jump\.s:1:1: label "x" is 32768 slots away/,
    asm,
    file("jump.s", `goto x\n${"exit\n".repeat(32_768)}x: exit`),
  );
  await refused(CommandError, /^cannot read .*none\.s: there is no such file/, asm, join(directory, "none.s"));
  await refused(
    CommandError,
    /^cannot write .*: there is no such file$/,
    asm,
    file("ok.s", "exit"),
    "-o",
    join(directory, "none", "x"),
  );
  await refused(
    CommandError,
    /cannot find connect9: it is neither a file nor a program pinned in \/nowhere$/,
    disasm,
    "connect9",
    "--pin",
    "/nowhere",
  );
  await refused(
    CommandError,
    /a\.o: /,
    disasm,
    file("a.o", Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46]), Buffer.alloc(20)])),
  );
});

test("--long-jumps makes jumps long", async ({ directory }) => {
  const source = join(directory, "long.s");
  writeFileSync(source, `goto x\n${"exit\n".repeat(32_768)}x: exit`);
  assert.ok((await run(asm, source, "--long-jumps")).startsWith("0600000000800000\n"));
});

test("usage errors", async ({ directory }) => {
  await refused(UsageError, /--id takes a program's id/, disasm, "--id", "x");
  await refused(UsageError, /give one of: a file, --id, --pinned/, disasm, "--id", "1", "--pinned", "/x");
  await refused(UsageError, /--section is for object files/, disasm, "--section", "x", "--id", "1");
  writeFileSync(join(directory, "a.hex"), HEX);
  await refused(
    UsageError,
    /--section is for object files, and .*a\.hex is not one/,
    disasm,
    join(directory, "a.hex"),
    "--section",
    "x",
  );
  await refused(CommanderError, /unknown option/, disasm, "--nonsense");
});

test.run();

const objects = toolSuite("cli: disasm of object files", ["clang-19", "llvm-mc-19"]);

objects("programs by name, with their source; other sections unrelocated", async () => {
  const directory = mkdtempSync(join(tmpdir(), "tsbpf-disasm-"));
  try {
    const object = join(directory, "a.o");
    writeFileSync(
      join(directory, "a.c"),
      `__attribute__((section("xdp"), used)) int pass(void *ctx)\n{\n\treturn 2;\n}\n` +
        `__attribute__((section("fentry/x"), used)) int other(void *ctx)\n{\n\treturn 0;\n}\n`,
    );
    const compile = () =>
      runTool("clang-19", "-O2", "-g", "-target", "bpfel", "-mcpu=v3", "-c", join(directory, "a.c"), "-o", object);
    compile();
    assert.is(
      await run(disasm, object, "--section", "fentry/x"),
      "; section fentry/x, program other, which cannot be loaded (section fentry/x, symbol other: " +
        "the section's name gives no program type that can be loaded " +
        "from the name alone: programs for a kernel function or type (fentry, fexit, fmod_ret, lsm, tp_btf, " +
        "iter, freplace, struct_ops) and flags such as " +
        "xdp.frags are not supported)\nother:\n  w0 = 0                                        ; a.c:7\n  exit\n",
    );
    assert.match(
      await run(disasm, object),
      /^; section xdp, program pass\npass:\n {2}w0 = 2[^]*\n; section fentry\/x, program other, which cannot be loaded/,
      "one unsupported section leaves the others",
    );
    writeFileSync(
      join(directory, "a.c"),
      `struct ops { int (*init)(void); };\n__attribute__((section(".struct_ops"), used)) struct ops mine;\n`,
    );
    compile();
    await refused(
      CommandError,
      /it contains no program: section \.struct_ops: it defines kernel operations/,
      disasm,
      object,
    );
    writeFileSync(
      join(directory, "a.c"),
      `__attribute__((section("xdp"), used)) int pass(void *ctx)\n{\n\treturn 2;\n}\n`,
    );
    compile();
    const listing =
      "; section xdp, program pass\npass:\n  w0 = 2                                        ; a.c:3\n  exit\n";
    assert.is(await run(disasm, object), listing);
    assert.is(await run(disasm, object, "--section", "xdp"), listing);
    await refused(
      CommandError,
      /it has no section nothing; its sections are .*xdp/,
      disasm,
      object,
      "--section",
      "nothing",
    );

    writeFileSync(join(directory, "a.s"), "f:\nexit\n");
    runTool("llvm-mc-19", "-triple=bpfel", "-filetype=obj", join(directory, "a.s"), "-o", object);
    await refused(CommandError, /it contains no program/, disasm, object);
    assert.is(
      await run(disasm, object, "--section", ".text"),
      "; section .text, not relocated (no program is loaded from it)\nf:\n  exit\n",
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});

objects.run();
