import { MAX_SLOTS_PER_SERVICE, slotsNeeded } from "../plan/index.ts";
import { backendsOfNode, localScopes, serviceFamily, type BackendConfig, type ServiceConfig } from "./front-ends.ts";
import { familyMaps } from "../apply/maps.ts";
import { endpointText, familyOf, MAX_SERVICES, type AddressFamily } from "./service.ts";
import type { Config } from "../sources/file/parse.ts";
import type { Path, SourceDocument } from "../sources/file/document.ts";
import { fieldText, problemAt, type ConfigProblem } from "../sources/file/problem.ts";
import { backend as backendSchema, configSchema, EXPECTED_ADDRESS, EXPECTED_PORT } from "../sources/file/schema.ts";

/** The parts of a service that are right in themselves. */
interface SoundParts extends Partial<Omit<ServiceConfig, "externalAddresses" | "backends">> {
  readonly externalAddresses?: readonly (string | undefined)[] | undefined;
  readonly backends: readonly (BackendConfig | undefined)[];
}

function soundParts(entry: Record<string, unknown>): SoundParts {
  const { shape } = configSchema.shape.services.element;
  const listOf = <T>(value: unknown, sound: (item: unknown) => T | undefined): readonly (T | undefined)[] =>
    Array.isArray(value) ? value.map(sound) : [];
  // As one type: a method of the union of all of their schemas would take a fifth of the type checker's work on this whole project.
  const schemas: Record<string, { safeParse(value: unknown): { data?: unknown } }> = shape;
  const simple = Object.entries(schemas).map(
    ([field, schema]) => [field, schema.safeParse(entry[field]).data] as const,
  );
  return {
    ...Object.fromEntries(simple),
    externalAddresses: listOf(entry["externalAddresses"], (item) => shape.address.safeParse(item).data),
    backends: listOf(entry["backends"], (item): BackendConfig | undefined => backendSchema.safeParse(item).data),
  };
}

/**
 * What is wrong between the parts, looked for among those that are right in themselves.
 * @param parsed the whole, where all of it is right in itself
 * @param settings what is right of the rest; what holds unless given where it is not
 */
export function contradictions(
  document: SourceDocument,
  parsed: { readonly services: readonly SoundParts[] } | undefined,
  settings: Settings,
): ConfigProblem[] {
  const root = document.value as { services?: unknown } | null;
  if (!Array.isArray(root?.services)) return [];
  const checks = new Checks(document, settings);
  root.services.forEach((entry: unknown, index) => {
    if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return;
    const fields = entry as Record<string, unknown>;
    checks.service(
      ["services", index],
      parsed?.services[index] ?? soundParts(fields),
      (field) => fields[field] !== undefined,
    );
  });
  return checks.problems;
}

type Settings = Pick<Config, "node" | "options" | "maps">;

const familyName: Readonly<Record<AddressFamily, string>> = { ipv4: "IPv4", ipv6: "IPv6" };

/** Remembers where a value first stood; gives that place when it comes again. */
class FirstPlaces {
  readonly #places = new Map<string, Path>();

  note(value: string, path: Path): Path | undefined {
    const first = this.#places.get(value);
    if (first === undefined) this.#places.set(value, path);
    return first;
  }
}

/** Services one by one, each beside those before it. */
class Checks {
  readonly problems: ConfigProblem[] = [];
  readonly #document: SourceDocument;
  readonly #settings: Settings;
  readonly #names = new FirstPlaces();
  readonly #frontEnds = new FirstPlaces();
  readonly #used = { ipv4: { services: 0, slots: 0 }, ipv6: { services: 0, slots: 0 } };

  constructor(document: SourceDocument, settings: Settings) {
    this.#document = document;
    this.#settings = settings;
  }

  /** @param has whether the file has a field of the service, be it right or not */
  service(path: Path, service: SoundParts, has: (field: string) => boolean): void {
    const sound = {
      ...service,
      externalAddresses: (service.externalAddresses ?? []).filter((address) => address !== undefined),
      backends: service.backends.filter((backend) => backend !== undefined),
    };
    const family = serviceFamily(sound);
    this.#fields(path, service, has);
    this.#meetings(path, service, family);
    if (family === "ipv6" && !this.#settings.options.ipv6) {
      this.#say(has("address") ? [...path, "address"] : path, "expected an IPv4 service, since options.ipv6 is false");
    }
    this.#families(path, service, family);
    this.#backends(path, service);
    this.#room(path, sound, family);
  }

