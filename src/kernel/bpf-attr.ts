/**
 * The members of `union bpf_attr` and the info structs, as linux/bpf.h lays them out, under the header's names.
 *
 * The kernel accepts a struct longer than its own if the excess is zero, and a shorter one. One declaration
 * therefore serves every kernel.
 */
import { nativeStruct } from "./ffi.ts";

/** For `BPF_MAP_CREATE`. */
export const mapCreateAttr = nativeStruct({
  map_type: "u32",
  key_size: "u32",
  value_size: "u32",
  max_entries: "u32",
  map_flags: "u32",
  inner_map_fd: "u32",
  numa_node: "u32",
  map_name: "name",
  map_ifindex: "u32",
  btf_fd: "u32",
  btf_key_type_id: "u32",
  btf_value_type_id: "u32",
  btf_vmlinux_value_type_id: "u32",
  map_extra: "u64",
});

/** For `BPF_MAP_*_ELEM`, `BPF_MAP_GET_NEXT_KEY` (where `value` is `next_key`) and `BPF_MAP_FREEZE`. */
export const mapElementAttr = nativeStruct({
  map_fd: "u32",
  key: "u64",
  value: "u64",
  flags: "u64",
});

/** For `BPF_MAP_*_BATCH`. */
export const mapBatchAttr = nativeStruct({
  in_batch: "u64",
  out_batch: "u64",
  keys: "u64",
  values: "u64",
  count: "u32",
  map_fd: "u32",
  elem_flags: "u64",
  flags: "u64",
});

/** For `BPF_PROG_LOAD`. */
export const programLoadAttr = nativeStruct({
  prog_type: "u32",
  insn_cnt: "u32",
  insns: "u64",
  license: "u64",
  log_level: "u32",
  log_size: "u32",
  log_buf: "u64",
  kern_version: "u32",
  prog_flags: "u32",
  prog_name: "name",
  prog_ifindex: "u32",
  expected_attach_type: "u32",
  prog_btf_fd: "u32",
  func_info_rec_size: "u32",
  func_info: "u64",
  func_info_cnt: "u32",
  line_info_rec_size: "u32",
  line_info: "u64",
  line_info_cnt: "u32",
  attach_btf_id: "u32",
  attach_btf_obj_fd: "u32",
  core_relo_cnt: "u32",
  fd_array: "u64",
  core_relos: "u64",
  core_relo_rec_size: "u32",
  /** Written by Linux 6.4 and newer: bytes that the whole log needs. */
  log_true_size: "u32",
});

/** For `BPF_OBJ_PIN` and `BPF_OBJ_GET`. */
export const objectAttr = nativeStruct({
  pathname: "u64",
  bpf_fd: "u32",
  file_flags: "u32",
});

/** For `BPF_PROG_ATTACH` and `BPF_PROG_DETACH`. */
export const programAttachAttr = nativeStruct({
  target_fd: "u32",
  attach_bpf_fd: "u32",
  attach_type: "u32",
  attach_flags: "u32",
  replace_bpf_fd: "u32",
});

/** For `BPF_PROG_TEST_RUN`. */
export const testRunAttr = nativeStruct({
  prog_fd: "u32",
  retval: "u32",
  data_size_in: "u32",
  data_size_out: "u32",
  data_in: "u64",
  data_out: "u64",
  repeat: "u32",
  duration: "u32",
  ctx_size_in: "u32",
  ctx_size_out: "u32",
  ctx_in: "u64",
  ctx_out: "u64",
  flags: "u32",
  cpu: "u32",
  batch_size: "u32",
});

/** For `BPF_*_GET_NEXT_ID` (`id` is `start_id`) and `BPF_*_GET_FD_BY_ID`. */
export const idAttr = nativeStruct({
  id: "u32",
  next_id: "u32",
  open_flags: "u32",
});

/** For `BPF_OBJ_GET_INFO_BY_FD`. */
export const infoAttr = nativeStruct({
  bpf_fd: "u32",
  info_len: "u32",
  info: "u64",
});

