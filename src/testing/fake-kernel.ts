import { readFileSync, writeFileSync } from "node:fs";
import {
  BpfError,
  Errno,
  Fd,
  possibleCpus,
  type BatchCursor,
  type BatchResult,
  type Kernel,
  type LinkCreate,
  type MapCreate,
  type MapElements,
  type MapShape,
  type ProgramLoad,
} from "../kernel/index.ts";
import { isPerCpu, mapKind, UpdateFlag, type MapType } from "../types/index.ts";

/** An object of a `FakeKernel`. */
export type FakeObject =
  | { readonly kind: "map"; readonly id: number; readonly create: MapCreate; readonly elements: Map<string, Buffer> }
  | { readonly kind: "program"; readonly id: number; readonly load: ProgramLoad }
  | { readonly kind: "link"; readonly id: number; readonly create: LinkCreate; programId: number }
  | { readonly kind: "btf"; readonly id: number; readonly bytes: Uint8Array };

type Kind = FakeObject["kind"];

/** Injected failures: an errno for a `Kernel` function, or a function that decides by the arguments. */
export type Failures = { [N in keyof Kernel]?: number | ((...args: Parameters<Kernel[N]>) => number | undefined) };

/**
 * A kernel in memory, for tests of the loader. It verifies and runs nothing. Pins are ordinary files that
 * contain an id, so any directory serves as a BPF file system.
 */
export class FakeKernel {
  readonly objects = new Map<number, FakeObject>();
  /** The open descriptors and the objects behind them. */
  readonly descriptors = new Map<number, number>();
  failures: Failures = {};
  /** Whether maps have batch operations. */
  batches = true;
  effectiveCapabilities = 1n << 21n;
  mountPoints: readonly { source: string; directory: string; type: string; options: string[] }[] = [];
  #nextId = 1;
  // Far above real descriptors, so that a mix-up shows.
  #nextDescriptor = 1_000_000;

