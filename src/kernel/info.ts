/** The kernel's description of its programs, maps, links and BTF, and their lookup by id. */
import type { MapType, ProgramType } from "../types/index.ts";
import { bpf, tryBpf, type BpfCommand, type Referenced } from "./bpf.ts";
import { btfInfoStruct, cgroupLinkInfoStruct, idAttr, infoAttr, mapInfoStruct, programInfoStruct } from "./bpf-attr.ts";
import { BpfError } from "./bpf-error.ts";
import { Errno } from "./errno.ts";
import { Fd } from "./fd.ts";
import { addressOf, type NativeStruct } from "./ffi.ts";

/** A program in the kernel. */
export interface ProgramInfo {
  readonly id: number;
  readonly type: ProgramType;
  readonly name: string;
  /** Hash of the instructions: 8 bytes in hexadecimal. */
  readonly tag: string;
  /** Bytes of the instructions after verification, 8 per slot. */
  readonly xlatedLength: number;
  /** Bytes of machine code; 0 without JIT. */
  readonly jitedLength: number;
  readonly mapIds: readonly number[];
  /** Nanoseconds since boot. */
  readonly loadTime: bigint;
  readonly createdByUid: number;
  readonly gplCompatible: boolean;
  /** 0 without BTF. */
  readonly btfId: number;
  /** Total nanoseconds of all runs; counted only while statistics are enabled. */
  readonly runTimeNs: bigint;
  /** Number of runs; counted only while statistics are enabled. */
  readonly runCount: bigint;
  /** Instructions that the verifier processed (Linux 5.16; 0 before). */
  readonly verifiedInstructions: number;
}

/** A map in the kernel. */
export interface MapInfo {
  readonly id: number;
  readonly type: MapType;
  readonly name: string;
  /** Bytes. */
  readonly keySize: number;
  /** Bytes; for a per-CPU map, of one CPU's value. */
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  /** 0 without BTF. */
  readonly btfId: number;
  readonly btfKeyTypeId: number;
  readonly btfValueTypeId: number;
}

/** A link in the kernel. */
export interface LinkInfo {
  readonly id: number;
  /** `enum bpf_link_type`; 3 is a cgroup link. */
  readonly type: number;
  readonly programId: number;
  /** The inode number of the cgroup's directory; 0 once the link is detached. Only for cgroup links. */
  readonly cgroupId: bigint | undefined;
  /** Only for cgroup links. */
  readonly attachType: number | undefined;
}

/** A BTF object in the kernel. */
export interface BtfInfo {
  readonly id: number;
  /** Bytes. */
  readonly size: number;
  /** True for BTF of the kernel or one of its modules. */
  readonly kernel: boolean;
}

/** `BPF_LINK_TYPE_CGROUP`. */
const LINK_TYPE_CGROUP = 3;

function fillInfo(fd: Fd, info: NativeStruct<object>, subject: string, referenced: Referenced = []): void {
  const attr = infoAttr.create({ bpf_fd: fd.number, info_len: info.memory.byteLength, info: addressOf(info.memory) });
  bpf("BPF_OBJ_GET_INFO_BY_FD", attr, `${subject} (descriptor ${fd.number})`, [info.memory, ...referenced]);
}

/**
 * Describes a program (`BPF_OBJ_GET_INFO_BY_FD`).
 * @throws {BpfError}
 */
export function programInfo(program: Fd): ProgramInfo {
  const first = programInfoStruct.create();
  fillInfo(program, first, "program");
  const ids = new Uint32Array(first.nr_map_ids);
  const bytes = new Uint8Array(ids.buffer);
  const info = programInfoStruct.create({ nr_map_ids: ids.length, map_ids: addressOf(bytes) });
  fillInfo(program, info, "program", [bytes]);
  return {
    id: info.id,
    type: info.type as ProgramType,
    name: info.name,
    tag: Buffer.from(info.tag).toString("hex"),
    xlatedLength: info.xlated_prog_len,
    jitedLength: info.jited_prog_len,
    mapIds: [...ids.subarray(0, info.nr_map_ids)],
    loadTime: info.load_time,
    createdByUid: info.created_by_uid,
    gplCompatible: (info.gpl_compatible & 1) === 1,
    btfId: info.btf_id,
    runTimeNs: info.run_time_ns,
    runCount: info.run_cnt,
    verifiedInstructions: info.verified_insns,
  };
}

export interface ProgramCode {
  /** Encoded instructions after verification; empty if the kernel hides them (kernel.kptr_restrict). */
  readonly xlated: Uint8Array;
  /** Machine code. */
  readonly jited: Uint8Array;
}

/**
 * A program's instructions after verification, and its machine code.
 * @throws {BpfError}
 */
export function programCode(program: Fd): ProgramCode {
  const first = programInfoStruct.create();
  fillInfo(program, first, "program");
  const xlated = Buffer.alloc(first.xlated_prog_len);
  const jited = Buffer.alloc(first.jited_prog_len);
  const info = programInfoStruct.create({
    xlated_prog_len: xlated.byteLength,
    xlated_prog_insns: addressOf(xlated),
    jited_prog_len: jited.byteLength,
    jited_prog_insns: addressOf(jited),
  });
  fillInfo(program, info, "program", [xlated, jited]);
  return { xlated: xlated.subarray(0, info.xlated_prog_len), jited: jited.subarray(0, info.jited_prog_len) };
}

