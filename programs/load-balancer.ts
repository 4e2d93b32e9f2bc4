/**
 * Every program of the load balancer with the default options, to make an object
 * file:
 *
 *     tsbpf build programs/load-balancer.ts -o load-balancer.bpf.o
 */
import { loadBalancerPrograms } from "./index.ts";

export default loadBalancerPrograms();
