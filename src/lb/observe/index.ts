/** Looking at a load balancer that is loaded: what is there, what it has counted, what it does. */
export { OWNER } from "../apply/pins.ts";
export { reportStatus, type Status } from "./status.ts";