/** For `BPF_PROG_QUERY`. */
export const queryAttr = nativeStruct({
  target_fd: "u32",
  attach_type: "u32",
  query_flags: "u32",
  attach_flags: "u32",
  prog_ids: "u64",
  prog_cnt: "u32",
  prog_attach_flags: "u64",
});

/** For `BPF_BTF_LOAD`. */
export const btfLoadAttr = nativeStruct({
  btf: "u64",
  btf_log_buf: "u64",
  btf_size: "u32",
  btf_log_size: "u32",
  btf_log_level: "u32",
});

/** For `BPF_LINK_CREATE` to a cgroup or a network device. */
export const linkCreateAttr = nativeStruct({
  prog_fd: "u32",
  target_fd: "u32",
  attach_type: "u32",
  flags: "u32",
});

/** For `BPF_LINK_UPDATE`. */
export const linkUpdateAttr = nativeStruct({
  link_fd: "u32",
  new_prog_fd: "u32",
  flags: "u32",
  old_prog_fd: "u32",
});

/** For `BPF_LINK_DETACH`. */
export const linkDetachAttr = nativeStruct({ link_fd: "u32" });

/** For `BPF_ENABLE_STATS`. */
export const enableStatsAttr = nativeStruct({ type: "u32" });

/** For `BPF_PROG_BIND_MAP`. */
export const programBindMapAttr = nativeStruct({
  prog_fd: "u32",
  map_fd: "u32",
  flags: "u32",
});

/** `struct bpf_prog_info`. */
export const programInfoStruct = nativeStruct({
  type: "u32",
  id: "u32",
  tag: "tag",
  jited_prog_len: "u32",
  xlated_prog_len: "u32",
  jited_prog_insns: "u64",
  xlated_prog_insns: "u64",
  load_time: "u64",
  created_by_uid: "u32",
  nr_map_ids: "u32",
  map_ids: "u64",
  name: "name",
  ifindex: "u32",
  /** The lowest bit only. */
  gpl_compatible: "u32",
  netns_dev: "u64",
  netns_ino: "u64",
  nr_jited_ksyms: "u32",
  nr_jited_func_lens: "u32",
  jited_ksyms: "u64",
  jited_func_lens: "u64",
  btf_id: "u32",
  func_info_rec_size: "u32",
  func_info: "u64",
  nr_func_info: "u32",
  nr_line_info: "u32",
  line_info: "u64",
  jited_line_info: "u64",
  nr_jited_line_info: "u32",
  line_info_rec_size: "u32",
  jited_line_info_rec_size: "u32",
  nr_prog_tags: "u32",
  prog_tags: "u64",
  run_time_ns: "u64",
  run_cnt: "u64",
  recursion_misses: "u64",
  verified_insns: "u32",
  attach_btf_obj_id: "u32",
  attach_btf_id: "u32",
});

/** `struct bpf_map_info`. */
export const mapInfoStruct = nativeStruct({
  type: "u32",
  id: "u32",
  key_size: "u32",
  value_size: "u32",
  max_entries: "u32",
  map_flags: "u32",
  name: "name",
  ifindex: "u32",
  btf_vmlinux_value_type_id: "u32",
  netns_dev: "u64",
  netns_ino: "u64",
  btf_id: "u32",
  btf_key_type_id: "u32",
  btf_value_type_id: "u32",
  map_extra: "u64",
});

/** `struct bpf_btf_info`. */
export const btfInfoStruct = nativeStruct({
  btf: "u64",
  btf_size: "u32",
  id: "u32",
  name: "u64",
  name_len: "u32",
  kernel_btf: "u32",
});

/** `struct bpf_link_info` as a cgroup link fills it. */
export const cgroupLinkInfoStruct = nativeStruct({
  type: "u32",
  id: "u32",
  prog_id: "u32",
  cgroup_id: "u64",
  attach_type: "u32",
});
