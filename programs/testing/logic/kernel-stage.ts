import { maps4, maps6, type DataPathOptions } from "../../index.ts";
import type { DataPath } from "../data-path.ts";
import type { MapOpener, ServiceTable } from "../service-table.ts";
import type { ClientSocket, SocketClient, SocketKind } from "../socket-client.ts";
import type { Stage } from "./stage.ts";

/** The running kernel: the sockets of a client process in the cgroup that the programs are attached to. */
export class KernelStage implements Stage {
  readonly options: DataPathOptions;
  readonly services: ServiceTable;
  readonly open: MapOpener;
  readonly #dataPath: DataPath;
  readonly #client: SocketClient;
  readonly #sockets: ClientSocket[] = [];

  constructor(dataPath: DataPath, client: SocketClient, options: DataPathOptions) {
    this.options = options;
    this.services = dataPath.services;
    this.open = ((definition) => dataPath.map(definition)) as MapOpener;
    this.#dataPath = dataPath;
    this.#client = client;
  }

  async socket(kind: SocketKind, family: 4 | 6): Promise<ClientSocket> {
    const socket = await this.#client.open(kind, family);
    this.#sockets.push(socket);
    return socket;
  }

  reverseEntries(): string[] {
    return this.#dataPath.reverseEntries();
  }

  async end(): Promise<void> {
    for (const socket of this.#sockets) await socket.close();
    if (!this.options.affinity) return;
    for (const { affinity } of this.options.ipv6 ? [maps4, maps6] : [maps4]) {
      const map = this.open(affinity);
      for (const key of [...map.keys()]) map.delete(key);
    }
  }
}
