/**
 * A separate process that takes over the load balancer, like a new version would. A case starts it with the
 * cgroup, the pin directory and the services. Prints whether programs were replaced.
 */
import { Balancer } from "../src/lb/index.ts";
import { testConfig, type ServiceEntry } from "./suite/load-balancer.ts";

const [cgroup, pins, services] = process.argv.slice(2) as [string, string, string];
// Counting takes other programs than those that are attached, as another version does.
const { programs } = await new Balancer({ cgroup, pins }).apply({
  ...testConfig(JSON.parse(services) as ServiceEntry[]),
  options: { metrics: true },
});
process.stdout.write(JSON.stringify({ replaced: programs === "replaced" }));
