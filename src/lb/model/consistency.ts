/**
 * Consistency checks: what a single field cannot show. Fields that need or
 * exclude each other, names and addresses that two services share, mixed
 * address families, and services that the maps cannot hold.
 */
import type { DesiredState } from "./desired-state.ts";
import { fieldText, type FieldPath } from "./field-path.ts";
import { backendsOfNode, localScopes, serviceFamily } from "./front-ends.ts";
import {
  endpointText,
  familyOf,
  MAX_SERVICES,
  type AddressFamily,
  type Backend,
  type Service,
  withSpecificHostIP,
} from "./service.ts";
import { MAX_SLOTS_PER_SERVICE, slotsNeeded } from "./slot-count.ts";
import { maps4, maps6 } from "../../../programs/index.ts";

/** Also reported for a service without any address. */
export const EXPECTED_ADDRESS = "expected an IPv4 or IPv6 unicast address such as 100.0.0.1 or fd00::1";
export const EXPECTED_PORT = "expected a whole number from 1 to 65535";

/**
 * A service to check. A source that reads text may check a service with invalid
 * fields: it leaves these out and names them in `invalid`. Invalid items of a
 * list are undefined.
 */
export interface CheckedService extends Partial<Omit<Service, "externalAddresses" | "backends">> {
  readonly externalAddresses?: readonly (string | undefined)[] | undefined;
  readonly backends: readonly (Backend | undefined)[];
  /** Fields that are given but not valid, so that they are not reported as missing. */
  readonly invalid?: ReadonlySet<string> | undefined;
}

/** The input of the checks. An undefined service is skipped; its index still counts. */
export interface CheckedState extends Pick<DesiredState, "node" | "options" | "maps"> {
  readonly services: readonly (CheckedService | undefined)[];
}

/**
 * Takes one problem. `path` names the field: `["services", 0, "port"]`.
 * `message` says what was expected and what is there instead.
 */
export type Report = (path: FieldPath, message: string) => void;

/**
 * Checks that the services are consistent and fit into the maps. It reports
 * every problem, in the order of the services.
 *
 * @param report called once for each problem
 * @param placeText names the field that a problem conflicts with; a source of text adds the line
 *
 * @example
 * ```ts
 * import { checkServices, completeState, fieldText } from "tsbpf/lb";
 *
 * const dns = { name: "dns", protocol: "udp", nodePort: 30053, backends: [] } as const;
 * checkServices(completeState({ services: [dns, dns] }), (path, message) => {
 *   console.error(`${fieldText(path)}: ${message}`); // services[1].name: expected a unique name, …
 * });
 * ```
 */
export function checkServices(
  state: CheckedState,
  report: Report,
  placeText: (path: FieldPath) => string = fieldText,
): void {
  const checks = new Checks(state, report, placeText);
  state.services.forEach((service, index) => {
    if (service !== undefined) checks.service(["services", index], service);
  });
}

const familyName: Readonly<Record<AddressFamily, string>> = { ipv4: "IPv4", ipv6: "IPv6" };
const maps = { ipv4: maps4, ipv6: maps6 } as const satisfies Record<AddressFamily, unknown>;

/** The path where each value was first seen. */
class FirstPaths {
  readonly #paths = new Map<string, FieldPath>();

  /** Notes the value. Returns the earlier path if there is one. */
  note(value: string, path: FieldPath): FieldPath | undefined {
    const first = this.#paths.get(value);
    if (first === undefined) this.#paths.set(value, path);
    return first;
  }
}

/** Checks services one by one, each against those before it. */
class Checks {
  readonly #settings: Omit<CheckedState, "services">;
  readonly #report: Report;
  readonly #placeText: (path: FieldPath) => string;
  readonly #names = new FirstPaths();
  readonly #frontEnds = new FirstPaths();
  readonly #used = { ipv4: { services: 0, slots: 0 }, ipv6: { services: 0, slots: 0 } };

  constructor(settings: Omit<CheckedState, "services">, report: Report, placeText: (path: FieldPath) => string) {
    this.#settings = settings;
    this.#report = report;
    this.#placeText = placeText;
  }

