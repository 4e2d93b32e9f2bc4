import { startBackends, type Backends } from "../../../programs/testing/backend-server.ts";
import { SocketClient } from "../../../programs/testing/index.ts";
import { withCgroup, withNetworkNamespace, withPins, type Place } from "../../testing/index.ts";
import { loadBalancerStatus, OWNER, parseConfig, type ApplyResult, type Status } from "../index.ts";
import { loadOnce } from "./load.ts";

/** A load balancer in its own cgroup, which the test loads and reloads. */
export interface Loaded {
  /** Loads a configuration in the form of its file, with small maps. */
  readonly load: (config: object) => Promise<ApplyResult>;
  readonly status: () => Status;
  /** A process that is balanced. */
  readonly client: SocketClient;
  readonly place: Required<Place>;
  /** The pin directory. */
  readonly pins: string;
}

/** Small maps: all tests share this machine's memory. */
const maps = Object.fromEntries(
  ["", "6"].flatMap((suffix) => [
    [`services${suffix}`, 32],
    [`slots${suffix}`, 128],
    [`backends${suffix}`, 128],
    [`affinity${suffix}`, 32],
    [`cilium_lb${suffix || "4"}_reverse_sk`, 512],
  ]),
);

/**
 * Runs `work` with a network namespace that counts as the host's, has these
 * addresses, and runs servers at `backends`.
 */
export async function withLoaded(
  addresses: readonly string[],
  backends: Backends,
  work: (loaded: Loaded) => Promise<void>,
): Promise<void> {
  await withNetworkNamespace(addresses, (networkNamespace) =>
    withCgroup((cgroup) =>
      withPins(OWNER, async (pins) => {
        const place = { cgroup, networkNamespace };
        const server = await startBackends({ networkNamespace }, backends);
        const client = new SocketClient(place);
        try {
          await work({
            load: (config) =>
              loadOnce({
                cgroup,
                pins,
                hostNetworkNamespace: `/run/netns/${networkNamespace}`,
                config: parseConfig(
                  JSON.stringify({ ...config, maps: { ...maps, ...(config as { maps?: object }).maps } }),
                  "test",
                ),
              }),
            status: () => loadBalancerStatus(pins)!,
            client,
            place,
            pins,
          });
        } finally {
          await client.kill();
          server.kill();
        }
      }),
    ),
  );
}
