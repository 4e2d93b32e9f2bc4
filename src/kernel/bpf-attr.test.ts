import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as attrs from "./bpf-attr.ts";

const test = suite("kernel: layout of bpf_attr");

interface Layout {
  readonly size: number;
  readonly offsets: Readonly<Record<string, number>>;
}

/** Offsets in bytes, as a C compiler gives them for linux/bpf.h. */
const expected: Readonly<Record<keyof typeof attrs, Readonly<Record<string, number>>>> = {
  mapCreateAttr: {
    map_type: 0,
    key_size: 4,
    value_size: 8,
    max_entries: 12,
    map_flags: 16,
    inner_map_fd: 20,
    numa_node: 24,
    map_name: 28,
    map_ifindex: 44,
    btf_fd: 48,
    btf_key_type_id: 52,
    btf_value_type_id: 56,
    btf_vmlinux_value_type_id: 60,
    map_extra: 64,
  },
  mapElementAttr: { map_fd: 0, key: 8, value: 16, flags: 24 },
  mapBatchAttr: { in_batch: 0, out_batch: 8, keys: 16, values: 24, count: 32, map_fd: 36, elem_flags: 40, flags: 48 },
  programLoadAttr: {
    prog_type: 0,
    insn_cnt: 4,
    insns: 8,
    license: 16,
    log_level: 24,
    log_size: 28,
    log_buf: 32,
    kern_version: 40,
    prog_flags: 44,
    prog_name: 48,
    prog_ifindex: 64,
    expected_attach_type: 68,
    prog_btf_fd: 72,
    func_info_rec_size: 76,
    func_info: 80,
    func_info_cnt: 88,
    line_info_rec_size: 92,
    line_info: 96,
    line_info_cnt: 104,
    attach_btf_id: 108,
    attach_btf_obj_fd: 112,
    core_relo_cnt: 116,
    fd_array: 120,
    core_relos: 128,
    core_relo_rec_size: 136,
    log_true_size: 140,
  },
  objectAttr: { pathname: 0, bpf_fd: 8, file_flags: 12 },
  programAttachAttr: { target_fd: 0, attach_bpf_fd: 4, attach_type: 8, attach_flags: 12, replace_bpf_fd: 16 },
  testRunAttr: {
    prog_fd: 0,
    retval: 4,
    data_size_in: 8,
    data_size_out: 12,
    data_in: 16,
    data_out: 24,
    repeat: 32,
    duration: 36,
    ctx_size_in: 40,
    ctx_size_out: 44,
    ctx_in: 48,
    ctx_out: 56,
    flags: 64,
    cpu: 68,
    batch_size: 72,
  },
  idAttr: { id: 0, next_id: 4, open_flags: 8 },
  infoAttr: { bpf_fd: 0, info_len: 4, info: 8 },
  queryAttr: {
    target_fd: 0,
    attach_type: 4,
    query_flags: 8,
    attach_flags: 12,
    prog_ids: 16,
    prog_cnt: 24,
    prog_attach_flags: 32,
  },
  btfLoadAttr: { btf: 0, btf_log_buf: 8, btf_size: 16, btf_log_size: 20, btf_log_level: 24 },
  linkCreateAttr: { prog_fd: 0, target_fd: 4, attach_type: 8, flags: 12 },
  linkUpdateAttr: { link_fd: 0, new_prog_fd: 4, flags: 8, old_prog_fd: 12 },
  linkDetachAttr: { link_fd: 0 },
  enableStatsAttr: { type: 0 },
  programBindMapAttr: { prog_fd: 0, map_fd: 4, flags: 8 },
  programInfoStruct: {
    type: 0,
    id: 4,
    tag: 8,
    jited_prog_len: 16,
    xlated_prog_len: 20,
    jited_prog_insns: 24,
    xlated_prog_insns: 32,
    load_time: 40,
    created_by_uid: 48,
    nr_map_ids: 52,
    map_ids: 56,
    name: 64,
    ifindex: 80,
    gpl_compatible: 84,
    netns_dev: 88,
    netns_ino: 96,
    nr_jited_ksyms: 104,
    nr_jited_func_lens: 108,
    jited_ksyms: 112,
    jited_func_lens: 120,
    btf_id: 128,
    func_info_rec_size: 132,
    func_info: 136,
    nr_func_info: 144,
    nr_line_info: 148,
    line_info: 152,
    jited_line_info: 160,
    nr_jited_line_info: 168,
    line_info_rec_size: 172,
    jited_line_info_rec_size: 176,
    nr_prog_tags: 180,
    prog_tags: 184,
    run_time_ns: 192,
    run_cnt: 200,
    recursion_misses: 208,
    verified_insns: 216,
    attach_btf_obj_id: 220,
    attach_btf_id: 224,
  },
  mapInfoStruct: {
    type: 0,
    id: 4,
    key_size: 8,
    value_size: 12,
    max_entries: 16,
    map_flags: 20,
    name: 24,
    ifindex: 40,
    btf_vmlinux_value_type_id: 44,
    netns_dev: 48,
    netns_ino: 56,
    btf_id: 64,
    btf_key_type_id: 68,
    btf_value_type_id: 72,
    map_extra: 80,
  },
  btfInfoStruct: { btf: 0, btf_size: 8, id: 12, name: 16, name_len: 24, kernel_btf: 28 },
  cgroupLinkInfoStruct: { type: 0, id: 4, prog_id: 8, cgroup_id: 16, attach_type: 24 },
};

