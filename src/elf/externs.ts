/**
 * Symbols that an object only declares: kernel functions and variables
 * (`__ksym`), and the kernel's configuration (`__kconfig`). They resolve as
 * libbpf resolves them (`bpf_object__resolve_externs`): a weak one that the
 * kernel lacks is 0, a strong one is an error.
 */
import { release } from "node:os";
import { opcodes, type Instruction } from "../asm/index.ts";
import {
  areCompatible,
  essentialName,
  resolveType,
  sectionSchema,
  sizeOf,
  skipModifiers,
  type Btf,
} from "../btf/index.ts";
import { alignUp, MapFlag, MapType, u32, type MapDefinition } from "../types/index.ts";
import { missingInstruction } from "./core.ts";
import { ElfError } from "./error.ts";
import type { Symbol } from "./file.ts";
import { STB_WEAK } from "./format.ts";
import { kconfigBytes } from "./kconfig-value.ts";
import { kernelSymbolAddress, runningKernelConfig, virtualConfig, type KernelConfig } from "./kernel-config.ts";

const { BPF_PSEUDO_BTF_ID, BPF_PSEUDO_KFUNC_CALL, BPF_PSEUDO_MAP_VALUE } = opcodes;

const KCONFIG = ".kconfig";

export interface ExternContext {
  /** The object's own types. */
  readonly btf: Btf;
  /** The kernel's types. */
  readonly target: () => Btf;
  /** Whether nothing is asked of a kernel: every external variable is 0 then. */
  readonly offline: boolean;
  /** The kernel configuration, where the caller gives one. */
  readonly config: KernelConfig | undefined;
  /** The name of the map that holds the configuration's values. */
  readonly mapName: string;
}

/** An instruction completed by an external symbol, and the map that it refers to. */
export interface ResolvedExtern {
  readonly instruction: Instruction;
  readonly map?: MapDefinition;
}

interface ConfigValues {
  readonly map: MapDefinition;
  readonly offsets: ReadonlyMap<string, number>;
  /** Variables that the configuration does not set, and why; weak ones are 0. */
  readonly absent: ReadonlyMap<string, string>;
  /** Variables that cannot have a value, and why. */
  readonly faults: ReadonlyMap<string, string>;
}

export class Externs {
  readonly #context: ExternContext;
  #values: ConfigValues | undefined;

  constructor(context: ExternContext) {
    this.#context = context;
  }

  /** The map of the kernel configuration, where a program uses it. */
  maps(): MapDefinition[] {
    return this.#values === undefined ? [] : [this.#values.map];
  }

  /** The `lddw` of an external symbol's address. @throws {ElfError} for a strong symbol that cannot be resolved */
  load(instruction: Instruction, symbol: Symbol, section: string): ResolvedExtern {
    const { btf, offline } = this.#context;
    const isWeak = symbol.binding === STB_WEAK;
    const { name } = symbol;
    const fail = (reason: string) => new ElfError(reason, { section, symbol: name });
    const zero = { instruction: { ...instruction, src: 0, immediate: 0, immediateHigh: 0 } };
    if (this.#isConfig(name)) return this.#config(instruction, symbol, fail);
    if (offline) return zero;
    const found = btf.find("func", name) ?? btf.find("var", name);
    if (found === undefined)
      throw fail("it is declared without __ksym or __kconfig, so nothing says where it is defined");
    const type = typeBehind(btf, found);
    const isFunction = btf.kind(found) === "func";
    if (!isFunction && resolveType(btf, type).kind === "void") {
      const address = kernelSymbolAddress(name);
      if (address === undefined || address === 0n) {
        if (isWeak && address === undefined) return zero;
        throw fail(
          address === undefined
            ? "the running kernel has no such symbol"
            : "the running kernel hides the addresses of its symbols: run as root, with kernel.kptr_restrict at most 1",
        );
      }
      const [low, high] = [BigInt.asIntN(32, address), BigInt.asIntN(32, address >> 32n)];
      return { instruction: { ...instruction, src: 0, immediate: Number(low), immediateHigh: Number(high) } };
    }
    const { id, reason } = this.#find(isFunction ? "func" : "var", name, type);
    if (id !== undefined)
      return { instruction: { ...instruction, src: BPF_PSEUDO_BTF_ID, immediate: id, immediateHigh: 0 } };
    if (isWeak) return zero;
    throw fail(reason);
  }

  /** The call of an external function. One that is weak and absent may only be called where it is never reached. */
  call(instruction: Instruction, symbol: Symbol): Instruction {
    const { btf, offline } = this.#context;
    const name = essentialName(symbol.name);
    const call: Instruction = {
      ...instruction,
      src: BPF_PSEUDO_KFUNC_CALL,
      immediate: 0,
      reference: { kind: "kernel-function", name },
    };
    if (symbol.binding !== STB_WEAK || offline) return call;
    const declared = btf.find("func", symbol.name);
    const type = declared === undefined ? undefined : typeBehind(btf, declared);
    const { id, reason } = this.#find("func", symbol.name, type);
    return id === undefined ? missingInstruction(instruction, reason)[0]! : call;
  }

  /** A kernel function or variable by name; of another type, it is as good as absent. */
  #find(
    kind: "func" | "var",
    symbol: string,
    type: number | undefined,
  ): { readonly id?: number; readonly reason: string } {
    const target = this.#context.target();
    const name = kind === "func" ? essentialName(symbol) : symbol;
    const what = `${kind === "func" ? "function" : "variable"} ${name}`;
    const id = target.find(kind, name);
    if (id === undefined) return { reason: `the target kernel has no ${what}` };
    const other = skipModifiers(target, typeBehind(target, id));
    const { btf } = this.#context;
    if (type === undefined || areCompatible(btf, skipModifiers(btf, type), target, other)) return { id, reason: "" };
    return { reason: `the target kernel's ${what} has another type than the one declared` };
  }

