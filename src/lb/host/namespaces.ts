/** The network namespaces of this host: their cookies and addresses. */
import { cgroup, PROCEED } from "../../dsl/index.ts";
import { inNetworkNamespace, namespaceCookieOf, networkNamespaces, withSocket, type Fd } from "../../kernel/index.ts";
import { attach, load } from "../../loader/index.ts";
import { array, u64 } from "../../types/index.ts";
import { ownCgroup } from "./cgroup-path.ts";
import type { NetworkNamespace } from "../model/index.ts";
import { hostAddresses } from "./addresses.ts";

/** An IP protocol number for experiments (RFC 3692), so that no other socket has it. */
const PROTOCOL = 253;

const seen = array("netns_seen", { value: u64, maxEntries: 1 });

/** Records the network namespace of each new socket of that protocol. */
const witness = cgroup.sockCreate("netns_witness", (b, ctx) => {
  b.if(ctx.protocol.eq(PROTOCOL), () => {
    b.update(seen, 0, b.getNetnsCookie(ctx));
  });
  return PROCEED;
});

/**
 * Reads network namespaces. User space gets their cookies since Linux 5.14
 * (SO_NETNS_COOKIE). On older kernels only programs do: the first call then
 * attaches one to this process's cgroup, and closing the reader detaches it.
 */
export class NamespaceReader implements Disposable {
  readonly #askKernel: (socket: Fd) => bigint | undefined;
  #witness: { cookie(): bigint; close(): void } | undefined;

  /** @param askKernel returns the cookie of a socket's network namespace; undefined if the kernel cannot */
  constructor(askKernel: (socket: Fd) => bigint | undefined = namespaceCookieOf) {
    this.#askKernel = askKernel;
  }

  /**
   * A network namespace's cookie.
   * @param path a file of the namespace; absent: this process's namespace
   * @throws {Error} from `fs`, with `code` ENOENT if it is gone
   * @throws {BpfError} if it cannot be entered, or the file is not a network namespace
   */
  cookie(path?: string): bigint {
    return inNamespace(path, () => this.#cookie());
  }

  /** A network namespace with its current addresses. Throws like `cookie`. */
  read(path?: string): NetworkNamespace {
    return inNamespace(path, () => ({ cookie: this.#cookie(), addresses: hostAddresses() }));
  }

  /** All network namespaces that this process can see. @throws {BpfError} if one cannot be entered */
  readAll(): NetworkNamespace[] {
    return networkNamespaces().flatMap((path) => {
      try {
        return [this.read(path)];
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
        throw error;
      }
    });
  }

  close(): void {
    this.#witness?.close();
    this.#witness = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #cookie(): bigint {
    if (this.#witness === undefined) {
      const cookie = withSocket(this.#askKernel);
      if (cookie !== undefined) return cookie;
      this.#witness = attachWitness();
    }
    return this.#witness.cookie();
  }
}

/** The addresses of a network namespace. @param path as for `NamespaceReader.cookie` */
export function addressesOf(path?: string): string[] {
  return inNamespace(path, hostAddresses);
}

/** Runs `work` in a network namespace. @param path as for `NamespaceReader.cookie` */
export function inNamespace<T>(path: string | undefined, work: () => T): T {
  return path === undefined ? work() : inNetworkNamespace(path, work);
}

function attachWitness(): { cookie(): bigint; close(): void } {
  const collection = load([witness]);
  try {
    const attached = attach(collection, { cgroup: ownCgroup() });
    return {
      cookie: () => withSocket(() => collection.map(seen).get(0)!, PROTOCOL),
      close() {
        attached.close();
        collection.close();
      },
    };
  } catch (error) {
    collection.close();
    throw error;
  }
}