/** Each struct in C: its type, the prefix of its fields, and fields with other names. */
const inC: Readonly<
  Record<keyof typeof attrs, { type?: string; prefix?: string; names?: Readonly<Record<string, string>> }>
> = {
  mapCreateAttr: {},
  mapElementAttr: {},
  mapBatchAttr: { prefix: "batch." },
  programLoadAttr: {},
  objectAttr: {},
  programAttachAttr: {},
  testRunAttr: { prefix: "test." },
  idAttr: { names: { id: "start_id" } },
  infoAttr: { prefix: "info." },
  queryAttr: { prefix: "query." },
  btfLoadAttr: {},
  linkCreateAttr: { prefix: "link_create." },
  linkUpdateAttr: { prefix: "link_update." },
  linkDetachAttr: { prefix: "link_detach." },
  enableStatsAttr: { prefix: "enable_stats." },
  programBindMapAttr: { prefix: "prog_bind_map." },
  programInfoStruct: { type: "struct bpf_prog_info", names: { gpl_compatible: "" } },
  mapInfoStruct: { type: "struct bpf_map_info" },
  btfInfoStruct: { type: "struct bpf_btf_info" },
  cgroupLinkInfoStruct: {
    type: "struct bpf_link_info",
    names: { cgroup_id: "cgroup.cgroup_id", attach_type: "cgroup.attach_type" },
  },
};

/** Fields that the headers of Linux 5.10 to 6.3 may lack. */
const NEWER: ReadonlySet<string> = new Set([
  "log_true_size",
  "prog_attach_flags",
  "map_extra",
  "batch_size",
  "attach_btf_obj_id",
  "core_relo_cnt",
  "core_relos",
  "core_relo_rec_size",
  "verified_insns",
]);

function layouts(): [keyof typeof attrs, Layout][] {
  return Object.entries(attrs).map(([name, { size, offsets }]) => [name as keyof typeof attrs, { size, offsets }]);
}

for (const [name, layout] of layouts()) {
  test(`${name} has the header's offsets`, () => {
    assert.equal(layout.offsets, expected[name]);
  });
}

/** The offsets in this machine's own header; undefined without a compiler or header. */
function offsetsByCompiler(): Map<string, number> | undefined {
  const fields = layouts().flatMap(([struct, { offsets }]) => {
    const { type = "union bpf_attr", prefix = "", names = {} } = inC[struct];
    return Object.keys(offsets)
      .filter((field) => !NEWER.has(field) && names[field] !== "")
      .map((field) => `printf("${struct}.${field} %zu\\n", offsetof(${type}, ${prefix}${names[field] ?? field}));`);
  });
  const directory = mkdtempSync(join(tmpdir(), "tsbpf-"));
  try {
    writeFileSync(
      join(directory, "offsets.c"),
      `#include <linux/bpf.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) { ${fields.join("\n")} }\n`,
    );
    execFileSync("cc", ["-o", join(directory, "offsets"), join(directory, "offsets.c")], { stdio: "pipe" });
    const lines = execFileSync(join(directory, "offsets"), { encoding: "utf8" }).trim().split("\n");
    return new Map(lines.map((line) => [line.split(" ")[0]!, Number(line.split(" ")[1])]));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || /linux\/bpf\.h: No such file/.test(String(error)))
      return undefined;
    throw error;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const compiled = offsetsByCompiler();
if (compiled === undefined) process.stderr.write("SKIPPED: comparing the layout needs a C compiler and linux/bpf.h\n");
(compiled === undefined ? test.skip : test)("this machine's linux/bpf.h agrees", () => {
  const ours = new Map(
    layouts().flatMap(([struct, { offsets }]) =>
      Object.entries(offsets).map(([field, offset]) => [`${struct}.${field}`, offset]),
    ),
  );
  for (const [field, offset] of compiled!) assert.is(ours.get(field), offset, field);
  assert.ok(compiled!.size > 130, `${compiled!.size} fields were compared`);
});

test.run();
