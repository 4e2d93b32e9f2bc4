/**
 * A process of its own that takes the load balancer over, as a new version
 * would: started by a case, with the cgroup, the directory of pins and the
 * services. Prints whether programs were replaced.
 */
import { loadLoadBalancer } from "../src/lb/index.ts";
import { testConfig, type ServiceEntry } from "./suite/load-balancer.ts";

const [cgroup, pins, services] = process.argv.slice(2) as [string, string, string];
const { replaced } = await loadLoadBalancer({
  config: testConfig(JSON.parse(services) as ServiceEntry[]),
  cgroup,
  pins,
});
process.stdout.write(JSON.stringify({ replaced }));