  #isConfig(name: string): boolean {
    return this.#variables().some(({ type }) => this.#context.btf.name(type) === name);
  }

  #variables(): readonly { readonly type: number }[] {
    const { btf } = this.#context;
    const id = btf.find("datasec", KCONFIG);
    const section = id === undefined ? undefined : btf.type(id);
    if (section?.kind !== "datasec") return [];
    return section.variables.filter(({ type }) => btf.kind(type) === "var");
  }

  #config(instruction: Instruction, { name, binding }: Symbol, fail: (reason: string) => ElfError): ResolvedExtern {
    this.#values ??= this.#readConfig();
    const { map, offsets, absent, faults } = this.#values;
    const reason = faults.get(name) ?? (binding === STB_WEAK ? undefined : absent.get(name));
    if (reason !== undefined) throw fail(reason);
    const offset = offsets.get(name)!;
    return {
      instruction: {
        ...instruction,
        src: BPF_PSEUDO_MAP_VALUE,
        immediate: 0,
        immediateHigh: offset,
        reference: { kind: "map-value", name: map.name, offset },
      },
      map,
    };
  }

  /** All configuration variables, one after the other, with their values. */
  #readConfig(): ConfigValues {
    const { btf, mapName } = this.#context;
    const offsets = new Map<string, number>();
    const absent = new Map<string, string>();
    const faults = new Map<string, string>();
    const variables: { type: number; offset: number; size: number }[] = [];
    const parts: Uint8Array[] = [];
    let end = 0;
    for (const { type } of this.#variables()) {
      const name = btf.name(type);
      const size = sizeOf(btf, type);
      const offset = alignUp(end, 8);
      const bytes = new Uint8Array(offset - end + size);
      try {
        const value = this.#value(name);
        if ("absent" in value) absent.set(name, value.absent);
        else if (value.text !== undefined)
          bytes.set(kconfigBytes(btf, typeBehind(btf, type), value.text), offset - end);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        faults.set(name, error.message);
      }
      variables.push({ type, offset, size });
      offsets.set(name, offset);
      parts.push(bytes);
      end = offset + size;
    }
    const data = Buffer.concat(parts);
    const map: MapDefinition = Object.freeze({
      name: mapName,
      type: MapType.ARRAY,
      key: u32,
      value: sectionSchema(btf, "kconfig", { variables, size: data.length, data }),
      maxEntries: 1,
      flags: MapFlag.RDONLY_PROG,
      initialValue: new Uint8Array(data),
      frozen: true,
    });
    return { map, offsets, absent, faults };
  }

  /**
   * The value of a variable as text; undefined if the kernel is not needed.
   * @throws {RangeError} where the value is unknown
   */
  #value(name: string): { readonly text: string | undefined } | { readonly absent: string } {
    const { target, offline, config = runningKernelConfig() } = this.#context;
    if (offline) return { text: undefined };
    if (!name.startsWith("CONFIG_")) {
      const text = virtualConfig(name, target)?.toString();
      const absent =
        "names begin with CONFIG_, or are LINUX_KERNEL_VERSION, LINUX_HAS_BPF_COOKIE or LINUX_HAS_SYSCALL_WRAPPER";
      return text === undefined ? { absent } : { text };
    }
    if (config === undefined) {
      throw new RangeError(
        `the running kernel shows its configuration neither in /boot/config-${release()} nor in /proc/config.gz: ` +
          "give it with the option kconfig",
      );
    }
    const text = config.get(name);
    return text === undefined ? { absent: "the kernel's configuration does not set it" } : { text };
  }
}

/** The type of a variable, or the prototype of a function. */
const typeBehind = (btf: Btf, id: number): number => (btf.type(id) as { type: number }).type;