  service(path: FieldPath, given: CheckedService): void {
    const service = withSpecificHostIP(given);
    const valid = {
      ...service,
      externalAddresses: (service.externalAddresses ?? []).filter((address) => address !== undefined),
      backends: service.backends.filter((backend) => backend !== undefined),
    };
    const family = serviceFamily(valid);
    this.#fields(path, service);
    this.#conflicts(path, service, family);
    if (family === "ipv6" && !this.#settings.options.ipv6) {
      this.#report(
        isGiven(service, "address") ? [...path, "address"] : path,
        "expected an IPv4 service, since options.ipv6 is false",
      );
    }
    this.#families(path, service, family);
    this.#backends(path, service);
    this.#room(path, valid, family);
  }

  /** Fields that need each other, and fields that exclude each other. */
  #fields(path: FieldPath, service: CheckedService): void {
    const has = (field: keyof Service) => isGiven(service, field);
    const ofHost = has("nodePort") || has("hostPort");
    if (!has("address") && !ofHost && !has("externalAddresses"))
      this.#report([...path, "address"], `${EXPECTED_ADDRESS}, but it is missing`);
    if (!has("port") && (has("address") || has("externalAddresses") || !ofHost))
      this.#report([...path, "port"], `${EXPECTED_PORT}, but it is missing`);
    if (!has("hostPort") && has("hostIP")) this.#report([...path, "hostPort"], `${EXPECTED_PORT}, but it is missing`);
    if (service.localRedirect !== true) return;
    for (const field of [
      "nodePort",
      "hostPort",
      "externalAddresses",
      "internalTrafficPolicy",
      "externalTrafficPolicy",
    ] as const) {
      if (has(field))
        this.#report(
          [...path, field],
          "expected no such field beside localRedirect, which applies to the service's address only",
        );
    }
  }

  /** Names, addresses and ports that another service has. */
  #conflicts(
    path: FieldPath,
    { name, address, port, protocol, nodePort, hostPort, hostIP, externalAddresses = [] }: CheckedService,
    family: AddressFamily,
  ): void {
    if (name !== undefined) {
      const first = this.#names.note(name, path);
      if (first !== undefined)
        this.#report(
          [...path, "name"],
          `expected a unique name, but ${this.#placeText(first)} is named ${JSON.stringify(name)} too`,
        );
    }
    if (protocol === undefined) return;
    const endpoints: (readonly [path: FieldPath, address: string | undefined, port: number | undefined])[] = [
      [path, address, port],
      ...externalAddresses.map((other, i) => [[...path, "externalAddresses", i], other, port] as const),
      [[...path, "hostIP"], hostIP, hostPort],
    ];
    for (const [where, address, port] of endpoints) {
      if (port === undefined || address === undefined) continue;
      const text = `${endpointText({ address, port })}/${protocol}`;
      const first = this.#frontEnds.note(text, where);
      if (first !== undefined)
        this.#report(
          where,
          `expected a unique address, port and protocol, but ${this.#placeText(first)} is ${text} too`,
        );
    }
    for (const [field, port] of [
      ["nodePort", nodePort],
      ["hostPort", hostIP === undefined ? hostPort : undefined],
    ] as const) {
      if (port === undefined) continue;
      const first = this.#frontEnds.note(`${port}/${protocol}/${family}`, [...path, field]);
      if (first !== undefined)
        this.#report(
          [...path, field],
          `expected a unique ${field} and protocol, but ${this.#placeText(first)} is ${port}/${protocol} too`,
        );
    }
  }

  /** Addresses of another family than the service's. */
  #families(
    path: FieldPath,
    { hostIP, externalAddresses = [], backends }: CheckedService,
    family: AddressFamily,
  ): void {
    const others: (readonly [path: FieldPath, address: string | undefined])[] = [
      [[...path, "hostIP"], hostIP],
      ...externalAddresses.map((address, i) => [[...path, "externalAddresses", i], address] as const),
      ...backends.map((backend, i) => [[...path, "backends", i], backend?.address] as const),
    ];
    for (const [where, address] of others) {
      if (address === undefined || familyOf(address) === family) continue;
      this.#report(where, `expected an ${familyName[family]} address like the service's others, but found ${address}`);
    }
  }

  /** Backends that are listed twice. */
  #backends(path: FieldPath, { backends }: CheckedService): void {
    const endpoints = new FirstPaths();
    backends.forEach((backend, i) => {
      if (backend === undefined) return;
      const first = endpoints.note(endpointText(backend), [...path, "backends", i]);
      if (first !== undefined)
        this.#report(
          [...path, "backends", i],
          `expected each backend once, but ${this.#placeText(first)} is ${endpointText(backend)} too`,
        );
    });
  }

  /** Services and backends that the maps cannot hold. */
  #room(
    path: FieldPath,
    service: CheckedService & {
      readonly externalAddresses: readonly string[];
      readonly backends: readonly Backend[];
    },
    family: AddressFamily,
  ): void {
    const { node, options, maps: sizes } = this.#settings;
    const tableSize = service.algorithm === "maglev" ? options.maglevTableSize : undefined;
    if (tableSize !== undefined && service.backends.length > tableSize) {
      this.#report(
        [...path, "backends"],
        `expected at most ${tableSize} backends (options.maglevTableSize), but found ${service.backends.length}`,
      );
      return;
    }
    // With a local policy for some of its addresses, a service has two rows of slots.
    const parts = [...new Set(Object.values(localScopes(service)))];
    const rows = parts.map((local) =>
      slotsNeeded(local ? backendsOfNode(service.backends, node) : service.backends, tableSize),
    );
    const longest = Math.max(0, ...rows);
    if (longest > MAX_SLOTS_PER_SERVICE) {
      this.#report(
        [...path, "backends"],
        `expected weights that take at most ${MAX_SLOTS_PER_SERVICE} slots in lowest terms, ` +
          `but these take ${longest}; weights with a common divisor take fewer`,
      );
      return;
    }
    const used = this.#used[family];
    const before = { ...used };
    used.slots += rows.reduce((sum, row) => sum + row, 0);
    used.services += Math.max(1, parts.length);
    const { slots, services } = maps[family];
    const size = sizes[slots.name]!;
    if (before.slots <= size && used.slots > size) {
      this.#report(
        [...path, "backends"],
        `expected at most ${size} slots in total (the size of map ${slots.name}), ` +
          `but with these backends there are ${used.slots}`,
      );
    }
    const limit = Math.min(sizes[services.name]!, MAX_SERVICES);
    if (before.services <= limit && used.services > limit) {
      const why =
        limit === MAX_SERVICES ? "the limit of the 16 bits of a rev_nat_index" : `the size of map ${services.name}`;
      this.#report(path, `expected at most ${limit} services (${why})`);
    }
  }
}

/** Whether a field is given, valid or not. An empty list counts as absent. */
function isGiven(service: CheckedService, field: keyof Service): boolean {
  const value = service[field];
  const isEmpty = Array.isArray(value) && value.length === 0;
  return (value !== undefined && !isEmpty) || service.invalid?.has(field) === true;
}
