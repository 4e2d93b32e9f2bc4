/** Object files: written for libbpf, bpftool and cilium/ebpf, and read from clang. */
export {
  ElfError,
  readObject,
  writeObject,
  type ObjectFile,
  type ReadOptions,
  type WriteOptions,
} from "../elf/index.ts";
