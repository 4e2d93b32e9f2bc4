/** Object files: read what clang and GCC make, write what libbpf loads. */
import "../one-copy.ts";
export { ElfError } from "./error.ts";
export { readObject, type ObjectFile, type ReadOptions } from "./read.ts";
export { writeObject, type WriteOptions } from "./write.ts";
export { sectionMeaning, type SectionMeaning } from "./section-names.ts";
export { parseElf } from "./file.ts";
