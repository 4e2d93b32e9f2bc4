/**
 * Every program of the load balancer as it is by default, for who wants an object
 * file of them:
 *
 *     tsbpf build programs/load-balancer.ts -o load-balancer.bpf.o
 */
import { loadBalancerPrograms } from "./index.ts";

export default loadBalancerPrograms();