  readonly kernel: Kernel = this.#failing({
    createMap: (create) => this.#add({ kind: "map", id: this.#nextId++, create, elements: initialElements(create) }),
    freezeMap: () => {},
    mapElements: (fd, shape) => new FakeElements(this.#get(fd, "map").elements, shape, () => this.batches),
    loadBtf: (bytes) => this.#add({ kind: "btf", id: this.#nextId++, bytes }),
    loadProgram: (load) => ({ fd: this.#add({ kind: "program", id: this.#nextId++, load }), log: "" }),
    testRunProgram: () => ({ returnValue: 0, duration: 0, data: new Uint8Array(), context: new Uint8Array() }),
    bindMap: () => {},
    createLink: (create) =>
      this.#add({ kind: "link", id: this.#nextId++, create, programId: this.#get(create.program, "program").id }),
    updateLink: (link, program, expected) => {
      const found = this.#get(link, "link");
      if (expected && this.#get(expected, "program").id !== found.programId)
        throw new BpfError("BPF_LINK_UPDATE", "link", Errno.EPERM);
      found.programId = this.#get(program, "program").id;
    },
    detachLink: () => {},
    pinObject: (object, path) => writeFileSync(path, String(this.descriptors.get(object.number)), { flag: "wx" }),
    openPinned: (path) => {
      try {
        return this.#open(Number(readFileSync(path, "utf8")));
      } catch (error) {
        throw (error as NodeJS.ErrnoException).code === "ENOENT"
          ? new BpfError("BPF_OBJ_GET", `pin ${path}`, Errno.ENOENT)
          : error;
      }
    },
    programInfo: (fd) => {
      const { id, load } = this.#get(fd, "program");
      return {
        id,
        type: load.type,
        name: load.name,
        tag: "0000000000000000",
        xlatedLength: load.code.byteLength,
        jitedLength: 0,
        mapIds: [],
        loadTime: 0n,
        createdByUid: 0,
        gplCompatible: true,
        btfId: 0,
        runTimeNs: 0n,
        runCount: 0n,
        verifiedInstructions: 0,
      };
    },
    programCode: (fd) => ({ xlated: this.#get(fd, "program").load.code, jited: new Uint8Array() }),
    mapInfo: (fd) => {
      const { id, create } = this.#get(fd, "map");
      const { type, name, keySize, valueSize, maxEntries, flags } = create;
      return { id, type, name, keySize, valueSize, maxEntries, flags, btfId: 0, btfKeyTypeId: 0, btfValueTypeId: 0 };
    },
    linkInfo: (fd) => {
      const { id, create, programId } = this.#get(fd, "link");
      return { id, type: 3, programId, cgroupId: this.cgroupId, attachType: create.attachType };
    },
    btfInfo: (fd) => ({ id: this.#get(fd, "btf").id, size: 0, kernel: false }),
    btfBytes: (fd) => this.#get(fd, "btf").bytes,
    objectIds: (kind) => this.ids(kind),
    openById: (kind, id) => (this.objects.get(id)?.kind === kind ? this.#open(id) : undefined),
    openDirectory: () => this.#open(0),
    attachedPrograms: () => ({ programIds: [], attachFlags: 0 }),
    attachProgram: () => {},
    detachProgram: () => {},
    enableStatistics: () => this.#open(0),
    mounts: () => [...this.mountPoints],
    isOnFileSystem: () => true,
    mountBpfFileSystem: () => {},
    capabilities: () => this.effectiveCapabilities,
  });

  /** The cgroup id of every link of this kernel. */
  cgroupId = 0n;

  /** Ids of all objects of a kind ever created. */
  ids(kind: Kind): number[] {
    return [...this.objects.values()].filter((object) => object.kind === kind).map(({ id }) => id);
  }

  /** The kinds of the objects behind open descriptors. */
  openKinds(): string[] {
    return [...this.descriptors.values()].map((id) => this.objects.get(id)?.kind ?? "directory").sort();
  }

  #add(object: FakeObject): Fd {
    this.objects.set(object.id, object);
    return this.#open(object.id);
  }

  #open(id: number): Fd {
    const number = this.#nextDescriptor++;
    this.descriptors.set(number, id);
    return new Fd(number, () => this.descriptors.delete(number));
  }

  #get<K extends Kind>(fd: Fd, kind: K): Extract<FakeObject, { kind: K }> {
    const object = this.objects.get(this.descriptors.get(fd.number) ?? -1);
    if (object?.kind !== kind) throw new BpfError("fake", `descriptor ${fd.number}, expected a ${kind}`, Errno.EBADF);
    return object as Extract<FakeObject, { kind: K }>;
  }

  #failing(kernel: Kernel): Kernel {
    const wrap = ([name, call]: [string, (...args: never[]) => unknown]) => [
      name,
      (...args: never[]) => {
        const failure = this.failures[name as keyof Kernel] as
          | number
          | ((...args: never[]) => number | undefined)
          | undefined;
        const errno = typeof failure === "function" ? failure(...args) : failure;
        if (errno !== undefined) throw new BpfError(name, "fake kernel", errno);
        return call(...args);
      },
    ];
    return Object.fromEntries(
      Object.entries(kernel).map((entry) => wrap(entry as [string, (...args: never[]) => unknown])),
    ) as Kernel;
  }
}

const isArray = (type: MapType): boolean => mapKind(type).elements === "indexed";

const strideOf = ({ type, valueSize }: Pick<MapShape, "type" | "valueSize">): number =>
  isPerCpu(type) ? Math.ceil(valueSize / 8) * 8 * possibleCpus() : valueSize;

function initialElements(create: MapCreate): Map<string, Buffer> {
  const elements = new Map<string, Buffer>();
  if (!isArray(create.type)) return elements;
  for (let i = 0; i < create.maxEntries; i++) {
    const key = Buffer.alloc(4);
    key.writeUInt32LE(i);
    elements.set(key.toString("latin1"), Buffer.alloc(strideOf(create)));
  }
  return elements;
}

class FakeElements implements MapElements {
  readonly valueStride: number;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly batchSize: number;
  readonly batchKeys: Buffer;
  readonly batchValues: Buffer;
  readonly #elements: Map<string, Buffer>;
  readonly #shape: MapShape;
  readonly #batches: () => boolean;
  #keys: string[] = [];
  #place = 0;
  /** The remaining keys of walks in progress. */
  readonly #walks = new WeakMap<BatchCursor, string[]>();

  constructor(elements: Map<string, Buffer>, shape: MapShape, batches: () => boolean) {
    this.#elements = elements;
    this.#shape = shape;
    this.#batches = batches;
    this.valueStride = strideOf(shape);
    this.batchSize = Math.max(1, Math.min(64, shape.maxEntries));
    this.key = Buffer.alloc(shape.keySize);
    this.value = Buffer.alloc(this.valueStride);
    this.batchKeys = Buffer.alloc(shape.keySize * this.batchSize);
    this.batchValues = Buffer.alloc(this.valueStride * this.batchSize);
  }

  get batches(): boolean {
    return this.#batches();
  }

  lookup(): boolean {
    const found = this.#elements.get(this.key.toString("latin1"));
    found?.copy(this.value);
    return found !== undefined;
  }

  update(flags: number): void {
    const errno = this.#put(this.key, this.value, flags);
    if (errno !== 0) throw new BpfError("BPF_MAP_UPDATE_ELEM", `map ${this.#shape.name}`, errno);
  }

  delete(): boolean {
    if (isArray(this.#shape.type)) throw new BpfError("BPF_MAP_DELETE_ELEM", `map ${this.#shape.name}`, Errno.EINVAL);
    return this.#elements.delete(this.key.toString("latin1"));
  }

  lookupAndDelete(): boolean {
    return this.lookup() && this.delete();
  }

  nextKey(first: boolean): boolean {
    // The position is known from the walk unless the map changed.
    if (first) this.#keys = [...this.#elements.keys()];
    const current = this.key.toString("latin1");
    if (!first && this.#keys[this.#place] !== current) {
      this.#keys = [...this.#elements.keys()];
      this.#place = this.#keys.indexOf(current);
    }
    this.#place = first ? 0 : this.#place + 1;
    const next = this.#keys[this.#place];
    if (next !== undefined) this.key.write(next, "latin1");
    return next !== undefined;
  }

  updateBatch(count: number): BatchResult {
    return this.#each(count, (key, value) => this.#put(key, value, UpdateFlag.ANY));
  }

  deleteBatch(count: number): BatchResult {
    return this.#each(count, (key) => (this.#elements.delete(key.toString("latin1")) ? 0 : Errno.ENOENT));
  }

  lookupBatch(cursor: BatchCursor): BatchResult & { readonly finished: boolean } {
    if (!this.batches) return { done: 0, errno: Errno.ENOTSUPP, finished: false };
    const rest = this.#walks.get(cursor) ?? [...this.#elements.keys()];
    const part = rest.splice(0, this.batchSize).filter((key) => this.#elements.has(key));
    this.#walks.set(cursor, rest);
    part.forEach((key, i) => {
      this.batchKeys.write(key, i * this.#shape.keySize, "latin1");
      this.#elements.get(key)!.copy(this.batchValues, i * this.valueStride);
    });
    return { done: part.length, errno: 0, finished: rest.length === 0 };
  }

  lookupRange(first: number, count: number): BatchResult {
    return this.#each(count, (key, value) => {
      key.writeUInt32LE(first++);
      const found = this.#elements.get(key.toString("latin1"));
      found?.copy(value);
      return found === undefined ? Errno.ENOENT : 0;
    });
  }

  #each(count: number, step: (key: Buffer, value: Buffer) => number): BatchResult {
    if (!this.batches) return { done: 0, errno: Errno.ENOTSUPP };
    const { keySize } = this.#shape;
    for (let i = 0; i < count; i++) {
      const errno = step(
        this.batchKeys.subarray(i * keySize, (i + 1) * keySize),
        this.batchValues.subarray(i * this.valueStride, (i + 1) * this.valueStride),
      );
      if (errno !== 0) return { done: i, errno };
    }
    return { done: count, errno: 0 };
  }

  #put(key: Buffer, value: Buffer, flags: number): number {
    const name = key.toString("latin1");
    const exists = this.#elements.has(name);
    if (exists && flags === UpdateFlag.NOEXIST) return Errno.EEXIST;
    if (!exists && flags === UpdateFlag.EXIST) return Errno.ENOENT;
    if (!exists && (isArray(this.#shape.type) || this.#elements.size >= this.#shape.maxEntries)) return Errno.E2BIG;
    this.#elements.set(name, Buffer.from(value));
    return 0;
  }
}
