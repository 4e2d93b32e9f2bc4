import { HintedError } from "../../hinted-error.ts";

/** A failure of the load balancer that its user can repair. */
export class LoadBalancerError extends HintedError {
  override readonly name: string = "LoadBalancerError";
}
