// The load balancer's door, and its programs.
import assert from "node:assert/strict";
import { loadBalancerStatus, parseConfig } from "tsbpf/lb";

const config = parseConfig("services: []\n", "empty.yaml");
assert.equal(config.services.length, 0);
assert.equal(typeof loadBalancerStatus, "function");
console.log("balancer: ok");
