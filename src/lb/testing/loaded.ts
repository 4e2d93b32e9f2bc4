import { startBackends, type Backends } from "../../../programs/testing/backend-server.ts";
import { SocketClient } from "../../../programs/testing/index.ts";
import { withCgroup, withNetworkNamespace, withPins, type Place } from "../../testing/index.ts";
import { loadBalancerStatus, loadLoadBalancer, OWNER, parseConfig, type LoadResult, type Status } from "../index.ts";

/** A load balancer in a place of its own, that the test loads and reloads. */
export interface Loaded {
  /** Loads a configuration, in the form that its file has; its maps are small. */
  readonly load: (config: object) => Promise<LoadResult>;
  readonly status: () => Status;
  /** A process among those that are balanced. */
  readonly client: SocketClient;
  readonly place: Required<Place>;
  /** The directory of its pins. */
  readonly pins: string;
}

/** Sizes that suffice for tests, whose maps share this machine's memory. */
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
 * Runs `work` beside a network namespace with these addresses, which are taken
 * for the host's own, and servers at `backends` there.
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
              loadLoadBalancer({
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
