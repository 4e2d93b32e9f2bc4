import { Balancer, type ApplyResult, type BalancerPlace, type SourceState } from "../index.ts";

/** A desired state and where to apply it. */
export interface LoadRequest extends BalancerPlace {
  readonly config: SourceState;
}

/** Applies a desired state once, as `tsbpf load` does; moves from cgroup to cgroup, and beside other load balancers. */
export async function loadOnce({ config, ...place }: LoadRequest): Promise<ApplyResult> {
  await using balancer = new Balancer({ move: true, beside: true, ...place });
  return await balancer.apply(config);
}
