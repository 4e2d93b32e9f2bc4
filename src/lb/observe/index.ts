/** Looking at a load balancer that is loaded: what is there, what it has counted, what it does. */
export { OWNER, reportStatus, type Status } from "./status.ts";
