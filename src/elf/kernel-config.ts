/** The running kernel's build configuration and version, for `__kconfig` variables. */
import { readFileSync } from "node:fs";
import { release, version } from "node:os";
import { gunzipSync } from "node:zlib";
import type { Btf } from "../btf/index.ts";

/** Lines such as `CONFIG_HZ=250`, by name, with the value as it is written there. */
export type KernelConfig = ReadonlyMap<string, string>;

/** Reads the lines of a kernel configuration; comments and other lines are passed over. */
export function parseKernelConfig(text: string): KernelConfig {
  const values = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)) values.set(name!, value!.trim());
  return values;
}

/**
 * The running kernel's configuration, from `/boot/config-RELEASE` or
 * `/proc/config.gz`, in libbpf's order.
 * @returns undefined where the kernel shows neither
 */
export function runningKernelConfig(): KernelConfig | undefined {
  for (const path of [`/boot/config-${release()}`, "/proc/config.gz"]) {
    try {
      const bytes = readFileSync(path);
      const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
      return parseKernelConfig((isGzip ? gunzipSync(bytes) : bytes).toString("latin1"));
    } catch {
      // The next one may be there.
    }
  }
  return undefined;
}

/**
 * The kernel's version as `KERNEL_VERSION()` counts: `major << 16 | minor << 8 | patch`.
 * Ubuntu and Debian name another version in `uname` than the source has; theirs
 * is read from where they put it, as libbpf does.
 * @returns undefined where none of these says it
 */
export function runningKernelVersion(): number | undefined {
  const places = [ubuntuVersion(), /Debian (\d+\.\d+\.\d+)/.exec(version())?.[1], release()];
  for (const place of places) {
    const found = /^(\d+)\.(\d+)\.(\d+)/.exec(place ?? "");
    if (found !== null) return Number(found[1]) * 65536 + Number(found[2]) * 256 + Math.min(255, Number(found[3]));
  }
  return undefined;
}

/** `Ubuntu 5.4.0-12.15-generic 5.4.8` */
function ubuntuVersion(): string | undefined {
  try {
    return readFileSync("/proc/version_signature", "utf8").split(" ")[2];
  } catch {
    return undefined;
  }
}

/** The value of a variable that libbpf computes itself, outside the configuration; undefined for other names. */
export function virtualConfig(name: string, target: () => Btf): number | undefined {
  switch (name) {
    case "LINUX_KERNEL_VERSION":
      return runningKernelVersion();
    case "LINUX_HAS_BPF_COOKIE":
      return hasHelper(target(), "BPF_FUNC_get_attach_cookie") ? 1 : 0;
    case "LINUX_HAS_SYSCALL_WRAPPER":
      return /__(?:x64|ia32|arm64|s390x|s390|riscv)_sys_bpf$/m.test(kernelSymbols()) ? 1 : 0;
    default:
      return undefined;
  }
}

function hasHelper(btf: Btf, name: string): boolean {
  const id = btf.find("enum", "bpf_func_id");
  const type = id === undefined ? undefined : btf.type(id);
  return type?.kind === "enum" && type.values.some((value) => value.name === name);
}

/**
 * The address of a kernel symbol.
 * @returns undefined where the kernel has none of that name; 0 where it hides its addresses (`kernel.kptr_restrict`)
 */
export function kernelSymbolAddress(name: string): bigint | undefined {
  const found = new RegExp(`^([0-9a-f]+) \\w ${name.replace(/[^\w]/g, "\\$&")}$`, "m").exec(kernelSymbols());
  return found === null ? undefined : BigInt(`0x${found[1]}`);
}

let symbols: string | undefined;

/** `/proc/kallsyms`, read once a process. */
function kernelSymbols(): string {
  if (symbols === undefined) {
    try {
      symbols = readFileSync("/proc/kallsyms", "latin1");
    } catch {
      symbols = "";
    }
  }
  return symbols;
}