/** The source positions of a program's instructions, from its BTF. */
export interface ProgramRecords {
  /** The slot of each function's first instruction, and the id of its type, a `func`. */
  readonly functions: readonly { readonly slot: number; readonly type: number }[];
  /** The slot of each line's first instruction; `file` and `text` are offsets in the string section. */
  readonly lines: readonly {
    readonly slot: number;
    readonly file: number;
    readonly text: number;
    readonly line: number;
    readonly column: number;
  }[];
}

/**
 * The function and line records of a program, with slots that count verified instructions (`struct
 * bpf_func_info` and `struct bpf_line_info`). Empty for a program without BTF.
 * @throws {BpfError}
 */
export function programRecords(program: Fd): ProgramRecords {
  const first = programInfoStruct.create();
  fillInfo(program, first, "program");
  const functions = Buffer.alloc(first.nr_func_info * first.func_info_rec_size);
  const lines = Buffer.alloc(first.nr_line_info * first.line_info_rec_size);
  const info = programInfoStruct.create({
    nr_func_info: first.nr_func_info,
    func_info_rec_size: first.func_info_rec_size,
    func_info: addressOf(functions),
    nr_line_info: first.nr_line_info,
    line_info_rec_size: first.line_info_rec_size,
    line_info: addressOf(lines),
  });
  fillInfo(program, info, "program", [functions, lines]);
  return {
    functions: Array.from({ length: info.nr_func_info }, (_, i) => {
      const at = i * info.func_info_rec_size;
      return { slot: functions.readUInt32LE(at), type: functions.readUInt32LE(at + 4) };
    }),
    lines: Array.from({ length: info.nr_line_info }, (_, i) => {
      const at = i * info.line_info_rec_size;
      const position = lines.readUInt32LE(at + 12);
      return {
        slot: lines.readUInt32LE(at),
        file: lines.readUInt32LE(at + 4),
        text: lines.readUInt32LE(at + 8),
        line: position >>> 10,
        column: position & 0x3ff,
      };
    }),
  };
}

/**
 * Describes a map (`BPF_OBJ_GET_INFO_BY_FD`).
 * @throws {BpfError}
 */
export function mapInfo(map: Fd): MapInfo {
  const info = mapInfoStruct.create();
  fillInfo(map, info, "map");
  return {
    id: info.id,
    type: info.type as MapType,
    name: info.name,
    keySize: info.key_size,
    valueSize: info.value_size,
    maxEntries: info.max_entries,
    flags: info.map_flags,
    btfId: info.btf_id,
    btfKeyTypeId: info.btf_key_type_id,
    btfValueTypeId: info.btf_value_type_id,
  };
}

/**
 * Describes a link (`BPF_OBJ_GET_INFO_BY_FD`).
 * @throws {BpfError}
 */
export function linkInfo(link: Fd): LinkInfo {
  const info = cgroupLinkInfoStruct.create();
  fillInfo(link, info, "link");
  const cgroup = info.type === LINK_TYPE_CGROUP;
  return {
    id: info.id,
    type: info.type,
    programId: info.prog_id,
    cgroupId: cgroup ? info.cgroup_id : undefined,
    attachType: cgroup ? info.attach_type : undefined,
  };
}

/**
 * Describes BTF (`BPF_OBJ_GET_INFO_BY_FD`).
 * @throws {BpfError}
 */
export function btfInfo(btf: Fd): BtfInfo {
  const info = btfInfoStruct.create();
  fillInfo(btf, info, "BTF");
  return { id: info.id, size: info.btf_size, kernel: info.kernel_btf !== 0 };
}

/**
 * The encoded BTF.
 * @throws {BpfError}
 */
export function btfBytes(btf: Fd): Uint8Array {
  const bytes = Buffer.alloc(btfInfo(btf).size);
  fillInfo(btf, btfInfoStruct.create({ btf: addressOf(bytes), btf_size: bytes.byteLength }), "BTF", [bytes]);
  return bytes;
}

/** Kinds of BPF objects that have ids. */
export type ObjectKind = "program" | "map" | "link" | "btf";

const NEXT_ID: Readonly<Record<ObjectKind, BpfCommand>> = {
  program: "BPF_PROG_GET_NEXT_ID",
  map: "BPF_MAP_GET_NEXT_ID",
  link: "BPF_LINK_GET_NEXT_ID",
  btf: "BPF_BTF_GET_NEXT_ID",
};

const BY_ID: Readonly<Record<ObjectKind, BpfCommand>> = {
  program: "BPF_PROG_GET_FD_BY_ID",
  map: "BPF_MAP_GET_FD_BY_ID",
  link: "BPF_LINK_GET_FD_BY_ID",
  btf: "BPF_BTF_GET_FD_BY_ID",
};

/**
 * The ids of all objects of a kind on this machine, in ascending order.
 * @throws {BpfError} EPERM without CAP_SYS_ADMIN
 */
export function objectIds(kind: ObjectKind): number[] {
  const ids: number[] = [];
  const attr = idAttr.create();
  for (;;) {
    const { result, errno } = tryBpf(NEXT_ID[kind], attr);
    if (result < 0) {
      if (errno === Errno.ENOENT) return ids;
      throw new BpfError(NEXT_ID[kind], `list of ${kind}s`, errno);
    }
    ids.push(attr.next_id);
    attr.id = attr.next_id;
  }
}

/**
 * Opens an object by id.
 * @returns undefined if the object no longer exists
 * @throws {BpfError}
 */
export function openById(kind: ObjectKind, id: number): Fd | undefined {
  const { result, errno } = tryBpf(BY_ID[kind], idAttr.create({ id }));
  if (result >= 0) return new Fd(result);
  if (errno === Errno.ENOENT) return undefined;
  throw new BpfError(BY_ID[kind], `${kind} ${id}`, errno);
}
