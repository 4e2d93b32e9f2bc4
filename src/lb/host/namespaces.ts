/** The network namespaces of this host: their numbers and addresses. */
import { cgroup, PROCEED } from "../../dsl/index.ts";
import { inNetworkNamespace, namespaceCookieOf, networkNamespaces, withSocket, type Fd } from "../../kernel/index.ts";
import { attach, load } from "../../loader/index.ts";
import { array, u64 } from "../../types/index.ts";
import { ownCgroup } from "./cgroup-path.ts";
import { hostAddresses } from "../model/front-ends.ts";

export interface NetworkNamespace {
  /** The kernel's number of it, as programs get it from bpf_get_netns_cookie. */
  readonly cookie: bigint;
  /** Those of its interfaces and its loopback addresses; link-local ones of IPv6 are left out. */
  readonly addresses: readonly string[];
}

/** An IP protocol that nobody speaks: "use for experimentation and testing" (RFC 3692). */
const PROTOCOL = 253;

const seen = array("netns_seen", { value: u64, maxEntries: 1 });

/** Writes down the network namespace of a new socket of that protocol. */
const witness = cgroup.sockCreate("netns_witness", (b, ctx) => {
  b.if(ctx.protocol.eq(PROTOCOL), () => {
    b.update(seen, 0, b.getNetnsCookie(ctx));
  });
  return PROCEED;
});

/**
 * Reads network namespaces. The kernel tells their numbers since Linux 5.14;
 * before that only programs get them, and so one is attached to the cgroup of
 * this process, once a number is asked for, until the reader is closed.
 */
export class NamespaceReader implements Disposable {
  readonly #askKernel: (socket: Fd) => bigint | undefined;
  #witness: { cookie(): bigint; close(): void } | undefined;

  /** @param askKernel gives a socket's network namespace; undefined where the kernel does not tell */
  constructor(askKernel: (socket: Fd) => bigint | undefined = namespaceCookieOf) {
    this.#askKernel = askKernel;
  }

  /**
   * A network namespace's number.
   * @param path a file that stands for it; absent: that of this process
   * @throws {Error} of `fs`, with `code`: ENOENT where it is gone
   * @throws {BpfError} where it may not be entered, or the file is something else
   */
  cookie(path?: string): bigint {
    return inNamespace(path, () => this.#cookie());
  }

  /** A network namespace as it is at the moment. @throws as `cookie` does */
  read(path?: string): NetworkNamespace {
    return inNamespace(path, () => ({ cookie: this.#cookie(), addresses: hostAddresses() }));
  }

  /** Those that this process can see, but for what goes meanwhile. @throws {BpfError} where they may not be entered */
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
      const told = withSocket(this.#askKernel);
      if (told !== undefined) return told;
      this.#witness = attachWitness();
    }
    return this.#witness.cookie();
  }
}

/** The host's own addresses, in its network namespace. @param path as for `NamespaceReader.cookie` */
export function addressesOf(path?: string): string[] {
  return inNamespace(path, hostAddresses);
}

function inNamespace<T>(path: string | undefined, work: () => T): T {
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
