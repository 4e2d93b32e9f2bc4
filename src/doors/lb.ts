/** The load balancer's control plane: services, from their source to the kernel's maps. */
export * from "../lb/index.ts";
