/** Constants of ELF (System V gABI, `elf.h`) and of its use for BPF (Documentation/bpf/llvm_reloc.rst). */

/** Bytes of the file header, a section header, a symbol, and a relocation without addend. */
export const HEADER_SIZE = 64;
export const SECTION_HEADER_SIZE = 64;
export const SYMBOL_SIZE = 24;
export const RELOCATION_SIZE = 16;

export const ET_REL = 1;
export const EM_BPF = 247;

export const SHT_PROGBITS = 1;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_RELA = 4;
export const SHT_NOBITS = 8;
export const SHT_REL = 9;

export const SHF_WRITE = 1;
export const SHF_ALLOC = 2;
export const SHF_EXECINSTR = 4;
/** `sh_info` is a section's number. */
export const SHF_INFO_LINK = 0x40;

export const SHN_LORESERVE = 0xff00;

export const STB_LOCAL = 0;
export const STB_GLOBAL = 1;
export const STB_WEAK = 2;

export const STT_OBJECT = 1;
export const STT_FUNC = 2;
export const STT_SECTION = 3;

/** The immediate of an `lddw`: map, variable, or address of a function. */
export const R_BPF_64_64 = 1;
/** A 32-bit address in a section of data. */
export const R_BPF_64_ABS32 = 3;
/** A 32-bit number in BTF or debug information; loaders ignore it. */
export const R_BPF_64_NODYLD32 = 4;
/** The immediate of a call. */
export const R_BPF_64_32 = 10;