  /** Fields that need one another, or do not go together. */
  #fields(path: Path, { localRedirect }: SoundParts, has: (field: string) => boolean): void {
    const ofHost = has("nodePort") || has("hostPort");
    if (!has("address") && !ofHost && !has("externalAddresses"))
      this.#say([...path, "address"], `${EXPECTED_ADDRESS}, but it is missing`);
    if (!has("port") && (has("address") || has("externalAddresses") || !ofHost))
      this.#say([...path, "port"], `${EXPECTED_PORT}, but it is missing`);
    if (!has("hostPort") && has("hostIP")) this.#say([...path, "hostPort"], `${EXPECTED_PORT}, but it is missing`);
    if (localRedirect !== true) return;
    for (const field of [
      "nodePort",
      "hostPort",
      "externalAddresses",
      "internalTrafficPolicy",
      "externalTrafficPolicy",
    ]) {
      if (has(field))
        this.#say(
          [...path, field],
          "expected no such field beside localRedirect, which is about the service's address alone",
        );
    }
  }

  /** Names, addresses and ports that another service has. */
  #meetings(
    path: Path,
    { name, address, port, protocol, nodePort, hostPort, hostIP, externalAddresses = [] }: SoundParts,
    family: AddressFamily,
  ): void {
    if (name !== undefined) {
      const first = this.#names.note(name, path);
      if (first !== undefined)
        this.#say(
          [...path, "name"],
          `expected a name of its own, but ${this.#at(first)} is named ${JSON.stringify(name)} too`,
        );
    }
    if (protocol === undefined) return;
    const asked: (readonly [where: Path, address: string | undefined, port: number | undefined])[] = [
      [path, address, port],
      ...externalAddresses.map((other, i) => [[...path, "externalAddresses", i], other, port] as const),
      [[...path, "hostIP"], hostIP, hostPort],
    ];
    for (const [where, address, port] of asked) {
      if (port === undefined || address === undefined) continue;
      const text = `${endpointText({ address, port })}/${protocol}`;
      const first = this.#frontEnds.note(text, where);
      if (first !== undefined)
        this.#say(where, `expected an address, port and protocol of its own, but ${this.#at(first)} is ${text} too`);
    }
    for (const [field, port] of [
      ["nodePort", nodePort],
      ["hostPort", hostIP === undefined ? hostPort : undefined],
    ] as const) {
      const first =
        port === undefined ? undefined : this.#frontEnds.note(`${port}/${protocol}/${family}`, [...path, field]);
      if (first !== undefined)
        this.#say(
          [...path, field],
          `expected a ${field} and protocol of its own, but ${this.#at(first)} is ${port}/${protocol} too`,
        );
    }
  }

  /** Addresses of another family than the service's. */
  #families(path: Path, { hostIP, externalAddresses = [], backends }: SoundParts, family: AddressFamily): void {
    const others: (readonly [where: Path, address: string | undefined])[] = [
      [[...path, "hostIP"], hostIP],
      ...externalAddresses.map((address, i) => [[...path, "externalAddresses", i], address] as const),
      ...backends.map((backend, i) => [[...path, "backends", i], backend?.address] as const),
    ];
    for (const [where, address] of others) {
      if (address === undefined || familyOf(address) === family) continue;
      this.#say(where, `expected an ${familyName[family]} address like the service's others, but found ${address}`);
    }
  }

  #backends(path: Path, { backends }: SoundParts): void {
    const endpoints = new FirstPlaces();
    backends.forEach((backend, i) => {
      if (backend === undefined) return;
      const first = endpoints.note(endpointText(backend), [...path, "backends", i]);
      if (first !== undefined)
        this.#say(
          [...path, "backends", i],
          `expected each backend once, but ${this.#at(first)} is ${endpointText(backend)} too`,
        );
    });
  }

  /** What the maps have not room for. */
  #room(
    path: Path,
    service: SoundParts & {
      readonly externalAddresses: readonly string[];
      readonly backends: readonly BackendConfig[];
    },
    family: AddressFamily,
  ): void {
    const { node, options, maps: sizes } = this.#settings;
    const tableSize = service.algorithm === "maglev" ? options.maglevTableSize : undefined;
    if (tableSize !== undefined && service.backends.length > tableSize) {
      this.#say(
        [...path, "backends"],
        `expected at most ${tableSize} backends, options.maglevTableSize, but these are ${service.backends.length}`,
      );
      return;
    }
    // A service of which some addresses have the backends of this node alone has two rows of slots.
    const parts = [...new Set(Object.values(localScopes(service)))];
    const rows = parts.map((local) =>
      slotsNeeded(local ? backendsOfNode(service.backends, node) : service.backends, tableSize),
    );
    const longest = Math.max(0, ...rows);
    if (longest > MAX_SLOTS_PER_SERVICE) {
      this.#say(
        [...path, "backends"],
        `expected weights that take at most ${MAX_SLOTS_PER_SERVICE} slots in lowest terms, but these take ${longest}; numbers that have a divisor in common take fewer`,
      );
      return;
    }
    const used = this.#used[family];
    const before = { ...used };
    used.slots += rows.reduce((sum, row) => sum + row, 0);
    used.services += Math.max(1, parts.length);
    const { slots, services } = familyMaps[family];
    const size = sizes[slots.name]!;
    if (before.slots <= size && used.slots > size) {
      this.#say(
        [...path, "backends"],
        `expected backends that take at most ${size} slots in all, the size of map ${slots.name}, but with these it takes ${used.slots}`,
      );
    }
    const limit = Math.min(sizes[services.name]!, MAX_SERVICES);
    if (before.services <= limit && used.services > limit) {
      const why =
        limit === MAX_SERVICES
          ? "which the 16 bits of a rev_nat_index can tell apart"
          : `the size of map ${services.name}`;
      this.#say(path, `expected at most ${limit} services, ${why}`);
    }
  }

  #say(path: Path, message: string): void {
    this.problems.push(problemAt(this.#document, path, message));
  }

  #at(path: Path): string {
    return `${fieldText(path)} (line ${this.#document.positionOf(path).line})`;
  }
}
